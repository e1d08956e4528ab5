//! The component of [`edge_fns::fill_processor`].

edge_component::stream_function!(fill_processor: base, documents, wallet);
