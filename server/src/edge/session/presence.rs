//! Who is online and who types: asking, subscribing, and what presence has to
//! follow.

use std::sync::Arc;

use parley_core::conversation::Act;
use parley_core::session::{RequestNumber, Subscription, Typing, reply};
use parley_core::user::{Audience, Settings};
use parley_protocol::UserId;
use parley_protocol::wire::server_envelope::Kind;

use super::Host;
use super::refusal::Refusal;
use crate::chat::link::{Item, Link};
use crate::chat::presence;
use crate::people::Updated;

impl Host {
    /// Subscribes a session. The answer is put into its link, ahead of the news it
    /// is about.
    pub(super) async fn subscribe(
        self,
        link: Arc<Link>,
        request: RequestNumber,
        wanted: Subscription,
    ) -> Result<Option<Item>, Refusal> {
        let presence = self.inner.presence.clone();
        let (user, Subscription { users, drop }) = (link.user, wanted);
        let done = self.read(user, move || Ok(presence.subscribe(&link, request, &users, &drop)));
        done.await?.map_err(|refusal| refused(&refusal))?;
        Ok(None)
    }

    /// Answers how people are now, by way of the link, which need not be
    /// attached.
    pub(super) async fn presence_of(
        &self,
        link: &Arc<Link>,
        request: RequestNumber,
        users: Vec<UserId>,
    ) -> Result<(), Refusal> {
        let (presence, link) = (self.inner.presence.clone(), Arc::clone(link));
        let user = link.user;
        let done = self.read(user, move || Ok(presence.query(&link, request, &users)));
        done.await?.map_err(|refusal| refused(&refusal))
    }

    /// Tells others that the user types. Returns the answer, if one was asked for.
    pub(super) fn typing(
        &self,
        user: UserId,
        request: Option<RequestNumber>,
        typing: Typing,
    ) -> impl Future<Output = Result<Option<Item>, Refusal>> + Send + use<> {
        let host = self.clone();
        async move {
            let Typing { conversation, stopped } = typing;
            let typed = host.inner.typing.handle(user, conversation, stopped).await?;
            Ok(request.map(|request| Item::Answer(reply(request, Kind::Typed(typed)))))
        }
    }

    /// Lets presence follow a change of an account.
    pub(super) fn account_changed(&self, user: UserId, updated: &Updated) {
        let presence = &self.inner.presence;
        if updated.standing {
            presence.privacy_changed(user);
        }
        if let Some(other) = updated.other {
            presence.privacy_changed(other);
        }
        if updated.profile {
            presence.profile_changed(user);
        }
    }

    /// Lets presence follow a message: who answers a stranger accepts them, and
    /// is seen by them from then on.
    pub(super) fn wrote(&self, user: UserId, act: &Act) {
        let asks = |settings: Settings| settings.messages != Audience::Everyone;
        let person = self.inner.people.cached(user);
        if act.is_countable() && person.is_some_and(|person| asks(person.privacy.settings)) {
            self.inner.presence.privacy_will_change(user);
        }
    }
}

fn refused(refusal: &presence::Refusal) -> Refusal {
    if let presence::Refusal::Store(error) = refusal {
        tracing::error!(%error, "presence could not be read");
    }
    refusal.code().into()
}
