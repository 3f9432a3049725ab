//! Requests of three people, one after the other, against the list of what was
//! acknowledged: seqs are dense, a repeat gets the first answer, everybody
//! reads the same and only what is theirs, what was deleted is gone, a crash
//! changes nothing of that, and no request is answered with a fault of ours.

use arbitrary::Arbitrary;
use bytes::Bytes;
use parley_protocol::wire::client_envelope::Kind as Ask;
use parley_protocol::wire::server_envelope::Kind as Answer;
use parley_protocol::wire::{self, Failure};
use parley_protocol::{Code, UserId};

use super::ask::{Known, Request};
use super::truth::Truth;
use super::{Person, Server};
use crate::program::{Blob, steps};

/// More of them find nothing that fewer don't, and take long.
const STEPS: usize = 150;
const CRASHES: usize = 2;

#[derive(Debug, Arbitrary)]
enum Step {
    Ask { who: u8, request: Request },
    Raw { who: u8, bytes: Blob },
    Crash,
}

/// Bytes read as a list of steps.
pub fn requests(data: &[u8]) {
    let server = Server::new();
    let people = server.people();
    let users = people.iter().map(|person| person.identity.user).collect();
    let mut world = World {
        server,
        people,
        users,
        conversations: Vec::new(),
        links: Vec::new(),
        truth: Truth::default(),
        crashes: 0,
    };
    for step in steps::<Step>(data).take(STEPS) {
        match step {
            Step::Ask { who, request } => world.ask(who, request),
            Step::Raw { who, bytes } => world.raw(who, &bytes.0),
            Step::Crash if world.crashes < CRASHES => {
                world.crashes += 1;
                world.server.crash();
            }
            Step::Crash => {}
        }
    }
    world.read_everything();
}

struct World {
    server: Server,
    people: Vec<Person>,
    users: Vec<UserId>,
    conversations: Vec<Bytes>,
    links: Vec<(Bytes, String)>,
    truth: Truth,
    crashes: usize,
}

impl World {
    fn ask(&mut self, who: u8, request: Request) {
        let truth = &self.truth;
        let known = Known {
            people: &self.users,
            conversations: &self.conversations,
            links: &self.links,
            ordinal: &|conversation, seq| truth.ordinal(conversation, seq),
        };
        let ask = known.ask(request);
        let who = usize::from(who) % self.people.len();
        let answer = self.server.ask(&self.people[who].identity, ask.clone());
        self.judge(who, &ask, answer);
    }

    /// Any bytes. What they do isn't followed, so they may change nothing that is.
    fn raw(&mut self, who: u8, bytes: &[u8]) {
        use parley_protocol::Message as _;
        let decoded = wire::ClientEnvelope::decode(bytes);
        if let Ok(wire::ClientEnvelope {
            kind: Some(Ask::Send(_) | Ask::SetPreferences(_) | Ask::Hide(_)),
            ..
        }) = decoded
        {
            return;
        }
        let who = usize::from(who) % self.people.len();
        let bytes = Bytes::copy_from_slice(bytes);
        match (self.server.answer(&self.people[who].identity, bytes), decoded) {
            (Ok(answer), Ok(asked)) => assert_eq!(answer.request, asked.request),
            (Err(unanswered), _) => {
                let blame = unanswered.code;
                assert!(!matches!(blame, Code::Internal | Code::StorageFailed), "{blame}");
            }
            (Ok(answer), Err(error)) => panic!("{error}, and yet the answer is {answer:?}"),
        }
    }

    /// What an answer must be, given all before it.
    fn judge(&mut self, who: usize, ask: &Ask, answer: Answer) {
        let identity = &self.people[who].identity;
        let (user, device) = (identity.user, identity.device);
        if let Answer::Failure(Failure { code, .. }) = &answer {
            let code = Code::from_number(*code);
            let ours = [Code::Internal, Code::StorageFailed, Code::Overloaded, Code::Draining];
            assert!(code.is_some_and(|code| !ours.contains(&code)), "{code:?} for {ask:?}");
            return;
        }
        match (ask, answer) {
            (Ask::Send(send), Answer::Sent(sent)) => {
                if !self.conversations.contains(&sent.conversation) {
                    self.conversations.push(sent.conversation.clone());
                }
                self.truth.sent(user, device, send, &sent);
            }
            (Ask::Fetch(fetch), Answer::Fetched(page)) => self.truth.fetched(user, fetch, &page),
            (Ask::Describe(_), Answer::Described(what)) => self.truth.described(user, &what),
            (Ask::Sync(_), Answer::Changes(changes)) => self.truth.changes(user, &changes),
            (Ask::Hide(hide), Answer::Changed(_)) => self.truth.hidden(user, hide),
            (Ask::SetPreferences(set), Answer::Changed(_)) => {
                if let Some(up_to) = set.cleared_up_to {
                    self.truth.cleared(user, &set.conversation, up_to);
                }
            }
            (Ask::Invites(_), Answer::InviteLinks(list)) => {
                for link in list.links {
                    if !self.links.iter().any(|(id, _)| *id == link.id) {
                        self.links.push((link.id, link.code));
                    }
                }
            }
            (Ask::PeekInvite(_), Answer::InvitePreview(_))
            | (Ask::Hidden(_), Answer::HiddenSeqs(_))
            | (Ask::Receipts(_), Answer::ReceiptList(_))
            | (Ask::Typing(_), Answer::Typed(_))
            | (Ask::Subscribe(_), Answer::Subscribed(_))
            | (Ask::GetProfile(_), Answer::Profile(_))
            | (Ask::GetAccount(_), Answer::AccountState(_))
            | (Ask::UpdateAccount(_), Answer::AccountChanged(_))
            | (Ask::Lookup(_), Answer::Found(_))
            | (Ask::Report(_), Answer::Reported(_)) => {}
            (ask, answer) => panic!("{answer:?} answers no {ask:?}"),
        }
    }

    /// Everybody reads all that is theirs, page by page.
    fn read_everything(&mut self) {
        for who in 0..self.people.len() {
            let identity = self.people[who].identity.clone();
            for (conversation, above, to) in self.truth.readable(identity.user) {
                let mut after = 0;
                while after < to.max(above) {
                    let from = Some(wire::fetch::From::AfterSeq(after));
                    let fetch = wire::Fetch { conversation: conversation.clone(), from, limit: 5 };
                    let answer = self.server.ask(&identity, Ask::Fetch(fetch.clone()));
                    let Answer::Fetched(page) = &answer else { panic!("{answer:?} to {fetch:?}") };
                    let read = page.entries.len() as u64;
                    assert!(page.at_end || read > 0, "a page without an end or entries");
                    after = after.max(above) + read;
                    assert_eq!(page.at_end, after >= to, "at {after} of {to}");
                    self.judge(who, &Ask::Fetch(fetch), answer);
                }
            }
        }
    }
}
