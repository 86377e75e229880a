//! `trusted_authorities` by key identifier, with real certificates.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyIdMethod, KeyPair};
use serde_json::{Value, json};
use vouchsafe_protocol::dcql::{Candidate, DcqlError, Mismatch, Query, Wishes, choose};
use vouchsafe_protocol::encoding::b64u;
use vouchsafe_protocol::sd_jwt::Held;

use crate::made::{answer, check, held};

fn params(name: &str, key: u8) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.key_identifier_method = KeyIdMethod::PreSpecified(vec![key; 20]);
    params.use_authority_key_identifier_extension = true;
    params
}

/// Leaf and intermediate: the root's key is called 1, the intermediate's 2.
fn path() -> Vec<Vec<u8>> {
    let keys: Vec<_> = (0..3).map(|_| KeyPair::generate().unwrap()).collect();
    let authority = |name, key| {
        let mut params = params(name, key);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
    };
    let root = Issuer::new(authority("root", 1), &keys[0]);
    let between = authority("between", 2).signed_by(&keys[1], &root).unwrap();
    let issuer = Issuer::new(authority("between", 2), &keys[1]);
    let leaf = params("leaf", 3).signed_by(&keys[2], &issuer).unwrap();
    vec![leaf.der().to_vec(), between.der().to_vec()]
}

fn query(authorities: Value) -> Result<Query, DcqlError> {
    Query::from_value(
        &json!({"credentials": [{"id": "q", "format": "dc+sd-jwt", "meta": {"vct_values": ["v"]},
        "trusted_authorities": authorities}]}),
    )
}

fn result(held: &Held, authorities: Value) -> Result<(), Mismatch> {
    let query = query(authorities).unwrap();
    query.credentials[0].select(&held.into())?;
    // What was chosen is complete to the verifier, which looks at the same path.
    let candidates = [Candidate { id: "c", held }];
    let selection = choose(&query, &candidates, &Wishes::default()).unwrap();
    assert_eq!(check(&query, &answer(&selection, &candidates)), Ok(()));
    Ok(())
}

#[test]
pub(crate) fn any_authority_of_the_path_by_any_entry_and_value() {
    let held = held("v", &json!({}), &[], &path());
    let aki = |keys: &[u8]| json!({"type": "aki", "values": keys.iter().map(|key| b64u([*key; 20])).collect::<Vec<_>>()});
    for known in [
        json!([aki(&[2])]),
        json!([aki(&[1])]),
        json!([aki(&[9, 1])]),
        json!([aki(&[9]), aki(&[2])]),
        json!([{"type": "etsi_tl", "values": ["https://list.example"]}, aki(&[2])]),
    ] {
        assert_eq!(result(&held, known.clone()), Ok(()), "{known}");
    }
    for unknown in [
        json!([aki(&[3])]),
        json!([aki(&[9])]),
        json!([{"type": "etsi_tl", "values": [b64u([2; 20])]}]),
        json!([{"type": "openid_federation", "values": ["https://federation.example"]}]),
        json!([{"type": "aki", "values": ["", "AgIC", "!"]}]),
    ] {
        assert_eq!(result(&held, unknown.clone()), Err(Mismatch::Authority), "{unknown}");
        let verifier = query(unknown.clone()).unwrap();
        assert_eq!(
            verifier.credentials[0].check_shown(&(&held).into()),
            Err(Mismatch::Authority),
            "{unknown}"
        );
    }
}

#[test]
pub(crate) fn a_path_without_names_is_under_nobody() {
    let held = held("v", &json!({}), &[], &[]);
    let authorities = json!([{"type": "aki", "values": [b64u([1; 20])]}]);
    assert_eq!(result(&held, authorities), Err(Mismatch::Authority));
}

#[test]
pub(crate) fn entries_are_of_their_form() {
    for (authorities, fault) in [
        (json!([]), DcqlError::Length),
        (json!([{"type": "aki", "values": []}]), DcqlError::Length),
        (json!([{"type": "aki"}]), DcqlError::Malformed),
        (json!([{"values": ["a"]}]), DcqlError::Malformed),
        (json!({"type": "aki", "values": ["a"]}), DcqlError::Malformed),
        (json!([{"type": "aki", "values": [1]}]), DcqlError::Malformed),
    ] {
        assert_eq!(query(authorities.clone()).unwrap_err(), fault, "{authorities}");
    }
}
