//! TLS for the back ends: rustls with ring, and whose signature is believed.

use edge_fns::capability::{Error, Result};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::path::Path;
use std::sync::Once;

/// Makes ring what every TLS connection of this process uses, whatever else was compiled in.
pub fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // An error says that somebody was first, with the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

/// What a client believes: the public authorities, or only the one of this file (RDS signs with its own).
pub fn client(ca_file: Option<&Path>) -> Result<ClientConfig> {
    install();
    let mut roots = RootCertStore::empty();
    match ca_file {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(path) => {
            let bad = |why: &dyn std::fmt::Display| Error::Invalid(format!("{}: {why}", path.display()));
            let certificates = CertificateDer::pem_file_iter(path).map_err(|error| bad(&error))?;
            for certificate in certificates {
                roots.add(certificate.map_err(|error| bad(&error))?).map_err(|error| bad(&error))?;
            }
            if roots.is_empty() {
                return Err(bad(&"there is no certificate in this file"));
            }
        }
    }
    Ok(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
}
