//! A timer that is good to microseconds; the runtime's are only good to a millisecond.

pub(super) use system::Timer;

/// A timer of the kernel that wakes a runtime: no thread for it, no limit of a millisecond.
#[cfg(target_os = "linux")]
mod system {
    use std::os::fd::OwnedFd;
    use std::time::{Duration, Instant};

    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    pub(in crate::driver) struct Timer(AsyncFd<OwnedFd>);

    impl Timer {
        #[expect(deprecated, reason = "sound for what owns its descriptor; the new one is unsafe")]
        pub(in crate::driver) fn new() -> anyhow::Result<Self> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            Ok(Self(AsyncFd::with_interest(timer, Interest::READABLE)?))
        }

        pub(in crate::driver) async fn wait_until(&mut self, due: Instant) -> anyhow::Result<()> {
            // A wait of nothing would never ring.
            let wait = due.saturating_duration_since(Instant::now()).max(Duration::from_nanos(1));
            let it_value = Timespec::try_from(wait)?;
            let it_interval = Timespec { tv_sec: 0, tv_nsec: 0 };
            let once = Itimerspec { it_interval, it_value };
            timerfd_settime(self.0.get_ref(), TimerfdTimerFlags::empty(), &once)?;
            // Setting it again forgets that it rang, so it need not be read.
            while Instant::now() < due {
                self.0.readable().await?.clear_ready();
            }
            Ok(())
        }
    }
}

/// The runtime's own timer: late by up to a millisecond, which voids runs.
#[cfg(not(target_os = "linux"))]
mod system {
    use std::time::Instant;

    pub(in crate::driver) struct Timer;

    impl Timer {
        #[expect(clippy::unnecessary_wraps, reason = "the other one may fail")]
        pub(in crate::driver) const fn new() -> anyhow::Result<Self> {
            Ok(Self)
        }

        pub(in crate::driver) async fn wait_until(&mut self, due: Instant) -> anyhow::Result<()> {
            tokio::time::sleep_until(due.into()).await;
            Ok(())
        }
    }
}
