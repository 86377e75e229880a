//! Which credentials answer together, on batches made for it.

use jiff::civil::date;
use serde_json::{Map, Value, json};
use vouchsafe_proofs::commitment::Commitment;
use vouchsafe_proofs::context::{Attribute, ReplyTo, SignedRange};
use vouchsafe_proofs::encoding::Text;
use vouchsafe_proofs::statement::{Predicate, Term};
use vouchsafe_protocol::jose::Alg;
use vouchsafe_protocol::jose::Signer as _;
use vouchsafe_protocol::jose::jws::NewHeader;
use vouchsafe_protocol::openid4vp::Party;
use vouchsafe_protocol::policy::Policy;
use vouchsafe_protocol::sd_jwt::{self, Builder};
use vouchsafe_protocol::text::Env;
use vouchsafe_protocol::trust::{Row, Tables};
use vouchsafe_service::entropy::{EntropyRng, OsEntropy};
use vouchsafe_service::keys::SigningKey;
use zeroize::Zeroizing;

use super::*;
use crate::review::batch::Secret;
use crate::review::together::{About, Together};
use crate::review::{Mark, What};
use crate::store::{Count, bare_label};
use crate::vault::{Cost, Vault};
use crate::words::Language;

const PAY: &str = "https://larkfield.example/types/pay/1/zk";
const HOME: &str = "https://larkfield.example/types/home/1/zk";
const ONE: &str = "https://one.example";
const TWO: &str = "https://two.example";
const WARDS: &str = "https://registrar.example/wards";
const NOW: UnixTime = UnixTime(1_795_262_400);

/// A batch in the making.
#[derive(Clone)]
struct Made {
    vct: &'static str,
    iss: &'static str,
    period: Option<&'static str>,
    facts: &'static str,
    numbers: Vec<(&'static str, u64)>,
    texts: Vec<(&'static str, &'static str)>,
    linked: bool,
}

fn pay(iss: &'static str, person: &'static str, total: u64) -> Made {
    Made {
        vct: PAY,
        iss,
        period: Some("2026-10"),
        facts: "2026-11-02",
        numbers: vec![("/total", total)],
        texts: vec![("/person", person), ("/source", "AA-0001-A")],
        linked: false,
    }
}

fn home(person: &'static str, household: &'static str) -> Made {
    Made {
        vct: HOME,
        iss: ONE,
        period: None,
        facts: "2026-11-02",
        numbers: vec![("/adults", 2), ("/ward", 3)],
        texts: vec![("/person", person), ("/household", household)],
        linked: false,
    }
}

impl Made {
    fn credential(&self) -> Credential {
        let attributes = self.numbers.iter().map(|one| one.0).chain(self.texts.iter().map(|one| one.0));
        let attribute =
            |pointer: &str| store::Attribute { pointer: pointer.to_owned(), label: bare_label(pointer) };
        Credential {
            vct: self.vct.to_owned(),
            iss: self.iss.to_owned(),
            issuer: bare_label(self.iss.trim_start_matches("https://")),
            env: Env::Test,
            name: bare_label(if self.vct == PAY { "pay" } else { "home" }),
            facts_as_of: Some(self.facts.to_owned()),
            period: self.period.map(str::to_owned),
            expires_at: NOW.0 + 86_400 * 60,
            received_at: NOW.0,
            attributes: attributes.map(attribute).collect(),
            anchors: Vec::new(),
        }
    }

    async fn look(&self) -> Look {
        let key = SigningKey::generate().unwrap();
        let mut claims =
            Map::from_iter([("iss".to_owned(), json!(self.iss)), ("vct".to_owned(), json!(self.vct))]);
        claims.extend(self.period.map(|period| ("period".to_owned(), json!(period))));
        let header = NewHeader::new(Alg::Es256, "dc+sd-jwt").encode();
        let builder = Builder::new(claims).holder(key.public());
        let issuable = builder.build(&header, &mut EntropyRng(&OsEntropy::new())).unwrap();
        let copy = sd_jwt::Held::dangerous_from_store(&issuable.sign(&key).await.unwrap()).unwrap();
        let signed = |pointer: &str, enc, unit: &str, range| Attribute {
            pointer: pointer.to_owned(),
            enc,
            unit: unit.to_owned(),
            range,
            c: Commitment([0; 32]),
        };
        let range = |hi| Some(SignedRange { b: 32, lo: 0, hi });
        let number = |pointer: &str| match pointer {
            "/ward" => signed(pointer, Encoding::Code, "wards", range(10)),
            "/total" => signed(pointer, Encoding::Pence, "GBP-pence", range(10_000_000)),
            _ => signed(pointer, Encoding::Int, "people", range(20)),
        };
        let mut attributes: Vec<_> = self.numbers.iter().map(|one| number(one.0)).collect();
        attributes.extend(self.texts.iter().map(|one| signed(one.0, Encoding::Str, one.0, None)));
        let numbers = self.numbers.iter();
        let mut values: BTreeMap<String, Secret> =
            numbers.map(|(at, v)| ((*at).to_owned(), Secret::Integer(Zeroizing::new(*v)))).collect();
        let texts = self.texts.iter();
        values.extend(texts.map(|(at, text)| ((*at).to_owned(), Secret::Text(Text::new(at, text)))));
        let claims = Value::Object(copy.claims().clone());
        Look { copy, claims, suspended: false, linked: self.linked, attributes, values }
    }
}

/// A wallet that holds these, by the number of each.
struct Pocket(Vec<(String, Credential)>, Vec<Made>);

impl Pocket {
    fn of(made: &[Made]) -> Self {
        let credentials = made.iter().enumerate().map(|(at, one)| (at.to_string(), one.credential()));
        Self(credentials.collect(), made.to_vec())
    }

    async fn batches(&self) -> Vec<Batch<'_>> {
        let mut all = Vec::new();
        for ((id, credential), made) in self.0.iter().zip(&self.1) {
            let (count, look) = (Count { unused: 30, ..Count::default() }, Ok(made.look().await));
            all.push(Batch { id, credential, count, look });
        }
        all
    }

    /// The first way of `policy`, as this wallet sees it.
    async fn way_using(&self, policy: &Value, using: &[&str]) -> Way {
        let directory = tempfile::tempdir().unwrap();
        let vault =
            Vault::open(directory.path(), b"passphrase", Cost::LEAST, &OsEntropy::new()).await.unwrap();
        let (asked, batches) = (asked(policy), self.batches().await);
        let using: Vec<String> = using.iter().map(|id| (*id).to_owned()).collect();
        let chosen = asked.option(0).unwrap();
        let assessor = Assessor::new(&asked, &chosen, &batches, &self.0, NOW, &using);
        assessor.way(&vault, "https://meals.example").await.unwrap()
    }

    async fn way(&self, policy: &Value) -> Way {
        self.way_using(policy, &[]).await
    }
}

fn ids(way: &Way) -> Vec<Option<&str>> {
    way.parts.iter().map(|part| part.held.as_ref().map(|held| held.id.as_str())).collect()
}

fn asked(policy: &Value) -> Asked {
    let party = Party {
        service: "https://meals.example".to_owned(),
        client_id: "x509_hash:a".to_owned(),
        nonce: "n".to_owned(),
        state_sha256: [0; 32],
        reply_to: ReplyTo::ResponseUri("https://meals.example/a".to_owned()),
        encryption_key: None,
    };
    let mut tables = Tables::default();
    for (id, wards) in
        [(WARDS, [1, 3, 5, 7].as_slice()), ("https://registrar.example/most", &[0, 1, 2, 3, 4, 5, 6, 8])]
    {
        let row = |index: &u32| json!({"code": format!("W{index}"), "index": index, "name": {"en": "w", "cy": "w"}});
        let rows: Vec<Row> = wards.iter().map(|index| serde_json::from_value(row(index)).unwrap()).collect();
        tables.insert_unsigned(id, 1, &rows).unwrap();
    }
    Asked::new(party, Policy::from_json(policy.clone()).unwrap(), tables, date(2026, 11, 21)).unwrap()
}

fn need(id: &str, vct: &str, iss: &str, person: &str) -> Value {
    let mut need = json!({"id": id, "vct": vct, "iss": [iss], "max_age_days": 60, "person": person,
        "person_at": "/person"});
    if vct == PAY {
        need["period"] = json!({"kind": "month", "back": 1});
    }
    need
}

fn fixed(id: &str, op: &str, k: &str, terms: &[(&str, &str, i64)]) -> Value {
    let term = |(need, pointer, coeff): &(&str, &str, i64)| json!({"need": need, "pointer": pointer, "coeff": coeff});
    json!({"id": id, "op": op, "k": k, "rule": {"kind": "fixed"}, "terms": terms.iter().map(term).collect::<Vec<_>>()})
}

fn policy(subject: &str, needs: Value, conditions: Value) -> Value {
    let route = json!({"en": "Ask at school.", "cy": "Gofynnwch yn yr ysgol."});
    let mut way = json!({"id": "way"});
    (way["needs"], way["conditions"]) = (needs, conditions);
    json!({"id": "meals", "version": 1, "purpose": "meals", "subject": subject, "subject_binding": "same_device",
        "other_route": route, "ways": [way]})
}

/// One person's pay from two payers, below a bound.
fn meals() -> Value {
    let needs = json!([need("pay1", PAY, ONE, "me"), need("pay2", PAY, TWO, "me")]);
    let low = fixed("low", "le", "150000", &[("pay1", "/total", 1), ("pay2", "/total", 1)]);
    policy("same_person", needs, json!([low]))
}

/// Two adults of one household.
fn household() -> Value {
    let needs = json!([
        need("homea", HOME, ONE, "a"),
        need("paya", PAY, ONE, "a"),
        need("homeb", HOME, ONE, "b"),
        need("payb", PAY, ONE, "b")
    ]);
    let linked = fixed("home", "eq", "0", &[("homea", "/household", 1), ("homeb", "/household", -1)]);
    let adults = fixed("adults", "eq", "2", &[("homea", "/adults", 1)]);
    let low = fixed("low", "le", "200000", &[("paya", "/total", 1), ("payb", "/total", 1)]);
    policy("same_household", needs, json!([linked, adults, low]))
}

fn in_list(op: &str, id: &str) -> Value {
    let rule = json!({"kind": "codes", "id": id, "version": 1});
    let terms = json!([{"need": "home", "pointer": "/ward"}]);
    let mut need = json!({"id": "home", "vct": HOME, "max_age_days": 60});
    need["iss"] = json!([ONE]);
    let condition = json!({"id": "ward", "op": op, "rule": rule, "terms": terms});
    policy("same_person", json!([need]), json!([condition]))
}

#[tokio::test]
async fn each_query_is_answered_by_a_credential_of_its_own() {
    let way = Pocket::of(&[pay(TWO, "a", 50_000), pay(ONE, "a", 90_000)]).way(&meals()).await;
    assert_eq!((way.ability, ids(&way)), (Ability::Can, vec![Some("1"), Some("0")]));
    let [Together::Sum(sum), Together::Compared(same)] = way.together.as_slice() else {
        panic!("{:?}", way.together)
    };
    assert_eq!((sum.bounds.as_slice(), sum.terms.len()), ([150_000].as_slice(), 2));
    assert!(same.equal && same.about == About::Person && same.terms.len() == 2);
    assert!(way.parts.iter().all(|part| part.learn.len() == 1 && !part.stale));
    assert!(matches!(&way.parts[0].learn[0].what, What::Period(month) if month == "2026-10"));
    assert_eq!(way.counted.keys().collect::<Vec<_>>(), ["/person", "/total"]);
}

#[tokio::test]
async fn what_is_missing_is_told_by_body_and_month() {
    let one = pay(ONE, "a", 90_000);
    let old = Made { period: Some("2026-09"), ..pay(TWO, "a", 1) };
    for held in [vec![one.clone()], vec![one.clone(), old]] {
        let way = Pocket::of(&held).way(&meals()).await;
        assert_eq!((way.ability, ids(&way)), (Ability::NoneHeld, vec![Some("0"), None]));
        let wanted = &way.parts[1].wanted;
        assert_eq!((wanted.name.en.as_str(), wanted.issuers[0].en.as_str()), ("pay", "two.example"));
        assert_eq!(wanted.period.as_deref(), Some("2026-10"));
    }
    // Nothing known of the type: it is named as the service names it.
    let way = Pocket::of(&[]).way(&meals()).await;
    assert_eq!(way.parts[0].wanted.name.en, "https://larkfield.example/types/pay/1");
}

#[tokio::test]
async fn statements_must_hold_of_all_together() {
    let high = Pocket::of(&[pay(ONE, "a", 90_000), pay(TWO, "a", 60_001)]).way(&meals()).await;
    assert_eq!((high.ability, ids(&high)), (Ability::NotMet, vec![Some("0"), Some("1")]));
    let mixed = Pocket::of(&[pay(ONE, "a", 9), pay(TWO, "b", 6)]).way(&meals()).await;
    assert_eq!(mixed.ability, Ability::NotMet);
}

#[tokio::test]
async fn of_several_batches_those_that_fit_together_are_found() {
    let fresh = Made { facts: "2026-11-09", ..pay(ONE, "b", 1) };
    let pocket = Pocket::of(&[pay(ONE, "a", 90_000), pay(TWO, "a", 50_000), fresh, pay(TWO, "a", 40_000)]);
    let way = pocket.way(&meals()).await;
    assert_eq!((way.ability, ids(&way)[0]), (Ability::Can, Some("0")));
    // Another that would serve as well is named, one of another person is not.
    let others: Vec<usize> = way.parts.iter().map(|part| part.others.len()).collect();
    assert_eq!(others, [0, 1]);
    for wanted in ["1", "3"] {
        let way = pocket.way_using(&meals(), &[wanted]).await;
        assert_eq!((way.ability, ids(&way)), (Ability::Can, vec![Some("0"), Some(wanted)]));
    }
    assert_ne!(pocket.way_using(&meals(), &["2"]).await.ability, Ability::Can);
}

#[tokio::test]
async fn a_total_from_before_the_month_was_over_is_stale() {
    let early = Made { facts: "2026-10-31", ..pay(TWO, "a", 50_000) };
    let way = Pocket::of(&[pay(ONE, "a", 90_000), early]).way(&meals()).await;
    assert_eq!(way.parts.iter().map(|part| part.stale).collect::<Vec<_>>(), [false, true]);
    assert!(way.is_stale() && way.ability == Ability::Can);
}

#[tokio::test]
async fn what_is_about_two_people_takes_what_both_hold() {
    let own = [home("a", "H1"), pay(ONE, "a", 90_000)];
    let way = Pocket::of(&own).way(&household()).await;
    assert_eq!((way.ability, ids(&way)), (Ability::AnotherPerson, vec![Some("0"), Some("1"), None, None]));
    // Somebody who looks after both holds all of it.
    let both = [own.as_slice(), &[home("b", "H1"), pay(ONE, "b", 60_000)]].concat();
    let way = Pocket::of(&both).way(&household()).await;
    assert_eq!(way.ability, Ability::Can, "{:?}", ids(&way));
    let marks: Vec<_> =
        way.together.iter().flat_map(Together::terms).map(|term| term.place.mark.clone()).collect();
    assert!(marks.iter().all(|mark| matches!(mark, Some(Mark::Number(_)))), "{marks:?}");
    // Too much of it is no matter of another person.
    let much = [own.as_slice(), &[home("b", "H1"), pay(ONE, "b", 160_000)]].concat();
    assert_eq!(Pocket::of(&much).way(&household()).await.ability, Ability::NotMet);
    // And who holds nothing of it is told what is missing.
    assert_eq!(Pocket::of(&own[..1]).way(&household()).await.ability, Ability::NoneHeld);
}

#[tokio::test]
async fn lists_are_answered_and_too_small_crowds_are_not() {
    let pocket = Pocket::of(&[home("a", "H1")]);
    for (op, ability) in [("member", Ability::Can), ("not_member", Ability::NotMet)] {
        let way = pocket.way(&in_list(op, WARDS)).await;
        assert_eq!(way.ability, ability, "{op}");
        assert!(matches!(&way.parts[0].learn[0].what, What::Proved(stated) if stated.names.len() == 4));
    }
    // Eight of eleven wards leave three out.
    let few = in_list("member", "https://registrar.example/most");
    assert_eq!(pocket.way(&few).await.ability, Ability::SinglesOut);
    #[cfg(feature = "mutants")]
    assert_eq!(mutants::without_async("wallet-crowd", pocket.way(&few)).await.ability, Ability::Can);
}

/// A name is given from a credential that is linked to this wallet's secret, and from no other; and it is told as one.
#[tokio::test]
async fn a_name_is_given_of_a_linked_credential() {
    let mut named = in_list("member", WARDS);
    named["subject_binding"] = json!("pseudonym");
    named["pseudonym"] = json!({"action": "swim", "epoch": "month", "needs": ["home"]});
    let (linked, bare) =
        (Pocket::of(&[Made { linked: true, ..home("a", "H1") }]), Pocket::of(&[home("a", "H1")]));
    let way = linked.way(&named).await;
    assert_eq!(way.ability, Ability::Can);
    let known = way.parts[0].learn.last().unwrap();
    let line = "a name that they will know you by again, all through November 2026, for “swim”, and that no other \
                service can compare with its own. It is not secret from the body that signed: together with this \
                service it can find out who you are.";
    assert_eq!(known.line(Language::En), line);
    assert!(known.line(Language::Cy).contains("drwy gydol Tachwedd 2026"));
    assert!(!known.tells_all() && known.pointer == "/_link");
    assert_eq!(bare.way(&named).await.ability, Ability::NoneHeld);
    #[cfg(feature = "mutants")]
    assert_eq!(mutants::without_async("wallet-nym-linked", bare.way(&named)).await.ability, Ability::Can);
    // A service that asks for no name is given none.
    let silent = linked.way(&in_list("member", WARDS)).await;
    assert!(silent.parts[0].learn.iter().all(|one| !matches!(one.what, What::KnownAs { .. })));
    for (epoch, time) in [("year", "all through 2026"), ("none", "for as long as you keep this wallet")] {
        named["pseudonym"]["epoch"] = json!(epoch);
        let way = linked.way(&named).await;
        assert!(way.parts[0].learn.last().unwrap().line(Language::En).contains(time), "{epoch}");
    }
}

/// The verifier counts answers that are met, of one person in one epoch, and of every policy with this action together.
#[tokio::test]
async fn how_often_somebody_is_told_yes_is_told_before() {
    let pocket = Pocket::of(&[Made { linked: true, ..home("a", "H1") }]);
    let mut named = in_list("member", WARDS);
    named["subject_binding"] = json!("pseudonym");
    for (at_most, epoch, en, cy) in [
        (1, "year", "at most once in 2026, then no.", "unwaith yn 2026 ar y mwyaf, yna na."),
        (2, "month", "at most twice in November 2026, then", "dwywaith ym mis Tachwedd 2026 ar y mwyaf,"),
        (1000, "none", "at most 1000 times in all, then no.", "1000 gwaith i gyd ar y mwyaf, yna na."),
    ] {
        named["pseudonym"] = json!({"action": "swim", "epoch": epoch, "at_most": at_most, "needs": ["home"]});
        let way = pocket.way(&named).await;
        let known = way.parts[0].learn.last().unwrap();
        let (english, welsh) = (known.line(Language::En), known.line(Language::Cy));
        assert!(english.contains(&format!("They count by it: they say yes to you {en}")), "{english}");
        assert!(english.ends_with("Other things that they ask for “swim” may count too."), "{english}");
        assert!(welsh.contains(&format!("dywedir ie wrthych {cy}")), "{welsh}");
        assert!(welsh.contains("ar gyfer “swim” gyfrif hefyd"), "{welsh}");
        assert_eq!(json!(known)["what"]["known_as"]["at_most"], at_most);
    }
}

/// Whether two queries of one type are answered by these; nothing in the statements tells them apart.
async fn answers_twice(made: &[Made]) -> bool {
    let pocket = Pocket::of(made);
    let batches = pocket.batches().await;
    let candidate = |batch| Candidate { batch, ability: Ability::Can, stale: false };
    let candidates: Vec<Candidate<'_>> = batches.iter().map(candidate).collect();
    let pool = |query| Pool { query, candidates: candidates.iter().collect() };
    let pools = [pool("q1"), pool("q2")];
    let terms = vec![Term::new("q1", "/total", 1), Term::new("q2", "/total", 1)];
    let sum = Statement { id: "s".to_owned(), terms, predicate: Predicate::Ge(100) };
    find(&pools, &[&sum], &[]).is_some()
}

#[tokio::test]
async fn no_credential_answers_two_queries_and_no_statement_counts_twice() {
    let once = [pay(ONE, "a", 50)];
    let again = [pay(ONE, "a", 50), Made { facts: "2026-11-20", ..pay(ONE, "a", 50) }];
    assert!(!answers_twice(&once).await && !answers_twice(&again).await);
    let other_month = Made { period: Some("2026-09"), ..pay(ONE, "a", 50) };
    for other in [pay(ONE, "a", 51), pay(TWO, "a", 50), pay(ONE, "b", 50), other_month] {
        assert!(answers_twice(&[pay(ONE, "a", 50), other]).await);
    }
    #[cfg(feature = "mutants")]
    {
        assert!(mutants::without_async("wallet-one-credential", answers_twice(&once)).await);
        assert!(mutants::without_async("wallet-one-statement", answers_twice(&again)).await);
    }
}

/// However much is held, a search that finds nothing ends.
#[tokio::test]
async fn the_search_is_bounded() {
    let made: Vec<Made> = (0..40).map(|n| pay(ONE, "a", n)).collect();
    let pocket = Pocket::of(&made);
    let batches = pocket.batches().await;
    let candidates: Vec<Candidate<'_>> =
        batches.iter().map(|batch| Candidate { batch, ability: Ability::Can, stale: false }).collect();
    let queries: Vec<String> = (0..16).map(|n| format!("q{n}")).collect();
    let pool = |query| Pool { query, candidates: candidates.iter().collect() };
    let pools: Vec<Pool<'_>> = queries.iter().map(|query| pool(query.as_str())).collect();
    let terms = queries.iter().map(|query| Term::new(query, "/total", 1)).collect();
    let sum = Statement { id: "s".to_owned(), terms, predicate: Predicate::Ge(1_000_000) };
    assert!(find(&pools, &[&sum], &[]).is_none());
}
