//! Whom a text names: `@name` for people who are in the conversation, `@everyone`
//! in a group. A name is found where it is typed, so that people needn't say twice
//! whom they mean.

use parley_client::{NewMessage, UserId};

use super::room::{Room, Writing};
use crate::chat::act::name_at;

/// Names told with one text; the protocol takes no more.
const MENTIONS: usize = 100;

/// A part of a text that names somebody: start and length in characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) start: u32,
    pub(crate) length: u32,
    pub(crate) name: String,
    /// `None` for everyone.
    pub(crate) who: Option<UserId>,
}

impl Room {
    /// The message that somebody wrote, with the people in it that it names.
    pub(crate) fn compose(&self, text: &str) -> NewMessage {
        let mut message = NewMessage::text(text);
        for Named { start, length, who, .. } in self.named(text) {
            message = match who {
                Some(user) => message.mention(start, length, user),
                None => message.mention_everyone(start, length),
            };
        }
        match self.writing {
            Writing::Reply(seq) => message.reply_to(seq),
            Writing::Message | Writing::Edit(_) => message,
        }
    }

    /// Where the text names people who are in the conversation.
    pub(crate) fn named(&self, text: &str) -> Vec<Named> {
        let known = |(start, length, name): (u32, u32, String)| {
            let person = self.people.iter().find(|person| person.name == name);
            let peer = self.peer.as_ref().filter(|peer| *peer.name == *name);
            let who = person.map(|person| person.id).or_else(|| peer.map(|peer| peer.id));
            // All of them, also where somebody has that name: as in the web client.
            let everyone = name == "everyone" && self.group;
            let who = who.filter(|_| !everyone);
            (who.is_some() || everyone).then_some(Named { start, length, name, who })
        };
        names_in(text).into_iter().filter_map(known).take(MENTIONS).collect()
    }

    /// The whole name for the word with an @ before the cursor, if one fits.
    pub(crate) fn complete_name(&self, start: &str) -> Option<&str> {
        let people = self.people.iter().map(|person| person.name.as_str());
        let peer = self.peer.iter().map(|peer| &*peer.name);
        people.chain(peer).find(|name| name.starts_with(start) && *name != start)
    }
}

/// The names with an @ before them: start and length in characters, and the name.
fn names_in(text: &str) -> Vec<(u32, u32, String)> {
    let signs = text.char_indices().enumerate().filter(|(_, (_, character))| *character == '@');
    let name = |(start, (at, _)): (usize, (usize, char))| {
        let name = name_at(text, at)?;
        let (start, length) = (u32::try_from(start).ok()?, u32::try_from(name.len() + 1).ok()?);
        Some((start, length, name.to_owned()))
    };
    signs.filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::app::room::Person;
    use parley_client::{Role, User};

    fn room() -> Room {
        Room::with_peer(User { id: UserId::new([2; 16]), name: "bob".into() })
    }

    #[test]
    fn names_are_found_where_they_are_meant() {
        let found = names_in("é @ben, a@cat.org and @dan.");
        assert_eq!(found, [(2, 4, "ben".to_owned()), (22, 4, "dan".to_owned())]);
        assert!(names_in("@ @@ @Ben @@ben https://a.example/@ben").is_empty());
    }

    #[test]
    fn whom_a_text_names_is_told_with_it() {
        let mut room = room();
        let bob = UserId::new([2; 16]);
        assert_eq!(room.compose("@bob hi"), NewMessage::text("@bob hi").mention(0, 4, bob));
        assert_eq!(room.compose("@everyone"), NewMessage::text("@everyone"));
        room.group = true;
        room.writing = Writing::Reply(3);
        let everyone = NewMessage::text("@everyone").mention_everyone(0, 9).reply_to(3);
        assert_eq!(room.compose("@everyone"), everyone);
        let named = Person { id: bob, name: "everyone".to_owned(), role: Role::Member };
        room.people.push(named);
        assert_eq!(room.compose("@everyone"), everyone);
        assert_eq!((room.complete_name("bo"), room.complete_name("x")), (Some("bob"), None));
    }
}
