//! The connection's states, and when to try again.
//!
//! Pure: every method takes the time and returns the one [`Step`] the driver has
//! to do next. It also holds what the next hello needs: the token, and whether a
//! transport is open. Waits have full jitter and go on for ever unless configured
//! otherwise. What ends the client for good: a refused sign-in, a token that is
//! refused although it is new, a certificate that was never trusted, and every
//! close code of class "stop".

use parley_protocol::errors::Retry;

use crate::backoff::Backoff;
use crate::error::{Error, ErrorKind, verdict};
use crate::model::Transport;
use crate::token::Token;

/// The time and a random number, given with every input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tick {
    /// Milliseconds since any fixed moment; never goes back.
    pub now_ms: u64,
    /// The device's clock, Unix milliseconds.
    pub wall_ms: u64,
    /// Uniform over all values, new for every input.
    pub random: u64,
}

/// How long a transport may take from being open to `Welcome`.
pub(crate) const HANDSHAKE_MS: u64 = 10_000;

/// A session that lived this long makes the next backoff start over.
const SETTLED_MS: u64 = 5_000;

#[derive(Debug, Clone)]
pub(crate) enum Phase {
    Idle,
    SigningIn,
    Connecting,
    Handshaking { until_ms: u64 },
    Ready { since_ms: u64, move_at_ms: Option<u64> },
    Waiting { until_ms: u64, error: Error },
    Closed(Option<Error>),
}

/// What the driver has to do because of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Nothing,
    SignIn,
    Dial,
    /// Drop the transport, then wait for the timer.
    Wait,
    /// Drop the transport, then dial at once.
    Redial,
    Close,
}

#[derive(Debug)]
pub(crate) struct Connect {
    phase: Phase,
    backoff: Backoff,
    /// Whether a callback or credentials can get a new token.
    can_sign_in: bool,
    has_token: bool,
    /// The token came from a sign-in and no session has used it yet.
    token_is_new: bool,
    /// A token took the place of another, and no session has used it yet.
    token_was_replaced: bool,
    /// Attempts since the last settled session.
    attempt: u32,
    was_ready: bool,
    /// The transport that is open.
    transport: Option<Transport>,
    /// The transport is open and the hello not sent yet.
    hello_due: bool,
    token: Option<Token>,
}

impl Connect {
    pub(crate) fn new(backoff: Backoff, has_token: bool, can_sign_in: bool) -> Self {
        Self {
            phase: Phase::Idle,
            backoff,
            can_sign_in,
            has_token,
            token_is_new: false,
            token_was_replaced: false,
            attempt: 0,
            was_ready: false,
            transport: None,
            hello_due: false,
            token: None,
        }
    }

    pub(crate) const fn phase(&self) -> &Phase {
        &self.phase
    }

    pub(crate) const fn is_ready(&self) -> bool {
        matches!(self.phase, Phase::Ready { .. })
    }

    pub(crate) const fn is_handshaking(&self) -> bool {
        matches!(self.phase, Phase::Handshaking { .. })
    }

    pub(crate) const fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed(_))
    }

    /// The transport that is open.
    pub(crate) const fn transport(&self) -> Option<Transport> {
        self.transport
    }

    /// The token for the next hello.
    pub(crate) const fn token(&self) -> Option<&Token> {
        self.token.as_ref()
    }

    /// Begins, or begins the next attempt.
    pub(crate) fn start(&mut self) -> Step {
        if self.has_token {
            self.phase = Phase::Connecting;
            Step::Dial
        } else {
            self.phase = Phase::SigningIn;
            Step::SignIn
        }
    }

    /// There is a token for the next hello; a sign-in that waited for it goes on.
    pub(crate) fn handle_token(&mut self, token: Token) -> Step {
        let replaced = self.token.replace(token).is_some();
        if !matches!(self.phase, Phase::SigningIn) {
            self.token_was_replaced |= replaced;
            return Step::Nothing;
        }
        self.has_token = true;
        self.token_is_new = true;
        self.start()
    }

    /// A sign-in, a dial, the handshake or the session failed.
    pub(crate) fn handle_failure(&mut self, tick: Tick, error: Error) -> Step {
        if self.is_closed() {
            return Step::Nothing;
        }
        let settled = matches!(self.phase, Phase::Ready { since_ms, .. }
            if tick.now_ms.saturating_sub(since_ms) >= SETTLED_MS);
        if settled {
            self.attempt = 0;
        }
        let signing_in = matches!(self.phase, Phase::SigningIn);
        let refused = error.code().map(verdict) == Some(Retry::SignIn);
        if refused && !signing_in && std::mem::take(&mut self.token_was_replaced) {
            // It may have been the old one that was refused.
            return self.wait(tick, error);
        }
        match self.judge(&error, signing_in) {
            Judgement::Fatal => self.close(Some(error)),
            Judgement::SignIn => {
                self.has_token = false;
                self.phase = Phase::SigningIn;
                Step::SignIn
            }
            Judgement::TryAgain => self.wait(tick, error),
        }
    }

    fn judge(&self, error: &Error, signing_in: bool) -> Judgement {
        match error.code().map(verdict) {
            Some(Retry::SignIn) if signing_in || self.token_is_new || !self.can_sign_in => {
                Judgement::Fatal
            }
            Some(Retry::SignIn) => Judgement::SignIn,
            Some(Retry::Stop) => Judgement::Fatal,
            Some(Retry::Now | Retry::After) => Judgement::TryAgain,
            None => match error.kind() {
                // A network that shows a foreign certificate for a while (a
                // captive portal) must not end a client that has been signed in.
                ErrorKind::Untrusted if self.was_ready => Judgement::TryAgain,
                ErrorKind::Untrusted | ErrorKind::InvalidArgument | ErrorKind::SignIn => {
                    Judgement::Fatal
                }
                _ => Judgement::TryAgain,
            },
        }
    }

    fn wait(&mut self, tick: Tick, error: Error) -> Step {
        if self.backoff.attempts.is_some_and(|most| self.attempt >= most) {
            return self.close(Some(error));
        }
        let wait_ms = self.backoff.wait_ms(self.attempt, tick.random, error.retry_after());
        self.attempt = self.attempt.saturating_add(1);
        self.phase = Phase::Waiting { until_ms: tick.now_ms.saturating_add(wait_ms), error };
        Step::Wait
    }

    /// The transport is open: the hello is due.
    pub(crate) fn handle_connected(&mut self, now_ms: u64, transport: Transport) {
        if matches!(self.phase, Phase::Connecting) {
            self.phase = Phase::Handshaking { until_ms: now_ms + HANDSHAKE_MS };
        }
        self.transport = Some(transport);
        self.hello_due = self.is_handshaking();
    }

    /// Whether to send the hello now. It counts as sent.
    pub(crate) const fn take_hello(&mut self) -> bool {
        let due = self.hello_due && self.is_handshaking();
        if due {
            self.hello_due = false;
        }
        due
    }

    /// Forgets what belonged to one transport.
    pub(crate) const fn end_session(&mut self) {
        self.hello_due = false;
        self.transport = None;
    }

    pub(crate) fn handle_welcome(&mut self, now_ms: u64) {
        self.phase = Phase::Ready { since_ms: now_ms, move_at_ms: None };
        self.token_is_new = false;
        self.token_was_replaced = false;
        self.was_ready = true;
    }

    /// The server will close soon: move at a random moment within that time.
    pub(crate) fn handle_drain(&mut self, tick: Tick, within_ms: u64) {
        if let Phase::Ready { move_at_ms, .. } = &mut self.phase {
            let within = within_ms.clamp(1, 3_600_000);
            *move_at_ms = Some(tick.now_ms + tick.random % within);
        }
    }

    /// The application wants a new connection now.
    pub(crate) fn force_reconnect(&mut self) -> Step {
        match self.phase {
            Phase::Handshaking { .. } | Phase::Ready { .. } | Phase::Connecting => {
                self.phase = Phase::Connecting;
                Step::Redial
            }
            Phase::Waiting { .. } => self.start(),
            Phase::Idle | Phase::SigningIn | Phase::Closed(_) => Step::Nothing,
        }
    }

    pub(crate) fn close(&mut self, error: Option<Error>) -> Step {
        if self.is_closed() {
            return Step::Nothing;
        }
        self.phase = Phase::Closed(error);
        Step::Close
    }

    pub(crate) fn deadline(&self) -> Option<u64> {
        match &self.phase {
            Phase::Handshaking { until_ms } | Phase::Waiting { until_ms, .. } => Some(*until_ms),
            Phase::Ready { move_at_ms, .. } => *move_at_ms,
            Phase::Idle | Phase::SigningIn | Phase::Connecting | Phase::Closed(_) => None,
        }
    }

    pub(crate) fn handle_timeout(&mut self, tick: Tick) -> Step {
        if self.deadline().is_none_or(|deadline| deadline > tick.now_ms) {
            return Step::Nothing;
        }
        match self.phase {
            Phase::Handshaking { .. } => {
                let error = Error::new(ErrorKind::Timeout, "the server did not answer the hello");
                self.handle_failure(tick, error)
            }
            Phase::Waiting { .. } => self.start(),
            Phase::Ready { .. } => {
                self.phase = Phase::Connecting;
                Step::Redial
            }
            Phase::Idle | Phase::SigningIn | Phase::Connecting | Phase::Closed(_) => Step::Nothing,
        }
    }
}

enum Judgement {
    Fatal,
    SignIn,
    TryAgain,
}

#[cfg(test)]
mod tests {
    use super::*;
    use parley_protocol::Code;

    fn at(now_ms: u64) -> Tick {
        Tick { now_ms, wall_ms: now_ms, random: 400 }
    }

    fn connect() -> Connect {
        Connect::new(Backoff::default(), true, true)
    }

    fn network() -> Error {
        Error::new(ErrorKind::Network, "cut")
    }

    fn code(code: Code) -> Error {
        Error::from_code(code as u32, "", 0)
    }

    fn ready(now_ms: u64) -> Connect {
        let mut connect = connect();
        assert!(matches!(connect.start(), Step::Dial));
        connect.handle_connected(now_ms, Transport::Quic);
        connect.handle_welcome(now_ms);
        connect
    }

    #[test]
    fn a_lost_session_waits_and_dials_again() {
        let mut connect = ready(0);
        assert!(matches!(connect.handle_failure(at(100), network()), Step::Wait));
        assert_eq!(connect.deadline(), Some(500));
        assert!(matches!(connect.handle_timeout(at(499)), Step::Nothing));
        assert!(matches!(connect.handle_timeout(at(500)), Step::Dial));
    }

    #[test]
    fn a_silent_handshake_ends() {
        let mut connect = connect();
        connect.start();
        connect.handle_connected(0, Transport::Quic);
        assert!(matches!(connect.handle_timeout(at(HANDSHAKE_MS)), Step::Wait));
    }

    #[test]
    fn a_refused_token_signs_in_once_and_a_refused_new_one_closes() {
        let mut connect = ready(0);
        assert!(matches!(connect.handle_failure(at(1), code(Code::TokenInvalid)), Step::SignIn));
        assert!(matches!(connect.handle_token(Token::new([1; 32])), Step::Dial));
        connect.handle_connected(2, Transport::Quic);
        assert!(matches!(connect.handle_failure(at(3), code(Code::TokenInvalid)), Step::Close));
    }

    #[test]
    fn wrong_credentials_and_stop_codes_close_and_overload_does_not() {
        let mut connect = Connect::new(Backoff::default(), false, true);
        assert!(matches!(connect.start(), Step::SignIn));
        assert!(matches!(connect.handle_failure(at(0), code(Code::Overloaded)), Step::Wait));
        assert!(matches!(connect.handle_timeout(at(5000)), Step::SignIn));
        assert!(matches!(connect.handle_failure(at(0), code(Code::CredentialsWrong)), Step::Close));
        assert!(matches!(
            ready(0).handle_failure(at(1), code(Code::VersionUnsupported)),
            Step::Close
        ));
        assert!(matches!(ready(0).handle_failure(at(1), code(Code::SlowConsumer)), Step::Wait));
    }

    #[test]
    fn an_untrusted_certificate_ends_only_a_client_that_was_never_in() {
        let untrusted = || Error::new(ErrorKind::Untrusted, "not ours");
        let mut new = connect();
        new.start();
        assert!(matches!(new.handle_failure(at(0), untrusted()), Step::Close));
        assert!(matches!(ready(0).handle_failure(at(0), untrusted()), Step::Wait));
    }

    #[test]
    fn only_a_settled_session_resets_the_backoff() {
        let mut connect = ready(0);
        for _ in 0..4 {
            connect.handle_failure(at(10), network());
            connect.start();
            connect.handle_connected(10, Transport::Quic);
            connect.handle_welcome(10);
        }
        assert_eq!(connect.attempt, 4);
        connect.handle_failure(at(10 + SETTLED_MS), network());
        assert_eq!(connect.attempt, 1);
    }

    #[test]
    fn a_draining_server_is_left_within_the_time_it_gave() {
        let mut connect = ready(0);
        connect.handle_drain(Tick { now_ms: 1000, wall_ms: 1000, random: 123_456 }, 5000);
        let moment = connect.deadline().unwrap();
        assert!((1000..6000).contains(&moment));
        assert!(matches!(connect.handle_timeout(at(moment)), Step::Redial));
    }

    #[test]
    fn bounded_attempts_end() {
        let backoff = Backoff { attempts: Some(1), ..Backoff::default() };
        let mut connect = Connect::new(backoff, true, false);
        connect.start();
        assert!(matches!(connect.handle_failure(at(0), network()), Step::Wait));
        connect.handle_timeout(at(60_000));
        assert!(matches!(connect.handle_failure(at(60_000), network()), Step::Close));
    }
}
