//! The component of [`edge_fns::trades_backup`].

edge_component::timer_function!(trades_backup: base, cache, documents, blobs);
