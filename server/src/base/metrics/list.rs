//! Every metric by name, with its unit and help text.
//!
//! One line here is one metric; whatever records it uses the constant or the
//! function below, never a literal. Labels are small closed sets: never a user,
//! a conversation or an address. The table is given to the recorder when it is
//! installed, so `/metrics` explains itself.

use metrics::{Counter, Gauge, Histogram, Unit};

/// What a metric counts up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes both ways.
    Gauge,
    /// A distribution in buckets.
    Histogram,
}

/// One metric.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Its name, beginning with `parley_`.
    pub name: &'static str,
    /// What it counts up to.
    pub kind: Kind,
    /// Its unit.
    pub unit: Unit,
    /// What it means, for the operator.
    pub help: &'static str,
}

macro_rules! metrics {
    ($($kind:ident $constant:ident $name:literal $unit:ident $help:literal;)*) => {
        $(#[doc = $help] pub const $constant: &str = $name;)*

        /// Every metric, in the order of this file.
        pub const ALL: &[Metric] = &[
            $(Metric { name: $name, kind: Kind::$kind, unit: Unit::$unit, help: $help },)*
        ];
    };
}

metrics! {
    // Connections.
    Gauge CONNECTIONS "parley_connections" Count "Open connections by transport and state.";
    Counter CONNECTIONS_REFUSED "parley_connections_refused_total" Count "Connections refused at a cap, by transport and cap.";
    Gauge CONNECTIONS_LIMIT "parley_connections_limit" Count "Connections the node takes: `connections.total`, or fewer where it may have too few open files.";
    Counter HANDSHAKES_FAILED "parley_handshakes_failed_total" Count "TLS and QUIC handshakes that failed or took too long, by transport.";
    Counter CONNECTIONS_CUT "parley_connections_cut_total" Count "HTTP and WebSocket connections cut, by reason: handshake_timeout, control_flood, slow_reader.";
    Counter ACCEPT_ERRORS "parley_accept_errors_total" Count "Errors of accept, such as too many open files.";

    Gauge CERTIFICATE_LEFT_SECONDS "parley_certificate_left_seconds" Seconds "Seconds until the certificate ends; below zero after it.";

    // Messages.
    Gauge SESSIONS "parley_sessions" Count "Open sessions.";
    Counter SESSION_ENDS "parley_session_ends_total" Count "Sessions that ended, by reason: an error name, goodbye, or gone.";
    Counter MESSAGES_COMMITTED "parley_messages_committed_total" Count "Entries committed.";
    Counter DELIVERIES "parley_deliveries_total" Count "Entries queued for a session.";
    Counter ENTRIES_ERASED "parley_entries_erased_total" Count "Entries whose bodies were taken out of the store because they are too old or were erased by a group's owner.";
    Gauge ERASING_BEHIND "parley_erasing_behind_seconds" Seconds "How far the time by which old entries are erased is behind the wall clock, which may be wrong.";
    Counter RECEIPTS_NOTED "parley_receipts_noted_total" Count "Receipts of groups before they are gathered, one a reader and cursor move.";
    Counter RECEIPTS_TOLD "parley_receipts_told_total" Count "Receipts of groups after they are gathered.";
    Gauge USERS_ONLINE "parley_users_online" Count "Users who are online.";
    Gauge PRESENCE_SUBSCRIPTIONS "parley_presence_subscriptions" Count "Users watched, summed over all sessions.";
    Counter PRESENCE_PUSHES "parley_presence_pushes_total" Count "News of presence and profiles queued for a session.";
    Histogram PRESENCE_PASS_SECONDS "parley_presence_pass_seconds" Seconds "Time of one look at everybody's signs of life, once a second.";
    Counter TYPING "parley_typing_total" Count "Words of who writes queued for a session.";
    Counter SHED "parley_shed_total" Count "Notices dropped or put off in favour of messages, by kind: receipt, presence, typing.";
    Gauge FEED_DIRTY "parley_feed_dirty" Count "Feed changes not yet written.";
    Gauge CONVERSATIONS_LOADED "parley_conversations_loaded" Count "Conversations in memory.";
    Gauge STORE_ROWS "parley_store_rows" Count "Rows of the store by column family, estimated.";
    Gauge STORE_DISK_BYTES "parley_store_disk_bytes" Bytes "Bytes of the store's files by column family.";
    Gauge STORE_MEMORY_BYTES "parley_store_memory_bytes" Bytes "Bytes not yet in files by column family, and of the block cache.";
    Gauge STORE_COMPACTION_BYTES "parley_store_compaction_bytes" Bytes "Bytes that wait for compaction, by column family.";
    Gauge STORE_WRITES_STOPPED "parley_store_writes_stopped" Count "1 while writes wait for compaction to catch up.";
    Counter STORE_COMPACTIONS_FAILED "parley_store_compactions_failed_total" Count "Compactions that failed, since a file can't be read or written; the column family then rests from them for minutes, later for hours.";
    Counter STORE_DAMAGED_ROWS "parley_store_damaged_rows_total" Count "Reads that met a row which can't be read any more.";
    Gauge SESSION_QUEUE_BYTES "parley_session_queue_bytes" Bytes "Bytes that wait in all session queues.";
    Gauge SESSION_MEMORY_BYTES "parley_session_memory_bytes" Bytes "Bytes of `sessions.memory_bytes` in use.";

    // Accounts.
    Counter SIGN_UPS "parley_sign_ups_total" Count "Sign-ups by outcome.";
    Counter LOGINS "parley_logins_total" Count "Logins by outcome.";
    Histogram PASSWORD_HASH_SECONDS "parley_password_hash_seconds" Seconds "Time of one password hash on its worker.";
    Gauge PASSWORD_HASH_WAITING "parley_password_hash_waiting" Count "Requests that wait for a password hash.";
    Counter RATE_LIMITED "parley_rate_limited_total" Count "Requests refused by a rate limit, by limit.";
    Counter RATE_LIMITS_FULL "parley_rate_limits_full_total" Count "Requests let through because a rate limit had no room to count them, by limit.";
    Counter REPORTS "parley_reports_total" Count "Reports of users to the operators.";
    Counter PEOPLE_CHANGES "parley_people_changes_total" Count "Changes of profiles, settings, contacts and blocks.";
    Counter ACCOUNTS_DELETED "parley_accounts_deleted_total" Count "Accounts deleted by their owners.";

    // HTTP.
    Counter HTTP_REQUESTS "parley_http_requests_total" Count "HTTP requests by route and status.";

    // The log; recorded in log/counts.rs.
    Counter LOG_BATCHES "parley_log_batches_total" Count "Commits: batches written.";
    Counter LOG_APPENDS "parley_log_appends_total" Count "Appends committed.";
    Counter LOG_RECORDS "parley_log_records_total" Count "Entries written.";
    Counter LOG_WRITTEN "parley_log_bytes_total" Bytes "Bytes of keys and values written.";
    Counter LOG_SYNCS "parley_log_syncs_total" Count "Syncs of the write-ahead log.";
    Histogram LOG_SYNC_SECONDS "parley_log_sync_seconds" Seconds "Time of one sync.";
    Gauge LOG_COMMIT_SECONDS "parley_log_commit_seconds" Seconds "How long the commit at work has taken so far; it grows while the disk hangs.";
    Histogram LOG_BATCH_APPENDS "parley_log_batch_appends" Count "Appends in one commit.";

    // Room on the disk.
    Gauge DISK_FREE_BYTES "parley_disk_free_bytes" Bytes "Bytes the file system of the data folder still gives.";
    Gauge STORAGE_LEVEL "parley_storage_level" Count "How full it is: 0 plenty, 1 low, 2 scarce, 3 full or opened to read only.";
    Counter STORAGE_REFUSED "parley_storage_refused_total" Count "Writes refused with `storage_low`, by what they were for: growth, upkeep, relief.";

    // Process.
    Gauge RESIDENT_BYTES "parley_resident_bytes" Bytes "Resident memory of the process.";
    Gauge OPEN_FILES "parley_open_files" Count "Open file descriptors of the process.";
    Gauge OPEN_FILES_LIMIT "parley_open_files_limit" Count "Open file descriptors the process may have; missing without a limit.";
    Gauge ALLOCATOR_ALLOCATED_BYTES "parley_allocator_allocated_bytes" Bytes "Bytes the program holds, as jemalloc counts them.";
    Gauge ALLOCATOR_ACTIVE_BYTES "parley_allocator_active_bytes" Bytes "Bytes in pages with allocations, as jemalloc counts them.";
    Gauge ALLOCATOR_RESIDENT_BYTES "parley_allocator_resident_bytes" Bytes "Bytes jemalloc keeps resident.";
    Gauge ALLOCATOR_RETAINED_BYTES "parley_allocator_retained_bytes" Bytes "Address space jemalloc keeps for later.";
    Gauge UPTIME_SECONDS "parley_uptime_seconds" Seconds "Seconds since the node started.";
    Gauge READY "parley_ready" Count "1 while the node takes clients, 0 while it starts or drains or its disk does not answer.";
}

/// The gauge of open connections.
pub fn connections(transport: &'static str, state: &'static str) -> Gauge {
    metrics::gauge!(CONNECTIONS, "transport" => transport, "state" => state)
}

/// The counter of connections refused at a cap.
pub fn connections_refused(transport: &'static str, cap: &'static str) -> Counter {
    metrics::counter!(CONNECTIONS_REFUSED, "transport" => transport, "cap" => cap)
}

/// The counter of connections that were cut.
pub fn connections_cut(reason: &'static str) -> Counter {
    metrics::counter!(CONNECTIONS_CUT, "reason" => reason)
}

/// The counter of handshakes that failed.
pub fn handshakes_failed(transport: &'static str) -> Counter {
    metrics::counter!(HANDSHAKES_FAILED, "transport" => transport)
}

/// The gauge of open sessions.
pub fn sessions() -> Gauge {
    metrics::gauge!(SESSIONS)
}

/// The counter of sessions that ended for a reason.
pub fn session_ends(reason: &'static str) -> Counter {
    metrics::counter!(SESSION_ENDS, "reason" => reason)
}

/// The counter of committed entries.
pub fn messages_committed() -> Counter {
    metrics::counter!(MESSAGES_COMMITTED)
}

/// The counter of queued deliveries.
pub fn deliveries() -> Counter {
    metrics::counter!(DELIVERIES)
}

/// The counter of receipts of groups before they are gathered.
pub fn receipts_noted() -> Counter {
    metrics::counter!(RECEIPTS_NOTED)
}

/// The counter of receipts of groups after they are gathered.
pub fn receipts_told() -> Counter {
    metrics::counter!(RECEIPTS_TOLD)
}

/// The gauge of users who are online.
pub fn users_online() -> Gauge {
    metrics::gauge!(USERS_ONLINE)
}

/// The gauge of subscriptions to presence.
pub fn presence_subscriptions() -> Gauge {
    metrics::gauge!(PRESENCE_SUBSCRIPTIONS)
}

/// The counter of queued news of presence.
pub fn presence_pushes() -> Counter {
    metrics::counter!(PRESENCE_PUSHES)
}

/// The time of a sweep of presence.
pub fn presence_pass_seconds() -> Histogram {
    metrics::histogram!(PRESENCE_PASS_SECONDS)
}

/// The counter of queued words of who writes.
pub fn typing() -> Counter {
    metrics::counter!(TYPING)
}

/// The counter of entries erased in the background.
pub fn entries_erased() -> Counter {
    metrics::counter!(ENTRIES_ERASED)
}

/// The counter of compactions that failed.
pub fn compactions_failed() -> Counter {
    metrics::counter!(STORE_COMPACTIONS_FAILED)
}

/// The counter of damaged rows that were met.
pub fn damaged_rows() -> Counter {
    metrics::counter!(STORE_DAMAGED_ROWS)
}

/// The gauge of how far the time of erasing is behind the wall clock.
pub fn erasing_behind() -> Gauge {
    metrics::gauge!(ERASING_BEHIND)
}

/// The counter of notices dropped or put off.
pub fn shed(kind: &'static str) -> Counter {
    metrics::counter!(SHED, "kind" => kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_unique_prefixed_and_say_their_unit() {
        let names: HashSet<_> = ALL.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), ALL.len());
        for metric in ALL {
            assert!(metric.name.starts_with("parley_"), "{}", metric.name);
            assert!(metric.help.ends_with('.'), "{}", metric.name);
            assert_eq!(
                metric.kind == Kind::Counter,
                metric.name.ends_with("_total"),
                "{}",
                metric.name
            );
            assert_eq!(
                metric.unit == Unit::Bytes,
                metric.name.contains("_bytes"),
                "{}",
                metric.name
            );
            assert_eq!(
                metric.unit == Unit::Seconds,
                metric.name.contains("_seconds"),
                "{}",
                metric.name
            );
        }
    }
}
