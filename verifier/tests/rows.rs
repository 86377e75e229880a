//! What somebody gains who can write to the database and has no key: nothing that a service would act on.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod world;

use axum::http::{StatusCode, header};
use serde_json::Value;
use sqlx::{Connection as _, SqliteConnection};
use world::{BUS_KEY, World, cookie_of, json_of, path_of, text_of};

/// Runs one statement behind the verifier's back.
async fn tamper(world: &World, statement: &'static str) {
    let file = world.folder.path().join("v.sqlite");
    let mut database = SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.unwrap();
    assert_eq!(sqlx::query(statement).execute(&mut database).await.unwrap().rows_affected(), 1);
}

async fn standing(world: &World, opened: &Value) -> (StatusCode, Value) {
    let path = format!("/v1/requests/{}", opened["id"].as_str().unwrap());
    let response = world.get_with(&path, header::AUTHORIZATION, &format!("Bearer {BUS_KEY}")).await;
    (response.status(), json_of(response).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_outcome_that_is_told_is_that_of_the_decision() {
    let world = World::new().await;
    let opened = world.ask("counter", "same_device").await;
    let page = path_of(opened["url"].as_str().unwrap()).to_owned();
    let cookie = cookie_of(&world.get(&page).await).unwrap();
    assert!(standing(&world, &opened).await.1.get("outcome").is_none());
    world.clock.advance(7200);
    assert_eq!(standing(&world, &opened).await.1["outcome"], "expired");

    tamper(&world, "UPDATE requests SET outcome = 'met'").await;
    let (status, told) = standing(&world, &opened).await;
    assert_eq!(
        (status, &told["status"], &told["outcome"]),
        (StatusCode::OK, &"decided".into(), &"expired".into())
    );
    assert_eq!(world.decision(opened["id"].as_str().unwrap()).await["outcome"], "expired");
    let shown = text_of(world.get_with(&page, header::COOKIE, &cookie).await).await;
    assert!(shown.contains("class=\"status expired\""), "{shown}");

    tamper(&world, "UPDATE decisions SET signing_input = 'AAAA' || signing_input").await;
    let (status, told) = standing(&world, &opened).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "an altered decision is refused");
    assert!(told.get("outcome").is_none());
    let shown = world.get_with(&page, header::COOKIE, &cookie).await;
    assert_eq!(shown.status(), StatusCode::SERVICE_UNAVAILABLE);

    tamper(&world, "DELETE FROM decisions").await;
    assert_eq!(standing(&world, &opened).await.0, StatusCode::SERVICE_UNAVAILABLE, "and so is a missing one");
}
