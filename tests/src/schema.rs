//! Checks a value against a JSON Schema of the server's documents.
//!
//! It knows the keywords that the documents use, and fails at one that it does not know, so that
//! nothing goes unchecked silently.

use regex::Regex;
use serde_json::{Map, Value};

/// Says nothing of a value's validity.
const NOTES: &[&str] = &["description", "title", "format", "default", "examples", "$defs"];

/// Checks a value against the schema at `schema` of a document; says where the first difference is.
pub fn check(document: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    at(document, schema, value, "$")
}

fn at(document: &Value, schema: &Value, value: &Value, place: &str) -> Result<(), String> {
    let keywords = match schema {
        Value::Bool(true) => return Ok(()),
        Value::Object(keywords) => keywords,
        _ => return Err(format!("{place}: nothing is allowed here")),
    };
    for (keyword, wanted) in keywords {
        let fits = match keyword.as_str() {
            "$ref" => {
                let pointer = wanted.as_str().and_then(|path| path.strip_prefix('#'));
                let target = pointer.and_then(|pointer| document.pointer(pointer));
                let target = target.ok_or_else(|| format!("{wanted} leads nowhere"))?;
                at(document, target, value, place)?;
                true
            }
            "allOf" => {
                for schema in list(wanted) {
                    at(document, schema, value, place)?;
                }
                true
            }
            "anyOf" => count(document, wanted, value, place) > 0,
            "oneOf" => count(document, wanted, value, place) == 1,
            "type" => match wanted {
                Value::Array(types) => types.iter().any(|one| is(one, value)),
                one => is(one, value),
            },
            "const" => wanted == value,
            "enum" => list(wanted).contains(value),
            "minimum" => number(value).is_none_or(|own| Some(own) >= number(wanted)),
            "maximum" => number(value).is_none_or(|own| Some(own) <= number(wanted)),
            "minLength" => length(value).is_none_or(|own| own >= whole(wanted)),
            "maxLength" => length(value).is_none_or(|own| own <= whole(wanted)),
            "maxItems" => value.as_array().is_none_or(|own| own.len() as u64 <= whole(wanted)),
            "minItems" => value.as_array().is_none_or(|own| own.len() as u64 >= whole(wanted)),
            "pattern" => matches_pattern(wanted, value)?,
            "required" => has_all(wanted, value, place)?,
            "properties" => {
                properties(document, wanted, value, place)?;
                true
            }
            "items" => {
                for (index, item) in list(value).iter().enumerate() {
                    at(document, wanted, item, &format!("{place}[{index}]"))?;
                }
                true
            }
            "additionalProperties" => {
                others(document, keywords, wanted, value, place)?;
                true
            }
            note if NOTES.contains(&note) || note.starts_with("x-") => true,
            unknown => return Err(format!("the check does not know the keyword {unknown}")),
        };
        if !fits {
            return Err(format!("{place}: {value} does not fit {keyword} {wanted}"));
        }
    }
    Ok(())
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn count(document: &Value, schemas: &Value, value: &Value, place: &str) -> usize {
    list(schemas).iter().filter(|schema| at(document, schema, value, place).is_ok()).count()
}

fn is(name: &Value, value: &Value) -> bool {
    match name.as_str() {
        Some("null") => value.is_null(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("string") => value.is_string(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        _ => false,
    }
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64()
}

fn whole(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}

fn length(value: &Value) -> Option<u64> {
    value.as_str().map(|text| text.chars().count() as u64)
}

fn matches_pattern(pattern: &Value, value: &Value) -> Result<bool, String> {
    let Some(text) = value.as_str() else { return Ok(true) };
    let pattern = pattern.as_str().ok_or("a pattern that is no text")?;
    Ok(Regex::new(pattern).map_err(|error| error.to_string())?.is_match(text))
}

fn has_all(required: &Value, value: &Value, place: &str) -> Result<bool, String> {
    let Some(fields) = value.as_object() else { return Ok(true) };
    for name in list(required).iter().filter_map(Value::as_str) {
        if !fields.contains_key(name) {
            return Err(format!("{place}: {name} is missing in {value}"));
        }
    }
    Ok(true)
}

fn properties(document: &Value, wanted: &Value, value: &Value, place: &str) -> Result<(), String> {
    for (name, schema) in wanted.as_object().into_iter().flatten() {
        if let Some(own) = value.get(name) {
            at(document, schema, own, &format!("{place}.{name}"))?;
        }
    }
    Ok(())
}

fn others(
    document: &Value,
    keywords: &Map<String, Value>,
    schema: &Value,
    value: &Value,
    place: &str,
) -> Result<(), String> {
    for (name, own) in value.as_object().into_iter().flatten() {
        if keywords.get("properties").and_then(|known| known.get(name)).is_none() {
            at(document, schema, own, &format!("{place}.{name}"))?;
        }
    }
    Ok(())
}

/// Fields of an answer that its schema does not name. A document that leaves fields out is no
/// description, so tests fail on them although clients ignore them.
pub fn unnamed(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut known = Vec::new();
    names(document, schema, &mut known);
    let own = value.as_object().into_iter().flat_map(|fields| fields.keys());
    own.filter(|name| !known.contains(*name)).cloned().collect()
}

fn names(document: &Value, schema: &Value, known: &mut Vec<String>) {
    if let Some(path) = schema["$ref"].as_str().and_then(|path| path.strip_prefix('#')) {
        names(document, document.pointer(path).unwrap_or(&Value::Null), known);
    }
    for part in ["allOf", "anyOf", "oneOf"] {
        list(&schema[part]).iter().for_each(|schema| names(document, schema, known));
    }
    known.extend(schema["properties"].as_object().into_iter().flat_map(|own| own.keys()).cloned());
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_does_not_fit_is_found() {
        let document = json!({"defs": {"Id": {"type": "string", "pattern": "^[a-z]+$"}}});
        let schema = json!({
            "type": "object",
            "required": ["id"],
            "additionalProperties": false,
            "properties": {
                "id": {"$ref": "#/defs/Id"},
                "n": {"type": ["integer", "null"], "minimum": 1, "maximum": 3},
                "items": {"type": "array", "maxItems": 1, "items": {"enum": ["a", "b"]}},
                "one": {"oneOf": [{"const": 1}, {"const": 2}]},
                "text": {"type": "string", "minLength": 1, "maxLength": 2},
            },
        });
        let good = json!({"id": "x", "n": 3, "items": ["a"], "one": 2, "text": "ab"});
        assert_eq!(check(&document, &schema, &good), Ok(()));
        assert!(unnamed(&document, &schema, &good).is_empty());
        for (field, bad) in [
            ("id", json!("X")),
            ("id", json!(1)),
            ("n", json!(0)),
            ("n", json!(4)),
            ("n", json!(1.5)),
            ("items", json!(["c"])),
            ("items", json!(["a", "b"])),
            ("one", json!(3)),
            ("text", json!("")),
            ("text", json!("abc")),
            ("more", json!(1)),
        ] {
            let mut value = good.clone();
            value[field] = bad;
            assert!(check(&document, &schema, &value).is_err(), "{value}");
        }
        assert!(check(&document, &schema, &json!({})).is_err(), "a field is missing");
        assert!(check(&document, &json!({"unheard": 1}), &json!(1)).is_err());
        assert_eq!(unnamed(&document, &schema, &json!({"more": 1})), ["more"]);
    }
}
