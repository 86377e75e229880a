//! What somebody qualifies for, by policies that are published, telling nobody.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

#[expect(dead_code, reason = "the other stories use the rest")]
mod world;

use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use vouchsafe_protocol::openid4vp::published::MAX_OFFERED;
use vouchsafe_protocol::openid4vp::request::RequestError;
use vouchsafe_protocol::text::Env;
use vouchsafe_protocol::trust::TrustError;
use vouchsafe_service::entropy::OsEntropy;
use vouchsafe_service::keys::SigningKey;
use vouchsafe_wallet::entitled::{Verdict, Why, remark};
use vouchsafe_wallet::http::{Http, HttpError, Incoming, Outgoing, Sending};
use vouchsafe_wallet::vault::Cost;
use vouchsafe_wallet::words::Language;
use vouchsafe_wallet::{Entitled, EntitledError, Fault, Machine, Wallet};
use world::issuer::TX_CODE;
use world::{PASSPHRASE, World, altered, old_resident, reply, young_resident};

const VERIFIER: &str = "https://verify.example";

/// Everything of a call that could tell one person from another.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Call {
    url: String,
    accept: String,
    body: Option<Vec<u8>>,
    token: Option<String>,
    proof: Option<String>,
}

/// A verifier that publishes, and remembers what it was asked.
struct Publisher {
    content_type: &'static str,
    document: Vec<u8>,
    calls: Mutex<Vec<Call>>,
}

impl Http for Publisher {
    fn send<'a>(&'a self, request: Outgoing<'a>) -> Sending<'a, Result<Incoming, HttpError>> {
        self.calls.lock().unwrap().push(Call {
            url: request.url.to_owned(),
            accept: request.accept.to_owned(),
            body: request.body.map(|(_, body)| body.to_vec()),
            token: request.token.map(str::to_owned),
            proof: request.proof.map(str::to_owned),
        });
        let reply = reply(200, self.content_type, self.document.clone());
        Box::pin(async move { Ok(reply) })
    }
}

/// The wallet in `directory`, whose network is `publisher` alone.
async fn before(publisher: &Arc<Publisher>, world: &Arc<World>, directory: &Path) -> Wallet {
    let machine = Machine {
        http: publisher.clone(),
        clock: world.clock.clone(),
        entropy: Arc::new(OsEntropy::new()),
        env: Env::Test,
    };
    Wallet::open(directory, PASSPHRASE, Cost::LEAST, machine).await.unwrap()
}

async fn stands(world: &Arc<World>, wallet: &Wallet) -> Entitled {
    let document = world.service.published().to_string();
    let mut all = wallet.entitled_by(document.as_bytes()).await.unwrap();
    assert_eq!(all.len(), 1);
    all.remove(0)
}

fn told(stands: &Entitled) -> (Verdict, Option<Why>) {
    (stands.verdict, stands.why)
}

const QUALIFIES: (Verdict, Option<Why>) = (Verdict::Qualifies, None);
const DOES_NOT: (Verdict, Option<Why>) = (Verdict::DoesNot, None);

fn cannot_tell(why: Why) -> (Verdict, Option<Why>) {
    (Verdict::CannotTell, Some(why))
}

#[tokio::test]
async fn who_qualifies_is_told_so_in_words_and_as_data() {
    let world = World::of(old_resident());
    let directory = tempfile::tempdir().unwrap();
    let wallet = world.filled_wallet(directory.path()).await;
    let stands = stands(&world, &wallet).await;
    assert_eq!(told(&stands), QUALIFIES);
    assert_eq!(
        stands.words(Language::En),
        "Larkfield Buses: “To issue an older person’s bus pass.”\n  You qualify today, by your “Proof of residence”, \
         signed by Larkfield District Council."
    );
    assert!(stands.words(Language::Cy).contains("Rydych yn gymwys heddiw, yn ôl eich"));
    let data = json!(stands);
    assert_eq!((&data["verdict"], &data["policy"]), (&json!("qualifies"), &json!("bus-pass")));
    assert_eq!(data["service_id"], "https://buses.example");
    assert!(!data.to_string().contains("1950"));
    let document = json!({"services": [], "purposes": [], "tables": [], "policies": [], "more": 1});
    assert_eq!(wallet.entitled_by(document.to_string().as_bytes()).await.unwrap(), []);
    assert_ne!(remark(Language::En, true), remark(Language::En, false));
}

#[tokio::test]
async fn who_does_not_qualify_is_told_so() {
    let world = World::of(young_resident());
    let directory = tempfile::tempdir().unwrap();
    let wallet = world.filled_wallet(directory.path()).await;
    let young = stands(&world, &wallet).await;
    assert_eq!(told(&young), DOES_NOT);
    assert!(young.words(Language::En).contains("You do not qualify today, by your “Proof of residence”"));
    world.service.ask_age_at_most(80);
    assert_eq!(told(&stands(&world, &wallet).await), QUALIFIES);
}

#[tokio::test]
async fn what_would_be_shown_is_looked_at_here() {
    let world = World::of(old_resident());
    let directory = tempfile::tempdir().unwrap();
    let wallet = world.wallet(directory.path()).await;
    wallet.receive(&world.issuer.plain_offer().link(), Some(TX_CODE)).await.unwrap();
    world.service.ask_ward(Some("W03"));
    assert_eq!(told(&stands(&world, &wallet).await), QUALIFIES);
    world.service.ask_ward(Some("W04"));
    assert_eq!(told(&stands(&world, &wallet).await), DOES_NOT);
}

#[tokio::test]
async fn what_cannot_be_told_is_said_with_its_reason() {
    let world = World::of(old_resident());
    let directory = tempfile::tempdir().unwrap();
    let wallet = world.wallet(directory.path()).await;
    let empty = stands(&world, &wallet).await;
    assert_eq!((told(&empty), &empty.held), (cannot_tell(Why::NoneHeld), &Vec::new()));
    assert!(
        empty
            .words(Language::En)
            .ends_with("Your wallet cannot tell. You hold no credential that can answer this.")
    );
    wallet.receive(&world.issuer.link(), Some(TX_CODE)).await.unwrap();
    world.service.accept_facts(1);
    let stale = stands(&world, &wallet).await;
    assert_eq!(told(&stale), cannot_tell(Why::Stale));
    assert!(
        stale
            .words(Language::En)
            .contains("Your wallet cannot tell. The facts in your “Proof of residence” are older")
    );
}

#[tokio::test]
async fn what_a_wallet_would_refuse_is_listed_so() {
    let world = World::of(old_resident());
    let directory = tempfile::tempdir().unwrap();
    let wallet = world.filled_wallet(directory.path()).await;
    let with = async |change: fn(&mut Value)| {
        let mut document = world.service.published();
        change(&mut document["policies"][0]);
        wallet
            .entitled_by(document.to_string().as_bytes())
            .await
            .unwrap()
            .iter()
            .map(told)
            .collect::<Vec<_>>()
    };
    // Unreadable, without a plan, and more than the purpose allows.
    assert_eq!(with(|policy| policy["more"] = json!(1)).await, [cannot_tell(Why::Refused)]);
    let other_table = |policy: &mut Value| policy["conditions"][0]["rule"]["version"] = json!(2);
    assert_eq!(with(other_table).await, [cannot_tell(Why::Refused)]);
    assert_eq!(
        with(|policy| policy["conditions"][1]["pointer"] = json!("/rooms")).await,
        [cannot_tell(Why::Refused)]
    );
    // For a purpose that nobody is registered for.
    assert_eq!(with(|policy| policy["purpose"] = json!("other")).await, []);
}

#[tokio::test]
async fn who_does_not_live_there_is_told_what_follows() {
    let world = World::of(old_resident());
    let directory = tempfile::tempdir().unwrap();
    let wallet = world.filled_wallet(directory.path()).await;
    let mut document = world.service.published();
    signed(&world, &mut document["purposes"][0], None, |purpose| {
        let vct = purpose["may_ask"][0]["vct"].clone();
        let other =
            |how: &str| json!({"vct": vct, "pointer": "/ward", "how": how, "rules": [{"kind": "fixed"}]});
        purpose["may_ask"].as_array_mut().unwrap().extend(["eq", "ne"].map(other));
    });
    document["policies"][0]["conditions"] =
        json!([{"id": "elsewhere", "pointer": "/ward", "op": "ne", "rule": {"kind": "fixed"}, "k": "9"}]);
    let all = wallet.entitled_by(document.to_string().as_bytes()).await.unwrap();
    // Ward 3 is not ward 9.
    assert_eq!(all.iter().map(told).collect::<Vec<_>>(), [QUALIFIES]);
}

#[tokio::test]
async fn what_several_bodies_signed_is_named_with_each() {
    let world = World::of(old_resident());
    let directory = tempfile::tempdir().unwrap();
    let wallet = world.wallet(directory.path()).await;
    world.service.ask_pay(140_000);
    wallet.receive(&world.payers[0].link(), Some(TX_CODE)).await.unwrap();
    let one = stands(&world, &wallet).await;
    assert_eq!((told(&one), &one.held), (cannot_tell(Why::NoneHeld), &Vec::new()));
    wallet.receive(&world.payers[1].link(), Some(TX_CODE)).await.unwrap();
    let both = stands(&world, &wallet).await;
    assert_eq!(told(&both), QUALIFIES);
    let by = "You qualify today, by your “Statement of pay”, signed by one.example and your “Statement of pay”, signed by \
              two.example.";
    assert!(both.words(Language::En).ends_with(by), "{}", both.words(Language::En));
    world.service.ask_pay(140_001);
    assert_eq!(told(&stands(&world, &wallet).await), DOES_NOT);
    world.service.accept_facts(1);
    let stale = stands(&world, &wallet).await;
    assert_eq!((told(&stale), stale.held.len()), (cannot_tell(Why::Stale), 1));
}

#[tokio::test]
async fn a_name_that_the_purpose_does_not_allow_is_refused() {
    let world = World::of(old_resident());
    let directory = tempfile::tempdir().unwrap();
    let wallet = world.filled_wallet(directory.path()).await;
    world.service.ask_name("swim");
    assert_eq!(told(&stands(&world, &wallet).await), cannot_tell(Why::NoneHeld));
    let mut document = world.service.published();
    signed(&world, &mut document["purposes"][0], None, |purpose| {
        purpose["may_ask"].as_array_mut().unwrap().retain(|may| may["how"] != "pseudonym");
    });
    let all = wallet.entitled_by(document.to_string().as_bytes()).await.unwrap();
    assert_eq!(all.iter().map(told).collect::<Vec<_>>(), [cannot_tell(Why::Refused)]);
}

/// Whoever qualifies reads how often, and that the wallet does not know how often it was.
#[tokio::test]
async fn how_often_a_service_says_yes_is_told_to_whom_it_may() {
    let world = World::of(old_resident());
    let directory = tempfile::tempdir().unwrap();
    let wallet = world.wallet(directory.path()).await;
    wallet.receive(&world.issuer.card_offer().link(), Some(TX_CODE)).await.unwrap();
    world.service.ask_name("swim");
    let stands = async |epoch: &str, at_most: Option<u32>, before: &str| {
        let mut document = world.service.published();
        let policy = &mut document["policies"][0];
        policy["conditions"][0]["k"] = json!(before);
        policy["pseudonym"]["epoch"] = json!(epoch);
        at_most.into_iter().for_each(|most| policy["pseudonym"]["at_most"] = json!(most));
        wallet.entitled_by(document.to_string().as_bytes()).await.unwrap().remove(0)
    };
    const LATE: &str = "155959";
    let limited = stands("month", Some(3), LATE).await;
    assert_eq!(told(&limited), QUALIFIES);
    assert_eq!(json!(limited)["often"], json!({"at_most": 3, "epoch": "2026-11"}));
    let words = limited.words(Language::En);
    let often = "\n  They say yes to one person at most 3 times in November 2026. Your wallet does not know how often they \
                 said it to you. They count by a name made for them alone. They and the body that signed could together \
                 find out that it is yours.";
    assert!(words.ends_with(often), "{words}");
    let welsh = limited.words(Language::Cy);
    assert!(welsh.contains("3 gwaith ym mis Tachwedd 2026 ar y mwyaf."), "{welsh}");
    let once = stands("none", Some(1), LATE).await.words(Language::En);
    assert!(once.contains("They say yes to one person at most once in all."), "{once}");
    let twice = stands("year", Some(2), LATE).await.words(Language::En);
    assert!(twice.contains("They say yes to one person at most twice in 2026."), "{twice}");
    // Who is not counted, or does not qualify, reads nothing of it.
    let uncounted = stands("month", None, LATE).await;
    assert_eq!((told(&uncounted), &uncounted.often), (QUALIFIES, &None));
    assert!(json!(uncounted).get("often").is_none() && !uncounted.words(Language::En).contains("They count"));
    let too_new = stands("month", Some(3), "150000").await;
    assert_eq!(told(&too_new), DOES_NOT);
    assert!(!too_new.words(Language::En).contains("They count"));
}

/// The call, what is left in the wallet, and how somebody stands.
async fn asked(world: &Arc<World>, filled: bool) -> (Vec<Call>, Verdict) {
    let directory = tempfile::tempdir().unwrap();
    let wallet = world.wallet(directory.path()).await;
    if filled {
        wallet.receive(&world.issuer.link(), Some(TX_CODE)).await.unwrap();
    }
    wallet.close().await;
    let document = world.service.published().to_string().into_bytes();
    let publisher =
        Arc::new(Publisher { content_type: "application/json", document, calls: Mutex::default() });
    let wallet = before(&publisher, world, directory.path()).await;
    let left = async || (wallet.history().await.unwrap().len(), json!(wallet.list().await.unwrap()));
    let before = left().await;
    let verdict = wallet.entitled_at(VERIFIER).await.unwrap()[0].verdict;
    assert_eq!(left().await, before, "no copy is used, and nothing is remembered");
    wallet.close().await;
    let calls = publisher.calls.lock().unwrap().clone();
    (calls, verdict)
}

#[tokio::test]
async fn nobody_is_told_anything_by_the_one_call() {
    let (old, young) = (World::of(old_resident()), World::of(young_resident()));
    let first = asked(&old, true).await;
    let (url, accept) = ("https://verify.example/policies".to_owned(), "application/json".to_owned());
    let call = Call { url, accept, body: None, token: None, proof: None };
    assert_eq!(first, (vec![call.clone()], Verdict::Qualifies));
    assert_eq!(asked(&young, true).await, (vec![call.clone()], Verdict::DoesNot));
    assert_eq!(asked(&old, false).await, (vec![call], Verdict::CannotTell));
}

/// What comes of a document, or another media type, that is changed on its way.
async fn refused(change: impl FnOnce(&World, &mut Value)) -> Option<EntitledError> {
    let world = World::of(old_resident());
    let directory = tempfile::tempdir().unwrap();
    let wallet = world.wallet(directory.path()).await;
    let mut document = world.service.published();
    change(&world, &mut document);
    wallet.entitled_by(document.to_string().as_bytes()).await.err()
}

/// Changes a signed part and has it signed by `key`, else by the registrar.
fn signed(world: &World, part: &mut Value, key: Option<&SigningKey>, change: impl FnOnce(&mut Value)) {
    *part = json!(altered(part.as_str().unwrap(), key.unwrap_or(&world.registrar), change));
}

fn newer(document: &mut Value) {
    document["reg_version"] = json!(8);
}

#[tokio::test]
async fn only_what_the_registrar_signed_counts() {
    let other = SigningKey::generate().unwrap();
    let foreign = async |part: &str| {
        refused(|world, document| signed(world, &mut document[part][0], Some(&other), |_| ())).await.unwrap()
    };
    use EntitledError::Refused;
    let fault = TrustError::Signature;
    assert!(matches!(foreign("services").await, Refused(RequestError::Service(found)) if found == fault));
    assert!(matches!(foreign("purposes").await, Refused(RequestError::Purpose(found)) if found == fault));
    assert!(matches!(foreign("tables").await, Refused(RequestError::Table(found)) if found == fault));
    for part in ["services", "purposes", "tables"] {
        let mixed = refused(|world, document| signed(world, &mut document[part][0], None, newer)).await;
        assert!(matches!(mixed, Some(Refused(RequestError::TwoRegisters))), "{part}");
    }
    let malformed = refused(|_, document| document["policies"] = json!("none")).await.unwrap();
    assert!(matches!(malformed, Refused(RequestError::Malformed)));
    assert_eq!((malformed.fault(), malformed.code()), (Fault::RefusedByUs, RequestError::Malformed.code()));
}

#[tokio::test]
async fn a_register_is_never_older_than_one_that_was_seen() {
    let world = World::of(old_resident());
    let directory = tempfile::tempdir().unwrap();
    let wallet = world.wallet(directory.path()).await;
    let old = world.service.published();
    let mut new = old.clone();
    for part in ["services", "purposes", "tables"] {
        for one in new[part].as_array_mut().unwrap() {
            signed(&world, one, None, newer);
        }
    }
    assert!(wallet.entitled_by(new.to_string().as_bytes()).await.is_ok());
    let again = wallet.entitled_by(old.to_string().as_bytes()).await;
    assert!(
        matches!(again, Err(EntitledError::Refused(RequestError::Service(TrustError::RolledBack)))),
        "{again:?}"
    );
}

/// How many are listed of services of the other environment.
async fn live() -> usize {
    let world = World::of(old_resident());
    let directory = tempfile::tempdir().unwrap();
    let wallet = world.wallet(directory.path()).await;
    let mut document = world.service.published();
    signed(&world, &mut document["services"][0], None, |entry| entry["env"] = json!("live"));
    wallet.entitled_by(document.to_string().as_bytes()).await.unwrap().len()
}

/// How many are listed of a service that may not ask for the purpose.
async fn unregistered() -> usize {
    let world = World::of(old_resident());
    let directory = tempfile::tempdir().unwrap();
    let wallet = world.wallet(directory.path()).await;
    let mut document = world.service.published();
    signed(&world, &mut document["services"][0], None, |entry| entry["purposes"] = json!(["other"]));
    wallet.entitled_by(document.to_string().as_bytes()).await.unwrap().len()
}

/// How somebody stands by a policy that asks more than its purpose allows.
async fn over_asking() -> Verdict {
    let world = World::with(old_resident(), world::issuer::Spoil::None, world::service::Rogue::OverAsking);
    let directory = tempfile::tempdir().unwrap();
    let wallet = world.filled_wallet(directory.path()).await;
    stands(&world, &wallet).await.verdict
}

/// How somebody stands whose facts are too old.
async fn stale() -> Verdict {
    let world = World::of(old_resident());
    let directory = tempfile::tempdir().unwrap();
    let wallet = world.filled_wallet(directory.path()).await;
    world.service.accept_facts(1);
    stands(&world, &wallet).await.verdict
}

/// How many are listed where each part of the document stands there more than once.
async fn repeated() -> usize {
    let world = World::of(old_resident());
    let directory = tempfile::tempdir().unwrap();
    let wallet = world.wallet(directory.path()).await;
    let mut document = world.service.published();
    for (part, times) in [("services", 2), ("purposes", 2), ("policies", 3)] {
        let all = document[part].as_array_mut().unwrap();
        *all = vec![all.clone(); times].concat();
    }
    wallet.entitled_by(document.to_string().as_bytes()).await.unwrap().len()
}

/// What comes of a document of so many policies.
async fn many(policies: usize) -> Result<usize, EntitledError> {
    let world = World::of(old_resident());
    let directory = tempfile::tempdir().unwrap();
    let wallet = world.wallet(directory.path()).await;
    let mut document = world.service.published();
    let policy = &document["policies"][0];
    // Nobody can read them, so that none is worked out.
    let more = |n| json!({"purpose": policy["purpose"], "more": n});
    document["policies"] = (0..policies).map(more).collect();
    wallet.entitled_by(document.to_string().as_bytes()).await.map(|all| all.len())
}

/// Whether a page passes for a list.
async fn a_page() -> bool {
    let world = World::of(old_resident());
    let directory = tempfile::tempdir().unwrap();
    world.wallet(directory.path()).await.close().await;
    let document = world.service.published().to_string().into_bytes();
    let publisher = Arc::new(Publisher { content_type: "text/html", document, calls: Mutex::default() });
    let found = before(&publisher, &world, directory.path()).await.entitled_at(VERIFIER).await;
    !matches!(found, Err(EntitledError::NoList))
}

#[tokio::test]
async fn the_checks_hold() {
    assert_eq!((live().await, unregistered().await), (0, 0));
    assert_eq!((repeated().await, many(MAX_OFFERED).await.unwrap()), (1, MAX_OFFERED));
    let refused = many(MAX_OFFERED + 1).await.unwrap_err();
    assert!(matches!(refused, EntitledError::Refused(RequestError::TooManyOffered)), "{refused}");
    assert_eq!(refused.fault(), Fault::RefusedByUs);
    assert_eq!((over_asking().await, stale().await), (Verdict::CannotTell, Verdict::CannotTell));
    assert!(!a_page().await);
    let world = World::of(old_resident());
    let directory = tempfile::tempdir().unwrap();
    let wallet = world.bare_wallet(directory.path()).await;
    let nobody = wallet.entitled_by(world.service.published().to_string().as_bytes()).await;
    assert!(matches!(nobody, Err(EntitledError::NoTrust)));
    let clear = wallet.entitled_at("http://verify.example/policies").await;
    assert!(matches!(clear, Err(EntitledError::Http(HttpError::Address))));
}

#[cfg(feature = "mutants")]
#[tokio::test]
async fn switches_are_noticed() {
    use vouchsafe_mutants::without_async;
    assert_eq!(without_async("vp-published-env", live()).await, 1);
    assert_eq!(without_async("vp-published-purpose", unregistered()).await, 1);
    assert_eq!(without_async("vp-published-once", repeated()).await, 6);
    let beyond = MAX_OFFERED + 1;
    assert_eq!(without_async("vp-published-many", many(beyond)).await.unwrap(), beyond);
    assert_eq!(without_async("vp-published-covers", over_asking()).await, Verdict::Qualifies);
    assert_eq!(without_async("wallet-entitled-counts", stale()).await, Verdict::Qualifies);
    assert!(without_async("wallet-published-type", a_page()).await);
    let mixed = refused(|world, document| signed(world, &mut document["tables"][0], None, newer));
    assert!(without_async("vp-one-register", mixed).await.is_none());
}
