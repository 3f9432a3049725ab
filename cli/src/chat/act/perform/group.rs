//! Groups: making them, who is in, what they are called, invite links.

use parley_client::{
    Action, Code, ConversationChange, ConversationId, ConversationSettings, InviteId, NewGroup, To,
    UserId,
};

use super::super::{GroupAct, SettingsChange, Words as _};
use super::{Done, Fault, Performer, Queued, refused};
use crate::chat::report::{
    ChangeReport, GroupReport, Report, about_report, invite_report, preview_report,
};

impl SettingsChange {
    /// The settings with what is given changed.
    fn over(self, old: ConversationSettings) -> ConversationSettings {
        ConversationSettings {
            send: self.send.unwrap_or(old.send),
            add: self.add.unwrap_or(old.add),
            edit_info: self.edit_info.unwrap_or(old.edit_info),
            history_for_newcomers: self.history_for_newcomers.unwrap_or(old.history_for_newcomers),
            retention_s: self.retention_s.unwrap_or(old.retention_s),
        }
    }
}

impl Performer {
    pub(super) async fn new_group(
        &self,
        [title, description, picture]: [String; 3],
        members: &[String],
        settings: SettingsChange,
        id: Option<String>,
    ) -> Result<Done, Fault> {
        let group = NewGroup {
            title: title.clone(),
            description,
            picture,
            settings: settings.over(ConversationSettings::default()),
            members: self.users(members).await?,
        };
        let events = self.client.events();
        let handle = self.submit(To::NewGroup, Action::CreateGroup(group), id.as_deref()).await?;
        let change = ChangeReport {
            change: "created",
            users: members.to_vec(),
            new_title: Some(title),
            ..self.own_change().await?
        };
        Ok(Done::Queued(Queued::group(handle, Vec::new(), change, events, id)))
    }

    pub(super) async fn join(&self, code: String, id: Option<String>) -> Result<Done, Fault> {
        let events = self.client.events();
        let handle = self.submit(To::Invite(code), Action::Join, id.as_deref()).await?;
        let change = ChangeReport { change: "joined", ..self.own_change().await? };
        Ok(Done::Queued(Queued::group(handle, Vec::new(), change, events, id)))
    }

    pub(super) async fn peek(&self, code: &str, id: Option<String>) -> Result<Done, Fault> {
        let preview = self.client.peek_invite(code).await?;
        let report = GroupReport {
            preview: Some(preview_report(&preview)),
            ..GroupReport::of(preview.conversation, id)
        };
        Ok(Report::Group(Box::new(report)).into())
    }

    pub(super) async fn group(
        &self,
        conversation: ConversationId,
        act: GroupAct,
        id: Option<String>,
    ) -> Result<Done, Fault> {
        let (actions, change) = match act {
            GroupAct::Invite { expires_ms, max_uses } => {
                let expires = Some(expires_ms).filter(|expires| *expires > 0);
                let uses = Some(max_uses).filter(|uses| *uses > 0);
                let invite = self.client.create_invite(conversation, expires, uses).await?;
                let invite = Some(invite_report(&invite, &self.names));
                let report = GroupReport { invite, ..GroupReport::of(conversation, id) };
                return Ok(Report::Group(Box::new(report)).into());
            }
            GroupAct::Revoke { link } => {
                let Ok(link) = link.parse::<InviteId>() else {
                    return refused(Code::BadRequest, "revoke: a link's id has 16 hex digits");
                };
                self.client.revoke_invite(conversation, link).await?;
                return self.invites(conversation, id).await;
            }
            GroupAct::Invites => return self.invites(conversation, id).await,
            GroupAct::Banned => return self.banned(conversation, id).await,
            GroupAct::Info { title: None, description: None, picture: None, settings: None } => {
                return self.describe(conversation, id).await;
            }
            other => self.changes(conversation, other).await?,
        };
        let by = self.own_change().await?.by;
        let change = ChangeReport { by, ..change };
        let (action, others) = actions;
        let to = To::Conversation(conversation);
        let events = self.client.events();
        let first = self.submit(to.clone(), action, id.as_deref()).await?;
        let mut more = Vec::with_capacity(others.len());
        for (action, nth) in others.into_iter().zip(2..) {
            // Several entries of one command need ids of their own.
            let id = id.as_ref().map(|id| format!("{id}/{nth}"));
            more.push(self.submit(to.clone(), action, id.as_deref()).await?);
        }
        Ok(Done::Queued(Queued::group(first, more, change, events, id)))
    }

    /// The entries an act makes, the first and others, and what is said of them.
    async fn changes(
        &self,
        conversation: ConversationId,
        act: GroupAct,
    ) -> Result<((Action, Vec<Action>), ChangeReport), Fault> {
        let report = ChangeReport::default();
        Ok(match act {
            GroupAct::Add { users } => {
                let action = Action::AddMembers(self.users(&users).await?);
                (alone(action), ChangeReport { change: "added", users, ..report })
            }
            GroupAct::Remove { users } => {
                self.of_each(conversation, users, "removed", Action::RemoveMember).await?
            }
            GroupAct::Ban { users } => {
                self.of_each(conversation, users, "banned", Action::BanMember).await?
            }
            GroupAct::Unban { users } => {
                self.of_each(conversation, users, "unbanned", Action::UnbanMember).await?
            }
            GroupAct::Role { user, role } => {
                self.names.learn_members(&self.client.describe(conversation).await?);
                let action = Action::SetRole { user: self.user(&user).await?, role };
                let (users, role) = (vec![user], Some(role.word()));
                (alone(action), ChangeReport { change: "role", users, role, ..report })
            }
            GroupAct::Info { title, description, picture, settings } => {
                let new_title = title.clone();
                let settings = match settings {
                    // All settings travel together; what isn't given stays.
                    Some(change) => {
                        Some(change.over(self.client.describe(conversation).await?.settings))
                    }
                    None => None,
                };
                let change = ConversationChange { title, description, picture, settings };
                let action = Action::ChangeConversation(change);
                (alone(action), ChangeReport { change: "info", new_title, ..report })
            }
            GroupAct::Erase { up_to } => {
                let up_to = match up_to {
                    Some(up_to) => up_to,
                    None => self.client.describe(conversation).await?.last_seq,
                };
                let erased_up_to = Some(up_to);
                let action = Action::EraseHistory { up_to };
                (alone(action), ChangeReport { change: "erased", erased_up_to, ..report })
            }
            GroupAct::Leave
            | GroupAct::Invite { .. }
            | GroupAct::Revoke { .. }
            | GroupAct::Invites
            | GroupAct::Banned => (alone(Action::Leave), ChangeReport { change: "left", ..report }),
        })
    }

    /// One action for each of these users.
    async fn of_each(
        &self,
        conversation: ConversationId,
        users: Vec<String>,
        change: &'static str,
        action: fn(UserId) -> Action,
    ) -> Result<((Action, Vec<Action>), ChangeReport), Fault> {
        // Who is in is known to the server without a look-up.
        self.names.learn_members(&self.client.describe(conversation).await?);
        let ids = self.users(&users).await?;
        let mut actions = ids.into_iter().map(action);
        let Some(first) = actions.next() else {
            return refused(Code::BadRequest, format!("{change}: nobody is named"));
        };
        let report = ChangeReport { change, users, ..ChangeReport::default() };
        Ok(((first, actions.collect()), report))
    }

    async fn describe(
        &self,
        conversation: ConversationId,
        id: Option<String>,
    ) -> Result<Done, Fault> {
        let description = self.client.describe(conversation).await?;
        self.names.learn_members(&description);
        let about = Some(about_report(&description, &self.names));
        let report = GroupReport { about, ..GroupReport::of(conversation, id) };
        Ok(Report::Group(Box::new(report)).into())
    }

    async fn invites(
        &self,
        conversation: ConversationId,
        id: Option<String>,
    ) -> Result<Done, Fault> {
        let invites = self.client.invites(conversation).await?;
        let invites = invites.iter().map(|invite| invite_report(invite, &self.names)).collect();
        let report = GroupReport { invites: Some(invites), ..GroupReport::of(conversation, id) };
        Ok(Report::Group(Box::new(report)).into())
    }

    async fn banned(
        &self,
        conversation: ConversationId,
        id: Option<String>,
    ) -> Result<Done, Fault> {
        let banned = self.client.banned(conversation).await?;
        banned.iter().for_each(|user| self.names.learn(user));
        let banned = banned.iter().map(|user| self.names.of_user(user)).collect();
        let report = GroupReport { banned: Some(banned), ..GroupReport::of(conversation, id) };
        Ok(Report::Group(Box::new(report)).into())
    }

    /// A change by the user themselves.
    async fn own_change(&self) -> Result<ChangeReport, Fault> {
        let by = self.client.ready().await?.user.name.to_string();
        Ok(ChangeReport { by, ..ChangeReport::default() })
    }
}

const fn alone(action: Action) -> (Action, Vec<Action>) {
    (action, Vec::new())
}
