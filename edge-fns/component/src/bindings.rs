//! What is generated from `wit/`: the imports of all capabilities, and one export a shape of function.

// Generated code passes pointers across the boundary of the component.
#![allow(unsafe_code)]

pub mod capabilities {
    wit_bindgen::generate!({ path: "../../wit", world: "every-capability" });
}

pub mod http_function {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "http-function",
        pub_export_macro: true,
        export_macro_name: "export_http_function",
        default_bindings_module: "edge_component::bindings::http_function",
    });
}

pub mod socket_function {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "socket-function",
        pub_export_macro: true,
        export_macro_name: "export_socket_function",
        default_bindings_module: "edge_component::bindings::socket_function",
    });
}

pub mod stream_function {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "stream-function",
        pub_export_macro: true,
        export_macro_name: "export_stream_function",
        default_bindings_module: "edge_component::bindings::stream_function",
    });
}

pub mod timer_function {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "timer-function",
        pub_export_macro: true,
        export_macro_name: "export_timer_function",
        default_bindings_module: "edge_component::bindings::timer_function",
    });
}
