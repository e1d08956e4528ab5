//! The component of [`edge_fns::chart_data`].

edge_component::http_function!(chart_data: base, cache, documents);
