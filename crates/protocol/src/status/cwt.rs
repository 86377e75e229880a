//! The token as CWT: COSE_Sign1 with tag 18, and no CWT tag around it (section 5.2).
//!
//! RFC 9052 narrowed to what the JWT form takes: ES256 and EdDSA, the certificate path in `x5chain` (RFC 9360). CBOR
//! lets a map name a key twice; here that is refused.

use ciborium::value::{Integer, Value};
use coset::iana;
use coset::{
    CoseSign1, CoseSign1Builder, Header, HeaderBuilder, Label, RegisteredLabelWithPrivate,
    TaggedCborSerializable as _,
};
use vouchsafe_mutants as mutants;

use super::token::{Claims, Expected, Publication, Token, TokenError};
use super::{Bits, CWT_MEDIA_TYPE, CWT_TYP, List};
use crate::jose::jws::MAX_CERTIFICATES;
use crate::jose::{Alg, PublicJwk, SignatureVerifier};
use crate::time::UnixTime;

/// RFC 9596: the type.
const TYP: i64 = 16;
/// RFC 9360: certificates, leaf first.
const X5CHAIN: i64 = 33;
const SUB: i64 = 2;
const EXP: i64 = 4;
const IAT: i64 = 6;
const STATUS_LIST: i64 = 65_533;
const TTL: i64 = 65_534;

/// More claims than any publisher has a use for.
const MAX_CLAIMS: usize = 64;

pub(super) struct Received {
    token: CoseSign1,
    x5c: Vec<Vec<u8>>,
}

impl Received {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, TokenError> {
        let token = CoseSign1::from_tagged_slice(bytes).map_err(|_| TokenError::Cose)?;
        check_typ(&token.protected.header)?;
        let demands_nothing = token.protected.header.crit.is_empty() && token.unprotected.crit.is_empty();
        if !(mutants::skips("status-cwt-crit") || demands_nothing) {
            return Err(TokenError::Critical);
        }
        let x5c = x5chain(&token)?;
        Ok(Self { token, x5c })
    }

    pub(super) fn x5c(&self) -> &[Vec<u8>] {
        &self.x5c
    }

    pub(super) fn verify(
        self,
        key: &PublicJwk,
        expected: &Expected<'_>,
        verifier: &dyn SignatureVerifier,
    ) -> Result<Token, TokenError> {
        let alg = algorithm(&self.token.protected.header).ok_or(TokenError::Alg)?;
        if !(mutants::skips("status-cwt-alg-key") || alg == key.alg()) {
            return Err(TokenError::Alg);
        }
        let input = self.token.tbs_data(&[]);
        let signed = verifier.verify(key, key.alg(), &input, &self.token.signature).is_ok();
        if !(mutants::skips("status-cwt-signature") || signed) {
            return Err(TokenError::Signature);
        }
        let payload = self.token.payload.ok_or(TokenError::Cose)?;
        Body::read(&payload)?.claims()?.check(expected)
    }
}

fn check_typ(header: &Header) -> Result<(), TokenError> {
    let typ = member(header, TYP).and_then(Value::as_text).unwrap_or_default();
    let right = [CWT_MEDIA_TYPE, CWT_TYP].iter().any(|name| typ.eq_ignore_ascii_case(name));
    if !(mutants::skips("status-cwt-typ") || right) {
        return Err(TokenError::Typ);
    }
    Ok(())
}

/// In the protected header alone: the other one anybody can write.
fn algorithm(header: &Header) -> Option<Alg> {
    match header.alg {
        Some(RegisteredLabelWithPrivate::Assigned(iana::Algorithm::ES256)) => Some(Alg::Es256),
        Some(RegisteredLabelWithPrivate::Assigned(iana::Algorithm::EdDSA)) => Some(Alg::EdDsa),
        _ => None,
    }
}

fn member(header: &Header, label: i64) -> Option<&Value> {
    header.rest.iter().find(|(name, _)| *name == Label::Int(label)).map(|(_, value)| value)
}

/// The path may stand in either header: it is worth nothing before it was validated, and the leaf's key then verifies.
fn x5chain(token: &CoseSign1) -> Result<Vec<Vec<u8>>, TokenError> {
    let chain = match (member(&token.protected.header, X5CHAIN), member(&token.unprotected, X5CHAIN)) {
        (None, None) => return Ok(Vec::new()),
        (Some(chain), None) | (None, Some(chain)) => chain,
        (Some(_), Some(_)) => return Err(TokenError::Cose),
    };
    let certificates = match chain {
        Value::Bytes(one) => vec![one.clone()],
        Value::Array(several) => several
            .iter()
            .map(|der| der.as_bytes().cloned())
            .collect::<Option<_>>()
            .ok_or(TokenError::Cose)?,
        _ => return Err(TokenError::Cose),
    };
    if !(mutants::skips("status-cwt-x5c-length") || certificates.len() <= MAX_CERTIFICATES) {
        return Err(TokenError::Cose);
    }
    Ok(certificates)
}

/// A map of CBOR, each key once.
struct Body(Vec<(Value, Value)>);

impl Body {
    fn read(payload: &[u8]) -> Result<Self, TokenError> {
        let mut rest = payload;
        let value: Value = ciborium::from_reader(&mut rest).map_err(|_| TokenError::Malformed)?;
        if !rest.is_empty() {
            return Err(TokenError::Malformed);
        }
        Self::of(value)
    }

    fn of(value: Value) -> Result<Self, TokenError> {
        let Value::Map(members) = value else { return Err(TokenError::Malformed) };
        if members.len() > MAX_CLAIMS {
            return Err(TokenError::Malformed);
        }
        let fresh = |at: usize| members[..at].iter().all(|(other, _)| *other != members[at].0);
        if !(mutants::skips("status-cwt-repeated") || (0..members.len()).all(fresh)) {
            return Err(TokenError::Malformed);
        }
        Ok(Self(members))
    }

    fn get(&self, name: &Value) -> Option<&Value> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, value)| value)
    }

    fn claim(&self, label: i64) -> Option<&Value> {
        self.get(&Value::Integer(label.into()))
    }

    fn required(&self, label: i64) -> Result<&Value, TokenError> {
        self.claim(label).ok_or(TokenError::Malformed)
    }

    fn claims(&self) -> Result<Claims<'_>, TokenError> {
        let (bits, compressed) = list(self.required(STATUS_LIST)?)?;
        let ttl = self.claim(TTL).map(|ttl| number(ttl).and_then(super::jwt::seconds)).transpose()?;
        Ok(Claims {
            sub: self.required(SUB)?.as_text().ok_or(TokenError::Malformed)?,
            issued_at: time(self.required(IAT)?)?,
            expires_at: self.claim(EXP).map(time).transpose()?,
            ttl,
            bits,
            compressed,
        })
    }
}

fn list(value: &Value) -> Result<(u64, &[u8]), TokenError> {
    let members = value.as_map().ok_or(TokenError::Malformed)?;
    let one = |name: &str| {
        let mut found = members.iter().filter(|(other, _)| other.as_text() == Some(name));
        match (found.next(), found.next()) {
            (Some((_, value)), None) => Ok(value),
            _ => Err(TokenError::Malformed),
        }
    };
    let compressed = one("lst")?.as_bytes().ok_or(TokenError::Malformed)?;
    Ok((number(one("bits")?)?, compressed))
}

fn number(value: &Value) -> Result<u64, TokenError> {
    value.as_integer().and_then(|number: Integer| u64::try_from(number).ok()).ok_or(TokenError::Malformed)
}

/// Whole seconds, as in JSON: a fraction is an error and never an absent time.
fn time(value: &Value) -> Result<UnixTime, TokenError> {
    let seconds = number(value)?;
    serde_json::from_value(seconds.into()).map_err(|_| TokenError::Malformed)
}

impl Publication<'_> {
    pub(super) fn cwt<D: AsRef<[u8]>>(&self, compressed: Vec<u8>, alg: Alg, chain: &[D]) -> UnsignedCwt {
        let name = |text: &str| Value::Text(text.to_owned());
        let list = Value::Map(vec![
            (name("bits"), self.list.bits().number().into()),
            (name("lst"), Value::Bytes(compressed)),
        ]);
        let claims = Value::Map(vec![
            (SUB.into(), name(self.uri)),
            (IAT.into(), self.issued_at.0.into()),
            (EXP.into(), self.expires_at.0.into()),
            (TTL.into(), self.ttl.into()),
            (STATUS_LIST.into(), list),
        ]);
        let mut payload = Vec::new();
        ciborium::into_writer(&claims, &mut payload).expect("writing to memory does not fail");
        let alg = match alg {
            Alg::Es256 => iana::Algorithm::ES256,
            Alg::EdDsa => iana::Algorithm::EdDSA,
        };
        let protected = HeaderBuilder::new().algorithm(alg).value(TYP, name(CWT_MEDIA_TYPE)).build();
        let mut certificates: Vec<_> = chain.iter().map(|der| Value::Bytes(der.as_ref().to_vec())).collect();
        // RFC 9360: one certificate stands alone, several in an array.
        let chain = match certificates.pop() {
            Some(one) if certificates.is_empty() => one,
            Some(last) => {
                certificates.push(last);
                Value::Array(certificates)
            }
            None => Value::Array(certificates),
        };
        let unprotected = HeaderBuilder::new().value(X5CHAIN, chain).build();
        let builder = CoseSign1Builder::new().protected(protected).unprotected(unprotected).payload(payload);
        UnsignedCwt::of(builder.build())
    }
}

/// A CWT that lacks its signature.
pub struct UnsignedCwt {
    token: CoseSign1,
    input: Vec<u8>,
}

impl UnsignedCwt {
    fn of(token: CoseSign1) -> Self {
        let input = token.tbs_data(&[]);
        Self { token, input }
    }

    /// The bytes to sign.
    #[must_use]
    pub fn signing_input(&self) -> &[u8] {
        &self.input
    }

    /// The token, complete.
    #[must_use]
    pub fn finish(mut self, signature: &[u8]) -> Vec<u8> {
        self.token.signature = signature.to_vec();
        self.token.to_tagged_vec().expect("writing to memory does not fail")
    }
}

impl List {
    /// Reads a list as it stands in CBOR, without a token around it: for what is already trusted, as tests and vectors.
    ///
    /// # Errors
    /// [`TokenError::Malformed`] and [`TokenError::List`].
    pub fn from_cbor(bytes: &[u8], most: usize) -> Result<Self, TokenError> {
        let value: Value = ciborium::from_reader(bytes).map_err(|_| TokenError::Malformed)?;
        let (bits, compressed) = list(&value)?;
        let bits = Bits::from_number(bits).ok_or(TokenError::Malformed)?;
        Ok(Self::inflate(bits, compressed, most)?)
    }
}
