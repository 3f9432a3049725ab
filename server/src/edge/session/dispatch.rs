//! From a request to the code that carries it out: the one place, for sessions
//! and for requests without one.

use std::net::IpAddr;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use parley_core::session::{Identity, Request, RequestNumber};
use parley_protocol::UserId;

use super::Host;
use super::refusal::Refusal;
use crate::chat::link::{Item, Link};

/// A request at work.
pub(super) enum Begun<'a> {
    /// A command on its way to its shard; nothing more is read before it is there.
    Command(BoxFuture<'a, ()>),
    /// A query, which runs beside the writing.
    Query(PendingAnswer),
}

/// A query at work; resolves to what is to be written for it, if anything.
pub(super) type PendingAnswer = BoxFuture<'static, Option<Item>>;

impl Host {
    /// Begins a request whose user has paid for it. Its answer goes to `link`,
    /// which need not be attached, or comes out of the query.
    pub(super) fn begin<'a>(
        &'a self,
        identity: &'a Identity,
        from: IpAddr,
        link: &'a Arc<Link>,
        request: Request,
    ) -> Begun<'a> {
        match request {
            Request::Submit(request, command) => {
                Begun::Command(self.submit(identity, from, link, request, command).boxed())
            }
            Request::Typing(request, typing) => {
                let answer = self.typing(identity.user, request, typing);
                Begun::Query(self.billed(identity.user, from, request, answer))
            }
            Request::Query(request, query) => {
                let (host, identity, link) = (self.clone(), identity.clone(), Arc::clone(link));
                let user = identity.user;
                let answer = async move { host.query(&identity, &link, request, query).await };
                Begun::Query(self.billed(user, from, Some(request), answer))
            }
        }
    }
}

impl Host {
    /// A query that is paid for once it is done, and whose failure is answered
    /// too, if any answer was asked for.
    pub(super) fn billed(
        &self,
        user: UserId,
        from: IpAddr,
        request: Option<RequestNumber>,
        answer: impl Future<Output = Result<Option<Item>, Refusal>> + Send + 'static,
    ) -> PendingAnswer {
        let (host, work) = (self.clone(), self.work(from, user));
        let answered = async move {
            match work.count(answer).await {
                Ok(item) => item,
                Err(refusal) => {
                    host.note_refusal(from, user, &refusal);
                    request.map(|request| Item::Answer(refusal.answer(request)))
                }
            }
        };
        answered.boxed()
    }
}
