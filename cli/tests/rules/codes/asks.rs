//! Every listed code of every request, over one session each.

use bytes::Bytes;
use parley_protocol::wire::update_account::Change;
use parley_protocol::wire::{self, ConversationSettings, EntryKind, fetch, invites, send};
use parley_protocol::{Code, ConversationId, UserId, limits};

use super::book::Book;
use super::{small, strict, table};
use crate::common::asks;
use crate::common::http::Kept;
use crate::common::session::{Ask, Said, Session, envelope, hello, send_into, send_to};
use crate::common::{Api, Connection, Person, Ready, Transport, text_body};

type Requests = Book<String>;

fn name(ask: &Ask) -> String {
    let name = match ask {
        Ask::Hello(_) => "Hello",
        Ask::Ping(_) => "Ping",
        Ask::Send(_) => "Send",
        Ask::Fetch(_) => "Fetch",
        Ask::Delivered(_) => "Delivered",
        Ask::Read(_) => "Read",
        Ask::Sync(_) => "Sync",
        Ask::Lookup(_) => "Lookup",
        Ask::Describe(_) => "Describe",
        Ask::Goodbye(_) => "Goodbye",
        Ask::Receipts(_) => "Receipts",
        Ask::Typing(_) => "Typing",
        Ask::Subscribe(_) => "Subscribe",
        Ask::SetPreferences(_) => "SetPreferences",
        Ask::Hide(_) => "Hide",
        Ask::Hidden(_) => "Hidden",
        Ask::Invites(_) => "Invites",
        Ask::PeekInvite(_) => "PeekInvite",
        Ask::GetProfile(_) => "GetProfile",
        Ask::GetAccount(_) => "GetAccount",
        Ask::UpdateAccount(_) => "UpdateAccount",
        Ask::Report(_) => "Report",
    };
    name.to_owned()
}

impl Requests {
    async fn ask(&mut self, by: &mut Session, ask: Ask) -> Said {
        let name = name(&ask);
        let said = by.ask(ask).await.unwrap_or_else(|ended| panic!("{name}: {ended}"));
        self.take(&name, &said);
        said
    }

    fn take(&mut self, name: &String, said: &Said) {
        if let Said::Failure(failure) = said {
            let code = Code::from_number(failure.code).expect("a code of the table");
            self.note(name, code);
        }
    }

    /// Asks under the number 0; the refusal comes under it too.
    async fn ask_unnumbered(&mut self, by: &mut Session, ask: Ask) {
        let name = name(&ask);
        by.wire.write(&[envelope(0, ask)]).await.unwrap();
        loop {
            let said = by.wire.read().await.unwrap_or_else(|ended| panic!("{name}: {ended}"));
            let kind = said.kind.expect("a known kind");
            if matches!(kind, Said::Failure(_)) {
                assert_eq!(said.request, 0, "{name}");
                return self.take(&name, &kind);
            }
        }
    }
}

fn nowhere() -> ConversationId {
    ConversationId::new([9; 16])
}

fn nobody() -> UserId {
    UserId::new([9; 16])
}

/// Everything that names a conversation, with a number of a message in it.
fn about(id: &ConversationId, seq: u64, unique: &str) -> Vec<Ask> {
    use fetch::From;
    vec![
        send_into(id, &format!("{unique}-t"), "hi"),
        asks::edit(id, &format!("{unique}-e"), seq, "other"),
        asks::react(id, &format!("{unique}-r"), seq, "x"),
        asks::pin(id, &format!("{unique}-p"), seq, true),
        asks::title(id, &format!("{unique}-n"), "title"),
        asks::to_everyone(id, &format!("{unique}-m"), "hi"),
        asks::delete(id, &format!("{unique}-d"), seq, 77),
        asks::fetch(id, From::AfterSeq(0), 0),
        asks::fetch(id, From::AroundTimeMs(1), 0),
        asks::fetch(id, From::MentionsBefore(seq), 0),
        asks::fetch(id, From::Pinned(true), 0),
        asks::fetch(id, From::EditsOf(seq), 0),
        asks::delivered(id, seq),
        asks::read(id, seq),
        asks::describe(id),
        asks::receipts(id, seq),
        asks::typing(id),
        asks::prefer(id, |set| set.cleared_up_to = Some(seq)),
        asks::prefer(id, |set| set.archived = Some(true)),
        asks::hide(id, &[seq]),
        asks::hidden(id, 0),
        asks::invites(id, invites::Act::List(true)),
        asks::invites(id, invites::Act::Revoke(Bytes::from_static(&[1; 8]))),
        asks::report(&nobody(), Some(id), &[seq]),
    ]
}

/// One of each whose answer is the point, in good form.
fn answered(id: &ConversationId) -> Vec<Ask> {
    vec![
        send_into(id, "n", "hi"),
        asks::fetch(id, fetch::From::AfterSeq(0), 0),
        asks::sync(0),
        asks::look_up("ann"),
        asks::describe(id),
        asks::receipts(id, 1),
        asks::subscribe(&[nobody()], false),
        asks::prefer(id, |set| set.archived = Some(true)),
        asks::hide(id, &[1]),
        asks::hidden(id, 0),
        asks::invites(id, invites::Act::List(true)),
        asks::peek("code"),
        asks::profile_of(&nobody()),
        Ask::GetAccount(wire::GetAccount {}),
        asks::block(&nobody()),
        asks::report(&nobody(), None, &[]),
    ]
}

fn malformed() -> Vec<Ask> {
    vec![
        Ask::Send(wire::Send::default()),
        Ask::Fetch(wire::Fetch::default()),
        Ask::Delivered(wire::Delivered::default()),
        Ask::Read(wire::Read::default()),
        Ask::Lookup(wire::Lookup::default()),
        Ask::Typing(wire::Typing::default()),
        Ask::GetProfile(wire::GetProfile::default()),
        Ask::UpdateAccount(wire::UpdateAccount::default()),
        Ask::Report(wire::Report::default()),
        Ask::Invites(wire::Invites::default()),
        Ask::PeekInvite(wire::PeekInvite::default()),
    ]
}

#[tokio::test]
async fn each_request_is_refused_with_what_its_row_lists_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let server = small(&folder.path().join("data")).start().await;
    let ready = &server.ready;
    let api = Api::plain(ready);
    let mut book = Book::new(table::requests());
    let (ann, ben) = (api.sign_up("ann", "a").await, api.sign_up("ben", "b").await);
    let (cat, dan) = (api.sign_up("cat", "c").await, api.sign_up("dan", "d").await);
    let mut sessions = Vec::new();
    for person in [&ann, &ben, &cat, &dan] {
        sessions.push(Session::open(ready, Transport::Tls, person).await);
    }

    // A group that cat left, and a 1:1.
    let made =
        asks::new_group("g", "group", ConversationSettings::default(), &[ben.user, cat.user]);
    let Said::Sent(sent) = book.ask(&mut sessions[0], made).await else { panic!() };
    let group = ConversationId::from_slice(&sent.conversation).unwrap();
    let Said::Sent(first) = book.ask(&mut sessions[0], send_into(&group, "1", "hi")).await else {
        panic!()
    };
    book.ask(&mut sessions[2], asks::leave(&group, "bye")).await;
    let sent = sessions[0].say(&ben, "d1", "hi").await;
    let direct = ConversationId::from_slice(&sent.conversation).unwrap();

    // Everybody asks everything about every conversation.
    for (place, id) in [&group, &direct, &nowhere()].into_iter().enumerate() {
        for (who, session) in sessions.iter_mut().enumerate() {
            for seq in [0, 1, first.seq, 999] {
                for ask in about(id, seq, &format!("{place}{who}{seq}")) {
                    book.ask(session, ask).await;
                }
            }
        }
    }
    let ann_session = &mut sessions[0];
    for ask in malformed() {
        book.ask(ann_session, ask).await;
    }
    for ask in answered(&direct) {
        book.ask_unnumbered(ann_session, ask).await;
    }
    for ask in [
        asks::look_up("nobody"),
        asks::look_up_id(&nobody()),
        asks::profile_of(&nobody()),
        asks::peek("nothing"),
        asks::join("nothing", "j"),
        asks::report(&nobody(), None, &[]),
        asks::update(Change::AddContact(nobody().to_wire())),
        asks::text_to(&nobody(), "no", "hi"),
    ] {
        book.ask(ann_session, ask).await;
    }
    sends(&mut book, ann_session, &direct, &[ben.user, cat.user, dan.user]).await;
    // Cat takes nothing from ann.
    book.ask(&mut sessions[2], asks::block(&ann.user)).await;
    book.ask(&mut sessions[0], asks::text_to(&cat.user, "c1", "hi")).await;
    full_lists(&mut book, ready, &mut sessions[0], &group).await;
    unknown(&mut book, &mut sessions[3]).await;
    hellos(&mut book, ready, &dan).await;
    drop(sessions);
    rates(&mut book).await;
    book.close();
}

async fn sends(book: &mut Requests, by: &mut Session, id: &ConversationId, people: &[UserId]) {
    let raw = |kind: u32, body: Bytes| {
        Ask::Send(wire::Send {
            to: Some(send::To::Conversation(id.to_wire())),
            client_message_id: Bytes::from_static(b"raw"),
            kind,
            body,
        })
    };
    book.ask(by, raw(EntryKind::Text as u32, text_body(""))).await;
    let long = "x".repeat(limits::TEXT_CHARS as usize + 1);
    book.ask(by, raw(EntryKind::Text as u32, text_body(&long))).await;
    book.ask(by, raw(1, vec![0; limits::BODY_BYTES + 1].into())).await;
    book.ask(by, raw(99, Bytes::new())).await;
    book.ask(by, send_into(id, "same", "one")).await;
    book.ask(by, send_into(id, "same", "other")).await;
    let crowd = asks::new_group("crowd", "crowd", ConversationSettings::default(), people);
    book.ask(by, crowd).await;
}

/// As many as there may be, and one more.
async fn full_lists(book: &mut Requests, ready: &Ready, by: &mut Session, group: &ConversationId) {
    let Said::Sent(target) = book.ask(by, send_into(group, "liked", "hi")).await else { panic!() };
    for n in 0..=limits::REACTIONS {
        book.ask(by, asks::react(group, &format!("like{n}"), target.seq, &n.to_string())).await;
    }
    for _ in 0..=limits::INVITES {
        book.ask(by, asks::invites(group, invites::Act::Create(wire::NewInvite::default()))).await;
    }
    let ids = |from: u8| -> Vec<UserId> {
        (0..limits::SUBSCRIPTIONS)
            .map(|n| {
                let [high, low] = u16::try_from(n).unwrap().to_be_bytes();
                let mut id = [from; 16];
                (id[14], id[15]) = (high, low);
                UserId::new(id)
            })
            .collect()
    };
    book.ask(by, asks::subscribe(&ids(1), false)).await;
    book.ask(by, asks::subscribe(&ids(2), false)).await;

    // Notes to oneself, all of them hidden.
    let own = UserId::from_slice(&by.welcome.user).unwrap();
    let mut notes = None;
    for page in 0..=limits::HIDDEN_SEQS / 250 {
        let notes_of = (0..250).map(|n| send_to(&own, &format!("note{page}.{n}"), "x")).collect();
        let Said::Sent(sent) = by.ask_all(notes_of).await.unwrap().remove(0) else { panic!() };
        notes = Some(ConversationId::from_slice(&sent.conversation).unwrap());
    }
    let notes = notes.unwrap();
    for page in 0..=(limits::HIDDEN_SEQS / limits::HIDE_SEQS) as u64 {
        let first = page * limits::HIDE_SEQS as u64 + 1;
        // The last page is of one.
        let seqs: Vec<_> = (first..first + limits::HIDE_SEQS as u64)
            .take_while(|seq| *seq <= limits::HIDDEN_SEQS as u64 + 1)
            .collect();
        book.ask(by, asks::hide(&notes, &seqs)).await;
    }

    let crowd = crowd(ready, limits::CONTACTS + 1).await;
    let changes = crowd.iter().map(|user| asks::update(Change::AddContact(user.to_wire())));
    for said in by.ask_all(changes.collect()).await.unwrap() {
        book.take(&"UpdateAccount".to_owned(), &said);
    }
}

/// So many people, signed up one after another.
pub(super) async fn crowd(ready: &Ready, count: usize) -> Vec<UserId> {
    let mut kept = Kept::new(ready);
    let mut people = Vec::with_capacity(count);
    for n in 0..count {
        let body = crate::common::http::credentials(&format!("crowd{n}"), "password", "d");
        let request = hyper::Request::post("/v1/accounts")
            .header(hyper::header::HOST, "localhost")
            .header(hyper::header::CONTENT_TYPE, "application/json")
            .body(Bytes::from(serde_json::to_vec(&body).unwrap()).into())
            .unwrap();
        let signed_in: parley_protocol::http::SignedIn = kept.request(request).await.json();
        people.push(signed_in.user_id.parse().unwrap());
    }
    people
}

/// A kind that this server doesn't know: field 1000.
async fn unknown(book: &mut Requests, by: &mut Session) {
    by.wire.write_body(&[0x08, 0x07, 0xc2, 0x3e, 0x00]).await.unwrap();
    loop {
        let said = by.wire.read().await.unwrap();
        if said.request == 7 {
            return book.take(&String::new(), &said.kind.unwrap());
        }
    }
}

async fn hellos(book: &mut Requests, ready: &Ready, person: &Person) {
    let good = hello(&person.token, 0);
    let cases = [
        wire::Hello { version_min: 7, version_max: 9, ..good.clone() },
        wire::Hello { token: vec![1; 32].into(), ..good.clone() },
        wire::Hello { client_name: "x".repeat(limits::CLIENT_NAME_BYTES + 1), ..good.clone() },
    ];
    for case in cases {
        let wire = Connection::open(ready, Transport::Tls).await.unwrap();
        let Err(ended) = Session::over(wire, case).await else { panic!("it was let in") };
        book.note(&"Hello".to_owned(), ended.code().expect("a code"));
    }
    let mut open = Vec::new();
    for _ in 0..=limits::SESSIONS {
        match Session::resume(ready, Transport::WebSocket, person, 0).await {
            Ok(session) => open.push(session),
            Err(ended) => book.note(&"Hello".to_owned(), ended.code().expect("a code")),
        }
    }
}

/// Once, and once more.
async fn rates(book: &mut Requests) {
    let folder = tempfile::tempdir().unwrap();
    let server = strict(&folder.path().join("data")).start().await;
    let api = Api::plain(&server.ready);
    let ann = api.sign_up("ann", "a").await;
    let mut session = Session::open(&server.ready, Transport::Tls, &ann).await;
    let sent = send_to(&ann.user, "1", "hi");
    let Said::Sent(sent) = book.ask(&mut session, sent).await else { panic!() };
    let notes = ConversationId::from_slice(&sent.conversation).unwrap();
    for ask in [
        send_into(&notes, "2", "hi"),
        asks::typing(&notes),
        asks::look_up("ann"),
        asks::prefer(&notes, |set| set.archived = Some(true)),
        asks::hide(&notes, &[1]),
        asks::invites(&notes, invites::Act::Create(wire::NewInvite::default())),
        asks::peek("nothing"),
        asks::profile_of(&ann.user),
        asks::update(Change::RemoveContact(nobody().to_wire())),
        asks::report(&ann.user, None, &[]),
    ] {
        for _ in 0..3 {
            book.ask(&mut session, ask.clone()).await;
        }
    }
}
