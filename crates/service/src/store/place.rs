//! Where a database is, as a configuration says it: the path of a file, or the table of a server.

use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};

use crate::config::SecretFile;

/// The key `database` of a configuration.
///
/// ```
/// use vouchsafe_service::store::Place;
///
/// #[derive(serde::Deserialize)]
/// struct Config {
///     database: Place,
/// }
/// let file: Config = vouchsafe_service::config::parse("database = 'issuer.sqlite'", []).unwrap();
/// assert!(matches!(file.database, Place::File(_)));
/// let text = "[database]\nhost = '/run/postgresql'\nname = 'issuer'\nuser = 'issuer'";
/// let server: Config = vouchsafe_service::config::parse(text, []).unwrap();
/// assert!(matches!(server.database, Place::Server(_)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// `database = "PATH"`: a SQLite file.
    File(PathBuf),
    /// `[database]`: a PostgreSQL server.
    Server(Server),
}

/// The table `[database]`. No part of it is a secret, so that it can be printed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// The name of the host, reached over TLS, or the folder of a Unix socket, which begins with `/`.
    pub host: String,
    /// The port.
    #[serde(default = "port")]
    pub port: u16,
    /// The database.
    pub name: String,
    /// Whom to connect as.
    pub user: String,
    /// The user's password, where the server asks for one.
    #[serde(default)]
    pub password: Option<SecretFile>,
    /// The authorities that may vouch for the host, PEM. Needed for a host, and of no use for a socket.
    #[serde(default)]
    pub root_certificate: Option<PathBuf>,
}

fn port() -> u16 {
    5432
}

impl<'de> Deserialize<'de> for Place {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PathOrTable)
    }
}

/// Told apart by form, so that a fault in the table is named as one.
struct PathOrTable;

impl<'de> Visitor<'de> for PathOrTable {
    type Value = Place;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the path of a SQLite file, or a table with host, name and user of a PostgreSQL server")
    }

    fn visit_str<E>(self, path: &str) -> Result<Place, E> {
        Ok(Place::File(path.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Place, A::Error> {
        Server::deserialize(MapAccessDeserializer::new(map)).map(Place::Server)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use super::*;
    use crate::config::{ConfigError, parse};

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Config {
        database: Place,
    }

    #[test]
    fn a_server_is_a_table_and_its_password_a_file() {
        let text = "[database]\nhost = 'db.example'\nname = 'issuer'\nuser = 'issuer'\npassword = 'keys/db'\nroot_certificate = 'keys/db-ca.pem'";
        let config: Config = parse(text, []).unwrap();
        let Place::Server(server) = &config.database else { panic!("{config:?}") };
        assert_eq!((server.host.as_str(), server.port), ("db.example", 5432));
        assert!(format!("{config:?}").contains("SecretFile(keys/db)"));
        let port = ("VOUCHSAFE__DATABASE__PORT".to_owned(), "6432".to_owned());
        let config: Config = parse(text, [port]).unwrap();
        assert!(matches!(config.database, Place::Server(Server { port: 6432, .. })));
    }

    #[test]
    fn faults_of_the_table_are_named() {
        for (text, word) in [
            ("[database]\nname = 'issuer'\nuser = 'issuer'", "host"),
            ("[database]\nhost = 'h'\nname = 'n'\nuser = 'u'\nsslmode = 'disable'", "sslmode"),
            ("database = 7", "PostgreSQL server"),
        ] {
            let Err(ConfigError::Shape(said)) = parse::<Config>(text, []) else { panic!("{text}") };
            assert!(said.contains(word), "{said}");
        }
    }
}
