//! `PUT /v1/conversations/{id}/receipts`

use axum::{extract::State, response::Response};
use http::StatusCode;
use verbatim_http::{Caller, ConversationPath, IdempotencyKey, Refusal, RespondAsync, StrictJson};
use verbatim_ports::commands::{Command, Ruled};
use verbatim_schemas::{
    EventBody, Problem, Seq,
    event::{Delivered, Read},
    rest::{PutReceipts, Receipt, Watermarks},
    ruling::Standing,
};

use super::{
    Api,
    ask::{Asked, answer, unfit},
};

/// Raises the caller's watermarks: 200 with the watermarks after.
pub(super) async fn put_receipts(
    State(api): State<Api>,
    Caller(actor): Caller,
    ConversationPath(conversation): ConversationPath,
    IdempotencyKey(id): IdempotencyKey,
    RespondAsync(respond_async): RespondAsync,
    StrictJson(PutReceipts { delivered, read }): StrictJson<PutReceipts>,
) -> Result<Response, Refusal> {
    let body = proposal(delivered, read)?;
    match api.ask(Command { actor, id, conversation, body }, respond_async).await? {
        Asked::Ruled(ruled) => {
            let Receipt { delivered, read, .. } = after(&ruled).ok_or_else(unfit)?;
            let watermarks = Watermarks { delivered: *delivered, read: *read };
            Ok(answer(&ruled, StatusCode::OK, &watermarks))
        }
        Asked::Pending(response) => Ok(response),
    }
}

/// Read raises delivered, so that is named only when it is further.
fn proposal(delivered: Option<Seq>, read: Option<Seq>) -> Result<EventBody, Problem> {
    match (delivered, read) {
        (None, None) => Err(Problem::invalid("read", "send `delivered`, `read` or both")),
        (Some(up_to), None) => Ok(EventBody::Delivered(Delivered { up_to })),
        (delivered, Some(up_to)) => {
            let delivered = delivered.filter(|delivered| *delivered > up_to);
            Ok(EventBody::Read(Read { up_to, delivered }))
        }
    }
}

fn after(ruled: &Ruled) -> Option<&Receipt> {
    match (&ruled.receipt, &ruled.standing) {
        (Some(receipt), _) | (None, Some(Standing::Receipt(receipt))) => Some(receipt),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delivered_is_named_only_when_it_is_further_than_read() {
        let (one, two) = (Some(Seq(1)), Some(Seq(2)));
        let read = |up_to, delivered| EventBody::Read(Read { up_to: Seq(up_to), delivered });
        assert_eq!(proposal(None, one), Ok(read(1, None)));
        assert_eq!(proposal(one, one), Ok(read(1, None)));
        assert_eq!(proposal(one, two), Ok(read(2, None)));
        assert_eq!(proposal(two, one), Ok(read(1, two)));
        assert_eq!(proposal(one, None), Ok(EventBody::Delivered(Delivered { up_to: Seq(1) })));
        assert_eq!(proposal(None, None).unwrap_err().field.as_deref(), Some("read"));
    }
}
