//! `GET /v1/conversations`

use axum::{extract, response::Response};
use verbatim_http::{Caller, CursorPaging, Refusal, paging::cursor};
use verbatim_ports::history::InboxCursor;
use verbatim_schemas::{
    ConversationId, Timestamp,
    rest::{Cursor, Page},
};

use crate::{inside::Included, state::State};

pub(crate) async fn handle(
    extract::State(state): extract::State<State>,
    Caller(actor): Caller,
    included: Included,
    paging: CursorPaging,
) -> Result<Response, Refusal> {
    let after = paging.after(read)?;
    let history = &*state.deps.history;
    included.in_history(history).await?;
    let most = state.config.page_bytes;
    let page = history.inbox(&actor.user, after, paging.limit, most).await?;
    let last = page.items.last().filter(|_| page.more);
    let next = last.map(|item| write(item.active_at, item.conversation.id));
    state.room.answer(&actor.user, &Page { items: page.items, next }, &page.position)
}

/// The last item's time in milliseconds and its conversation's id.
fn write(active_at: Timestamp, conversation: ConversationId) -> Cursor {
    cursor(format!("{} {conversation}", active_at.as_millis()).as_bytes())
}

fn read(bytes: &[u8]) -> Option<InboxCursor> {
    let (millis, id) = std::str::from_utf8(bytes).ok()?.split_once(' ')?;
    let millis = millis.parse().ok().filter(|millis| *millis <= Timestamp::MAX.as_millis())?;
    Some(InboxCursor { active_at: Timestamp::from_millis(millis), conversation: id.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use verbatim_http::paging::cursor;

    use crate::testing::{CHANNEL, DIRECT, GROUP, METADATA, World};

    #[tokio::test]
    async fn the_latest_entry_comes_first() {
        let (pages, items) = World::new().walk("ann", "/v1/conversations", "cursor", 1).await;
        let ids: Vec<_> = items.iter().map(|item| item["id"].as_str().unwrap()).collect();
        // Two were active at the same moment; the pages between them lose neither.
        assert_eq!((pages, ids), (3, vec![GROUP, DIRECT, CHANNEL]));
        for item in &items {
            for field in ["kind", "history", "posting", "unread", "read", "delivered", "active_at"]
            {
                assert!(!item[field].is_null(), "{field}");
            }
        }
        assert_eq!(items[0]["last_message"]["seq"], 5);
        assert!(items[2]["last_message"].is_null());
    }

    #[tokio::test]
    async fn a_page_that_is_full_of_bytes_goes_on() {
        let world = World::new().with_page_bytes(1);
        let (pages, items) = world.walk("ann", "/v1/conversations", "cursor", 200).await;
        assert_eq!((pages, items.len()), (3, 3));
    }

    #[tokio::test]
    async fn metadata_of_the_last_message_comes_byte_for_byte() {
        let answer = World::new().get("ann", "/v1/conversations").await;
        assert!(answer.body.contains(METADATA), "{}", answer.body);
    }

    #[tokio::test]
    async fn somebody_without_conversations_has_an_empty_inbox() {
        let answer = World::new().get("eve", "/v1/conversations").await;
        assert_eq!(answer.body, r#"{"items":[],"next":null}"#);
    }

    #[tokio::test]
    async fn cursors_that_are_none_are_refused() {
        let forged = ["", "1", "x y", "253402300800000 0190a5a0-0000-7000-8000-000000000001"];
        for bytes in forged {
            let path = format!("/v1/conversations?cursor={}", cursor(bytes.as_bytes()).0);
            let answer = World::new().get("ann", &path).await;
            assert_eq!((answer.status, &answer.json["field"]), (422, &"cursor".into()), "{bytes}");
        }
    }
}
