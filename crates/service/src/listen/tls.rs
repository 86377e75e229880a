//! Who the server is: a certificate chain and key, replaced while it runs.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use rustls::ServerConfig;
use rustls::crypto::ring::{default_provider, sign};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::ListenError;
use crate::config::SecretFile;
use crate::dev_ca::Leaf;

/// A certificate chain with its private key; from files, it follows them.
pub struct Identity {
    current: RwLock<Current>,
    files: Option<Files>,
}

struct Current {
    key: Arc<CertifiedKey>,
    stamp: Option<Stamp>,
}

struct Files {
    chain: PathBuf,
    key: SecretFile,
}

/// When both files were last written.
type Stamp = (SystemTime, SystemTime);

impl Identity {
    /// An identity in two PEM files: the chain, leaf first, and the key. They are read again when they change.
    ///
    /// # Errors
    /// [`ListenError::Certificate`].
    pub fn from_files(chain: impl Into<PathBuf>, key: SecretFile) -> Result<Self, ListenError> {
        let files = Files { chain: chain.into(), key };
        let current = Current { key: files.read()?, stamp: files.stamp() };
        Ok(Self { current: RwLock::new(current), files: Some(files) })
    }

    /// An identity in PEM texts.
    ///
    /// # Errors
    /// [`ListenError::Certificate`].
    pub fn from_pem(chain: &str, key: &str) -> Result<Self, ListenError> {
        Ok(Self { current: RwLock::new(Current { key: certified(chain, key)?, stamp: None }), files: None })
    }

    /// The identity of a development certificate.
    ///
    /// # Errors
    /// [`ListenError::Certificate`].
    pub fn from_leaf(leaf: &Leaf) -> Result<Self, ListenError> {
        Self::from_pem(&leaf.certificate_pem(), &leaf.key.to_pkcs8_pem())
    }

    /// Reads the files again if they changed. A pair that cannot be used is reported and the old one kept.
    pub fn reload(&self) {
        let Some(files) = &self.files else { return };
        let stamp = files.stamp();
        if stamp == self.current.read().unwrap_or_else(PoisonError::into_inner).stamp {
            return;
        }
        match files.read() {
            Ok(key) => {
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Current { key, stamp };
                tracing::info!("the listener's certificate was replaced");
            }
            // Between two writes the pair does not match; the next look finds it whole.
            Err(_) => tracing::error!("the listener's new certificate cannot be used; the old one stays"),
        }
    }
}

impl ResolvesServerCert for Identity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner).key))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity")
    }
}

impl Files {
    fn read(&self) -> Result<Arc<CertifiedKey>, ListenError> {
        let chain = std::fs::read_to_string(&self.chain).map_err(|_| ListenError::Certificate)?;
        certified(&chain, &self.key.read().map_err(|_| ListenError::Certificate)?)
    }

    fn stamp(&self) -> Option<Stamp> {
        let modified = |path: &Path| std::fs::metadata(path).and_then(|found| found.modified()).ok();
        Some((modified(&self.chain)?, modified(self.key.path())?))
    }
}

/// TLS 1.2 and 1.3 by `ring`, HTTP/1.1 only, no client certificates.
pub(super) fn server_config(identity: Arc<Identity>) -> Result<Arc<ServerConfig>, ListenError> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|_| ListenError::Certificate)?
        .with_no_client_auth()
        .with_cert_resolver(identity);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn certified(chain: &str, key: &str) -> Result<Arc<CertifiedKey>, ListenError> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(chain.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|_| ListenError::Certificate)?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| ListenError::Certificate)?;
    let key = sign::any_supported_type(&key).map_err(|_| ListenError::Certificate)?;
    let certified = CertifiedKey::new(chain, key);
    certified.keys_match().map_err(|_| ListenError::Certificate)?;
    Ok(Arc::new(certified))
}
