//! Standard output, line by line, from a thread of its own.
//!
//! The queue is bounded: when the reader of our output is slow, putting a line
//! waits, and with it everything that makes lines. Events then wait in the
//! SDK's own bounded buffer, whose overflow is reported as `lagged`.

use std::io::Write as _;
use std::thread::JoinHandle;

use tokio::sync::mpsc;

use crate::chat::report::Report;

/// Lines that may wait for the reader.
const LINES: usize = 256;

/// Bytes gathered into one write.
const WRITE_BYTES: usize = 64 * 1024;

/// The reader is gone; nobody will see more lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReaderGone;

/// Puts lines out. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Output(mpsc::Sender<Report>);

impl Output {
    /// Starts the thread. It ends when every handle is dropped and all is written.
    pub(crate) fn start() -> (Self, JoinHandle<()>) {
        let (lines, mut waiting) = mpsc::channel::<Report>(LINES);
        let thread = std::thread::spawn(move || {
            let mut stdout = std::io::stdout().lock();
            let mut buffer = Vec::new();
            while let Some(report) = waiting.blocking_recv() {
                buffer.extend(report.to_line().unwrap_or_default());
                while buffer.len() < WRITE_BYTES
                    && let Ok(report) = waiting.try_recv()
                {
                    buffer.extend(report.to_line().unwrap_or_default());
                }
                // Dropping the receiver is how the others learn of it.
                if stdout.write_all(&buffer).and_then(|()| stdout.flush()).is_err() {
                    return;
                }
                buffer.clear();
                buffer.shrink_to(WRITE_BYTES);
            }
        });
        (Self(lines), thread)
    }

    /// Puts a line out; waits while the reader is slow.
    ///
    /// Cancel safe: dropped before it returns, the line was not put.
    pub(crate) async fn put(&self, report: Report) -> Result<(), ReaderGone> {
        self.0.send(report).await.map_err(|_| ReaderGone)
    }

    /// Waits until the reader is gone.
    pub(crate) async fn reader_gone(&self) {
        self.0.closed().await;
    }
}
