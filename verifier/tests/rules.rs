//! What an operator and a registrar set up: registers, policies, keys; and what is refused of it.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod world;

use axum::http::{StatusCode, header};
use serde_json::json;
use vouchsafe_protocol::decision::Outcome;
use vouchsafe_protocol::openid4vp::published::Published;
use vouchsafe_protocol::text::Env;
use vouchsafe_protocol::trust::Judge;
use vouchsafe_service::clock::Clock as _;
use vouchsafe_service::config::SecretFile;
use vouchsafe_service::keys::{Jws, SigningKey};
use vouchsafe_verifier::app::OpenError;
use vouchsafe_verifier::clients::ClientFault;
use vouchsafe_verifier::policies::{Refusal, check_installed};
use vouchsafe_verifier::trust::{LoadFault, SignFault, Sources, sign, version_of};
use world::{BUS_KEY, BUSES, NOON, World, json_of, path_of, text_of};

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
