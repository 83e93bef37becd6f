//! A log that lost acknowledged records, or holds others in their place, is not written on, and whoever
//! operates the server is told; with the right log back everything is as it was.

use std::path::Path;

use anyhow::Result;
use tempfile::TempDir;
use verbatim_tests::{Client, Server};

/// Copies the files of `chat.events`, and nothing else.
fn copy_events(from: &Path, to: &Path) -> Result<()> {
    remove(to, "chat.events")?;
    for file in std::fs::read_dir(from)? {
        let file = file?;
        if file.file_name().to_string_lossy().starts_with("chat.events") {
            std::fs::copy(file.path(), to.join(file.file_name()))?;
        }
    }
    Ok(())
}

fn remove(folder: &Path, store: &str) -> Result<()> {
    for file in std::fs::read_dir(folder)? {
        let file = file?;
        if file.file_name().to_string_lossy().starts_with(store) {
            std::fs::remove_file(file.path())?;
        }
    }
    Ok(())
}

fn kept(server: &Server) -> Result<TempDir> {
    let folder = tempfile::tempdir()?;
    copy_events(server.data(), folder.path())?;
    Ok(folder)
}

/// What is read next includes it.
async fn send(client: &mut Client, id: &str, count: usize, text: &str) -> Result<()> {
    for n in 0..count {
        client.after = Some(client.send(id, &format!("{text} {n}")).await?.expect(201).position());
    }
    Ok(())
}

/// Nothing is taken for the conversation, what is there is read, and readiness says why.
async fn refuses(client: &Client, id: &str, why: &str) -> Result<()> {
    for _ in 0..2 {
        let refused = client.send(id, "onto a wrong log").await?.expect(503);
        assert_eq!(refused.code(), "unavailable");
        assert!(refused.text.contains("restore"), "{}", refused.text);
    }
    client.get(&format!("/v1/conversations/{id}/messages")).await?.expect(200);
    let ready = client.get("/v1/health/ready").await?.expect(503);
    assert!(ready.text.contains(why), "{}", ready.text);
    Ok(())
}

#[tokio::test]
async fn g1_a_log_that_lost_its_end_or_holds_another_is_not_written_on() -> Result<()> {
    let mut server = Server::start_with(&[], &[("VERBATIM_PARTITIONS", "1")]).await?;
    let mut ada = Client::sign_in(&server, "ada").await?;
    let id = ada.direct("bob").await?;
    send(&mut ada, &id, 3, "early").await?;
    server.stop().await?;
    let early = kept(&server)?;
    server.resume().await?;
    send(&mut ada, &id, 3, "late").await?;
    let all = ada.messages(&id).await?;
    server.stop().await?;
    let right = kept(&server)?;

    copy_events(early.path(), server.data())?;
    server.resume().await?;
    refuses(&ada, &id, "chat.events").await?;
    server.stop().await?;

    // Nor is it where the rulings are lost with it: history and the timeline's state know of them.
    remove(server.data(), "chat.timeline")?;
    server.resume().await?;
    refuses(&ada, &id, "chat.events").await?;
    server.stop().await?;
    remove(server.data(), "history")?;
    server.resume().await?;
    let refused = ada.send(&id, "onto a wrong log").await?.expect(503);
    assert!(refused.text.contains("restore"), "{}", refused.text);
    server.stop().await?;

    // With the right one all of it is made again.
    copy_events(right.path(), server.data())?;
    server.resume().await?;
    assert_eq!(ada.messages(&id).await?, all);
    server.stop().await?;

    // Somebody wrote on the early one: it is longer than the right one, and another.
    let mut other = Server::start_with(&[], &[("VERBATIM_PARTITIONS", "1")]).await?;
    other.stop().await?;
    for file in std::fs::read_dir(other.data())? {
        let file = file?;
        let name = file.file_name().to_string_lossy().into_owned();
        if file.file_type()?.is_file() && name.contains(".db") {
            std::fs::remove_file(file.path())?;
        }
    }
    copy_events(early.path(), other.data())?;
    other.resume().await?;
    let mut same = Client::sign_in(&other, "ada").await?;
    send(&mut same, &id, 8, "elsewhere").await?;
    other.stop().await?;
    copy_events(other.data(), server.data())?;
    server.resume().await?;
    refuses(&ada, &id, "chat.events").await?;
    server.stop().await?;

    copy_events(right.path(), server.data())?;
    server.resume().await?;
    assert_eq!(ada.messages(&id).await?, all);
    send(&mut ada, &id, 1, "again").await?;
    assert_eq!(ada.messages(&id).await?.len(), 7);
    Ok(())
}
