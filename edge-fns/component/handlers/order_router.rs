//! The component of [`edge_fns::order_router`].

edge_component::http_function!(order_router: base, identity, cache, documents, wallet, streams);
