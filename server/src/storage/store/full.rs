//! Opening a store on a disk that has no room for a start: to read, with what is written
//! kept in memory, and with nothing taken that anybody would be told is kept.

use std::path::Path;
use std::sync::Arc;

use super::engine::overlay::Overlay;
use super::engine::rocks::{Budget, Recovery, Rocks};
use super::engine::{Engine, Trouble};
use super::folder::Folder;
use super::{OpenError, StoreError};
use crate::base::space::Space;
use crate::storage::space::{Boot, room};

/// Opens the database of a folder to read, if there is one, and closes its space to writes.
pub(super) fn open(
    folder: &Folder,
    budget: Budget,
    recovery: Recovery,
    boot: Boot,
    space: &Space,
) -> Result<Rocks, OpenError> {
    let path = folder.path().to_owned();
    if !folder.has_database() {
        // A store that is to be made is nothing to read.
        return Err(OpenError::NoRoom { path, boot });
    }
    let engine = Rocks::read(&folder.database(), budget, recovery)
        .map_err(|error| OpenError::Store { path: path.clone(), source: error.into() })
        .map_err(|error| explain(error, &path, boot))?;
    space.close_to_writes(boot.needed);
    tracing::error!(
        free_bytes = boot.free,
        needed_bytes = boot.needed,
        "the disk of {} has {boot}: it serves reading only, and ends once there is room, to be \
         started again; free some",
        path.display()
    );
    Ok(engine)
}

/// The engine as the node writes to it: in memory where the space is closed to writes.
pub(super) fn writable(engine: Rocks, space: &Space) -> Arc<dyn Engine> {
    let engine: Arc<dyn Engine> = Arc::new(engine);
    if space.needed().is_some() { Arc::new(Overlay::new(engine)) } else { engine }
}

/// Says the figures where the disk got full in the middle of a start. Where there is room
/// all the same (a quota, a fault of the disk) they would say nothing, and the error stays.
pub(super) fn explain(error: OpenError, path: &Path, boot: Boot) -> OpenError {
    let of_room = matches!(
        &error,
        OpenError::Store { source: StoreError::Engine(error), .. }
            if error.trouble == Trouble::NoSpace
    );
    if !of_room {
        return error;
    }
    let free = room(path).map_or(boot.free, |room| room.free);
    let boot = Boot { free, ..boot };
    if boot.suffices() { error } else { OpenError::NoRoom { path: path.to_owned(), boot } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::store::EngineError;

    #[test]
    fn figures_are_said_only_where_they_are_the_reason() {
        let folder = tempfile::tempdir().unwrap();
        let failed = |trouble| OpenError::Store {
            path: folder.path().to_owned(),
            source: EngineError { doing: "open", trouble, cause: "the disk's words".to_owned() }
                .into(),
        };
        let needing = |needed| Boot { log_bytes: 0, needed, free: u64::MAX, gave_reserve: false };
        let said =
            |trouble, needed| explain(failed(trouble), folder.path(), needing(needed)).to_string();
        assert!(said(Trouble::NoSpace, 1).contains("the disk's words"));
        assert!(said(Trouble::NoSpace, u64::MAX).contains("and a start needs"));
        assert!(said(Trouble::Io, u64::MAX).contains("the disk's words"));
    }
}
