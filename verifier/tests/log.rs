//! The log as those see it who hold a decision: checkpoints, tiles, and that what was decided stays decided.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod world;

use axum::http::{StatusCode, header};
use sqlx::{Connection as _, SqliteConnection};
use vouchsafe_protocol::decision::{TYP, leaf};
use vouchsafe_protocol::tlog::checkpoint::{Checkpoint, Trust};
use vouchsafe_protocol::tlog::note::{Note, NoteKey};
use vouchsafe_protocol::tlog::proof::{LogProof, LogProofError};
use vouchsafe_protocol::tlog::tile::{Kind, Tile, Tiles, entries, needed};
use vouchsafe_protocol::tlog::tree::{Plan, TreeError, verify_consistency};
use vouchsafe_service::clock::Clock as _;
use vouchsafe_service::keys::Jws;
use vouchsafe_verifier::expiry::sweep;
use vouchsafe_verifier::log::{LogError, publish};
use world::{BUS_KEY, ORIGIN, POOL_KEY, World, json_of, text_of};

const LOG: &str = "ask.larkfield.example/log";

/// Opens so many requests and lets them run out; gives their ids.
async fn decided(world: &World, many: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for _ in 0..many {
        let opened = world.ask("counter", "cross_device").await;
        ids.push(opened["id"].as_str().unwrap().to_owned());
    }
    world.clock.advance(7200);
    sweep(&world.app, world.clock.now()).await.unwrap();
    ids
}

fn key(world: &World) -> NoteKey {
    NoteKey::parse(&world.app.log_desk().unwrap().verifier_key()).unwrap()
}

async fn proof(world: &World, id: &str, key: &str) -> (StatusCode, String) {
    let place = format!("/v1/requests/{id}/log-proof");
    let told = world.get_with(&place, header::AUTHORIZATION, &format!("Bearer {key}")).await;
    (told.status(), text_of(told).await)
}

async fn entry(world: &World, id: &str) -> [u8; 32] {
    let decision = world.decision(id).await;
    let token = decision["decision"].as_str().unwrap();
    leaf(TYP, token.rsplit_once('.').unwrap().0.as_bytes())
}

async fn shown(world: &World) -> Note {
    let note = world.get("/log/checkpoint").await;
    assert_eq!(note.status(), StatusCode::OK);
    Note::parse(text_of(note).await.as_bytes()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_holds_a_decision_checks_that_it_is_in_the_log() {
    let world = World::new().await;
    assert_eq!(ORIGIN.split_once("://").unwrap().1, LOG.strip_suffix("/log").unwrap());
    assert_eq!(world.get("/log/checkpoint").await.status(), StatusCode::NOT_FOUND, "nothing is signed yet");
    let ids = decided(&world, 3).await;
    assert_eq!(proof(&world, &ids[0], BUS_KEY).await.0, StatusCode::CONFLICT);
    assert_eq!(publish(&world.app).await.unwrap().unwrap().size, 3);

    let keys = [key(&world)];
    let trust = Trust { origin: LOG, log: &keys, witnesses: &[], quorum: 0 };
    for id in &ids {
        let (status, text) = proof(&world, id, BUS_KEY).await;
        assert_eq!(status, StatusCode::OK);
        let proof = LogProof::parse(&text).unwrap();
        let entry = entry(&world, id).await;
        assert_eq!(proof.verify(&entry, &trust, &Jws).unwrap().checkpoint.size(), 3);
        // Of another token it proves nothing.
        let other = leaf(TYP, b"e30.e30");
        assert!(matches!(proof.verify(&other, &trust, &Jws), Err(LogProofError::Proof(_))));
    }
    assert_eq!(
        proof(&world, &ids[0], POOL_KEY).await.0,
        StatusCode::NOT_FOUND,
        "and is told to no other service"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_watches_sees_that_each_checkpoint_follows_from_the_one_before() {
    let world = World::new().await;
    decided(&world, 2).await;
    publish(&world.app).await.unwrap();
    let keys = [key(&world)];
    let trust = Trust { origin: LOG, log: &keys, witnesses: &[], quorum: 0 };
    let first = trust.open(&shown(&world).await, &Jws).unwrap().checkpoint;
    decided(&world, 3).await;
    assert_eq!(trust.open(&shown(&world).await, &Jws).unwrap().checkpoint, first, "signed at its time alone");
    publish(&world.app).await.unwrap();
    let second = trust.open(&shown(&world).await, &Jws).unwrap().checkpoint;
    assert_eq!((first.size(), second.size()), (2, 5));

    let plan = Plan::consistency(first.size(), second.size()).unwrap();
    let mut tiles = Tiles::default();
    for tile in needed(plan.needed(), second.size()).unwrap() {
        tiles.insert(tile, &bytes(&world, &tile.to_string()).await).unwrap();
    }
    let hashes = plan.prove(|subtree| tiles.hash(subtree)).unwrap();
    verify_consistency(first.size(), first.root(), second.size(), second.root(), &hashes).unwrap();
    // The entries beside them are what the hashes are of, and nothing that anybody could read.
    let bundle = bytes(&world, &Tile::new(Kind::Entries, 0, 5).unwrap().to_string()).await;
    assert!(entries(&bundle, 5).unwrap().iter().all(|entry| entry.len() == 32));
    for beyond in [
        "/log/tile/0/000.p/6",
        "/log/tile/entries/000.p/6",
        "/log/tile/0/000",
        "/log/tile/0/0",
        "/log/tile/x",
    ] {
        assert_eq!(world.get(beyond).await.status(), StatusCode::NOT_FOUND, "{beyond}");
    }
}

async fn bytes(world: &World, path: &str) -> Vec<u8> {
    let told = world.get(&format!("/log/{path}")).await;
    assert_eq!(told.status(), StatusCode::OK, "{path}");
    assert!(told.headers()[header::CACHE_CONTROL].to_str().unwrap().contains("immutable"));
    axum::body::to_bytes(told.into_body(), 1 << 20).await.unwrap().to_vec()
}

async fn database(world: &World) -> SqliteConnection {
    let file = world.folder.path().join("v.sqlite");
    SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_that_was_changed_is_not_signed() {
    for change in [
        "UPDATE log_leaves SET leaf = randomblob(32) WHERE place = 1",
        "DELETE FROM log_leaves WHERE place = 2",
        "UPDATE log_edge SET edge = x'0000000000000000'",
    ] {
        let world = World::new().await;
        decided(&world, 3).await;
        let signed = publish(&world.app).await.unwrap();
        // Grown or not: an edge of another size alone is noticed before anything else is decided.
        if !change.contains("log_edge") {
            decided(&world, 1).await;
        }
        sqlx::query(sqlx::AssertSqlSafe(change)).execute(&mut database(&world).await).await.unwrap();
        let refused = publish(&world.app).await;
        assert!(matches!(refused, Err(LogError::Forked { signed: 3 })), "{change}");
        let kept = Checkpoint::parse(shown(&world).await.dangerous_text()).unwrap();
        assert_eq!(kept.size(), signed.unwrap().size, "what was signed is still shown");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edge_that_is_not_of_the_entries_is_not_signed() {
    let world = World::new().await;
    decided(&world, 3).await;
    publish(&world.app).await.unwrap();
    let edge = "UPDATE log_edge SET edge = CAST(substr(edge, 1, 71) || x'00' AS BLOB)";
    sqlx::query(edge).execute(&mut database(&world).await).await.unwrap();
    assert!(matches!(publish(&world.app).await, Err(LogError::Tree(TreeError::Damaged))));
    decided(&world, 1).await;
    assert!(matches!(publish(&world.app).await, Err(LogError::Tree(TreeError::Damaged))));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interval_of_nothing_is_refused() {
    let world = World::new().await;
    for (seconds, opens) in [(0, false), (1, true), (86_400, true), (86_401, false)] {
        let opened = world.reopen(|config| config.log.as_mut().unwrap().every_seconds = seconds).await;
        assert_eq!(opened.is_ok(), opens, "{seconds}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verifier_without_a_log_key_shows_none() {
    let world = World::new().await;
    decided(&world, 1).await;
    let app = world.reopen(|config| config.log = None).await.unwrap();
    assert_eq!(publish(&app).await.unwrap(), None);
    assert_eq!(world.get("/log/checkpoint").await.status(), StatusCode::NOT_FOUND);
    let described = json_of(world.get("/openapi.json").await).await;
    assert!(described["paths"]["/log/checkpoint"].is_object());
}
