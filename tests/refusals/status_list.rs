//! Status lists: what a verifier does with a reference and with the token that it leads to.
//!
//! In process, by the steps that the verifier takes once it has the bytes: the reference, the certificate path under the
//! issuer's anchor, the token, the value at the index. A refusal means that nothing can be said of the credential; the
//! values that speak against it are refusals too, so that no change makes one of them pass.

mod cbor;

use rcgen::{CustomExtension, ExtendedKeyUsagePurpose, KeyUsagePurpose, SanType};
use serde_json::{Value, json};
use vouchsafe_mutants::without;
use vouchsafe_protocol::encoding::b64;
use vouchsafe_protocol::jose::jws::JwsError;
use vouchsafe_protocol::jose::x5c::{self, Anchor, X5cError};
use vouchsafe_protocol::status::{
    Bits, Entitled, Expected, List, ListError, MAX_INFLATED, Received, Reference, Standing, TokenError,
};
use vouchsafe_protocol::time::DAY;
use vouchsafe_service::dev_ca::DevCa;
use vouchsafe_service::keys::{Jws, SigningKey};

use crate::forge::certificate::{self, issue, leaf, self_signed, stranger, valid};
use crate::forge::list::{Bomb, Cwt, ENTRIES, Jwt, URI, honest};
use crate::forge::{altered, der};
use crate::runner::{Seen, Surface, run};
use crate::world::{ISS, NOON, STRANGER, World};

/// The most bytes of a token that is fetched.
const MOST: usize = 1024 * 1024;

/// A stand-in for the extended key usage of section 10, whose number is not assigned yet.
const STATUS_SIGNING: &str = "1.3.6.1.4.1.99999.1";

/// Where an attack sets in.
#[derive(Clone, Copy)]
enum Spoil {
    /// The `status` claim of the credential, and where it leads by agreement: the list says the same URI.
    Reference(fn(&mut Value)),
    /// Before the list is signed as JWT.
    Jwt(fn(&mut Jwt, &World)),
    /// The JWT as it is sent.
    Text(fn(String, &World) -> String),
    /// Before the list is signed as CWT.
    Cwt(fn(&mut Cwt, &World)),
    /// The CWT as it is sent.
    Bytes(fn(Vec<u8>, &World) -> Vec<u8>),
}

use Spoil::{Jwt as Signed, Reference as Claim, Text};

const ATTACKS: &[(&str, Spoil)] = &[
    // The reference.
    ("uri-http", Claim(|c| uri(c, "http://issuer.larkfield.example/status/a"))),
    ("uri-query", Claim(|c| uri(c, "https://issuer.larkfield.example/status/a?holder=42"))),
    ("uri-fragment", Claim(|c| uri(c, "https://issuer.larkfield.example/status/a#42"))),
    ("uri-user", Claim(|c| uri(c, "https://holder-42@issuer.larkfield.example/status/a"))),
    ("uri-port", Claim(|c| uri(c, "https://issuer.larkfield.example:443/status/a"))),
    ("uri-case", Claim(|c| uri(c, "https://ISSUER.larkfield.example/status/a"))),
    ("uri-dots", Claim(|c| uri(c, "https://issuer.larkfield.example/x/../status/a"))),
    ("uri-long", Claim(|c| uri(c, &format!("{URI}{}", "a".repeat(512))))),
    ("uri-relative", Claim(|c| uri(c, "/status/a"))),
    ("uri-missing", Claim(|c| drop_member(&mut c["status_list"], "uri"))),
    ("idx-negative", Claim(|c| c["status_list"]["idx"] = json!(-1))),
    ("idx-fraction", Claim(|c| c["status_list"]["idx"] = json!(0.5))),
    ("idx-text", Claim(|c| c["status_list"]["idx"] = json!("0"))),
    ("idx-missing", Claim(|c| drop_member(&mut c["status_list"], "idx"))),
    ("status-of-another-kind", Claim(|c| *c = json!({"status_assertion": {}}))),
    ("idx-behind-the-end", Claim(|c| c["status_list"]["idx"] = json!(ENTRIES))),
    ("idx-far-behind", Claim(|c| c["status_list"]["idx"] = json!(u64::MAX))),
    // The values.
    ("revoked", Claim(|c| c["status_list"]["idx"] = json!(1))),
    ("suspended", Claim(|c| c["status_list"]["idx"] = json!(2))),
    ("value-of-others", Claim(|c| c["status_list"]["idx"] = json!(3))),
    // The header.
    ("typ-jwt", Signed(|t, _| t.header["typ"] = json!("JWT"))),
    ("typ-of-credential", Signed(|t, _| t.header["typ"] = json!("dc+sd-jwt"))),
    ("typ-of-cwt", Signed(|t, _| t.header["typ"] = json!("statuslist+cwt"))),
    ("typ-missing", Signed(|t, _| drop_member(&mut t.header, "typ"))),
    ("alg-other-than-key", Signed(|t, _| t.header["alg"] = json!("EdDSA"))),
    ("alg-hs256", Signed(|t, _| t.header["alg"] = json!("HS256"))),
    ("alg-none", Text(unsigned)),
    ("crit", Signed(|t, _| t.header["crit"] = json!(["b64"]))),
    ("header-member-twice", Signed(|t, _| t.write_header = |h| h.replacen('{', r#"{"typ":"JWT","#, 1))),
    // The signature.
    ("signature-flipped", Text(|t, _| altered(&t, 2, |s| flip(s, 7)))),
    ("signature-empty", Text(|t, _| altered(&t, 2, |_| Vec::new()))),
    ("signature-der", Text(|t, _| altered(&t, 2, |s| der(&s)))),
    ("signed-by-another", Signed(|t, _| t.key = SigningKey::generate().unwrap())),
    ("signed-by-registrar", Signed(|t, w| t.key = w.registrar.clone())),
    ("later-after-signing", Text(|t, _| altered(&t, 1, |claims| replace(claims, "900", "901")))),
    // The certificate path, and for whom it speaks.
    ("x5c-missing", Signed(|t, _| drop_member(&mut t.header, "x5c"))),
    (
        "x5c-foreign-authority",
        Signed(|t, _| {
            let foreign = DevCa::generate(certificate::AUTHORITY, NOON).unwrap();
            certified(t, &foreign, |_| ());
        }),
    ),
    ("x5c-authority-of-another-issuer", Signed(|t, w| certified(t, &w.other_ca, |_| ()))),
    (
        "x5c-anchor-inside",
        Signed(|t, w| {
            let leaf = issue(&leaf(), &t.key, &w.ca);
            t.certify(&[leaf, w.ca.certificate().to_vec()]);
        }),
    ),
    ("x5c-self-signed", Signed(|t, _| t.certify(&[self_signed(&leaf(), &t.key)]))),
    (
        "x5c-self-issued",
        Signed(|t, w| {
            certified(t, &w.ca, |p| p.distinguished_name = certificate::named(certificate::AUTHORITY))
        }),
    ),
    ("x5c-expired", Signed(|t, w| certified(t, &w.ca, |p| valid(p, NOON.minus(3 * DAY), NOON.minus(DAY))))),
    (
        "x5c-key-agreement",
        Signed(|t, w| certified(t, &w.ca, |p| p.key_usages = vec![KeyUsagePurpose::KeyAgreement])),
    ),
    (
        "x5c-too-long",
        Signed(|t, w| {
            let leaf = issue(&leaf(), &t.key, &w.ca);
            t.certify(&[leaf, stranger("A"), stranger("B"), stranger("C"), stranger("D")]);
        }),
    ),
    (
        "signer-of-another-issuer",
        Signed(|t, w| certified(t, &w.ca, |p| p.subject_alt_names = names(STRANGER))),
    ),
    (
        "signer-of-the-host-alone",
        Signed(|t, w| {
            certified(t, &w.ca, |p| p.subject_alt_names = names("https://issuer.larkfield.example/"))
        }),
    ),
    (
        "signer-delegated-elsewhere",
        Signed(|t, w| {
            certified(t, &w.ca, |p| {
                p.subject_alt_names = names(STRANGER);
                p.extended_key_usages = vec![ExtendedKeyUsagePurpose::Other(arcs(STATUS_SIGNING))];
            });
        }),
    ),
    (
        "signer-with-an-unknown-demand",
        Signed(|t, w| {
            certified(t, &w.ca, |p| {
                let mut demand = CustomExtension::from_oid_content(&arcs("1.3.6.1.4.1.99999.2"), vec![5, 0]);
                demand.set_criticality(true);
                p.custom_extensions = vec![demand];
            });
        }),
    ),
    // The claims.
    (
        "sub-of-another-list",
        Signed(|t, _| t.claims["sub"] = json!("https://issuer.larkfield.example/status/b")),
    ),
    ("sub-with-slash", Signed(|t, _| t.claims["sub"] = json!(format!("{URI}/")))),
    ("sub-of-other-case", Signed(|t, _| t.claims["sub"] = json!(URI.to_uppercase()))),
    ("sub-missing", Signed(|t, _| drop_member(&mut t.claims, "sub"))),
    (
        "sub-twice",
        Signed(|t, _| {
            t.write_claims = |c| c.replacen('{', r#"{"sub":"https://issuer.larkfield.example","#, 1)
        }),
    ),
    ("iat-future", Signed(|t, _| t.claims["iat"] = json!(NOON.plus(61).0))),
    ("iat-far-future", Signed(|t, _| t.claims["iat"] = json!(NOON.plus(365 * DAY).0))),
    ("iat-missing", Signed(|t, _| drop_member(&mut t.claims, "iat"))),
    ("exp-passed", Signed(|t, _| t.claims["exp"] = json!(NOON.minus(60).0))),
    ("exp-long-passed", Signed(|t, _| t.claims["exp"] = json!(NOON.minus(365 * DAY).0))),
    ("exp-null", Signed(|t, _| t.claims["exp"] = json!(null))),
    ("exp-text", Signed(|t, _| t.claims["exp"] = json!(NOON.plus(DAY).0.to_string()))),
    ("ttl-zero", Signed(|t, _| t.claims["ttl"] = json!(0))),
    ("ttl-negative", Signed(|t, _| t.claims["ttl"] = json!(-900))),
    ("claims-nested-deep", Signed(|t, _| t.write_claims = deep)),
    ("token-too-long", Signed(|t, _| t.claims["aggregation_uri"] = json!("x".repeat(MOST / 8 * 7)))),
    // The list.
    ("bits-three", Signed(|t, _| t.claims["status_list"]["bits"] = json!(3))),
    ("bits-zero", Signed(|t, _| t.claims["status_list"]["bits"] = json!(0))),
    ("bits-text", Signed(|t, _| t.claims["status_list"]["bits"] = json!("2"))),
    ("list-missing", Signed(|t, _| drop_member(&mut t.claims, "status_list"))),
    (
        "lst-padded",
        Signed(|t, _| t.claims["status_list"]["lst"] = json!(b64([honest().deflate(), vec![0]].concat()))),
    ),
    ("lst-raw", Signed(|t, _| t.hold(&honest().deflate()[2..]))),
    (
        "lst-gzip",
        Signed(|t, _| t.hold(&[&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3], &honest().deflate()[2..]].concat())),
    ),
    ("lst-cut", Signed(|t, _| t.hold(&honest().deflate()[..20]))),
    ("lst-checksum", Signed(|t, _| t.hold(&flip(honest().deflate(), honest().deflate().len() - 1)))),
    ("lst-with-rest", Signed(|t, _| t.hold(&[honest().deflate(), vec![0]].concat()))),
    ("lst-of-two-streams", Signed(|t, _| t.hold(&[honest().deflate(), honest().deflate()].concat()))),
    ("bomb", Signed(|t, _| t.hold(&Bomb::of(64 * 1024 * 1024)))),
    ("bomb-by-one-byte", Signed(|t, _| t.hold(&List::new(Bits::Eight, MAX_INFLATED + 1).deflate()))),
    // The token as CWT.
    ("cwt-typ-of-jwt", Spoil::Cwt(|t, _| cbor::protect(t, 16, cbor::text("application/statuslist+jwt")))),
    ("cwt-typ-of-cwt", Spoil::Cwt(|t, _| cbor::protect(t, 16, cbor::text("application/cwt")))),
    ("cwt-typ-missing", Spoil::Cwt(|t, _| t.protected.truncate(1))),
    ("cwt-alg-other-than-key", Spoil::Cwt(|t, _| cbor::protect(t, 1, cbor::negative(7)))),
    ("cwt-alg-unprotected", Spoil::Cwt(cbor::unprotect_alg)),
    ("cwt-crit", Spoil::Cwt(|t, _| cbor::protect(t, 2, cbor::array(&[cbor::uint(4)])))),
    (
        "cwt-signature-flipped",
        Spoil::Bytes(|t, _| {
            let last = t.len() - 1;
            flip(t, last)
        }),
    ),
    ("cwt-signed-by-another", Spoil::Cwt(|t, _| t.key = SigningKey::generate().unwrap())),
    ("cwt-x5c-too-long", Spoil::Cwt(cbor::long_path)),
    ("cwt-x5c-in-both", Spoil::Cwt(|t, _| t.protected.push(t.unprotected[0].clone()))),
    ("cwt-x5c-foreign-authority", Spoil::Cwt(cbor::foreign)),
    ("cwt-signer-of-another-issuer", Spoil::Cwt(cbor::of_another)),
    ("cwt-sub-twice", Spoil::Cwt(|t, _| t.claims.push(t.claims[0].clone()))),
    (
        "cwt-sub-of-another-list",
        Spoil::Cwt(|t, _| cbor::claim(t, 2, cbor::text("https://issuer.larkfield.example/status/b"))),
    ),
    ("cwt-iat-future", Spoil::Cwt(|t, _| cbor::claim(t, 6, cbor::seconds(NOON.plus(61))))),
    ("cwt-exp-passed", Spoil::Cwt(|t, _| cbor::claim(t, 4, cbor::seconds(NOON.minus(60))))),
    ("cwt-exp-text", Spoil::Cwt(|t, _| cbor::claim(t, 4, cbor::text("tomorrow")))),
    ("cwt-bomb", Spoil::Cwt(|t, _| t.hold(&Bomb::of(64 * 1024 * 1024)))),
    ("cwt-lst-with-rest", Spoil::Cwt(|t, _| t.hold(&[honest().deflate(), vec![0]].concat()))),
    ("cwt-too-long", Spoil::Cwt(|t, _| cbor::claim(t, 7, cbor::bytes(&vec![0; MOST])))),
    ("cwt-other-tag", Spoil::Cwt(|t, _| t.tags = vec![98])),
    ("cwt-tagged-twice", Spoil::Cwt(|t, _| t.tags = vec![61, 18])),
    ("cwt-with-rest", Spoil::Bytes(|t, _| [t, vec![0]].concat())),
];

fn uri(claim: &mut Value, uri: &str) {
    claim["status_list"]["uri"] = json!(uri);
}

fn drop_member(object: &mut Value, name: &str) {
    object.as_object_mut().unwrap().remove(name);
}

fn replace(bytes: Vec<u8>, from: &str, to: &str) -> Vec<u8> {
    String::from_utf8(bytes).unwrap().replacen(from, to, 1).into_bytes()
}

fn flip(mut bytes: Vec<u8>, at: usize) -> Vec<u8> {
    bytes[at] ^= 1;
    bytes
}

fn deep(claims: String) -> String {
    claims.replacen('{', &format!(r#"{{"more":{}{},"#, "[".repeat(32), "]".repeat(32)), 1)
}

fn unsigned(token: String, _: &World) -> String {
    let token = altered(&token, 0, |header| replace(header, "ES256", "none"));
    altered(&token, 2, |_| Vec::new())
}

fn names(uri: &str) -> Vec<SanType> {
    vec![SanType::URI(uri.try_into().unwrap())]
}

fn arcs(oid: &str) -> Vec<u64> {
    oid.split('.').map(|arc| arc.parse().unwrap()).collect()
}

/// A leaf of `ca` that was changed before it was issued.
fn certified(token: &mut Jwt, ca: &DevCa, change: fn(&mut rcgen::CertificateParams)) {
    let mut params = leaf();
    change(&mut params);
    token.certify(&[issue(&params, &token.key, ca)]);
}

/// What is looked up: the claim of a credential, and what was fetched for it.
struct Fetched {
    claim: Value,
    token: Received,
}

struct StatusLists {
    world: World,
    anchors: Vec<Anchor>,
}

impl StatusLists {
    /// The token that the list's host gives, and the claim that led there.
    fn fetch(&self, spoil: Option<Spoil>) -> Result<Fetched, Fault> {
        let mut claim = json!({"status_list": {"idx": 0, "uri": URI}});
        let mut jwt = Jwt::honest(&self.world.ca);
        let mut text = None;
        match spoil {
            Some(Spoil::Cwt(_) | Spoil::Bytes(_)) => return self.fetch_cwt(claim, spoil),
            Some(Spoil::Reference(spoil)) => {
                spoil(&mut claim);
                jwt.claims["sub"] = claim["status_list"]["uri"].clone();
            }
            Some(Spoil::Jwt(spoil)) => spoil(&mut jwt, &self.world),
            Some(Spoil::Text(spoil)) => text = Some(spoil),
            None => {}
        }
        // A bad reference leads nowhere.
        Reference::from_claim(&claim).map_err(|_| Fault("reference"))?;
        let token = match text {
            Some(spoil) => spoil(jwt.sign(), &self.world),
            None => jwt.sign(),
        };
        Ok(Fetched { claim, token: Received::jwt(token.as_bytes(), MOST)? })
    }

    fn fetch_cwt(&self, claim: Value, spoil: Option<Spoil>) -> Result<Fetched, Fault> {
        let mut cwt = Cwt::honest(&self.world.ca);
        if let Some(Spoil::Cwt(spoil)) = spoil {
            spoil(&mut cwt, &self.world);
        }
        let bytes = match spoil {
            Some(Spoil::Bytes(spoil)) => spoil(cwt.sign(), &self.world),
            _ => cwt.sign(),
        };
        Ok(Fetched { claim, token: Received::cwt(&bytes, MOST)? })
    }

    fn judge(&self, fetched: Fetched) -> Result<(), Fault> {
        let reference = Reference::from_claim(&fetched.claim).map_err(|_| Fault("reference"))?;
        let leaf = x5c::validate(fetched.token.x5c(), &self.anchors, NOON, &Jws)?;
        let signer = Entitled { iss: ISS, status_signing: Some(STATUS_SIGNING) };
        let expected = Expected { uri: reference.uri(), signer, now: NOON, max_inflated: MAX_INFLATED };
        let token = fetched.token.verify(&leaf, &expected, &Jws)?;
        match token.standing(reference.idx()).map_err(|_| Fault("index"))? {
            Standing::Valid => Ok(()),
            other => Err(Fault(other.as_str())),
        }
    }

    fn look_up(&self, spoil: Option<Spoil>) -> Seen {
        let code = match self.fetch(spoil).and_then(|fetched| self.judge(fetched)) {
            Ok(()) => return Seen { status: 200, code: String::new(), reason: String::new() },
            Err(Fault(code)) => code,
        };
        Seen { status: 400, code: code.to_owned(), reason: String::new() }
    }
}

/// Why nothing, or nothing good, can be said.
struct Fault(&'static str);

impl From<X5cError> for Fault {
    fn from(_: X5cError) -> Self {
        Self("certificate")
    }
}

impl From<TokenError> for Fault {
    fn from(fault: TokenError) -> Self {
        Self(match fault {
            TokenError::TooLong | TokenError::Jose(JwsError::TooLong) => "too-long",
            TokenError::Jose(JwsError::Alg | JwsError::AlgKey) | TokenError::Alg => "alg",
            TokenError::Jose(JwsError::Critical) | TokenError::Critical => "crit",
            TokenError::Jose(JwsError::Typ) | TokenError::Typ => "typ",
            TokenError::Jose(JwsError::Signature) | TokenError::Signature => "signature",
            TokenError::Jose(_) | TokenError::Cose => "form",
            TokenError::Path | TokenError::Signer => "signer",
            TokenError::Malformed => "claims",
            TokenError::Subject => "sub",
            TokenError::NotYetValid => "future",
            TokenError::Expired => "expired",
            TokenError::List(ListError::Compression) => "compression",
            TokenError::List(ListError::TooLarge) => "too-large",
        })
    }
}

impl Surface for StatusLists {
    const NAME: &'static str = "status-list";

    type Case = ();

    async fn new() -> Self {
        let world = World::new().await;
        let anchors = vec![Anchor::from_der(world.ca.certificate().to_vec()).unwrap()];
        Self { world, anchors }
    }

    async fn open(&self, _: &str) {}

    async fn attack(&self, (): &(), mutation: &str) -> Seen {
        let found = ATTACKS.iter().find(|(name, _)| *name == mutation);
        let (_, spoil) = found.unwrap_or_else(|| panic!("status-list: no mutation {mutation}"));
        self.look_up(Some(*spoil))
    }

    /// Both forms of the honest list.
    async fn honest(&self, (): &()) -> Seen {
        let jwt = self.look_up(None);
        let cwt = self.look_up(Some(Spoil::Cwt(|_, _| ())));
        if jwt.is_accepted() { cwt } else { jwt }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn status_lists() {
    run::<StatusLists>().await;
}

/// How many zeros of a bomb are inflated before it is refused: up to there a fault in it would be noticed.
fn inflated_of_a_bomb() -> usize {
    let fault_seen_at = |zeros: usize| {
        let fault = List::inflate(Bits::Eight, &Bomb::broken_after(zeros), MAX_INFLATED).err().unwrap();
        fault == ListError::Compression
    };
    let (mut seen, mut unseen) = (MAX_INFLATED / 2, 2 * MAX_INFLATED);
    assert!(fault_seen_at(seen) && !fault_seen_at(unseen));
    while unseen - seen > Bomb::STEP {
        let middle = usize::midpoint(seen, unseen);
        if fault_seen_at(middle) { seen = middle } else { unseen = middle }
    }
    seen
}

#[test]
fn no_more_than_two_mebibytes_of_a_bomb_are_inflated() {
    // The decoder works in windows of 32 KiB (RFC 1951, 2): what it had begun when the cap was reached.
    const WINDOW: usize = 32 * 1024;
    assert_eq!(MAX_INFLATED, 2 * 1024 * 1024);
    let inflated = inflated_of_a_bomb();
    assert!(inflated <= MAX_INFLATED + WINDOW, "{inflated}");
    // Without the cap it is read to where it breaks, and a whole one to its end.
    let far = 64 * 1024 * 1024;
    let inflate = |stream: &[u8]| List::inflate(Bits::Eight, stream, MAX_INFLATED);
    without("status-inflate-cap", || {
        assert_eq!(inflate(&Bomb::broken_after(far)).err(), Some(ListError::Compression));
        let whole = inflate(&Bomb::of(far)).unwrap().entries();
        assert!(whole <= far as u64 && whole + Bomb::STEP as u64 > far as u64, "{whole}");
    });
    assert_eq!(inflate(&Bomb::of(far)).err(), Some(ListError::TooLarge));
}
