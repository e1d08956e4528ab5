//! Makes each handler a WebAssembly component.
//!
//! A handler's shell is one line in `handlers/`: a macro of this crate that names the handler and the ports it is
//! given. The shell converts, runs the handler to its end and logs a panic; everything else is in `edge-fns`. What a
//! handler's ports do not name is not linked, so that its component imports no more than its world grants.
//!
//! For any other target than WebAssembly the shells are empty.

#[cfg(target_arch = "wasm32")]
#[allow(unsafe_code)] // An allocator cannot be written without; each use says why it is sound.
mod arena;
pub mod bindings;
mod capabilities;
mod convert;

pub use capabilities::Host;
pub use edge_fns;

use bindings::capabilities::supernoba::edge::log;

/// Runs a handler to its end. Every capability call returns only with its answer, so the handler never waits.
pub fn run<T>(handler: impl Future<Output = T>) -> T {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let message = panic.payload_as_str().unwrap_or("no message");
        log::write(log::Level::Error, &format!("panic: {message}"), &[("at".into(), place)]);
    }));
    edge_fns::executor::ready(handler).expect("a capability call returns with its answer")
}

/// The shell of a handler of REST requests: its name and its ports.
#[macro_export]
macro_rules! http_function {
    ($handler:ident: $($port:ident),+) => {
        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code)] // The generated entry points cross the boundary of the component.
        mod function {
            use $crate::bindings::http_function::exports::supernoba::edge::http_handler;
            use $crate::edge_fns::$handler::{Ports, handle};

            struct Function;

            impl http_handler::Guest for Function {
                fn handle(request: http_handler::Request) -> http_handler::Response {
                    let ports = Ports { $($port: &$crate::Host),+ };
                    $crate::run(handle(&ports, request.into())).into()
                }
            }

            $crate::bindings::http_function::export_http_function!(Function);
        }
    };
}

/// The shell of a handler of WebSocket events: its name and its ports.
#[macro_export]
macro_rules! socket_function {
    ($handler:ident: $($port:ident),+) => {
        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code)] // The generated entry points cross the boundary of the component.
        mod function {
            use $crate::bindings::socket_function::exports::supernoba::edge::socket_handler;
            use $crate::edge_fns::$handler::{Ports, handle};

            struct Function;

            impl socket_handler::Guest for Function {
                fn handle(connection: String, event: socket_handler::Event) -> socket_handler::Reply {
                    let ports = Ports { $($port: &$crate::Host),+ };
                    $crate::run(handle(&ports, &connection, event.into())).into()
                }
            }

            $crate::bindings::socket_function::export_socket_function!(Function);
        }
    };
}

/// The shell of a handler of stream records: its name and its ports.
#[macro_export]
macro_rules! stream_function {
    ($handler:ident: $($port:ident),+) => {
        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code)] // The generated entry points cross the boundary of the component.
        mod function {
            use $crate::bindings::stream_function::exports::supernoba::edge::stream_handler;
            use $crate::edge_fns::$handler::{Ports, handle};

            struct Function;

            impl stream_handler::Guest for Function {
                fn handle(stream: String, items: Vec<stream_handler::Item>) -> Vec<stream_handler::Failure> {
                    let ports = Ports { $($port: &$crate::Host),+ };
                    let items = items.into_iter().map(Into::into).collect();
                    $crate::run(handle(&ports, &stream, items)).into_iter().map(Into::into).collect()
                }
            }

            $crate::bindings::stream_function::export_stream_function!(Function);
        }
    };
}

/// The shell of a handler of timers: its name and its ports.
#[macro_export]
macro_rules! timer_function {
    ($handler:ident: $($port:ident),+) => {
        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code)] // The generated entry points cross the boundary of the component.
        mod function {
            use $crate::bindings::timer_function::exports::supernoba::edge::timer_handler;
            use $crate::edge_fns::$handler::{Ports, handle};
            use $crate::edge_fns::timer::Timer;

            struct Function;

            impl timer_handler::Guest for Function {
                fn handle(name: String, due: u64) -> Result<(), timer_handler::Error> {
                    let ports = Ports { $($port: &$crate::Host),+ };
                    $crate::run(handle(&ports, Timer { name, due })).map_err(Into::into)
                }
            }

            $crate::bindings::timer_function::export_timer_function!(Function);
        }
    };
}
