//! The component of [`edge_fns::connect`].

edge_component::socket_function!(connect: base, identity, cache);
