//! Configuration: a type for each section, a TOML file, and the environment on top.
//!
//! Precedence, lowest first: the defaults of the type, the file, the environment. `VOUCHSAFE__SECTION__KEY` sets the
//! key `key` of the table `[section]`; deeper tables take more parts. Secrets are never values: they are [`SecretFile`]s,
//! named by path, so a configuration can be printed. Every configuration struct carries
//! `#[serde(deny_unknown_fields)]`; a misspelt key, in the file or in the environment, is then refused.

use std::fmt;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

/// What the names of environment variables that are configuration keys begin with.
pub const ENV_PREFIX: &str = "VOUCHSAFE__";

/// The longest secret that a file may hold, in bytes.
const MAX_SECRET: u64 = 64 * 1024;

/// Why a configuration was refused. All of them are for the operator to mend.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the file {path} cannot be read: {kind}", path = path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        kind: std::io::ErrorKind,
    },
    /// A secret's file is longer than 64 KiB.
    #[error("the secret file {} is longer than 64 KiB", .0.display())]
    SecretTooLong(PathBuf),
    /// The file is not TOML.
    #[error("the configuration file is not valid TOML, at line {line}")]
    Syntax {
        /// Counted from 1.
        line: usize,
    },
    /// An environment variable names a key inside something that is not a table.
    #[error("{0} sets a key of something that is not a section")]
    Environment(String),
    /// A key is unknown, missing, or of the wrong type.
    #[error("the configuration does not fit: {0}")]
    Shape(String),
    /// A date or a fractional number stands where JSON is made of the file.
    #[error("{0} is a date or a fraction; write it as text")]
    NotJson(String),
}

/// A secret that lives in a file of its own and is read when it is needed.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct SecretFile(PathBuf);

impl SecretFile {
    /// A secret in the file at `path`.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Writes a secret to a file that did not exist, readable by its owner alone.
    ///
    /// # Errors
    /// [`ConfigError::File`] when the file exists already or cannot be written.
    pub fn create(path: impl Into<PathBuf>, secret: &str) -> Result<Self, ConfigError> {
        let path = path.into();
        create_private(&path)
            .and_then(|mut file| file.write_all(secret.as_bytes()))
            .map_err(|e| unreadable(&path, &e))?;
        Ok(Self(path))
    }

    /// Where the secret is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Reads the secret, without the line end that editors leave.
    ///
    /// # Errors
    /// [`ConfigError::File`] when it cannot be read as UTF-8, [`ConfigError::SecretTooLong`] over 64 KiB.
    pub fn read(&self) -> Result<Zeroizing<String>, ConfigError> {
        let length = std::fs::metadata(&self.0).map_err(|e| unreadable(&self.0, &e))?.len();
        if length > MAX_SECRET {
            return Err(ConfigError::SecretTooLong(self.0.clone()));
        }
        let mut text = Zeroizing::new(std::fs::read_to_string(&self.0).map_err(|e| unreadable(&self.0, &e))?);
        let kept = text.trim_end_matches(['\r', '\n']).len();
        text.truncate(kept);
        Ok(text)
    }
}

impl fmt::Debug for SecretFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretFile({})", self.0.display())
    }
}

/// Loads a configuration from the file at `path`, if one is given, with `env` on top.
///
/// `env` is usually [`environment`]. A variable's text is taken as a boolean, an integer, an array or a quoted string
/// where it is one in TOML, and as plain text otherwise.
///
/// # Errors
/// See [`ConfigError`].
pub fn load<T: DeserializeOwned>(
    path: Option<&Path>,
    env: impl IntoIterator<Item = (String, String)>,
) -> Result<T, ConfigError> {
    let text = path.map_or_else(
        || Ok(String::new()),
        |path| std::fs::read_to_string(path).map_err(|e| unreadable(path, &e)),
    )?;
    parse(&text, env)
}

/// As [`load`], from the file's text.
///
/// # Errors
/// See [`ConfigError`].
pub fn parse<T: DeserializeOwned>(
    text: &str,
    env: impl IntoIterator<Item = (String, String)>,
) -> Result<T, ConfigError> {
    let mut table: toml::Table = toml::from_str(text).map_err(|e| syntax(text, &e))?;
    for (name, value) in env {
        if let Some(key) = name.strip_prefix(ENV_PREFIX) {
            let path: Vec<String> = key.split("__").map(str::to_ascii_lowercase).collect();
            insert(&mut table, &path, scalar(&value)).ok_or(ConfigError::Environment(name))?;
        }
    }
    // `message` names keys and expected types; the values that it may quote are never secrets here.
    table.try_into().map_err(|e: toml::de::Error| ConfigError::Shape(e.message().to_owned()))
}

/// The process's environment variables that are configuration keys.
#[must_use]
pub fn environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| name.starts_with(ENV_PREFIX))
        .collect()
}

/// The JSON value of a TOML document, for files that become signed JSON: policies, types, purposes.
///
/// # Errors
/// [`ConfigError::NotJson`] with the path of a date or a fractional number, which have no single JSON form.
pub fn toml_to_json(table: &toml::Table) -> Result<serde_json::Value, ConfigError> {
    table_to_json(table, "")
}

/// Reads a TOML document and gives its JSON value; see [`toml_to_json`].
///
/// # Errors
/// [`ConfigError::Syntax`] and [`ConfigError::NotJson`].
pub fn json_of_toml(text: &str) -> Result<serde_json::Value, ConfigError> {
    toml_to_json(&toml::from_str(text).map_err(|e| syntax(text, &e))?)
}

fn table_to_json(table: &toml::Table, path: &str) -> Result<serde_json::Value, ConfigError> {
    let members =
        table.iter().map(|(key, value)| Ok((key.clone(), value_to_json(value, &format!("{path}/{key}"))?)));
    members.collect::<Result<serde_json::Map<_, _>, _>>().map(serde_json::Value::Object)
}

fn value_to_json(value: &toml::Value, path: &str) -> Result<serde_json::Value, ConfigError> {
    match value {
        toml::Value::String(text) => Ok(text.as_str().into()),
        toml::Value::Integer(number) => Ok((*number).into()),
        toml::Value::Boolean(flag) => Ok((*flag).into()),
        toml::Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(at, item)| value_to_json(item, &format!("{path}/{at}")))
            .collect::<Result<Vec<_>, _>>()
            .map(serde_json::Value::Array),
        toml::Value::Table(table) => table_to_json(table, path),
        toml::Value::Float(_) | toml::Value::Datetime(_) => Err(ConfigError::NotJson(path.to_owned())),
    }
}

/// Makes a file that only its owner can read; an existing one is an error.
pub(crate) fn create_private(path: &Path) -> std::io::Result<std::fs::File> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn insert(table: &mut toml::Table, path: &[String], value: toml::Value) -> Option<()> {
    match path {
        [] => None,
        [key] => {
            table.insert(key.clone(), value);
            Some(())
        }
        [section, rest @ ..] => {
            let section =
                table.entry(section.clone()).or_insert_with(|| toml::Value::Table(toml::Table::new()));
            insert(section.as_table_mut()?, rest, value)
        }
    }
}

fn scalar(text: &str) -> toml::Value {
    let parsed = toml::from_str::<toml::Table>(&format!("value = {text}")).ok();
    match parsed.filter(|table| table.len() == 1).and_then(|mut table| table.remove("value")) {
        Some(
            value @ (toml::Value::Boolean(_)
            | toml::Value::Integer(_)
            | toml::Value::Array(_)
            | toml::Value::String(_)),
        ) => value,
        _ => toml::Value::String(text.to_owned()),
    }
}

fn syntax(text: &str, error: &toml::de::Error) -> ConfigError {
    let upto = error.span().map_or(0, |span| span.start.min(text.len()));
    ConfigError::Syntax { line: text.as_bytes()[..upto].iter().filter(|byte| **byte == b'\n').count() + 1 }
}

fn unreadable(path: &Path, error: &std::io::Error) -> ConfigError {
    ConfigError::File { path: path.to_owned(), kind: error.kind() }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        name: String,
        #[serde(default)]
        listen: Listen,
        key: SecretFile,
    }

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Listen {
        port: u16,
        names: Vec<String>,
    }

    const FILE: &str = "name = \"a\"\nkey = \"k.pem\"\n[listen]\nport = 1\n";

    fn env(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_environment_overrides_the_file() {
        let vars = env(&[
            ("VOUCHSAFE__LISTEN__PORT", "2"),
            ("VOUCHSAFE__NAME", "Larkfield = District"),
            ("VOUCHSAFE__LISTEN__NAMES", r#"["x", "y"]"#),
            ("VOUCHSAFE_FLAG", "ignored"),
            ("PATH", "ignored"),
        ]);
        let sample: Sample = parse(FILE, vars).unwrap();
        assert_eq!(sample.name, "Larkfield = District");
        assert_eq!(sample.listen, Listen { port: 2, names: vec!["x".to_owned(), "y".to_owned()] });
    }

    #[test]
    fn numbers_as_text_are_quoted() {
        let vars = env(&[("VOUCHSAFE__NAME", "\"42\"")]);
        assert_eq!(parse::<Sample>(FILE, vars).unwrap().name, "42");
    }

    #[test]
    fn unknown_keys_are_refused_wherever_they_stand() {
        let more = format!("{FILE}speed = 3\n");
        assert!(matches!(parse::<Sample>(&more, []), Err(ConfigError::Shape(_))));
        let vars = env(&[("VOUCHSAFE__LISTEN__PROT", "2")]);
        assert!(matches!(parse::<Sample>(FILE, vars), Err(ConfigError::Shape(_))));
        let vars = env(&[("VOUCHSAFE__NAME__X", "2")]);
        assert!(matches!(parse::<Sample>(FILE, vars), Err(ConfigError::Environment(_))));
    }

    #[test]
    fn a_syntax_error_names_its_line() {
        let Err(ConfigError::Syntax { line }) = parse::<Sample>("a = 1\nb = \n", []) else {
            panic!("it is not TOML")
        };
        assert_eq!(line, 2);
    }

    #[test]
    fn a_secret_is_read_from_its_file_and_never_printed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        std::fs::write(&path, "s3cret\r\n").unwrap();
        let secret = SecretFile::new(&path);
        assert_eq!(secret.read().unwrap().as_str(), "s3cret");
        assert!(!format!("{secret:?}").contains("s3cret"));
        assert!(matches!(SecretFile::new(dir.path().join("none")).read(), Err(ConfigError::File { .. })));
        std::fs::write(&path, vec![b'x'; 65 * 1024]).unwrap();
        assert!(matches!(secret.read(), Err(ConfigError::SecretTooLong(_))));
    }

    #[test]
    #[cfg(unix)]
    fn a_written_secret_is_its_owners_and_replaces_none() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        let secret = SecretFile::create(&path, "s3cret").unwrap();
        assert_eq!(secret.read().unwrap().as_str(), "s3cret");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(matches!(SecretFile::create(&path, "other"), Err(ConfigError::File { .. })));
    }

    #[test]
    fn toml_becomes_json_without_dates_and_fractions() {
        let value = json_of_toml("a = 1\nb = [true, \"x\"]\n[c]\nd = -2\n").unwrap();
        assert_eq!(value, serde_json::json!({"a": 1, "b": [true, "x"], "c": {"d": -2}}));
        for bad in ["[a]\nb = 1.5", "[a]\nb = 2026-01-01", "[a]\nb = [1.0]"] {
            let Err(ConfigError::NotJson(path)) = json_of_toml(bad) else { panic!("{bad}") };
            assert!(path.starts_with("/a/b"), "{path}");
        }
    }
}
