//! The key that signs tokens, and their verification.

use anyhow::{Context, bail};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use edge_fns::capability::Millis;
use edge_fns::capability::identity::{Claims, Refusal};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use p256::SecretKey;
use p256::elliptic_curve::sec1::ToEncodedPoint;
use p256::pkcs8::{DecodePrivateKey, EncodePrivateKey, LineEnding};
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

const AUDIENCE: &str = "authenticated";
/// Traders' tokens live an hour, as Supabase's do.
pub const ACCESS_S: u64 = 3600;
/// Administrators' tokens are written to a file that only the owner reads.
const SERVICE_S: u64 = 10 * 365 * 86_400;

pub struct Keys {
    encoding: EncodingKey,
    decoding: DecodingKey,
    kid: String,
    jwks: serde_json::Value,
    validation: Validation,
}

#[derive(Debug, Serialize, Deserialize)]
struct Token {
    iss: String,
    sub: String,
    aud: String,
    role: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    iat: u64,
    exp: u64,
}

impl Keys {
    /// The key of this file; a new one where there is none.
    pub fn open(path: &Path) -> anyhow::Result<Keys> {
        let key = match std::fs::read_to_string(path) {
            Ok(pem) => {
                SecretKey::from_pkcs8_pem(&pem).with_context(|| format!("{} is no key", path.display()))?
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => create(path)?,
            Err(error) => bail!("{}: {error}", path.display()),
        };
        let point = key.public_key().to_encoded_point(false);
        let (Some(x), Some(y)) = (point.x(), point.y()) else {
            bail!("{}: a key without a point", path.display())
        };
        let (x, y) = (BASE64.encode(x), BASE64.encode(y));
        let kid = x[..16].to_string();
        let jwks = serde_json::json!({"keys": [{
            "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "key_ops": ["verify"], "kid": kid, "x": x, "y": y
        }]});
        let mut validation = Validation::new(Algorithm::ES256);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "aud", "sub"]);
        validation.leeway = 0;
        let der = key.to_pkcs8_der()?;
        Ok(Keys {
            encoding: EncodingKey::from_ec_der(der.as_bytes()),
            decoding: DecodingKey::from_ec_components(&x, &y)?,
            kid,
            jwks,
            validation,
        })
    }

    /// The public half, for whoever verifies tokens.
    pub fn jwks(&self) -> &serde_json::Value {
        &self.jwks
    }

    /// A trader's token.
    pub fn access_token(&self, issuer: &str, user: &str, email: &str) -> anyhow::Result<String> {
        self.sign(issuer, user, "authenticated", Some(email), ACCESS_S)
    }

    /// An administrator's token.
    pub fn service_token(&self, issuer: &str) -> anyhow::Result<String> {
        self.sign(issuer, "00000000-0000-0000-0000-000000000000", "service_role", None, SERVICE_S)
    }

    fn sign(
        &self,
        issuer: &str,
        user: &str,
        role: &str,
        email: Option<&str>,
        lifetime_s: u64,
    ) -> anyhow::Result<String> {
        let iat = now_s();
        let token = Token {
            iss: issuer.into(),
            sub: user.into(),
            aud: AUDIENCE.into(),
            role: role.into(),
            email: email.map(Into::into),
            iat,
            exp: iat + lifetime_s,
        };
        let header = Header { kid: Some(self.kid.clone()), ..Header::new(Algorithm::ES256) };
        Ok(jsonwebtoken::encode(&header, &token, &self.encoding)?)
    }

    /// Who a token speaks for. Only ES256 by this very key is taken.
    pub fn verify(&self, token: &str) -> Result<Claims, Refusal> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| Refusal::Malformed)?;
        if header.alg != Algorithm::ES256 || header.kid.is_some_and(|kid| kid != self.kid) {
            return Err(Refusal::BadSignature);
        }
        match jsonwebtoken::decode::<Token>(token, &self.decoding, &self.validation) {
            Ok(data) => Ok(Claims {
                user: data.claims.sub,
                role: data.claims.role,
                expires: (data.claims.exp * 1000) as Millis,
            }),
            Err(error) => Err(match error.kind() {
                ErrorKind::ExpiredSignature => Refusal::Expired,
                ErrorKind::InvalidSignature => Refusal::BadSignature,
                ErrorKind::InvalidAudience => Refusal::WrongAudience,
                _ => Refusal::Malformed,
            }),
        }
    }
}

fn create(path: &Path) -> anyhow::Result<SecretKey> {
    // A random number that is no valid key comes up about never; then another is drawn.
    let key = loop {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        if let Ok(key) = SecretKey::from_slice(&bytes) {
            break key;
        }
    };
    let pem = key.to_pkcs8_pem(LineEnding::LF)?;
    write_secret(path, pem.as_bytes())?;
    Ok(key)
}

/// Writes a file that only its owner can read.
pub fn write_secret(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    let fresh = path.with_extension("new");
    let mut file =
        std::fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&fresh)?;
    file.write_all(content)?;
    file.sync_all()?;
    std::fs::rename(&fresh, path).with_context(|| format!("cannot write {}", path.display()))
}

pub(super) fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_verified_and_forgeries_refused() {
        let folder = tempfile::tempdir().unwrap();
        let keys = Keys::open(&folder.path().join("key.pem")).unwrap();
        let token = keys.access_token("iss", "u1", "a@b.c").unwrap();
        let claims = keys.verify(&token).unwrap();
        assert_eq!((&*claims.user, &*claims.role), ("u1", "authenticated"));
        // The same key after a restart, another key elsewhere.
        assert!(Keys::open(&folder.path().join("key.pem")).unwrap().verify(&token).is_ok());
        let other = Keys::open(&folder.path().join("other.pem")).unwrap();
        assert_eq!(other.verify(&token), Err(Refusal::BadSignature));
        assert_eq!(keys.verify("nonsense"), Err(Refusal::Malformed));
        let expired = keys.sign("iss", "u1", "authenticated", None, 0).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(1100));
        assert_eq!(keys.verify(&expired), Err(Refusal::Expired));
        // A token that claims another algorithm, or none, is not looked at.
        let payload = token.split('.').nth(1).unwrap();
        for header in [r#"{"alg":"none"}"#, r#"{"alg":"HS256","typ":"JWT"}"#] {
            let forged = format!("{}.{payload}.", BASE64.encode(header));
            assert!(keys.verify(&forged).is_err(), "{header}");
        }
        let mut altered = token.clone();
        altered.replace_range(altered.len() - 8.., "AAAAAAAA");
        assert_eq!(keys.verify(&altered), Err(Refusal::BadSignature));
    }
}
