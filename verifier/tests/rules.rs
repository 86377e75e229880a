//! What an operator and a registrar set up: registers, policies, keys; and what is refused of it.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod world;

use axum::http::{StatusCode, header};
use serde_json::json;
use vouchsafe_protocol::decision::Outcome;
use vouchsafe_protocol::openid4vp::link::{Link, fetch_form};
use vouchsafe_protocol::openid4vp::published::{MAX_DOCUMENT, MAX_OFFERED, Published};
use vouchsafe_protocol::openid4vp::request::{MAX_REQUEST, Unverified};
use vouchsafe_protocol::text::Env;
use vouchsafe_protocol::trust::Judge;
use vouchsafe_service::clock::Clock as _;
use vouchsafe_service::config::SecretFile;
use vouchsafe_service::keys::{Jws, SigningKey};
use vouchsafe_verifier::app::OpenError;
use vouchsafe_verifier::clients::ClientFault;
use vouchsafe_verifier::policies::{Refusal, TooLong, check_installed};
use vouchsafe_verifier::published::PublishFault;
use vouchsafe_verifier::trust::{LoadFault, SignFault, Sources, sign, version_of};
use world::{BUS_KEY, BUSES, NOON, VCT, World, json_of, path_of, text_of};

#[tokio::test(flavor = "multi_thread")]
async fn policies_are_checked_with_their_cases_and_costs() {
    let world = World::new().await;
    let folder = world.folder.path();
    let reports = check_installed(&world.config, NOON, &Jws).unwrap();
    assert_eq!(reports.len(), 3);
    for report in &reports {
        assert!(report.refusals.is_empty(), "{:?}", report.refusals);
        assert_eq!((report.cases_passed, report.costs.len()), (2, 1));
        assert_eq!(report.costs[0].bytes, 0, "a plain answer carries no proof");
    }
    let cases = std::fs::read_to_string(folder.join("policies/counter.cases.toml")).unwrap();
    std::fs::write(folder.join("policies/counter.cases.toml"), cases.replace("\"not_met\"", "\"met\""))
        .unwrap();
    std::fs::remove_file(folder.join("policies/by-ward.cases.toml")).unwrap();
    let reports = check_installed(&world.config, NOON, &Jws).unwrap();
    let of = |id: &str| &reports.iter().find(|report| report.id == id).unwrap().refusals;
    assert!(matches!(of("counter").as_slice(), [Refusal::Case(_)]));
    assert_eq!(*of("by-ward"), [Refusal::NoCases]);
    assert!(of("bus-pass").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_may_not_be_asked_keeps_the_verifier_shut() {
    let world = World::new().await;
    let file = world.folder.path().join("policies/counter.toml");
    let good = std::fs::read_to_string(&file).unwrap();
    let spoilt = async |from: &str, to: &str| {
        std::fs::write(&file, good.replace(from, to)).unwrap();
        world.reopen(|_| ()).await.err().unwrap().to_string()
    };
    assert!(spoilt("subject_binding = \"in_person\"", "").await.contains("subject_binding"));
    assert!(spoilt("pointer = \"/ward\"", "pointer = \"/income\"").await.contains("/income"));
    assert!(spoilt("issuer.larkfield", "other.larkfield").await.contains("other.larkfield"));
    assert!(spoilt("purpose = \"pass\"", "purpose = \"other\"").await.contains("no purpose other"));
    assert!(spoilt("n = 66", "n = 2026-01-01").await.contains("write it as text"));
    std::fs::write(&file, &good).unwrap();
    assert!(world.reopen(|_| ()).await.is_ok());
    assert!(world.app.reload().await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_check_of_policies_refuses_keeps_the_verifier_shut() {
    let world = World::new().await;
    let at = |name: &str| world.folder.path().join("policies").join(name);
    let read = |name: &str| std::fs::read_to_string(at(name)).unwrap();
    let write = |name: &str, text: &str| std::fs::write(at(name), text).unwrap();
    let refusal = async || match world.reopen(|_| ()).await.err().unwrap() {
        OpenError::Policy { refusal, .. } => refusal,
        other => panic!("{other}"),
    };
    let (policy, cases) = (read("counter.toml"), read("counter.cases.toml"));
    std::fs::remove_file(at("counter.cases.toml")).unwrap();
    assert_eq!(refusal().await, Refusal::NoCases);
    write("counter.cases.toml", &cases.replace("\"not_met\"", "\"met\""));
    assert!(matches!(refusal().await, Refusal::Case(_)));
    write("counter.cases.toml", &cases);
    // Nine bounds on one attribute: with each of the nine answers a birth date is known to the year.
    for n in 60..=68 {
        let id = format!("aged-{n}");
        let aged = policy.replace("\"counter\"", &format!("\"{id}\"")).replace("n = 66", &format!("n = {n}"));
        write(&format!("{id}.toml"), &aged);
        write(&format!("{id}.cases.toml"), &cases);
    }
    assert_eq!(refusal().await, Refusal::TooManyBounds("/birth_date".into()));
    assert!(matches!(world.app.reload().await, Err(OpenError::Policy { .. })));
    assert!(world.app.rules().policies.contains_key("counter"), "what was loaded before stays");
    std::fs::remove_file(at("aged-60.toml")).unwrap();
    assert!(world.reopen(|_| ()).await.is_ok());
    // An older version is asked with by nobody.
    write("older.toml", &policy.replace("version = 1", "version = 0").replace("\"pass\"", "\"other\""));
    write("newer.toml", &policy.replace("version = 1", "version = 2"));
    write("newer.cases.toml", &cases);
    std::fs::remove_file(at("counter.cases.toml")).unwrap();
    assert!(world.reopen(|_| ()).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_register_is_refused_after_a_restart_too() {
    let world = World::new().await;
    world.sign(&world.sources.replace("reg_version = 3", "reg_version = 2")).await;
    let fault = world.reopen(|_| ()).await.err().unwrap();
    assert!(matches!(fault, OpenError::Register(LoadFault::Older)), "{fault}");
    world.sign(&world.sources.replace("reg_version = 3", "reg_version = 4")).await;
    assert!(world.app.reload().await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_register_that_ran_out_serves_nobody() {
    let world = World::new().await;
    let opened = world.ask("counter", "cross_device").await;
    let request = world.fetch(opened["qr_text"].as_str().unwrap()).await;
    let copy = world.copy("1950-01-01", "2026-11-20").await;
    let answer = world.answer(&request, &copy);
    world.sign(&world.sources.replace("reg_version = 3", "reg_version = 4\nvalid_days = 1")).await;
    world.app.reload().await.unwrap();
    assert!(world.app.is_ready().await);
    let early = world.post_form(path_of(request.response_uri()), answer).await;
    assert_eq!(early.status(), StatusCode::OK, "a register loaded later does not change a request under way");
    world.clock.advance(86_400);
    assert!(!world.app.is_ready().await);
    let body = json!({"policy": "counter", "flow": "cross_device"});
    let late = world.post_json("/v1/requests", BUS_KEY, &body).await;
    assert_eq!(late.status(), StatusCode::SERVICE_UNAVAILABLE);
    world.sign(&world.sources.replace("reg_version = 3", "reg_version = 5")).await;
    world.app.reload().await.unwrap();
    assert_eq!(world.post_json("/v1/requests", BUS_KEY, &body).await.status(), StatusCode::CREATED);
    let decision = world.decision(opened["id"].as_str().unwrap()).await;
    assert_eq!(decision["outcome"], Outcome::Met.as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registrar_signs_only_what_wallets_take() {
    let world = World::new().await;
    let registrar = SigningKey::generate().unwrap();
    let parse = |text: &str| Sources::parse([text]).unwrap();
    let signed = sign(&parse(&world.sources), &registrar, Some(3), NOON).await.unwrap();
    assert_eq!((signed.reg_version, version_of(&signed.jws)), (3, Some(3)));
    assert_eq!(signed.issuers.len(), 1);
    let older = sign(&parse(&world.sources), &registrar, Some(4), NOON).await;
    assert!(matches!(older, Err(SignFault::Older { new: 3, stored: 4 })));
    let long = world.sources.replace("reg_version = 3", "reg_version = 3\nvalid_days = 8");
    assert!(matches!(sign(&parse(&long), &registrar, None, NOON).await, Err(SignFault::Validity)));
    let unnamed = world.sources.replace("cy = \"Bysiau Larkfield\"", "cy = \"\"");
    assert!(matches!(sign(&parse(&unnamed), &registrar, None, NOON).await, Err(SignFault::Entry(_))));
    let wordy = world.sources.replace("To give you a bus pass.", &"x".repeat(200_000));
    assert!(
        matches!(sign(&parse(&wordy), &registrar, None, NOON).await, Err(SignFault::TooLong(name)) if name == "pass")
    );
    let rule = r#"how = "show", rules = [{ kind = "table", id = "pension", version = 1 }]"#;
    let no_table = world.sources.replacen(r#"how = "show", rules = []"#, rule, 1);
    assert!(matches!(sign(&parse(&no_table), &registrar, None, NOON).await, Err(SignFault::NoTable(_))));
    assert!(matches!(Sources::parse(["reg_version = 1.5"]), Err(SignFault::Source(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_and_origin_are_checked_at_the_start() {
    let world = World::new().await;
    let folder = world.folder.path().to_owned();
    let other = folder.join("other.key");
    std::fs::write(&other, SigningKey::generate().unwrap().to_pkcs8_pem().as_bytes()).unwrap();
    let fault = world.reopen(|config| config.request.key = SecretFile::new(&other)).await;
    assert!(matches!(fault, Err(OpenError::Certificates)));
    for origin in ["http://ask.larkfield.example", "https://ask.larkfield.example/", "ask"] {
        let fault = world.reopen(|config| config.origin = origin.into()).await;
        assert!(matches!(fault, Err(OpenError::Origin)), "{origin}");
    }
    let fault = world.reopen(|config| config.services[0].test_key_hash = None).await;
    assert!(matches!(fault, Err(OpenError::Clients(ClientFault::TestKey(_)))));
    let fault = world.reopen(|config| config.services[0].env = vouchsafe_protocol::text::Env::Live).await;
    assert!(matches!(fault, Err(OpenError::Clients(ClientFault::TestKeyOnLive(_)))));
    world.sign(&world.sources.replace("client_ids = [\"x509_hash:", "client_ids = [\"x509_hash:other")).await;
    assert!(matches!(world.reopen(|_| ()).await, Err(OpenError::ServiceUnknown(_))));
    assert_eq!(world.clock.now(), NOON);
    assert!(json_of(world.get("/.well-known/jwks.json").await).await["keys"][0]["kid"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn policies_are_published_for_everybody_alike() {
    let world = World::new().await;
    let stranger = world.get("/policies").await;
    assert_eq!(stranger.status(), StatusCode::OK);
    assert_eq!(stranger.headers()[header::CONTENT_TYPE], "application/json");
    assert_eq!(stranger.headers()[header::CACHE_CONTROL], "public, max-age=300");
    let text = text_of(stranger).await;
    let key = format!("Bearer {BUS_KEY}");
    let client = world.get_with("/policies?who=me", header::AUTHORIZATION, &key).await;
    assert_eq!(text_of(client).await, text);
    let judge = Judge { registrar: &world.trust.registrar, last_seen: 0, now: NOON, verifier: &Jws };
    let published = Published::read(text.as_bytes(), Env::Test, &judge).unwrap();
    let offered = |published: &Published| {
        let all = published.offered(NOON.london_date());
        let named = all.map(|one| (one.service.sub.clone(), one.asked.unwrap().policy().id.clone()));
        named.collect::<Vec<_>>()
    };
    // The pool has no purpose, so nothing of it is told.
    let all = ["bus-pass", "by-ward", "counter"].map(|id| (BUSES.to_owned(), id.to_owned()));
    assert_eq!((offered(&published), published.reg_version()), (all.to_vec(), 3));
    std::fs::remove_file(world.folder.path().join("policies/by-ward.toml")).unwrap();
    std::fs::remove_file(world.folder.path().join("policies/by-ward.cases.toml")).unwrap();
    world.app.reload().await.unwrap();
    let text = text_of(world.get("/policies").await).await;
    let published = Published::read(text.as_bytes(), Env::Test, &judge).unwrap();
    assert_eq!(offered(&published).len(), 2);
}

/// Writes so many more policies with the test cases of `counter`, each with these words.
fn write_more(world: &World, numbers: std::ops::Range<usize>, words: &str) {
    let at = |name: &str| world.folder.path().join("policies").join(name);
    let read = |name: &str| std::fs::read_to_string(at(name)).unwrap();
    let (policy, cases) = (read("counter.toml"), read("counter.cases.toml"));
    for n in numbers {
        let more = policy.replace("\"counter\"", &format!("\"more-{n}\"")).replace("Visit the kiosk.", words);
        std::fs::write(at(&format!("more-{n}.toml")), more).unwrap();
        std::fs::write(at(&format!("more-{n}.cases.toml")), &cases).unwrap();
    }
}

/// Why the policies are not published; nothing where they are.
async fn unpublished(world: &World) -> Option<PublishFault> {
    match world.reopen(|_| ()).await {
        Ok(app) => {
            app.close().await;
            None
        }
        Err(OpenError::Published(fault)) => Some(fault),
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_policies_are_published_than_a_wallet_works_out() {
    let world = World::new().await;
    write_more(&world, 3..MAX_OFFERED, "Visit the kiosk.");
    assert_eq!(unpublished(&world).await, None);
    write_more(&world, MAX_OFFERED..MAX_OFFERED + 1, "Visit the kiosk.");
    assert_eq!(unpublished(&world).await, Some(PublishFault::TooMany(MAX_OFFERED + 1)));
    #[cfg(feature = "mutants")]
    assert_eq!(vouchsafe_mutants::without_async("vp-publish-many", unpublished(&world)).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_longer_document_is_published_than_a_wallet_reads() {
    let world = World::new().await;
    let words = "x".repeat(15_000);
    write_more(&world, 0..270, &words);
    assert_eq!(unpublished(&world).await, None);
    write_more(&world, 270..290, &words);
    let Some(PublishFault::TooLong(bytes)) = unpublished(&world).await else { panic!("it is published") };
    assert!(bytes > MAX_DOCUMENT);
    #[cfg(feature = "mutants")]
    assert_eq!(vouchsafe_mutants::without_async("vp-publish-size", unpublished(&world)).await, None);
}

/// A list of so many spans, as the registrar writes it down.
fn list(id: &str, spans: usize) -> String {
    let span = |n: usize| format!("{{ lo = \"{}\", hi = \"{}\" }}", 1_000_000 + 9 * n, 1_000_003 + 9 * n);
    let rows: Vec<_> = (0..spans).map(span).collect();
    format!("[[tables]]\nsub = \"{id}\"\nversion = 1\nrows = [{}]\n", rows.join(", "))
}

/// What the register says of two lists of spans, the second of so many.
fn with_lists(world: &World, spans: usize) -> String {
    let may =
        format!("  {{ vct = \"{VCT}\", pointer = \"/plot\", how = \"show\", rules = [] }},\n]\nother_route");
    let sources = world.sources.replace("]\nother_route", &may);
    assert_ne!(sources, world.sources);
    format!("{sources}{}{}", list("first-list", 4_500), list("second-list", spans))
}

const PLOT: &str = r#"
[[attributes]]
pointer = "/plot"
column = "plot"
label = { en = "plot", cy = "llain" }
kind = "number"
unit = "plot"
answer = ["show", "prove"]
lo = "0"
hi = "9999999"
"#;

const ON_THE_LISTS: &str = r#"
[[conditions]]
id = "first"
pointer = "/plot"
op = "member"
rule = { kind = "codes", id = "first-list", version = 1 }
[[conditions]]
id = "second"
pointer = "/plot"
op = "not_member"
rule = { kind = "codes", id = "second-list", version = 1 }
"#;

/// How long a request by the policy of two lists would be, where it is too long for a wallet.
async fn too_long(world: &World, spans: usize) -> Option<TooLong> {
    world.sign(&with_lists(world, spans)).await;
    let reports = check_installed(&world.config, NOON, &Jws).unwrap();
    let listed = reports.into_iter().find(|report| report.id == "listed").unwrap();
    match listed.refusals.as_slice() {
        [] => None,
        [Refusal::TooLong(long)] => Some(long.clone()),
        other => panic!("{other:?}"),
    }
}

/// Each span more is a little more of a request: the last that fits is found from one that does not.
#[tokio::test(flavor = "multi_thread")]
async fn a_policy_loads_as_long_as_wallets_read_a_request_by_it() {
    let world = World::new().await;
    let at = |name: &str| world.folder.path().join(name);
    let read = |name: &str| std::fs::read_to_string(at(name)).unwrap();
    std::fs::write(at("types/residency.toml"), read("types/residency.toml") + PLOT).unwrap();
    let policy = read("policies/counter.toml").replace("\"counter\"", "\"listed\"") + ON_THE_LISTS;
    std::fs::write(at("policies/listed.toml"), policy).unwrap();
    let case = "[[cases]]\nname = \"in the first\"\nas_of = \"2026-11-21\"\nexpect = \"not_met\"\n\
                values = { \"/birth_date\" = \"1950-01-01\", \"/ward\" = \"North\", \"/plot\" = 1000001 }\n";
    std::fs::write(at("policies/listed.cases.toml"), case).unwrap();

    let beyond = 5_400;
    let long = too_long(&world, beyond).await.unwrap();
    let said = Refusal::TooLong(long.clone()).to_string();
    let [first, second] = long.lists.as_slice() else { panic!("{said}") };
    assert!(said.contains(&format!("{} bytes, and wallets read {MAX_REQUEST}", long.bytes)), "{said}");
    assert!(said.contains(&format!(" {} for the list first-list version 1", first.2)), "{said}");
    assert!(said.contains(&format!(" {} for the list second-list version 1", second.2)), "{said}");
    assert!(matches!(world.reopen(|_| ()).await, Err(OpenError::Policy { .. })));

    // A span is in base64url twice: sixteen ninths of what it is in JSON.
    let of_nine = r#"{"lo":"1000000","hi":"1000003"},"#.len() * 16;
    let mut fits = beyond - (long.bytes - MAX_REQUEST) * 9 / of_nine;
    while too_long(&world, fits).await.is_some() {
        fits -= 1;
    }
    assert!(too_long(&world, fits + 1).await.is_some(), "it is the last that fits");
    world.sign(&with_lists(&world, fits)).await;
    world.app.reload().await.unwrap();
    let opened = world.ask("listed", "cross_device").await;
    let link = Link::parse(opened["qr_text"].as_str().unwrap()).unwrap();
    let nonce = "n".repeat(256);
    let object = text_of(world.post_form(path_of(&link.request_uri), fetch_form(&nonce)).await).await;
    assert!(object.len() <= MAX_REQUEST && object.len() + of_nine > MAX_REQUEST, "{}", object.len());
    assert!(Unverified::parse(&object).is_ok());
    let asked = world.fetch(opened["qr_text"].as_str().unwrap()).await;
    assert_eq!(asked.asked().policy().id, "listed");
}
