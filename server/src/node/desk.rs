//! The desk of the HTTP API: hands its requests to the sessions' host.

use std::net::IpAddr;

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use parley_core::session::Identity as Who;
use parley_protocol::wire::ServerEnvelope;

use crate::accounts::Identity;
use crate::edge::http::{Desk, Unanswered};
use crate::edge::session::{self, Asker, Host};

/// The way of single requests into the host.
pub(super) struct HostDesk {
    pub(super) host: Host,
}

impl Desk for HostDesk {
    fn request(
        &self,
        from: IpAddr,
        caller: Identity,
        envelope: Bytes,
    ) -> BoxFuture<'_, Result<ServerEnvelope, Unanswered>> {
        async move {
            let asker = Asker { identity: identity(&caller), from };
            let answer = self.host.answer_one(&asker, envelope).await;
            answer.map_err(unanswered)
        }
        .boxed()
    }

    fn delete_account(
        &self,
        from: IpAddr,
        caller: Identity,
        password: String,
    ) -> BoxFuture<'_, Result<(), Unanswered>> {
        async move {
            let asker = Asker { identity: identity(&caller), from };
            self.host.delete_account(asker, password).await.map_err(unanswered)
        }
        .boxed()
    }

    fn export(
        &self,
        from: IpAddr,
        caller: Identity,
    ) -> Result<BoxStream<'static, Bytes>, Unanswered> {
        let asker = Asker { identity: identity(&caller), from };
        self.host.export(asker).map_err(unanswered)
    }

    fn frame_bytes(&self) -> usize {
        usize::try_from(self.host.frame_bytes()).unwrap_or(usize::MAX)
    }
}

fn unanswered(error: session::Unanswered) -> Unanswered {
    Unanswered { code: error.code, after: error.after }
}

fn identity(caller: &Identity) -> Who {
    Who { user: caller.user, name: caller.name.to_string(), device: caller.device }
}
