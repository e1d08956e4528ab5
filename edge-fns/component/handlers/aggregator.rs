//! The component of [`edge_fns::aggregator`].

edge_component::timer_function!(aggregator: base, cache, documents, blobs);
