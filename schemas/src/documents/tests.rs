use std::collections::BTreeSet;

use serde_json::Value;

use super::*;
use crate::{
    close::CLOSE_CODES,
    error::Code,
    frames::ClientFrame,
    routes::{Method, ROUTES},
};

/// Fails where a `$ref` of `value` leads nowhere in `root`.
pub(super) fn check_references(name: &str, value: &Value, root: &Value) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, field)| {
            if let ("$ref", Some(path)) = (key.as_str(), field.as_str()) {
                let pointer = path.strip_prefix('#');
                let target = pointer.and_then(|pointer| root.pointer(pointer));
                assert!(target.is_some(), "{name}: {path} leads nowhere");
            }
            check_references(name, field, root);
        }),
        Value::Array(items) => items.iter().for_each(|item| check_references(name, item, root)),
        _ => {}
    }
}

/// Every operation of OpenAPI with its path.
fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().iter();
            methods.map(|(method, operation)| (path.as_str(), method.as_str(), operation))
        })
        .collect()
}

#[test]
fn references_lead_somewhere() {
    for (name, document) in [("openapi", openapi()), ("asyncapi", asyncapi())] {
        check_references(name, &document, &document);
    }
}

#[test]
fn openapi_has_the_shape_that_version_3_1_asks_for() {
    let document = openapi();
    assert_eq!(document["openapi"], "3.1.0");
    assert!(document["info"]["title"].is_string() && document["info"]["version"].is_string());
    let tags: Vec<&Value> =
        document["tags"].as_array().unwrap().iter().map(|tag| &tag["name"]).collect();
    for (path, method, operation) in operations(&document) {
        assert!(path.starts_with('/'));
        assert!(["get", "put", "post", "delete"].contains(&method));
        assert!(tags.contains(&&operation["tags"][0]), "{path}");
        let responses = operation["responses"].as_object().unwrap();
        assert!(!responses.is_empty());
        for (status, response) in responses {
            assert!(matches!(status.parse::<u16>(), Ok(100..=599)), "{path}: {status}");
            assert!(response["description"].is_string(), "{path}: {status}");
            for media in
                response["content"].as_object().into_iter().flat_map(|media| media.values())
            {
                assert!(media["schema"].is_object(), "{path}: {status}");
            }
        }
    }
}

#[test]
fn every_path_parameter_is_described_and_no_parameter_twice() {
    let document = openapi();
    for (path, method, operation) in operations(&document) {
        let parameters = operation["parameters"].as_array().unwrap();
        let all: BTreeSet<_> = parameters
            .iter()
            .map(|parameter| {
                assert!(parameter["schema"].is_object() && parameter["description"].is_string());
                (parameter["in"].as_str().unwrap(), parameter["name"].as_str().unwrap())
            })
            .collect();
        assert_eq!(all.len(), parameters.len(), "{method} {path}");
        let described: Vec<_> = all.iter().filter(|(place, _)| *place == "path").collect();
        assert_eq!(described.len(), path.matches('{').count(), "{method} {path}");
        for (_, name) in described {
            assert!(path.contains(&format!("{{{name}}}")));
        }
    }
}

#[test]
fn every_route_is_an_operation_of_its_own() {
    let document = openapi();
    let operations = operations(&document);
    let ids: BTreeSet<&str> = operations
        .iter()
        .map(|(.., operation)| operation["operationId"].as_str().unwrap())
        .collect();
    assert_eq!((operations.len(), ids.len()), (ROUTES.len(), ROUTES.len()));
    for route in ROUTES {
        let operation = &document["paths"][route.path][route.method.as_str().to_ascii_lowercase()];
        assert_eq!(operation["operationId"], route.operation);
        for answer in route.answers {
            assert!(operation["responses"].get(answer.status.to_string()).is_some());
        }
        for code in route.all_codes() {
            let response = &operation["responses"][code.status().to_string()];
            let codes = &response["content"]["application/problem+json"]["schema"]["properties"]["code"]
                ["enum"];
            assert!(
                codes.as_array().unwrap().contains(&code.name().into()),
                "{} {code}",
                route.operation
            );
        }
        assert_eq!(route.body.is_some(), operation.get("requestBody").is_some());
        assert!(route.method != Method::Get || route.body.is_none());
    }
}

#[test]
fn every_code_is_listed_and_can_be_answered_by_some_route() {
    for document in [openapi(), asyncapi()] {
        let listed: BTreeSet<&str> = document["x-error-codes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["code"].as_str().unwrap())
            .collect();
        assert_eq!(listed.len(), Code::ALL.len());
    }
    let answered: BTreeSet<Code> = ROUTES.iter().flat_map(|route| route.all_codes()).collect();
    // Edits and reactions will name messages; today only a socket's and a future route's answers do.
    let unanswered: Vec<_> = Code::ALL.iter().filter(|code| !answered.contains(code)).collect();
    assert_eq!(unanswered, [&Code::MessageNotFound]);
}

#[test]
fn asyncapi_has_the_shape_that_version_3_asks_for() {
    let document = asyncapi();
    assert_eq!(document["asyncapi"], "3.0.0");
    let channel = &document["channels"]["socket"];
    let messages = channel["messages"].as_object().unwrap();
    let mut in_operations = 0;
    for (name, operation) in document["operations"].as_object().unwrap() {
        assert!(["send", "receive"].contains(&operation["action"].as_str().unwrap()), "{name}");
        for message in operation["messages"].as_array().unwrap() {
            // AsyncAPI: an operation's messages are references into its own channel.
            let path = message["$ref"].as_str().unwrap();
            assert!(path.starts_with("#/channels/socket/messages/"), "{path}");
            in_operations += 1;
        }
    }
    assert_eq!(in_operations, messages.len());
    for (name, message) in document["components"]["messages"].as_object().unwrap() {
        assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)));
        assert_eq!(message["payload"]["type"], "object", "{name}");
    }
}

#[test]
fn every_frame_and_close_code_is_in_asyncapi() {
    let document = asyncapi();
    let messages = document["components"]["messages"].as_object().unwrap();
    for name in ClientFrame::TYPES {
        assert!(messages.contains_key(&format!("client.{name}")), "{name}");
    }
    let from_server = [
        "ack", "bye", "entries", "entry", "error", "heads", "left", "presence", "receipt",
        "typing", "unread", "welcome",
    ];
    let described: BTreeSet<_> =
        messages.keys().filter_map(|name| name.strip_prefix("server.")).collect();
    assert_eq!(described, BTreeSet::from(from_server));
    assert_eq!(document["x-close-codes"].as_array().unwrap().len(), CLOSE_CODES.len());
}

#[test]
fn the_page_says_everything_and_runs_nothing() {
    let page = docs_html();
    for route in ROUTES {
        assert!(page.contains(route.path) && page.contains(route.operation), "{}", route.path);
    }
    for code in Code::ALL {
        assert!(page.contains(&format!("<td>{}</td>", code.name())), "{code}");
    }
    for forbidden in ["<script", "style=", "<style", "javascript:", "http://", " onclick"] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    let links = page.matches("href=\"").count();
    let own = page.matches("href=\"/").count() + page.matches("href=\"#").count();
    assert_eq!(links, own, "the page links to nothing elsewhere");
    let count = |text: &str| page.matches(text).count();
    for element in ["table", "tr", "td", "h2", "h3", "p", "pre", "details", "code", "ul"] {
        let opened = count(&format!("<{element}>")) + count(&format!("<{element} "));
        assert_eq!(opened, count(&format!("</{element}>")), "{element}");
    }
}
