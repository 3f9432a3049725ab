//! The machine against a naive server, with seeded faults.
