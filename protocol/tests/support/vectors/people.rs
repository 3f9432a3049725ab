//! Profiles, the account, presence: both directions.

use parley_protocol::wire::client_envelope::Kind as Asked;
use parley_protocol::wire::server_envelope::Kind as Said;
use parley_protocol::wire::update_account::Change;
use parley_protocol::wire::{
    AccountChanged, AccountSettings, AccountState, Audience, GetAccount, GetProfile, Presence,
    Profile, ProfileChange, Report, Reported, SignedIn, Subscribe, Subscribed, UpdateAccount,
};

use super::Vector;
use super::acts::client as asked;
use super::answers::server as said;
use super::cast::{ALICE, BOB, CAROL, DEVICE, GROUP, TIME_MS, wire};

pub fn client() -> Vec<Vector> {
    let update = |change| Asked::UpdateAccount(UpdateAccount { change: Some(change) });
    let profile = ProfileChange {
        display_name: Some("Alice A.".into()),
        about: Some("On the move".into()),
        picture: Some("media/0125".into()),
        phone: Some("+1 555 0100".into()),
        email: Some(String::new()),
    };
    vec![
        asked("get_profile", "Who is bob?", 50, Asked::GetProfile(GetProfile { user: wire(&BOB) })),
        asked("get_account", "All about oneself.", 51, Asked::GetAccount(GetAccount {})),
        asked(
            "update_profile",
            "All of it; the empty e-mail address is taken away.",
            52,
            update(Change::Profile(profile)),
        ),
        asked("update_settings", "All of them.", 53, update(Change::Settings(settings()))),
        asked(
            "update_settings_one",
            "Read receipts off; a false that is given is written, the rest stays.",
            54,
            update(Change::Settings(AccountSettings {
                read_receipts: Some(false),
                ..AccountSettings::default()
            })),
        ),
        asked("add_contact", "Bob is a contact.", 55, update(Change::AddContact(wire(&BOB)))),
        asked("remove_contact", "No longer.", 56, update(Change::RemoveContact(wire(&BOB)))),
        asked("block", "Nothing from Carol.", 57, update(Change::Block(wire(&CAROL)))),
        asked("unblock", "Carol again.", 58, update(Change::Unblock(wire(&CAROL)))),
        asked(
            "report",
            "Two messages of Carol's in a group.",
            59,
            Asked::Report(Report {
                user: wire(&CAROL),
                conversation: wire(&GROUP),
                seqs: vec![8, 9],
                reason: "spam".into(),
            }),
        ),
        asked(
            "subscribe",
            "Tell when Bob comes or goes, no longer Carol.",
            60,
            Asked::Subscribe(Subscribe {
                users: vec![wire(&BOB)],
                drop: vec![wire(&CAROL)],
                once: false,
            }),
        ),
        asked(
            "subscribe_once",
            "How is Bob now?",
            61,
            Asked::Subscribe(Subscribe { users: vec![wire(&BOB)], drop: Vec::new(), once: true }),
        ),
    ]
}

pub fn server() -> Vec<Vector> {
    let bob = Presence { user: wire(&BOB), online: true, last_seen_ms: TIME_MS };
    let hidden = Presence { user: wire(&CAROL), online: false, last_seen_ms: 0 };
    let gone = Profile { user: wire(&CAROL), deleted: true, ..Profile::default() };
    vec![
        said("profile", "All that Bob says to a contact.", 50, Said::Profile(profile(&BOB, "bob"))),
        said(
            "profile_changed",
            "Somebody subscribed to changed theirs.",
            0,
            Said::Profile(profile(&BOB, "bob")),
        ),
        said("profile_deleted", "The account is gone.", 50, Said::Profile(gone)),
        said(
            "account_state",
            "All about oneself.",
            51,
            Said::AccountState(AccountState {
                revision: 12,
                profile: Some(profile(&ALICE, "alice")),
                settings: Some(settings()),
                contacts: vec![profile(&BOB, "bob")],
                blocked: vec![Profile {
                    user: wire(&CAROL),
                    name: "carol".into(),
                    ..Profile::default()
                }],
            }),
        ),
        said(
            "account_changed",
            "The change was made.",
            52,
            Said::AccountChanged(AccountChanged { revision: 13 }),
        ),
        said(
            "account_changed_elsewhere",
            "Another device changed something.",
            0,
            Said::AccountChanged(AccountChanged { revision: 13 }),
        ),
        said(
            "signed_in",
            "A new device signed in to the account.",
            0,
            Said::SignedIn(SignedIn {
                device: wire(&DEVICE),
                name: "laptop".into(),
                new_device: true,
                time_ms: 1_700_000_000_000,
            }),
        ),
        said(
            "reported",
            "The operators will see it; the message is empty.",
            59,
            Said::Reported(Reported {}),
        ),
        said(
            "subscribed",
            "Bob is there; of Carol nothing is seen.",
            60,
            Said::Subscribed(Subscribed { presence: vec![bob.clone(), hidden] }),
        ),
        said("presence", "Bob came.", 0, Said::Presence(bob.clone())),
        said("presence_gone", "Bob went.", 0, Said::Presence(Presence { online: false, ..bob })),
    ]
}

fn settings() -> AccountSettings {
    AccountSettings {
        presence: Audience::Contacts as i32,
        phone: Audience::Nobody as i32,
        email: Audience::Everyone as i32,
        group_adds: Audience::Contacts as i32,
        messages: Audience::Contacts as i32,
        read_receipts: Some(true),
        typing: Some(false),
    }
}

fn profile(id: &[u8], name: &str) -> Profile {
    Profile {
        user: wire(id),
        name: name.into(),
        display_name: "The Display Name".into(),
        about: "On the move".into(),
        picture: "media/0126".into(),
        phone: "+1 555 0101".into(),
        email: "somebody@example.org".into(),
        deleted: false,
    }
}
