//! Streams of events in the hands of somebody who does not play fair.

use axum::http::{Method, StatusCode};

use super::town::Town;
use crate::callers::{SYSTEM, System, call, changed, get, refusal};
use crate::world::{BUS_KEY, World, text_of};

/// A step that the request has not come to was told to nobody: whoever names it would wait for nothing, or be sent away
/// for good while the applicant is still answering.
#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_is_still_to_come_was_told_to_nobody() {
    let world = World::new().await;
    let opened = world.ask("counter", "cross_device").await;
    let path = format!("/v1/requests/{}/events", opened["id"].as_str().unwrap());
    for step in ["2", "3"] {
        let answer = call(&world, Method::GET, &path, Some(BUS_KEY), &[("last-event-id", step)], "").await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{step}");
        assert_eq!(refusal(answer).await, (400, "last-event-id".into()), "{step}");
    }
    world.clock.advance(301);
    for (step, status) in [("2", StatusCode::OK), ("3", StatusCode::NO_CONTENT)] {
        let answer = call(&world, Method::GET, &path, Some(BUS_KEY), &[("last-event-id", step)], "").await;
        assert_eq!(answer.status(), status, "{step}");
    }
}

/// Streams that are taken and never read hold up their own client alone.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_holds_up_itself() {
    let (world, system) = crate::callers::with_system().await;
    let (one, other) = (system.settings(&world, None), System::new(&format!("{SYSTEM}/other")));
    let settings = other.settings(&world, None);
    let world = changed(world, |config| {
        config.limits.client_streams = 1;
        config.services[0].clients = vec![one, settings];
    })
    .await;
    let (token, others) = (system.token(&world).await, other.token(&world).await);
    let id = crate::callers::opened(&world, &token).await["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/requests/{id}/events");
    let unread = get(&world, &path, &token).await;
    assert_eq!(unread.status(), StatusCode::OK);
    let again = System::token(&system, &world).await;
    for mine in [&token, &again] {
        let refused = refusal(get(&world, &path, mine).await).await;
        assert_eq!(refused, (429, "too-many-streams".into()), "a new token is no new client");
    }
    for caller in [others.as_str(), BUS_KEY] {
        assert_eq!(get(&world, &path, caller).await.status(), StatusCode::OK);
    }
    // What is asked of nobody's request takes no room, and neither does what is over.
    drop(unread);
    let nobodys = get(&world, "/v1/requests/none/events", &token).await;
    assert_eq!(nobodys.status(), StatusCode::NOT_FOUND);
    world.clock.advance(301);
    let token = system.token(&world).await;
    for _ in 0..3 {
        assert!(text_of(get(&world, &path, &token).await).await.contains("event: decided"));
    }
}

/// Who follows hears of its own request alone, whoever else's ends meanwhile in the same process.
#[tokio::test(flavor = "multi_thread")]
async fn what_happens_to_others_is_not_told() {
    let town = Town::new().await;
    let token = town.system.token(&town.world).await;
    let stream = get(&town.world, &format!("/v1/requests/{}/events", town.live_buses), &token).await;
    town.decide().await;
    let text = text_of(stream).await;
    assert!(text.contains("event: decided") && text.contains(&town.live_buses), "{text}");
    for foreign in [&town.test_buses, &town.pool] {
        assert!(!text.contains(foreign.as_str()), "{text}");
    }
}
