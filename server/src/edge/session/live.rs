//! What lives for a moment: who is there, and who writes.

use std::sync::Arc;

use futures_util::FutureExt as _;
use parley_core::conversation::Act;
use parley_core::session::{Identity, Query, reply};
use parley_protocol::UserId;
use parley_protocol::wire::server_envelope::Kind;

use super::refusal::Refusal;
use super::{Asked, Host};
use crate::chat::link::{Item, Link};
use crate::people::{Audience, Updated};

impl Host {
    /// Begins to answer a question. The answer is for the link, which need not
    /// be attached; nothing, when none was asked for or it is there already.
    pub(super) fn ask(
        &self,
        identity: &Identity,
        link: &Arc<Link>,
        request: u64,
        query: Query,
    ) -> Asked {
        let (host, identity, link) = (self.clone(), identity.clone(), Arc::clone(link));
        let answer = async move {
            let answered = match query {
                Query::Subscribe { users, drop, once } => {
                    host.subscribe(&link, request, users, drop, once).await.map(|()| None)
                }
                Query::Typing { conversation, stopped } => {
                    let typed = host.inner.typing.handle(identity.user, conversation, stopped);
                    let item = |typed| Item::Answer(reply(request, Kind::Typed(typed)));
                    typed.await.map(|typed| Some(item(typed))).map_err(Refusal::from)
                }
                query => host.answer(&identity, link.id, request, query).await.map(Some),
            };
            let item =
                answered.unwrap_or_else(|refusal| Some(Item::Answer(refusal.answer(request))));
            item.filter(|_| request != 0)
        };
        answer.boxed()
    }

    async fn subscribe(
        &self,
        link: &Arc<Link>,
        request: u64,
        users: Vec<UserId>,
        drop: Vec<UserId>,
        once: bool,
    ) -> Result<(), Refusal> {
        let (presence, link) = (self.inner.presence.clone(), Arc::clone(link));
        let done = self.read(move || {
            Ok(if once {
                presence.query(&link, request, &users)
            } else {
                presence.subscribe(&link, request, &users, &drop)
            })
        });
        done.await?.map_err(|refusal| {
            if let crate::chat::presence::Refusal::Store(error) = &refusal {
                tracing::error!(%error, "presence could not be read");
            }
            refusal.code().into()
        })
    }

    /// Lets presence follow a change of an account.
    pub(super) fn account_changed(&self, user: UserId, updated: &Updated) {
        let presence = &self.inner.presence;
        if updated.standing {
            presence.reconsider(user);
        }
        if let Some(other) = updated.other {
            presence.reconsider(other);
        }
        if updated.profile {
            presence.profile_changed(user);
        }
    }

    /// Lets presence follow a message: who answers a stranger takes them up,
    /// and is seen by them from then on.
    pub(super) fn wrote(&self, user: UserId, act: &Act) {
        let asks = |settings: crate::people::Settings| settings.messages != Audience::Everyone;
        let person = self.inner.people.cached(user);
        if act.is_countable() && person.is_some_and(|person| asks(person.settings)) {
            self.inner.presence.reconsider_soon(user);
        }
    }
}
