//! Development mode: a secret in the data folder, and tokens for whoever asks.

use std::io::{self, Read, Write};
use std::path::Path;
use std::time::Duration;

use jsonwebtoken::{EncodingKey, Header};
use serde::Serialize;
use verbatim_ports::clock::Entropy;
use verbatim_schemas::{DeviceId, Timestamp, UserId};

use crate::clock::SystemEntropy;
use crate::config::{Algorithm, IssuerSettings, KeySource, Secret};

/// The `iss` of development tokens.
pub const DEV_ISSUER: &str = "verbatim-dev";

/// How long a development token lasts.
pub const DEV_TOKEN_LIFE: Duration = Duration::from_secs(24 * 3600);

/// The secret's file in the data folder, readable by its owner alone.
const SECRET_FILE: &str = "dev-secret";

/// Random bytes in the secret; it is kept as twice as many hexadecimal digits.
const SECRET_BYTES: usize = 32;

/// Mints tokens in development mode.
#[derive(Debug, Clone)]
pub struct DevTokens {
    secret: Secret,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    device: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    roles: &'a [String],
    iat: u64,
    exp: u64,
}

impl DevTokens {
    /// Uses the secret in the data folder, and makes both when they are missing. So tokens
    /// survive a restart.
    pub fn open(data: &Path) -> io::Result<Self> {
        create_private_folder(data)?;
        let path = data.join(SECRET_FILE);
        let secret = match read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                create(data, &path)?;
                read(&path)?
            }
            outcome => outcome?,
        };
        Ok(Self { secret })
    }

    /// The issuer that takes these tokens.
    pub fn issuer(&self) -> IssuerSettings {
        IssuerSettings {
            issuer: Some(DEV_ISSUER.to_owned()),
            audience: Vec::new(),
            algorithms: vec![Algorithm::Hs256],
            keys: KeySource::Secret(self.secret.clone()),
        }
    }

    /// A token for a user from `now` on, and when it ends. Unknown roles have no effect.
    pub fn mint(
        &self,
        user: &UserId,
        device: &DeviceId,
        roles: &[String],
        now: Timestamp,
    ) -> Result<(String, Timestamp), jsonwebtoken::errors::Error> {
        let iat = now.as_millis() / 1000;
        let exp = iat + DEV_TOKEN_LIFE.as_secs();
        let claims = Claims {
            iss: DEV_ISSUER,
            sub: user.as_str(),
            device: device.as_str(),
            roles,
            iat,
            exp,
        };
        let key = EncodingKey::from_secret(self.secret.expose());
        let token = jsonwebtoken::encode(&Header::default(), &claims, &key)?;
        Ok((token, Timestamp::from_millis(exp * 1000)))
    }
}

fn create_private_folder(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

fn read(path: &Path) -> io::Result<Secret> {
    let mut bytes = Vec::new();
    let limit = Secret::MAX_BYTES as u64 + 2;
    std::fs::File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Secret::new(bytes.trim_ascii()).ok_or_else(|| {
        let problem = format!("{} holds no secret: delete it", path.display());
        io::Error::new(io::ErrorKind::InvalidData, problem)
    })
}

/// Writes the secret beside its place and links it there, so that nobody reads half of one and
/// of two processes that start at once the first one's stays.
fn create(data: &Path, path: &Path) -> io::Result<()> {
    let beside = data.join(format!("{SECRET_FILE}.{}", std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&beside)?;
    file.write_all(random_hex().as_bytes())?;
    file.sync_all()?;
    let linked = match std::fs::hard_link(&beside, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    };
    std::fs::remove_file(&beside)?;
    linked
}

fn random_hex() -> String {
    let mut bytes = [0; SECRET_BYTES];
    SystemEntropy.fill(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Verifier;
    use super::super::testing::auth_settings;
    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_millis(1_700_000_000_500)
    }

    #[tokio::test]
    async fn tokens_survive_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("new/data");
        let user: UserId = "alice".parse().unwrap();
        let device: DeviceId = "phone".parse().unwrap();
        let minter = DevTokens::open(&data).unwrap();
        let (token, ends) = minter.mint(&user, &device, &["auditor".to_owned()], now()).unwrap();
        assert_eq!(ends.as_millis(), (1_700_000_000 + 86_400) * 1000);

        let again = DevTokens::open(&data).unwrap();
        let verifier = Verifier::new(&[again.issuer()], &auth_settings()).unwrap();
        verifier.load().await.unwrap();
        let actor = verifier.verify(&token, now()).await.unwrap();
        assert_eq!((actor.user, actor.device), (user, device));
        assert_eq!(actor.expires_at, ends);
        assert!(actor.roles.auditor && !actor.roles.moderator);

        let other = DevTokens::open(&folder.path().join("other")).unwrap();
        assert!(other.secret != again.secret);
    }

    #[cfg(unix)]
    #[test]
    fn the_secret_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let minter = DevTokens::open(folder.path()).unwrap();
        let metadata = std::fs::metadata(folder.path().join(SECRET_FILE)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        let shown = format!("{minter:?} {:?}", minter.issuer());
        let secret = std::str::from_utf8(minter.secret.expose()).unwrap();
        assert!(!shown.contains(secret));
    }

    #[test]
    fn a_broken_secret_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(SECRET_FILE), "short").unwrap();
        assert!(DevTokens::open(folder.path()).is_err());
    }
}
