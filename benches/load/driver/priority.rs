//! Real-time priority for the threads that run users in an open loop.
//!
//! A server that has much to do takes both processors of a small machine, and a generator that has
//! to wait for one sends late and voids the run. Before the server it keeps its schedule with the
//! little it uses itself. A closed loop never gets it: it sends as fast as it can, and
//! would leave the server nothing. Without the right to it the priority stays as it is.

use std::sync::atomic::{AtomicBool, Ordering};

/// Who goes before whom; all of them before what has ordinary priority.
#[derive(Clone, Copy)]
#[repr(u8)]
pub(crate) enum Rank {
    /// Above 10, at which server and generator are run on machines that aren't quiet.
    Users = 20,
    /// Who sends to many goes before the many.
    Senders = 21,
}

/// What it is when nothing was asked for.
pub(crate) const ORDINARY: &str = "ordinary";

static FORBIDDEN: AtomicBool = AtomicBool::new(false);

/// Leaves all threads as they are.
pub(crate) fn forbid() {
    FORBIDDEN.store(true, Ordering::Relaxed);
}

/// Whether they are left so.
pub(crate) fn is_forbidden() -> bool {
    FORBIDDEN.load(Ordering::Relaxed)
}

/// Raises the priority of the thread that calls this; says what it has then.
pub(crate) fn raise(rank: Rank) -> String {
    if is_forbidden() {
        return ORDINARY.to_owned();
    }
    match system::raise(rank as u8) {
        Ok(()) => "real-time".to_owned(),
        Err(reason) => format!("{ORDINARY}: real-time was refused ({reason})"),
    }
}

#[cfg(target_os = "linux")]
mod system {
    use thread_priority::{
        RealtimeThreadSchedulePolicy, ThreadPriority, ThreadPriorityValue, ThreadSchedulePolicy,
        set_thread_priority_and_policy, thread_native_id,
    };

    pub(super) fn raise(level: u8) -> Result<(), String> {
        let level = ThreadPriorityValue::try_from(level)?;
        let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
        let priority = ThreadPriority::Crossplatform(level);
        set_thread_priority_and_policy(thread_native_id(), priority, policy)
            .map_err(|error| error.to_string())
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    pub(super) fn raise(_level: u8) -> Result<(), String> {
        Err("not done on this system".to_owned())
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    /// Priority and policy of this thread, as the kernel has them: fields 40 and 41 of its stat.
    fn kernel_says() -> (u32, u32) {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        let (_, fields) = stat.rsplit_once(')').unwrap();
        let field = |at: usize| fields.split_whitespace().nth(at - 3).unwrap().parse().unwrap();
        (field(40), field(41))
    }

    #[test]
    fn what_is_said_is_what_the_kernel_has() {
        let thread = || (raise(Rank::Users), kernel_says(), raise(Rank::Senders), kernel_says());
        let (users, before, senders, after) = std::thread::spawn(thread).join().unwrap();
        if users == "real-time" {
            // 1 is SCHED_FIFO.
            assert_eq!((before, after), ((20, 1), (21, 1)));
            assert_eq!(senders, users);
        } else {
            assert!(users.starts_with("ordinary: real-time was refused ("), "{users}");
            assert_eq!((before, after), ((0, 0), (0, 0)));
        }
    }
}
