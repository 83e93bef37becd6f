//! Golden files: what is published never changes.
//!
//! `golden/v1/*.json` holds one record, frame or body of each kind, byte for byte; each is read and
//! written again. `golden/schemas/*.json` holds the JSON Schemas, `docs/api/` the documents. A file
//! that must not change any more fails here; additions are written with `UPDATE_GOLDEN=1`.

mod bodies;
mod frames;
mod records;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::documents::{asyncapi, openapi, published};

/// A golden text, and how it is read and written again.
pub(crate) struct Golden {
    name: String,
    text: String,
    again: fn(&str) -> String,
}

impl Golden {
    fn new(name: impl Into<String>, text: String, again: fn(&str) -> String) -> Self {
        Self { name: name.into(), text, again }
    }
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn updating() -> bool {
    std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1")
}

/// The texts of a folder's files by name without ending, after an update when that is asked for.
fn files(folder: &Path, current: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    if updating() {
        fs::create_dir_all(folder).unwrap();
        for (name, text) in current {
            fs::write(folder.join(format!("{name}.json")), format!("{text}\n")).unwrap();
        }
    }
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let text = fs::read_to_string(&path).unwrap();
            (name, text.strip_suffix('\n').unwrap().to_owned())
        })
        .collect()
}

fn goldens() -> Vec<Golden> {
    [records::goldens(), frames::goldens(), bodies::goldens()].into_iter().flatten().collect()
}

#[test]
fn what_was_published_is_read_and_written_as_ever() {
    let goldens = goldens();
    let current: BTreeMap<_, _> =
        goldens.iter().map(|golden| (golden.name.clone(), golden.text.clone())).collect();
    assert_eq!(current.len(), goldens.len(), "two golden files of one name");
    let files = files(&folder("golden/v1"), &current);
    for golden in &goldens {
        let file = files.get(&golden.name).unwrap_or_else(|| panic!("no golden {}", golden.name));
        assert_eq!(&golden.text, file, "{} is written differently", golden.name);
        assert_eq!(&(golden.again)(file), file, "{} is read differently", golden.name);
    }
    let (files, current) = (names(&files), names(&current));
    assert_eq!(files, current, "a golden file that nothing reads any more");
}

#[test]
fn published_schemas_do_not_change() {
    let schemas: BTreeMap<String, Value> = published();
    let current = schemas.iter().map(|(name, schema)| (name.clone(), format!("{schema:#}")));
    let current: BTreeMap<String, String> = current.collect();
    let files = files(&folder("golden/schemas"), &current);
    for (name, schema) in &schemas {
        let file = files.get(name).unwrap_or_else(|| panic!("no golden schema {name}"));
        // Compared as values: the order of keys means nothing.
        let file: Value = serde_json::from_str(file).unwrap();
        assert_eq!(&file, schema, "the schema of {name} changed: add a new version beside it");
    }
    assert_eq!(names(&files), names(&current), "a published schema is gone");
}

#[test]
fn the_checked_in_documents_are_current() {
    let documents = BTreeMap::from([("openapi", openapi()), ("asyncapi", asyncapi())]);
    let current: BTreeMap<String, String> =
        documents.iter().map(|(name, value)| ((*name).to_owned(), format!("{value:#}"))).collect();
    let files = files(&folder("../docs/api"), &current);
    for (name, document) in documents {
        let file: Value = serde_json::from_str(&files[name]).unwrap();
        assert_eq!(
            file, document,
            "docs/api/{name}.json is not current: UPDATE_GOLDEN=1 writes it"
        );
    }
}

fn names(texts: &BTreeMap<String, String>) -> BTreeSet<&String> {
    texts.keys().collect()
}
