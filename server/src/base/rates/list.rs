//! Every rate limit, in one line: its name (also its label in the metrics), of
//! what it keeps buckets, the keys of the configuration that size a bucket
//! with their defaults, what becomes of a key without a bucket of its own, and
//! what is counted.
//!
//! [`limits!`] hands the lines to a macro: `rates` makes options and buckets of
//! them, the configuration its keys. A limit that takes one for each request of
//! a user has its variant of [`super::PerUser`] in its line as well. Which
//! request it is charged for is said where requests are known (`edge/session`).

macro_rules! limits {
    ($make:ident) => {
        $make! {
            [SignInOptions SignInLimits]
            sign_ups: AddressLimit [burst sign_ups_burst = 6, per_hour sign_ups_per_hour = 120] Shared "Sign-ups from one IPv4 address or IPv6 /64, four times as many from a /56 and sixteen times from a /48";
            logins: AddressLimit [per_minute logins_per_minute = 60] Shared "Logins from one IPv4 address or IPv6 /64, four times as many from a /56 and sixteen times from a /48";
            failures: Failures [per_minute failures_per_name_per_minute = 20] Shared "Failed logins to one name from one IPv4 address or IPv6 /64";
            unknown_devices: Failures [per_minute failures_of_strangers_per_minute = 60] Shared "Failed logins to one name by devices it does not know, from anywhere; beyond it each source has fewer";
            slowed: Failures [per_minute failures_slowed_per_minute = 2] Shared "Failed logins to one name from one source, once strangers have failed too often";
            known: Failures [per_minute logins_per_device_per_minute = 20] Shared "Logins of one device that shows an earlier token, right or wrong; wrong passwords of one token that is signed in";
            new_devices: Limit<UserId> [burst new_devices_burst = 6, per_hour new_devices_per_hour = 30] Shared "Devices that sign in to one account for the first time";
            loopback: Limit<&'static str> [per_minute loopback_per_minute = 60_000] Shared "Sign-ups, and logins, from loopback";

            [Options Limits]
            entries: Limit<UserId> [burst entries_burst = 1_000, per_hour entries_per_hour = 36_000] Shared "Entries of one user";
            sends: Limit<(UserId, ConversationId)> [burst sends_burst = 60, per_hour sends_per_hour = 3_600] Shared "Entries of one user to one conversation";
            strangers: Limit<UserId> [burst strangers_burst = 30, per_hour strangers_per_hour = 30] Shared "People who don't know one user that the user writes to for the first time or brings into groups";
            first_messages: Limit<UserId> [burst first_messages_burst = 60, per_hour first_messages_per_hour = 60] Shared "First messages to one user from people whom the user doesn't know";
            stranger_groups: Limit<UserId> [burst stranger_groups_burst = 20, per_hour stranger_groups_per_hour = 20] Shared "Groups into which people whom one user doesn't know bring the user";
            work: Spent<UserId> [burst work_burst = 200_000, per_hour work_per_hour = 18_000_000] Shared "Rows, and KiB, that queries of one user read";
            misses: Spent<UserId> [burst misses_burst = 200, per_hour misses_per_hour = 720] Shared "Answers to one user that there is no such thing";
            inbound_bytes: Limit<UserId> [burst_bytes inbound_burst_bytes = 128 * 1024 * 1024, bytes_per_second inbound_bytes_per_second = 2_000_000] Open "Bytes of frames of one user";
            stored: Limit<UserId> [burst_bytes stored_burst_bytes = 512 * 1024 * 1024, bytes_per_second stored_bytes_per_second = 6_214] Shared "Bytes that entries of one user take in the store";
            lookups: Limit<UserId> [burst lookups_burst = 100, per_hour lookups_per_hour = 4] Shared "Look-ups by name of one user";
            address_lookups: AddressLimit [burst address_lookups_burst = 1_000, per_hour address_lookups_per_hour = 240] Shared "Look-ups by name from one IPv4 address or IPv6 /64, four times as many from a /56 and sixteen times from a /48";
            id_lookups: Limit<UserId> = IdLookup [burst id_lookups_burst = 1_000, per_hour id_lookups_per_hour = 900] Shared "Look-ups by id of one user";
            profiles: Limit<UserId> = Profile [burst profiles_burst = 4_320, per_hour profiles_per_hour = 180] Shared "Profiles one user reads";
            groups: Limit<UserId> = Group [burst groups_burst = 20, per_hour groups_per_hour = 10] Shared "Groups one user makes";
            adds: Limit<UserId> [burst adds_burst = 1_000, per_hour adds_per_hour = 600] Shared "People one user brings into groups";
            invites: Limit<UserId> = Invite [burst invites_burst = 30, per_hour invites_per_hour = 60] Shared "Invite links one user makes, looks at or follows";
            reports: Limit<UserId> = Report [burst reports_burst = 20, per_hour reports_per_hour = 10] Shared "Reports of one user";
            typing: Limit<UserId> = Typing [burst typing_burst = 120, per_hour typing_per_hour = 3_600] Shared "Typing notices of one user";
            changes: Limit<UserId> = Change [burst changes_burst = 500, per_hour changes_per_hour = 3_600] Shared "Changes of one user's account, and of what they set for conversations";
            exports: Limit<UserId> = Export [burst exports_burst = 3, per_hour exports_per_hour = 1] Shared "Exports of one user's data";
        }
    };
}

pub(crate) use limits;
