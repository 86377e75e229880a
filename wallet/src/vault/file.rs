//! The directory, its lock and the database connection.

use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use vouchsafe_service::store::{Schema, Sqlite};

use super::OpenError;

const DATABASE: &str = "vault.sqlite";
const LOCK: &str = "lock";

/// Makes the directory (0700) and its files (0600) where they are missing, and takes the lock.
pub(super) fn prepare(directory: &Path) -> Result<File, OpenError> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(|_| OpenError::Files)?;
    let lock = private(&directory.join(LOCK))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(OpenError::InUse),
        Err(TryLockError::Error(_)) => return Err(OpenError::Files),
    }
    // SQLite gives its journal files the permissions of the database file, so that one is made first.
    private(&directory.join(DATABASE))?;
    Ok(lock)
}

fn private(path: &Path) -> Result<File, OpenError> {
    let open = || {
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        file.set_permissions(Permissions::from_mode(0o600))?;
        std::io::Result::Ok(file)
    };
    open().map_err(|_| OpenError::Files)
}

/// Opens the database with its schema up to date.
pub(super) async fn connect(directory: &Path) -> Result<Sqlite, OpenError> {
    let migrator = sqlx::migrate!("migrations/sqlite");
    Sqlite::open(&directory.join(DATABASE), &migrator, Schema::Migrate).await.map_err(|_| OpenError::Database)
}
