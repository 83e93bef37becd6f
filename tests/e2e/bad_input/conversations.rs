//! Conversations, members and receipts out of bounds.

use anyhow::Result;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use verbatim_tests::{Client, new_id};

use super::target::{Target, refused};

fn users(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("user-{n}")).collect()
}

#[tokio::test]
async fn g9_creations_out_of_bounds_name_the_field() -> Result<()> {
    let target = Target::start(&[]).await?;
    let put = async |id: &str, body: Value| {
        target.json(&format!("PUT /v1/conversations/{id}"), body.to_string().as_bytes()).await
    };
    let group = |field: &str, value: Value| {
        let mut body = json!({"kind": "group", "name": "Team"});
        body[field] = value;
        body
    };
    for (what, field, body) in [
        ("a direct one", "kind", group("kind", json!("direct"))),
        ("no kind", "kind", json!({"name": "x"})),
        ("no name", "name", json!({"kind": "group"})),
        ("empty name", "name", group("name", json!(""))),
        ("129 characters", "name", group("name", json!("é".repeat(129)))),
        ("a control character", "name", group("name", json!("a\nb"))),
        ("101 members", "members", group("members", json!(users(101)))),
        ("a member with a blank", "members[1]", group("members", json!(["bob", "a b"]))),
        ("a member of 129 bytes", "members[0]", group("members", json!(["x".repeat(129)]))),
        ("an empty member", "members[0]", group("members", json!([""]))),
        ("not a list", "members", group("members", json!("bob"))),
        ("another history", "history", group("history", json!("none"))),
        ("another posting", "posting", group("posting", json!("nobody"))),
    ] {
        refused(what, &put(&new_id(), body).await?, 422, "invalid", Some(field));
    }
    let extra = put(&new_id(), group("colour", json!("red"))).await?;
    refused("an unknown field", &extra, 422, "unknown_field", Some("colour"));
    for id in ["x", "9f1c2f0e-3b0a-4b6e-8a53-0d1f0a5d3c11", &target.id, &new_id().to_uppercase()] {
        let reply = put(id, group("name", json!("Team"))).await?;
        refused(id, &reply, 422, "invalid", Some("id"));
    }
    for (what, body) in [
        ("128 characters", group("name", json!("é".repeat(128)))),
        ("100 members", group("members", json!(users(100)))),
        ("no members", group("members", json!([]))),
    ] {
        assert_eq!(put(&new_id(), body).await?.status, 201, "{what}");
    }
    let taken = new_id();
    assert_eq!(put(&taken, group("name", json!("Team"))).await?.status, 201);
    assert_eq!(put(&taken, group("name", json!("Team"))).await?.status, 200, "equal");
    let other = put(&taken, group("name", json!("Other"))).await?;
    refused("the id is taken", &other, 409, "conversation_exists", None);
    target.serves().await
}

#[tokio::test]
async fn g9_members_and_receipts_out_of_bounds() -> Result<()> {
    let target = Target::start(&[]).await?;
    let group = target.ada.group(&["bob"]).await?;
    target.ada.send(&group, "one").await?.expect(201);
    let long = "x".repeat(129);
    let member = |user: &str| format!("PUT /v1/conversations/{group}/members/{user}");
    let role: &[u8] = br#"{"role":"member"}"#;
    for user in ["a%20b", "a%2Fb", "%00", "a,b", "%C3%A9", &long] {
        refused(user, &target.json(&member(user), role).await?, 422, "invalid", Some("user_id"));
        let direct = target.ask(&format!("PUT /v1/direct/{user}"), &[], b"").await?;
        refused(user, &direct, 422, "invalid", Some("user_id"));
    }
    let oneself = target.ask("PUT /v1/direct/ada", &[], b"").await?;
    refused("oneself", &oneself, 422, "invalid", Some("user_id"));
    let odd = target.json(&member("cid"), br#"{"role":"owner"}"#).await?;
    refused("another role", &odd, 422, "invalid", Some("role"));
    let last = target.json(&member("ada"), role).await?;
    refused("the last admin", &last, 409, "last_admin", None);
    let inside = format!("/v1/conversations/{}/members", target.id);
    let fixed = target.json(&format!("PUT {inside}/cid"), role).await?;
    refused("a third in a direct one", &fixed, 409, "direct_is_fixed", None);
    let leave = target.ask(&format!("DELETE {inside}/bob"), &[], b"").await?;
    refused("out of a direct one", &leave, 409, "direct_is_fixed", None);

    let receipts = format!("PUT /v1/conversations/{group}/receipts");
    for body in ["{}", r#"{"read":-1}"#, r#"{"read":1.5}"#, r#"{"read":"1"}"#] {
        let reply = target.json(&receipts, body.as_bytes()).await?;
        refused(body, &reply, 422, "invalid", None);
    }
    for body in [r#"{"read":2}"#, r#"{"delivered":9007199254740991}"#] {
        refused(body, &target.json(&receipts, body.as_bytes()).await?, 422, "beyond_head", None);
    }
    let huge = target.json(&receipts, br#"{"read":9007199254740992}"#).await?;
    refused("2^53", &huge, 422, "invalid", Some("read"));
    target.serves().await
}

#[tokio::test]
async fn g9_a_group_is_full_at_a_thousand_members() -> Result<()> {
    let target = Target::start(&[]).await?;
    let founding = users(100);
    let ada: &Client = &target.ada;
    let names: Vec<&str> = founding.iter().map(String::as_str).collect();
    let id = ada.group(&names).await?;
    let add = |user: String| {
        let path = format!("/v1/conversations/{id}/members/{user}");
        async move { ada.put(&path, json!({"role": "member"})).await }
    };
    let more = (0..899).map(|n| add(format!("more-{n}")));
    let added: Vec<_> = stream::iter(more).buffer_unordered(64).try_collect().await?;
    assert!(added.iter().all(|answer| answer.status == 201));
    let full = add("one-too-many".to_owned()).await?.expect(422);
    assert_eq!(full.code(), "conversation_full");
    add("more-0".to_owned()).await?.expect(200);
    ada.delete(&format!("/v1/conversations/{id}/members/more-1")).await?.expect(204);
    add("one-who-fits".to_owned()).await?.expect(201);
    target.serves().await
}
