//! What holds for every route.

use crate::testing::{GROUP, NOWHERE, World};

#[tokio::test]
async fn outsiders_of_any_kind_get_the_same_bytes() {
    let world = World::new();
    for route in ["", "/members", "/messages", "/entries", "/receipts"] {
        let nowhere = world.get("ann", &format!("/v1/conversations/{NOWHERE}{route}")).await;
        assert_eq!(
            (nowhere.status, &nowhere.json["code"]),
            (404, &"conversation_not_found".into())
        );
        let path = format!("/v1/conversations/{GROUP}{route}");
        for (user, path) in [("eve", &*path), ("dan", &path), ("ann", "/v1/conversations/no-id")] {
            let outside = world.get(user, path).await;
            assert_eq!(outside.raw(), nowhere.raw(), "{user} {path}");
        }
    }
}

#[tokio::test]
async fn nobody_reads_without_a_token() {
    let world = World::new();
    for path in World::paths() {
        let answer = world.get("", &path).await;
        assert_eq!(
            (answer.status, &answer.json["code"]),
            (401, &"unauthenticated".into()),
            "{path}"
        );
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        let answer = world.get("unavailable", &path).await;
        assert_eq!((answer.status, &answer.json["code"]), (503, &"unavailable".into()), "{path}");
    }
}

#[tokio::test]
async fn every_read_waits_for_what_the_client_has_seen() {
    let world = World::new();
    let (now, later) = (world.token(0), world.token(1));
    for path in World::paths() {
        let answer = world.get_with("ann", &path, &[("verbatim-after", &now)]).await;
        assert_eq!(answer.status, 200, "{path}");
        let headers = [("verbatim-after", &*later), ("verbatim-wait", "7")];
        let answer = world.get_with("ann", &path, &headers).await;
        assert_eq!((answer.status, &answer.json["code"]), (503, &"behind".into()), "{path}");
        assert_eq!(answer.header("retry-after"), "1");
        assert_eq!(world.waited_ms(), 7);
    }
}

#[tokio::test]
async fn every_read_says_what_it_includes_and_refuses_what_it_does_not_know() {
    let world = World::new();
    for path in World::paths() {
        let position = world.get("ann", &path).await.header("verbatim-position");
        let again = world.get_with("ann", &path, &[("verbatim-after", &position)]).await;
        assert_eq!(again.status, 200, "{path}");
        let answer = world.get_with("ann", &path, &[("verbatim-after", "forged")]).await;
        assert_eq!((answer.status, &answer.json["code"]), (400, &"bad_position".into()), "{path}");
        let answer = world.get_with("ann", &path, &[("verbatim-wait", "10001")]).await;
        assert_eq!(
            (answer.status, &answer.json["field"]),
            (422, &"Verbatim-Wait".into()),
            "{path}"
        );
        let odd = if path.contains('?') { "&odd=1" } else { "?odd=1" };
        let answer = world.get("ann", &format!("{path}{odd}")).await;
        assert_eq!((answer.status, &answer.json["code"]), (422, &"unknown_field".into()), "{path}");
    }
}
