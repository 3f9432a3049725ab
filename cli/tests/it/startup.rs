//! What a server refuses to start with, and what it leaves on the disk.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use crate::common::server::parley;
use crate::common::{Api, Connection, Launch, Ready, Session, Transport, patiently};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

async fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = parley();
    command.args(arguments).envs(variables.iter().copied());
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

/// The refusal in words.
async fn refusal(launch: &Launch) -> String {
    let refused = match launch.try_start().await {
        Ok(server) => panic!("it serves: {:?}", server.ready),
        Err(refused) => refused,
    };
    assert!(refused.status.code().is_some_and(|code| code != 0), "{refused:?}");
    assert!(refused.stdout.is_empty(), "{refused:?}");
    assert!(!refused.stderr.contains("panicked"), "{refused:?}");
    refused.stderr
}

#[tokio::test]
async fn what_it_keeps_is_for_its_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("deeper").join("data");
    let mut server = Launch::new(&data).start().await;
    assert_eq!(mode(&data), 0o700);
    let key = data.join("tls").join("key.pem");
    assert_eq!(mode(&key), 0o600);
    server.kill();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let text = refusal(&Launch::new(&data)).await;
    assert!(text.contains("key.pem"), "{text}");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&key, "").unwrap();
    let text = refusal(&Launch::new(&data)).await;
    assert!(text.contains("key.pem"), "an empty key: {text}");
}

#[tokio::test]
async fn a_wrong_setting_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let launch = Launch::new(&folder.path().join("data"));
    let text = refusal(&launch.clone().with("PARLEY_SESSIONS__HEARTBEAT_MSS", "1")).await;
    assert!(text.contains("heartbeat_ms"), "the nearest key: {text}");
    let text = refusal(&launch.clone().with("PARLEY_SESSIONS__HEARTBEAT_MS", "soon")).await;
    assert!(text.contains("HEARTBEAT_MS"), "{text}");
    let text =
        refusal(&launch.with("PARLEY_HTTP", "0.0.0.0:0").with("PARLEY_SESSIONS__NOTHING", "1"))
            .await;
    assert!(text.contains("PARLEY_SESSIONS__NOTHING"), "{text}");
    let data = folder.path().join("data");
    let data = data.to_str().unwrap();
    let output =
        run(&["serve", "--data", data, "--http", "0.0.0.0:0", "--listen", "127.0.0.1:0"], &[])
            .await;
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("loopback"), "{text}");
    let output = run(&["serve", "--data", data, "--listen", "nonsense"], &[]).await;
    assert!(!output.status.success());
    assert!(!folder.path().join("data").exists(), "a refused server makes no folder");
}

#[tokio::test]
async fn a_taken_port_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let data = folder.path().join("data");
    for flags in [
        ["--listen", &address, "--http", "127.0.0.1:0", "--operator", "127.0.0.1:0"],
        ["--http", &address, "--listen", "127.0.0.1:0", "--operator", "127.0.0.1:0"],
        ["--operator", &address, "--http", "127.0.0.1:0", "--listen", "127.0.0.1:0"],
    ] {
        let mut arguments = vec!["serve", "--data", data.to_str().unwrap()];
        arguments.extend(flags);
        let output = run(&arguments, &[]).await;
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && output.stdout.is_empty(), "{text}");
        assert!(text.contains(&address), "{text}");
    }
}

#[tokio::test]
async fn the_configuration_it_prints_is_one_it_takes() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(&["config", "init"], &[]).await;
    assert!(output.status.success(), "{output:?}");
    let file = folder.path().join("parley.toml");
    fs::write(&file, &output.stdout).unwrap();
    let file = file.to_str().unwrap();
    let output = run(&["config", "check", "--config", file], &[]).await;
    assert!(output.status.success(), "{output:?}");
    let output =
        run(&["config", "show", "--config", file], &[("PARLEY_CONNECTIONS__TOTAL", "77")]).await;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("77") && text.contains("PARLEY_CONNECTIONS__TOTAL"), "{text}");
    fs::write(file, "[sessions]\nheartbeatms = 1\n").unwrap();
    let output = run(&["config", "check", "--config", file], &[]).await;
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("heartbeatms") && text.contains("heartbeat_ms"), "{text}");
}

#[tokio::test]
async fn closed_sign_up_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let launch = Launch::new(&folder.path().join("data"));
    let mut server = launch.start().await;
    Api::plain(&server.ready).sign_up("ann", "phone").await;
    server.kill();
    let server = launch.with("PARLEY_ACCOUNTS__SIGN_UP", "closed").start().await;
    let api = Api::plain(&server.ready);
    let body = crate::common::http::credentials("ben", "long enough", "phone");
    let reply = api.post("/v1/accounts", None, &body).await;
    assert_eq!(reply.code(), parley_protocol::Code::SignUpClosed);
    api.login("ann", "phone").await;
}

#[tokio::test]
async fn a_hang_up_reads_the_certificate_again_and_ends_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = Launch::new(&folder.path().join("data"))
        // So seldom that only the signal can be why.
        .with("PARLEY_TLS__RELOAD_MS", "86400000")
        .start()
        .await;
    let other = Launch::new(&folder.path().join("other")).start().await;
    let ann = Api::plain(&server.ready).sign_up("ann", "phone").await;
    let mut session = Session::open(&server.ready, Transport::Tls, &ann).await;
    for file in ["certificate.pem", "key.pem"] {
        let of = |ready: &Ready| ready.data.join("tls").join(file);
        fs::copy(of(&other.ready), of(&server.ready)).unwrap();
    }
    server.hang_up();
    let renewed = Ready { fingerprint: other.ready.fingerprint.clone(), ..server.ready.clone() };
    patiently("the other certificate", async {
        while Connection::open(&renewed, Transport::Tls).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    session.ping().await.unwrap();
    // One that can't be used changes nothing, however often it is asked for.
    fs::write(server.ready.data.join("tls/key.pem"), "no key").unwrap();
    for _ in 0..5 {
        server.hang_up();
    }
    session.ping().await.unwrap();
    assert!(Connection::open(&renewed, Transport::Quic).await.is_ok());
}

/// What a refused start says last: one line with cause and remedy.
async fn last_words(launch: &Launch) -> String {
    let text = refusal(launch).await;
    let last = text.lines().last().unwrap_or_default().to_owned();
    assert!(last.starts_with("parley: "), "{text}");
    last
}

#[tokio::test]
async fn every_refusal_names_cause_and_remedy_in_its_last_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let mut one = Launch::new(&folder.path().join("one")).start().await;
    let _other = Launch::new(&folder.path().join("other")).start().await;
    one.kill();
    let tls = |of: &str, file: &str| path(&format!("{of}/tls/{file}"));
    fs::write(path("file"), "no PEM").unwrap();
    fs::set_permissions(path("file"), fs::Permissions::from_mode(0o600)).unwrap();
    std::os::unix::fs::symlink(path("nowhere"), path("dangling")).unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let (certificate, key) = ("PARLEY_TLS__CERTIFICATE", "PARLEY_TLS__KEY");
    let pair = |chain: String, secret: String| vec![(certificate, chain), (key, secret)];
    let good = || tls("one", "certificate.pem");
    // The folder, settings, what is named and what would do.
    let cases = [
        ("new", vec![("PARLEY_WEB__FOLDER", path("none"))], "none", "leave web.folder empty"),
        ("new", vec![("PARLEY_TLS__NAMES", "b\u{fc}cher.example".to_owned())], "tls.names", "xn--"),
        ("new", vec![("PARLEY_LOGGING__LEVEL", "*".to_owned())], "logging.level", "write error"),
        ("one", pair(good(), tls("other", "key.pem")), "does not belong", "to one pair"),
        ("one", pair(path("none.pem"), tls("one", "key.pem")), "none.pem", "tls.certificate"),
        ("one", pair(good(), path("none.pem")), "none.pem", "tls.key"),
        ("one", pair(path("file"), tls("one", "key.pem")), "/file", "in PEM"),
        ("one", pair(good(), path("file")), "/file", "in PEM"),
        ("one", pair(good(), tls("one", "certificate.pem")), "readable by others", "chmod 600"),
        ("one", vec![("PARLEY_STORAGE__SHARDS", "7".to_owned())], "64 shards", "storage.shards"),
        ("other", vec![], "in use", "--data"),
        ("file", vec![], "/file", "--data"),
        ("file/below", vec![], "/file/below", "--data"),
        ("dangling", vec![], "/dangling", "is mounted"),
        ("dangling/below", vec![], "/dangling/below", "is mounted"),
    ];
    for (data, settings, named, remedy) in cases {
        let mut launch = Launch::new(&folder.path().join(data));
        for (name, value) in &settings {
            launch = launch.with(name, value);
        }
        let text = last_words(&launch).await;
        assert!(text.contains(named) && text.contains(remedy), "{data} {settings:?}: {text}");
    }
    // What flags and files say.
    let data = path("new");
    for (arguments, named, remedy) in [
        (["--listen", &*taken, "--http", "127.0.0.1:0", "--operator", ""], &*taken, "--listen"),
        (["--http", &*taken, "--listen", "127.0.0.1:0", "--operator", ""], &*taken, "--http"),
        (["--listen", "here", "--http", "127.0.0.1:0", "--operator", ""], "\"here\"", "such as"),
        (["--config", "/no/such", "--http", "", "--operator", ""], "/no/such", "PARLEY_CONFIG"),
    ] {
        let arguments = [&["serve", "--data", &*data][..], &arguments[..]].concat();
        let output = run(&arguments, &[]).await;
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        let last = text.lines().last().unwrap_or_default();
        assert!(!output.status.success() && last.starts_with("parley: "), "{text}");
        assert!(last.contains(named) && last.contains(remedy), "{text}");
    }
    assert!(!Path::new(&path("nowhere")).exists(), "something was made behind the link");
}

#[tokio::test]
async fn addresses_that_take_each_others_port_are_refused_by_the_check() {
    for (arguments, good) in [
        (["--listen", "127.0.0.1:9000", "--http", "127.0.0.1:9000", "--operator", ""], false),
        (["--listen", "0.0.0.0:9000", "--http", "127.0.0.1:9000", "--operator", ""], false),
        (["--listen", "0.0.0.0:1", "--http", "127.0.0.1:9", "--operator", "127.0.0.1:9"], false),
        (["--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--operator", "127.0.0.1:0"], true),
        (["--listen", "127.0.0.2:9000", "--http", "127.0.0.1:9000", "--operator", ""], true),
        (["--listen", "0.0.0.0:9000", "--http", "[::1]:9000", "--operator", ""], true),
    ] {
        let output = run(&[&["config", "check"][..], &arguments[..]].concat(), &[]).await;
        assert_eq!(output.status.success(), good, "{arguments:?}: {output:?}");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(good || text.contains("choose another port"), "{text}");
    }
}

#[tokio::test]
async fn a_folder_that_is_open_to_others_is_closed_to_them() {
    let folder = tempfile::tempdir().unwrap();
    let open = |path: &Path| fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    open(&data);
    let mut server = Launch::new(&data).start().await;
    assert_eq!(mode(&data), 0o700);
    let warned = |log: &str, path: &Path| {
        let named = format!("{} was open to others", path.display());
        log.lines().filter(|line| line.contains("WARN") && line.contains(&named)).count()
    };
    assert_eq!(warned(&server.stderr(), &data), 1, "{}", server.stderr());
    server.kill();
    // As a copy that minds no modes leaves them.
    open(&data.join("db"));
    let server = Launch::new(&data).start().await;
    assert_eq!(mode(&data.join("db")), 0o700);
    assert_eq!(warned(&server.stderr(), &data), 0, "{}", server.stderr());
    assert_eq!(warned(&server.stderr(), &data.join("db")), 1, "{}", server.stderr());
    // A folder of something else is not touched.
    let photos = folder.path().join("photos");
    fs::create_dir(&photos).unwrap();
    fs::write(photos.join("cat.jpg"), "meow").unwrap();
    open(&photos);
    refusal(&Launch::new(&photos)).await;
    assert_eq!(mode(&photos), 0o755);
}

#[tokio::test]
async fn variables_in_lower_case_are_said_to_be_no_keys() {
    let folder = tempfile::tempdir().unwrap();
    let server = Launch::new(&folder.path().join("data"))
        .with("parley_connections__total", "1")
        .with("Parley_Listen", "nonsense")
        .with("PARLEY_PORT", "")
        .with("PARLEY_PORT_443_TCP_ADDR", "")
        .with("parleyish", "x")
        .start()
        .await;
    let log = server.stderr();
    for name in ["parley_connections__total", "Parley_Listen", "PARLEY_PORT", "_443_TCP_ADDR"] {
        assert!(log.lines().any(|line| line.contains("WARN") && line.contains(name)), "{log}");
    }
    assert!(!log.contains("parleyish"), "{log}");
}

#[tokio::test]
async fn values_that_are_no_text_are_refused_for_keys_alone() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    let bytes = OsStr::from_bytes(b"/tmp/b\xfccher");
    let check = |name: &str| parley().args(["config", "check"]).env(name, bytes).output().unwrap();
    for name in ["PARLEY_DATA", "PARLEY_LISTEN", "PARLEY_TLS__KEY", "PARLEY_WEB__FOLDERS"] {
        let output = check(name);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && text.contains(name), "{name}: {text}");
        assert!(text.contains("not UTF-8"), "{name}: {text}");
    }
    assert!(check("PARLEY_PORT").status.success());
    let output = parley().args(["config", "check", "--data"]).arg(bytes).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && text.contains("not UTF-8"), "{text}");
    // An empty value is a value.
    for (name, good) in [("PARLEY_OPERATOR", true), ("PARLEY_CONNECTIONS__TOTAL", false)] {
        let output = parley().args(["config", "check"]).env(name, "").output().unwrap();
        assert_eq!(output.status.success(), good, "{name}: {output:?}");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(good || text.contains(name), "{text}");
    }
}

/// A Kubernetes service named `parley` gives each pod these.
const OF_ANOTHER: [(&str, &str); 6] = [
    ("PARLEY_PORT", "tcp://10.0.0.1:7443"),
    ("PARLEY_PORT_7443_TCP", "tcp://10.0.0.1:7443"),
    ("PARLEY_PORT_7443_TCP_ADDR", "10.0.0.1"),
    ("PARLEY_SERVICE_HOST", "10.0.0.1"),
    ("PARLEY_SERVICE_PORT", "7443"),
    ("PARLEY_SERVICE_PORT_HTTP", "7480"),
];

#[tokio::test]
async fn variables_of_other_programs_are_passed_over_and_said_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let mut launch = Launch::new(&folder.path().join("data"));
    for (name, value) in OF_ANOTHER {
        launch = launch.with(name, value);
    }
    let server = launch.start().await;
    assert!(server.ready.tls.starts_with("tls://127.0.0.1:"), "{:?}", server.ready);
    let log = server.stderr();
    let warning = |name: &str| {
        let word = |line: &str| {
            line.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|w| w == name)
        };
        log.lines().any(|line| line.contains("WARN") && word(line))
    };
    for (name, value) in OF_ANOTHER {
        assert!(warning(name), "nothing is said of {name}: {log}");
        assert!(!value.contains("10.0.0.1") || !log.contains(value), "the value of {name} is told");
    }
}

#[tokio::test]
async fn a_refusal_names_what_would_do() {
    let folder = tempfile::tempdir().unwrap();
    let launch = || Launch::new(&folder.path().join("data"));
    // What it names, and what would do.
    for (name, value, named, remedy) in [
        ("PARLEY_LISTN", "127.0.0.1:0", "PARLEY_LISTN", "listen"),
        ("PARLEY_RATES__SEND_BURST", "5", "PARLEY_RATES__SEND_BURST", "rates.sends_burst"),
        ("PARLEY_Storage__Shards", "5", "PARLEY_Storage__Shards", "storage.shards"),
        ("PARLEY_STORAGE__SHARDS", "many", "PARLEY_STORAGE__SHARDS", "whole number"),
        ("PARLEY_STORAGE__SHARDS", "0", "storage.shards", "1 to 256"),
        ("PARLEY_STORAGE__ERASED_LOG_MS", "99", "storage.erased_log_ms", "100 to"),
        ("PARLEY_CONNECTIONS__LIMIT_LOOPBACK", "maybe", "LIMIT_LOOPBACK", "true or false"),
    ] {
        let text = refusal(&launch().with(name, value)).await;
        assert!(text.contains(named) && text.contains(remedy), "{name}={value}: {text}");
    }
    assert!(!folder.path().join("data").exists(), "a refused server makes no folder");
}

#[tokio::test]
async fn a_log_that_cannot_be_written_ends_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let launch = Launch::new(&folder.path().join("data"));
    // As a file on a disk that is full.
    let mut server = launch.after_shell("exec 2>/dev/full").start().await;
    let api = Api::plain(&server.ready);
    let (ann, ben) = (api.sign_up("ann", "phone").await, api.sign_up("ben", "phone").await);
    let mut session = Session::open(&server.ready, Transport::Tls, &ann).await;
    session.say(&ben, "1", "hello").await;
    server.terminate();
    assert_eq!(server.exited().await.code(), Some(0));
}
