//! Who signs records of permissions.

use std::sync::Arc;

use vouchsafe_protocol::decision::leaf;
use vouchsafe_protocol::encoding::b64u;
use vouchsafe_protocol::jose::{NamedJwk, SignError, Signer};
use vouchsafe_protocol::permission::record::{Claims, Record, TYP};
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_service::entropy::{self, Entropy};

use crate::app::Unavailable;
use crate::secrets::{Kind, Vault};
use crate::store::{PermissionId, Recorded, RequestId, ServiceId, StoreError};

/// The desk at which records are signed, with a key that signs nothing else.
pub struct RecordDesk {
    signer: Arc<dyn Signer>,
    kid: String,
    origin: String,
}

/// A record in the form in which it is kept: its signing input, bound to its row, and the leaf of the log over it.
pub(super) struct Written {
    pub(super) event: Recorded,
    pub(super) leaf: [u8; 32],
}

impl RecordDesk {
    /// A desk for the verifier at `origin`.
    #[must_use]
    pub fn new(signer: Arc<dyn Signer>, origin: &str) -> Self {
        let kid = b64u(signer.public().thumbprint());
        Self { signer, kid, origin: origin.to_owned() }
    }

    /// The key that records are checked with.
    #[must_use]
    pub fn key(&self) -> NamedJwk {
        NamedJwk {
            key: self.signer.public().clone(),
            kid: Some(self.kid.clone()),
            usage: Some("sig".into()),
            alg: Some(self.signer.alg().as_str().into()),
        }
    }

    /// Where a letter's code is typed: what a record says of taking back.
    #[must_use]
    pub fn withdraw_at(&self) -> String {
        format!("{}/withdraw", self.origin)
    }

    /// The record as it stands at `at`, ready to be kept as that event of the permission.
    pub(super) fn write(
        &self,
        vault: &Vault,
        (service, id, number): (&ServiceId, &PermissionId, i64),
        record: Record,
        at: UnixTime,
        entropy: &dyn Entropy,
    ) -> Written {
        let jti = entropy::id16(entropy);
        let claims =
            Claims { iss: self.origin.clone(), aud: service.0.clone(), jti: jti.clone(), iat: at, record };
        let unsigned = claims.unsigned(self.signer.alg(), &self.kid);
        let input = unsigned.signing_input();
        let text = String::from_utf8(input.to_vec()).expect("a JWS signing input is base64url and a dot");
        let signing_input = vault.bind(Kind::Record, service, &place(id, number), &text);
        Written { event: Recorded { number, at, jti, signing_input }, leaf: leaf(TYP, input) }
    }

    /// The signing input of an event, if it is the one that we bound to its row.
    pub(super) fn read<'r>(
        vault: &Vault,
        service: &ServiceId,
        id: &PermissionId,
        event: &'r Recorded,
    ) -> Result<&'r str, Unavailable> {
        let text = vault.bound(Kind::Record, service, &place(id, event.number), &event.signing_input);
        Ok(text.ok_or(StoreError::Damaged("signing_input"))?)
    }

    /// The record's JWS, signed from what was kept.
    pub(super) async fn sign(&self, signing_input: &str) -> Result<String, SignError> {
        let signature = self.signer.sign(signing_input.as_bytes()).await?;
        Ok(format!("{signing_input}.{}", b64u(signature)))
    }
}

/// An event's row, under a name that no request has.
pub(crate) fn place(id: &PermissionId, number: i64) -> RequestId {
    RequestId(format!("{}:{number}", id.0))
}
