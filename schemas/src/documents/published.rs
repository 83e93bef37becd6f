//! A JSON Schema for everything that is published.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, generate::Contract, json_schema};
use serde_json::{Value, json};

use super::collect::alone;
use crate::{
    entry::Entry,
    error::ProblemBody,
    event,
    frames::{ClientFrame, ServerFrame},
    hex::Salt,
    ids::{CommandId, ConversationId, UserId},
    routes::{ROUTES, SchemaOf},
    ruling::Ruling,
};

/// The data of every event type and version that was ever published.
const EVENTS: &[(&str, u32, SchemaOf)] = &[
    ("conversation_created", 1, of::<event::ConversationCreated>),
    ("member_added", 1, of::<event::MemberAdded>),
    ("member_removed", 1, of::<event::MemberRemoved>),
    ("message_sent", 1, of::<event::MessageSent>),
    ("delivered", 1, of::<event::Delivered>),
    ("read", 1, of::<event::Read>),
];

fn of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// JSON Schemas by name: `event.<type>.v<version>`, `ruling.v1`, `entry.v1`, `client.<frame>`,
/// `server.<frame>`, `rest.<type>` and `problem`.
pub fn published() -> BTreeMap<String, Value> {
    let mut schemas = BTreeMap::from([
        ("ruling.v1".to_owned(), alone(Contract::Serialize, of::<Ruling>)),
        ("entry.v1".to_owned(), alone(Contract::Serialize, of::<Entry>)),
        ("problem".to_owned(), alone(Contract::Serialize, of::<ProblemBody<'_>>)),
    ]);
    for (name, version, data) in EVENTS {
        let schema =
            alone(Contract::Deserialize, |generator| envelope(generator, name, *version, *data));
        schemas.insert(format!("event.{name}.v{version}"), schema);
    }
    for (name, frame) in ClientFrame::SCHEMAS {
        let mut schema = alone(Contract::Deserialize, frame);
        schema["properties"]["type"] = json!({"const": name});
        schemas.insert(format!("client.{name}"), schema);
    }
    for (name, frame) in server_frames() {
        schemas.insert(format!("server.{name}"), alone(Contract::Serialize, frame));
    }
    for route in ROUTES {
        if let Some(body) = route.body {
            let schema = alone(Contract::Deserialize, body);
            schemas.insert(format!("rest.{}", name_of(body)), schema);
        }
        for answer in route.answers.iter().filter_map(|answer| answer.schema) {
            let schema = alone(Contract::Serialize, answer);
            schemas.insert(format!("rest.{}", name_of(answer)), schema);
        }
    }
    schemas
}

/// The record of an event.
fn envelope(generator: &mut SchemaGenerator, name: &str, version: u32, data: SchemaOf) -> Schema {
    json_schema!({
        "title": format!("{name} version {version}"),
        "type": "object",
        "properties": {
            "id": generator.subschema_for::<CommandId>(),
            "type": {"const": name},
            "v": {"const": version},
            "conversation_id": generator.subschema_for::<ConversationId>(),
            "actor": generator.subschema_for::<UserId>(),
            "salt": generator.subschema_for::<Salt>(),
            "data": data(generator),
        },
        "required": ["id", "type", "v", "conversation_id", "actor", "salt", "data"],
        "additionalProperties": false,
    })
}

/// The frames of a server by their `type`, entries among them.
pub(super) fn server_frames() -> Vec<(String, impl FnOnce(&mut SchemaGenerator) -> Schema + use<>)>
{
    let mut probe = SchemaGenerator::default();
    let all = ServerFrame::json_schema(&mut probe).to_value();
    let names = all["oneOf"].as_array().into_iter().flatten();
    let names = names.filter_map(|frame| frame["properties"]["type"]["const"].as_str());
    let mut names: Vec<String> = names.map(str::to_owned).collect();
    names.push("entry".to_owned());
    let frame =
        |name: String| (name.clone(), move |generator: &mut _| server_frame(generator, &name));
    names.into_iter().map(frame).collect()
}

fn server_frame(generator: &mut SchemaGenerator, name: &str) -> Schema {
    let mut frame = if name == "entry" {
        Entry::json_schema(generator).to_value()
    } else {
        let all = ServerFrame::json_schema(generator).to_value();
        let frames = all["oneOf"].as_array().into_iter().flatten();
        let mut of_name = frames.filter(|frame| frame["properties"]["type"]["const"] == name);
        of_name.next().map(|frame| flattened(frame, generator)).unwrap_or_default()
    };
    frame["properties"]["type"] = json!({"const": name});
    let mut required = frame["required"].as_array().cloned().unwrap_or_default();
    if !required.contains(&"type".into()) {
        required.insert(0, "type".into());
    }
    frame["required"] = required.into();
    Schema::try_from(frame).unwrap_or_default()
}

/// A frame that is a type of its own, with that type's fields.
fn flattened(frame: &Value, generator: &SchemaGenerator) -> Value {
    let name = frame["$ref"].as_str().and_then(|path| path.rsplit('/').next());
    let Some(own) = name.and_then(|name| generator.definitions().get(name)) else {
        return frame.clone();
    };
    let mut whole = own.clone();
    if let Some(description) = frame.get("description") {
        whole["description"] = description.clone();
    }
    whole
}

/// The name that a type is known by.
pub(super) fn name_of(schema: SchemaOf) -> String {
    let mut generator = SchemaGenerator::default();
    let reference = schema(&mut generator).to_value();
    let name = reference["$ref"].as_str().and_then(|path| path.rsplit('/').next());
    name.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EventBody;

    #[test]
    fn every_event_type_that_is_written_is_published() {
        let published: Vec<_> = EVENTS.iter().map(|(name, version, _)| (*name, *version)).collect();
        for written in EventBody::TYPES {
            assert!(published.contains(written), "{written:?}");
        }
    }

    #[test]
    fn every_schema_is_an_object_with_its_definitions() {
        let schemas = published();
        assert!(schemas.len() > 40, "{:?}", schemas.keys());
        for (name, schema) in schemas {
            assert_eq!(schema["type"], "object", "{name}");
            super::super::tests::check_references(&name, &schema, &schema);
        }
    }

    #[test]
    fn frames_name_their_type() {
        for (name, schema) in published() {
            if let Some(frame) = name.strip_prefix("client.").or(name.strip_prefix("server.")) {
                assert_eq!(schema["properties"]["type"], json!({"const": frame}));
                let required = schema["required"].as_array().unwrap();
                assert!(required.contains(&"type".into()), "{name}");
            }
        }
    }
}
