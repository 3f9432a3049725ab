//! The ports: free when no server runs, answering when one does.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use crate::node::config::Config;
use crate::storage::doctor::Line;

const CHECK: &str = "ports";

/// A server on the same machine answers long before.
const PATIENCE: Duration = Duration::from_secs(5);

/// How the ports stand.
pub(super) fn look(config: &Config, runs: bool) -> Vec<Line> {
    let options = match config.listen_options() {
        Ok(options) => options,
        Err(problem) => {
            let remedy = "see parley config check";
            return vec![Line::problem(CHECK, problem.to_string(), remedy)];
        }
    };
    let line = if runs {
        match options.operator {
            Some(operator) => asked(operator),
            None => Line::ok(CHECK, "the server has no address for operators (operator is empty)"),
        }
    } else {
        free(options.address, [Some(options.address), Some(options.http), options.operator])
    };
    vec![line]
}

/// Port 0 is whichever is free.
fn free(udp: SocketAddr, tcp: [Option<SocketAddr>; 3]) -> Line {
    let remedy =
        "stop what listens there, or choose another address with --listen, --http, --operator";
    let taken = |address: SocketAddr, error: io::Error| {
        Line::problem(CHECK, format!("{address} can't be listened on: {error}"), remedy)
    };
    if let Err(error) = UdpSocket::bind(udp) {
        return taken(udp, error);
    }
    for address in tcp.into_iter().flatten() {
        if let Err(error) = TcpListener::bind(address) {
            return taken(address, error);
        }
    }
    let shown: Vec<_> = tcp.into_iter().flatten().map(|address| address.to_string()).collect();
    Line::ok(CHECK, format!("free: {}", shown.join(", ")))
}

fn asked(operator: SocketAddr) -> Line {
    let mut said = Vec::new();
    for path in ["/livez", "/readyz"] {
        match ask(operator, path) {
            Ok(200) => said.push(format!("{path} 200")),
            Ok(status) => {
                let found = format!("{operator} answers {path} with {status}");
                return Line::problem(CHECK, found, "see the server's log");
            }
            Err(error) => {
                let found = format!("a server runs and {operator} doesn't answer {path}: {error}");
                let remedy =
                    "see that operator is the address the server was started with, and its log";
                return Line::warning(CHECK, found, remedy);
            }
        }
    }
    Line::ok(CHECK, format!("{operator} answers: {}", said.join(", ")))
}

/// The status of one answer.
fn ask(operator: SocketAddr, path: &str) -> io::Result<u16> {
    let mut stream = TcpStream::connect_timeout(&operator, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {operator}\r\nConnection: close\r\n\r\n");
    // In one piece: who answers to the first part may hang up.
    stream.write_all(request.as_bytes())?;
    let mut head = [0; 12];
    stream.read_exact(&mut head)?;
    let status = head.get(9..).and_then(|digits| std::str::from_utf8(digits).ok());
    status.and_then(|digits| digits.parse().ok()).ok_or_else(|| io::Error::other("no HTTP answer"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::doctor::Status;

    #[test]
    fn a_port_that_is_taken_is_named() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let any = "127.0.0.1:0".parse().unwrap();
        let line = free(any, [Some(any), Some(address), None]);
        assert_eq!(line.status, Status::Problem);
        assert!(line.found.starts_with(&address.to_string()), "{line:?}");
        drop(taken);
        assert_eq!(free(any, [Some(any), None, None]).status, Status::Ok);
    }

    #[test]
    fn what_the_operators_port_says_is_told() {
        for (answers, status) in [
            ("HTTP/1.1 200 OK\r\n\r\n", Status::Ok),
            ("HTTP/1.1 503 x\r\n\r\n", Status::Problem),
            ("SSH-2.0-x no HTTP", Status::Warning),
        ] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            std::thread::spawn(move || {
                for stream in listener.incoming().take(2).flatten() {
                    let mut stream = stream;
                    let _ = stream.read(&mut [0; 512]);
                    let _ = stream.write_all(answers.as_bytes());
                }
            });
            assert_eq!(asked(address).status, status, "{answers}");
        }
    }
}
