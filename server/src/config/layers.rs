//! Flags over environment over file over defaults, each value with the name of its source.

use std::collections::BTreeMap;

use super::error::{ConfigError, quoted};
use super::given::Given;
use super::kinds::Kind;
use super::setting::env_name;

/// The prefix of all environment settings.
pub const ENV_PREFIX: &str = "VERBATIM_";

/// The prefix of what only test builds read; nobody's settings.
const ENV_TEST_PREFIX: &str = "VERBATIM_TEST_";

/// The environment variable that names the file.
pub const ENV_CONFIG: &str = "VERBATIM_CONFIG";

/// The key of further issuers, in the file only.
pub const ISSUERS_KEY: &str = "auth.issuers";

/// What the user gave, from the strongest to the weakest.
#[derive(Clone, Default)]
pub struct Layers {
    flags: BTreeMap<&'static str, Given>,
    env: BTreeMap<String, Given>,
    file: BTreeMap<String, toml::Value>,
    file_name: String,
}

// The raw layers hold secrets.
impl std::fmt::Debug for Layers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Layers(…)")
    }
}

impl Layers {
    /// Sets a flag's value under its key; the flag's name is `--key`.
    pub fn set_flag(&mut self, key: &'static str, value: impl Into<String>) {
        self.flags.insert(key, Given::Text(value.into()));
    }

    /// Takes the environment over: only `VERBATIM_*`, and refuses names that are no setting.
    /// An empty value counts as unset.
    pub fn set_env(
        &mut self,
        vars: impl Iterator<Item = (String, String)>,
        known: &[&'static str],
    ) -> Result<(), ConfigError> {
        let names: Vec<String> = known.iter().map(|key| env_name(key)).collect();
        for (name, value) in vars {
            let is_ours = name.starts_with(ENV_PREFIX) && !name.starts_with(ENV_TEST_PREFIX);
            if !is_ours || name == ENV_CONFIG || is_service_link(&name) {
                continue;
            }
            if !names.contains(&name) {
                return Err(unknown(&name, &name, &names));
            }
            if !value.trim().is_empty() {
                self.env.insert(name, Given::Text(value));
            }
        }
        Ok(())
    }

    /// Takes a TOML file over; refuses keys that are no setting.
    pub fn set_file(
        &mut self,
        file_name: &str,
        text: &str,
        known: &[&'static str],
    ) -> Result<(), ConfigError> {
        file_name.clone_into(&mut self.file_name);
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            let line = error.span().map_or(1, |span| {
                text.get(..span.start).unwrap_or_default().matches('\n').count() + 1
            });
            let problem = format!("it is not TOML ({})", error.message().replace('\n', ", "));
            ConfigError::new(format!("{file_name}:{line}"), problem, "see https://toml.io")
        })?;
        let mut names: Vec<String> = known.iter().map(|key| (*key).to_owned()).collect();
        names.push(ISSUERS_KEY.to_owned());
        flatten(String::new(), table, &names, &mut self.file);
        let stranger = self.file.keys().find(|key| !names.contains(key));
        match stranger {
            Some(key) => Err(unknown(&format!("{file_name}:{key}"), key, &names)),
            None => Ok(()),
        }
    }

    /// The typed value of a setting.
    pub fn get<K: Kind>(
        &self,
        key: &'static str,
        kind: &K,
        default: &str,
    ) -> Result<K::Value, ConfigError> {
        let given = self.given(key).unwrap_or_else(|| Given::Text(default.to_owned()));
        kind.parse(&given).map_err(|problem| {
            ConfigError::new(self.name_of(key), problem, format!("allowed is {}", kind.allowed()))
        })
    }

    fn given(&self, key: &'static str) -> Option<Given> {
        let flag = self.flags.get(key).cloned();
        flag.or_else(|| self.env.get(&env_name(key)).cloned())
            .or_else(|| self.file.get(key).map(Given::from_toml))
    }

    /// Whether the user gave the setting anywhere.
    pub fn is_given(&self, key: &'static str) -> bool {
        self.given(key).is_some()
    }

    /// The setting's name as the user wrote it; its key where nobody did.
    pub fn name_of(&self, key: &'static str) -> String {
        if self.flags.contains_key(key) {
            format!("--{key}")
        } else if self.env.contains_key(&env_name(key)) {
            env_name(key)
        } else if self.file.contains_key(key) {
            format!("{}:{key}", self.file_name)
        } else {
            key.to_owned()
        }
    }

    /// The file's further issuers as TOML, with the name of the place.
    pub fn issuers(&self) -> Option<(String, &toml::Value)> {
        let value = self.file.get(ISSUERS_KEY)?;
        Some((format!("{}:{ISSUERS_KEY}", self.file_name), value))
    }
}

/// Kubernetes sets `VERBATIM_PORT`, `VERBATIM_SERVICE_HOST` and the like in every pod beside a
/// service that is called "verbatim". They are nobody's settings.
fn is_service_link(name: &str) -> bool {
    let rest = name.strip_prefix(ENV_PREFIX).unwrap_or_default();
    rest == "PORT" || rest.starts_with("PORT_") || rest.starts_with("SERVICE_")
}

/// Turns tables into dotted keys, down to the known ones. The parser has bounded the depth.
fn flatten(
    prefix: String,
    table: toml::Table,
    names: &[String],
    into: &mut BTreeMap<String, toml::Value>,
) {
    for (name, value) in table {
        let key = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
        match value {
            toml::Value::Table(inner) if !names.contains(&key) && !inner.is_empty() => {
                flatten(key, inner, names, into);
            }
            // An empty section says nothing.
            toml::Value::Table(inner)
                if inner.is_empty()
                    && names.iter().any(|name| name.starts_with(&format!("{key}."))) => {}
            value => {
                into.insert(key, value);
            }
        }
    }
}

fn unknown(setting: &str, name: &str, names: &[String]) -> ConfigError {
    let nearest = names.iter().min_by_key(|known| distance(name, known));
    let hint = match nearest {
        Some(nearest) if distance(name, nearest) <= 3 => format!("did you mean {nearest}?"),
        _ => "`verbatim config` lists them all".to_owned(),
    };
    // The name is the user's own text: it is shown, but bounded and without control characters.
    let shown = quoted(setting);
    ConfigError::new(shown.trim_matches('"'), "there is no such setting", hint)
}

/// The edit distance of two short names; long ones are cut.
fn distance(left: &str, right: &str) -> usize {
    const NAME_CHARS: usize = 64;
    let right: Vec<char> = right.chars().take(NAME_CHARS).collect();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (line, a) in left.chars().take(NAME_CHARS).enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, b) in right.iter().enumerate() {
            let substitution = diagonal + usize::from(a != *b);
            diagonal = row[column + 1];
            row[column + 1] = substitution.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[right.len()]
}

#[cfg(test)]
mod tests {
    use super::super::kinds::Count;
    use super::*;

    const KNOWN: &[&str] = &["listen", "http.count", "auth.secret"];

    fn env(layers: &mut Layers, pairs: &[(&str, &str)]) -> Result<(), ConfigError> {
        let pairs = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        layers.set_env(pairs, KNOWN)
    }

    fn count(layers: &Layers) -> Result<u32, ConfigError> {
        layers.get("http.count", &Count(1, 10), "4")
    }

    #[test]
    fn the_stronger_layer_wins() {
        let mut layers = Layers::default();
        assert_eq!(count(&layers), Ok(4));
        layers.set_file("v.toml", "[http]\ncount = 5\n", KNOWN).unwrap();
        assert_eq!(count(&layers), Ok(5));
        env(&mut layers, &[("VERBATIM_HTTP_COUNT", "6"), ("OTHER", "x")]).unwrap();
        assert_eq!(count(&layers), Ok(6));
        layers.set_flag("http.count", "7");
        assert_eq!(count(&layers), Ok(7));
    }

    #[test]
    fn errors_name_the_setting_as_the_user_did() {
        let mut layers = Layers::default();
        layers.set_file("v.toml", "[http]\ncount = 50\n", KNOWN).unwrap();
        assert_eq!(
            count(&layers).unwrap_err().to_string(),
            "v.toml:http.count: 50 is too large; allowed is a whole number from 1 to 10"
        );
        env(&mut layers, &[("VERBATIM_HTTP_COUNT", "many")]).unwrap();
        assert_eq!(
            count(&layers).unwrap_err().to_string(),
            "VERBATIM_HTTP_COUNT: \"many\" is not a whole number; \
             allowed is a whole number from 1 to 10"
        );
        layers.set_flag("http.count", "0");
        assert!(count(&layers).unwrap_err().to_string().starts_with("--http.count: "));
    }

    #[test]
    fn unknown_names_are_refused_with_a_hint() {
        let mut layers = Layers::default();
        let error = env(&mut layers, &[("VERBATIM_HTTP_COUMT", "1")]).unwrap_err().to_string();
        assert_eq!(
            error,
            "VERBATIM_HTTP_COUMT: there is no such setting; did you mean VERBATIM_HTTP_COUNT?"
        );
        for (text, name) in [
            ("[http]\ncuont = 1", "v.toml:http.cuont"),
            ("nonsense = 1", "v.toml:nonsense"),
            ("[nonsense]\n", "v.toml:nonsense"),
            ("[http.count]\nx = 1", ""),
            ("[http.more]\ncount = 1", "v.toml:http.more.count"),
        ] {
            let mut layers = Layers::default();
            let outcome = layers.set_file("v.toml", text, KNOWN);
            if name.is_empty() {
                outcome.unwrap();
                assert!(count(&layers).unwrap_err().problem.contains("a table"));
            } else {
                assert_eq!(outcome.unwrap_err().setting, name);
            }
        }
    }

    #[test]
    fn empty_sections_and_service_links_are_nothing() {
        let mut layers = Layers::default();
        layers.set_file("v.toml", "[http]\n", KNOWN).unwrap();
        env(
            &mut layers,
            &[
                ("VERBATIM_PORT", "tcp://10.0.0.1:80"),
                ("VERBATIM_SERVICE_HOST", "10.0.0.1"),
                ("VERBATIM_TEST_X", "1"),
            ],
        )
        .unwrap();
        env(&mut layers, &[("VERBATIM_AUTH_SECRET", " ")]).unwrap();
        assert!(!layers.is_given("auth.secret"));
    }

    #[test]
    fn broken_toml_names_its_line() {
        let error = Layers::default().set_file("v.toml", "listen = 1\n[http\n", KNOWN).unwrap_err();
        assert!(error.setting == "v.toml:2", "{error}");
        assert!(!error.to_string().contains('\n'), "{error}");
    }

    #[test]
    fn debug_shows_no_value() {
        let mut layers = Layers::default();
        env(&mut layers, &[("VERBATIM_AUTH_SECRET", "hunter2hunter2")]).unwrap();
        layers.set_file("v.toml", "[auth]\nsecret = \"hunter2hunter2\"", KNOWN).unwrap();
        assert!(!format!("{layers:?}").contains("hunter2"));
    }
}
