//! `parley chat --json`: commands in, events out, one JSON object a line.
//!
//! Commands are carried out in the order they come; sends don't wait for each
//! other's answers, a question waits for those of the sends before it. A command
//! that fails is answered with an error line and the next one is read. The end of the input, or `quit`, finishes what is queued
//! (for as long as `--patience` says) and ends the process. Every queue is
//! bounded; a slow reader of our output slows the reading of commands.

mod command;
mod events;
mod lines;
mod output;
mod perform;

use std::io::BufReader;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use parley_client::{Client, Code, Error, ErrorKind, Session, State};
use secrecy::SecretString;
use tokio::sync::{mpsc, watch};

use self::command::{Command, Refusal};
use self::events::Reporter;
use self::lines::{LINE_BYTES, Line};
use self::output::Output;
use self::perform::Worker;
use super::act::Act;
use super::link;
use super::report::{ErrorReport, Names, Report};
use crate::arguments::ChatArguments;

/// Lines of input that wait to be carried out.
const INPUT_LINES: usize = 16;

/// Something failed, or was not sent.
const FAILED: u8 = 1;

/// The caller has to change something: name, password, fingerprint, flags.
const NOT_SIGNED_IN: u8 = 2;

/// Why the session didn't begin.
enum Failure {
    /// The command line can't be used.
    Local(String),
    /// No session within the patience, and no error to blame.
    NoSession,
    Sdk(Error),
}

/// Runs until the input ends, the reader of the output goes, or the session is
/// over for good.
pub(crate) async fn run(arguments: ChatArguments) -> ExitCode {
    let (output, writer) = Output::start();
    let code = match sign_in(&arguments, &output).await {
        Ok((client, session)) => converse(&arguments, client, &session, &output).await,
        Err(failure) => {
            let code = exit_code(&failure);
            let _ = output.put(failure.report()).await;
            code
        }
    };
    drop(output);
    // The thread needs nothing of the runtime, so it may be waited for here.
    let _ = writer.join();
    ExitCode::from(code)
}

impl Failure {
    fn report(self) -> Report {
        let local = |name: &str, text: String| {
            let name = name.to_owned();
            Report::Error(ErrorReport { code: 0, name, text, retry_after_ms: None, id: None })
        };
        match self {
            Self::Sdk(error) => Report::error(&error, None),
            Self::Local(text) => local("invalid_argument", text),
            Self::NoSession => local("timeout", "no session in time".to_owned()),
        }
    }
}

fn exit_code(failure: &Failure) -> u8 {
    match failure {
        Failure::Local(_) => NOT_SIGNED_IN,
        Failure::NoSession => FAILED,
        Failure::Sdk(error) => match error.kind() {
            ErrorKind::SignIn
            | ErrorKind::Refused
            | ErrorKind::Untrusted
            | ErrorKind::InvalidArgument => NOT_SIGNED_IN,
            _ => FAILED,
        },
    }
}

/// Signs in, or up and then in, and waits for the first session.
async fn sign_in(
    arguments: &ChatArguments,
    output: &Output,
) -> Result<(Client, Arc<Session>), Failure> {
    let local = |error: anyhow::Error| Failure::Local(format!("{error:#}"));
    let missing = |flag: &str| Failure::Local(format!("{flag} is needed with --json"));
    let user = arguments.user.as_deref().ok_or_else(|| missing("--user"))?;
    let file = arguments.password_file.as_deref().ok_or_else(|| missing("--password-file"))?;
    let password = link::password(file).map_err(local)?;
    let first = attempt(arguments, output, user, &password, arguments.sign_up).await;
    let taken = |error: &Error| error.code() == Some(Code::NameTaken as u32);
    match first {
        // So that a script can be run twice: the account may be its own.
        Err(Failure::Sdk(error)) if arguments.sign_up && taken(&error) => {
            let second = attempt(arguments, output, user, &password, false).await;
            let wrong = |error: &Error| error.code() == Some(Code::CredentialsWrong as u32);
            match second {
                Err(Failure::Sdk(other)) if wrong(&other) => Err(Failure::Sdk(error)),
                other => other,
            }
        }
        other => other,
    }
}

async fn attempt(
    arguments: &ChatArguments,
    output: &Output,
    user: &str,
    password: &SecretString,
    sign_up: bool,
) -> Result<(Client, Arc<Session>), Failure> {
    let fingerprint = arguments.trust.as_deref().unwrap_or_default();
    let client = link::builder(arguments, &arguments.server, fingerprint)
        .map_err(|error| Failure::Local(format!("{error:#}")))?
        .credentials(user, password.clone())
        .sign_up(sign_up)
        .start()
        .await
        .map_err(Failure::Sdk)?;
    let mut state = client.state();
    let patience = Duration::from_secs(arguments.patience);
    let ready = tokio::time::timeout(patience, first_session(&mut state, output)).await;
    match ready {
        Ok(Ok(session)) => Ok((client, session)),
        Ok(Err(error)) => Err(Failure::Sdk(error)),
        Err(_) => {
            let last = state.borrow().clone();
            client.close().await;
            Err(match last {
                State::Waiting { error, .. } => Failure::Sdk(error),
                _ => Failure::NoSession,
            })
        }
    }
}

/// Reports each state until a session is open.
async fn first_session(
    state: &mut watch::Receiver<State>,
    output: &Output,
) -> Result<Arc<Session>, Error> {
    loop {
        let now = state.borrow_and_update().clone();
        match now {
            State::Ready(session) => return Ok(session),
            State::Closed(Some(error)) => return Err(error),
            other => {
                let _ = output.put(Report::state(&other)).await;
            }
        }
        // The client is held by the caller, so the watch can't end before Closed.
        if state.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Carries commands out until the end; returns the exit code.
async fn converse(
    arguments: &ChatArguments,
    client: Client,
    session: &Session,
    output: &Output,
) -> u8 {
    let patience = Duration::from_secs(arguments.patience);
    let device = link::device(arguments);
    let _ = output.put(Report::ready(session, &device, &arguments.server)).await;
    let names = Names::default();
    let reporter = Reporter::new(client.clone(), &session.user, names.clone(), output.clone());
    let events = tokio::spawn(reporter.run(client.events()));
    let mut worker = Worker::new(client.clone(), names, output.clone(), patience);
    let mut lines = read_lines();
    let mut state = client.state();
    let over = loop {
        tokio::select! {
            line = lines.recv() => match line.map(understand) {
                None | Some(Ok(Some(Command { act: Act::Quit, .. }))) => break None,
                Some(Ok(None)) => {}
                Some(Ok(Some(command))) => worker.perform(command).await,
                Some(Err(refusal)) => drop(output.put(refusal.into()).await),
            },
            error = closed(&mut state) => break Some(error),
            () = output.reader_gone() => break None,
        }
    };
    if let Some(error) = over {
        let failed = worker.finish().await;
        let _ = events.await;
        // Closed without an error: the account was deleted, as it was asked for.
        let Some(failure) = error.map(Failure::Sdk) else { return u8::from(failed) * FAILED };
        let code = exit_code(&failure);
        let _ = output.put(failure.report()).await;
        return code;
    }
    let left = client.drain(patience).await.unwrap_or(0);
    let failed = worker.finish().await;
    let _ = events.await;
    if left == 0 && !failed { 0 } else { FAILED }
}

/// Waits until the client is over; returns why, when it says so.
async fn closed(state: &mut watch::Receiver<State>) -> Option<Error> {
    match state.wait_for(State::is_closed).await.as_deref() {
        Ok(State::Closed(error)) => error.clone(),
        _ => None,
    }
}

fn understand(line: Line) -> Result<Option<Command>, Refusal> {
    match line {
        Line::Whole(line) => Command::parse(&line),
        Line::TooLong => Err(Refusal {
            code: Code::BodyTooLarge,
            text: format!("a line has at most {LINE_BYTES} bytes"),
            id: None,
        }),
    }
}

/// Reads standard input on a thread of its own; its end ends the channel.
fn read_lines() -> mpsc::Receiver<Line> {
    let (sender, receiver) = mpsc::channel(INPUT_LINES);
    std::thread::spawn(move || {
        let mut input = BufReader::new(std::io::stdin().lock());
        while let Ok(Some(line)) = lines::next(&mut input, LINE_BYTES) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    receiver
}
