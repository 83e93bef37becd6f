use std::time::Duration;

use serde_json::json;

use crate::support::{Served, Socket};

#[tokio::test]
async fn a_gateway_that_goes_says_when_to_come_back() {
    let mut served = Served::start().await;
    let mut sockets = Vec::new();
    for number in 0..20 {
        sockets.push(served.open(&format!("user{number}")).await);
    }
    let waiting = Socket::raw(served.address, &[]).await.unwrap();
    sockets.push(waiting);
    served.until(|gateway| gateway.status().sockets == 21).await;
    served.until(|_| served.world.parts.has_lease()).await;
    let gateway = served.gateway.clone();
    let draining = tokio::spawn(async move { gateway.drain(Duration::from_secs(20)).await });
    let mut delays = std::collections::BTreeSet::new();
    for socket in &mut sockets {
        let (bye, code) = socket.closed().await;
        assert_eq!((&bye["code"], code), (&json!("restart"), 1012));
        let delay = bye["reconnect_after_ms"].as_u64().unwrap();
        assert!(delay < 3_000);
        delays.insert(delay);
    }
    assert!(delays.len() > 10, "they do not all come back at once");
    drop(sockets);
    assert_eq!(draining.await.unwrap(), 0);
    assert!(!served.world.parts.has_lease(), "the lease is given up");
    let Err(response) = Socket::raw(served.address, &[]).await else { panic!("opened") };
    assert_eq!(response.status().as_u16(), 503);
    assert!(response.headers().contains_key("retry-after"));
    served.stop().await;
}
