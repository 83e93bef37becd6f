//! One route as an operation of OpenAPI.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::collect::Collector;
use crate::{
    bounds,
    error::Code,
    ids::{CommandId, ConversationId, UserId},
    routes::{Access, Answer, Route, SchemaOf, Service},
};

/// The operation of a route.
pub(super) fn operation(route: &Route, collector: &mut Collector) -> Value {
    let mut operation = json!({
        "operationId": route.operation,
        "summary": route.summary,
        "tags": [tag(route.service)],
        "security": security(route.access),
        "parameters": parameters(route, collector),
        "responses": responses(route, collector),
    });
    if let Some(note) = note(route) {
        operation["description"] = note.into();
    }
    if let Some(body) = route.body {
        operation["requestBody"] = json!({
            "required": true,
            "content": {"application/json": {"schema": collector.sent(body)}},
        });
    }
    operation
}

/// The heading that a route stands under.
pub(super) fn tag(service: Service) -> &'static str {
    match service {
        Service::CommandApi => "commands",
        Service::QueryApi => "reads",
        Service::Gateway => "socket",
        Service::Documents | Service::Server | Service::Metrics => "service",
    }
}

/// What the summary leaves out.
pub(super) fn note(route: &Route) -> Option<&'static str> {
    match (route.service, route.access) {
        (Service::Metrics, _) => Some("Served on an address of its own."),
        (_, Access::Development) => Some("There in development mode only; else `not_found`."),
        (_, Access::UserOrTicket) => {
            Some("Brings a token in the Authorization header, or a ticket in the `hello` frame.")
        }
        _ => None,
    }
}

fn security(access: Access) -> Value {
    match access {
        Access::Anyone | Access::Development => json!([]),
        Access::User => json!([{"bearer": []}]),
        Access::UserOrTicket => json!([{"bearer": []}, {}]),
    }
}

fn parameters(route: &Route, collector: &mut Collector) -> Vec<Value> {
    let mut parameters = Vec::new();
    for name in route.path_params() {
        let (schema, doc): (SchemaOf, _) = match name {
            "user_id" => (|generator| generator.subschema_for::<UserId>(), "The user's id."),
            _ => {
                (|generator| generator.subschema_for::<ConversationId>(), "The conversation's id.")
            }
        };
        parameters.push(json!({
            "name": name, "in": "path", "required": true, "description": doc,
            "schema": collector.sent(schema),
        }));
    }
    for param in route.query {
        let one = collector.sent(param.schema);
        let schema = if param.repeated {
            json!({"type": "array", "items": one, "minItems": 1, "maxItems": bounds::PRESENCE_USERS})
        } else {
            one
        };
        parameters.push(json!({
            "name": param.name, "in": "query", "required": param.repeated,
            "description": param.doc, "schema": schema,
        }));
    }
    parameters.extend(headers(route, collector));
    parameters
}

/// The headers that a route takes.
fn headers(route: &Route, collector: &mut Collector) -> Vec<Value> {
    let header = |name: &str, doc: &str, schema: Value| {
        json!({
            "name": name, "in": "header", "required": false, "description": doc, "schema": schema,
        })
    };
    let mut headers = Vec::new();
    if route.after {
        headers.push(header(
            "Verbatim-After",
            "Positions that the answer has to include: up to 16 tokens, as repeated lines or with commas, 4 KiB in all.",
            json!({"type": "string", "maxLength": 4096}),
        ));
        headers.push(header(
            "Verbatim-Wait",
            "How long to wait for that, in milliseconds.",
            json!({"type": "integer", "minimum": 0, "maximum": 10_000, "default": 2_000}),
        ));
    }
    if route.idempotency {
        headers.push(header(
            "Idempotency-Key",
            "Names the command, so that it can be repeated safely; made by the server when absent.",
            collector.sent(|generator| generator.subschema_for::<CommandId>()),
        ));
    }
    if route.command {
        headers.push(header(
            "Prefer",
            "`respond-async`: answer 202 as soon as the command is stored.",
            json!({"type": "string"}),
        ));
    }
    headers
}

fn responses(route: &Route, collector: &mut Collector) -> Map<String, Value> {
    let mut responses = Map::new();
    for answer in route.answers {
        responses.insert(answer.status.to_string(), success(route, answer, collector));
    }
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in route.all_codes() {
        by_status.entry(code.status()).or_default().push(code);
    }
    for (status, codes) in by_status {
        responses.insert(status.to_string(), failure(&codes));
    }
    responses
}

fn success(route: &Route, answer: &Answer, collector: &mut Collector) -> Value {
    let mut response = json!({"description": answer.doc});
    if let Some(media) = answer.media {
        let schema = match answer.schema {
            Some(of) => collector.got(of),
            None if media == "application/json" => json!({"type": "object"}),
            None => json!({"type": "string"}),
        };
        response["content"] = json!({media: {"schema": schema}});
    }
    let mut headers = Map::new();
    if route.position {
        let schema = json!({"type": "string", "maxLength": bounds::POSITION_BYTES});
        headers.insert(
            "Verbatim-Position".into(),
            json!({"description": "What the answer includes.", "required": true, "schema": schema}),
        );
    }
    if route.command {
        headers.insert(
            "Verbatim-Duplicate".into(),
            json!({"description": "`true` when this repeats an earlier answer.", "schema": {"const": "true"}}),
        );
    }
    if !headers.is_empty() {
        response["headers"] = headers.into();
    }
    response
}

/// The answer of all codes of one status.
fn failure(codes: &[Code]) -> Value {
    let names: Vec<&str> = codes.iter().map(|code| code.name()).collect();
    let titles: Vec<String> =
        codes.iter().map(|code| format!("`{}`: {}.", code.name(), code.title())).collect();
    let mut response = json!({
        "description": titles.join(" "),
        "content": {
            "application/problem+json": {
                "schema": {
                    "allOf": [{"$ref": "#/components/schemas/Problem"}],
                    "properties": {"code": {"enum": names}},
                },
            },
        },
    });
    let status = codes.first().map(|code| code.status());
    if matches!(status, Some(429 | 503)) {
        let schema = json!({"type": "integer", "minimum": 0});
        response["headers"] =
            json!({"Retry-After": {"description": "In seconds.", "schema": schema}});
    }
    if status == Some(401) {
        response["headers"] = json!({"WWW-Authenticate": {"schema": {"const": "Bearer"}}});
    }
    response
}
