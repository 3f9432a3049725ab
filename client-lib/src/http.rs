//! The HTTP API: accounts, devices, discovery. Placeholder until the transports are in place.
