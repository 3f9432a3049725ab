//! The disk: everything on it, its power, and what it does to each request.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::io::Errno;

use super::content::Content;
use super::cut::{Bites, Mood, Order};
use super::names::{Names, Number};
use super::trouble::{Call, Planned, Trouble};
use super::wire::{Answer, Ask, Attributes, Request};

/// Number of the uppermost folder.
const ROOT: Number = 1;
const FOLDER: u32 = 0o040_000;
const FILE: u32 = 0o100_000;

#[derive(Debug)]
struct Node {
    content: Content,
    mode: u32,
    owner: (u32, u32),
    changed_s: u64,
    opened: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Power {
    On,
    /// Nothing reaches the disk any more, nobody gets an answer.
    Cut,
    /// Who waits is told an error.
    Off,
}

/// Which syncs the disk says yes to and does nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Forgets {
    Nothing,
    Files,
    /// Files of a write-ahead log alone.
    Logs,
    Folders,
}

#[derive(Debug)]
struct State {
    names: Names,
    nodes: BTreeMap<Number, Node>,
    next: Number,
    /// Folders that are being listed.
    lists: BTreeMap<u64, Vec<(OsString, Number)>>,
    next_list: u64,
    power: Power,
    /// The power goes in the middle of the next sync of a log.
    goes_in_sync: bool,
    forgets: Forgets,
    trouble: Trouble,
}

/// The disk. Shared by the threads that serve it.
#[derive(Debug)]
pub(crate) struct Disk {
    state: Mutex<State>,
    power: Condvar,
    /// How long a sync takes at most.
    slowness: Duration,
}

type Answered = Result<Answer, Errno>;

impl Disk {
    pub(crate) fn new(slowness: Duration) -> Self {
        let mut state = State {
            names: Names::default(),
            nodes: BTreeMap::new(),
            next: ROOT,
            lists: BTreeMap::new(),
            next_list: 1,
            power: Power::On,
            goes_in_sync: false,
            forgets: Forgets::Nothing,
            trouble: Trouble::default(),
        };
        let root = state.node(FOLDER | 0o755, (0, 0));
        state.names.add_folder(root);
        Self { state: Mutex::new(state), power: Condvar::new(), slowness }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no request panics")
    }

    /// Waits while the power is cut.
    fn with_power(&self) -> Result<MutexGuard<'_, State>, Errno> {
        let cut = |state: &mut State| state.power == Power::Cut;
        let state = self.power.wait_while(self.lock(), cut).expect("no request panics");
        if state.power == Power::On { Ok(state) } else { Err(Errno::IO) }
    }

    /// Answers a request; none where none is wanted.
    pub(super) fn answer(&self, request: Request) -> Option<Answered> {
        Some(match request.ask {
            Ask::Silent => return None,
            Ask::Release => {
                // Comes also for what a killed process held.
                self.lock().release(request.node);
                Ok(Answer::default())
            }
            Ask::Sync => self.sync(request.node, Call::Sync),
            Ask::SyncFolder => self.sync(request.node, Call::SyncFolder),
            _ => self.with_power().and_then(|mut state| state.answer(request)),
        })
    }

    fn sync(&self, node: Number, call: Call) -> Answered {
        let (reach, names, random) = {
            let mut state = self.with_power()?;
            let reach = state.nodes.get(&node).ok_or(Errno::NOENT)?.content.reach();
            if let Err(errno) = state.trouble.before(call) {
                if let Some(node) = state.nodes.get_mut(&node) {
                    node.content.give_up(reach);
                }
                return Err(errno);
            }
            if state.goes_in_sync && state.names.logs().contains(&node) {
                state.power = Power::Cut;
                self.power.notify_all();
            }
            (reach, state.names.reach(), fastrand::u32(..=1000))
        };
        std::thread::sleep(self.slowness * random / 1000);
        // What the power goes in the middle of isn't through.
        let mut state = self.with_power()?;
        let forgotten = match state.forgets {
            Forgets::Nothing => false,
            Forgets::Files => call == Call::Sync,
            Forgets::Logs => call == Call::Sync && state.names.logs().contains(&node),
            Forgets::Folders => call == Call::SyncFolder,
        };
        if !forgotten {
            state.sync(call, node, reach, names);
        }
        Ok(Answer::default())
    }

    pub(crate) fn forget(&self, forgets: Forgets) {
        self.lock().forgets = forgets;
    }

    /// From now on calls fail.
    pub(crate) fn begin_trouble(&self, planned: Planned) {
        self.lock().trouble.begin(planned);
    }

    /// The disk is whole again. Returns how many calls failed.
    pub(crate) fn end_trouble(&self) -> usize {
        self.lock().trouble.end()
    }

    /// The power goes: from now on nothing more gets on the disk and nobody gets an answer.
    pub(crate) fn stop(&self) {
        self.lock().power = Power::Cut;
    }

    /// The same in the middle of the next sync of a write-ahead log, or after a while.
    pub(crate) fn stop_in_sync(&self, a_while: Duration) {
        let mut state = self.lock();
        state.goes_in_sync = true;
        let on = |state: &mut State| state.power == Power::On;
        let waited = self.power.wait_timeout_while(state, a_while, on);
        let (mut state, _) = waited.expect("no request panics");
        state.goes_in_sync = false;
        state.power = Power::Cut;
    }

    /// Lets go of those who wait for an answer. Their process must be dead.
    pub(crate) fn let_go(&self) {
        self.lock().power = Power::Off;
        self.power.notify_all();
    }

    /// The power comes back, and all is on the disk that is.
    pub(crate) fn come_back(&self, random: &mut fastrand::Rng) -> Bites {
        let mut state = self.lock();
        state.power = Power::On;
        state.cut(random)
    }
}

impl State {
    fn node(&mut self, mode: u32, owner: (u32, u32)) -> Number {
        let number = self.next;
        self.next += 1;
        let changed_s = now_s();
        let node = Node { content: Content::default(), mode, owner, changed_s, opened: 0 };
        self.nodes.insert(number, node);
        number
    }

    fn attributes(&self, number: Number) -> Result<Attributes, Errno> {
        let node = self.nodes.get(&number).ok_or(Errno::NOENT)?;
        let &Node { ref content, mode, owner, changed_s, .. } = node;
        let size = content.bytes().len() as u64;
        Ok(Attributes { number, size, mode, owner, changed_s })
    }

    fn find(&self, folder: Number, name: &OsStr) -> Result<Number, Errno> {
        self.names.get(folder, name).ok_or(Errno::NOENT)
    }

    fn file(&mut self, number: Number) -> Result<&mut Content, Errno> {
        let node = self.nodes.get_mut(&number).ok_or(Errno::NOENT)?;
        node.changed_s = now_s();
        Ok(&mut node.content)
    }

    fn answer(&mut self, request: Request) -> Answered {
        let Request { node, owner, ask, .. } = request;
        match ask {
            Ask::Init => Ok(Answer::init()),
            Ask::Lookup(name) => {
                let found = self.find(node, &name)?;
                Ok(Answer::entry(self.attributes(found)?))
            }
            Ask::Attributes => Ok(Answer::attributes(self.attributes(node)?)),
            Ask::Set { mode, owner, size } => {
                if let Some(size) = size {
                    self.trouble.before(Call::Truncate)?;
                    self.file(node)?.resize(index(size)?);
                }
                let found = self.nodes.get_mut(&node).ok_or(Errno::NOENT)?;
                let kind = found.mode & !0o7777;
                found.mode = mode.map_or(found.mode, |mode| kind | mode & 0o7777);
                let (user, group) = found.owner;
                found.owner = (owner.0.unwrap_or(user), owner.1.unwrap_or(group));
                Ok(Answer::attributes(self.attributes(node)?))
            }
            Ask::MakeFolder { name, mode } => {
                self.trouble.before(Call::Open)?;
                let made = self.node(FOLDER | mode & 0o7777, owner);
                self.names.add_folder(made);
                self.names.make(node, &name, made);
                Ok(Answer::entry(self.attributes(made)?))
            }
            Ask::Create { name, mode } => {
                self.trouble.before(Call::Open)?;
                let made = self.node(FILE | mode & 0o7777, owner);
                self.names.make(node, &name, made);
                self.open(made)?;
                Ok(Answer::entry(self.attributes(made)?).opened(0))
            }
            Ask::Unlink(name) => {
                self.find(node, &name)?;
                self.names.take_away(node, &name);
                Ok(Answer::default())
            }
            Ask::RemoveFolder(name) => {
                let found = self.find(node, &name)?;
                if self.names.list(found).next().is_some() {
                    return Err(Errno::NOTEMPTY);
                }
                self.names.take_away(node, &name);
                Ok(Answer::default())
            }
            Ask::Rename { name, to, flags } => {
                self.trouble.before(Call::Rename)?;
                self.find(node, &name)?;
                // Of the kinds of renaming only the usual one is known.
                if flags != 0 {
                    return Err(Errno::INVAL);
                }
                self.names.rename((node, &name), (to.0, &to.1));
                Ok(Answer::default())
            }
            Ask::Open => {
                self.trouble.before(Call::Open)?;
                self.open(node)?;
                Ok(Answer::default().opened(0))
            }
            Ask::OpenFolder => {
                // Listed as it is now, whatever is taken away meanwhile.
                let names = self.names.list(node);
                let list = names.map(|(name, number)| (name.clone(), number)).collect();
                let handle = self.next_list;
                self.next_list += 1;
                self.lists.insert(handle, list);
                Ok(Answer::default().opened(handle))
            }
            Ask::CloseFolder { handle } => {
                self.lists.remove(&handle);
                Ok(Answer::default())
            }
            Ask::Read { at, size } => {
                let bytes = self.nodes.get(&node).ok_or(Errno::NOENT)?.content.bytes();
                let from = index(at)?.min(bytes.len());
                let to = (from + size as usize).min(bytes.len());
                Ok(Answer::bytes(&bytes[from..to]))
            }
            Ask::Write { at, bytes } => self.write(node, index(at)?, &bytes),
            Ask::Allocate { at, length, mode } => self.allocate(node, at, length, mode),
            Ask::List { handle, at, size } => Ok(self.list(handle, at, size)),
            Ask::Space => Ok(Answer::space()),
            Ask::Nothing => Ok(Answer::default()),
            _ => Err(Errno::NOSYS),
        }
    }

    fn sync(&mut self, call: Call, node: Number, reach: u64, names: u64) {
        if call == Call::SyncFolder {
            self.names.sync(node, names);
            self.forget_nameless();
        } else if let Some(file) = self.nodes.get_mut(&node) {
            file.content.sync(reach);
            self.names.sync_of(node);
        }
    }

    fn open(&mut self, node: Number) -> Result<(), Errno> {
        self.nodes.get_mut(&node).ok_or(Errno::NOENT)?.opened += 1;
        Ok(())
    }

    fn release(&mut self, node: Number) {
        if let Some(node) = self.nodes.get_mut(&node) {
            node.opened = node.opened.saturating_sub(1);
        }
    }

    fn write(&mut self, node: Number, at: usize, bytes: &[u8]) -> Answered {
        let trouble = self.trouble.before(Call::Write);
        // Of a write that fails a part may have been written.
        let written = if trouble.is_ok() { bytes } else { &bytes[..bytes.len() / 2] };
        self.file(node)?.write(at, written);
        trouble.map(|()| Answer::written(bytes.len()))
    }

    fn allocate(&mut self, node: Number, at: u64, length: u64, mode: u32) -> Answered {
        const KEEP_SIZE: u32 = 1;
        const PUNCH_HOLE: u32 = 2;
        let file = self.file(node)?;
        let (at, end) = (index(at)?, index(at + length)?);
        match mode {
            0 if end > file.bytes().len() => file.resize(end),
            0 | KEEP_SIZE => {}
            mode if mode == PUNCH_HOLE | KEEP_SIZE => {
                let end = end.min(file.bytes().len());
                file.write(at.min(end), &vec![0; end.saturating_sub(at)]);
            }
            _ => return Err(Errno::OPNOTSUPP),
        }
        Ok(Answer::default())
    }

    fn list(&self, handle: u64, at: u64, size: u32) -> Answer {
        let mut answer = Answer::default();
        let list = self.lists.get(&handle).into_iter().flatten();
        for (index, (name, number)) in (1..).zip(list).skip(at as usize) {
            let is_folder = self.names.is_folder(*number);
            if !answer.list(size, *number, index, is_folder, name.as_bytes()) {
                break;
            }
        }
        answer
    }

    fn cut(&mut self, random: &mut fastrand::Rng) -> Bites {
        let mood = Mood::choose(random);
        let order = if random.bool() { Order::Journal } else { Order::Loose };
        let mut bites = Bites::default();
        let logs = self.names.logs();
        for (number, node) in &mut self.nodes {
            let mut bite = node.content.cut(mood, random);
            bite.of_logs = if logs.contains(number) { bite.bytes } else { 0 };
            bites += bite;
            node.opened = 0;
        }
        bites.names = self.names.cut(order, mood, random);
        self.lists.clear();
        self.forget_nameless();
        bites
    }

    /// Gives up what has no name, can't get one back and nobody holds.
    fn forget_nameless(&mut self) {
        let named = self.names.named();
        self.nodes
            .retain(|number, node| *number == ROOT || node.opened > 0 || named.contains(number));
        let nodes = &self.nodes;
        self.names.retain(|number| nodes.contains_key(&number));
    }
}

fn index(number: u64) -> Result<usize, Errno> {
    // Far more than any test writes.
    usize::try_from(number).ok().filter(|number| *number < 1 << 32).ok_or(Errno::FBIG)
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
