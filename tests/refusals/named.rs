//! One person, counted: of two answers at once one alone is met, and the service is told by which name it knows them.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use serde_json::Value;
use vouchsafe_proofs::pseudonym::Scope;
use vouchsafe_protocol::encoding::{b64u, b64u_decode};

use crate::answer::encrypted;
use crate::forge::proof::{Proof, ProofCopy, carrying, link_blinding, secret};
use crate::world::{BUS_KEY, BUSES, Opened, World, json_of};

/// The answer of the holder of that secret.
fn answer(world: &World, opened: &Opened, name: u8) -> String {
    let mut copy = ProofCopy::new(&world.ca);
    *copy.zkc("/_link", "c") = b64u(secret(name).commit(&link_blinding()).0).into();
    let (token, values, attributes) = copy.sign();
    let mut proof = Proof::new(opened.request.asked(), &token, values, attributes);
    proof.shows(name, BUSES, "ride", "2026");
    let text =
        token.covered() + &token.bind(opened.client_id(), opened.nonce(), carrying(&proof.prove())).sign();
    encrypted(opened, &[("q0".to_owned(), text)].into())
}

/// The claims of the decision, as its service fetches it.
async fn decision(world: &World, opened: &Opened) -> Value {
    let path = format!("/v1/requests/{}/decision", opened.api["id"].as_str().unwrap());
    let request = Request::get(path).header(header::AUTHORIZATION, format!("Bearer {BUS_KEY}"));
    let response = world.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(response.status(), StatusCode::OK);
    let told = json_of(response).await;
    let token = told["decision"].as_str().unwrap().split('.').nth(1).unwrap().to_owned();
    serde_json::from_slice(&b64u_decode(&token).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_answers_at_once_one_is_met() {
    let world = World::new().await;
    let [one, two, other] = [world.ask("named").await, world.ask("named").await, world.ask("named").await];
    let forms = [answer(&world, &one, 9), answer(&world, &two, 9), answer(&world, &other, 8)];
    let [first, second, third] = forms;
    let (first, second) =
        tokio::join!(world.submit(one.answer_path(), first), world.submit(two.answer_path(), second));
    assert!(first.is_accepted() && second.is_accepted(), "{first:?} {second:?}");
    assert!(world.submit(other.answer_path(), third).await.is_accepted());
    let decisions =
        [decision(&world, &one).await, decision(&world, &two).await, decision(&world, &other).await];
    let mut outcomes = [&decisions[0], &decisions[1]]
        .map(|claims| (claims["outcome"].as_str().unwrap(), claims["reasons"][0].as_str().unwrap()));
    outcomes.sort_unstable();
    assert_eq!(outcomes, [("met", "conditions_met"), ("not_met", "limit_reached")]);
    assert_eq!(decisions[2]["outcome"], "met", "somebody else");
    let name = |name| b64u(secret(name).pseudonym(&Scope::new(BUSES, "ride", "2026").unwrap()).value);
    for (claims, name) in decisions.iter().zip([name(9), name(9), name(8)]) {
        assert_eq!(
            claims["pseudonym"],
            serde_json::json!({"action": "ride", "epoch": "2026", "value": name})
        );
        assert_eq!(claims["subject_binding"], "pseudonym");
    }
}
