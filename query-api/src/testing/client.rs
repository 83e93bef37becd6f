//! Asking the service, and walking through pages.

use axum::{body::Body, http::Request};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use super::World;

pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
    pub(crate) json: Value,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> String {
        let found = self.headers.iter().find(|(header, _)| header == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    }

    pub(crate) fn items(&self) -> &[Value] {
        self.json["items"].as_array().map_or(&[], Vec::as_slice)
    }

    /// All that a client can see of it.
    pub(crate) fn raw(&self) -> (u16, &[(String, String)], &str) {
        (self.status, &self.headers, &self.body)
    }
}

impl World {
    /// A GET by a user; nobody's without a name.
    pub(crate) async fn get(&self, user: &str, path: &str) -> Answer {
        self.get_with(user, path, &[]).await
    }

    pub(crate) async fn get_with(
        &self,
        user: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request = Request::builder().uri(path);
        if !user.is_empty() {
            request = request.header("authorization", format!("Bearer {user}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.router().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let text = |value: &axum::http::HeaderValue| value.to_str().unwrap().to_owned();
        let headers = parts.headers.iter().map(|(name, value)| (name.to_string(), text(value)));
        let body = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        Answer {
            status: parts.status.as_u16(),
            headers: headers.collect(),
            json: serde_json::from_str(&body).unwrap(),
            body,
        }
    }

    /// Follows `next` to the end: how many pages, and all items.
    pub(crate) async fn walk(
        &self,
        user: &str,
        path: &str,
        param: &str,
        limit: u32,
    ) -> (usize, Vec<Value>) {
        let base = path.split('?').next().unwrap();
        let mark = if path.contains('?') { '&' } else { '?' };
        let mut url = format!("{path}{mark}limit={limit}");
        let (mut pages, mut items) = (0, Vec::new());
        loop {
            let answer = self.get(user, &url).await;
            assert_eq!(answer.status, 200, "{}", answer.body);
            pages += 1;
            items.extend_from_slice(answer.items());
            let next = match &answer.json["next"] {
                Value::Null => return (pages, items),
                Value::String(cursor) => cursor.clone(),
                number => number.to_string(),
            };
            assert!(pages < 100, "the pages have no end");
            url = format!("{base}?limit={limit}&{param}={next}");
        }
    }
}
