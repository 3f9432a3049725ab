//! A bad network between client and server: `parley-bench impair` passes on what comes, later and
//! with losses, over UDP and TCP at the same port numbers for all.
//!
//! Loopback has no delay, no loss and packets of 64 KiB, which flatters every transport. On UDP
//! a lost packet is gone, and the transport has to notice. TCP can't be made to lose
//! anything from outside the kernel: what its receiver would see is imitated, so a lost segment and all
//! behind it come one round trip later, as after a fast retransmission. That is
//! kind to TCP: no timeout, no smaller window. Losses are independent of each other.
//!
//! Prints `impair` and a JSON object when it listens; ends with standard input.

use std::collections::{HashMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::args::ImpairArgs;

/// Bytes of one segment or packet, at most: what fits into an Ethernet frame.
const SEGMENT: usize = 1460;

/// Largest packet that is passed on.
const PACKET: usize = 65_536;

/// Ports that are tried.
const PORTS: usize = 20;

/// Packets on their way in one direction of one flow; more are dropped, as a router's queue does it.
const QUEUE: usize = 4096;

/// UDP flows at once; packets of more are dropped.
const FLOWS: usize = 1024;

/// What happens to a packet.
#[derive(Clone, Copy)]
struct Path {
    delay: Duration,
    loss: f64,
}

impl Path {
    fn loses(self) -> bool {
        self.loss > 0.0 && fastrand::f64() < self.loss
    }
}

/// Passes on until standard input ends.
///
/// # Errors
/// When it can't listen.
pub(crate) async fn serve(args: &ImpairArgs) -> anyhow::Result<()> {
    ensure!((0.0..1.0).contains(&args.loss), "--loss is from 0 to below 1");
    ensure!((0.0..=10_000.0).contains(&args.delay_ms), "--delay-ms is from 0 to 10000");
    let path = Path { delay: Duration::from_secs_f64(args.delay_ms / 1000.0), loss: args.loss };
    let server = tokio::net::lookup_host(&args.server)
        .await?
        .next()
        .context("--server is an address and a port")?;
    let (tcp, udp) = sockets().await?;
    let ready = serde_json::json!({
        "tls": format!("tls://{}", tcp.local_addr()?),
        "wss": format!("wss://{}", tcp.local_addr()?),
        "quic": format!("quic://{}", udp.local_addr()?),
    });
    println!("impair {ready}");
    let mut parent = tokio::io::stdin();
    tokio::select! {
        ended = streams(tcp, server, path) => ended,
        ended = packets(Arc::new(udp), server, path) => ended,
        _ = parent.read_u8() => Ok(()),
    }
}

/// One port for both, as the server has it: clients sign in over TCP wherever they then go by UDP.
async fn sockets() -> anyhow::Result<(TcpListener, UdpSocket)> {
    for _ in 0..PORTS {
        let tcp = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        // Somebody else may have the same port of UDP.
        if let Ok(udp) = UdpSocket::bind(tcp.local_addr()?).await {
            return Ok((tcp, udp));
        }
    }
    anyhow::bail!("no port is free for both TCP and UDP")
}

async fn streams(listener: TcpListener, server: SocketAddr, path: Path) -> anyhow::Result<()> {
    loop {
        let (client, _) = listener.accept().await?;
        tokio::spawn(async move {
            // The first to end ends both.
            if let Ok(server) = TcpStream::connect(server).await
                && client.set_nodelay(true).is_ok()
                && server.set_nodelay(true).is_ok()
            {
                let ((from_client, to_client), (from_server, to_server)) =
                    (client.into_split(), server.into_split());
                tokio::join!(
                    one_way(from_client, to_server, path),
                    one_way(from_server, to_client, path)
                );
            }
        });
    }
}

/// One direction of a TCP connection: in order, each segment at its time.
async fn one_way(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, path: Path) {
    let (queue, mut segments) = mpsc::channel::<(Instant, Vec<u8>)>(QUEUE);
    let reading = async move {
        let mut due = Instant::now();
        loop {
            let mut segment = vec![0; SEGMENT];
            let Ok(length @ 1..) = from.read(&mut segment).await else { return };
            segment.truncate(length);
            due = due.max(Instant::now() + path.delay);
            if path.loses() {
                // Sent again after a round trip, and what is behind it waits.
                due += 2 * path.delay;
            }
            if queue.send((due, segment)).await.is_err() {
                return;
            }
        }
    };
    let writing = async move {
        while let Some((due, segment)) = segments.recv().await {
            sleep_until(due).await;
            if to.write_all(&segment).await.is_err() {
                return;
            }
        }
        let _ = to.shutdown().await;
    };
    tokio::join!(reading, writing);
}

async fn packets(clients: Arc<UdpSocket>, server: SocketAddr, path: Path) -> anyhow::Result<()> {
    let mut flows: HashMap<SocketAddr, Flow> = HashMap::new();
    let mut packet = vec![0; PACKET];
    loop {
        let (length, client) = clients.recv_from(&mut packet).await?;
        let Some(packet) = packet.get(..length) else { continue };
        if !flows.contains_key(&client) {
            if flows.len() >= FLOWS {
                continue;
            }
            flows.insert(client, Flow::open(Arc::clone(&clients), client, server, path).await?);
        }
        if let Some(flow) = flows.get(&client)
            && !path.loses()
        {
            // A full queue drops it.
            let _ = flow.to_server.try_send((Instant::now() + path.delay, packet.to_vec()));
        }
    }
}

/// One client's address, with a socket of its own towards the server.
struct Flow {
    to_server: mpsc::Sender<(Instant, Vec<u8>)>,
}

impl Flow {
    async fn open(
        clients: Arc<UdpSocket>,
        client: SocketAddr,
        server: SocketAddr,
        path: Path,
    ) -> anyhow::Result<Self> {
        let own = UdpSocket::bind(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))).await?;
        own.connect(server).await?;
        let own = Arc::new(own);
        let (to_server, mut packets) = mpsc::channel::<(Instant, Vec<u8>)>(QUEUE);
        let outward = Arc::clone(&own);
        tokio::spawn(async move {
            while let Some((due, packet)) = packets.recv().await {
                sleep_until(due).await;
                let _ = outward.send(&packet).await;
            }
        });
        tokio::spawn(async move {
            let mut waiting: VecDeque<(Instant, Vec<u8>)> = VecDeque::new();
            let mut buffer = vec![0; PACKET];
            loop {
                let due = waiting.front().map(|(due, _)| *due);
                tokio::select! {
                    received = own.recv(&mut buffer) => {
                        // An error here is the server's absence; clients notice by themselves.
                        let Ok(length) = received else { continue };
                        if waiting.len() < QUEUE && !path.loses()
                            && let Some(packet) = buffer.get(..length)
                        {
                            waiting.push_back((Instant::now() + path.delay, packet.to_vec()));
                        }
                    }
                    () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                        if let Some((_, packet)) = waiting.pop_front() {
                            let _ = clients.send_to(&packet, client).await;
                        }
                    }
                }
            }
        });
        Ok(Self { to_server })
    }
}
