//! `parley doctor`: whether a node is well, or could be: what is around it and every row
//! it keeps. One line for each check; nothing is changed.

mod certificate;
mod clock;
mod folder;
mod machine;
mod ports;

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use crate::base::clock::Monotonic;
use crate::node::config::Config;
use crate::storage::doctor::{
    self, Found, Line, Marker, MarkerError, Pace, Progress, SalvageError, Status,
};
use crate::storage::store::{EngineError, FORMAT};

/// Bytes a second that are read while a server runs on the folder, unless told otherwise.
pub const RATE_BESIDE_A_SERVER: u64 = 64 << 20;

/// What to look at, and how fast.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Bytes a second that are read at most; by default without a bound, and
    /// [`RATE_BESIDE_A_SERVER`] while a server runs.
    pub rate: Option<u64>,
    /// Leaves out what takes reading every row.
    pub quick: bool,
}

/// What somebody is told while a check runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// A check is done.
    Line(Line),
    /// Rows are being read.
    Progress(Progress),
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Summary {
    /// The worst that was found.
    pub status: Status,
    /// Checks that found something wrong.
    pub problems: u32,
    /// Checks that found something to be looked at.
    pub warnings: u32,
    /// Rows that were read.
    pub rows: u64,
    /// Bytes of keys and values that were read.
    pub bytes: u64,
    /// How long it took, seconds.
    pub seconds: f64,
}

/// Why nothing could be checked.
#[derive(Debug, thiserror::Error)]
pub enum DoctorError {
    /// There is no store in the folder.
    #[error("{folder} holds no store that can be looked at: {source}", folder = folder.display())]
    Marker {
        /// The data folder.
        folder: PathBuf,
        /// The reason.
        source: MarkerError,
    },
    /// Another build made it.
    #[error(
        "the store has format {found}, this build reads format {FORMAT}; use the build that made it"
    )]
    Format {
        /// The store's format.
        found: u32,
    },
    /// The database can't be opened at all.
    #[error("the database can't be opened: {0}; restore a copy")]
    Database(#[from] EngineError),
    /// No new store could be made.
    #[error(transparent)]
    Salvage(#[from] SalvageError),
}

/// Checks a node. Blocks. Lines come in the order of the checks, as they are done.
///
/// # Errors
/// [`DoctorError`] when there is no store to check; what was said before stands.
pub fn run(
    config: &Config,
    options: &Options,
    mut tell: impl FnMut(Told),
) -> Result<Summary, DoctorError> {
    let clock = Monotonic::start();
    let began = clock.moment();
    let mut counted = Counted::default();
    let mut say = |line: Line, tell: &mut dyn FnMut(Told)| {
        counted.count(&line);
        tell(Told::Line(line));
    };
    let data = &config.data;
    let holder = doctor::holder(data).ok().flatten();
    let around = [
        folder::rights(data),
        folder::space(data, config.storage.write_buffer_bytes),
        folder::speed(data),
        machine::descriptors(config.connections.total, holder),
        machine::memory(config),
        certificate::line(&config.tls_options()),
    ];
    around.into_iter().for_each(|line| say(line, &mut tell));
    ports::look(config, holder.is_some()).into_iter().for_each(|line| say(line, &mut tell));

    let marker = read_marker(data)?;
    say(store_line(&marker, config, holder), &mut tell);
    let acknowledged = doctor::acknowledged(data);
    let (rocks, trouble) = doctor::open(data)?;
    say(database_line(trouble.as_ref()), &mut tell);
    say(doctor::log_line(data, &rocks, acknowledged, holder.is_some()), &mut tell);
    let mut found = Found::default();
    if !options.quick {
        let rate = options.rate.or_else(|| holder.map(|_| RATE_BESIDE_A_SERVER));
        let pace = Pace::new(rate, |progress| tell(Told::Progress(progress)));
        found = doctor::check(&rocks, marker.shards, pace)?;
        std::mem::take(&mut found.lines).into_iter().for_each(|line| say(line, &mut tell));
    }
    say(clock::line(&doctor::noted(&rocks), found.newest_ms, began, clock.moment()), &mut tell);
    Ok(counted.summary(found.progress, clock))
}

/// Makes a new store in `target` of all that can be read of a node's. Blocks. Lines say
/// what was kept and what is lost.
///
/// # Errors
/// [`DoctorError`]; there is no new store then.
pub fn salvage(
    config: &Config,
    target: &Path,
    options: &Options,
    mut tell: impl FnMut(Told),
) -> Result<Summary, DoctorError> {
    let clock = Monotonic::start();
    let marker = read_marker(&config.data)?;
    let (_, trouble) = doctor::open(&config.data)?;
    let rocks = doctor::open_remains(&config.data)?;
    let mut counted = Counted::default();
    let mut progress = Progress::default();
    let pace = Pace::new(options.rate, |now| {
        progress = now;
        tell(Told::Progress(now));
    });
    let folders = (config.data.as_path(), target);
    let saved = doctor::salvage(&rocks, &marker, folders, pace)?;
    let database = trouble.as_ref().map(|error| database_line(Some(error)));
    for line in database.into_iter().chain(saved) {
        counted.count(&line);
        tell(Told::Line(line));
    }
    Ok(counted.summary(progress, clock))
}

fn read_marker(data: &Path) -> Result<Marker, DoctorError> {
    let marker = Marker::read(data)
        .map_err(|source| DoctorError::Marker { folder: data.to_owned(), source })?;
    if marker.format == FORMAT {
        Ok(marker)
    } else {
        Err(DoctorError::Format { found: marker.format })
    }
}

#[derive(Debug)]
struct Counted {
    status: Status,
    problems: u32,
    warnings: u32,
}

impl Default for Counted {
    fn default() -> Self {
        Self { status: Status::Ok, problems: 0, warnings: 0 }
    }
}

impl Counted {
    fn count(&mut self, line: &Line) {
        self.status = self.status.max(line.status);
        match line.status {
            Status::Problem => self.problems += 1,
            Status::Warning => self.warnings += 1,
            Status::Ok => {}
        }
    }

    fn summary(self, progress: Progress, clock: Monotonic) -> Summary {
        let Self { status, problems, warnings } = self;
        let Progress { rows, bytes, .. } = progress;
        let seconds = Duration::from_millis(clock.now_ms()).as_secs_f64();
        Summary { status, problems, warnings, rows, bytes, seconds }
    }
}

fn store_line(marker: &Marker, config: &Config, holder: Option<u32>) -> Line {
    const CHECK: &str = "store";
    let shards = marker.shards.get();
    if shards != config.storage.shards {
        let found = format!(
            "the store has {shards} shards and storage.shards is {}: no server starts on it",
            config.storage.shards
        );
        return Line::problem(CHECK, found, "set storage.shards to the store's number");
    }
    let held = holder.map_or_else(
        || "no server runs on it".to_owned(),
        |process| format!("process {process} runs on it: what it writes from now on isn't seen"),
    );
    Line::ok(CHECK, format!("format {FORMAT}, {shards} shards; {held}"))
}

fn database_line(trouble: Option<&EngineError>) -> Line {
    const CHECK: &str = "database";
    match trouble {
        None => Line::ok(CHECK, "it opens"),
        Some(error) => Line::problem(
            CHECK,
            format!("no server can open it: {error}; what follows is of what is left"),
            "restore a copy, or run: parley doctor --salvage NEWDIR",
        ),
    }
}
