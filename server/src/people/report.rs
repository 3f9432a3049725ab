//! Reports to the operators: kept durably, counted, read with `parley reports`.

use parley_protocol::{Code, UserId, wire};

use super::{People, PeopleError};
use crate::base::clock::wall_ms;
use crate::base::metrics::list as metric;
use crate::base::random;
use crate::storage::store::ReportRow;
use crate::storage::store::tables::reports;

impl People {
    /// Keeps a report, whose form was checked; that the reporter sees the
    /// conversation it names is the caller's to check.
    ///
    /// Cancel safe: once begun it runs to its end.
    ///
    /// # Errors
    /// `not_found` when the user never had an account, `overloaded`,
    /// `storage_failed`, `internal`.
    pub async fn report(&self, reporter: UserId, report: wire::Report) -> Result<(), PeopleError> {
        let user = UserId::from_slice(&report.user).map_err(|_| Code::BadRequest)?;
        self.profile(reporter, user).await?;
        let row = ReportRow {
            reporter: reporter.to_wire(),
            user: report.user,
            conversation: report.conversation,
            seqs: report.seqs,
            reason: report.reason,
        };
        let home = self.inner.shards.of_user(reporter);
        let write = reports::put(home, wall_ms(), random::id(), &row);
        let this = self.clone();
        Self::finish(async move { Ok(this.inner.commit.commit(home, vec![write]).await?) }).await?;
        metrics::counter!(metric::REPORTS).increment(1);
        Ok(())
    }
}
