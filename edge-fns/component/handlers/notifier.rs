//! The component of [`edge_fns::notifier`].

edge_component::stream_function!(notifier: base, cache, connections);
