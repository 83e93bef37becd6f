//! Both interfaces as a page for people. No script, no inline style, nothing from elsewhere.

use std::fmt::Write;

use serde_json::Value;

use super::{
    DESCRIPTION, asyncapi, openapi,
    operation::{note, tag},
};
use crate::{
    close::CLOSE_CODES,
    error::Code,
    routes::{Access, ROUTES, Route},
};

/// The style sheet, to be served as `/docs.css`.
pub const DOCS_CSS: &str = include_str!("docs.css");

/// The headings of the routes.
const TAGS: [(&str, &str); 4] = [
    ("commands", "Commands"),
    ("reads", "Reads"),
    ("socket", "Opening a socket"),
    ("service", "Service"),
];

/// The page.
pub fn docs_html() -> String {
    let (rest, socket) = (openapi(), asyncapi());
    let mut page = Page(String::new());
    page.raw(concat!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n",
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n",
        "<title>Verbatim: the interface</title>\n<link rel=\"stylesheet\" href=\"/docs.css\">\n",
        "</head>\n<body>\n<h1>Verbatim: the interface</h1>\n",
    ));
    page.element("p", DESCRIPTION);
    page.raw("<p>For programs: <a href=\"/openapi.json\">OpenAPI</a>, ");
    page.raw("<a href=\"/asyncapi.json\">AsyncAPI</a>.</p>\n");
    page.contents();
    for (name, title) in TAGS {
        page.heading("h2", name, title);
        ROUTES.iter().filter(|route| tag(route.service) == name).for_each(|route| {
            page.route(route, &rest["paths"][route.path]);
        });
    }
    page.heading("h2", "frames", "Frames");
    page.frames(&socket["components"]["messages"]);
    page.errors();
    page.closes();
    page.heading("h2", "types", "Types");
    page.types(&rest["components"]["schemas"], &socket["components"]["schemas"]);
    page.raw("</body>\n</html>\n");
    page.0
}

struct Page(String);

impl Page {
    fn raw(&mut self, html: &str) {
        self.0.push_str(html);
    }

    fn text(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                '&' => self.raw("&amp;"),
                '<' => self.raw("&lt;"),
                '>' => self.raw("&gt;"),
                '"' => self.raw("&quot;"),
                '\'' => self.raw("&#39;"),
                c => self.0.push(c),
            }
        }
    }

    fn element(&mut self, name: &str, text: &str) {
        self.raw(&format!("<{name}>"));
        self.text(text);
        self.raw(&format!("</{name}>\n"));
    }

    /// Ids are of letters, digits, dots and underscores only.
    fn heading(&mut self, level: &str, id: &str, title: &str) {
        self.raw(&format!("<{level} id=\"{id}\">"));
        self.text(title);
        self.raw(&format!("</{level}>\n"));
    }

    fn row(&mut self, cell: &str, cells: &[&str]) {
        self.raw("<tr>");
        for text in cells {
            self.element(cell, text);
        }
        self.raw("</tr>\n");
    }

    fn table(&mut self, head: &[&str], rows: &[Vec<String>]) {
        if rows.is_empty() {
            return;
        }
        self.raw("<table>\n<thead>");
        self.row("th", head);
        self.raw("</thead>\n<tbody>\n");
        for row in rows {
            let cells: Vec<&str> = row.iter().map(String::as_str).collect();
            self.row("td", &cells);
        }
        self.raw("</tbody>\n</table>\n");
    }

    fn contents(&mut self) {
        self.raw("<nav><ul>\n");
        let sections = [
            ("frames", "Frames"),
            ("errors", "Errors"),
            ("closes", "Close codes"),
            ("types", "Types"),
        ];
        for (id, title) in TAGS.into_iter().chain(sections) {
            self.raw(&format!("<li><a href=\"#{id}\">"));
            self.text(title);
            self.raw("</a></li>\n");
        }
        self.raw("</ul></nav>\n");
    }

    fn route(&mut self, route: &Route, path: &Value) {
        let operation = &path[route.method.as_str().to_ascii_lowercase()];
        self.raw(&format!("<h3 id=\"{}\"><span class=\"method\">", route.operation));
        self.text(route.method.as_str());
        self.raw("</span> <code>");
        self.text(route.path);
        self.raw("</code></h3>\n");
        self.element("p", route.summary);
        if let Some(note) = note(route) {
            self.raw("<p class=\"note\">");
            self.text(note);
            self.raw("</p>\n");
        }
        if matches!(route.access, Access::User) {
            self.raw("<p class=\"note\">Needs a token.</p>\n");
        }
        self.parameters(operation);
        if let Some(body) = operation["requestBody"]["content"]["application/json"].get("schema") {
            self.raw("<p>Body: <code>");
            self.text(&kind(body));
            self.raw("</code></p>\n");
        }
        let rows: Vec<Vec<String>> = route
            .answers
            .iter()
            .map(|answer| {
                let response = &operation["responses"][answer.status.to_string()];
                let media = answer.media.unwrap_or_default();
                let body = response["content"][media].get("schema").map(kind).unwrap_or_default();
                vec![answer.status.to_string(), answer.doc.to_owned(), body]
            })
            .collect();
        self.table(&["Status", "Meaning", "Body"], &rows);
        let codes: Vec<&str> = route.all_codes().into_iter().map(Code::name).collect();
        self.raw("<p class=\"note\">Errors: ");
        self.text(&codes.join(", "));
        self.raw("</p>\n");
    }

    fn parameters(&mut self, operation: &Value) {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let rows: Vec<Vec<String>> = parameters
            .map(|parameter| {
                let (name, place) = (text(&parameter["name"]), text(&parameter["in"]));
                vec![name, place, text(&parameter["description"])]
            })
            .collect();
        self.table(&["Parameter", "In", "Meaning"], &rows);
    }

    fn frames(&mut self, messages: &Value) {
        for (name, message) in messages.as_object().into_iter().flatten() {
            let (side, frame) = name.split_once('.').unwrap_or(("", name));
            self.heading("h3", name, &format!("{frame} (from the {side})"));
            self.element("p", message["summary"].as_str().unwrap_or_default());
            self.fields(&message["payload"]);
        }
    }

    /// The properties of an object as a table.
    fn fields(&mut self, schema: &Value) {
        let needed = schema["required"].as_array();
        let properties = schema["properties"].as_object().into_iter().flatten();
        let rows: Vec<Vec<String>> = properties
            .map(|(name, property)| {
                let required = needed.is_some_and(|needed| needed.contains(&name.as_str().into()));
                let mark = if required { "" } else { "?" };
                let doc = property["description"].as_str().unwrap_or_default();
                vec![format!("{name}{mark}"), kind(property), doc.to_owned()]
            })
            .collect();
        self.table(&["Field", "Type", "Meaning"], &rows);
    }

    fn errors(&mut self) {
        self.heading("h2", "errors", "Errors");
        let rows: Vec<Vec<String>> = Code::ALL
            .iter()
            .map(|code| {
                let retry = serde_json::to_value(code.retry()).unwrap_or_default();
                let retry = retry.as_str().unwrap_or_default().to_owned();
                let texts = [code.title(), code.detail()].map(str::to_owned);
                let [title, detail] = texts;
                vec![code.name().to_owned(), code.status().to_string(), retry, title, detail]
            })
            .collect();
        self.table(&["Code", "Status", "Retry", "Meaning", "What to do"], &rows);
    }

    fn closes(&mut self) {
        self.heading("h2", "closes", "Close codes");
        let rows: Vec<Vec<String>> = CLOSE_CODES
            .iter()
            .map(|close| vec![close.code.to_string(), close.reason.into(), close.advice.into()])
            .collect();
        self.table(&["Code", "What happened", "What to do"], &rows);
    }

    fn types(&mut self, rest: &Value, socket: &Value) {
        let all = rest.as_object().into_iter().flatten();
        let only_socket = socket.as_object().into_iter().flatten();
        let only_socket = only_socket.filter(|(name, _)| rest.get(name.as_str()).is_none());
        for (name, schema) in all.chain(only_socket) {
            self.heading("h3", &format!("type.{name}"), name);
            if let Some(doc) = schema["description"].as_str() {
                self.element("p", doc);
            }
            self.fields(schema);
            let mut json = String::new();
            // Writing into a string does not fail.
            let _ = write!(json, "{schema:#}");
            self.raw("<details><summary>JSON Schema</summary><pre>");
            self.text(&json);
            self.raw("</pre></details>\n");
        }
    }
}

/// A schema in a few words.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str() {
        return name.rsplit('/').next().unwrap_or_default().to_owned();
    }
    if let Some(any) = schema["anyOf"].as_array().or(schema["oneOf"].as_array()) {
        return any.iter().map(kind).collect::<Vec<_>>().join(" or ");
    }
    match (&schema["const"], &schema["type"]) {
        (Value::String(constant), _) => format!("\"{constant}\""),
        (_, Value::Array(types)) => {
            types.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or ")
        }
        (_, Value::String(name)) if name == "array" => {
            format!("list of {}", kind(&schema["items"]))
        }
        (_, Value::String(name)) => name.clone(),
        _ => String::new(),
    }
}
