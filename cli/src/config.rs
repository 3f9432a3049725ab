//! `parley config check|init|show`, and how flags become part of a configuration.
//!
//! Thin front ends: keys, layers and checks are the server's. `serve` loads its
//! configuration through here too, so that both see the same.

use std::io::Write as _;
use std::process::ExitCode;

use parley_server::node::config::{self, Config, Loaded, Overrides};

use crate::arguments::{ConfigCommand, LogFormat, SettingArguments};
use crate::logging;

/// What is said of a variable that is passed over.
pub(crate) const NO_KEY: &str = "not taken for a key of the configuration; passed over";

/// Runs one of the subcommands.
pub(crate) fn run(command: &ConfigCommand) -> anyhow::Result<ExitCode> {
    match command {
        ConfigCommand::Check(arguments) => {
            let loaded = load(arguments)?;
            for name in &loaded.passed_over {
                eprintln!("{name} is {NO_KEY}");
            }
            let data = loaded.config.data.display();
            print(&format!("the configuration is good; data in {data}\n"))
        }
        ConfigCommand::Init => print(&config::init()),
        ConfigCommand::Show(arguments) => print(&load(arguments)?.show()),
    }
}

/// The configuration the flags, variables and file give.
pub(crate) fn load(arguments: &SettingArguments) -> anyhow::Result<Loaded> {
    let loaded = Config::load(arguments.config.as_deref(), &overrides(arguments))?;
    // Which filters there are is known here, not in the server.
    logging::filter(&loaded.config.logging)?;
    Ok(loaded)
}

fn overrides(arguments: &SettingArguments) -> Overrides {
    let mut set = arguments.set.clone();
    if let Some(format) = arguments.log_format {
        let format = match format {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        };
        set.push(("logging.format".to_owned(), format.to_owned()));
    }
    if let Some(level) = &arguments.log_level {
        set.push(("logging.level".to_owned(), level.clone()));
    }
    if let Some(operator) = &arguments.operator {
        set.push(("operator".to_owned(), operator.clone()));
    }
    Overrides {
        data: arguments.data.clone(),
        listen: arguments.listen.clone(),
        http: arguments.http.clone(),
        set,
    }
}

fn print(text: &str) -> anyhow::Result<ExitCode> {
    // A reader that stops early (`| head`) is no failure.
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments() -> SettingArguments {
        SettingArguments {
            config: None,
            data: Some("somewhere".into()),
            listen: Some("127.0.0.1:0".to_owned()),
            http: None,
            operator: Some("127.0.0.1:0".to_owned()),
            log_format: Some(LogFormat::Json),
            log_level: Some("warn".to_owned()),
            set: vec![("connections.total".to_owned(), "1000".to_owned())],
        }
    }

    #[test]
    fn every_flag_reaches_the_configuration() {
        let overrides = overrides(&arguments());
        let none = std::iter::empty();
        let config = Config::load_from(None, none, &overrides).unwrap().config;
        assert_eq!(config.data, std::path::PathBuf::from("somewhere"));
        assert_eq!(config.listen, "127.0.0.1:0");
        assert_eq!(config.operator, "127.0.0.1:0");
        assert_eq!(config.logging.format, config::LogFormat::Json);
        assert_eq!(config.logging.level, "warn");
        assert_eq!(config.connections.total, 1000);
    }

    #[test]
    fn an_unknown_key_is_an_error_that_names_its_neighbour() {
        let mut arguments = arguments();
        arguments.set = vec![("connections.totl".to_owned(), "1".to_owned())];
        let none = std::iter::empty();
        let error = Config::load_from(None, none, &overrides(&arguments)).unwrap_err();
        assert!(error.to_string().contains("connections.total"), "{error}");
    }
}
