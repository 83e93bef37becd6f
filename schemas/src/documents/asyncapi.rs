//! The WebSocket as AsyncAPI 3.0. The document describes the server: it receives what clients send.

use serde_json::{Map, Value, json};

use super::{
    DESCRIPTION, VERSION,
    collect::{COMPONENTS, Collector},
    openapi::error_codes,
    published::server_frames,
};
use crate::{close::CLOSE_CODES, frames::ClientFrame, routes::OPEN_SOCKET};

/// The document.
pub fn asyncapi() -> Value {
    let mut collector = Collector::new(COMPONENTS);
    let mut messages = Map::new();
    for (name, frame) in ClientFrame::SCHEMAS {
        let mut payload = collector.sent_with(frame);
        payload["properties"]["type"] = json!({"const": name});
        messages.insert(format!("client.{name}"), message(name, payload));
    }
    for (name, frame) in server_frames() {
        let payload = collector.got_with(frame);
        messages.insert(format!("server.{name}"), message(&name, payload));
    }
    let by_side = |side: &str| -> Vec<Value> {
        let of_side = messages.keys().filter(|name| name.starts_with(side));
        of_side.map(|name| json!({"$ref": format!("#/channels/socket/messages/{name}")})).collect()
    };
    let (from_clients, from_server) = (by_side("client."), by_side("server."));
    let references: Map<String, Value> = messages
        .keys()
        .map(|name| (name.clone(), json!({"$ref": format!("#/components/messages/{name}")})))
        .collect();
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Verbatim",
            "version": VERSION,
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "here": {
                "host": "{host}",
                "protocol": "wss",
                "description": "This server; `ws` without TLS.",
                "variables": {"host": {"default": "localhost"}},
                "security": [{"$ref": "#/components/securitySchemes/bearer"}],
            },
        },
        "channels": {"socket": channel(references)},
        "operations": {
            "receiveFrame": {
                "action": "receive",
                "channel": {"$ref": "#/channels/socket"},
                "summary": "What a client sends. All but `hello` come after it.",
                "messages": from_clients,
            },
            "sendFrame": {
                "action": "send",
                "channel": {"$ref": "#/channels/socket"},
                "summary": "What the server sends. `welcome` is the first.",
                "messages": from_server,
            },
        },
        "components": {
            "messages": messages,
            "schemas": collector.definitions(),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
            },
        },
        "x-error-codes": error_codes(),
        "x-close-codes": close_codes(),
    })
}

fn channel(messages: Map<String, Value>) -> Value {
    json!({
        "address": OPEN_SOCKET.path,
        "summary": OPEN_SOCKET.summary,
        "description": "One JSON object a text frame. Sends on one socket to one conversation keep their order.",
        "messages": messages,
        "bindings": {
            "ws": {
                "method": "GET",
                "headers": {
                    "type": "object",
                    "properties": {
                        "Sec-WebSocket-Protocol": {"type": "string", "const": "verbatim.v1"},
                        "Authorization": {"type": "string", "description": "Bearer <token>; without it `hello` brings a ticket."},
                    },
                },
                "bindingVersion": "0.1.0",
            },
        },
    })
}

fn message(name: &str, mut payload: Value) -> Value {
    let summary = payload.as_object_mut().and_then(|payload| payload.remove("description"));
    let mut message = json!({"name": name, "title": name, "payload": payload});
    if let Some(summary) = summary {
        message["summary"] = summary;
    }
    message
}

fn close_codes() -> Vec<Value> {
    let row = |close: &crate::close::Close| json!({"code": close.code, "reason": close.reason, "advice": close.advice});
    CLOSE_CODES.iter().map(row).collect()
}
