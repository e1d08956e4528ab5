//! The component of [`edge_fns::asset`].

edge_component::http_function!(asset: base, identity, wallet);
