//! `parley doctor`: whether the node is well, one line for each check.
//!
//! Exit codes: 0 well, 1 problems found, 2 could not check. Progress goes to standard
//! error; a signal ends it at any time, since nothing is changed.

use std::io::{self, Write as _};
use std::process::ExitCode;

use parley_server::node::config::Config;
use parley_server::node::doctor::{self, Options, Summary, Told};
use parley_server::storage::doctor::{Line, Progress, Status};
use serde::Serialize;

use crate::arguments::DoctorArguments;
use crate::config;

/// It could not be checked.
const COULD_NOT: u8 = 2;

/// The last line of `--json`.
#[derive(Serialize)]
struct Last<'a> {
    summary: &'a Summary,
}

/// Runs the command.
pub(crate) fn run(arguments: &DoctorArguments) -> ExitCode {
    match checked(arguments) {
        Ok(code) => code,
        // A reader that stops early (`| head`) has seen what it wanted.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("parley: could not check: {}", crate::one_line(&error));
            ExitCode::from(COULD_NOT)
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<io::Error>();
    io.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

fn checked(arguments: &DoctorArguments) -> anyhow::Result<ExitCode> {
    let mut output = Output { json: arguments.json, quiet: arguments.quiet, failed: None };
    let (config, first) = configuration(arguments)?;
    let bad = first.status == Status::Problem;
    output.line(&first);
    let options = Options { rate: arguments.rate, quick: arguments.quick };
    let tell = |told| match told {
        Told::Line(line) => output.line(&line),
        Told::Progress(progress) => output.progress(progress),
    };
    let summary = match &arguments.salvage {
        None => doctor::run(&config, &options, tell)?,
        Some(target) => doctor::salvage(&config, target, &options, tell)?,
    };
    if let (Some(target), false) = (&arguments.salvage, arguments.quiet) {
        eprintln!("the new store is whole: parley serve --data {}", target.display());
    }
    let summary = Summary {
        status: summary.status.max(first.status),
        problems: summary.problems + u32::from(bad),
        ..summary
    };
    output.last(&summary)?;
    let well = summary.status != Status::Problem;
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The configuration, and how it stands. With one that can't be used the defaults are
/// looked at in the folder that `--data` names.
fn configuration(arguments: &DoctorArguments) -> anyhow::Result<(Config, Line)> {
    const CHECK: &str = "configuration";
    match (config::load(&arguments.settings), &arguments.settings.data) {
        (Ok(loaded), _) => {
            let found = format!("it can be served with; data in {}", loaded.config.data.display());
            Ok((loaded.config, Line::ok(CHECK, found)))
        }
        (Err(error), Some(data)) => {
            let line = Line::problem(CHECK, crate::one_line(&error), "see parley config check");
            Ok((Config { data: data.clone(), ..Config::default() }, line))
        }
        (Err(error), None) => Err(error),
    }
}

/// Where lines go.
struct Output {
    json: bool,
    quiet: bool,
    failed: Option<io::Error>,
}

impl Output {
    fn line(&mut self, line: &Line) {
        let text = if self.json { as_json(line) } else { as_text(line) };
        self.write(&text);
    }

    fn write(&mut self, text: &str) {
        let mut out = io::stdout().lock();
        let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        self.failed = self.failed.take().or(written.err());
    }

    fn progress(&self, progress: Progress) {
        if !self.quiet {
            let Progress { rows, bytes, of_bytes } = progress;
            let (read, files) = (bytes >> 20, of_bytes >> 20);
            eprintln!("{rows} rows, {read} MiB read; the files have {files} MiB, compressed");
        }
    }

    fn last(&mut self, summary: &Summary) -> io::Result<()> {
        let text = if self.json { as_json(&Last { summary }) } else { in_words(summary) };
        self.write(&text);
        self.failed.take().map_or(Ok(()), Err)
    }
}

fn as_json(line: &impl Serialize) -> String {
    // Numbers and strings alone: there is nothing that could not be written.
    serde_json::to_string(line).map(|text| text + "\n").unwrap_or_default()
}

fn as_text(line: &Line) -> String {
    let status = match line.status {
        Status::Ok => "ok",
        Status::Warning => "warning",
        Status::Problem => "PROBLEM",
    };
    let mut text = format!("{status:<8} {:<14} {}\n", line.check, line.found);
    for example in &line.examples {
        text.push_str(&format!("{:<8} {:<14}   {example}\n", "", ""));
    }
    if !line.remedy.is_empty() {
        text.push_str(&format!("{:<8} {:<14} > {}\n", "", "", line.remedy));
    }
    text
}

fn in_words(summary: &Summary) -> String {
    let Summary { problems, warnings, rows, bytes, seconds, .. } = summary;
    let mib = bytes >> 20;
    format!(
        "{problems} problems, {warnings} warnings; {rows} rows and {mib} MiB read in {seconds:.1} s\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_for_people_or_for_scripts() {
        let line = Line {
            examples: vec!["seq 3".to_owned()],
            ..Line::problem("logs", "1 runs of entries are missing", "restore a copy")
        };
        assert_eq!(
            as_text(&line),
            "PROBLEM  logs           1 runs of entries are missing\n\
             \u{20}                         seq 3\n\
             \u{20}                       > restore a copy\n"
        );
        let summary = Summary {
            status: Status::Problem,
            problems: 1,
            warnings: 0,
            rows: 5,
            bytes: 3 << 20,
            seconds: 0.5,
        };
        assert_eq!(in_words(&summary), "1 problems, 0 warnings; 5 rows and 3 MiB read in 0.5 s\n");
        assert_eq!(
            as_json(&Last { summary: &summary }),
            "{\"summary\":{\"status\":\"problem\",\"problems\":1,\"warnings\":0,\"rows\":5,\
             \"bytes\":3145728,\"seconds\":0.5}}\n"
        );
    }
}
