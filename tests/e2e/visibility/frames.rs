//! Every frame that a client may send, for every caller.

use anyhow::Result;
use serde_json::{Value, json};
use verbatim_schemas::frames::ClientFrame;
use verbatim_tests::{Socket, new_id, socket::Incoming};

use super::cast::{CALLERS, Caller, Cast};

/// What answers a frame: its type, and of an `error` the code; nothing where there is no answer.
type Want = Option<(&'static str, &'static str)>;

const ACK: Want = Some(("ack", ""));
const FIRST: Want = Some(("error", "unauthenticated"));
const HIDDEN: Want = Some(("error", "conversation_not_found"));

fn inside(member: Want) -> [Want; 5] {
    [FIRST, HIDDEN, HIDDEN, member, member]
}

/// The row of a frame: what is sent, and what each of [`CALLERS`] gets. Every frame has one.
fn row(frame_type: &str, id: &str, token: &str) -> (Value, [Want; 5]) {
    let signed_in = [FIRST, ACK, ACK, ACK, ACK];
    let (fields, want) = match frame_type {
        "hello" => {
            let again = Some(("error", "invalid"));
            // Anonymous with a ticket that nobody was given: closed.
            (json!({"ticket": "0".repeat(64)}), [None, again, again, again, again])
        }
        "send" => {
            (json!({"conversation_id": id, "id": new_id(), "text": "canary-live"}), inside(ACK))
        }
        "fetch" => (json!({"conversation_id": id, "after": 0}), inside(Some(("entries", "")))),
        "receipt" => (json!({"conversation_id": id, "read": 1}), inside(ACK)),
        "typing" => (json!({"conversation_id": id}), inside(None)),
        "watch" | "unwatch" => (json!({"users": ["known"]}), signed_in),
        "view" => (json!({"conversation_id": id}), inside(ACK)),
        "unview" => (json!({"conversation_id": id}), signed_in),
        "renew" => (json!({"token": token}), signed_in),
        unlisted => panic!("{unlisted} has no row in the matrix: who may see what it answers?"),
    };
    let mut frame = fields;
    frame["type"] = frame_type.into();
    (frame, want)
}

/// Sends a frame and reads up to its answer, byte for byte; none where none comes before the answer
/// to the next one.
async fn ask(socket: &mut Socket, mut frame: Value) -> Result<Option<String>> {
    frame["ref"] = "matrix".into();
    let read = socket.seen.len();
    socket.send(frame).await?;
    socket.send(json!({"type": "unwatch", "users": [], "ref": "fence"})).await?;
    // Other frames' answers may overtake the fence; the one in question is awaited by its ref.
    let mut fenced = false;
    loop {
        let Incoming::Frame(frame) = socket.incoming().await? else { return Ok(None) };
        fenced |= frame["ref"] == "fence";
        if frame["ref"] == "matrix" {
            let text = socket.seen.last().cloned();
            while !fenced {
                let Incoming::Frame(frame) = socket.incoming().await? else { break };
                fenced = frame["ref"] == "fence";
            }
            return Ok(text);
        }
        if fenced && socket.seen.len() > read {
            // A frame that has an answer is answered, however long it takes.
            match socket.within(std::time::Duration::from_millis(400)).await? {
                Some(Incoming::Frame(frame)) if frame["ref"] == "matrix" => {
                    return Ok(socket.seen.last().cloned());
                }
                Some(Incoming::Frame(_)) => {}
                Some(Incoming::Closed(_)) | None => return Ok(None),
            }
        }
    }
}

fn fits(answer: Option<&str>, want: Want) -> bool {
    let answer = answer.map(|text| serde_json::from_str::<Value>(text).unwrap_or_default());
    match (answer, want) {
        (None, None) => true,
        (Some(answer), Some((frame_type, code))) => {
            answer["type"] == frame_type && answer["code"].as_str().unwrap_or_default() == code
        }
        _ => false,
    }
}

async fn matrix(history: &'static str) -> Result<()> {
    let cast = Cast::play(history).await?;
    let mut sockets = Vec::new();
    for caller in CALLERS {
        let client = cast.client(caller);
        let anonymous = caller == Caller::Anonymous;
        let opened =
            if anonymous { Socket::raw(client, &[]).await } else { Socket::open(client).await };
        sockets.push(opened?);
    }
    for frame_type in ClientFrame::TYPES {
        for caller in CALLERS {
            let client = cast.client(caller);
            let what = format!("{frame_type} of {caller:?}");
            let socket = &mut sockets[caller as usize];
            if caller == Caller::Anonymous {
                cast.search(caller, &what, &socket.seen.join("\n"));
                *socket = Socket::raw(client, &[]).await?;
            }
            let token = client.token.clone().unwrap_or_default();
            let (frame, want) = row(frame_type, &cast.id, &token);
            let answer = ask(socket, frame).await?;
            let want = want[caller as usize];
            assert!(fits(answer.as_deref(), want), "{what}: {answer:?}, not {want:?}");
            if want != HIDDEN {
                continue;
            }
            for other in [new_id(), cast.foreign.clone()] {
                let (frame, _) = row(frame_type, &other, &token);
                let missing = ask(socket, frame).await?;
                assert_eq!(missing, answer, "{what}: as if it did not exist");
            }
        }
    }
    for (socket, caller) in sockets.iter_mut().zip(CALLERS) {
        while let Some(Incoming::Frame(_)) =
            socket.within(std::time::Duration::from_millis(200)).await?
        {}
        let seen = socket.seen.join("\n");
        cast.search(caller, "the socket", &seen);
        if matches!(caller, Caller::Late | Caller::Admin) {
            assert!(seen.contains("canary-after-text") && seen.contains("canary-live"));
            assert!(seen.contains(r#""type":"typing""#), "members see who types");
        } else {
            assert!(!seen.contains(r#""type":"typing""#), "typing is for members: {seen}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn g7_every_frame_shows_each_caller_only_theirs_since_join() -> Result<()> {
    matrix("since_join").await
}

#[tokio::test]
async fn g7_every_frame_shows_each_caller_only_theirs_with_all_history() -> Result<()> {
    matrix("all").await
}

#[test]
fn a_frame_without_a_row_fails_the_matrix() {
    assert!(std::panic::catch_unwind(|| row("teleport", "x", "")).is_err());
}
