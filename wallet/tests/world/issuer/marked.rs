//! Marks that no claim tells: in headers, among digests, and by chance that is none.

use rand_core::{CryptoRng, RngCore};
use serde_json::{Value, json};
use vouchsafe_protocol::encoding::{b64u, b64u_decode};
use vouchsafe_protocol::jose::Alg;
use vouchsafe_protocol::jose::jws::{EncodedHeader, NewHeader, Unsigned, sign};
use vouchsafe_protocol::sd_jwt::issue::Issuable;

use super::{Issuer, Spoil};

/// A resident's number, which is in whatever is marked.
const MARK: &str = "0042";

impl Issuer {
    /// The header of the copy with this number.
    pub(super) fn header(&self, number: usize) -> EncodedHeader {
        let typ = if self.spoil == Spoil::OtherHeader && number == 0 { "DC+SD-JWT" } else { "dc+sd-jwt" };
        let header = NewHeader::new(Alg::Es256, typ).x5c(&[&self.leaf.certificate]);
        if self.spoil == Spoil::NumberedHeader { header.kid(MARK).encode() } else { header.encode() }
    }

    /// Signs a copy, with one more digest in it where this body marks its digests.
    pub(super) async fn signed(&self, issuable: Issuable, header: &EncodedHeader) -> String {
        let mark = match self.spoil {
            Spoil::NumberedDecoy => MARK.to_owned(),
            Spoil::SameDecoy => b64u([42; 32]),
            _ => return issuable.sign(&self.leaf.key).await.unwrap(),
        };
        let input = String::from_utf8(issuable.signing_input().to_vec()).unwrap();
        let payload = b64u_decode(input.split('.').nth(1).unwrap()).unwrap();
        let mut payload: Value = serde_json::from_slice(&payload).unwrap();
        payload["_sd"].as_array_mut().unwrap().push(json!(mark));
        let token = sign(Unsigned::new(header, &payload).unwrap(), &self.leaf.key).await.unwrap();
        let honest = issuable.finish(&[]);
        format!("{token}~{}", honest.split_once('~').unwrap().1)
    }
}

/// Chance that always falls the same way.
pub(super) struct Same(pub(super) u8);

impl RngCore for Same {
    fn next_u32(&mut self) -> u32 {
        rand_core::impls::next_u32_via_fill(self)
    }

    fn next_u64(&mut self) -> u64 {
        rand_core::impls::next_u64_via_fill(self)
    }

    fn fill_bytes(&mut self, out: &mut [u8]) {
        out.fill_with(|| {
            self.0 = self.0.wrapping_add(1);
            self.0
        });
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), rand_core::Error> {
        self.fill_bytes(out);
        Ok(())
    }
}

impl CryptoRng for Same {}
