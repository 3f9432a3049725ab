//! The drills of `docs/operating.md`, each step as it stands there.

use std::path::Path;
use std::process::Command;

/// The blocks of steps below "## Drills": what each begins with, and each with its name.
fn drills() -> (String, Vec<(String, String)>) {
    let document = include_str!("../../../docs/operating.md");
    let section = document.split("\n## ").find(|section| section.starts_with("Drills\n")).unwrap();
    let steps = |text: &str| {
        let (_, block) = text.split_once("```sh\n")?;
        block.split_once("```").map(|(steps, _)| steps.to_owned())
    };
    let mut parts = section.split("\n### ");
    let beginning = steps(parts.next().unwrap()).unwrap();
    let drills = parts.map(|part| (part.lines().next().unwrap().to_owned(), steps(part).unwrap()));
    (beginning, drills.collect())
}

#[test]
fn every_step_of_every_drill_works() {
    let (beginning, drills) = drills();
    assert!(drills.len() >= 6, "{drills:?}");
    let binary = Path::new(env!("CARGO_BIN_EXE_parley")).parent().unwrap().to_owned();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
    let root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    for (name, steps) in drills {
        if steps.contains("mount ") && !root {
            println!("{name}: not run, since this user may not mount a file system");
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        // Whatever comes of it, nothing stays mounted or running.
        let script = format!(
            "set -euo pipefail\ntrap 'set +e; kill ${{pid:-}} 2>/dev/null; umount -l data 2>/dev/null; :' EXIT\n\
             {beginning}{steps}"
        );
        let mut bash = Command::new("bash");
        bash.args(["-xc", &script]).current_dir(folder.path()).env("PATH", &path);
        for (variable, _) in std::env::vars().filter(|(name, _)| name.starts_with("PARLEY_")) {
            bash.env_remove(variable);
        }
        let output = bash.output().unwrap();
        let log = std::fs::read_to_string(folder.path().join("drill/log")).unwrap_or_default();
        assert!(
            output.status.success(),
            "{name}: {}\n{}\nthe server's log:\n{log}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
