//! Drives the terminal client: keys and the client's events go into the app,
//! its effects are carried out, the screen is drawn.
//!
//! One loop owns the app. What takes time is a task that puts its answer into
//! one bounded queue. Dropping [`Screen`] restores the terminal as it was,
//! also on an error and on a panic.

use std::io::{self, Stdout, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use crossterm::event::{self, EventStream};
use crossterm::{cursor, execute, terminal};
use futures_util::{FutureExt as _, StreamExt as _};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{Interval, MissedTickBehavior};

use super::app::form::{Form, Purpose};
use super::app::{App, Effect, Input};
use super::clock::{Zone, now_ms};
use super::session::Session;
use super::{link, view};
use crate::arguments::ChatArguments;

/// How often countdowns and the reading time are looked at.
const TICK: Duration = Duration::from_millis(250);

/// Inputs taken before the screen is drawn again.
const BATCH: usize = 256;

/// Answers of tasks that wait for the loop.
const ANSWERS: usize = 64;

/// How long quitting waits for unsent messages.
const QUIT_PATIENCE: Duration = Duration::from_secs(5);

/// Runs the client until it is quit.
pub(crate) async fn run(arguments: ChatArguments) -> anyhow::Result<ExitCode> {
    let mut seed = [0; 16];
    getrandom::fill(&mut seed).context("no random numbers")?;
    let (form, complete) = form(&arguments)?;
    let mut screen = Screen::open().context("cannot use this terminal; try --json")?;
    let mut app = App::new(form, terminal::size()?, Zone::local(), seed);
    let (answers, waiting) = mpsc::channel(ANSWERS);
    let mut session = Session::new(arguments, answers);
    let first = complete.then(|| Input::Key(event::KeyCode::Enter.into()));
    converse(&mut app, &mut session, &mut screen, waiting, first).await?;
    app.say("sending what is left…");
    screen.draw(&app)?;
    let left = session.finish(QUIT_PATIENCE).await;
    drop(screen);
    if left > 0 {
        eprintln!("parley: {left} messages were not sent");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// The sign-in form with what the command line knows, and whether that is all.
fn form(arguments: &ChatArguments) -> anyhow::Result<(Form, bool)> {
    let purpose = if arguments.sign_up { Purpose::SignUp } else { Purpose::SignIn };
    let user = arguments.user.as_deref().unwrap_or_default();
    let fingerprint = arguments.trust.as_deref().unwrap_or_default();
    let mut form = Form::new(&arguments.server, fingerprint, user, purpose);
    if let Some(path) = &arguments.password_file {
        form.give_password(link::password(path)?);
    }
    Ok((form, arguments.password_file.is_some() && !user.is_empty()))
}

/// The loop: ends when the app quits or the terminal goes.
async fn converse(
    app: &mut App,
    session: &mut Session,
    screen: &mut Screen,
    answers: mpsc::Receiver<Input>,
    first: Option<Input>,
) -> anyhow::Result<()> {
    let mut inputs = Inputs::new(answers)?;
    let mut next = first;
    let mut stale = true;
    loop {
        if std::mem::take(&mut stale) {
            screen.draw(app)?;
        }
        let mut input = match next.take() {
            Some(first) => Some(first),
            None => inputs.next(session).await,
        };
        // What has gathered meanwhile is taken before the next drawing.
        for _ in 0..BATCH {
            let Some(taken) = input else { return Ok(()) };
            stale |= !matches!(taken, Input::Tick) || app.shows_time();
            if !take(app, session, screen, taken).await? {
                return Ok(());
            }
            match inputs.next(session).now_or_never() {
                Some(more) => input = more,
                None => break,
            }
        }
    }
}

/// Takes one input; false when the app quits.
async fn take(
    app: &mut App,
    session: &mut Session,
    screen: &mut Screen,
    input: Input,
) -> io::Result<bool> {
    if let Input::Event(event) = &input
        && session.tries_again(event).await
    {
        return Ok(true);
    }
    for effect in app.update(input, now_ms()) {
        match effect {
            Effect::Quit => return Ok(false),
            Effect::Redraw => screen.clear()?,
            effect => session.perform(effect).await,
        }
    }
    Ok(true)
}

/// Everything that wakes the loop.
struct Inputs {
    keys: EventStream,
    answers: mpsc::Receiver<Input>,
    ticks: Interval,
    terminate: Signal,
    hang_up: Signal,
}

impl Inputs {
    fn new(answers: mpsc::Receiver<Input>) -> io::Result<Self> {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Ok(Self {
            keys: EventStream::new(),
            answers,
            ticks,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// The next input, or `None` when the program is to end. Cancel safe.
    async fn next(&mut self, session: &mut Session) -> Option<Input> {
        tokio::select! {
            key = self.keys.next() => key_input(key),
            Some(answer) = self.answers.recv() => Some(answer),
            event = session.next_event() => Some(Input::Event(event)),
            _ = self.ticks.tick() => Some(Input::Tick),
            _ = self.terminate.recv() => None,
            _ = self.hang_up.recv() => None,
        }
    }
}

/// `None` when the terminal is gone.
fn key_input(key: Option<io::Result<event::Event>>) -> Option<Input> {
    Some(match key?.ok()? {
        event::Event::Key(key) => Input::Key(key),
        event::Event::Paste(text) => Input::Paste(text),
        event::Event::Resize(columns, rows) => Input::Resize(columns, rows),
        event::Event::FocusGained => Input::Focus(true),
        event::Event::FocusLost => Input::Focus(false),
        event::Event::Mouse(_) => Input::Tick,
    })
}

/// The terminal while it is ours.
struct Screen(Terminal<CrosstermBackend<Stdout>>);

impl Screen {
    fn open() -> io::Result<Self> {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            give_back();
            before(panic);
        }));
        terminal::enable_raw_mode()?;
        let opened = execute!(
            io::stdout(),
            terminal::EnterAlternateScreen,
            event::EnableBracketedPaste,
            event::EnableFocusChange,
        );
        let screen = opened.and_then(|()| Terminal::new(CrosstermBackend::new(io::stdout())));
        screen.map(Self).inspect_err(|_| give_back())
    }

    fn draw(&mut self, app: &App) -> io::Result<()> {
        self.0.draw(|frame| view::draw(app, frame)).map(|_| ())
    }

    fn clear(&mut self) -> io::Result<()> {
        self.0.clear()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Restores the terminal. Whatever fails of it, the rest is still tried.
fn give_back() {
    let mut stdout = io::stdout();
    let _ = execute!(stdout, event::DisableFocusChange, event::DisableBracketedPaste);
    let _ = execute!(stdout, terminal::LeaveAlternateScreen, cursor::Show);
    let _ = terminal::disable_raw_mode();
    let _ = stdout.flush();
}
