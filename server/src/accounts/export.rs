//! A user's own data as lines of JSON: account, profile, settings, contacts,
//! blocks, devices, conversations, and the messages they sent.
//!
//! Written page by page as fast as the client takes it; what is in memory is a
//! few pages, whatever the size of it all.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{BoxStream, StreamExt as _, unfold};
use parley_core::session::Range;
use parley_protocol::wire::{self, Entry, EntryKind, FeedEntry, Text};
use parley_protocol::{Code, ConversationId, Message as _, UserId, limits};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{AccountError, Accounts, Asking, Credential, Identity, Parts};
use crate::base::rates::Charge;
use crate::base::rates::PerUser;
use crate::chat::reading;
use crate::chat::shard;
use crate::storage::store::EntryHead;

/// Chunks that wait for the client; more are not read from the store.
const CHUNKS: usize = 4;

type Chunks = mpsc::Sender<Bytes>;

/// What is left of an export at its client's end.
type Leaving = (mpsc::Receiver<Bytes>, Accounts, Credential);

/// Why an export stops short: the client went away, or the store failed.
struct Stopped;

/// Exports users' own data. Cheap to clone.
#[derive(Clone)]
pub struct Exports {
    parts: Arc<Parts>,
}

impl Exports {
    /// Exports data of these parts.
    #[must_use]
    pub const fn new(parts: Arc<Parts>) -> Self {
        Self { parts }
    }

    /// Begins an export: returns its pieces, of whole lines. Dropped, it ends, and
    /// it stops short once its credential is no longer good.
    ///
    /// # Errors
    /// `rate_limited`.
    pub fn begin(&self, asking: Asking) -> Result<BoxStream<'static, Bytes>, AccountError> {
        let Asking { identity, credential, from } = asking;
        let limited = self.parts.rates.check(from, identity.user, Charge::One(PerUser::Export));
        limited.map_err(|after| AccountError::Later { code: Code::RateLimited, after })?;
        let (chunks, receiver) = mpsc::channel(CHUNKS);
        let this = self.clone();
        tokio::spawn(async move {
            // An export that is whole says so in its last line.
            if this.write_export(&identity, &chunks).await.is_ok() {
                let _ = chunks.send(line(&json!({ "end": true }))).await;
            }
        });
        let accounts = self.parts.accounts.clone();
        // Asked for each piece as it leaves: what was read before waits no longer
        // than its credential is good.
        let next = |(mut receiver, accounts, credential): Leaving| async move {
            let chunk = receiver.recv().await?;
            accounts.identify(&credential).await.ok()?;
            Some((chunk, (receiver, accounts, credential)))
        };
        Ok(unfold((receiver, accounts, credential), next).boxed())
    }

    async fn write_export(&self, identity: &Identity, chunks: &Chunks) -> Result<(), Stopped> {
        self.export_account(identity, chunks).await?;
        let (user, mut since) = (identity.user, 0);
        loop {
            let homes = Arc::clone(&self.parts.homes);
            let page = move |_: &_| homes.changes(user, since, limits::CHANGES_ENTRIES, None);
            let page = self.parts.accounts.read(page).await.map_err(|_| Stopped)?;
            for entry in &page.entries {
                self.export_conversation(identity, entry, chunks).await?;
            }
            since = page.feed_position;
            if !page.more {
                return Ok(());
            }
        }
    }

    async fn export_account(&self, identity: &Identity, chunks: &Chunks) -> Result<(), Stopped> {
        let Parts { accounts, people, .. } = &*self.parts;
        let state = people.account(identity.user).await.map_err(|_| Stopped)?;
        let account = accounts.find_by_id(identity.user).await;
        let account = account.ok().flatten().ok_or(Stopped)?;
        let profile = state.profile.unwrap_or_default();
        let settings = state.settings.unwrap_or_default();
        let mut lines = vec![
            json!({ "account": {
                "user_id": identity.user.to_string(),
                "name": account.name,
                "created_ms": account.created_ms,
            } }),
            json!({ "profile": {
                "display_name": profile.display_name,
                "about": profile.about,
                "picture": profile.picture,
                "phone": profile.phone,
                "email": profile.email,
            } }),
            json!({ "settings": {
                "presence": audience(settings.presence),
                "phone": audience(settings.phone),
                "email": audience(settings.email),
                "group_adds": audience(settings.group_adds),
                "messages": audience(settings.messages),
                "read_receipts": settings.read_receipts,
                "typing": settings.typing,
            } }),
        ];
        for (kind, people) in [("contact", state.contacts), ("blocked", state.blocked)] {
            for person in people {
                let id = UserId::from_slice(&person.user).map(|id| id.to_string());
                let person = json!({ "user_id": id.unwrap_or_default(), "name": person.name });
                lines.push(json!({ kind: person }));
            }
        }
        for device in accounts.devices(identity).await.map_err(|_| Stopped)? {
            lines.push(json!({ "device": device }));
        }
        send(chunks, &lines).await
    }

    async fn export_conversation(
        &self,
        identity: &Identity,
        entry: &FeedEntry,
        chunks: &Chunks,
    ) -> Result<(), Stopped> {
        let Ok(id) = ConversationId::from_slice(&entry.conversation) else { return Ok(()) };
        let visible = match self.parts.shards.visible(identity, id).await {
            Ok(visible) => visible,
            Err(shard::Error::Store(_)) => {
                let told = json!({ "unreadable": { "conversation_id": id.to_string() } });
                return send(chunks, &[told]).await;
            }
            Err(_) => return Ok(()),
        };
        let mut about = json!({
            "conversation_id": id.to_string(),
            "last_seq": entry.last_seq,
            "read": entry.read,
            "title": visible.state.info.title,
        });
        if let (Some(set), Some(about)) = (&entry.preferences, about.as_object_mut()) {
            about.insert(
                "preferences".into(),
                json!({
                    "muted_until_ms": set.muted_until_ms,
                    "archived": set.archived,
                    "pinned": set.pinned,
                    "marked_unread": set.marked_unread,
                    "draft": set.draft,
                    "cleared_up_to": set.cleared_up_to,
                    "accepted": set.accepted,
                }),
            );
        }
        send(chunks, &[json!({ "conversation": about })]).await?;
        let mut after = visible.floor;
        loop {
            let range = Range::After(after);
            let permit = self.parts.accounts.inner.reads.permit(identity.user).await;
            let shards = &self.parts.shards;
            let page = reading::fetch(shards, identity, id, range, limits::FETCH_ENTRIES).await;
            drop(permit);
            let page = match page {
                // What of one can't be read ends no export of all others.
                Err(Code::Internal) => {
                    let told = json!({ "unreadable": { "conversation_id": id.to_string() } });
                    return send(chunks, &[told]).await;
                }
                page => page.map_err(|_| Stopped)?,
            };
            let own = page.entries.iter().filter_map(|(_, entry)| own(identity.user, id, entry));
            let own: Vec<Value> = own.collect();
            if !own.is_empty() {
                send(chunks, &own).await?;
            }
            match page.entries.last() {
                Some((seq, _)) if !page.at_end && *seq > after => after = *seq,
                _ => return Ok(()),
            }
        }
    }
}

/// The line of an entry that the user wrote.
fn own(user: UserId, id: ConversationId, entry: &Bytes) -> Option<Value> {
    let head = EntryHead::decode(entry.clone()).ok()?;
    if head.damaged && !head.erased {
        // Whose it was nobody can say.
        let damaged = json!({ "conversation_id": id.to_string(), "seq": head.seq });
        return Some(json!({ "damaged": damaged }));
    }
    let entry = Entry::decode(entry.clone()).ok()?;
    if entry.sender != user.to_wire() {
        return None;
    }
    let mut message = json!({
        "conversation_id": id.to_string(),
        "seq": entry.seq,
        "time_ms": entry.time_ms,
        "kind": entry.kind,
    });
    let said = message.as_object_mut()?;
    match Text::decode(entry.body.clone()) {
        Ok(text) if entry.kind == EntryKind::Text as u32 => {
            said.insert("text".into(), text.text.into());
        }
        // As it was sent: a protobuf message of the kind.
        _ => {
            said.insert("body".into(), base16ct::lower::encode_string(&entry.body).into());
        }
    }
    Some(json!({ "message": message }))
}

fn audience(number: i32) -> &'static str {
    match wire::Audience::try_from(number) {
        Ok(wire::Audience::Everyone) => "everyone",
        Ok(wire::Audience::Contacts) => "contacts",
        Ok(wire::Audience::Nobody) => "nobody",
        Ok(wire::Audience::Unspecified) | Err(_) => "unknown",
    }
}

fn line(value: &Value) -> Bytes {
    format!("{value}\n").into()
}

async fn send(chunks: &Chunks, lines: &[Value]) -> Result<(), Stopped> {
    let text: String = lines.iter().map(|value| format!("{value}\n")).collect();
    chunks.send(text.into()).await.map_err(|_| Stopped)
}
