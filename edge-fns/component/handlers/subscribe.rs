//! The component of [`edge_fns::subscribe`].

edge_component::socket_function!(subscribe: base, cache);
