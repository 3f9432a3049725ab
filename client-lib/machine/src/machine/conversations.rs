//! The conversations this device knows: which there are, which of them have
//! something to ask or say, which changed for the application and for the store.

use std::collections::{BTreeSet, HashMap};

use parley_protocol::ids::{ConversationId, UserId};
use parley_protocol::wire::client_envelope::Kind;

use super::conversation::{Context, Conversation, Expired, Next, SavedConversation};
use super::expiries::Expiries;
use super::requests::Pending;
use super::schedule::Schedule;
use crate::model::{Conversation as Line, User};

#[derive(Debug)]
pub(crate) struct Conversations {
    known: HashMap<ConversationId, Conversation>,
    /// The 1:1 conversation with each user.
    direct: HashMap<UserId, ConversationId>,
    schedule: Schedule,
    /// Where something expires next. Notes all but the one that is lent.
    expiries: Expiries,
    /// Was given out to be changed last, and may expire something earlier since.
    lent: Option<ConversationId>,
    /// Those whose line the application has not seen since it changed.
    changed: BTreeSet<ConversationId>,
    /// Those that changed since they were last kept.
    unsaved: BTreeSet<ConversationId>,
    keeps: bool,
}

impl Conversations {
    /// Those of an earlier run; `keeps` when there is a store.
    pub(crate) fn new(saved: Vec<SavedConversation>, keeps: bool) -> Self {
        let known = saved.into_iter().map(|saved| (saved.id, Conversation::restore(saved)));
        let known: HashMap<_, _> = known.collect();
        let mut expiries = Expiries::default();
        for (id, known) in &known {
            expiries.set(*id, known.expiry().next_ms());
        }
        Self {
            known,
            direct: HashMap::new(),
            schedule: Schedule::default(),
            expiries,
            lent: None,
            changed: BTreeSet::new(),
            unsaved: BTreeSet::new(),
            keeps,
        }
    }

    pub(crate) fn get(&self, id: ConversationId) -> Option<&Conversation> {
        self.known.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: ConversationId) -> Option<&mut Conversation> {
        self.lend(id);
        self.known.get_mut(&id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Conversation> {
        self.known.values()
    }

    /// The conversation, known from now on. A new one begins after `held`, or
    /// where the feed will say.
    pub(crate) fn ensure(&mut self, id: ConversationId, held: Option<u64>) -> &mut Conversation {
        self.lend(id);
        self.known.entry(id).or_insert_with(|| Conversation::new(id, held))
    }

    /// What is known of it goes, and it begins where the feed will say. Returns what
    /// was known.
    pub(crate) fn restart(&mut self, id: ConversationId) -> Option<Conversation> {
        self.lend(id);
        let anew = Conversation::new(id, None);
        let known = self.known.get_mut(&id).map(|known| std::mem::replace(known, anew));
        self.changed.remove(&id);
        self.unsaved.remove(&id);
        self.schedule.wake(id);
        known
    }

    /// Those for which it is not known yet where this device begins do so at
    /// their beginning. Returns them.
    pub(crate) fn begin_remaining(&mut self) -> Vec<ConversationId> {
        let all = self.known.values_mut();
        all.filter_map(|known| known.begin_at_start().then_some(known.id())).collect()
    }

    /// The 1:1 conversation with a user.
    pub(crate) fn direct(&self, user: UserId) -> Option<ConversationId> {
        self.direct.get(&user).copied()
    }

    pub(crate) fn set_direct(&mut self, user: UserId, id: ConversationId) {
        self.direct.insert(user, id);
    }

    /// All 1:1 conversations whose members are known, with the other one.
    pub(crate) fn peers(&self, me: UserId) -> Vec<(ConversationId, User)> {
        let all = self.known.values();
        all.filter_map(|known| Some((known.id(), known.peer(me)?.clone()))).collect()
    }

    /// The user as a member of any conversation.
    pub(crate) fn member(&self, user: UserId) -> Option<&User> {
        self.known.values().find_map(|known| known.named(user))
    }

    /// It may have something to ask or say.
    pub(crate) fn wake(&mut self, id: ConversationId) {
        self.schedule.wake(id);
    }

    /// Its state changed: it is to be kept, and may have something to ask or say.
    pub(crate) fn touch(&mut self, id: ConversationId) {
        if self.keeps {
            self.unsaved.insert(id);
        }
        self.schedule.wake(id);
    }

    /// Whoever changes this one may make something expire earlier in it. Nothing else
    /// does, and later than noted nothing expires until time passes here.
    fn lend(&mut self, id: ConversationId) {
        if self.lent != Some(id) {
            self.note_lent();
            self.lent = Some(id);
        }
    }

    fn note_lent(&mut self) {
        if let Some(id) = self.lent.take() {
            self.expiries.set(id, self.expiry_ms_of(id));
        }
    }

    fn expiry_ms_of(&self, id: ConversationId) -> Option<u64> {
        self.known.get(&id).and_then(|known| known.expiry().next_ms())
    }

    /// When a message expires next, by the server's clock.
    pub(crate) fn expiry_ms(&self) -> Option<u64> {
        let lent = self.lent.and_then(|id| self.expiry_ms_of(id));
        self.expiries.first_ms().into_iter().chain(lent).min()
    }

    /// It is so late by the server's clock. Returns those where something may have
    /// expired, the earliest first, and whether the count is stale by it.
    pub(crate) fn handle_time(
        &mut self,
        now_ms: u64,
        me: Option<UserId>,
    ) -> Vec<(ConversationId, bool)> {
        self.note_lent();
        let mut expired = Vec::new();
        for id in self.expiries.due(now_ms) {
            let Some(known) = self.known.get_mut(&id) else { continue };
            let what = known.handle_time(now_ms, me);
            if what != Expired::Nothing {
                expired.push((id, what == Expired::Stale));
            }
            self.expiries.set(id, known.expiry().next_ms());
        }
        expired
    }

    /// Its line in the list changed.
    pub(crate) fn mark_changed(&mut self, id: ConversationId) {
        self.changed.insert(id);
    }

    /// The lines that changed.
    pub(crate) fn take_changed(&mut self, me: Option<UserId>) -> Vec<Line> {
        let changed = std::mem::take(&mut self.changed).into_iter();
        changed.filter_map(|id| self.begun(id).map(|known| known.line(me))).collect()
    }

    /// What a store has to keep.
    pub(crate) fn take_unsaved(&mut self) -> Vec<SavedConversation> {
        let unsaved = std::mem::take(&mut self.unsaved).into_iter();
        unsaved.filter_map(|id| self.begun(id).map(Conversation::saved)).collect()
    }

    fn begun(&self, id: ConversationId) -> Option<&Conversation> {
        self.known.get(&id).filter(|known| known.has_begun())
    }

    /// Wakes those that an earlier session left unfinished, and has those of
    /// `tracked` described again: receipts said meanwhile are not repeated.
    pub(crate) fn resume(&mut self, tracked: &[ConversationId]) {
        for known in self.known.values().filter(|known| known.is_unfinished()) {
            self.schedule.wake(known.id());
        }
        for id in tracked {
            if let Some(known) = self.known.get_mut(id) {
                known.describe_again();
                self.schedule.wake(*id);
            }
        }
    }

    /// What waits to be acknowledged together with later entries goes now.
    pub(crate) fn skip_pauses(&mut self) {
        for known in self.known.values_mut() {
            if known.skip_pause() {
                self.schedule.wake(known.id());
            }
        }
    }

    /// Whether a cursor is to be moved yet, now or later.
    pub(crate) fn have_pending_cursors(&self) -> bool {
        self.known.values().any(Conversation::has_pending_cursors)
    }

    /// The next request that a conversation has to make.
    pub(crate) fn next(&mut self, context: Context) -> Option<(Pending, Kind)> {
        let mut after = None;
        while let Some(id) = self.schedule.next(after) {
            after = Some(id);
            let next = match self.known.get_mut(&id) {
                Some(known) => known.next(context, &mut self.schedule),
                None => Next::Nothing,
            };
            match next {
                Next::Request(pending, kind) => return Some((pending, kind)),
                Next::Later(at_ms) => self.schedule.rest_until(at_ms, id),
                Next::Wait => self.schedule.wait(id),
                Next::Nothing => self.schedule.rest(id),
            }
        }
        None
    }

    /// A description was answered or refused.
    pub(crate) fn finish_description(&mut self) {
        self.schedule.finish_description();
    }

    /// A fetch was answered or refused.
    pub(crate) fn finish_fetch(&mut self) {
        self.schedule.finish_fetch();
    }

    /// Whether readers are behind: catching up then goes slowly.
    pub(crate) const fn set_busy(&mut self, busy: bool) {
        self.schedule.set_busy(busy);
    }

    /// When the next one is to be looked at.
    pub(crate) fn deadline(&self) -> Option<u64> {
        self.schedule.deadline()
    }

    pub(crate) fn handle_timeout(&mut self, now_ms: u64) {
        self.schedule.handle_timeout(now_ms);
    }

    /// Forgets what belonged to one connection, and with `had_session` what
    /// belonged to the session on it.
    pub(crate) fn end_session(&mut self, had_session: bool) {
        self.schedule.end_session();
        if had_session {
            for known in self.known.values_mut() {
                known.end_session();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parley_protocol::wire;

    const PLACE: ConversationId = ConversationId::new([9; 16]);
    const ME: UserId = UserId::new([1; 16]);

    fn context(now_ms: u64) -> Context {
        Context { now_ms, me: Some(ME), draining: false }
    }

    #[test]
    fn lines_and_saves_come_once_and_only_of_those_that_begun() {
        let mut conversations = Conversations::new(Vec::new(), true);
        conversations.ensure(PLACE, None);
        conversations.touch(PLACE);
        conversations.mark_changed(PLACE);
        assert!(conversations.take_changed(None).is_empty());
        assert!(conversations.take_unsaved().is_empty());
        assert_eq!(conversations.begin_remaining(), vec![PLACE]);
        conversations.touch(PLACE);
        conversations.mark_changed(PLACE);
        assert_eq!(conversations.take_changed(None).len(), 1);
        assert_eq!(conversations.take_unsaved().len(), 1);
        assert!(conversations.take_changed(None).is_empty());
        assert!(conversations.take_unsaved().is_empty());
    }

    #[test]
    fn without_a_store_nothing_is_noted_for_it() {
        let mut conversations = Conversations::new(Vec::new(), false);
        conversations.ensure(PLACE, Some(0));
        conversations.touch(PLACE);
        assert!(conversations.take_unsaved().is_empty());
    }

    #[test]
    fn one_that_did_not_finish_goes_on_in_the_next_session() {
        let mut conversations = Conversations::new(Vec::new(), false);
        conversations.ensure(PLACE, Some(0));
        conversations.wake(PLACE);
        let asked = conversations.next(context(0)).map(|(pending, _)| pending);
        assert_eq!(asked, Some(Pending::Describe(PLACE)));
        assert!(conversations.next(context(0)).is_none());
        conversations.end_session(true);
        assert!(conversations.next(context(0)).is_none());
        conversations.resume(&[]);
        assert!(matches!(conversations.next(context(0)), Some((Pending::Describe(_), _))));
    }

    #[test]
    fn those_with_tracked_sends_are_described_again() {
        let mut conversations = Conversations::new(Vec::new(), false);
        conversations.ensure(PLACE, Some(0)).handle_undescribable(1);
        conversations.resume(&[]);
        assert!(conversations.next(context(0)).is_none());
        conversations.resume(&[PLACE]);
        assert!(matches!(conversations.next(context(0)), Some((Pending::Describe(_), _))));
    }

    #[test]
    fn a_saved_one_is_known_by_its_peer() {
        let mut conversations = Conversations::new(Vec::new(), true);
        let member = wire::Member { user: ME.to_wire(), name: "me".into(), ..Default::default() };
        let described = wire::Described {
            conversation: PLACE.to_wire(),
            kind: wire::ConversationKind::Direct as i32,
            members: vec![member],
            ..Default::default()
        };
        let description = crate::convert::description(&described).unwrap();
        conversations.ensure(PLACE, Some(0)).handle_described(description, Some(ME), 1);
        conversations.touch(PLACE);
        let again = Conversations::new(conversations.take_unsaved(), true);
        assert_eq!(again.peers(ME).len(), 1);
        assert_eq!(again.member(ME).map(|user| &*user.name), Some("me"));
        assert_eq!(again.direct(ME), None);
    }
}
