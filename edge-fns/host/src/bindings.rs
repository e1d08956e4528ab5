//! What is generated from `wit/`: the imports of all capabilities, and one export a shape of function.

pub mod capabilities {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "every-capability",
        imports: {
            "supernoba:edge/clock": trappable,
            "supernoba:edge/random": trappable,
            "supernoba:edge/log": trappable,
            default: async,
        },
    });
}

pub mod http_function {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "http-function",
        exports: { default: async },
    });
}

pub mod socket_function {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "socket-function",
        exports: { default: async },
    });
}

pub mod stream_function {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "stream-function",
        exports: { default: async },
    });
}

pub mod timer_function {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "timer-function",
        exports: { default: async },
    });
}
