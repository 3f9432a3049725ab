//! From the first byte to `Welcome`.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use parley_core::session::{Action, Session, ValidatedHello};
use parley_protocol::wire::{Changes, Feature, ServerEnvelope};
use parley_protocol::{Code, UserId, limits};

use super::{Attached, End, Host, Opened};
use crate::accounts::{AccountError, Credential};
use crate::base::clock::wall_ms;
use crate::chat::link::Link;
use crate::edge::listen::{FrameReader, FrameWriter, Peer};

impl Host {
    /// Reads `Hello`, authenticates, and writes `Welcome`. Returns `None` when the
    /// client went away first.
    pub(super) async fn open<R: FrameReader, W: FrameWriter>(
        &self,
        session: &mut Session,
        reader: &mut R,
        writer: &mut W,
        peer: Peer,
    ) -> Result<Option<Opened>, End> {
        let deadline = self.inner.clock.instant(session.deadline_ms());
        let hello = tokio::time::timeout_at(deadline.into(), self.hello(session, reader));
        let Some(hello) = hello.await.map_err(|_| End::Close(Code::HandshakeTimeout))?? else {
            return Ok(None);
        };
        if self.inner.draining.is_cancelled() {
            return Err(End::Close(Code::Draining));
        }
        let opened = self.authenticate(session, &hello, peer).await.map_err(End::Close)?;
        let welcome = self.welcome(session, &opened, hello.feed_position).await;
        writer.put(&welcome.map_err(End::Close)?);
        Ok(Some(opened))
    }

    async fn hello<R: FrameReader>(
        &self,
        session: &mut Session,
        reader: &mut R,
    ) -> Result<Option<ValidatedHello>, End> {
        let envelope = match reader.next().await {
            Ok(Some(envelope)) => envelope,
            Ok(None) => return Ok(None),
            Err(error) => return Err(error.code().map_or(End::Gone, End::Close)),
        };
        match session.handle_envelope(envelope, self.now_ms()) {
            Action::Authenticate(hello) => Ok(Some(hello)),
            Action::Close(code) => Err(End::Close(code)),
            // The first frame leads to nothing else.
            Action::Reply(_)
            | Action::Ping(_)
            | Action::MoveCursor(..)
            | Action::Subscribe(..)
            | Action::Request(_)
            | Action::Nothing
            | Action::End => Err(End::Close(Code::HelloExpected)),
        }
    }

    /// Looks the token up, or whose ticket it was, and joins the user's home.
    async fn authenticate(
        &self,
        session: &Session,
        hello: &ValidatedHello,
        peer: Peer,
    ) -> Result<Opened, Code> {
        let Peer { address, proof, .. } = peer;
        let credential = match (hello.token, proof) {
            (Some(token), None) => Credential::of_token(&token).ok_or(Code::TokenInvalid)?,
            (None, Some(proof)) => Credential::from_bytes(proof.0),
            (None, None) => return Err(Code::TokenInvalid),
            // Two words on who it is; neither is to be preferred.
            (Some(_), Some(_)) => return Err(Code::BadRequest),
        };
        let code = |error: AccountError| error.code();
        let identity = self.inner.accounts.identify(&credential).await.map_err(code)?;
        let receipts = hello.features.contains(&(Feature::Receipts as i32));
        let cap = self.inner.options.outbound_bytes;
        let opener = credential.opener(address.ip());
        let link = Link::new(session.id(), identity.user, identity.device, receipts, cap);
        let link = link.opened_by(opener).drawing_on(Arc::clone(&self.inner.memory));
        let link = Arc::new(link);
        let attached = Attached::new(self, &link)?;
        // The token may have been revoked before the session could be cut.
        self.inner.accounts.identify(&credential).await.map_err(code)?;
        self.inner.accounts.note_active(identity.user, identity.device, &credential);
        let noted_ms = AtomicU64::new(self.now_ms());
        Ok(Opened { identity, link, attached, from: address.ip(), noted_ms })
    }

    /// `Welcome` with what changed. The link is attached: what is committed
    /// from here on waits in its queue until `Welcome` is written.
    async fn welcome(
        &self,
        session: &mut Session,
        opened: &Opened,
        since: u64,
    ) -> Result<ServerEnvelope, Code> {
        let user = opened.identity.user;
        let changes = self.changes(user, since).await?;
        let person = self.inner.people.person(user).await.map_err(|error| error.code())?;
        let welcome = session.handle_authenticated(
            &opened.identity,
            changes,
            person.revision(),
            wall_ms(),
            self.now_ms(),
        );
        welcome.ok_or(Code::HandshakeTimeout)
    }

    /// A page of the feed.
    pub(super) async fn changes(&self, user: UserId, since: u64) -> Result<Changes, Code> {
        let person = self.inner.people.person(user).await.map_err(|error| error.code())?;
        let homes = Arc::clone(&self.inner.homes);
        let most = limits::CHANGES_ENTRIES;
        self.read(user, move || homes.changes(user, since, most, Some(&person))).await
    }
}
