//! What holds in the model once everything healed.

use std::collections::HashMap;

use parley_protocol::ids::ConversationId;

use super::{Device, World};

impl World {
    pub(super) fn check(&self, seed: u64) {
        for device in &self.devices {
            let context = format!("seed {seed}, device {}", device.number);
            assert!(device.ready, "{context} is connected");
            assert_eq!(device.machine.queued(), 0, "{context} sent everything");
            self.check_sends(device, &context);
            self.check_seen(device, &context);
        }
        if self.put_back == 0 {
            assert_eq!(self.server.cursor_ahead, 0, "seed {seed}: no cursor went too far");
            let resets: Vec<_> = self.devices.iter().map(|device| device.resets).collect();
            assert!(resets.iter().all(|it| *it == (0, 0)), "seed {seed}: no copy was dropped");
        }
    }

    fn check_sends(&self, device: &Device, context: &str) {
        let mut last: HashMap<ConversationId, u64> = HashMap::new();
        for (local_id, outgoing) in &device.sends {
            let places = self.server.places(device.number, &outgoing.id);
            if places.is_empty() && device.machine.queued() == 0 {
                // A restart between the refusal and its notice loses only the notice.
                let kept = outgoing.sent.is_none() || outgoing.before;
                assert!(kept, "{context}: {local_id:?} was acknowledged and is not there");
                continue;
            }
            assert!(
                !outgoing.failed || self.put_back > 0,
                "{context}: {local_id:?} failed and landed"
            );
            assert_eq!(places.len(), 1, "{context}: {local_id:?} landed once");
            let (conversation, seq) = places[0];
            // A restart between the commit and the answer loses only the answer.
            if let Some(sent) = outgoing.sent {
                assert_eq!((sent.conversation, sent.seq), (conversation, seq), "{context}");
            }
            let before = last.insert(conversation, seq).unwrap_or(0);
            assert!(before < seq, "{context}: sends of a conversation keep their order");
        }
    }

    fn check_seen(&self, device: &Device, context: &str) {
        for (id, truth) in self.server.conversations_of(device.owner) {
            let seen = device.seen.get(&id).map_or(&[][..], Vec::as_slice);
            let sorted = seen.is_sorted_by(|one, next| one < next);
            assert!(sorted, "{context}: each once, in order: {seen:?}");
            // What came while one was out and in again is not there any more.
            let now: Vec<u64> =
                seen.iter().copied().filter(|seq| *seq > truth.sees_after).collect();
            let all: Vec<u64> = (truth.sees_after + 1..=truth.last).collect();
            assert_eq!(now, all, "{context}: all entries of {id}");
            let line = &device.lines[&id];
            let told = device.resets.0 == self.put_back;
            if told {
                assert_eq!(line.unread, truth.unread, "{context}: unread");
                assert_eq!(line.mentions, truth.mentions, "{context}: mentions");
                assert_eq!(line.read, truth.read, "{context}: read");
            }
            assert_eq!(line.former, truth.former, "{context}: former");
            assert_eq!(line.members, truth.members, "{context}: members");
            // What it is called since they left is not theirs to know.
            let title_known = truth.former || *line.info.title == truth.title;
            assert!(title_known, "{context}: title");
            // Only a server that says so has a device forget what lies beside the log.
            if !told {
                continue;
            }
            assert_eq!(line.preferences.archived, truth.archived, "{context}: archived");
            let hidden = device.hidden.get(&id).cloned().unwrap_or_default();
            // A device that begins takes what was hidden until then for known.
            assert!(truth.hidden.ends_with(&hidden), "{context}: hidden");
            let delivered = truth.delivered >= truth.last_of_others;
            assert!(delivered, "{context}: everything acknowledged");
        }
    }
}
