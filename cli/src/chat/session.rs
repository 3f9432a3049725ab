//! The client behind the terminal: carries out the app's effects.
//!
//! What takes time runs as a task and answers with an [`Input`]. The tasks are
//! few: the app asks for one load per conversation and one look-up at a time;
//! sends go through one bounded queue, so that their order holds.

use std::time::Duration;

use parley_client::{
    Action, Client, ClientMessageId, Code, ConversationId, Entry, Event, Events, HistoryPage,
    NewMessage, Range, State, To,
};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::act::Act;
use super::act::perform::{Done, Fault, Performer};
use super::app::form::{Credentials, Purpose};
use super::app::{Effect, Input};
use super::link;
use super::report::{Names, Report};
use crate::arguments::ChatArguments;

/// Entries looked at for a preview, one page after the other.
const PEEKED: [u32; 4] = [20, 100, 200, 200];

/// Messages that wait for room in the client's outbox.
const SENDS: usize = 256;

/// Entries asked for at a time.
const PAGE: u32 = 100;

/// A signed-in client, or none.
pub(super) struct Session {
    arguments: ChatArguments,
    answers: mpsc::Sender<Input>,
    open: Option<Open>,
    /// The command line's account is taken: perhaps by this very user.
    second_try: Option<Credentials>,
}

struct Open {
    client: Client,
    names: Names,
    events: Events,
    sends: mpsc::Sender<(ClientMessageId, To, NewMessage)>,
    passing_on: JoinHandle<()>,
}

impl Session {
    pub(super) fn new(arguments: ChatArguments, answers: mpsc::Sender<Input>) -> Self {
        Self { arguments, answers, open: None, second_try: None }
    }

    /// The client's next event; waits for ever without a client. Cancel safe.
    pub(super) async fn next_event(&mut self) -> Event {
        loop {
            let event = match &mut self.open {
                Some(open) => open.events.next().await,
                None => std::future::pending().await,
            };
            match event {
                Some(event) => return event,
                None => self.open = None,
            }
        }
    }

    /// Whether the event says that the command line's account exists already;
    /// then it signs in instead of up, and the app needn't know.
    pub(super) async fn tries_again(&mut self, event: &Event) -> bool {
        let Event::StateChanged(State::Closed(Some(error))) = event else { return false };
        let taken = error.code() == Some(Code::NameTaken as u32);
        let Some(credentials) = self.second_try.take().filter(|_| taken) else { return false };
        self.sign_in(credentials).await;
        true
    }

    /// Carries out an effect of the app, except those of the screen.
    pub(super) async fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::SignIn(credentials) => {
                let by_flag = self.arguments.sign_up && credentials.purpose == Purpose::SignUp;
                // Once: what is typed into the form afterwards is meant as it is.
                self.arguments.sign_up = false;
                self.second_try = by_flag
                    .then(|| Credentials { purpose: Purpose::SignIn, ..credentials.clone() });
                self.sign_in(credentials).await;
            }
            Effect::Disconnect => {
                if let Some(open) = self.open.take() {
                    tokio::spawn(async move { open.client.close().await });
                }
            }
            Effect::Send { id, to, message } => self.send(id, to, message),
            Effect::Do { act, quietly } => self.carry_out(*act, quietly),
            Effect::List => {
                self.ask(
                    |client| async move { client.conversations().await.ok().map(Input::List) },
                );
            }
            Effect::Load { room, ticket, conversation, range } => {
                self.ask(move |client| async move {
                    let page = client.history(conversation, range, PAGE).await;
                    let result = page.map_err(|error| error.to_string());
                    Some(Input::Page { room, ticket, result })
                });
            }
            Effect::Peek { conversation } => self.ask(move |client| async move {
                peek(&client, conversation).await.map(Input::Peeked)
            }),
            Effect::Find { name } => self.ask(|client| async move {
                let result = client.find_user(&name).await.map_err(|error| match error.code() {
                    Some(code) if code == Code::NotFound as u32 => {
                        "there is no user of this name".to_owned()
                    }
                    _ => error.to_string(),
                });
                Some(Input::Found { name, result })
            }),
            Effect::MarkRead { conversation, up_to } => self.ask(move |client| async move {
                // Said later by itself when it can't be said now.
                let _ = client.mark_read(conversation, up_to).await;
                None
            }),
            Effect::Describe { conversation } => self.ask(move |client| async move {
                client.describe(conversation).await.ok().map(Input::Described)
            }),
            Effect::Watch { user, on } => self.ask(move |client| async move {
                if on {
                    return client.subscribe_presence(&[user]).await.ok().map(Input::Present);
                }
                let _ = client.unsubscribe_presence(&[user]).await;
                None
            }),
            Effect::Typing { conversation, active } => self.ask(move |client| async move {
                // Gone when it can't be said now.
                let _ = client.typing(conversation, active).await;
                None
            }),
            Effect::Background(background) => self.ask(move |client| async move {
                let _ = client.set_background(background).await;
                None
            }),
            Effect::Reconnect => self.ask(|client| async move {
                let _ = client.force_reconnect().await;
                None
            }),
            Effect::Redraw | Effect::Quit => {}
        }
    }

    /// Sends what is queued, for at most `patience`, and closes. Returns how many
    /// messages were left and will not be sent by the next start either.
    pub(super) async fn finish(mut self, patience: Duration) -> usize {
        let Some(open) = self.open.take() else { return 0 };
        // The queue in front of the outbox empties first: its task ends then.
        drop(open.sends);
        let _ = tokio::time::timeout(patience, open.passing_on).await;
        let left = open.client.drain(patience).await.unwrap_or(0);
        if self.arguments.store.is_some() { 0 } else { left }
    }

    async fn sign_in(&mut self, credentials: Credentials) {
        let Credentials { server, fingerprint, name, password, purpose } = credentials;
        let started = match link::builder(&self.arguments, &server, &fingerprint) {
            Ok(builder) => builder
                .credentials(name, password)
                .sign_up(purpose == Purpose::SignUp)
                .start()
                .await
                .map_err(|error| error.to_string()),
            Err(error) => Err(format!("{error:#}")),
        };
        match started {
            Ok(client) => {
                let (sends, waiting) = mpsc::channel(SENDS);
                let passing_on =
                    tokio::spawn(pass_on(client.clone(), waiting, self.answers.clone()));
                let (events, names) = (client.events(), Names::default());
                self.open = Some(Open { client, names, events, sends, passing_on });
            }
            Err(reason) => self.answer(Input::SignInFailed(reason)),
        }
    }

    fn send(&self, id: ClientMessageId, to: To, message: NewMessage) {
        let queued = match &self.open {
            Some(open) => open.sends.try_send((id.clone(), to, message)).is_ok(),
            None => false,
        };
        if !queued {
            let reason = "too many messages wait already".to_owned();
            self.answer(Input::NotQueued { id, reason });
        }
    }

    /// Carries a command out as a task; its answer says what came of it.
    fn carry_out(&self, act: Act, quietly: bool) {
        let Some(open) = &self.open else { return };
        let names = open.names.clone();
        self.ask(move |client| async move {
            let done = outcome(&Performer { client, names }, act).await;
            (!quietly || done.is_err()).then_some(Input::Done(done))
        });
    }

    /// Runs a question to the client as a task.
    fn ask<F>(&self, question: impl FnOnce(Client) -> F)
    where
        F: Future<Output = Option<Input>> + Send + 'static,
    {
        let Some(open) = &self.open else { return };
        let (asked, answers) = (question(open.client.clone()), self.answers.clone());
        tokio::spawn(async move {
            if let Some(answer) = asked.await {
                let _ = answers.send(answer).await;
            }
        });
    }

    fn answer(&self, input: Input) {
        // The loop that takes answers is the caller: waiting here for room would
        // be waiting for itself.
        let answers = self.answers.clone();
        tokio::spawn(async move { answers.send(input).await });
    }
}

/// Passes messages to the outbox, one after the other.
async fn pass_on(
    client: Client,
    mut waiting: mpsc::Receiver<(ClientMessageId, To, NewMessage)>,
    answers: mpsc::Sender<Input>,
) {
    while let Some((id, to, message)) = waiting.recv().await {
        let sent = client.submit(to, Action::Text(message), Some(id.clone())).await;
        if let Err(error) = sent {
            let reason = error.to_string();
            let _ = answers.send(Input::NotQueued { id, reason }).await;
        }
    }
}

/// What came of a command, after the server answered what became an entry.
async fn outcome(performer: &Performer, act: Act) -> Result<Vec<Report>, String> {
    match performer.perform(act, None).await {
        Ok(Done::Answer(report)) => Ok(vec![report]),
        Ok(Done::Answers(reports)) => Ok(reports),
        Ok(Done::Queued(queued)) => match queued.answer(performer).await {
            Ok(report) => Ok(vec![report]),
            Err(error) => Err(error.to_string()),
        },
        Err(Fault::Refused { text, .. }) => Err(text),
        Err(Fault::Sdk(error)) => Err(error.to_string()),
    }
}
/// The newest page that has something to show in it, as far as it is looked for: the
/// newest entries may be what is done to messages, or erased.
async fn peek(client: &Client, conversation: ConversationId) -> Option<HistoryPage> {
    let shows = |entry: &Entry| match entry {
        Entry::Message(message) => !message.deleted || message.expires_ms.is_none(),
        Entry::Change(_) => true,
        _ => false,
    };
    let mut range = Range::Latest;
    for limit in PEEKED {
        let page = client.history(conversation, range, limit).await.ok()?;
        let first = page.entries.first().map_or(0, Entry::seq);
        if first <= 1 || page.at_start || page.entries.iter().any(shows) {
            return Some(page);
        }
        range = Range::Before(first);
    }
    None
}
