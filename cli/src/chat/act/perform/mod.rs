//! Carries out acts through the SDK and says what came of them.
//!
//! What becomes an entry is only queued here, in the order of the calls; its
//! answer comes with [`Queued::answer`]. Everything else is answered before
//! [`Performer::perform`] returns. Names of users become ids by what is known,
//! else by asking the server, whose budget for look-ups applies.

mod entry;
mod group;
mod people;
mod read;

use parley_client::{Client, Code, ConversationId, Error, UserId};

pub(crate) use self::entry::Queued;
use super::{Act, Target};
use crate::chat::report::{Names, Report};

/// Carries out acts. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Performer {
    pub(crate) client: Client,
    pub(crate) names: Names,
}

/// What came of an act.
pub(crate) enum Done {
    Answer(Report),
    Answers(Vec<Report>),
    /// An entry is in the outbox.
    Queued(Queued),
}

/// Why an act was not carried out.
pub(crate) enum Fault {
    /// It can't be carried out as it was said.
    Refused {
        code: Code,
        text: String,
    },
    Sdk(Error),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Sdk(error)
    }
}

impl From<Report> for Done {
    fn from(report: Report) -> Self {
        Self::Answer(report)
    }
}

fn refused<T>(code: Code, text: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Refused { code, text: text.into() })
}

impl Performer {
    /// Carries an act out. `id` comes back with the answer, and names what
    /// becomes an entry for ever.
    ///
    /// # Errors
    /// [`Fault`]: nothing was done, or the SDK can't say whether it was.
    ///
    /// # Cancel safety
    /// Dropped before it returns, the act may or may not be carried out.
    pub(crate) async fn perform(&self, act: Act, id: Option<String>) -> Result<Done, Fault> {
        match act {
            Act::Send { to, text, extras } => self.send(to, text, extras, id).await,
            Act::Edit { of, seq, text, mentions } => self.edit(of, seq, text, mentions, id).await,
            Act::DeleteForAll { of, seq } => self.delete_for_all(of, seq, id).await,
            Act::React { of, seq, emoji, remove } => self.react(of, seq, emoji, remove, id).await,
            Act::Pin { of, seq, remove } => self.pin(of, seq, remove, id).await,
            Act::NewGroup { title, description, picture, members, settings } => {
                let texts = [title, description, picture];
                self.new_group(texts, &members, settings, id).await
            }
            Act::Join { code } => self.join(code, id).await,
            Act::Peek { code } => self.peek(&code, id).await,
            Act::Group { conversation, act } => self.group(conversation, act, id).await,
            Act::DeleteForMe { of, seqs } => self.hide(of, seqs, id).await,
            Act::History(asked) => self.history(asked, id).await,
            Act::Receipts { of, seq } => self.receipts(of, seq, id).await,
            Act::Read { of, up_to } => self.read(of, up_to, id).await,
            Act::Delivered { of, up_to } => self.delivered(of, up_to, id).await,
            Act::Typing { of, stopped } => self.typing(of, stopped, id).await,
            Act::Conversations => self.conversations(id).await,
            Act::Preferences { of, change } => self.preferences(of, *change, id).await,
            Act::Presence(act) => self.presence(act, id).await,
            Act::Profile { user } => self.profile(user, id).await,
            Act::ChangeProfile(change) => self.change_profile(change, id).await,
            Act::Contact { user, remove } => self.contact(user, remove, id).await,
            Act::Contacts => self.contacts(id).await,
            Act::Block { user, remove } => self.block(user, remove, id).await,
            Act::Blocked => self.blocked(id).await,
            Act::Report { user, conversation, seqs, reason } => {
                self.report(user, conversation, seqs, reason, id).await
            }
            Act::Settings(change) => self.settings(change, id).await,
            Act::Devices => self.devices(id).await,
            Act::LogOut { device } => self.log_out(&device, id).await,
            Act::LogOutOthers => self.log_out_others(id).await,
            Act::Password { old, new } => self.change_password(old, new, id).await,
            Act::Export { file } => self.export(file, id).await,
            Act::DeleteAccount { password } => self.delete_account(password, id).await,
            Act::Quit => Ok(Done::Answers(Vec::new())),
        }
    }

    /// The id of the user of this name.
    async fn user(&self, name: &str) -> Result<UserId, Fault> {
        if let Some(known) = self.names.id_of(name) {
            return Ok(known);
        }
        let user = self.client.find_user(name).await?;
        self.names.learn(&user);
        Ok(user.id)
    }

    async fn users(&self, names: &[String]) -> Result<Vec<UserId>, Fault> {
        let mut users = Vec::with_capacity(names.len());
        for name in names {
            users.push(self.user(name).await?);
        }
        Ok(users)
    }

    /// The conversation; `None` when there is none with this user yet.
    async fn conversation_opt(&self, target: Target) -> Result<Option<ConversationId>, Fault> {
        match target {
            Target::Conversation(id) => Ok(Some(id)),
            Target::User(name) => {
                Ok(self.client.conversation_with(&name).await?.map(|line| line.id))
            }
        }
    }

    async fn conversation(&self, target: Target) -> Result<ConversationId, Fault> {
        match self.conversation_opt(target).await? {
            Some(id) => Ok(id),
            None => refused(Code::NotFound, "there is no conversation with this user yet"),
        }
    }
}
