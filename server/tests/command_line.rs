//! The binary as a user meets it: exit codes, and which stream says what.

#![expect(clippy::unwrap_used, reason = "a failing test may panic anywhere")]

use std::process::{Command, Output};

/// Runs the binary with nothing but these arguments and variables.
fn verbatim(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_verbatim"))
        .args(arguments)
        .env_clear()
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

/// Checks that wrong settings end in one sentence, on standard error alone, with exit code 2.
fn assert_misused(arguments: &[&str], variables: &[(&str, &str)], says: &str) {
    let output = verbatim(arguments, variables);
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert_eq!(output.stdout, b"", "{error}");
    assert!(error.starts_with("verbatim: ") && error.contains(says), "{error}");
    assert_eq!(error.trim_end().lines().count(), 1, "{error}");
}

#[test]
fn wrong_settings_end_in_one_sentence() {
    let secret = ("VERBATIM_AUTH_SECRET", "0123456789abcdef0123456789abcdef");
    assert_misused(&["serve"], &[], "VERBATIM_AUTH_SECRET");
    assert_misused(&["serve"], &[("VERBATIM_AUTH_SECRET", "hunter2")], "32 to 4096 bytes");
    assert_misused(&["serve", "--listen", "x"], &[secret], "--listen: \"x\" is not an address");
    assert_misused(&["serve", "--dev", "--listen", "0.0.0.0:0"], &[], "is not loopback");
    assert_misused(&["serve", "--dev", "--roles", "gateway"], &[], "all four roles");
    assert_misused(&["serve", "--config", "/nowhere.toml"], &[secret], "/nowhere.toml");
    assert_misused(&["serve"], &[secret, ("VERBATIM_LISTNE", "x")], "did you mean VERBATIM_LISTEN");
    assert_misused(&["config"], &[("VERBATIM_WS_FRAGMENTS", "0")], "from 1 to 4096");
    assert_misused(
        &["serve", "--listen", "127.0.0.1:0"],
        &[secret, ("VERBATIM_TLS_CERT", "/nowhere"), ("VERBATIM_TLS_KEY", "/nowhere")],
        "the certificate /nowhere cannot be read",
    );
    assert_misused(
        &["serve", "--listen", "127.0.0.1:0"],
        &[("VERBATIM_AUTH_JWKS_FILE", "/nowhere/jwks.json")],
        "/nowhere/jwks.json",
    );
    assert_misused(&["serve", "--dev", "--data", "/proc/nowhere"], &[], "/proc/nowhere");
}

#[test]
fn an_address_in_use_is_told() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let arguments = ["serve", "--dev", "--data", data, "--listen", &address];
    assert_misused(&arguments, &[], "cannot be listened on");
}

#[test]
fn config_prints_settings_but_no_secret() {
    let secret = "0123456789abcdef0123456789abcdef";
    let output = verbatim(&["config"], &[("VERBATIM_AUTH_SECRET", secret)]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(output.stderr, b"");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("body_limit = \"256KiB\""), "{text}");
    assert!(text.contains("VERBATIM_HTTP_BODY_LIMIT"), "{text}");
    assert!(!text.contains(secret), "{text}");
}

#[test]
fn help_and_version_are_answers() {
    for arguments in [&["--help"][..], &["--version"], &["serve", "--help"], &["replay", "-h"]] {
        let output = verbatim(arguments, &[]);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert_eq!(output.stderr, b"", "{arguments:?}");
        assert_ne!(output.stdout, b"", "{arguments:?}");
    }
    let output = verbatim(&["serve", "--frob"], &[]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(output.stdout, b"");
}
