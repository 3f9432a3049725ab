//! Commands about people: presence, profiles, contacts, blocks, the account.

use parley_client::{AccountSettingsChange, ProfileChange};

use super::fields::Fields;
use crate::chat::act::{Act, Password, PresenceAct};

pub(super) fn presence(fields: &mut Fields) -> Result<PresenceAct, String> {
    let named = [
        fields.texts_opt("subscribe")?.map(PresenceAct::Subscribe),
        fields.texts_opt("unsubscribe")?.map(PresenceAct::Unsubscribe),
        fields.texts_opt("fetch")?.map(PresenceAct::Fetch),
        fields.flag_opt("background")?.map(PresenceAct::Background),
    ];
    let mut acts = named.into_iter().flatten();
    match (acts.next(), acts.next()) {
        (Some(act), None) => Ok(act),
        _ => Err("give one of subscribe, unsubscribe, fetch, background".to_owned()),
    }
}

pub(super) fn profile(fields: &mut Fields) -> Result<Act, String> {
    let user = fields.text_opt("user")?;
    let change = ProfileChange {
        display_name: fields.text_opt("display_name")?,
        about: fields.text_opt("about")?,
        picture: fields.text_opt("picture")?,
        phone: fields.text_opt("phone")?,
        email: fields.text_opt("email")?,
    };
    let changes = change != ProfileChange::default();
    match (user, changes) {
        (user, false) => Ok(Act::Profile { user }),
        (None, true) => Ok(Act::ChangeProfile(change)),
        (Some(_), true) => Err("only one's own profile can be changed".to_owned()),
    }
}

pub(super) fn contact(fields: &mut Fields) -> Result<Act, String> {
    match (fields.text_opt("add")?, fields.text_opt("remove")?) {
        (Some(user), None) => Ok(Act::Contact { user, remove: false }),
        (None, Some(user)) => Ok(Act::Contact { user, remove: true }),
        _ => Err("give either add or remove".to_owned()),
    }
}

pub(super) fn report(fields: &mut Fields) -> Result<Act, String> {
    Ok(Act::Report {
        user: fields.text("user")?,
        conversation: fields.conversation_opt()?,
        seqs: fields.numbers_opt("seqs")?.unwrap_or_default(),
        reason: fields.text("reason")?,
    })
}

pub(super) fn settings(fields: &mut Fields) -> Result<AccountSettingsChange, String> {
    Ok(AccountSettingsChange {
        presence: fields.word_opt("presence")?,
        phone: fields.word_opt("phone")?,
        email: fields.word_opt("email")?,
        group_adds: fields.word_opt("group_adds")?,
        messages: fields.word_opt("messages")?,
        read_receipts: fields.flag_opt("read_receipts")?,
        typing: fields.flag_opt("typing")?,
    })
}

pub(super) fn devices(fields: &mut Fields) -> Result<Act, String> {
    let others = fields.fields_opt("log_out_others")?;
    match (fields.text_opt("log_out")?, others) {
        (None, None) => Ok(Act::Devices),
        (Some(device), None) => Ok(Act::LogOut { device }),
        (None, Some(inner)) => inner.end().map(|()| Act::LogOutOthers),
        (Some(_), Some(_)) => Err("give either log_out or log_out_others".to_owned()),
    }
}

pub(super) fn account(fields: &mut Fields, id: &mut Option<String>) -> Result<Act, String> {
    let (name, mut inner) = fields.one_of(&["password", "export", "delete"])?;
    let parsed = inner.inner_id(id).and_then(|()| account_act(name, &mut inner));
    parsed.and_then(|act| inner.end().map(|()| act)).map_err(|error| format!("{name}: {error}"))
}

fn account_act(name: &str, fields: &mut Fields) -> Result<Act, String> {
    let password =
        |fields: &mut Fields, field| fields.text(field).map(|text| Password(text.into()));
    Ok(match name {
        "password" => {
            Act::Password { old: password(fields, "old")?, new: password(fields, "new")? }
        }
        "export" => Act::Export { file: fields.text_opt("file")? },
        _ => Act::DeleteAccount { password: password(fields, "password")? },
    })
}
