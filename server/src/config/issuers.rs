//! The issuers whose tokens are taken: the one of the `auth.*` settings and those of the file.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::error::ConfigError;
use super::given::Given;
use super::groups::AuthSettings;
use super::kinds::{Kind, List, OneOf, Path as PathKind, SharedSecret, Text};
use super::kinds_net::{Algorithm, KEY_SET_ALGORITHM_WORDS, KeySetUrl};
use super::layers::Layers;
use super::secret::Secret;

/// The most issuers.
pub const MAX_ISSUERS: usize = 64;

/// Where an issuer's keys come from.
#[derive(Debug, Clone, PartialEq)]
pub enum KeySource {
    /// A shared secret: HS256.
    Secret(Secret),
    /// A JWK set in a file.
    File(PathBuf),
    /// A JWK set at a configured URL.
    Url(reqwest::Url),
}

/// One issuer of tokens.
#[derive(Debug, Clone, PartialEq)]
pub struct IssuerSettings {
    /// What a token's `iss` must be; `None`: any token that names no other configured issuer.
    pub issuer: Option<String>,
    /// What a token's `aud` must hold one of; empty: not checked.
    pub audience: Vec<String>,
    /// The algorithms, and no other ones.
    pub algorithms: Vec<Algorithm>,
    /// The keys.
    pub keys: KeySource,
}

/// Everything an issuer may be given, before it is known to fit together.
#[derive(Default)]
struct Parts {
    issuer: Option<String>,
    audience: Vec<String>,
    algorithms: Option<Vec<Algorithm>>,
    secret: Option<Secret>,
    secret_file: Option<PathBuf>,
    jwks_file: Option<PathBuf>,
    jwks_url: Option<reqwest::Url>,
}

const ONE_KEY: &str = "set exactly one of secret, secret_file, jwks_file and jwks_url";

impl Parts {
    fn build(self, place: &str) -> Result<Option<IssuerSettings>, ConfigError> {
        let secret = match self.secret_file {
            Some(path) => Some(read_secret(&path, place)?),
            None => None,
        };
        let mut sources: Vec<KeySource> = self.secret.into_iter().map(KeySource::Secret).collect();
        sources.extend(secret.map(KeySource::Secret));
        sources.extend(self.jwks_file.map(KeySource::File));
        sources.extend(self.jwks_url.map(KeySource::Url));
        if sources.len() > 1 {
            let problem = format!("it has {} sources of keys", sources.len());
            return Err(ConfigError::new(place, problem, ONE_KEY));
        }
        let Some(keys) = sources.pop() else {
            return Ok(None);
        };
        let algorithms = match (&keys, self.algorithms) {
            (KeySource::Secret(_), None) => vec![Algorithm::Hs256],
            (KeySource::Secret(_), Some(_)) => {
                return Err(ConfigError::new(
                    format!("{place}.algorithms"),
                    "a shared secret is for HS256 alone",
                    "leave it out, or use a JWK set",
                ));
            }
            (_, Some(algorithms)) if algorithms.is_empty() => {
                return Err(ConfigError::new(
                    format!("{place}.algorithms"),
                    "it is empty",
                    "allowed is a list of ES256, RS256 and EdDSA",
                ));
            }
            (_, Some(algorithms)) => algorithms,
            (_, None) => vec![Algorithm::Es256, Algorithm::Rs256, Algorithm::EdDsa],
        };
        Ok(Some(IssuerSettings { issuer: self.issuer, audience: self.audience, algorithms, keys }))
    }
}

/// All configured issuers; at most one of them is without a name.
pub fn issuers(auth: &AuthSettings, layers: &Layers) -> Result<Vec<IssuerSettings>, ConfigError> {
    let parts = Parts {
        issuer: auth.issuer.clone(),
        audience: auth.audience.clone(),
        algorithms: layers.is_given("auth.algorithms").then(|| auth.algorithms.clone()),
        secret: auth.secret.clone(),
        secret_file: auth.secret_file.clone(),
        jwks_file: auth.jwks_file.clone(),
        jwks_url: auth.jwks_url.clone(),
    };
    let mut all: Vec<IssuerSettings> = parts.build("auth")?.into_iter().collect();
    if let Some((place, value)) = layers.issuers() {
        for (index, entry) in tables(value, &place)?.into_iter().enumerate() {
            all.push(from_table(entry, &format!("{place}[{index}]"))?);
        }
    }
    for (index, issuer) in all.iter().enumerate() {
        if all[..index].iter().any(|other| other.issuer == issuer.issuer) {
            let name = issuer.issuer.as_deref().unwrap_or("(unset)");
            let problem = format!("two issuers have the name {name:?}");
            return Err(ConfigError::new("auth.issuer", problem, "give each one its own"));
        }
    }
    Ok(all)
}

fn tables<'a>(value: &'a toml::Value, place: &str) -> Result<Vec<&'a toml::Table>, ConfigError> {
    let tables = value
        .as_array()
        .and_then(|items| items.iter().map(toml::Value::as_table).collect::<Option<Vec<_>>>());
    match tables {
        Some(tables) if tables.len() <= MAX_ISSUERS => Ok(tables),
        Some(tables) => Err(ConfigError::new(
            place,
            format!("there are {} issuers", tables.len()),
            format!("allowed are at most {MAX_ISSUERS}"),
        )),
        None => Err(ConfigError::new(
            place,
            "it is no array of tables",
            "write [[auth.issuers]] and one setting a line",
        )),
    }
}

fn from_table(table: &toml::Table, place: &str) -> Result<IssuerSettings, ConfigError> {
    let mut parts = Parts::default();
    for (name, value) in table {
        let key = format!("{place}.{name}");
        match name.as_str() {
            "issuer" => parts.issuer = Some(parse(&key, value, &Text("a text"))?),
            "audience" => parts.audience = parse(&key, value, &List(Text("a text")))?,
            "algorithms" => {
                let kind = List(OneOf(KEY_SET_ALGORITHM_WORDS));
                parts.algorithms = Some(parse(&key, value, &kind)?);
            }
            "secret" => parts.secret = Some(parse(&key, value, &SharedSecret)?),
            "secret_file" => parts.secret_file = Some(parse(&key, value, &PathKind("a file"))?),
            "jwks_file" => parts.jwks_file = Some(parse(&key, value, &PathKind("a file"))?),
            "jwks_url" => parts.jwks_url = Some(parse(&key, value, &KeySetUrl)?),
            _ => {
                return Err(ConfigError::new(
                    key,
                    "there is no such setting",
                    "allowed are issuer, audience, algorithms, secret, secret_file, jwks_file \
                     and jwks_url",
                ));
            }
        }
    }
    parts.build(place)?.ok_or_else(|| ConfigError::new(place, "it has no keys", ONE_KEY))
}

fn parse<K: Kind>(key: &str, value: &toml::Value, kind: &K) -> Result<K::Value, ConfigError> {
    kind.parse(&Given::from_toml(value))
        .map_err(|problem| ConfigError::new(key, problem, format!("allowed is {}", kind.allowed())))
}

fn read_secret(path: &Path, place: &str) -> Result<Secret, ConfigError> {
    let setting = format!("{place}.secret_file");
    let mut bytes = Vec::new();
    let limit = Secret::MAX_BYTES as u64 + 2;
    std::fs::File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes)).map_err(
        |error| {
            let problem = format!("{} cannot be read ({error})", path.display());
            ConfigError::new(&setting, problem, "name a file that the server may read")
        },
    )?;
    Secret::new(bytes.trim_ascii_end()).ok_or_else(|| {
        let problem = format!("the secret in {} is of the wrong length", path.display());
        ConfigError::new(setting, problem, format!("allowed is {}", SharedSecret.allowed()))
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Config, known_keys};
    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn read(text: &str) -> Result<Vec<IssuerSettings>, ConfigError> {
        let mut layers = Layers::default();
        layers.set_file("v.toml", text, &known_keys())?;
        Config::from_layers(layers).map(|config| config.issuers)
    }

    #[test]
    fn none_one_and_many() {
        assert_eq!(read("").unwrap(), []);
        let one = read(&format!("[auth]\nsecret = \"{SECRET}\"\nissuer = \"a\"")).unwrap();
        assert_eq!(one[0].algorithms, [Algorithm::Hs256]);
        let many = read(&format!(
            "[auth]\nsecret = \"{SECRET}\"\n\
             [[auth.issuers]]\nissuer = \"b\"\njwks_url = \"https://b.example/jwks\"\n\
             [[auth.issuers]]\nissuer = \"c\"\njwks_file = \"c.json\"\nalgorithms = [\"ES256\"]\n\
             audience = [\"chat\"]"
        ))
        .unwrap();
        assert_eq!(many.len(), 3);
        assert_eq!(many[1].algorithms.len(), 3);
        assert_eq!(many[2].algorithms, [Algorithm::Es256]);
    }

    #[test]
    fn what_does_not_fit_names_itself() {
        for (text, setting) in [
            (format!("[auth]\nsecret = \"{SECRET}\"\njwks_file = \"x\""), "auth"),
            (format!("[auth]\nsecret = \"{SECRET}\"\nalgorithms = [\"ES256\"]"), "auth.algorithms"),
            ("[auth]\nalgorithms = [\"HS256\"]".into(), "v.toml:auth.algorithms"),
            ("[auth]\nalgorithms = []\njwks_file = \"x\"".into(), "auth.algorithms"),
            ("[auth]\nsecret = \"short\"".into(), "v.toml:auth.secret"),
            ("[auth]\nissuers = 1".into(), "v.toml:auth.issuers"),
            ("[[auth.issuers]]\nissuer = \"a\"".into(), "v.toml:auth.issuers[0]"),
            ("[[auth.issuers]]\nkey = \"a\"".into(), "v.toml:auth.issuers[0].key"),
            (
                "[[auth.issuers]]\njwks_url = \"http://b.example/\"".into(),
                "v.toml:auth.issuers[0].jwks_url",
            ),
            (
                "[[auth.issuers]]\njwks_file = \"a\"\n[[auth.issuers]]\njwks_file = \"b\"".into(),
                "auth.issuer",
            ),
            ("[auth]\nsecret_file = \"/nowhere/secret\"".into(), "auth.secret_file"),
        ] {
            assert_eq!(read(&text).unwrap_err().setting, setting, "{text}");
        }
    }

    #[test]
    fn a_secret_file_is_trimmed_at_its_end() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), format!("{SECRET}\n")).unwrap();
        let all = read(&format!("[auth]\nsecret_file = {:?}", file.path())).unwrap();
        assert_eq!(all[0].keys, KeySource::Secret(Secret::new(SECRET.as_bytes()).unwrap()));
    }
}
