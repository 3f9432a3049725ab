//! The command line: names, defaults and help of every flag.
//!
//! Nothing is carried out here. Defaults that the configuration knows are left to
//! it, so that a flag which isn't given overrides nothing; the help names them.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// A chat backend in one binary, and a terminal client for it.
#[derive(Debug, Parser)]
#[command(name = "parley", version, about, after_help = FIRST_STEPS)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const FIRST_STEPS: &str = "\
First steps:
  1. parley serve                                      in one terminal; prints a ready line
  2. parley chat --trust FINGERPRINT --user alice --sign-up        in a second one
  3. parley chat --trust FINGERPRINT --user bob --sign-up --device second   in a third
  4. Ctrl+N in one of them, the other's name, Enter, a message, Enter
  5. parley config init > parley.toml; parley serve --config parley.toml

Ports: 7443 (QUIC on UDP, TLS on TCP), 7480 (plain HTTP, loopback only),\n
7481 (health and metrics, loopback unless configured).";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server.
    Serve(ServeArguments),
    /// Chat from a terminal, or from a script with JSON lines.
    Chat(ChatArguments),
    /// Check whether the node is well: what is around it, and every row it keeps.
    Doctor(DoctorArguments),
    /// Print what users reported to the operators, as JSON lines.
    Reports(ReportsArguments),
    /// Look at or make a configuration.
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
}

/// What `doctor` is told.
#[derive(Debug, Args)]
#[command(after_help = DOCTOR_HELP)]
pub(crate) struct DoctorArguments {
    #[command(flatten)]
    pub(crate) settings: SettingArguments,
    /// One JSON object a line; the last one is the summary
    #[arg(long)]
    pub(crate) json: bool,
    /// Read at most so many bytes a second [default: 67108864 while a server runs, else no bound]
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) rate: Option<u64>,
    /// Leave out what takes reading every row
    #[arg(long)]
    pub(crate) quick: bool,
    /// Say nothing of progress on standard error
    #[arg(long)]
    pub(crate) quiet: bool,
    /// Make a new store in this empty folder of all that can be read; the old one is only read
    #[arg(long, value_name = "NEWDIR", conflicts_with = "quick")]
    pub(crate) salvage: Option<PathBuf>,
}

const DOCTOR_HELP: &str = "\
A server may run on the data folder: the store is looked at as it is at this moment,
and nothing is changed. It takes the settings that the server is started with.
With --salvage no server may run on it. The new store has the old one's accounts,
conversations and certificate; parley serve --data NEWDIR starts on it. What is lost
is said at the end.
Exit codes: 0 well (warnings included), or nothing lost; 1 problems were found, or
something is lost; 2 it could not be checked, or not be salvaged.";

/// What `reports` is told.
#[derive(Debug, Args)]
pub(crate) struct ReportsArguments {
    /// The data folder; a server may be running on it
    #[arg(long, value_name = "DIR", default_value = "./parley-data")]
    pub(crate) data: PathBuf,
    /// Only reports from this moment on, Unix milliseconds
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub(crate) since_ms: u64,
    /// At most this many, the oldest
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub(crate) limit: usize,
}

/// What `serve` and `config` are told; each beats variables, which beat the file.
#[derive(Debug, Clone, Args)]
pub(crate) struct SettingArguments {
    /// The configuration file (TOML). Without it the defaults hold.
    #[arg(long, value_name = "FILE", env = "PARLEY_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// The data folder [default: ./parley-data]
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Where QUIC and TLS listen; port 0 picks one [default: 127.0.0.1:7443]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<String>,
    /// Where plain HTTP listens, on loopback only [default: 127.0.0.1:7480]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) http: Option<String>,
    /// Where health and metrics are for operators [default: 127.0.0.1:7481]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) operator: Option<String>,
    /// How log lines look.
    #[arg(long, value_name = "FORMAT")]
    pub(crate) log_format: Option<LogFormat>,
    /// What is logged: error, warn, info, or a filter such as parley_server=info
    #[arg(long, value_name = "LEVEL")]
    pub(crate) log_level: Option<String>,
    /// Any other key of the configuration, for example connections.total=1000
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = key_value)]
    pub(crate) set: Vec<(String, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArguments {
    #[command(flatten)]
    pub(crate) settings: SettingArguments,
    /// Go on without what a start said is missing of the data folder, as it named it
    #[arg(long, value_name = "LOSS")]
    pub(crate) accept_loss: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Say whether a configuration can be served with, and if not, why.
    Check(SettingArguments),
    /// Print a configuration file with every key, its meaning and its default.
    Init,
    /// Print the values in force and where each comes from.
    Show(SettingArguments),
}

#[derive(Debug, Args)]
#[command(after_help = JSON_HELP)]
pub(crate) struct ChatArguments {
    /// The server: parley:// (QUIC, else TLS), quic://, tls://, wss://, or ws:// on loopback
    #[arg(long, value_name = "URL", default_value = "parley://127.0.0.1:7443")]
    pub(crate) server: String,
    /// Believe only the certificate with this SHA-256 fingerprint (see the server's ready line)
    #[arg(long, value_name = "FINGERPRINT", conflicts_with = "ca")]
    pub(crate) trust: Option<String>,
    /// Believe only certificates of the authorities in this PEM file
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// The user name
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Option<String>,
    /// A file whose first line is the password
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    /// Make the account; if it exists and the password is right, sign in
    #[arg(long)]
    pub(crate) sign_up: bool,
    /// What this device is called; the same name is the same device [default: terminal on HOST]
    #[arg(long, value_name = "NAME")]
    pub(crate) device: Option<String>,
    /// Keep unsent messages, positions and a cache in this file
    #[arg(long, value_name = "FILE")]
    pub(crate) store: Option<PathBuf>,
    /// Read commands and write events as JSON lines; also without a terminal
    #[arg(long)]
    pub(crate) json: bool,
    /// With --json: seconds to wait for the first connection, and at the end for unsent messages
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub(crate) patience: u64,
}

const JSON_HELP: &str = r#"With --json, or without a terminal, one JSON object a line. docs/chat.md has
every field; an "id" comes back with the answer, and names what becomes an entry
for ever, so that saying it again never doubles it. "conversation":ID or
"with":"bob" (for send "to") say where:
  {"send":{"to":"bob","text":"hi","id":"my-1","reply_to":3,"mentions":["bob"]}}
  {"edit"|"delete"|"react"|"pin":{"conversation":ID,"seq":3,...}}
  {"group":{"create":{"title":"Walks","members":["bob"]}}}
  {"group":{"add"|"remove"|"leave"|"role"|"info"|"invite"|"erase":{"conversation":ID,...}}}
  {"group":{"join"|"peek":{"code":"..."}}}
  {"history":{"with":"bob","after_seq":0,"limit":100}}   before_seq, around_seq,
        around_time_ms, "mentions":true, "pinned":true, edits_of
  {"read"|"delivered":{"with":"bob","up_to":7}}    {"receipts":{"with":"bob","seq":7}}
  {"conversations":{}}    {"preferences":{"with":"bob","muted":true}}
  {"typing":{"with":"bob"}}    {"presence":{"subscribe"|"unsubscribe"|"fetch":["bob"]}}
  {"profile":{"user":"bob"}}    {"contact":{"add"|"remove":"bob"}}    {"contacts":{}}
  {"block"|"unblock":{"user":"bob"}}    {"blocked":{}}    {"settings":{}}
  {"report":{"user":"bob","reason":"..."}}
  {"devices":{}}    {"devices":{"log_out":ID}}    {"devices":{"log_out_others":{}}}
  {"account":{"password":{"old":"...","new":"..."}}}    "export", "delete"
  {"quit":{}}
Events: ready, state, message, sent, edit, delete, reaction, pin, group, history,
read, delivered, receipt, receipts, typing, presence, conversations, conversation,
preferences, profile, contact, contacts, block, unblock, blocked, report, settings,
devices, account, export, unknown_entry, damaged_entry, reset, fell_back, lagged, error.
Exit codes: 0 done; 1 failed, or something was not sent; 2 not signed in."#;

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write it as key=value")?;
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_contract_is_understood() {
        let line = "parley chat --json --server quic://h:1 --trust 00 --user ann \
                    --password-file p --sign-up --device d";
        let arguments = Arguments::try_parse_from(line.split_whitespace()).unwrap();
        let Command::Chat(chat) = arguments.command else { panic!("chat") };
        assert!(chat.json && chat.sign_up);
        let line = "parley serve --data d --listen 127.0.0.1:0 --http 127.0.0.1:0 --set a.b=c=d";
        let arguments = Arguments::try_parse_from(line.split_whitespace()).unwrap();
        let Command::Serve(serve) = arguments.command else { panic!("serve") };
        assert_eq!(serve.settings.set, [("a.b".to_owned(), "c=d".to_owned())]);
        assert!(Arguments::try_parse_from(["parley", "serve", "--set", "x"]).is_err());
    }
}
