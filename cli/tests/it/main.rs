//! The real binary, tested from outside: one module a promise.

#![allow(clippy::unwrap_used, reason = "tests may")]

mod account;
mod accounts;
mod actions;
mod bad_frames;
mod bad_http;
mod bad_requests;
mod browsers;
mod churn;
mod clocks;
#[path = "../common/mod.rs"]
mod common;
mod contract;
mod credentials;
mod damaged;
mod delivery;
mod descriptors;
mod devices;
mod disk;
mod doctor;
mod drain;
mod drills;
mod erased;
mod gone;
mod groups;
mod hanging;
mod history;
mod honest;
mod invites;
mod keeping;
mod own;
mod people;
mod presence;
mod proxied;
mod python;
mod rates;
mod receipts;
mod reconnect;
mod recovery;
mod returning;
mod rotten;
mod settings;
mod shares;
mod slow;
mod space;
mod stalled;
mod startup;
mod strangers;
mod typing;
mod web;
mod webtransport;
