//! The same thing sent to two replicas at once, which share a database on a server and nothing else.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, Response, StatusCode};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tower::ServiceExt as _;
use vouchsafe_cluster::{Cluster, USER};
use vouchsafe_service::keys::SigningKey;
use vouchsafe_service::store::{Place, Server};
use vouchsafe_verifier::http::router;

use super::possession::{ask, proof};
use crate::callers::{System, call, changed, get, post, send_assertion, with_system};
use crate::world::{BUS_KEY, World, json_of, path_of};

/// A database of its own on the server of tests.
fn place(cluster: &Cluster) -> Place {
    Place::Server(Server {
        host: cluster.socket().to_str().unwrap().to_owned(),
        port: cluster.port(),
        name: cluster.database(),
        user: USER.to_owned(),
        password: None,
        root_certificate: None,
    })
}

/// A world with two replicas; calls go to one and the other by turns.
async fn two(cluster: &Cluster) -> (World, System) {
    let (world, system) = with_system().await;
    let world = changed(world, |config| config.database = place(cluster)).await;
    let other = world.reopen(|_| ()).await.unwrap();
    let replicas = Arc::new([world.router.clone(), router(other)]);
    let turn = Arc::new(AtomicUsize::new(0));
    let by_turns = tower::service_fn(move |request: Request<Body>| {
        let at = turn.fetch_add(1, Ordering::Relaxed) % 2;
        let replica = replicas[at].clone();
        async move { Ok::<Response<Body>, Infallible>(replica.oneshot(request).await.unwrap()) }
    });
    (World { router: Router::new().fallback_service(by_turns), ..world }, system)
}

/// How many of these were let in. Whoever could not get at the database in time was not looked at.
fn let_in(answers: &[Response<Body>], refused: StatusCode) -> usize {
    for answer in answers {
        let status = answer.status();
        assert!(status == StatusCode::OK || status == refused || status == 503, "{status}");
    }
    answers.iter().filter(|answer| answer.status() == StatusCode::OK).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_serves_once_serves_once_among_replicas() {
    let cluster = Cluster::shared().unwrap_or_else(|fault| panic!("{fault}"));
    let (world, system) = two(&cluster).await;
    let assertion = system.sign(&system.claims(&world));
    let mut answers = join_all((0..20).map(|_| send_assertion(&world, &assertion, &[]))).await;
    // Two more, one for each replica, with nobody else in their way.
    for _ in 0..2 {
        answers.push(send_assertion(&world, &assertion, &[]).await);
    }
    assert_eq!(let_in(&answers, StatusCode::BAD_REQUEST), 1, "assertions");

    let key = SigningKey::generate().unwrap();
    let given = ask(&world, &system, &[&proof(&world, &key, "POST", "/oauth/token", None)]).await;
    let token = json_of(given).await["access_token"].as_str().unwrap().to_owned();
    let sent = proof(&world, &key, "GET", "/v1/requests", Some(&token));
    let authorization = format!("DPoP {token}");
    let fields = [("authorization", authorization.as_str()), ("dpop", &sent)];
    let read = || call(&world, Method::GET, "/v1/requests", None, &fields, "");
    let mut answers = join_all((0..20).map(|_| read())).await;
    for _ in 0..2 {
        answers.push(read().await);
    }
    assert_eq!(let_in(&answers, StatusCode::UNAUTHORIZED), 1, "proofs");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_bodies_with_one_key_one_opens_a_request_among_replicas() {
    let cluster = Cluster::shared().unwrap_or_else(|fault| panic!("{fault}"));
    let (world, _) = two(&cluster).await;
    let key = [("idempotency-key", "one-and-the-same")];
    let bodies: Vec<Value> = ["file 17", "file 18"]
        .map(|reference| json!({"policy": "counter", "flow": "cross_device", "reference": reference}))
        .to_vec();
    // Each body to each replica.
    let send = |number: usize| post(&world, BUS_KEY, &key, &bodies[number / 2 % 2]);
    let mut answers = join_all((0..20).map(send)).await;
    for number in 0..4 {
        answers.push(send(number).await);
    }
    let mut opened = Vec::new();
    for answer in answers {
        match answer.status().as_u16() {
            201 => opened.push(json_of(answer).await),
            status => assert!(matches!(status, 409 | 422 | 503), "{status}"),
        }
    }
    assert!(opened.len() >= 2 && opened.iter().all(|one| *one == opened[0]), "one answer, from each replica");
    let listed = json_of(get(&world, "/v1/requests", BUS_KEY).await).await;
    assert_eq!(listed["requests"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_one_answer_to_two_replicas_one_decides() {
    let cluster = Cluster::shared().unwrap_or_else(|fault| panic!("{fault}"));
    let (world, _) = two(&cluster).await;
    let opened = world.ask("counter", "cross_device").await;
    let request = world.fetch(opened["qr_text"].as_str().unwrap()).await;
    let copy = world.copy("1950-01-01", "2026-11-20").await;
    let (path, form) = (path_of(request.response_uri()), world.answer(&request, &copy));
    let mut answers = join_all((0..12).map(|_| world.post_form(path, form.clone()))).await;
    // A lease that could not be given back holds for some seconds.
    world.clock.advance(11);
    for _ in 0..2 {
        answers.push(world.post_form(path, form.clone()).await);
    }
    assert_eq!(let_in(&answers, StatusCode::BAD_REQUEST), 1);
    assert_eq!(world.decision(opened["id"].as_str().unwrap()).await["outcome"], "met");
}
