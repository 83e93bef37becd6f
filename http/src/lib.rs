//! What the REST services share: how requests are read, and how refusals are answered.
//!
//! A handler takes [`Caller`] first, then paths, positions and the query, then the body: nobody
//! learns what is wrong with a request before they said who they are. Its state gives what the
//! extractors need by `FromRef`: `Arc<dyn Authenticator>` for [`Caller`], [`Layout`] for [`After`],
//! `Arc<dyn Clock>` and `Arc<dyn Entropy>` for [`IdempotencyKey`].
//!
//! | module | what it holds |
//! |---|---|
//! | [`mount`] | handlers are mounted from the table of routes, or not at all |
//! | [`refusal`] | problems as answers |
//! | [`caller`] | who is asking |
//! | [`body`] | JSON bodies, bounded in bytes and time |
//! | [`path`] | ids in paths |
//! | [`query`], [`paging`] | query strings and pages |
//! | [`position`] | read-your-writes |
//! | [`command`] | what commands take: idempotency, `respond-async` |
//! | [`documents`] | OpenAPI, AsyncAPI and the page for people |
//! | [`held`] | streams that can be answered on after the server gave them up |
//! | [`fallback`] | unknown routes and wrong methods |
//!
//! [`Layout`]: verbatim_ports::log::Layout

pub mod body;
pub mod caller;
pub mod command;
pub mod documents;
pub mod fallback;
pub mod held;
pub mod mount;
pub mod paging;
pub mod path;
pub mod position;
pub mod query;
pub mod refusal;

pub use body::{BodyLimits, StrictJson};
pub use caller::{Caller, ClientAddr, ConnectionPermit, bearer};
pub use command::{IdempotencyKey, RespondAsync, mark_duplicate};
pub use documents::documents_router;
pub use fallback::with_fallbacks;
pub use held::{Held, Holder};
pub use mount::Mount;
pub use paging::{CursorPaging, RevPaging, SeqPaging};
pub use path::{ConversationPath, NewConversationPath, UserPath};
pub use position::{After, Wait, with_position};
pub use query::Query;
pub use refusal::{Refusal, problem_response};

#[cfg(test)]
mod tests {
    use axum::{Router, body::Body, extract::Request, response::Response};
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    /// Sends a GET.
    pub(crate) async fn ask(app: &Router, path: &str) -> Response {
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        app.clone().oneshot(request).await.unwrap()
    }

    /// The body as text.
    pub(crate) async fn text_of(response: Response) -> String {
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    /// The body as JSON.
    pub(crate) async fn json_of(response: Response) -> serde_json::Value {
        serde_json::from_str(&text_of(response).await).unwrap()
    }
}
