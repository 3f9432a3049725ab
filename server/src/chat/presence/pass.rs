//! One pass of the thread: look at signs, write down who was seen when, tell.
//!
//! The table is locked for the looking and for each telling, never while the
//! disk or privacy is asked.

use super::Inner;
use super::table::{Allowed, Ask};
use crate::base::clock;
use crate::base::clock::Moment;
use crate::storage::store::tables::presence::{PresenceRow, put};
use crate::storage::store::{StoreError, Write};
use parley_protocol::UserId;

/// Rows written in one batch.
const BATCH: usize = 1000;

impl Inner {
    /// Looks at everybody, or at those whose signs changed, and tells who watches.
    pub(super) fn pass(&self, now: Moment, all: bool) {
        let begun = clock::now();
        let (updates, online) = {
            let mut table = self.table.lock();
            (table.update(now, all), table.online())
        };
        self.figures.online.set(online as f64);
        let written = self.save(&updates.rows);
        if let Err(error) = &written {
            tracing::error!(%error, "when users were last online could not be written; tried again with the next sweep");
        }
        self.table.lock().saved(&updates, written.is_ok());
        self.tell(now);
        if all {
            self.figures.pass_seconds.record(begun.elapsed().as_secs_f64());
        }
    }

    /// Writes down when everybody was last online; the last thing the thread does.
    pub(super) fn save_all(&self, now: Moment) {
        let rows = self.table.lock().last_seen(now);
        if let Err(error) = self.save(&rows) {
            tracing::error!(%error, "when users were last online could not be written");
        }
    }

    fn save(&self, rows: &[(UserId, u64)]) -> Result<(), StoreError> {
        if !self.parts.store.space().takes_writes() {
            // Written at the next change, once there is room.
            return Ok(());
        }
        let count = self.parts.count;
        let row = |(user, last_seen_ms): &(UserId, u64)| {
            put(count.of_user(*user), *user, &PresenceRow { last_seen_ms: *last_seen_ms })
        };
        for chunk in rows.chunks(BATCH) {
            let batch: Vec<Write> = chunk.iter().map(row).collect();
            self.parts.store.write_unsynced(&batch)?;
        }
        if rows.is_empty() { Ok(()) } else { self.parts.store.flush() }
    }

    fn tell(&self, now: Moment) {
        if (self.parts.busy)() {
            // It stays pending: the next sweep tells what is true then.
            self.figures.shed.increment(self.table.lock().pending() as u64);
            return;
        }
        let pending = self.table.lock().take_pending();
        for target in pending {
            let ask = self.table.lock().ask(target);
            if ask.viewers.is_empty() {
                continue;
            }
            let allowed = self.allowed(target, &ask);
            let told = self.table.lock().tell(target, &allowed, now);
            self.figures.pushes.increment(told.pushed);
            self.figures.shed.increment(told.shed);
        }
    }

    fn allowed(&self, target: UserId, ask: &Ask) -> Allowed {
        let sees = |viewer: &UserId| (*viewer, self.sees(*viewer, target));
        let profile = |viewer: &UserId| (*viewer, self.parts.privacy.profile(*viewer, target));
        Allowed {
            sees: ask.viewers.iter().map(sees).collect(),
            profiles: ask.profiles.iter().map(profile).collect(),
        }
    }

    /// Whether `viewer` may see if `target` is there. Everybody sees themselves.
    pub(super) fn sees(&self, viewer: UserId, target: UserId) -> bool {
        viewer == target || self.parts.privacy.sees_presence(viewer, target)
    }
}
