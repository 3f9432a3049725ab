//! The PROXY protocol, versions 1 and 2: what a proxy says of its client before the
//! client's own bytes.
//!
//! Asked for only where the configuration says that this peer speaks it; there it
//! must come first. Not a byte behind it is read. Bounds: 107 bytes of version 1, the
//! addresses and [`MOST_BYTES`] of version 2; the caller bounds the time.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt as _};

const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// Bytes of a line of version 1, its end included.
const LINE_BYTES: usize = 107;

/// Bytes behind the head of version 2: addresses, and what else proxies add.
const MOST_BYTES: usize = 2048;

/// Reads the header; `None` when the proxy speaks for itself.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<SocketAddr>> {
    // No header of either version is shorter.
    let mut first = [0; SIGNATURE.len()];
    stream.read_exact(&mut first).await?;
    if first == SIGNATURE { second(stream).await } else { line(stream, &first).await }
}

async fn line(
    stream: &mut (impl AsyncRead + Unpin),
    first: &[u8],
) -> io::Result<Option<SocketAddr>> {
    let mut line = first.to_vec();
    if !line.starts_with(b"PROXY ") {
        return Err(bad("no PROXY protocol"));
    }
    while !line.ends_with(b"\r\n") {
        if line.len() >= LINE_BYTES {
            return Err(bad("a line of the PROXY protocol without an end"));
        }
        line.push(stream.read_u8().await?);
    }
    let line = std::str::from_utf8(&line).map_err(|_| bad("no text"))?;
    let mut words = line.trim_end_matches("\r\n").split(' ').skip(1);
    match words.next() {
        Some("UNKNOWN") => Ok(None),
        Some("TCP4" | "TCP6") => {
            let address = words.next().and_then(|word| word.parse::<IpAddr>().ok());
            let port = words.nth(1).and_then(|word| word.parse::<u16>().ok());
            let client = address.zip(port).map(|(address, port)| SocketAddr::new(address, port));
            client.map(Some).ok_or_else(|| bad("no address"))
        }
        _ => Err(bad("an unknown family")),
    }
}

async fn second(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<SocketAddr>> {
    let [command, family] = [stream.read_u8().await?, stream.read_u8().await?];
    let length = usize::from(stream.read_u16().await?);
    if command >> 4 != 2 || length > MOST_BYTES {
        return Err(bad("a version that is not known, or too many bytes"));
    }
    let mut rest = vec![0; length];
    stream.read_exact(&mut rest).await?;
    match (command & 0xf, family) {
        // LOCAL: the proxy looks whether somebody is there.
        (0, _) => Ok(None),
        (1, 0x11) => client::<4>(&rest, |octets| Ipv4Addr::from(octets).into()),
        (1, 0x21) => client::<16>(&rest, |octets| Ipv6Addr::from(octets).into()),
        // An address that is no TCP one says nothing of the client.
        (1, _) => Ok(None),
        _ => Err(bad("an unknown command")),
    }
}

/// The source's address and port: addresses come first, then ports.
fn client<const N: usize>(
    bytes: &[u8],
    address: impl Fn([u8; N]) -> IpAddr,
) -> io::Result<Option<SocketAddr>> {
    let short = || bad("an address cut short");
    let source = bytes.first_chunk::<N>().ok_or_else(short)?;
    let port = bytes.get(2 * N..).and_then(|rest| rest.first_chunk::<2>()).ok_or_else(short)?;
    Ok(Some(SocketAddr::new(address(*source), u16::from_be_bytes(*port))))
}

fn bad(text: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn of(bytes: &[u8]) -> Result<(Option<String>, usize), io::ErrorKind> {
        let mut left = bytes;
        let client = read(&mut left).await.map_err(|error| error.kind())?;
        Ok((client.map(|client| client.to_string()), left.len()))
    }

    fn two(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, rest].concat()
    }

    const V4: [u8; 12] = [192, 0, 2, 1, 10, 0, 0, 1, 0x1f, 0x90, 0, 80];

    #[tokio::test]
    async fn both_versions_name_the_client_and_leave_its_bytes() {
        let line = |text: &str| format!("{text}\r\nGET /").into_bytes();
        let is = |client: &str| Ok((Some(client.to_owned()), 5));
        let got = of(&line("PROXY TCP4 192.0.2.1 10.0.0.1 8080 80")).await;
        assert_eq!(got, is("192.0.2.1:8080"));
        let got = of(&line("PROXY TCP6 2001:db8::1 ::1 8080 80")).await;
        assert_eq!(got, is("[2001:db8::1]:8080"));
        assert_eq!(of(&line("PROXY UNKNOWN")).await, Ok((None, 5)));
        let with = |head: Vec<u8>| [&head[..], b"GET /"].concat();
        assert_eq!(of(&with(two(0x21, 0x11, &V4))).await, is("192.0.2.1:8080"));
        let more = [&V4[..], &[0x20, 0, 3, 1, 2, 3]].concat();
        assert_eq!(of(&with(two(0x21, 0x11, &more))).await, is("192.0.2.1:8080"));
        let v6 = [&Ipv6Addr::LOCALHOST.octets()[..], &[0; 16], &[0, 9, 0, 80]].concat();
        assert_eq!(of(&with(two(0x21, 0x21, &v6))).await, is("[::1]:9"));
        assert_eq!(of(&with(two(0x20, 0, &[]))).await, Ok((None, 5)));
        assert_eq!(of(&with(two(0x21, 0x31, &[0; 216]))).await, Ok((None, 5)));
    }

    #[tokio::test]
    async fn everything_else_is_refused() {
        let long = format!("PROXY TCP4 {}", "1".repeat(200)).into_bytes();
        for bad in [
            b"GET / HTTP/1.1\r\n\r\n".to_vec(),
            b"PROXY TCP4 nonsense 10.0.0.1 1 2\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.1 10.0.0.1 99999 2\r\n".to_vec(),
            b"PROXY SCTP 192.0.2.1 10.0.0.1 1 2\r\n".to_vec(),
            long,
            two(0x11, 0x11, &V4),
            two(0x2f, 0x11, &V4),
            two(0x21, 0x11, &V4[..9]),
            two(0x21, 0x11, &[0; 3000]),
        ] {
            assert_eq!(of(&bad).await, Err(io::ErrorKind::InvalidData), "{bad:?}");
        }
        assert_eq!(of(&two(0x21, 0x11, &V4)[..20]).await, Err(io::ErrorKind::UnexpectedEof));
    }
}
