//! Batches of the vault, each opened once to look at what its copies say.
//!
//! Security: what commitments hide is wiped when the look is over, and cannot be printed.

use std::collections::BTreeMap;

use serde_json::Value;
use vouchsafe_mutants as mutants;
use vouchsafe_proofs::context::Attribute;
use vouchsafe_proofs::encoding::Text;
use vouchsafe_proofs::statement::Known;
use vouchsafe_protocol::openid4vci::batch::Opened;
use vouchsafe_protocol::sd_jwt;
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_protocol::zkc;
use zeroize::Zeroizing;

use super::Ability;
use crate::store::{self, Count, Credential};
use crate::vault::{Vault, VaultError};

/// A batch, and one of its copies if one can be used.
pub(super) struct Batch<'a> {
    pub(super) id: &'a str,
    pub(super) credential: &'a Credential,
    pub(super) count: Count,
    pub(super) look: Result<Look, Ability>,
}

/// What a copy says to its holder.
pub(super) struct Look {
    pub(super) copy: sd_jwt::Held,
    pub(super) claims: Value,
    pub(super) suspended: bool,
    /// Whether it is linked to this wallet's secret, from which a service may be given a name.
    pub(super) linked: bool,
    pub(super) attributes: Vec<Attribute>,
    pub(super) values: BTreeMap<String, Secret>,
}

/// What a commitment hides, ready to be compared.
pub(super) enum Secret {
    /// An encoded integer.
    Integer(Zeroizing<u64>),
    /// A text, hashed under its type.
    Text(Text),
}

impl<'a> Batch<'a> {
    /// The batch `id`, with a copy that is not ended, used up or taken back; or why there is none.
    pub(super) async fn open(
        vault: &Vault,
        id: &'a str,
        credential: &'a Credential,
        now: UnixTime,
    ) -> Result<Self, VaultError> {
        let count = store::count(vault, id).await?;
        let held = match mutants::skips("wallet-credential-ended") || now.0 < credential.expires_at {
            true => store::peek(vault, id).await?,
            false => return Ok(Self { id, credential, count, look: Err(Ability::TooOld) }),
        };
        let look = match held {
            Some(held) => Ok(Look::at(&held)?),
            None if count.revoked > 0 => Err(Ability::Revoked),
            None => Err(Ability::NoneLeft),
        };
        Ok(Self { id, credential, count, look })
    }

    /// What its commitment at `pointer` hides.
    pub(super) fn known(&self, pointer: &str) -> Option<Known<'_>> {
        self.look.as_ref().ok()?.values.get(pointer).map(Secret::known)
    }

    /// The attribute at `pointer`, as its issuer signed it.
    pub(super) fn attribute(&self, pointer: &str) -> Option<&Attribute> {
        self.look.as_ref().ok()?.attributes.iter().find(|attribute| attribute.pointer == pointer)
    }

    /// Whether it did not count when its status was last looked up.
    pub(super) fn is_suspended(&self) -> bool {
        self.look.as_ref().is_ok_and(|look| look.suspended)
    }

    /// The period that it is about, where it says so.
    pub(super) fn period(&self) -> Option<&str> {
        self.credential.period.as_deref()
    }

    /// Whether both are one statement of one body, collected twice.
    pub(super) fn repeats(&self, other: &Self) -> bool {
        let (Ok(one), Ok(two)) = (&self.look, &other.look) else { return false };
        let (a, b) = (self.credential, other.credential);
        let alike = |(x, y): ((&String, &Secret), (&String, &Secret))| x.0 == y.0 && x.1.is(y.1);
        (&a.vct, &a.iss, self.period()) == (&b.vct, &b.iss, other.period())
            && !one.values.is_empty()
            && one.values.len() == two.values.len()
            && one.values.iter().zip(&two.values).all(alike)
    }
}

impl Look {
    fn at(held: &store::Held) -> Result<Self, VaultError> {
        let copy = sd_jwt::Held::dangerous_from_store(&held.sd_jwt).map_err(|_| VaultError::Damaged)?;
        let claims = Value::Object(copy.claims().clone());
        let opened = held.openings.as_ref().map(store::Openings::open).transpose()?;
        let (attributes, values) = match opened {
            Some(Opened { attributes, values, .. }) => {
                let values = values.iter().filter_map(|one| secret(&attributes, one)).collect();
                (attributes, values)
            }
            None => Default::default(),
        };
        let linked = held.link.is_some();
        Ok(Self { copy, claims, suspended: held.suspended, linked, attributes, values })
    }
}

/// A text under the type that its issuer signed; none of what nobody signed.
fn secret(attributes: &[Attribute], (pointer, value): (&String, &zkc::Value)) -> Option<(String, Secret)> {
    let signed = attributes.iter().find(|attribute| attribute.pointer == *pointer)?;
    let secret = match value {
        zkc::Value::Integer(v) => Secret::Integer(Zeroizing::new(*v)),
        zkc::Value::Text(text) => Secret::Text(Text::new(&signed.unit, text)),
    };
    Some((pointer.clone(), secret))
}

impl Secret {
    pub(super) fn known(&self) -> Known<'_> {
        match self {
            Self::Integer(v) => Known::Integer(**v),
            Self::Text(text) => Known::Text(text),
        }
    }

    fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Integer(one), Self::Integer(two)) => one == two,
            (Self::Text(one), Self::Text(two)) => one.to_bytes() == two.to_bytes(),
            _ => false,
        }
    }
}
