//! The component of [`edge_fns::history_saver`].

edge_component::stream_function!(history_saver: base, sql);
