//! Bodies of a message.

use anyhow::Result;
use serde_json::json;
use uuid::{Builder, Uuid};
use verbatim_tests::new_id;

use super::target::{Target, refused};

/// An id that was made some time before or after now.
fn id_at(shift_ms: i64) -> Result<String> {
    let now: Uuid = new_id().parse()?;
    let seconds = now.get_timestamp().map_or((0, 0), |time| time.to_unix());
    let millis = (seconds.0 * 1_000).checked_add_signed(shift_ms).unwrap_or_default();
    let random = now.as_bytes()[6..16].try_into()?;
    Ok(Builder::from_unix_timestamp_millis(millis, random).into_uuid().to_string())
}

/// Metadata of exactly so many bytes in compact form.
fn metadata_of(bytes: usize) -> serde_json::Value {
    json!({"k": "x".repeat(bytes - r#"{"k":""}"#.len())})
}

fn nested(depth: usize) -> String {
    format!("{}{}", r#"{"a":"#.repeat(depth - 1) + "{}", "}".repeat(depth - 1))
}

#[tokio::test]
async fn g9_bodies_that_are_not_json_as_it_should_be() -> Result<()> {
    let target = Target::start(&[]).await?;
    let id = new_id();
    let with = |text: &str| format!(r#"{{"id":"{id}","text":{text}}}"#).into_bytes();
    let deep = format!(r#"{{"id":"{id}","text":"x","metadata":{}}}"#, nested(32));
    for (what, body) in [
        ("nothing", Vec::new()),
        ("blank", b"  \n".to_vec()),
        ("truncated", with("\"x\"")[..30].to_vec()),
        ("two values", [with("\"x\""), with("\"x\"")].concat()),
        ("trailing comma", format!(r#"{{"id":"{id}","text":"x",}}"#).into_bytes()),
        ("not UTF-8", [br#"{"id":"x","text":""#.as_slice(), b"\xff\xfe\"}"].concat()),
        ("overlong UTF-8", [br#"{"id":"x","text":""#.as_slice(), b"\xc0\x80\"}"].concat()),
        ("UTF-16", "{}".encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("byte order mark", [b"\xef\xbb\xbf".as_slice(), &with("\"x\"")].concat()),
        ("half a surrogate pair", with(r#""\ud800""#)),
        ("a raw control character", with("\"a\u{0}b\"")),
        ("a key twice", format!(r#"{{"id":"{id}","text":"x","text":"y"}}"#).into_bytes()),
        ("a key twice, escaped", format!(r#"{{"id":"{id}","text":"x","te\u0078t":"y"}}"#).into()),
        (
            "a key twice inside",
            format!(r#"{{"id":"{id}","text":"x","metadata":{{"a":1,"a":1}}}}"#).into(),
        ),
        ("33 deep", deep.into_bytes()),
        ("very deep", "[".repeat(200_000).into_bytes()),
        ("not a number", with("NaN")),
        ("form data", b"text=x".to_vec()),
    ] {
        refused(what, &target.message(&body).await?, 400, "malformed", None);
    }
    target.serves().await
}

#[tokio::test]
async fn g9_messages_out_of_bounds_name_the_field() -> Result<()> {
    let target = Target::start(&[]).await?;
    let v4 = "9f1c2f0e-3b0a-4b6e-8a53-0d1f0a5d3c11";
    let good = |field: &str, value: serde_json::Value| {
        let mut body = json!({"id": new_id(), "text": "x"});
        body[field] = value;
        body.to_string().into_bytes()
    };
    let inner = |json: String| {
        format!(r#"{{"id":"{}","text":"x","metadata":{json}}}"#, new_id()).into_bytes()
    };
    for (what, field, body) in [
        ("a list", "body", b"[]".to_vec()),
        ("a text", "body", b"\"x\"".to_vec()),
        ("null", "body", b"null".to_vec()),
        ("no id", "id", br#"{"text":"x"}"#.to_vec()),
        ("no text", "text", format!(r#"{{"id":"{}"}}"#, new_id()).into()),
        ("a number for text", "text", good("text", json!(1))),
        ("null for text", "text", good("text", json!(null))),
        ("empty text", "text", good("text", json!(""))),
        ("16,385 bytes", "text", good("text", json!("x".repeat(16_385)))),
        ("8,193 letters of two bytes", "text", good("text", json!("é".repeat(8_193)))),
        ("NUL", "text", good("text", json!("a\0b"))),
        ("version 4", "id", good("id", json!(v4))),
        ("upper case", "id", good("id", json!(new_id().to_uppercase()))),
        ("no hyphens", "id", good("id", json!(new_id().replace('-', "")))),
        ("in braces", "id", good("id", json!(format!("{{{}}}", new_id())))),
        ("nil", "id", good("id", json!(Uuid::nil()))),
        ("a number for an id", "id", good("id", json!(7))),
        ("a list for metadata", "metadata", good("metadata", json!([]))),
        ("a text for metadata", "metadata", good("metadata", json!("{}"))),
        ("4,097 bytes of metadata", "metadata", good("metadata", metadata_of(4_097))),
        ("metadata 9 deep", "metadata", inner(nested(9))),
        ("32 deep in all", "metadata", inner(nested(31))),
    ] {
        refused(what, &target.message(&body).await?, 422, "invalid", Some(field));
    }
    let unknown = target.message(&good("texts", json!("x"))).await?;
    refused("an unknown field", &unknown, 422, "unknown_field", Some("texts"));
    for (what, body) in [
        ("16,384 bytes", good("text", json!("x".repeat(16_384)))),
        ("8,192 letters of two bytes", good("text", json!("é".repeat(8_192)))),
        ("one byte", good("text", json!("x"))),
        ("every other control character", good("text", json!("\u{1}\u{7f}\u{feff}\u{202e}"))),
        ("4,096 bytes of metadata", good("metadata", metadata_of(4_096))),
        ("metadata 8 deep", inner(nested(8))),
        ("a number that no float holds", inner(r#"{"n":123456789012345678901234567890}"#.into())),
        ("minutes ahead", good("id", json!(id_at(4 * 60_000)?))),
        ("some days old", good("id", json!(id_at(-6 * 86_400_000)?))),
    ] {
        assert_eq!(target.message(&body).await?.status, 201, "{what}");
    }
    target.serves().await
}

#[tokio::test]
async fn g9_ids_out_of_time_or_used_otherwise() -> Result<()> {
    let target = Target::start(&[]).await?;
    let body = |id: &str, text: &str| json!({"id": id, "text": text}).to_string().into_bytes();
    let future = target.message(&body(&id_at(6 * 60_000)?, "x")).await?;
    refused("6 minutes ahead", &future, 422, "future_id", None);
    assert_eq!(future.json()["retry"], "new_id");
    let stale = target.message(&body(&id_at(-8 * 86_400_000)?, "x")).await?;
    refused("8 days old", &stale, 422, "stale_id", None);
    assert_eq!(stale.json()["retry"], "new_id");
    assert!(stale.json().as_object().is_some_and(|problem| problem["message"].is_null()));
    let id = new_id();
    assert_eq!(target.message(&body(&id, "one")).await?.status, 201);
    let reused = target.message(&body(&id, "two")).await?;
    refused("another text", &reused, 409, "id_reused", None);
    let repeat = target.message(&body(&id, "one")).await?;
    assert_eq!((repeat.status, repeat.header("verbatim-duplicate")), (200, Some("true")));
    // A ruled rejection spends its id, for good.
    let again = target.message(&body(&id, "two")).await?;
    refused("another text again", &again, 409, "id_reused", None);
    target.serves().await
}
