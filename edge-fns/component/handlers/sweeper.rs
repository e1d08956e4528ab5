//! The component of [`edge_fns::sweeper`].

edge_component::timer_function!(sweeper: base, documents, wallet, streams);
