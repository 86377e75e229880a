//! Keys and certificates: whether they are there, are what they should be, and are for nobody else's eyes.

use std::path::Path;

use vouchsafe_service::keys::{Ed25519Key, SigningKey};
use vouchsafe_service::listen::Identity;
use vouchsafe_service::secret::ServerKey;

use super::installation::{Holds, Installation, Secret};
use super::{Finding, Whose};
use crate::district::is_development;

/// Permissions of anybody but the owner's group.
const OTHERS: u32 = 0o007;
/// What a group may not do with a key.
const GROUP_WRITES: u32 = 0o020;

pub(super) fn examine(installation: &Installation) -> Vec<Finding> {
    let listener = installation.listener.as_deref();
    let secrets = installation.secrets.iter().map(|secret| of_secret(secret, listener));
    secrets.chain(installation.chains.iter().map(|(setting, chain)| of_chain(setting, chain))).collect()
}

fn of_secret(secret: &Secret, listener: Option<&Path>) -> Finding {
    let (name, path) = (&secret.setting, secret.file.path().display());
    let fault = |found: String, remedy: String| Finding::fault("keys", Whose::Operator, found, remedy);
    let text = match secret.file.read() {
        Ok(text) => text,
        Err(error) => {
            let remedy =
                format!("put the file there, readable by the user that runs the program alone ({name})");
            return fault(error.to_string(), remedy);
        }
    };
    if let Some(mode) = mode_of(secret.file.path()).filter(|mode| mode & (OTHERS | GROUP_WRITES) != 0) {
        let found = format!("{path} is open to others (mode {:04o}): {name} is no secret", mode & 0o7777);
        return fault(found, format!("chmod 600 {path}, and replace the key if somebody may have read it"));
    }
    let wrong = match secret.holds {
        Holds::SigningKey => SigningKey::from_pkcs8_pem(&text).err().map(|error| error.to_string()),
        Holds::LogKey => Ed25519Key::from_pkcs8_pem(&text).err().map(|error| error.to_string()),
        Holds::ServerKey => ServerKey::from_text(&text).err().map(|error| error.to_string()),
        Holds::ListenerKey => listener.and_then(|chain| {
            Identity::from_files(chain, secret.file.clone()).err().map(|error| error.to_string())
        }),
        Holds::Text => text.is_empty().then(|| "it is empty".to_owned()),
    };
    match wrong {
        Some(wrong) => {
            fault(format!("{path}: {wrong}"), format!("name the right file in {name}, or make it anew"))
        }
        None => Finding::ok("keys", format_args!("{name} can be read, by nobody else")),
    }
}

/// The permissions of the file that a path leads to; none where the system has none.
fn mode_of(path: &Path) -> Option<u32> {
    #[cfg(unix)]
    return std::fs::metadata(path)
        .ok()
        .map(|found| std::os::unix::fs::PermissionsExt::mode(&found.permissions()));
    #[cfg(not(unix))]
    {
        let _ = path;
        None
    }
}

fn of_chain(setting: &str, chain: &Path) -> Finding {
    let fault = |found: String, remedy: &str| Finding::fault("certificates", Whose::Operator, found, remedy);
    let path = chain.display();
    match std::fs::read(chain) {
        Err(error) => fault(
            format!("{path} cannot be read: {}", error.kind()),
            &format!("put the certificates there, leaf first, PEM ({setting})"),
        ),
        Ok(pem) if is_development(&pem) => fault(
            format!("{path} is a development certificate: serve refuses it"),
            "have your own authority certify the key",
        ),
        Ok(_) => Finding::ok("certificates", format_args!("{setting} can be read")),
    }
}
