//! The page: a folder of files, held in memory with their compressed forms.

use super::{Gateway, not_found};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// Files by their path below the folder.
#[derive(Debug, Default)]
pub struct Page {
    files: BTreeMap<String, File>,
}

#[derive(Debug, Default)]
struct File {
    plain: Vec<u8>,
    brotli: Option<Vec<u8>>,
    gzip: Option<Vec<u8>>,
}

impl Page {
    /// Reads the folder. `NAME.br` and `NAME.gz` beside a file are its compressed forms.
    pub fn load(folder: &Path) -> io::Result<Page> {
        let mut page = Page::default();
        page.read(folder, folder)?;
        Ok(page)
    }

    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    fn read(&mut self, root: &Path, folder: &Path) -> io::Result<()> {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                self.read(root, &path)?;
                continue;
            }
            let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
            let content = std::fs::read(&path)?;
            if let Some(name) = name.strip_suffix(".br") {
                self.files.entry(name.into()).or_default().brotli = Some(content);
            } else if let Some(name) = name.strip_suffix(".gz") {
                self.files.entry(name.into()).or_default().gzip = Some(content);
            } else {
                self.files.entry(name).or_default().plain = content;
            }
        }
        Ok(())
    }
}

pub(super) async fn serve(State(gateway): State<Gateway>, request: Request) -> Response {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return not_found().await;
    }
    let path = request.uri().path().trim_start_matches('/');
    let wants_page = request
        .headers()
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"));
    let name = if path.is_empty() { "index.html" } else { path };
    if let Some(file) = gateway.page.files.get(name) {
        return answer(name, file, request.headers());
    }
    // A place within the page: the page itself finds its way.
    match gateway.page.files.get("index.html") {
        Some(index) if wants_page && !path.contains('.') => answer("index.html", index, request.headers()),
        None if wants_page && path.is_empty() => Html(NO_PAGE).into_response(),
        _ => not_found().await,
    }
}

const NO_PAGE: &str = "<!doctype html><title>Supernoba</title><p>The exchange runs; its page is not built. \
    <code>cargo xtask web</code> builds it, <code>cargo xtask up</code> does everything.";

fn answer(name: &str, file: &File, headers: &HeaderMap) -> Response {
    let accepted =
        headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let accepts = |encoding: &str| {
        accepted.split(',').any(|part| {
            let (token, weight) = part.split_once(';').unwrap_or((part, ""));
            token.trim() == encoding && weight.trim() != "q=0"
        })
    };
    let (body, encoding) = match (&file.brotli, &file.gzip) {
        (Some(brotli), _) if accepts("br") => (brotli, Some("br")),
        (_, Some(gzip)) if accepts("gzip") => (gzip, Some("gzip")),
        _ => (&file.plain, None),
    };
    let mut response = (StatusCode::OK, body.clone()).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type(name)));
    // The page's own policy is in it, for whichever host serves it; this much only a header can say.
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("frame-ancestors 'none'"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    // A name that holds its content's hash never changes; all others are asked for anew.
    let cache = if is_hashed(name) { "public, max-age=31536000, immutable" } else { "no-cache" };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    if let Some(encoding) = encoding {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    response
}

/// `name-0123abcd.ext`: eight hexadecimal digits before the extension.
fn is_hashed(name: &str) -> bool {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let hash = stem.rsplit_once(['-', '.']).map_or("", |(_, hash)| hash);
    hash.len() >= 8 && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "wasm" => "application/wasm",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_other_site_frames_the_page_and_no_file_is_taken_for_another() {
        let answer = answer("web.js", &File::default(), &HeaderMap::new());
        let header = |name| answer.headers().get(name).and_then(|value| value.to_str().ok());
        assert_eq!(header(header::CONTENT_SECURITY_POLICY), Some("frame-ancestors 'none'"));
        assert_eq!(header(header::X_CONTENT_TYPE_OPTIONS), Some("nosniff"));
        assert_eq!(header(header::CONTENT_TYPE), Some("text/javascript; charset=utf-8"));
    }

    #[test]
    fn hashed_names_are_known() {
        assert!(is_hashed("web-0a1b2c3d.wasm") && is_hashed("assets/app.0123456789ab.js"));
        assert!(!is_hashed("index.html") && !is_hashed("favicon-32.png") && !is_hashed("decade.js"));
    }
}
