//! What must hold of the house itself.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

fn metadata() -> Metadata {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    MetadataCommand::new().manifest_path(manifest).exec().expect("cargo knows the workspace")
}

/// For each room, the rooms that it may know. What is not here may know nobody.
fn allowed() -> BTreeMap<&'static str, &'static [&'static str]> {
    const SERVICE: &[&str] = &["schemas", "domain", "ports", "http"];
    BTreeMap::from([
        ("schemas", &[] as &[&str]),
        ("domain", &["schemas"]),
        ("ports", &["schemas", "domain"]),
        ("http", &["schemas", "domain", "ports"]),
        ("adapters", &["schemas", "domain", "ports"]),
        ("projectors", &["schemas", "domain", "ports"]),
        ("command-api", SERVICE),
        ("query-api", SERVICE),
        ("gateway", SERVICE),
        (
            "server",
            &[
                "schemas",
                "domain",
                "ports",
                "http",
                "adapters",
                "projectors",
                "command-api",
                "query-api",
                "gateway",
            ],
        ),
        (
            "tests",
            &["schemas", "domain", "ports", "adapters", "projectors", "command-api", "server"],
        ),
        ("bench", &["tests"]),
    ])
}

#[test]
fn dependencies_point_one_way() {
    let metadata = metadata();
    let allowed = allowed();
    let members = metadata.workspace_packages();
    assert_eq!(members.len(), allowed.len(), "a new room has its place in this table");
    for package in members {
        let room = package.name.strip_prefix("verbatim-").expect("packages are verbatim-<folder>");
        let folder = package.manifest_path.parent().and_then(|path| path.file_name());
        assert_eq!(folder, Some(room), "a package is named after its folder");
        for dependency in &package.dependencies {
            let Some(other) = dependency.name.strip_prefix("verbatim-") else { continue };
            let own_tests = dependency.kind == DependencyKind::Development && other == room;
            assert!(
                own_tests || allowed[room].contains(&other),
                "{room} must not depend on {other}: see docs/ARCHITECTURE.md"
            );
        }
    }
}

/// Pure means: no runtime, no I/O, no clock among the rule's dependencies.
#[test]
fn the_rule_is_pure() {
    let metadata = metadata();
    let domain = metadata.packages.iter().find(|package| package.name == "verbatim-domain");
    let known: BTreeSet<&str> =
        ["verbatim-schemas", "base64", "blake3", "serde", "serde_json", "thiserror", "uuid"].into();
    for dependency in &domain.unwrap().dependencies {
        if dependency.kind == DependencyKind::Normal {
            assert!(known.contains(dependency.name.as_str()), "{}", dependency.name);
        }
    }
}

/// Whether an SPDX expression can be satisfied with licences that go with Apache-2.0.
fn licence_fits(expression: &str) -> bool {
    const FIT: &[&str] = &[
        "Apache-2.0",
        "Apache-2.0 WITH LLVM-exception",
        "MIT",
        "MIT-0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "ISC",
        "0BSD",
        "BSL-1.0",
        "CC0-1.0",
        "Unlicense",
        "Zlib",
        "Unicode-3.0",
        "OpenSSL",
        "CDLA-Permissive-2.0",
    ];
    let expression = expression.replace('/', " OR ").replace(['(', ')'], " ");
    // Parentheses around a choice within a conjunction are rare; taking every conjunct as one that
    // needs a fitting choice is exact for them.
    expression
        .split(" AND ")
        .all(|conjunct| conjunct.split(" OR ").any(|licence| FIT.contains(&licence.trim())))
}

#[test]
fn licences_fit() {
    for package in metadata().packages {
        let licence = package.license.clone().unwrap_or_default();
        assert!(licence_fits(&licence), "{} {}: {licence:?}", package.name, package.version);
    }
}

#[test]
fn the_licence_check_can_fail() {
    for unfit in ["GPL-3.0", "MIT AND GPL-2.0", "", "SSPL-1.0"] {
        assert!(!licence_fits(unfit), "{unfit}");
    }
    assert!(licence_fits("(MIT OR Apache-2.0) AND Unicode-3.0"));
}
