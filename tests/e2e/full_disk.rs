//! The disk fills up under the server, and is freed.

use anyhow::Result;
use reqwest::Method;
use serde_json::json;
use verbatim_tests::{Client, new_id};

use crate::power_cut::house::House;

#[tokio::test(flavor = "multi_thread")]
async fn g1_a_full_disk_refuses_sends_and_readiness_and_nothing_is_lost() -> Result<()> {
    let house = House::start().await?;
    let ada = Client::sign_in_at(&house.base(), "ada", json!({})).await?;
    let anyone = Client::anonymous(&house.base());
    let id = ada.direct("bob").await?;
    // In history, too, before nothing can be written any more.
    let mut reader = ada.clone();
    reader.after = Some(ada.send(&id, "room").await?.expect(201).position());
    assert_eq!(reader.messages(&id).await?.len(), 1);
    anyone.get("/v1/health/ready").await?.expect(200);

    house.disk().full(true);
    let refused = new_id();
    let body = json!({"id": refused, "text": "no room"});
    let path = format!("/v1/conversations/{id}/messages");
    let answer = ada.call(Method::POST, &path, Some(body.clone())).await?.expect(503);
    assert_eq!((answer.code(), answer.header("retry-after")), ("unavailable".into(), Some("1")));
    for _ in 0..2 {
        let unready = anyone.get("/v1/health/ready").await?.expect(503);
        assert!(unready.text.contains("chat.events cannot be written"), "{}", unready.text);
    }
    anyone.get("/v1/health/live").await?.expect(200);
    assert_eq!(ada.messages(&id).await?.len(), 1, "reads go on");

    house.disk().full(false);
    anyone.get("/v1/health/ready").await?.expect(200);
    let sent = ada.call(Method::POST, &path, Some(body)).await?.expect(201);
    assert_eq!(sent.json()["seq"], 2);
    let mut ada = ada;
    ada.after = Some(sent.position());
    let texts: Vec<_> = ada.messages(&id).await?.iter().map(|it| it["text"].clone()).collect();
    assert_eq!(texts, ["room", "no room"]);
    Ok(())
}
