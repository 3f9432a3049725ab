//! From options to a running driver.

use std::collections::HashMap;
use std::sync::Arc;

use parley_protocol::limits;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::Instant;

use super::shared::{Inner, Shared};
use super::sign_in::SignIn;
use super::{Auth, COMMANDS, Driver, Following, Options};
use crate::events::Broadcast;
use crate::http::HttpApi;
use crate::machine::{Config, Error, ErrorKind, Machine, SendStatus, State};
use crate::store::{Opened, Store};
use crate::transport::dial::Dialer;
use crate::transport::endpoint::Endpoint;

pub(crate) async fn start(options: Options) -> Result<Shared, Error> {
    check(&options)?;
    let endpoint = Endpoint::parse(&options.url)?;
    let http = HttpApi::new(&options.url, options.trust.clone())?;
    let (store, opened) = Store::open(options.store.clone(), options.cache_entries).await?;
    check_account(&options, &opened)?;
    let Opened { saved, token: stored } = opened;
    let token = match &options.auth {
        Auth::Token(token) => Some(token.clone()),
        _ => stored,
    };
    if token.is_none() && matches!(options.auth, Auth::Stored) {
        return Err(Error::new(
            ErrorKind::InvalidArgument,
            "nothing to sign in with: give credentials, a token, a callback or a signed-in store",
        ));
    }

    let millis =
        |duration: std::time::Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let config = Config {
        backoff: options.backoff,
        request_timeout_ms: millis(options.request_timeout).max(1),
        catch_up: options.catch_up,
        can_sign_in: matches!(options.auth, Auth::Credentials { .. } | Auth::Callback(_)),
        has_token: token.is_some(),
        client_name: options.client_name.clone(),
        keeps: store.keeps(),
    };
    let (items, kib) = options.outbox_limit;
    let outbox_items = Arc::new(Semaphore::new(items.max(1) as usize));
    let outbox_kib = Arc::new(Semaphore::new(kib.max(1) as usize));
    let mut sends = HashMap::new();
    for item in &saved.outbox {
        // A store from a run with larger bounds is taken as it is.
        let kib = u32::try_from(item.body.len().div_ceil(1024)).unwrap_or(u32::MAX).max(1);
        let item_permit = Arc::clone(&outbox_items).try_acquire_owned();
        let kib_permit = Arc::clone(&outbox_kib).try_acquire_many_owned(kib);
        let permits = item_permit.ok().zip(kib_permit.ok()).map(<[_; 2]>::from);
        let (status, _) = watch::channel(SendStatus::Queued);
        sends.insert(item.local_id, Following { status, permits });
    }
    let mut machine = Machine::new(config, saved);
    if let Some(token) = &token {
        machine.handle_token(token.clone());
    }

    let events = Broadcast::new(options.event_limit.0, options.event_limit.1);
    let (to_driver, commands) = mpsc::channel(COMMANDS);
    let (state, state_watch) = watch::channel(State::Idle);
    let had = token.clone();
    let (token_sender, token_watch) = watch::channel(token);
    let sign_up = matches!(options.auth, Auth::Credentials { sign_up: true, .. });
    let driver = Driver {
        machine,
        store,
        dialer: Dialer::new(endpoint, options.trust.clone(), events.clone()),
        sign_in: SignIn {
            auth: options.auth,
            http: http.clone(),
            device_name: options.device_name,
            platform: options.platform,
            sign_up,
            sign_up_unknown: false,
            had,
        },
        commands,
        state,
        token: token_sender,
        events: events.clone(),
        started: Instant::now(),
        connection: None,
        blocked: false,
        attempt: None,
        sends,
        calls: HashMap::new(),
        next_call: 1,
        drains: Vec::new(),
        queued: Vec::new(),
        saves: Vec::new(),
        save_at: None,
        closed: false,
        parting: None,
    };
    tokio::spawn(driver.run());
    Ok(Shared(Arc::new(Inner {
        commands: to_driver,
        state: state_watch,
        token: token_watch,
        events,
        outbox_items,
        outbox_kib,
        outbox_max_kib: kib.max(1),
        request_timeout: options.request_timeout,
        http,
        store: options.store,
    })))
}

fn check(options: &Options) -> Result<(), Error> {
    let bad = |text: &str| Err(Error::new(ErrorKind::InvalidArgument, text));
    let name = options.device_name.chars().count();
    if name == 0 || name > limits::DEVICE_NAME_CHARS {
        return bad("a device name has 1 to 64 characters");
    }
    let (client, version) = &options.client_name;
    if client.len() > limits::CLIENT_NAME_BYTES || version.len() > limits::CLIENT_NAME_BYTES {
        return bad("the client's name and version have at most 64 bytes each");
    }
    if options.backoff.base > options.backoff.max {
        return bad("the backoff's base is above its maximum");
    }
    Ok(())
}

/// A store of somebody else must not be mixed with this account.
fn check_account(options: &Options, opened: &Opened) -> Result<(), Error> {
    match (&options.auth, &opened.saved.account) {
        (Auth::Credentials { name, .. }, Some(account)) if *account.user.name != **name => {
            Err(Error::new(ErrorKind::Store, "the store belongs to another user"))
        }
        _ => Ok(()),
    }
}
