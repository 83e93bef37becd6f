//! The README's five minutes: every line is run.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use tokio::process::Command;
use verbatim_tests::{Server, server::binary};

/// The lines of the `sh` blocks between the README's marks.
fn tour(readme: &str) -> Option<String> {
    let (_, rest) = readme.split_once("<!-- tour -->")?;
    let (tour, _) = rest.split_once("<!-- /tour -->")?;
    let blocks = tour.split("```sh\n").skip(1);
    blocks.map(|block| block.split_once("```").map(|(lines, _)| lines)).collect()
}

#[tokio::test]
async fn every_line_of_the_readmes_tour_runs() -> Result<()> {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let lines = tour(&std::fs::read_to_string(readme)?).context("the README has no tour")?;
    ensure!(lines.contains("verbatim replay"), "the tour goes to its end");
    let server = Server::start().await?;
    let data = server.data().display().to_string();
    let script = lines
        .replace("127.0.0.1:8080", server.address())
        .replace("target/debug/verbatim", &binary()?.display().to_string())
        .replace("--data data", &format!("--data {data}"));
    let folder = tempfile::tempdir()?;
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &script])
        .current_dir(folder.path())
        .output()
        .await?;
    let (said, complained) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}\n{complained}");
    assert_eq!(said.matches(r#""stream":"chat.events""#).count(), 6, "{said}");
    assert!(said.contains("history was built again"), "{said}");
    Ok(())
}
