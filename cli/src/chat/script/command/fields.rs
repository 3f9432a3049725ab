//! The fields of one command: taken out one by one, so that what is left over
//! is something this build doesn't know.
//!
//! Every error names the field and never its content, which is user data.

use parley_client::ConversationId;
use serde_json::{Map, Value};

use crate::chat::act::{Target, Words};

/// What stands in the braces of a command.
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    pub(super) fn of(value: Value) -> Result<Self, String> {
        match value {
            Value::Object(map) => Ok(Self(map)),
            _ => Err("its fields stand in braces".to_owned()),
        }
    }

    /// Takes a field out; null is as good as absent.
    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name).filter(|value| !value.is_null())
    }

    pub(super) fn text_opt(&mut self, name: &str) -> Result<Option<String>, String> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(format!("{name} is a string")),
        }
    }

    pub(super) fn text(&mut self, name: &str) -> Result<String, String> {
        self.text_opt(name)?.ok_or_else(|| format!("{name} is missing"))
    }

    pub(super) fn number_opt(&mut self, name: &str) -> Result<Option<u64>, String> {
        match self.take(name) {
            None => Ok(None),
            Some(value) => {
                value.as_u64().map(Some).ok_or_else(|| format!("{name} is a whole number"))
            }
        }
    }

    pub(super) fn number(&mut self, name: &str) -> Result<u64, String> {
        self.number_opt(name)?.ok_or_else(|| format!("{name} is missing"))
    }

    /// A number that stays below 2^32.
    pub(super) fn small_opt(&mut self, name: &str) -> Result<Option<u32>, String> {
        let number = self.number_opt(name)?;
        Ok(number.map(|number| u32::try_from(number).unwrap_or(u32::MAX)))
    }

    pub(super) fn flag_opt(&mut self, name: &str) -> Result<Option<bool>, String> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(_) => Err(format!("{name} is true or false")),
        }
    }

    /// Absent is false.
    pub(super) fn flag(&mut self, name: &str) -> Result<bool, String> {
        Ok(self.flag_opt(name)?.unwrap_or(false))
    }

    /// A list of strings; one string stands for a list of one.
    pub(super) fn texts_opt(&mut self, name: &str) -> Result<Option<Vec<String>>, String> {
        let wrong = || format!("{name} is a list of strings");
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(vec![text])),
            Some(Value::Array(values)) => values
                .into_iter()
                .map(|value| match value {
                    Value::String(text) => Ok(text),
                    _ => Err(wrong()),
                })
                .collect::<Result<_, _>>()
                .map(Some),
            Some(_) => Err(wrong()),
        }
    }

    /// A list of numbers; one number stands for a list of one.
    pub(super) fn numbers_opt(&mut self, name: &str) -> Result<Option<Vec<u64>>, String> {
        let wrong = || format!("{name} is a list of whole numbers");
        match self.take(name) {
            None => Ok(None),
            Some(Value::Array(values)) => {
                let numbers = values.iter().map(|value| value.as_u64().ok_or_else(wrong));
                numbers.collect::<Result<_, _>>().map(Some)
            }
            Some(value) => value.as_u64().map(|number| Some(vec![number])).ok_or_else(wrong),
        }
    }

    /// One word of a few; returns what it stands for.
    pub(super) fn word_opt<T: Words>(&mut self, name: &str) -> Result<Option<T>, String> {
        let Some(text) = self.text_opt(name)? else { return Ok(None) };
        T::of_word(&text).map(Some).ok_or_else(|| format!("{name} is one of {}", T::list()))
    }

    /// Fields within fields.
    pub(super) fn fields_opt(&mut self, name: &str) -> Result<Option<Self>, String> {
        match self.take(name) {
            None => Ok(None),
            Some(value) => Self::of(value).map(Some).map_err(|error| format!("{name}: {error}")),
        }
    }

    pub(super) fn conversation_opt(&mut self) -> Result<Option<ConversationId>, String> {
        let Some(text) = self.text_opt("conversation")? else { return Ok(None) };
        text.parse().map(Some).map_err(|error| format!("conversation: {error}"))
    }

    pub(super) fn conversation(&mut self) -> Result<ConversationId, String> {
        self.conversation_opt()?.ok_or_else(|| "conversation is missing".to_owned())
    }

    /// The conversation by its id, or by the user in that other field.
    pub(super) fn target(&mut self, user_field: &str) -> Result<Target, String> {
        match (self.text_opt(user_field)?, self.conversation_opt()?) {
            (Some(user), None) => Ok(Target::User(user)),
            (None, Some(conversation)) => Ok(Target::Conversation(conversation)),
            _ => Err(format!("give either {user_field} or conversation")),
        }
    }

    /// Takes the one field of these that is there: a command within a command.
    pub(super) fn one_of(
        &mut self,
        names: &[&'static str],
    ) -> Result<(&'static str, Self), String> {
        let mut found = names.iter().filter(|name| self.0.contains_key(**name));
        match (found.next(), found.next()) {
            (Some(name), None) => {
                let inner = Self::of(self.0.remove(*name).unwrap_or_default());
                inner.map(|inner| (*name, inner)).map_err(|error| format!("{name}: {error}"))
            }
            _ => Err(format!("give one of {}", names.join(", "))),
        }
    }

    /// Takes the id that a command within a command gave.
    pub(super) fn inner_id(&mut self, id: &mut Option<String>) -> Result<(), String> {
        match (self.text_opt("id")?, &id) {
            (Some(_), Some(_)) => return Err("the id is there twice".to_owned()),
            (Some(inner), None) => *id = Some(inner),
            (None, _) => {}
        }
        Ok(())
    }

    /// Refuses what is left over: a field that would be passed over silently.
    pub(super) fn end(self) -> Result<(), String> {
        if self.0.is_empty() { Ok(()) } else { Err("there is a field it does not know".to_owned()) }
    }
}
