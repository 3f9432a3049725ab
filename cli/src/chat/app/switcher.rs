//! The quick switcher: type a part of a name to go to a conversation, or the
//! whole name of a user to begin one.

use super::composer::Composer;
use super::room::Room;

/// Matches shown.
const MATCHES: usize = 12;

/// Characters the input takes; names are shorter.
const INPUT_CHARS: usize = 64;

/// The open switcher.
#[derive(Debug, Clone, Default)]
pub(crate) struct Switcher {
    pub(crate) input: Composer,
    /// Which of the matches is picked.
    pub(crate) picked: usize,
    /// The name being looked up.
    pub(crate) searching: Option<String>,
    pub(crate) problem: Option<String>,
}

/// One line of the switcher, and what Enter does on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Choice {
    /// Go to this room.
    Open { key: u64, title: String },
    /// Look for a user of this name, to begin a conversation.
    Find(String),
}

impl Switcher {
    pub(crate) fn insert(&mut self, text: &str) {
        let line: String = text.chars().filter(|c| !c.is_control()).collect();
        self.input.insert(&line, INPUT_CHARS);
        self.edited();
    }

    /// The input changed: the pick starts over.
    pub(crate) fn edited(&mut self) {
        self.picked = 0;
        self.problem = None;
    }

    /// The lines: the room of exactly that name first, then those that contain
    /// it, last the user of that name.
    pub(crate) fn choices(&self, rooms: &[Room]) -> Vec<Choice> {
        let typed = self.input.text().trim();
        let part = typed.to_lowercase();
        let mut choices: Vec<Choice> = rooms
            .iter()
            .map(|room| (room.key, room.title()))
            .filter(|(_, title)| title.to_lowercase().contains(&part))
            .map(|(key, title)| Choice::Open { key, title })
            .take(MATCHES)
            .collect();
        let exact =
            |choice: &Choice| matches!(choice, Choice::Open { title, .. } if title == typed);
        choices.sort_by_key(|choice| !exact(choice));
        if !typed.is_empty() && !choices.iter().any(exact) {
            choices.push(Choice::Find(typed.to_owned()));
        }
        choices
    }

    pub(crate) fn pick_next(&mut self, rooms: &[Room]) {
        let last = self.choices(rooms).len().saturating_sub(1);
        self.picked = (self.picked + 1).min(last);
    }

    pub(crate) fn pick_previous(&mut self) {
        self.picked = self.picked.saturating_sub(1);
    }

    /// What Enter does now.
    pub(crate) fn choice(&self, rooms: &[Room]) -> Option<Choice> {
        self.choices(rooms).into_iter().nth(self.picked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parley_client::{User, UserId};

    fn rooms() -> Vec<Room> {
        ["bobby", "bob", "carol"]
            .iter()
            .zip(1..)
            .map(|(name, key)| {
                let peer = User { id: UserId::new([1; 16]), name: (*name).into() };
                let mut room = Room::with_peer(peer);
                room.key = key;
                room
            })
            .collect()
    }

    fn typed(text: &str) -> Switcher {
        let mut switcher = Switcher::default();
        switcher.insert(text);
        switcher
    }

    fn open(key: u64, title: &str) -> Choice {
        Choice::Open { key, title: title.to_owned() }
    }

    #[test]
    fn a_part_of_a_name_finds_and_the_whole_name_wins() {
        let rooms = rooms();
        let bo = typed("bo").choices(&rooms);
        assert_eq!(bo, [open(1, "bobby"), open(2, "bob"), Choice::Find("bo".into())]);
        assert_eq!(typed("bob").choices(&rooms), [open(2, "bob"), open(1, "bobby")]);
        assert_eq!(typed("dave ").choice(&rooms), Some(Choice::Find("dave".into())));
        assert_eq!(typed("").choices(&rooms).len(), 3);
        assert_eq!(typed("").choice(&[]), None);
    }

    #[test]
    fn the_pick_stays_within_the_lines() {
        let rooms = rooms();
        let mut switcher = typed("bobb");
        for _ in 0..5 {
            switcher.pick_next(&rooms);
        }
        assert_eq!(switcher.choice(&rooms), Some(Choice::Find("bobb".into())));
        for _ in 0..5 {
            switcher.pick_previous();
        }
        assert_eq!(switcher.choice(&rooms), Some(open(1, "bobby")));
    }
}
