//! The component of [`edge_fns::admin`].

edge_component::http_function!(admin: base, identity, cache, wallet);
