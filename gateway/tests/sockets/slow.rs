use std::time::Duration;

use serde_json::json;
use verbatim_gateway::GatewayConfig;
use verbatim_schemas::Kind;

use crate::support::{Served, World, config, group};

/// More than the kernel takes for a socket that is not read.
const MESSAGES: usize = 1_000;

#[tokio::test]
async fn a_slow_consumer_is_closed_and_harms_nobody() {
    let world = World::new(1);
    let served = Served::with(world.clone(), config()).await;
    let conversation = group(&world, 0);
    world.create(Kind::Group, conversation, "ada", &["bob"]);
    let mut slow = served.open("ada").await;
    let mut quick = served.open("bob").await;
    let text = "x".repeat(16_000);
    let writer = {
        let world = world.clone();
        tokio::spawn(async move {
            for _ in 0..MESSAGES {
                world.say(conversation, "ada", &text);
                tokio::task::yield_now().await;
            }
        })
    };
    for rev in 0..MESSAGES {
        assert_eq!(quick.expect("entry").await["rev"], rev + 2);
    }
    writer.await.unwrap();
    let mut rev = 1;
    let (bye, code) = loop {
        let frame = slow.next().await;
        if frame["type"] == "bye" {
            break (frame, slow.closed().await.1);
        }
        rev += 1;
        assert_eq!(frame["rev"], rev, "no hole up to the end");
    };
    assert_eq!((&bye["code"], code), (&json!("slow_consumer"), 4008));
    let since = slow.position().to_owned();
    let mut resumed = served.resume("ada", &since).await;
    assert_eq!(resumed.heads[0]["head_rev"], MESSAGES + 1);
    let fetch = json!({"type": "fetch", "conversation_id": conversation, "after": rev});
    assert_eq!(resumed.ask(fetch).await["items"][0]["rev"], rev + 1);
}

#[tokio::test]
async fn a_backlog_that_is_small_but_old_is_too_slow_as_well() {
    let world = World::new(1);
    let large = GatewayConfig { backlog_bytes: 1 << 30, silence: Duration::MAX, ..config() };
    let served = Served::with(world.clone(), large).await;
    let conversation = group(&world, 0);
    world.create(Kind::Group, conversation, "ada", &["bob"]);
    let mut slow = served.open("bob").await;
    let text = "x".repeat(16_000);
    for _ in 0..MESSAGES {
        world.say(conversation, "ada", &text);
    }
    served.delivered().await;
    served.pass(Duration::from_secs(32)).await;
    let (bye, code) = slow.closed().await;
    assert_eq!((&bye["code"], code), (&json!("slow_consumer"), 4008));
}

#[tokio::test]
async fn answers_count_in_the_backlog_too() {
    use futures_util::SinkExt;
    let world = World::new(1);
    let served = Served::with(world.clone(), config()).await;
    let conversation = group(&world, 0);
    world.create(Kind::Group, conversation, "ada", &[]);
    let text = "x".repeat(16_000);
    for _ in 0..20 {
        world.say(conversation, "ada", &text);
    }
    let mut greedy = served.open("ada").await;
    // It asks and asks, and reads nothing.
    let fetch = json!({"type": "fetch", "conversation_id": conversation, "after": 1}).to_string();
    let asked = async {
        while greedy.ws.send(fetch.as_str().into()).await.is_ok() {
            tokio::task::yield_now().await;
            if served.gateway.status().sockets == 0 {
                break;
            }
        }
    };
    let ends = async {
        loop {
            served.pass(Duration::from_secs(10)).await;
            if served.gateway.status().sockets == 0 {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), futures_util::future::join(asked, ends))
        .await
        .expect("the backlog was not bounded");
}
