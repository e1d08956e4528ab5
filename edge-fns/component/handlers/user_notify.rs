//! The component of [`edge_fns::user_notify`].

edge_component::stream_function!(user_notify: base, cache, connections);
