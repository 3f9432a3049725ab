//! What a session's task leaves behind when it ends in a way that nobody planned, and
//! what it does while it waits.

use super::*;
use crate::edge::listen::{ConnectionCaps, Connections, ReadError, Transport, WebSockets};
use crate::node::Backend;
use crate::node::config::Config;
use crate::storage::store::Store;
use crate::storage::store::engine::memory::MemoryEngine;
use parley_protocol::UserId;
use parley_protocol::http::{Credentials, DeviceLabel, SessionKind};
use parley_protocol::wire::{
    ClientEnvelope, Hello, Ping, ServerEnvelope, Sync, client_envelope::Kind,
};
use parley_protocol::{ConversationId, Message as _};
use tokio::sync::mpsc;

/// Says Hello, and then falls over.
struct Falling {
    hello: Option<Bytes>,
    greeted: bool,
}

impl FrameReader for Falling {
    async fn next(&mut self) -> Result<Option<Bytes>, ReadError> {
        match self.hello.take() {
            Some(hello) => Ok(Some(hello)),
            None => panic!("a reader falls over, as this test wants it to"),
        }
    }

    fn set_authenticated(&mut self, _frame_bytes: u32) {
        self.greeted = true;
    }
}

/// Takes everything; falls over at the first flush, if it is told to.
struct Taking {
    falls: bool,
}

impl FrameWriter for Taking {
    fn put(&mut self, _envelope: &impl parley_protocol::Message) {}

    fn put_deliver(&mut self, _: &ConversationId, _: u64, _: &[Bytes]) {}

    fn buffered(&self) -> usize {
        usize::from(self.falls)
    }

    fn moved(&self) -> u64 {
        0
    }

    async fn flush(&mut self) -> std::io::Result<()> {
        assert!(!self.falls, "a writer falls over, as this test wants it to");
        Ok(())
    }

    async fn close(&mut self, _code: Option<Code>) {}
}

/// Gives what it is handed, and ends with its other end.
struct Handed(mpsc::UnboundedReceiver<Bytes>);

impl FrameReader for Handed {
    async fn next(&mut self) -> Result<Option<Bytes>, ReadError> {
        Ok(self.0.recv().await)
    }

    fn set_authenticated(&mut self, _frame_bytes: u32) {}
}

/// Tells which requests were answered.
struct Telling(mpsc::UnboundedSender<u64>);

impl FrameWriter for Telling {
    fn put(&mut self, envelope: &impl parley_protocol::Message) {
        let envelope = ServerEnvelope::decode(&*envelope.encode_to_vec()).unwrap();
        let _ = self.0.send(envelope.request);
    }

    fn put_deliver(&mut self, _: &ConversationId, _: u64, _: &[Bytes]) {}

    fn buffered(&self) -> usize {
        0
    }

    fn moved(&self) -> u64 {
        0
    }

    async fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }

    async fn close(&mut self, _code: Option<Code>) {}
}

/// A node with one user, and how that user says Hello.
struct Stage {
    backend: Backend,
    connections: Connections,
    address: std::net::SocketAddr,
    hello: Bytes,
}

fn envelope(request: u64, kind: Kind) -> Bytes {
    ClientEnvelope { request, kind: Some(kind) }.encode_to_vec().into()
}

async fn stage() -> Stage {
    let mut config = Config::default();
    (config.accounts.hash_memory_kib, config.accounts.hash_passes) = (8, 1);
    let store = Store::over(Arc::new(MemoryEngine::new()), 4, [1; 16]).unwrap();
    let backend =
        Backend::start(&config, store, |error| panic!("the log failed: {error}")).unwrap();
    let connections = Connections::new(ConnectionCaps {
        total: 9,
        per_address: 9,
        unauthenticated: 9,
        limit_loopback: true,
    });
    let websockets = WebSockets::new(backend.host().clone(), config.listen_options().unwrap());
    let accounts = backend.api(connections.clone(), websockets, Vec::new()).shared.accounts;
    let address = "127.0.0.1:9".parse::<std::net::SocketAddr>().unwrap();
    let credentials = Credentials {
        name: "ann".to_owned(),
        password: "a password".to_owned(),
        device: DeviceLabel { name: "phone".to_owned(), platform: "test".to_owned() },
        session: SessionKind::Token,
    };
    let signed_in = accounts.sign_up(address.ip(), credentials).await.unwrap();
    let hello = Hello {
        version_min: 1,
        version_max: 1,
        token: base16ct::lower::decode_vec(&signed_in.token).unwrap().into(),
        ..Hello::default()
    };
    Stage { backend, connections, address, hello: envelope(1, Kind::Hello(hello)) }
}

impl Stage {
    /// Serves a session in a task of its own.
    fn serve(
        &self,
        reader: impl FrameReader + 'static,
        writer: impl FrameWriter + 'static,
    ) -> tokio::task::JoinHandle<()> {
        let peer = Peer { address: self.address, transport: Transport::Tls, proof: None };
        let permit = self.connections.admit(self.address, Transport::Tls).unwrap();
        let host = self.backend.host().clone();
        tokio::spawn(async move { host.serve(reader, writer, peer, permit).await })
    }
}

#[tokio::test]
async fn a_session_whose_task_panics_leaves_no_link_behind() {
    let stage = stage().await;
    for falls in [false, true] {
        let reader = Falling { hello: Some(stage.hello.clone()), greeted: false };
        let serving = stage.serve(reader, Taking { falls });
        assert!(serving.await.unwrap_err().is_panic());
        let host = stage.backend.host();
        assert!(host.inner.homes.sessions().is_empty(), "a link stayed");
        assert_eq!(stage.connections.open(), 0);
    }
    stage.backend.close().await;
}

/// A server at its limit must not be left by everybody who waits for it.
#[tokio::test]
async fn heartbeats_are_answered_while_a_query_waits_for_its_turn() {
    let stage = stage().await;
    let (hand, frames) = mpsc::unbounded_channel();
    let (tell, mut answers) = mpsc::unbounded_channel();
    hand.send(stage.hello.clone()).unwrap();
    let serving = stage.serve(Handed(frames), Telling(tell));
    assert_eq!(answers.recv().await, Some(1));
    // All places to read the disk are taken.
    let reads = stage.backend.host().inner.reads.clone();
    let others = (0..stage.backend.host().inner.options.reads)
        .map(|number| UserId::new([u8::try_from(number).unwrap_or(255); 16]));
    let mut taken = Vec::new();
    for other in others {
        taken.push(reads.permit(other).await);
    }
    let sync = || Kind::Sync(Sync { feed_position: 0 });
    let ping = || Kind::Ping(Ping::default());
    for (request, kind) in [(2, sync()), (3, ping()), (4, sync()), (5, ping())] {
        hand.send(envelope(request, kind)).unwrap();
    }
    assert_eq!([answers.recv().await, answers.recv().await], [Some(3), Some(5)]);
    assert!(answers.try_recv().is_err(), "nobody may read yet");
    drop(taken);
    assert_eq!([answers.recv().await, answers.recv().await], [Some(2), Some(4)]);
    drop(hand);
    serving.await.unwrap();
    stage.backend.close().await;
}
