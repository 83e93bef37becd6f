//! How much pages may hold until they are sent: a client that asks and does not read costs at most
//! its share.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, header},
    response::Response,
};
use serde::Serialize;
use verbatim_domain::Position;
use verbatim_http::{Refusal, with_position};
use verbatim_schemas::{Code, Problem, UserId};

/// Answers below this are not counted: connections are, and each sends one at a time.
const SMALL: usize = 16 * 1024;
/// When there may be room again, in milliseconds.
const RETRY_AFTER_MS: u64 = 1_000;

/// Room for pages that are under way.
pub(crate) struct AnswerRoom {
    most: usize,
    most_of_one: usize,
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    bytes: usize,
    users: HashMap<UserId, usize>,
}

/// An answer's bytes. Its room is free again when the last of them were given to the kernel.
struct Answer {
    json: Vec<u8>,
    user: UserId,
    room: Arc<AnswerRoom>,
}

impl AnswerRoom {
    pub(crate) fn new(most: usize, most_of_one: usize) -> Self {
        Self { most, most_of_one, held: Mutex::default() }
    }

    /// The answer that holds a page and includes a position; 429 where this user does not read what was
    /// sent before, 503 where all together do not.
    pub(crate) fn answer<T: Serialize>(
        self: &Arc<Self>,
        user: &UserId,
        page: &T,
        position: &Position,
    ) -> Result<Response, Refusal> {
        let json = serde_json::to_vec(page).map_err(|error| {
            tracing::error!(%error, "an answer has no JSON");
            Code::Unavailable
        })?;
        let bytes = match json.len() {
            small if small < SMALL => Bytes::from(json),
            _ => Bytes::from_owner(self.enter(user, json)?),
        };
        let mut response = Response::new(Body::from(bytes));
        let json = HeaderValue::from_static("application/json");
        response.headers_mut().insert(header::CONTENT_TYPE, json);
        Ok(with_position(response, position))
    }

    fn enter(self: &Arc<Self>, user: &UserId, json: Vec<u8>) -> Result<Answer, Problem> {
        let full = |code: Code, detail: &'static str| {
            Err(Problem::new(code).detail(detail).retry_after_ms(RETRY_AFTER_MS))
        };
        let mut held = self.lock();
        if held.bytes + json.len() > self.most {
            return full(Code::Unavailable, "too many answers are not read by their clients");
        }
        let own = held.users.get(user).copied().unwrap_or(0) + json.len();
        if own > self.most_of_one {
            return full(Code::RateLimited, "read the answers that were sent to you first");
        }
        held.bytes += json.len();
        held.users.insert(user.clone(), own);
        Ok(Answer { json, user: user.clone(), room: self.clone() })
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsRef<[u8]> for Answer {
    fn as_ref(&self) -> &[u8] {
        &self.json
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        let mut held = self.room.lock();
        held.bytes = held.bytes.saturating_sub(self.json.len());
        if let Some(own) = held.users.get_mut(&self.user) {
            *own = own.saturating_sub(self.json.len());
            if *own == 0 {
                held.users.remove(&self.user);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_read_takes_its_room_until_it_goes() {
        let room = Arc::new(AnswerRoom::new(100_000, 60_000));
        let [ann, bob, cat] = ["ann", "bob", "cat"].map(|user| user.parse().unwrap());
        let page = "x".repeat(40_000);
        let answer = |user| room.answer(user, &page, &Position::default());
        let code = |refused: Result<Response, Refusal>| refused.unwrap_err().0.code;
        let first = answer(&ann).unwrap();
        assert_eq!(code(answer(&ann)), Code::RateLimited);
        let second = answer(&bob).unwrap();
        assert_eq!(code(answer(&cat)), Code::Unavailable);
        assert!(room.answer(&ann, &"small", &Position::default()).is_ok());
        drop(first);
        drop(answer(&ann).unwrap());
        drop(second);
        let held = room.lock();
        assert!(held.bytes == 0 && held.users.is_empty());
    }
}
