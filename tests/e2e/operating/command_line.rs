//! What the command line says, and how it refuses.

use std::{collections::BTreeSet, path::Path, process::Stdio};

use anyhow::{Context, Result};
use regex::Regex;
use tokio::process::Command;
use verbatim_tests::{Server, server::binary};

/// Runs the binary; exit code, standard output and standard error.
async fn run(args: &[&str]) -> Result<(Option<i32>, String, String)> {
    let output = Command::new(binary()?)
        .args(args)
        .env_remove("VERBATIM_LOG_LEVEL")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok((output.status.code(), text(&output.stdout), text(&output.stderr)))
}

fn one_sentence(text: &str) -> bool {
    text.trim_end().lines().count() == 1 && text.starts_with("verbatim: ")
}

#[tokio::test]
async fn serve_refuses_what_cannot_be_served_with_one_sentence() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data").display().to_string();
    let free = "127.0.0.1:0";
    for (args, says) in [
        (vec!["serve", "--data", &data, "--listen", free], "VERBATIM_AUTH_SECRET"),
        (vec!["serve", "--dev", "--data", &data, "--listen", "0.0.0.0:0"], "loopback"),
        (vec!["serve", "--dev", "--data", &data, "--roles", "gateway"], "roles"),
        (vec!["serve", "--dev", "--data", &data, "--config", "/nowhere.toml"], "/nowhere.toml"),
        (vec!["serve", "--dev", "--data", &data, "--listen", "here"], "listen"),
    ] {
        let (code, out, error) = run(&args).await?;
        assert_eq!(code, Some(2), "{args:?}: {out}{error}");
        assert!(one_sentence(&error) && error.contains(says), "{args:?}: {error}");
    }
    assert!(!Path::new(&data).exists(), "who is refused leaves nothing behind");
    Ok(())
}

#[tokio::test]
async fn a_second_server_on_the_same_data_is_refused_with_one_sentence() -> Result<()> {
    let server = Server::start().await?;
    let data = server.data().display().to_string();
    let (code, out, error) =
        run(&["serve", "--dev", "--data", &data, "--listen", "127.0.0.1:0"]).await?;
    assert!(code.is_some_and(|code| code != 0), "{code:?}");
    assert!(!out.contains("listening"), "{out}");
    assert!(one_sentence(&error) && error.contains(&data), "{error}");
    let client = verbatim_tests::Client::sign_in(&server, "ada").await?;
    client.direct("bob").await?;
    Ok(())
}

#[tokio::test]
async fn help_and_config_teach_what_the_readme_names() -> Result<()> {
    let (code, help, _) = run(&["--help"]).await?;
    assert_eq!(code, Some(0));
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = std::fs::read_to_string(readme)?;
    let named = |pattern: &str| -> Result<BTreeSet<String>> {
        let pattern = Regex::new(pattern)?;
        Ok(pattern.captures_iter(&readme).map(|found| found[1].to_owned()).collect())
    };
    let commands =
        named(r"verbatim (serve|replay|projection|config|connect|id|openapi|asyncapi)\b")?;
    assert!(commands.len() >= 5, "{commands:?}");
    for command in &commands {
        assert!(help.contains(command), "--help does not know {command}");
        let (code, own, error) = run(&[command, "--help"]).await?;
        assert_eq!(code, Some(0), "{command}: {error}");
        assert!(own.contains("Usage: verbatim"), "{command}: {own}");
    }
    let flags = named(r"verbatim serve[^`\n]*(--[a-z]+)")?;
    let (_, serve, _) = run(&["serve", "--help"]).await?;
    for flag in &flags {
        assert!(serve.contains(flag), "serve does not know {flag}");
    }
    let (code, config, _) = run(&["config"]).await?;
    assert_eq!(code, Some(0));
    let settings = named(r"\b(VERBATIM_[A-Z_]+)\b")?;
    assert!(settings.contains("VERBATIM_AUTH_SECRET"), "{settings:?}");
    for setting in &settings {
        assert!(config.contains(setting.as_str()), "there is no {setting}");
    }
    // What it prints can be given back to it.
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("verbatim.toml");
    std::fs::write(&file, &config)?;
    let file = file.to_str().context("a path that is not UTF-8")?;
    let (code, again, error) = run(&["config", "--config", file]).await?;
    assert_eq!((code, again), (Some(0), config), "{error}");
    Ok(())
}
