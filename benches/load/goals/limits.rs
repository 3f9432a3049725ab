//! Which limits are wide where the users of a load come from one machine.
//!
//! For the goals' servers and, by its path, for those of the scenarios' tests.

/// Every limit is on; those that honest people of one machine would meet are out of reach:
/// all users come from one address, and some write as fast as they can.
pub(crate) const LIMITS: [(&str, &str); 19] = [
    ("PARLEY_RATES__LIMIT_LOOPBACK", "true"),
    ("PARLEY_CONNECTIONS__LIMIT_LOOPBACK", "true"),
    ("PARLEY_CONNECTIONS__PER_ADDRESS", "20000"),
    ("PARLEY_RATES__SIGN_UPS_BURST", "1000000"),
    ("PARLEY_RATES__LOGINS_PER_MINUTE", "1000000"),
    ("PARLEY_RATES__SENDS_BURST", "1000000"),
    ("PARLEY_RATES__SENDS_PER_HOUR", "1000000000"),
    ("PARLEY_RATES__ENTRIES_BURST", "1000000"),
    ("PARLEY_RATES__ENTRIES_PER_HOUR", "1000000000"),
    ("PARLEY_RATES__STRANGERS_BURST", "1000000"),
    ("PARLEY_RATES__FIRST_MESSAGES_BURST", "1000000"),
    ("PARLEY_RATES__STRANGER_GROUPS_BURST", "1000000"),
    ("PARLEY_RATES__WORK_BURST", "1000000000"),
    ("PARLEY_RATES__INBOUND_BYTES_PER_SECOND", "1000000000"),
    ("PARLEY_RATES__STORED_BURST_BYTES", "4294967295"),
    ("PARLEY_RATES__STORED_BYTES_PER_SECOND", "1000000000"),
    ("PARLEY_RATES__GROUPS_BURST", "1000000"),
    ("PARLEY_RATES__ADDS_BURST", "1000000"),
    ("PARLEY_RATES__TYPING_BURST", "1000000"),
];
