//! The header row: how the passphrase opens the data key.

use argon2::{Algorithm, Argon2, Params, Version};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;
use vouchsafe_service::entropy::Entropy;
use vouchsafe_service::store::Sqlite;
use zeroize::Zeroizing;

use super::OpenError;
use super::seal::{self, DataKey};

const FORMAT: u32 = 1;
const SALT_BYTES: usize = 16;

/// The work Argon2id does for one guess at the passphrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Default for Cost {
    /// 64 MiB and three passes: RFC 9106, section 4, second recommended option, with one lane.
    fn default() -> Self {
        Self { memory_kib: 64 * 1024, passes: 3, lanes: 1 }
    }
}

impl Cost {
    /// The cheapest that is accepted: for tests, where nobody guesses.
    pub const LEAST: Self = Self { memory_kib: 8 * 1024, passes: 1, lanes: 1 };

    /// A header is read before it is authenticated, so it must not be able to ask for all memory.
    fn acceptable(self) -> bool {
        (Self::LEAST.memory_kib..=1024 * 1024).contains(&self.memory_kib)
            && (1..=16).contains(&self.passes)
            && (1..=4).contains(&self.lanes)
    }
}

pub(super) struct Header {
    cost: Cost,
    salt: Vec<u8>,
    wrapped_key: Vec<u8>,
}

impl Header {
    async fn write(&self, database: &Sqlite) -> Result<(), sqlx::Error> {
        let mut transaction = database.write().await?;
        sqlx::query(
            "INSERT INTO header (id, format, memory_kib, passes, lanes, salt, wrapped_key)
             VALUES (1, ?, ?, ?, ?, ?, ?)",
        )
        .bind(FORMAT)
        .bind(self.cost.memory_kib)
        .bind(self.cost.passes)
        .bind(self.cost.lanes)
        .bind(&self.salt)
        .bind(&self.wrapped_key)
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await
    }

    /// Opens the data key. The derivation takes long on purpose and runs off the async threads.
    pub(super) async fn unwrap_key(self, passphrase: &[u8]) -> Result<DataKey, OpenError> {
        let passphrase = Zeroizing::new(passphrase.to_vec());
        let derive = move || {
            let wrapping = derive(&passphrase, &self.salt, self.cost)?;
            let bound = bound_to(self.cost, &self.salt);
            let key = wrapping.open("header", &bound, &self.wrapped_key).ok_or(OpenError::WrongPassphrase)?;
            DataKey::from_bytes(&key).ok_or(OpenError::Unsupported)
        };
        tokio::task::spawn_blocking(derive).await.map_err(|_| OpenError::Files)?
    }
}

/// Reads the header row of an existing vault.
pub(super) async fn read(database: &Sqlite) -> Result<Option<Header>, OpenError> {
    let row = sqlx::query("SELECT format, memory_kib, passes, lanes, salt, wrapped_key FROM header")
        .fetch_optional(database.reader())
        .await
        .map_err(|_| OpenError::Database)?;
    row.map(|row| parse(&row)).transpose()
}

fn parse(row: &SqliteRow) -> Result<Header, OpenError> {
    let number = |column| row.try_get::<u32, _>(column).map_err(|_| OpenError::Unsupported);
    let bytes = |column| row.try_get::<Vec<u8>, _>(column).map_err(|_| OpenError::Unsupported);
    let cost = Cost { memory_kib: number("memory_kib")?, passes: number("passes")?, lanes: number("lanes")? };
    if number("format")? != FORMAT || !cost.acceptable() {
        return Err(OpenError::Unsupported);
    }
    Ok(Header { cost, salt: bytes("salt")?, wrapped_key: bytes("wrapped_key")? })
}

/// Makes a data key and writes the header row.
pub(super) async fn create(
    database: &Sqlite,
    passphrase: &[u8],
    cost: Cost,
    entropy: &dyn Entropy,
) -> Result<Header, OpenError> {
    let mut salt = vec![0; SALT_BYTES];
    let mut key = Zeroizing::new([0; seal::KEY_BYTES]);
    entropy.fill(&mut salt);
    entropy.fill(&mut *key);
    let wrapping = derive(passphrase, &salt, cost)?;
    let bound = bound_to(cost, &salt);
    let wrapped_key = wrapping.seal("header", &bound, &*key, entropy);
    let header = Header { cost, salt, wrapped_key };
    header.write(database).await.map_err(|_| OpenError::Database)?;
    Ok(header)
}

fn derive(passphrase: &[u8], salt: &[u8], cost: Cost) -> Result<DataKey, OpenError> {
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(seal::KEY_BYTES))
        .map_err(|_| OpenError::Unsupported)?;
    let mut key = Zeroizing::new([0; seal::KEY_BYTES]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase, salt, &mut *key)
        .map_err(|_| OpenError::Unsupported)?;
    DataKey::from_bytes(&*key).ok_or(OpenError::Unsupported)
}

/// What the wrapping is bound to: a changed parameter or salt does not open.
fn bound_to(cost: Cost, salt: &[u8]) -> String {
    let salt: String = salt.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{FORMAT}.{}.{}.{}.{salt}", cost.memory_kib, cost.passes, cost.lanes)
}
