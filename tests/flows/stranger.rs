//! A service with other people's software: it asks in DCQL alone, for a registered purpose, and reads the answer by the
//! standard's own rules.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use vouchsafe::district::{RESIDENCY, residents};
use vouchsafe_issuer::Kind;
use vouchsafe_issuer::offer::{self, Delivery, OfferRequest};
use vouchsafe_protocol::dcql::{Query, Seen};
use vouchsafe_protocol::encoding::{b64, b64u, sha256};
use vouchsafe_protocol::jose::jwe::Encrypted;
use vouchsafe_protocol::jose::x5c::{Anchor, validate};
use vouchsafe_protocol::jose::{Enc, KeyAgreement as _, NamedJwk};
use vouchsafe_protocol::openid4vp::client_id;
use vouchsafe_protocol::openid4vp::link::{Link, Method};
use vouchsafe_protocol::sd_jwt::vc::{Rules, Status, Verified};
use vouchsafe_protocol::sd_jwt::{Unverified, key_binding};
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_service::clock::Clock as _;
use vouchsafe_service::dev_ca::{DevCa, Leaf};
use vouchsafe_service::entropy::OsEntropy;
use vouchsafe_service::keys::{AgreementKey, Jws, RingAead, SigningKey};
use vouchsafe_wallet::history::Event;
use vouchsafe_wallet::http::{Http, HttpError, Incoming, Outgoing, Sending};
use vouchsafe_wallet::review::{Ability, Wish};
use vouchsafe_wallet::words::Language;
use vouchsafe_wallet::{Confirmed, Review, Wallet};

use crate::house::{House, Line};
use crate::rogue::{incoming, part, sign, wallet};

const LIBRARY: &str = "https://library.larkfield.example";
const CARD: &str = "https://larkfield.example/purposes/library-card";
const HOME: &str = "https://larkfield.example/types/residency/1";
const INCOME: &str = "https://larkfield.example/types/income/1";
const NONCE: &str = "bm9uY2Utbm9uY2Utbm9uY2U";
const STATE: &str = "c3RhdGUtc3RhdGUtc3RhdGU";

/// The library, and a wallet that reaches it.
struct Town {
    house: House,
    library: Arc<Library>,
    wallet: Wallet,
}

/// One query; `more` are its other members.
fn one(id: &str, vct: &str, claim: &str, more: Value) -> Value {
    let mut query = json!({"id": id, "format": "dc+sd-jwt", "meta": {"vct_values": [vct]},
        "claims": [{"path": [claim]}]});
    query.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
    query
}

fn home() -> Value {
    one("home", HOME, "ward", json!({}))
}

/// The ward is needed; the address and the name are not.
fn with_options() -> Value {
    let (post, name) = (one("post", HOME, "address", json!({})), one("name", HOME, "name", json!({})));
    json!({"credentials": [name, home(), post], "credential_sets": [{"options": [["post"]], "required": false},
        {"options": [["home"]]}, {"options": [["name"]], "required": false}]})
}

impl Town {
    /// With a wallet that holds plain copies of each of these residents.
    async fn open(holders: &[u32]) -> Self {
        let house = House::open().await;
        let library = Arc::new(Library::new(&house).await);
        let wallet = wallet(&house, library.clone()).await;
        let town = Self { house, library, wallet };
        for number in holders {
            town.collect(*number).await;
        }
        town
    }

    async fn collect(&self, number: u32) {
        let (type_id, person) = (RESIDENCY.to_owned(), residents::person(number));
        let request = OfferRequest { type_id, person, kind: Kind::Plain, delivery: Delivery::Link };
        let offer = offer::create(&self.house.world.issuer, &request).await.unwrap();
        self.wallet.receive(&offer.link(), Some(offer.tx_code())).await.unwrap();
        // The wallet lists what came in by the second.
        self.house.clock.advance(1);
    }

    /// What the wallet says to `query`, with a wish.
    async fn review(&self, query: &Value, using: &[&str], adding: &[usize]) -> Result<Review, &'static str> {
        self.library.asks(query, self.house.clock.now());
        let using = using.iter().map(|id| (*id).to_owned()).collect();
        let wish = Wish { using, adding: adding.to_vec() };
        self.wallet.review_wishing(&self.library.link(), &wish).await.map_err(|refused| refused.code())
    }

    /// What the library reads when that is shared: the claims by query.
    async fn shared(
        &self,
        query: &Value,
        using: &[&str],
        adding: &[usize],
    ) -> Result<BTreeMap<String, Vec<Value>>, &'static str> {
        let review = self.review(query, using, adding).await?;
        self.wallet.share(&review, Confirmed::Share).await.map_err(|refused| refused.code())?;
        Ok(self.library.reads(query, self.house.clock.now()))
    }

    /// The ids of the batches that the wallet holds.
    async fn ids(&self) -> Vec<String> {
        self.wallet.list().await.unwrap().into_iter().map(|listed| listed.id).collect()
    }

    /// How many copies were shown.
    async fn spent(&self) -> usize {
        self.wallet.list().await.unwrap().iter().map(|listed| listed.copies.spent).sum()
    }
}

fn page(review: &Review, part: &str, language: Language) -> Vec<String> {
    let parts = review.page(language).parts;
    parts.into_iter().find(|one| one.id == part).map(|one| one.lines).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_service_can_do_without_is_told_and_sent_only_on_request() {
    let town = Town::open(&[residents::MET]).await;
    let query = with_options();
    let review = town.review(&query, &[], &[]).await.unwrap();
    let held = "From your “Larkfield residency”";
    let learn = page(&review, "learn", Language::En);
    assert!(learn[0].starts_with(held) && learn[1].contains("“your ward”"), "{learn:?}");
    assert!(!learn.iter().any(|line| line.contains("your address") || line.contains("your name")));
    let optional = page(&review, "optional", Language::En);
    assert!(
        optional[0].starts_with("Part 2, from your") && optional[1].contains("“your name”"),
        "{optional:?}"
    );
    assert!(optional[2].starts_with("Part 1, from your") && optional[3].contains("“your address”"));
    let optional = page(&review, "optional", Language::Cy);
    assert!(
        optional[2].starts_with("Rhan 1, o’ch") && optional[3].contains("“eich cyfeiriad”"),
        "{optional:?}"
    );
    let choices = page(&review, "choices", Language::En);
    assert!(choices.contains(&"You can add part 1.".to_owned()), "{choices:?}");
    // The same as data.
    let facts = serde_json::to_value(review.facts()).unwrap();
    assert_eq!((&facts["ways"], &facts["direct"]["ability"]), (&json!([]), &json!("can")));
    let part = |part: &Value| json!([part["query"], part["optional"], part["sent"]]);
    let parts: Vec<Value> = facts["direct"]["parts"].as_array().unwrap().iter().map(part).collect();
    assert_eq!(parts, [json!(["name", 2, false]), json!(["home", null, true]), json!(["post", 1, false])]);

    let read = town.shared(&query, &[], &[]).await.unwrap();
    assert_eq!(read.keys().collect::<Vec<_>>(), ["home"]);
    assert_eq!(read["home"][0]["ward"], "W102");
    assert!(read["home"][0].get("address").is_none() && read["home"][0].get("name").is_none());
    assert_eq!(town.spent().await, 1);

    let review = town.review(&query, &[], &[1]).await.unwrap();
    let learn = page(&review, "learn", Language::En);
    assert!(learn.contains(&"– you added part 1, which they can do without".to_owned()), "{learn:?}");
    let read = town.shared(&query, &[], &[1]).await.unwrap();
    assert_eq!(read.keys().collect::<Vec<_>>(), ["home", "post"]);
    assert_eq!(read["post"][0]["address"], "42 Canary Street, Larkfield");
    assert!(read["home"][0].get("address").is_none(), "each presentation shows its own");
    assert_eq!(town.spent().await, 3);
    let newest = town.wallet.history().await.unwrap().remove(0).event;
    let Event::Shared { names, contrary: false, acknowledged: true, .. } = newest else {
        panic!("{newest:?}")
    };
    let names: Vec<_> = names.iter().map(|name| name.pointer.as_str()).collect();
    assert_eq!(names, ["/ward", "/address"]);
    for adding in [0, 3] {
        assert_eq!(town.review(&query, &[], &[adding]).await.err(), Some("wish"), "{adding}");
    }
    #[cfg(feature = "mutants")]
    assert!(vouchsafe_mutants::without_async("wallet-wish", town.review(&query, &[], &[3])).await.is_ok());
    town.house.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_where_a_part_that_is_needed_is_missing() {
    let town = Town::open(&[residents::MET]).await;
    let income = one("income", INCOME, "income", json!({}));
    let both = json!([home(), income]);
    let post = one("post", HOME, "address", json!({}));
    let elsewhere = one("home", HOME, "ward", json!({"claims": [{"path": ["ward"], "values": ["W999"]}]}));
    for (query, ability, code) in [
        (json!({"credentials": both}), Ability::NoneHeld, "none-held"),
        (
            json!({"credentials": both, "credential_sets": [{"options": [["home", "income"]]}]}),
            Ability::NoneHeld,
            "none-held",
        ),
        (
            json!({"credentials": [income, post], "credential_sets": [{"options": [["income"]]},
                {"options": [["post"]], "required": false}]}),
            Ability::NoneHeld,
            "none-held",
        ),
        (json!({"credentials": [elsewhere]}), Ability::NotMet, "not-met"),
    ] {
        for adding in [&[][..], &[1]] {
            let Ok(review) = town.review(&query, &[], adding).await else { panic!("a review of {query}") };
            let direct = review.facts().direct.as_ref().unwrap();
            assert_eq!((direct.ability, direct.sent().count()), (ability, 0), "{query}");
            let refused = town.wallet.share(&review, Confirmed::Share).await.unwrap_err();
            assert_eq!(refused.code(), code, "{query}");
            let choices = page(&review, "choices", Language::En);
            assert!(!choices[0].starts_with("Share") && choices[1] == "Do not share.", "{choices:?}");
        }
    }
    assert_eq!((town.library.posts(), town.spent().await), (0, 0));
    // Whoever cannot says no like everybody else.
    let review = town.review(&json!({"credentials": both}), &[], &[]).await.unwrap();
    town.wallet.decline(&review).await.unwrap();
    assert_eq!(town.library.told_error().as_deref(), Some("access_denied"));
    town.house.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_never_empty() {
    let town = Town::open(&[residents::MET]).await;
    let post = one("post", HOME, "address", json!({}));
    let query =
        json!({"credentials": [post], "credential_sets": [{"options": [["post"]], "required": false}]});
    let review = town.review(&query, &[], &[]).await.unwrap();
    let choices = page(&review, "choices", Language::En);
    assert!(choices[0].starts_with("They need nothing of this."), "{choices:?}");
    let share = || town.wallet.share(&review, Confirmed::Share);
    assert_eq!(share().await.unwrap_err().code(), "nothing-added");
    assert_eq!(town.library.posts(), 0);
    #[cfg(feature = "mutants")]
    {
        assert!(vouchsafe_mutants::without_async("wallet-empty-answer", share()).await.is_ok());
        assert_eq!(town.library.posts(), 1);
    }
    let contrary = town.wallet.share(&review, Confirmed::Contrary).await.unwrap_err();
    assert_eq!(contrary.code(), "no-contrary");
    assert_eq!(town.shared(&query, &[], &[1]).await.unwrap().keys().collect::<Vec<_>>(), ["post"]);
    town.house.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_resident_says_which_credentials_answer() {
    let town = Town::open(&[residents::MET, residents::NEIGHBOUR]).await;
    let ids = town.ids().await;
    let (one_id, other_id) = (ids[0].as_str(), ids[1].as_str());
    let asks =
        |multiple: bool| json!({"credentials": [one("home", HOME, "name", json!({"multiple": multiple}))]});
    let names = |read: BTreeMap<String, Vec<Value>>| {
        read["home"].iter().map(|claims| claims["name"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
    };
    let all: BTreeSet<String> = ["Resident 0042".to_owned(), "Resident 0150".to_owned()].into();
    for multiple in [false, true] {
        // One by default, also where several could be sent; the others are told of.
        let query = asks(multiple);
        let review = town.review(&query, &[], &[]).await.unwrap();
        let direct = review.facts().direct.as_ref().unwrap();
        let sent: Vec<_> = direct.sent().map(|part| part.held.as_ref().unwrap().id.as_str()).collect();
        assert_eq!((sent.len(), direct.others.len()), (1, 1));
        assert_eq!(direct.others[0].beside, multiple);
        let line = if multiple { "You can send one more" } else { "You could answer with another" };
        let choices = page(&review, "choices", Language::En);
        assert!(choices.iter().any(|choice| choice.starts_with(line)), "{choices:?}");
        assert_eq!(
            names(town.shared(&query, &[one_id], &[]).await.unwrap()),
            ["Resident 0042".to_owned()].into()
        );
        assert_eq!(
            names(town.shared(&query, &[other_id], &[]).await.unwrap()),
            ["Resident 0150".to_owned()].into()
        );
    }
    assert_eq!(names(town.shared(&asks(true), &[one_id, other_id], &[]).await.unwrap()), all);
    assert_eq!(town.review(&asks(false), &[one_id, other_id], &[]).await.err(), Some("wish"));
    assert_eq!(town.review(&asks(true), &["none-of-mine"], &[]).await.err(), Some("wish"));
    town.house.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_that_answers_by_another_option_can_be_named() {
    let town = Town::open(&[residents::MET, residents::NEIGHBOUR]).await;
    let ids = town.ids().await;
    let in_ward = |id: &str, ward: &str| {
        one(id, HOME, "ward", json!({"claims": [{"path": ["ward"], "values": [ward]}]}))
    };
    let query = json!({"credentials": [in_ward("near", "W102"), one("far", HOME, "name", json!({}))],
        "credential_sets": [{"options": [["near"], ["far"]]}]});
    assert_eq!(town.shared(&query, &[], &[]).await.unwrap().keys().collect::<Vec<_>>(), ["near"]);
    let review = town.review(&query, &[], &[]).await.unwrap();
    let others = &review.facts().direct.as_ref().unwrap().others;
    assert_eq!((others.len(), others[0].held.id.as_str()), (1, ids[1].as_str()));
    let read = town.shared(&query, &[ids[1].as_str()], &[]).await.unwrap();
    assert_eq!(read["far"][0]["name"], "Resident 0150");
    town.house.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_credentials_under_the_authorities_that_are_named_answer() {
    let town = Town::open(&[residents::MET]).await;
    let under = |values: Value| {
        json!({"credentials": [one("home", HOME, "ward", json!({"trusted_authorities":
            [{"type": "etsi_tl", "values": ["https://list.example"]}, {"type": "aki", "values": values}]}))]})
    };
    let ours = town.library.authority();
    for (known, values) in
        [(true, json!([ours])), (true, json!([b64u([9; 20]), ours])), (false, json!([b64u([9; 20])]))]
    {
        let query = under(values);
        let review = town.review(&query, &[], &[]).await.unwrap();
        let ability = if known { Ability::Can } else { Ability::NotMet };
        assert_eq!(review.facts().direct.as_ref().unwrap().ability, ability, "{query}");
    }
    assert_eq!(town.shared(&under(json!([ours])), &[], &[]).await.unwrap()["home"][0]["ward"], "W102");
    assert_eq!(town.shared(&under(json!([b64u([9; 20])])), &[], &[]).await.err(), Some("not-met"));
    assert_eq!(town.library.posts(), 1);
    town.house.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purpose_limits_a_query_alone() {
    let town = Town::open(&[residents::MET]).await;
    let asks = |claim: &str| json!({"credentials": [one("home", HOME, claim, json!({}))]});
    assert!(town.review(&asks("ward"), &[], &[]).await.is_ok());
    assert_eq!(town.review(&asks("birth_date"), &[], &[]).await.err(), Some("over-asking"));
    assert_eq!(town.library.told_error().as_deref(), Some("invalid_request"));
    let mut optional = with_options();
    optional["credentials"][2]["claims"][0]["path"] = json!(["birth_date"]);
    assert_eq!(town.review(&optional, &[], &[]).await.err(), Some("over-asking"));
    town.house.world.stop().await;
}

/// Who cannot scan types: the code leads to the request of the page that shows it, and nowhere else.
#[tokio::test(flavor = "multi_thread")]
async fn a_typed_code_leads_to_the_request_of_its_page() {
    let house = House::open().await;
    let resident = house.resident(residents::MET).await;
    let mut question = house.ask().await;
    let shown = question.html.split_once("<p class=\"code\">").unwrap().1;
    let code = shown.split_once("</p>").unwrap().0.to_lowercase();
    let page = question.asked.url.clone();
    let refused = async |page: &str, code: &str| resident.wallet.find(page, code).await.unwrap_err().code();
    // U is in no code.
    assert_eq!(refused(&page, "UUUU-UUUU").await, "typed-code");
    assert_eq!(refused("openid4vp://x", &code).await, "link");
    let link = resident.wallet.find(&page, &code).await.unwrap();
    let back = resident.share(&link).await.unwrap();
    question.browser.open(&back).await.unwrap();
    assert_eq!(house.outcome(&question).await.as_deref(), Some("met"));

    let elsewhere = Arc::new(Elsewhere(house.line.clone()));
    let wallet = wallet(&house, elsewhere).await;
    let led_away = async || wallet.find(LIBRARY, &code).await.map_err(|refused| refused.code());
    assert_eq!(led_away().await.unwrap_err(), "link-address");
    #[cfg(feature = "mutants")]
    assert!(vouchsafe_mutants::without_async("wallet-code-origin", led_away()).await.is_ok());
    house.world.stop().await;
}

/// A page whose codes lead to somebody else's request.
struct Elsewhere(Arc<Line>);

impl Http for Elsewhere {
    fn send<'a>(&'a self, request: Outgoing<'a>) -> Sending<'a, Result<Incoming, HttpError>> {
        if !request.url.starts_with(LIBRARY) {
            return self.0.send(request);
        }
        let found = json!({"client_id": "x509_hash:A", "request_uri": "https://elsewhere.example/r/1"});
        Box::pin(async move { Ok(incoming("application/json", found.to_string().into_bytes())) })
    }
}

/// The library, with what the registrar signed for it.
struct Library {
    leaf: Leaf,
    key: AgreementKey,
    service: String,
    purpose: String,
    anchor: Anchor,
    line: Arc<Line>,
    object: Mutex<String>,
    posts: Mutex<Vec<Vec<u8>>>,
}

impl Library {
    async fn new(house: &House) -> Self {
        let read = |name: &str| std::fs::read_to_string(house.world.district.dir().join(name)).unwrap();
        let (pem, key) = (read("anchor.pem"), read("anchor.key"));
        let authority = DevCa::from_pem("Larkfield anchor (development)", &pem, &key).unwrap();
        let leaf = authority.signer(LIBRARY, SigningKey::generate().unwrap(), house.clock.now()).unwrap();
        let registrar = SigningKey::from_pkcs8_pem(&read("registrar.pem")).unwrap();
        // What the registrar signed for the bus operator is the pattern.
        let question = house.ask().await;
        let seen = house.http().get(&Link::parse(&question.link).unwrap().request_uri).send().await.unwrap();
        let claims = part(std::str::from_utf8(&seen.body).unwrap(), 1);
        let signed = |info: usize, change: &dyn Fn(&mut Value)| {
            let jws = claims["verifier_info"][info]["data"].as_str().unwrap();
            let mut payload = part(jws, 1);
            change(&mut payload);
            sign(&part(jws, 0), &payload, &registrar)
        };
        let own = client_id(&sha256(&leaf.certificate));
        let service = signed(0, &|entry| {
            entry["sub"] = json!(LIBRARY);
            entry["name"] = json!({"en": "Larkfield Library", "cy": "Llyfrgell Larkfield"});
            entry["client_ids"] = json!([own]);
            entry["purposes"] = json!([CARD]);
        });
        let purpose = signed(1, &|entry| {
            let may = |vct: &str, claim: &str| json!({"vct": vct, "pointer": format!("/{claim}"), "how": "show", "rules": []});
            entry["sub"] = json!(CARD);
            entry["text"] =
                json!({"en": "To give you a library card.", "cy": "I roi cerdyn llyfrgell i chi."});
            entry["may_ask"] =
                json!([may(HOME, "ward"), may(HOME, "address"), may(HOME, "name"), may(INCOME, "income")]);
        });
        Self {
            leaf,
            key: AgreementKey::generate(&OsEntropy::new()),
            service,
            purpose,
            anchor: Anchor::from_der(authority.certificate().to_vec()).unwrap(),
            line: house.line.clone(),
            object: Mutex::default(),
            posts: Mutex::default(),
        }
    }

    fn client_id(&self) -> String {
        client_id(&sha256(&self.leaf.certificate))
    }

    fn link(&self) -> String {
        let (client_id, request_uri) = (self.client_id(), format!("{LIBRARY}/r/1"));
        Link { client_id, request_uri, method: Method::Get }.to_string()
    }

    /// The identifier of the key that signed its certificate, which signed the issuer's too.
    fn authority(&self) -> String {
        // AuthorityKeyIdentifier, its OID and the lengths of an identifier of twenty bytes.
        let head = [0x55, 0x1d, 0x23, 0x04, 0x18, 0x30, 0x16, 0x80, 0x14];
        let der: &[u8] = &self.leaf.certificate;
        let at = der.windows(head.len()).position(|window| window == head).unwrap() + head.len();
        b64u(&der[at..at + 20])
    }

    /// Asks `query` from now on.
    fn asks(&self, query: &Value, now: UnixTime) {
        let (kid, usage, alg) = (Some("e".to_owned()), Some("enc".to_owned()), Some("ECDH-ES".to_owned()));
        let key = NamedJwk { key: self.key.public().clone(), kid, usage, alg }.to_value();
        let info =
            |kind: &str, data: &str| json!({"format": format!("urn:vouchsafe:{kind}:1"), "data": data});
        let claims = json!({"aud": "https://self-issued.me/v2", "client_id": self.client_id(),
            "response_type": "vp_token", "response_mode": "direct_post.jwt", "response_uri": format!("{LIBRARY}/a/1"),
            "nonce": NONCE, "state": STATE, "iat": now.0, "exp": now.0 + 300, "dcql_query": query,
            "verifier_info": [info("service", &self.service), info("purpose", &self.purpose)],
            "client_metadata": {"jwks": {"keys": [key]},
                "encrypted_response_enc_values_supported": ["A256GCM"],
                "vp_formats_supported": {"dc+sd-jwt": {"sd-jwt_alg_values": ["ES256"], "kb-jwt_alg_values": ["ES256"]}}}});
        let header =
            json!({"alg": "ES256", "typ": "oauth-authz-req+jwt", "x5c": [b64(&self.leaf.certificate)]});
        *self.object.lock().unwrap() = sign(&header, &claims, &self.leaf.key);
    }

    fn posts(&self) -> usize {
        self.posts.lock().unwrap().len()
    }

    fn member(&self, name: &str) -> Option<String> {
        let posts = self.posts.lock().unwrap();
        let form: BTreeMap<String, String> =
            url::form_urlencoded::parse(posts.last().unwrap()).into_owned().collect();
        form.get(name).cloned()
    }

    fn told_error(&self) -> Option<String> {
        self.member("error")
    }

    /// The claims of the last answer by query: every signature, every binding, and that it answers `query` whole.
    fn reads(&self, query: &Value, now: UnixTime) -> BTreeMap<String, Vec<Value>> {
        let jwe = Encrypted::parse(&self.member("response").unwrap()).unwrap();
        let plain = jwe.decrypt(&Enc::ALL, &self.key, &RingAead).unwrap();
        let said: Value = serde_json::from_slice(&plain).unwrap();
        assert_eq!(said["state"], STATE);
        let verified = |text: &Value| self.verified(text.as_str().unwrap(), now);
        let token = said["vp_token"].as_object().unwrap().iter();
        let token: BTreeMap<&str, Vec<Verified>> = token
            .map(|(id, all)| (id.as_str(), all.as_array().unwrap().iter().map(verified).collect()))
            .collect();
        let seen = token.iter().map(|(id, all)| (*id, all.iter().map(Seen::from).collect())).collect();
        assert_eq!(Query::from_value(query).unwrap().check_answer(&seen), Ok(()));
        let claims = |all: &[Verified]| all.iter().map(|one| json!(one.claims())).collect();
        token.iter().map(|(id, all)| ((*id).to_owned(), claims(all))).collect()
    }

    fn verified(&self, text: &str, now: UnixTime) -> Verified {
        let aud = self.client_id();
        let expected = key_binding::Expected { aud: &aud, nonce: NONCE, now, max_age: key_binding::MAX_AGE };
        let bound = Unverified::parse(text).unwrap().check_binding(&expected).unwrap();
        let anchors = std::slice::from_ref(&self.anchor);
        let leaf = validate(bound.parts().x5c().unwrap(), anchors, now, &Jws).unwrap();
        let rules = Rules { now, audience: &aud, status: Status::NotInType };
        bound.check_signatures(Arc::new(leaf), &Jws).unwrap().accept(&rules).unwrap()
    }
}

impl Http for Library {
    fn send<'a>(&'a self, request: Outgoing<'a>) -> Sending<'a, Result<Incoming, HttpError>> {
        if !request.url.starts_with(LIBRARY) {
            return self.line.send(request);
        }
        if let Some((_, form)) = &request.body {
            self.posts.lock().unwrap().push(form.to_vec());
            return Box::pin(async { Ok(incoming("application/json", b"{}".to_vec())) });
        }
        let object = self.object.lock().unwrap().clone().into_bytes();
        Box::pin(async { Ok(incoming("application/oauth-authz-req+jwt", object)) })
    }
}
