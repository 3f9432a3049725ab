//! What a session's task leaves behind when it ends in a way that nobody planned.

use super::*;
use crate::edge::listen::{ConnectionCaps, Connections, ReadError, Transport, WebSockets};
use crate::node::Backend;
use crate::node::config::Config;
use crate::storage::store::Store;
use crate::storage::store::engine::memory::MemoryEngine;
use parley_protocol::http::{Credentials, DeviceLabel, SessionKind};
use parley_protocol::wire::{ClientEnvelope, Hello, client_envelope::Kind};
use parley_protocol::{ConversationId, Message as _};

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

#[tokio::test]
async fn a_session_whose_task_panics_leaves_no_link_behind() {
    let mut config = Config::default();
    (config.accounts.hash_memory_kib, config.accounts.hash_passes) = (8, 1);
    let store = Store::over(Arc::new(MemoryEngine::new()), 4, [1; 16]).unwrap();
    let backend =
        Backend::start(&config, store, |error| panic!("the log failed: {error}")).unwrap();
    let host = backend.host().clone();
    let connections = Connections::new(ConnectionCaps {
        total: 9,
        per_address: 9,
        unauthenticated: 9,
        limit_loopback: true,
    });
    let websockets = WebSockets::new(host.clone(), config.listen_options().unwrap());
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
    let hello = ClientEnvelope { request: 1, kind: Some(Kind::Hello(hello)) };
    for falls in [false, true] {
        let reader = Falling { hello: Some(hello.encode_to_vec().into()), greeted: false };
        let peer = Peer { address, transport: Transport::Tls, proof: None };
        let permit = connections.admit(address, Transport::Tls).unwrap();
        let serving = {
            let host = host.clone();
            tokio::spawn(async move { host.serve(reader, Taking { falls }, peer, permit).await })
        };
        assert!(serving.await.unwrap_err().is_panic());
        assert!(host.inner.homes.sessions().is_empty(), "a link stayed");
        assert_eq!(connections.open(), 0);
    }
    backend.close().await;
}
