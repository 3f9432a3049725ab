//! What survives a restart: outbox, positions, a cache of entries, the token.
//!
//! [`Store`] is either nothing (everything lives in the machine's memory) or a
//! redb file. What was deleted leaves the file. Calls block on the disk; the driver makes them on a blocking
//! thread. A store belongs to one user and one server.

mod cache;
mod file;
mod rows;
mod tables;

use std::path::PathBuf;
use std::sync::Arc;

use parley_protocol::ids::ConversationId;

use crate::machine::{Error, ErrorKind, Page, Range, Save, Saved, Token};
use file::FileStore;

/// Where things are kept. Cheap to clone.
#[derive(Clone)]
pub(crate) enum Store {
    /// Nowhere.
    Memory,
    /// In a file.
    File(Arc<FileStore>),
}

/// What a store held when it was opened.
#[derive(Default)]
pub(crate) struct Opened {
    pub(crate) saved: Saved,
    pub(crate) token: Option<Token>,
}

impl Store {
    pub(crate) async fn open(
        path: Option<PathBuf>,
        cache_entries: u32,
    ) -> Result<(Self, Opened), Error> {
        let Some(path) = path else { return Ok((Self::Memory, Opened::default())) };
        blocking(move || {
            let (store, opened) = FileStore::open(&path, cache_entries)?;
            Ok((Self::File(Arc::new(store)), opened))
        })
        .await
    }

    pub(crate) const fn keeps(&self) -> bool {
        matches!(self, Self::File(_))
    }

    /// Makes all of `saves` durable, or none.
    pub(crate) async fn commit(&self, saves: Vec<Save>) -> Result<(), Error> {
        match self {
            Self::Memory => Ok(()),
            Self::File(store) => {
                let store = Arc::clone(store);
                blocking(move || store.commit(&saves)).await
            }
        }
    }

    /// Keeps the token for the next start.
    pub(crate) async fn keep_token(&self, token: Token) -> Result<(), Error> {
        match self {
            Self::Memory => Ok(()),
            Self::File(store) => {
                let store = Arc::clone(store);
                blocking(move || store.keep_token(&token)).await
            }
        }
    }

    /// Wipes everything, at sign-out.
    pub(crate) async fn wipe(&self) -> Result<(), Error> {
        match self {
            Self::Memory => Ok(()),
            Self::File(store) => {
                let store = Arc::clone(store);
                blocking(move || store.wipe()).await
            }
        }
    }

    /// The cached part of a range: a run without holes, or `None` when the
    /// range's anchor is not cached.
    pub(crate) async fn cached(
        &self,
        conversation: ConversationId,
        range: Range,
        limit: u32,
    ) -> Result<Option<Page>, Error> {
        match self {
            Self::Memory => Ok(None),
            Self::File(store) => {
                let store = Arc::clone(store);
                blocking(move || store.cached(conversation, range, limit)).await
            }
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(Error::with_source(ErrorKind::Store, "the store's task ended", error)),
    }
}
