//! The files of the web client, in memory: built into the binary, or read from
//! a folder at start.
//!
//! A file `x` may come with `x.br` and `x.gz`, the same compressed; those are
//! never asked for by name. Names under `assets/` hold a hash of the content
//! and are kept for ever by browsers, all others are asked for anew each time
//! and answered with 304 when they are the same (`ETag`).

use std::collections::HashMap;
use std::io;
use std::path::Path;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use sha2::{Digest as _, Sha256};

/// What the app's own addresses give.
const INDEX: &str = "index.html";

/// Bytes of all files of a folder together. It would be some other folder.
const FOLDER_BYTES: u64 = 64 * 1024 * 1024;

/// Folders within folders.
const DEPTH: usize = 8;

/// How files are kept by browsers.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");

/// The files of a web client; none for a build without one.
#[derive(Debug, Default)]
pub struct Assets {
    files: HashMap<String, File>,
}

#[derive(Debug)]
struct File {
    kind: HeaderValue,
    plain: Form,
    gzip: Option<Form>,
    brotli: Option<Form>,
    immutable: bool,
}

/// One form of a file, compressed or not.
#[derive(Debug)]
struct Form {
    bytes: Bytes,
    etag: HeaderValue,
}

impl Form {
    fn new(bytes: Bytes) -> Self {
        let hash = Sha256::digest(&bytes);
        let (half, _) = hash.split_at(16);
        // Hex in quotes is always a valid header value.
        let etag = HeaderValue::try_from(format!("\"{}\"", base16ct::lower::encode_string(half)));
        Self { bytes, etag: etag.unwrap_or(HeaderValue::from_static("\"\"")) }
    }
}

impl Assets {
    /// From files by name, such as `assets/main-1234.js`.
    #[must_use]
    pub fn new(files: impl IntoIterator<Item = (String, Bytes)>) -> Self {
        let mut forms: HashMap<String, Form> =
            files.into_iter().map(|(name, bytes)| (name, Form::new(bytes))).collect();
        let is_form = |name: &str| name.ends_with(".br") || name.ends_with(".gz");
        let names: Vec<_> = forms.keys().filter(|name| !is_form(name)).cloned().collect();
        let mut files = HashMap::new();
        for name in names {
            let Some(plain) = forms.remove(&name) else { continue };
            let brotli = forms.remove(&format!("{name}.br"));
            let gzip = forms.remove(&format!("{name}.gz"));
            let immutable = name.starts_with("assets/");
            files.insert(name.clone(), File { kind: kind(&name), plain, gzip, brotli, immutable });
        }
        Self { files }
    }

    /// Reads all files of a folder. Blocks on the disk.
    ///
    /// # Errors
    /// What the disk says; a folder that holds no web client.
    pub fn read(folder: &Path) -> io::Result<Self> {
        let mut files = Vec::new();
        let mut room = FOLDER_BYTES;
        read(folder, "", DEPTH, &mut room, &mut files)?;
        let assets = Self::new(files);
        if assets.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "there is no index.html in it"));
        }
        Ok(assets)
    }

    /// Whether there is no web client here.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.files.contains_key(INDEX)
    }

    /// The page of the app's own addresses.
    pub(super) fn index(&self, asked: &HeaderMap) -> Option<Response> {
        self.file(INDEX, asked)
    }

    /// A file in the form that the browser takes best, or 304 when it has it.
    pub(super) fn file(&self, name: &str, asked: &HeaderMap) -> Option<Response> {
        let file = self.files.get(name)?;
        let (form, encoding) = match (&file.brotli, &file.gzip) {
            (Some(brotli), _) if takes(asked, "br") => (brotli, Some("br")),
            (_, Some(gzip)) if takes(asked, "gzip") => (gzip, Some("gzip")),
            _ => (&file.plain, None),
        };
        let mut response = if has(asked, &form.etag) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            let mut response = form.bytes.clone().into_response();
            if let Some(encoding) = encoding {
                let encoding = HeaderValue::from_static(encoding);
                response.headers_mut().insert(header::CONTENT_ENCODING, encoding);
            }
            response.headers_mut().insert(header::CONTENT_TYPE, file.kind.clone());
            response
        };
        let headers = response.headers_mut();
        headers.insert(header::ETAG, form.etag.clone());
        headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
        let kept = if file.immutable { FOR_EVER } else { ASK_AGAIN };
        headers.insert(header::CACHE_CONTROL, kept);
        Some(response)
    }
}

fn read(
    folder: &Path,
    prefix: &str,
    depth: usize,
    room: &mut u64,
    files: &mut Vec<(String, Bytes)>,
) -> io::Result<()> {
    let too_much = || io::Error::other("it holds more than a web client");
    let deeper = depth.checked_sub(1).ok_or_else(too_much)?;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        // Names that are not UTF-8 can't be asked for.
        let Ok(name) = entry.file_name().into_string() else { continue };
        let name = format!("{prefix}{name}");
        let about = entry.metadata()?;
        if about.is_dir() {
            read(&entry.path(), &format!("{name}/"), deeper, room, files)?;
        } else if about.is_file() {
            let bytes = std::fs::read(entry.path())?;
            *room = room.checked_sub(bytes.len() as u64).ok_or_else(too_much)?;
            files.push((name, bytes.into()));
        }
    }
    Ok(())
}

/// Whether the client takes this encoding.
fn takes(asked: &HeaderMap, encoding: &str) -> bool {
    let accepted = asked.get_all(header::ACCEPT_ENCODING).iter();
    accepted.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(',')).any(
        |choice| {
            let mut parts = choice.split(';').map(str::trim);
            let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(encoding));
            let weight = parts.find_map(|part| part.strip_prefix("q="));
            named && weight.is_none_or(|weight| weight.parse().unwrap_or(0.0) > 0.0_f32)
        },
    )
}

/// Whether the client has this form already.
fn has(asked: &HeaderMap, etag: &HeaderValue) -> bool {
    let known = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    known
        .flat_map(|value| value.split(','))
        .map(|tag| tag.trim().trim_start_matches("W/"))
        .any(|tag| tag == "*" || tag.as_bytes() == etag.as_bytes())
}

fn kind(name: &str) -> HeaderValue {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    HeaderValue::from_static(match ending {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "txt" => "text/plain; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "wasm" => "application/wasm",
        _ => "application/octet-stream",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assets() -> Assets {
        let file = |name: &str, text: &str| (name.to_owned(), Bytes::from(text.to_owned()));
        Assets::new([
            file("index.html", "<!doctype html>"),
            file("index.html.br", "brotli"),
            file("index.html.gz", "gzip"),
            file("assets/main-1.js", "code"),
            file("assets/main-1.js.gz", "small"),
            file("stray.br", "nothing to go with"),
        ])
    }

    fn asking(pairs: &[(header::HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    fn encoding(assets: &Assets, name: &str, accepted: &str) -> Option<String> {
        let answer = assets.file(name, &asking(&[(header::ACCEPT_ENCODING, accepted)])).unwrap();
        let encoding = answer.headers().get(header::CONTENT_ENCODING)?;
        Some(encoding.to_str().unwrap().to_owned())
    }

    #[test]
    fn a_file_comes_in_the_best_form_that_is_taken() {
        let assets = assets();
        for (accepted, expected) in [
            ("gzip, deflate, br, zstd", Some("br")),
            ("br;q=0, gzip", Some("gzip")),
            ("GZIP;q=0.5", Some("gzip")),
            ("identity", None),
            ("", None),
            ("br;q=x", None),
            ("brotli", None),
        ] {
            let got = encoding(&assets, "index.html", accepted);
            assert_eq!(got.as_deref(), expected, "{accepted}");
        }
        assert_eq!(encoding(&assets, "assets/main-1.js", "br, gzip").as_deref(), Some("gzip"));
        for no in ["index.html.br", "stray.br", "assets", "assets/", "", "../index.html"] {
            assert!(assets.file(no, &HeaderMap::new()).is_none(), "{no}");
        }
    }

    #[test]
    fn what_the_browser_has_is_not_sent_again() {
        let assets = assets();
        let br = (header::ACCEPT_ENCODING, "br");
        let first = assets.index(&asking(std::slice::from_ref(&br))).unwrap();
        assert_eq!(first.headers()[header::CACHE_CONTROL], "no-cache");
        assert_eq!(first.headers()[header::VARY], "accept-encoding");
        let etag = first.headers()[header::ETAG].to_str().unwrap().to_owned();
        for known in [etag.clone(), format!("\"x\", W/{etag}"), "*".to_owned()] {
            let again = assets.index(&asking(&[br.clone(), (header::IF_NONE_MATCH, &known)]));
            let again = again.unwrap();
            assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{known}");
            assert_eq!(again.headers()[header::ETAG], *etag);
        }
        // Another form is another thing.
        let plain = assets.index(&asking(&[(header::IF_NONE_MATCH, &etag)])).unwrap();
        assert_eq!(plain.status(), StatusCode::OK);
        let hashed = assets.file("assets/main-1.js", &HeaderMap::new()).unwrap();
        assert_eq!(hashed.headers()[header::CACHE_CONTROL], "public, max-age=31536000, immutable");
        assert_eq!(hashed.headers()[header::CONTENT_TYPE], "text/javascript; charset=utf-8");
    }

    #[test]
    fn a_folder_is_read_whole_and_only_if_it_is_a_web_client() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Assets::read(&folder.path().join("missing")).is_err());
        assert!(Assets::read(folder.path()).is_err(), "no index.html");
        std::fs::create_dir(folder.path().join("assets")).unwrap();
        std::fs::write(folder.path().join("index.html"), "page").unwrap();
        std::fs::write(folder.path().join("assets/a.css"), "style").unwrap();
        let assets = Assets::read(folder.path()).unwrap();
        assert!(!assets.is_empty() && assets.file("assets/a.css", &HeaderMap::new()).is_some());
        let mut deep = folder.path().to_owned();
        for _ in 0..DEPTH {
            deep.push("x");
        }
        std::fs::create_dir_all(deep).unwrap();
        assert!(Assets::read(folder.path()).is_err(), "too deep");
        assert!(Assets::default().is_empty());
    }
}
