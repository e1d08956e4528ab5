//! The component of [`edge_fns::stale_connections`].

edge_component::timer_function!(stale_connections: base, cache, connections);
