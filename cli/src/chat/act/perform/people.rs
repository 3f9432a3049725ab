//! People, the account and its devices.

use std::io::Write as _;

use parley_client::{
    AccountSettings, AccountSettingsChange, Code, ConversationId, DeviceId, Profile, ProfileChange,
};

use super::super::{Password, PresenceAct, Words as _};
use super::{Done, Fault, Performer, refused};
use crate::chat::report::{
    AccountReport, AccountSettingsReport, PresenceDone, Report, UserReport, device_report,
    profile_report,
};

/// Bytes of an export that are given line by line instead of to a file.
const EXPORT_BYTES: usize = 32 * 1024 * 1024;

impl Performer {
    pub(super) async fn presence(
        &self,
        act: PresenceAct,
        id: Option<String>,
    ) -> Result<Done, Fault> {
        let presences = match act {
            PresenceAct::Subscribe(names) => {
                self.client.subscribe_presence(&self.users(&names).await?).await?
            }
            PresenceAct::Fetch(names) => self.client.presence(&self.users(&names).await?).await?,
            PresenceAct::Unsubscribe(names) => {
                self.client.unsubscribe_presence(&self.users(&names).await?).await?;
                let done = PresenceDone { unsubscribed: Some(names), background: None, id };
                return Ok(Report::PresenceDone(done).into());
            }
            PresenceAct::Background(background) => {
                self.client.set_background(background).await?;
                let background = Some(background);
                let done = PresenceDone { unsubscribed: None, background, id };
                return Ok(Report::PresenceDone(done).into());
            }
        };
        let report = |presence| Report::presence(presence, &self.names, id.clone());
        Ok(Done::Answers(presences.iter().map(report).collect()))
    }

    pub(super) async fn profile(
        &self,
        user: Option<String>,
        id: Option<String>,
    ) -> Result<Done, Fault> {
        let profile = match user {
            Some(name) => self.client.profile(self.user(&name).await?).await?,
            None => self.client.account().await?.profile,
        };
        Ok(Report::profile(&profile, &self.names, id).into())
    }

    pub(super) async fn change_profile(
        &self,
        change: ProfileChange,
        id: Option<String>,
    ) -> Result<Done, Fault> {
        self.client.change_profile(change).await?;
        self.profile(None, id).await
    }

    pub(super) async fn contact(
        &self,
        user: String,
        remove: bool,
        id: Option<String>,
    ) -> Result<Done, Fault> {
        let who = self.user(&user).await?;
        if remove {
            self.client.remove_contact(who).await?;
        } else {
            self.client.add_contact(who).await?;
        }
        Ok(Report::Contact(UserReport { user, contact: Some(!remove), id }).into())
    }

    pub(super) async fn contacts(&self, id: Option<String>) -> Result<Done, Fault> {
        let contacts = self.profiles(&self.client.account().await?.contacts);
        Ok(Report::Contacts { contacts, id }.into())
    }

    pub(super) async fn block(
        &self,
        user: String,
        remove: bool,
        id: Option<String>,
    ) -> Result<Done, Fault> {
        let who = self.user(&user).await?;
        let report = UserReport { user, contact: None, id };
        Ok(if remove {
            self.client.unblock(who).await?;
            Report::Unblock(report).into()
        } else {
            self.client.block(who).await?;
            Report::Block(report).into()
        })
    }

    pub(super) async fn blocked(&self, id: Option<String>) -> Result<Done, Fault> {
        let blocked = self.profiles(&self.client.account().await?.blocked);
        Ok(Report::Blocked { blocked, id }.into())
    }

    fn profiles(&self, profiles: &[Profile]) -> Vec<crate::chat::report::ProfileReport> {
        profiles.iter().map(|profile| profile_report(profile, &self.names, None)).collect()
    }

    pub(super) async fn report(
        &self,
        name: String,
        conversation: Option<ConversationId>,
        seqs: Vec<u64>,
        reason: String,
        id: Option<String>,
    ) -> Result<Done, Fault> {
        let user = self.user(&name).await?;
        let report = parley_client::Report { user, conversation, seqs, reason };
        self.client.report(report).await?;
        Ok(Report::Reported(UserReport { user: name, contact: None, id }).into())
    }

    pub(super) async fn settings(
        &self,
        change: AccountSettingsChange,
        id: Option<String>,
    ) -> Result<Done, Fault> {
        if change != AccountSettingsChange::default() {
            self.client.change_account_settings(change).await?;
        }
        let AccountSettings { presence, phone, email, group_adds, messages, read_receipts, typing } =
            self.client.account().await?.settings;
        Ok(Report::Settings(AccountSettingsReport {
            presence: presence.word(),
            phone: phone.word(),
            email: email.word(),
            group_adds: group_adds.word(),
            messages: messages.word(),
            read_receipts,
            typing,
            id,
        })
        .into())
    }

    pub(super) async fn devices(&self, id: Option<String>) -> Result<Done, Fault> {
        let devices = self.client.devices().await?.iter().map(device_report).collect();
        Ok(Report::Devices { devices, id }.into())
    }

    pub(super) async fn log_out(&self, device: &str, id: Option<String>) -> Result<Done, Fault> {
        let Ok(device) = device.parse::<DeviceId>() else {
            return refused(Code::BadRequest, "log_out: that is no id of a device");
        };
        self.client.revoke_device(device).await?;
        self.devices(id).await
    }

    pub(super) async fn log_out_others(&self, id: Option<String>) -> Result<Done, Fault> {
        self.client.log_out_others().await?;
        self.devices(id).await
    }

    pub(super) async fn change_password(
        &self,
        old: Password,
        new: Password,
        id: Option<String>,
    ) -> Result<Done, Fault> {
        self.client.change_password(old.0, new.0).await?;
        let report = AccountReport { password_changed: true, id, ..AccountReport::default() };
        Ok(Report::Account(report).into())
    }

    /// Writes the export to a file, or returns its lines.
    pub(super) async fn export(
        &self,
        path: Option<String>,
        id: Option<String>,
    ) -> Result<Done, Fault> {
        let Some(path) = path else { return self.export_lines(id).await };
        let file = std::fs::File::create_new(&path);
        let mut file = match file {
            Ok(file) => file,
            Err(error) => return refused(Code::BadRequest, format!("cannot make {path}: {error}")),
        };
        let mut lines = 0;
        self.client
            .export(|bytes| {
                lines += newlines(&bytes);
                file.write_all(&bytes)
            })
            .await?;
        let (exported, file) = (Some(lines), Some(path));
        let report = AccountReport { exported, file, id, ..AccountReport::default() };
        Ok(Report::Account(report).into())
    }

    async fn export_lines(&self, id: Option<String>) -> Result<Done, Fault> {
        let mut text = Vec::new();
        self.client
            .export(|bytes| {
                if text.len() + bytes.len() > EXPORT_BYTES {
                    return Err(std::io::Error::other("the export is large: give it a file"));
                }
                text.extend_from_slice(&bytes);
                Ok(())
            })
            .await?;
        let lines = text.split(|byte| *byte == b'\n');
        let mut reports: Vec<Report> = lines
            .filter_map(|line| serde_json::from_slice(line).ok())
            .map(Report::Export)
            .collect();
        let exported = u64::try_from(reports.len()).ok();
        let report = AccountReport { exported, id, ..AccountReport::default() };
        reports.push(Report::Account(report));
        Ok(Done::Answers(reports))
    }

    pub(super) async fn delete_account(
        &self,
        password: Password,
        id: Option<String>,
    ) -> Result<Done, Fault> {
        self.client.delete_account(password.0).await?;
        let report = AccountReport { deleted: true, id, ..AccountReport::default() };
        Ok(Report::Account(report).into())
    }
}

fn newlines(bytes: &[u8]) -> u64 {
    bytes.iter().map(|byte| u64::from(*byte == b'\n')).sum()
}
