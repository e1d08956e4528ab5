//! The component of [`edge_fns::disconnect`].

edge_component::socket_function!(disconnect: base, cache);
