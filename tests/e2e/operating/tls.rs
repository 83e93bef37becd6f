//! REST and sockets over TLS, from a configuration file.

use anyhow::Result;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::json;
use verbatim_tests::{Client, Server, Socket, crowd::NO_RATES};

use super::keys::{SECRET, hs256};

#[tokio::test]
async fn rest_and_sockets_over_tls() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["127.0.0.1".to_owned(), "localhost".to_owned()])?;
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("cert.pem"), cert.pem())?;
    std::fs::write(path("key.pem"), signing_key.serialize_pem())?;
    let settings = format!(
        "[auth]\nsecret = \"{SECRET}\"\n\n[tls]\ncert = \"{}\"\nkey = \"{}\"\n",
        path("cert.pem"),
        path("key.pem")
    );
    std::fs::write(path("verbatim.toml"), settings)?;
    let mut server = Server::start_strict(&["--config", &path("verbatim.toml")], NO_RATES).await?;
    assert!(server.base().starts_with("https://"), "{}", server.base());
    let mut ada = Client::anonymous(&server.base()).trusting(&cert.pem())?;
    ada.token = Some(hs256(&json!({"sub": "ada"}))?);
    let mut bob = ada.clone();
    bob.token = Some(hs256(&json!({"sub": "bob", "device": "phone"}))?);
    let id = ada.direct("bob").await?;
    let mut socket = Socket::open(&bob).await?;
    assert_eq!(socket.welcome["device"], "phone");
    ada.send(&id, "over TLS").await?.expect(201);
    assert_eq!(socket.expect("entry").await?["message"]["text"], "over TLS");
    assert_eq!(socket.say(&id, "and back").await?["type"], "ack");

    // Who does not know the certificate, and who does not speak TLS, gets nothing.
    let stranger = Client::anonymous(&server.base());
    assert!(stranger.get("/v1/health/live").await.is_err());
    let plain = Client::anonymous(&format!("http://{}", server.address()));
    assert!(plain.get("/v1/health/live").await.is_err());
    assert_eq!(ada.messages(&id).await?.len(), 2);

    // A certificate that is renewed is served after SIGHUP, one that cannot be read is not; whoever is
    // connected notices neither.
    std::fs::write(path("cert.pem"), "no certificate")?;
    server.reload()?;
    let renewed = generate_simple_self_signed(["127.0.0.1".to_owned()])?;
    let newcomer = Client::anonymous(&server.base()).trusting(&renewed.cert.pem())?;
    for _ in 0..20 {
        assert_eq!(socket.say(&id, "while certificates change").await?["type"], "ack");
        Client::anonymous(&server.base()).trusting(&cert.pem())?.get("/v1/health/live").await?;
    }
    std::fs::write(path("key.pem"), renewed.signing_key.serialize_pem())?;
    std::fs::write(path("cert.pem"), renewed.cert.pem())?;
    server.reload()?;
    while newcomer.get("/v1/health/live").await.is_err() {
        assert_eq!(socket.say(&id, "while certificates change").await?["type"], "ack");
    }
    let before = Client::anonymous(&server.base()).trusting(&cert.pem())?;
    assert!(before.get("/v1/health/live").await.is_err(), "the old one is gone");

    // SIGTERM ends TLS sockets in good order, too.
    assert_eq!(server.stop().await?, Some(0));
    assert_eq!(socket.expect("bye").await?["code"], "restart");
    assert_eq!(socket.closed().await?, Some(1012));
    Ok(())
}
