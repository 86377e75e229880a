//! Requests without a policy: what a wallet takes, and what it refuses.

use serde_json::{Value, json};
use vouchsafe_protocol::openid4vp::request::{Expected, Question, RequestError, Unverified, Verified};
use vouchsafe_protocol::policy::NotCovered;
use vouchsafe_protocol::text::Env;

use crate::district::{District, NOW, SERVICE, policy, spoiled};

const PLAIN: &str = "https://larkfield.example/types/residency/1";

struct Case {
    district: District,
    claims: Value,
}

fn one(id: &str, vct: &str, claims: Value) -> Value {
    json!({"id": id, "format": "dc+sd-jwt", "meta": {"vct_values": [vct]}, "claims": claims})
}

fn query() -> Value {
    json!({"credentials": [
            one("home", PLAIN, json!([{"path": ["ward"]}])),
            one("age", PLAIN, json!([{"path": ["birth_date"]}])),
            {"id": "licence", "format": "mso_mdoc", "meta": {"doctype_value": "org.iso.18013.5.1.mDL"},
                "claims": [{"path": ["org.iso.18013.5.1", "portrait"]}]}],
        "credential_sets": [{"options": [["home"], ["licence"]]}, {"options": [["age"]], "required": false}]})
}

impl Case {
    /// What our own service would send, but for its policy and all that belongs to it.
    fn new() -> Self {
        let district = District::new();
        let register = district.register();
        let asked = district.asked(&register, policy());
        let mut claims = district.request(&register, &asked);
        claims["dcql_query"] = query();
        claims["verifier_info"].as_array_mut().unwrap().truncate(2);
        Self { district, claims }
    }

    fn verify(&self, claims: &Value) -> Result<Verified<Question>, RequestError> {
        let (client_id, anchors) = (self.district.client_id(), [self.district.anchor.clone()]);
        let (env, judge) = (Env::Test, self.district.judge());
        let expected = Expected { client_id: &client_id, wallet_nonce: None, env, anchors: &anchors, judge };
        Unverified::parse(&self.district.sign_request(claims))?.verify_question(&expected)
    }

    fn spoil(&self, pointer: &str, member: Value) -> RequestError {
        self.verify(&spoiled(&self.claims, pointer, member)).err().unwrap()
    }
}

fn over_asking(vct: &str, pointer: &str) -> RequestError {
    RequestError::OverAsking(NotCovered { vct: vct.to_owned(), pointer: pointer.to_owned(), how: "show" })
}

#[test]
pub(crate) fn a_query_alone_is_taken_for_a_registered_purpose() {
    let case = Case::new();
    let verified = case.verify(&case.claims).unwrap();
    assert_eq!((verified.service().sub.as_str(), verified.reg_version()), (SERVICE, 7));
    let Question::Plain(asked) = verified.asked() else { panic!("there is no policy") };
    assert_eq!(serde_json::to_value(asked.query()).unwrap(), query());
    assert_eq!((asked.as_of(), verified.asked().as_of()), (NOW.london_date(), NOW.london_date()));
    assert_eq!(verified.asked().party(), asked.party());
    // Who expects a policy takes none of it.
    let (client_id, anchors) = (case.district.client_id(), [case.district.anchor.clone()]);
    let (env, judge) = (Env::Test, case.district.judge());
    let expected = Expected { client_id: &client_id, wallet_nonce: None, env, anchors: &anchors, judge };
    let parsed = Unverified::parse(&case.district.sign_request(&case.claims)).unwrap();
    assert_eq!(parsed.verify(&expected).err(), Some(RequestError::Info));
}

#[test]
pub(crate) fn a_policy_is_carried_whole_or_not_at_all() {
    let district = District::new();
    let register = district.register();
    let claims = district.request(&register, &district.asked(&register, policy()));
    let case = Case { district, claims };
    assert!(matches!(case.verify(&case.claims).unwrap().asked(), Question::Policy(_)));
    let infos = case.claims["verifier_info"].as_array().unwrap();
    let formats: Vec<_> = infos.iter().map(|info| info["format"].as_str().unwrap()).collect();
    assert_eq!(formats.len(), 6);
    // Any part of it alone means a policy whose other parts are missing.
    for kept in 2..formats.len() {
        let part = json!([infos[0], infos[1], infos[kept]]);
        assert_eq!(case.spoil("/verifier_info", part), RequestError::Info, "{}", formats[kept]);
    }
}

#[test]
pub(crate) fn a_query_alone_without_the_registrars_word() {
    let case = Case::new();
    let infos = &case.claims["verifier_info"];
    for (what, left) in [
        ("nothing", json!([])),
        ("missing", Value::Null),
        ("no purpose", json!([infos[0]])),
        ("no service", json!([infos[1]])),
        ("another order", json!([infos[1], infos[0]])),
        ("twice", json!([infos[0], infos[1], infos[1]])),
        ("in another form", json!([infos[0], {"format": infos[1]["format"], "data": {}}])),
    ] {
        assert_eq!(case.spoil("/verifier_info", left), RequestError::Info, "{what}");
    }
}

#[test]
pub(crate) fn a_query_alone_that_asks_for_more_than_its_purpose() {
    let case = Case::new();
    let claim = |path: Value| case.spoil("/dcql_query/credentials/0/claims/0/path", path);
    assert_eq!(claim(json!(["name"])), over_asking(PLAIN, "/name"));
    assert_eq!(claim(json!(["ward", null])), over_asking(PLAIN, ""));
    // What is optional is no more allowed.
    let optional = case.spoil("/dcql_query/credentials/1/claims/0/path", json!(["name"]));
    assert_eq!(optional, over_asking(PLAIN, "/name"));
    // A type is asked for even where no claim of it is.
    let proof = format!("{PLAIN}/zk");
    let without =
        |vct: &str| json!({"id": "home", "format": "dc+sd-jwt", "meta": {"vct_values": [PLAIN, vct]}});
    assert_eq!(case.spoil("/dcql_query/credentials/0", without(&proof)), over_asking(&proof, ""));
    let other = "https://larkfield.example/types/income/1";
    assert_eq!(case.spoil("/dcql_query/credentials/0", without(other)), over_asking(other, ""));
}

#[test]
pub(crate) fn a_query_alone_proves_nothing() {
    let case = Case::new();
    let statement = json!([{"id": "age", "terms": [{"query": "age", "pointer": "/birth_date", "coeff": 1}],
        "op": "le", "k": "131699", "rule": {"kind": "fixed"}}]);
    assert_eq!(case.spoil("/dcql_query/statements", statement), RequestError::Statements);
}
