use serde_json::{Value, value::RawValue};

use super::*;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Outer {
    number: u32,
    #[serde(default)]
    inner: Option<Inner>,
    #[serde(default)]
    list: Vec<Inner>,
    #[serde(default)]
    raw: Option<Box<RawValue>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Inner {
    text: String,
}

fn refused(json: &str) -> (Code, String) {
    let problem = parse::<Outer>(json.as_bytes()).unwrap_err();
    (problem.code, problem.field.unwrap_or_default().into_owned())
}

fn invalid(field: &str) -> (Code, String) {
    (Code::Invalid, field.to_owned())
}

fn unknown(field: &str) -> (Code, String) {
    (Code::UnknownField, field.to_owned())
}

const MALFORMED: Code = Code::Malformed;

#[test]
fn what_fits_is_taken() {
    let outer: Outer = parse(br#" {"number": 1, "inner": {"text": "a"}, "list": []} "#).unwrap();
    let seen = (outer.number, outer.inner.unwrap().text, outer.list.len());
    assert_eq!(seen, (1, "a".to_owned(), 0));
}

#[test]
fn what_is_no_json_is_malformed() {
    for json in ["", " ", "{", "{\"number\":1}}", "{} {}", "{'number':1}", "{\"number\":01}", "nul"]
    {
        assert_eq!(refused(json).0, MALFORMED, "{json}");
    }
    for bytes in [&b"\xff"[..], b"{\"number\":1,\"\xc3\":2}", b"\xef\xbb\xbf{}"] {
        assert_eq!(parse::<Outer>(bytes).unwrap_err().code, MALFORMED);
    }
}

#[test]
fn a_key_twice_is_malformed_at_any_depth() {
    for json in [
        r#"{"number":1,"number":1}"#,
        r#"{"number":1,"numb\u0065r":1}"#,
        r#"{"odd":{"a":[{"b":1,"c":{},"b":2}]}}"#,
        r#"[[{"a":1,"b":{"a":1},"a":1}]]"#,
        r#"{"a":{},"a":[]}"#,
        r#"{"":1,"":2}"#,
        r#"{"é":1,"\u00e9":2}"#,
    ] {
        assert_eq!(refused(json).0, MALFORMED, "{json}");
    }
    for json in [
        r#"{"a":"a","b":["a","a"],"c":{"a":1,"b":{"a":2}}}"#,
        r#"[{"a":1},{"a":1}]"#,
        r#"{"a\"":1,"a":2,"\\":"{","b":"\",\"a\":"}"#,
        r#"{"x":[1,{"y":2},3],"y":"ü🦀","🦀":1}"#,
    ] {
        assert!(parse::<Value>(json.as_bytes()).is_ok(), "{json}");
    }
}

#[test]
fn half_a_surrogate_pair_is_malformed() {
    for json in [r#"{"a":"\ud800"}"#, r#"{"\udc00":1}"#, r#"["\ud83e\ud83e"]"#] {
        assert_eq!(refused(json).0, MALFORMED, "{json}");
    }
    assert_eq!(parse::<Value>(br#""\ud83e\udd80""#), Ok("🦀".into()));
}

#[test]
fn json_nests_32_deep() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(parse::<Value>(nested(32).as_bytes()).is_ok());
    assert_eq!(parse::<Value>(nested(33).as_bytes()).unwrap_err().code, MALFORMED);
    assert_eq!(parse::<Value>(nested(100_000).as_bytes()).unwrap_err().code, MALFORMED);
    let brackets_in_strings = format!("[\"{}\\\"[\"]", "[{".repeat(50));
    assert!(parse::<Value>(brackets_in_strings.as_bytes()).is_ok());
}

#[test]
fn unknown_fields_are_named_with_their_path() {
    assert_eq!(refused(r#"{"number":1,"odd":1}"#), unknown("odd"));
    assert_eq!(refused(r#"{"number":1,"inner":{"odd":1}}"#), unknown("inner.odd"));
    assert_eq!(refused(r#"{"number":1,"list":[{"text":"a"},{"odd":1}]}"#), unknown("list[1].odd"));
}

#[test]
fn wrong_and_missing_fields_are_named_with_their_path() {
    assert_eq!(refused(r#"{"number":"1"}"#), invalid("number"));
    for number in ["-1", "1.0", "4294967296", "1e400", "null", "true", "[]"] {
        assert_eq!(refused(&format!(r#"{{"number":{number}}}"#)), invalid("number"), "{number}");
    }
    assert_eq!(refused(r#"{"number":1,"inner":{"text":1}}"#), invalid("inner.text"));
    assert_eq!(refused(r#"{"number":1,"list":[{"text":"a"},7]}"#), invalid("list[1]"));
    assert_eq!(refused("{}"), invalid("number"));
    assert_eq!(refused(r#"{"number":1,"inner":{}}"#), invalid("inner.text"));
    for body in ["null", "[]", "1", "\"a\""] {
        assert!(matches!(refused(body), (Code::Invalid, _)), "{body}");
    }
}

#[test]
fn the_advice_says_what_to_send_and_names_no_line_and_column() {
    let problem = parse::<Outer>(br#"{"number":"1"}"#).unwrap_err();
    assert_eq!(problem.detail, "must be a whole number from 0 to 4294967295");
    let empty = parse::<Outer>(b" \n").unwrap_err();
    assert_eq!(empty.detail, "send a JSON object; nothing was sent");
    assert!(!problem.detail.contains("line"), "{}", problem.detail);
}

#[test]
fn numbers_that_no_float_holds_pass_where_nobody_reads_them() {
    let json = r#"{"number":1,"raw":{"a":1e400,"b":12345678901234567890123,"c":1.10,"d":-0.0}}"#;
    let outer: Outer = parse(json.as_bytes()).unwrap();
    assert_eq!(outer.raw.unwrap().get(), &json[18..json.len() - 1]);
}

#[test]
fn compacting_leaves_strings_alone() {
    let json = "{ \"a b\" : [ 1 ,\n\t\"c \\\" d\\\\\" ] ,\r \"e\" : \"\\u0020\" }";
    assert_eq!(compact(json), "{\"a b\":[1,\"c \\\" d\\\\\"],\"e\":\"\\u0020\"}");
}

#[test]
fn a_list_of_the_values_is_no_object() {
    let list = br#"[1,null,null,null]"#;
    let refused = parse_object::<Outer>(list).unwrap_err();
    assert_eq!((refused.code, refused.field.as_deref()), (Code::Invalid, Some("body")));
    assert!(parse_object::<Outer>(br#" {"number":1}"#).is_ok());
    assert_eq!(parse_object::<Outer>(b"").unwrap_err().code, Code::Malformed);
}
