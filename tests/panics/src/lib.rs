//! A function of REST requests in the shell that all functions have, which panics where its path says so and answers
//! otherwise. For any other target than WebAssembly it is empty.

#[cfg(target_arch = "wasm32")]
#[allow(unsafe_code)] // The generated entry points cross the boundary of the component.
mod function {
    use edge_component::bindings::http_function::exports::supernoba::edge::http_handler::{
        Guest, Request, Response,
    };
    use edge_component::edge_fns::http;

    struct Function;

    impl Guest for Function {
        fn handle(request: Request) -> Response {
            edge_component::run(answer(request.into())).into()
        }
    }

    async fn answer(request: http::Request) -> http::Response {
        // Only known when it runs, so that the compiler leaves the panic where it is.
        let length = request.body.len();
        match request.path.as_str() {
            "/message" => panic!("the till is {length} short"),
            "/index" => {
                let byte = request.body[length];
                http::Response::json(200, &byte)
            }
            "/unwrap" => {
                let missing: Result<u8, String> = Err(request.query);
                http::Response::json(200, &missing.unwrap())
            }
            _ => http::Response::json(200, &length),
        }
    }

    edge_component::bindings::http_function::export_http_function!(Function);
}
