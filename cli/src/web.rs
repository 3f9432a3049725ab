//! The web client that was built into this binary, if one was.

use bytes::Bytes;
use parley_server::edge::http::Assets;

// `FILES`: the name and content of each file; made by the build script.
include!(concat!(env!("OUT_DIR"), "/web.rs"));

/// Its files; none when the binary was built without it.
pub(crate) fn built_in() -> Assets {
    Assets::new(FILES.iter().map(|(name, bytes)| ((*name).to_owned(), Bytes::from_static(bytes))))
}
