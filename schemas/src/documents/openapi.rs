//! The REST interface as OpenAPI 3.1.

use serde_json::{Map, Value, json};

use super::{
    DESCRIPTION, VERSION,
    collect::{COMPONENTS, Collector},
    operation::operation,
};
use crate::{
    error::{Code, ProblemBody},
    routes::ROUTES,
};

/// The document.
pub fn openapi() -> Value {
    let mut collector = Collector::new(COMPONENTS);
    collector.got(|generator| generator.subschema_for::<ProblemBody<'_>>());
    let mut paths = Map::new();
    for route in ROUTES {
        let method = route.method.as_str().to_ascii_lowercase();
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[method] = operation(route, &mut collector);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Verbatim",
            "version": VERSION,
            "summary": "Messaging that loses no word",
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "servers": [{"url": "/", "description": "This server"}],
        "tags": [
            {"name": "commands", "description": "What changes something"},
            {"name": "reads", "description": "What people see"},
            {"name": "socket", "description": "The WebSocket; see /asyncapi.json"},
            {"name": "service", "description": "Health, documents, development"},
        ],
        "paths": paths,
        "components": {
            "schemas": collector.definitions(),
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "`sub` is the user's id; `exp` is required; `device` and `roles` may be there.",
                },
            },
        },
        "x-error-codes": error_codes(),
    })
}

/// The table of error codes.
pub(super) fn error_codes() -> Vec<Value> {
    let row = |code: &Code| {
        json!({
            "code": code.name(),
            "status": code.status(),
            "retry": code.retry(),
            "title": code.title(),
            "detail": code.detail(),
        })
    };
    Code::ALL.iter().map(row).collect()
}
