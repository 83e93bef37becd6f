//! Certificates: PEM files, read at start and again on SIGHUP.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use tokio_rustls::TlsAcceptor;

/// Why a certificate and its key are of no use.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The chain cannot be read.
    #[error("the certificate {0} cannot be read as PEM")]
    Certificate(PathBuf, #[source] pem::Error),
    /// The file holds no certificate.
    #[error("{0} holds no certificate")]
    NoCertificate(PathBuf),
    /// The key cannot be read.
    #[error("the key {0} cannot be read as PEM")]
    Key(PathBuf, #[source] pem::Error),
    /// The two do not fit, or the key is of an unknown kind.
    #[error("the certificate and the key cannot be used together")]
    Unusable(#[source] rustls::Error),
}

/// Makes aws-lc-rs the process's provider of cryptography. Later calls do nothing.
pub fn install_crypto_provider() {
    // An error only says that a provider is there already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// A certificate on disk and what was last read of it.
pub struct TlsFiles {
    cert: PathBuf,
    key: PathBuf,
    current: RwLock<Arc<ServerConfig>>,
}

impl TlsFiles {
    /// Reads the certificate chain and its key.
    pub fn open(cert: &Path, key: &Path) -> Result<Self, TlsError> {
        let current = RwLock::new(Arc::new(read(cert, key)?));
        Ok(Self { cert: cert.into(), key: key.into(), current })
    }

    /// Reads both again; new connections use them. An error leaves the old ones in use.
    pub fn reload(&self) -> Result<(), TlsError> {
        let new = Arc::new(read(&self.cert, &self.key)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    /// An acceptor with the certificate as last read.
    pub fn acceptor(&self) -> TlsAcceptor {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        TlsAcceptor::from(Arc::clone(&current))
    }
}

impl std::fmt::Debug for TlsFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TlsFiles({})", self.cert.display())
    }
}

fn read(cert: &Path, key: &Path) -> Result<ServerConfig, TlsError> {
    let wrong_cert = |error| TlsError::Certificate(cert.into(), error);
    let chain = CertificateDer::pem_file_iter(cert)
        .map_err(wrong_cert)?
        .collect::<Result<Vec<_>, _>>()
        .map_err(wrong_cert)?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate(cert.into()));
    }
    let key =
        PrivateKeyDer::from_pem_file(key).map_err(|error| TlsError::Key(key.into(), error))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Unusable)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(TlsError::Unusable)?;
    // WebSockets need HTTP/1.1; nothing else is spoken here.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, name: &str) -> (PathBuf, PathBuf) {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let (cert, key) = (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key")));
        std::fs::write(&cert, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        (cert, key)
    }

    #[test]
    fn a_pair_is_read_and_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let (cert, key) = write(folder.path(), "a");
        let files = TlsFiles::open(&cert, &key).unwrap();
        files.reload().unwrap();
        std::fs::write(&cert, "nothing").unwrap();
        assert!(files.reload().is_err());
        files.acceptor();
    }

    #[test]
    fn wrong_files_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let (cert, key) = write(folder.path(), "a");
        let (_, other) = write(folder.path(), "b");
        let nowhere = folder.path().join("nowhere");
        let open = |cert: &Path, key: &Path| TlsFiles::open(cert, key).unwrap_err();
        assert!(matches!(open(&nowhere, &key), TlsError::Certificate(..)));
        assert!(matches!(open(&key, &key), TlsError::NoCertificate(_)));
        assert!(matches!(open(&cert, &nowhere), TlsError::Key(..)));
        assert!(matches!(open(&cert, &cert), TlsError::Key(..)));
        assert!(matches!(open(&cert, &other), TlsError::Unusable(_)));
    }
}
