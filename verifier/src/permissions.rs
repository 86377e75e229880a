//! Permissions: what residents gave beside an answer, asked about before each use and taken back as easily as given
//! (`specs/profiles/permission.md`).
//!
//! A permission comes into being in the transaction that decides, with its first record in the log. Its service asks
//! whether it is in force; its resident takes it back by the permission's key, by the code of a letter or at a counter, and
//! each way ends in the same transaction, whose receipt is the record signed anew.
//!
//! Security: what a row says is bound to the server key, and a record is signed from what was bound to its own row. Whoever
//! can write to the database, and no more, can put an old row back, and can make us say that we do not know.

mod call;
mod check;
mod desk;
mod ending;
mod given;
pub(crate) mod letter;
mod sweep;

use vouchsafe_protocol::permission::Jkt;
use vouchsafe_service::secret::same;

pub use self::call::{Answered, CallRefused, called};
pub use self::check::{Asking, CheckError, Checked, Checks, Standing, check};
pub use self::desk::RecordDesk;
pub(crate) use self::desk::place;
pub use self::ending::{Signed, read, withdraw};
pub(crate) use self::given::Making;
pub use self::given::{New, Permitted};
pub use self::letter::{Taken, by_letter};
pub use self::sweep::sweep;
use crate::secrets::{Kind, Vault};
use crate::store::{Permission, PermissionId, Tag, Tenant};

/// What a service is told when a permission was given.
pub const GIVEN: &str = "permission.given";
/// What it is told when one was taken back.
pub const WITHDRAWN: &str = "permission.withdrawn";
/// What it is told when the last day of one is over.
pub const EXPIRED: &str = "permission.expired";

/// Letters of the code of a letter: 60 bits.
const CODE_LETTERS: usize = 12;

/// The tag by which a permission is found by its key.
pub(crate) fn key_tag(vault: &Vault, key: &Jkt) -> Tag {
    vault.tag_bytes(Kind::PermissionKey, key.bytes())
}

/// The code by which a permission is taken back without a wallet, for its service to print. Made anew each time, and never
/// kept: only its tag is.
pub(crate) fn code(vault: &Vault, tenant: &Tenant, id: &PermissionId) -> String {
    let digest = vault.tag(Kind::LetterCode, &format!("{}\n{}", tenant.name(), id.0));
    vouchsafe_service::entropy::crockford(&digest.0[..CODE_LETTERS])
}

/// What binds a row to the server key: all of it but what is counted.
fn bound(vault: &Vault, row: &Permission) -> Tag {
    let text = [
        row.tenant().name(),
        row.id.0.clone(),
        vouchsafe_protocol::encoding::b64u(row.key.0),
        row.policy_digest.clone(),
        vouchsafe_protocol::encoding::b64u(row.asked_digest),
        format!("{} {} {} {}", row.given_day.0, row.until.0, row.every_days, row.retention_days),
        format!("{} {}", row.state.as_str(), row.events),
    ];
    vault.tag(Kind::Permission, &text.join("\n"))
}

/// Whether a row says what we made it say.
pub(crate) fn is_ours(vault: &Vault, row: &Permission) -> bool {
    vouchsafe_mutants::skips("store-permission-bound") || same(&bound(vault, row).0, &row.bound.0)
}
