//! SIGTERM.

use std::sync::PoisonError;

use anyhow::Result;
use tokio::{io::AsyncWriteExt, net::TcpStream};
use verbatim_tests::{
    Client, Server, Socket,
    checker::check,
    crowd::{Crowd, NO_RATES},
    dice::Dice,
    new_id,
    wire::Wire,
};

/// Restarted in good order again and again while eight people talk.
#[tokio::test(flavor = "multi_thread")]
async fn g1_g2_g3_restarts_under_a_crowd_lose_and_double_nothing() -> Result<()> {
    let mut dice = Dice::of_test("restarts", 610);
    let mut server = Server::start_with(&[], NO_RATES).await?;
    let mut crowd = Crowd::gather(&server.base()).await?;
    crowd.talk(&mut dice, None);
    for _ in 0..6 {
        crowd.acks(1 + dice.below(60)).await?;
        assert_eq!(server.stop().await?, Some(0), "in good order");
        server.resume().await?;
    }
    crowd.acks(40).await?;
    assert_eq!(check(&crowd.rest().await?), []);
    Ok(())
}

#[tokio::test]
async fn sigterm_drains_and_exits_0_and_what_was_acknowledged_stays() -> Result<()> {
    let (mut server, log) = Server::start_logged(&[], &[("VERBATIM_DRAIN", "5s")]).await?;
    let ada = Client::sign_in(&server, "ada").await?;
    let id = ada.direct("bob").await?;
    let mut sockets = Vec::new();
    for _ in 0..5 {
        sockets.push(Socket::open(&ada).await?);
    }
    // An idle connection and half a request must not hold it up for longer than the drain.
    let _idle = TcpStream::connect(server.address()).await?;
    let mut half = TcpStream::connect(server.address()).await?;
    half.write_all(b"GET /v1/unread HTTP/1.1\r\nhost: x\r\n").await?;
    // Nor must one whose body stops, nor a socket that answers no close.
    let mut body = TcpStream::connect(server.address()).await?;
    body.write_all(b"POST /v1/dev/tokens HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n{")
        .await?;
    let bearer = format!("Bearer {}", ada.token.clone().unwrap_or_default());
    let _silent = Wire::open(server.address(), &[("authorization", &bearer)]).await?;
    // Somebody sends all the while.
    let sending = tokio::spawn({
        let (ada, id) = (ada.clone(), id.clone());
        async move {
            let mut acknowledged = Vec::new();
            for n in 0..10_000 {
                let message = new_id();
                match ada.send_as(&id, &message, &format!("{n}")).await {
                    Ok(answer) if answer.status == 201 => acknowledged.push(message),
                    Ok(answer) if answer.status == 429 => tokio::task::yield_now().await,
                    Ok(_) | Err(_) => break,
                }
            }
            acknowledged
        }
    });
    sockets[0].expect("entry").await?;
    assert_eq!(server.stop().await?, Some(0), "in good order");
    let log = log.lock().unwrap_or_else(PoisonError::into_inner).clone();
    assert!(!log.contains("ERROR"), "nothing is told that did not go wrong: {log}");
    let files = std::fs::read_dir(server.data())?
        .map(|file| Ok(file?.file_name().to_string_lossy().into_owned()));
    let open: Vec<String> = files
        .collect::<Result<Vec<_>>>()?
        .into_iter()
        .filter(|name| name.ends_with("-wal"))
        .collect();
    assert!(open.is_empty(), "stores that were not closed: {open:?}");
    for socket in &mut sockets {
        let bye = socket.expect("bye").await?;
        assert_eq!(bye["code"], "restart");
        assert!(bye["reconnect_after_ms"].is_u64());
        assert_eq!(socket.closed().await?, Some(1012));
    }
    let acknowledged = sending.await?;
    assert!(!acknowledged.is_empty());
    server.resume().await?;
    let stored = ada.messages(&id).await?;
    for message in &acknowledged {
        let copies = stored.iter().filter(|stored| stored["id"] == message.as_str()).count();
        assert_eq!(copies, 1, "{message} is there once");
    }
    Ok(())
}
