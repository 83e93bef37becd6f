use serde_json::json;

use super::*;

fn read(json: &str) -> Option<String> {
    serde_json::from_str::<Metadata>(json).ok().map(|metadata| {
        let written = serde_json::to_string(&metadata).unwrap();
        assert_eq!(written, metadata.as_str());
        written
    })
}

fn nested(depth: usize) -> String {
    format!("{{\"a\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1))
}

fn sized(bytes: usize) -> String {
    format!("{{\"a\":\"{}\"}}", "x".repeat(bytes - 8))
}

#[test]
fn metadata_is_kept_byte_for_byte() {
    for json in [
        r#"{}"#,
        r#"{"n":1.10,"m":1e400,"k":12345678901234567890123,"z":-0,"e":1E+2}"#,
        r#"{"b":1,"a":2,"":null}"#,
        r#"{"s":"\u00e9 \/ é \ud83e\udd80"}"#,
    ] {
        assert_eq!(read(json).as_deref(), Some(json));
    }
}

#[test]
fn only_white_space_between_tokens_is_lost() {
    assert_eq!(read("{ \"a\" : [ 1.10 , \" b \" ] }").as_deref(), Some(r#"{"a":[1.10," b "]}"#));
}

#[test]
fn metadata_is_a_bounded_object() {
    for (json, fits) in
        [(nested(8), true), (nested(9), false), (sized(4_096), true), (sized(4_097), false)]
    {
        assert_eq!(read(&json).is_some(), fits, "{} bytes", json.len());
        assert_eq!(Metadata::new(&json).is_ok(), fits);
    }
    // White space does not count.
    assert!(read(&sized(4_096).replace(':', " : ")).is_some());
    for json in ["null", "[]", "1", "\"{}\"", "true"] {
        assert!(Metadata::new(json).is_err(), "{json}");
    }
}

#[test]
fn what_is_no_json_is_no_metadata() {
    for text in ["", "{", "{}}", "{a:1}", "{\"a\":01}"] {
        assert!(Metadata::new(text).is_err(), "{text}");
    }
}

#[test]
fn a_key_twice_inside_metadata_is_refused_where_clients_send_it() {
    let body = r#"{"id":"0190a5a0-0000-7000-8000-000000000001","text":"a","metadata":{"b":{"c":1,"c":2}}}"#;
    let problem = strict::parse::<crate::rest::SendMessage>(body.as_bytes()).unwrap_err();
    assert_eq!(problem.code, crate::Code::Malformed);
}

#[test]
fn texts_are_bounded_in_bytes_and_names_in_characters() {
    for (text, fits) in [
        ("", false),
        ("a", true),
        (" ", true),
        ("a\0", false),
        ("a\u{1}\n", true),
        (&"é".repeat(8_192), true),
        (&"é".repeat(8_193), false),
    ] {
        assert_eq!(Text::new(text).is_ok(), fits, "{} bytes", text.len());
    }
    for (name, fits) in [
        ("", false),
        (&*"é".repeat(128), true),
        (&*"é".repeat(129), false),
        ("a\nb", false),
        ("a\u{7f}", false),
    ] {
        assert_eq!(Name::new(name).is_ok(), fits, "{name}");
        assert_eq!(serde_json::from_value::<Name>(json!(name)).is_ok(), fits);
    }
}

#[test]
fn what_people_wrote_does_not_show_in_debug() {
    let said = format!(
        "{:?} {:?} {:?}",
        Text::new("secret").unwrap(),
        Name::new("secret").unwrap(),
        Metadata::new(r#"{"secret":1}"#).unwrap()
    );
    assert!(!said.contains("secret"), "{said}");
}
