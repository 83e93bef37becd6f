//! Schemas of types, and the definitions that they refer to.

use schemars::{
    Schema, SchemaGenerator,
    generate::{Contract, SchemaSettings},
};
use serde_json::{Map, Value};

use crate::routes::SchemaOf;

/// Where a document keeps its definitions.
pub(super) const COMPONENTS: &str = "/components/schemas";

/// Collects what clients send and what they get: the same type may be stricter in one direction.
pub(super) struct Collector {
    sent: SchemaGenerator,
    got: SchemaGenerator,
}

impl Collector {
    /// Collects definitions that stand at a place of their document.
    pub(super) fn new(definitions: &'static str) -> Self {
        Self {
            sent: generator(Contract::Deserialize, definitions),
            got: generator(Contract::Serialize, definitions),
        }
    }

    /// The schema of what a client sends.
    pub(super) fn sent(&mut self, of: SchemaOf) -> Value {
        of(&mut self.sent).to_value()
    }

    /// The schema of what a client gets.
    pub(super) fn got(&mut self, of: SchemaOf) -> Value {
        of(&mut self.got).to_value()
    }

    /// The schema of what a client sends, made by `make`.
    pub(super) fn sent_with(&mut self, make: impl FnOnce(&mut SchemaGenerator) -> Schema) -> Value {
        make(&mut self.sent).to_value()
    }

    /// The schema of what a client gets, made by `make`.
    pub(super) fn got_with(&mut self, make: impl FnOnce(&mut SchemaGenerator) -> Schema) -> Value {
        make(&mut self.got).to_value()
    }

    /// Everything that was referred to, by name.
    pub(super) fn definitions(mut self) -> Map<String, Value> {
        let mut definitions = self.sent.take_definitions(true);
        definitions.extend(self.got.take_definitions(true));
        definitions
    }
}

fn generator(contract: Contract, definitions: &'static str) -> SchemaGenerator {
    SchemaSettings::draft2020_12()
        .with(|settings| {
            settings.contract = contract;
            settings.definitions_path = definitions.into();
            settings.meta_schema = None;
        })
        .into_generator()
}

/// A JSON Schema that stands alone.
pub(super) fn alone(contract: Contract, of: impl FnOnce(&mut SchemaGenerator) -> Schema) -> Value {
    let mut generator = generator(contract, "/$defs");
    let mut schema = of(&mut generator);
    // The root is written out, even where the type is known by name.
    let name = schema.as_object().and_then(|schema| schema.get("$ref")?.as_str()).map(String::from);
    let mut definitions = generator.take_definitions(true);
    if let Some(root) =
        name.as_deref().and_then(|name| definitions.remove(name.trim_start_matches("#/$defs/")))
        && let Ok(root) = Schema::try_from(root)
    {
        schema = root;
    }
    schema.insert("$schema".into(), "https://json-schema.org/draft/2020-12/schema".into());
    if !definitions.is_empty() {
        schema.insert("$defs".into(), definitions.into());
    }
    schema.to_value()
}
