//! The component of [`edge_fns::orders`].

edge_component::http_function!(orders: base, identity, cache, documents, wallet, streams);
