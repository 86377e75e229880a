//! The surface `page`: the hosted page, the browser that comes back to it, and the typed code.
//!
//! What an attack on the return is after is a decision: it succeeded when the API has one, whatever the browser was
//! shown. Until then the API says 409.

use std::sync::Mutex;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use serde_json::json;
use vouchsafe_protocol::form;
use vouchsafe_verifier::session::cookie_name;

use super::answer::{Case, answer};
use crate::runner::{Seen, Surface, run};
use crate::world::{BUS_KEY, NOON, Opened, World, json_of, path_of, seen};

#[tokio::test(flavor = "multi_thread")]
async fn pages() {
    run::<Pages>().await;
}

struct Pages {
    world: World,
}

/// A request whose page the applicant's browser has open.
struct Visit {
    case: Case,
    page: String,
    cookie: String,
    /// Where the wallet sends the browser, once there was an answer.
    back: Mutex<Option<String>>,
}

impl Surface for Pages {
    const NAME: &'static str = "page";

    type Case = Visit;

    async fn new() -> Self {
        Self { world: World::new().await }
    }

    async fn open(&self, _: &str) -> Visit {
        self.world.clock.set(NOON);
        let case = Case::open(&self.world, "return").await;
        let page = path_of(case.opened.api["url"].as_str().unwrap()).to_owned();
        let response = self.world.get(&page).await;
        let set = response.headers()[header::SET_COOKIE].to_str().unwrap().to_owned();
        let cookie = set.split(';').next().unwrap().to_owned();
        Visit { case, page, cookie, back: Mutex::default() }
    }

    async fn attack(&self, visit: &Visit, mutation: &str) -> Seen {
        let opened = &visit.case.opened;
        let stranger = format!("{}=of-somebody-else", cookie_name(visit.page.strip_prefix("/p/").unwrap()));
        match mutation {
            "page-in-another-browser" => self.visit(&visit.page, &stranger).await,
            "page-without-cookie" => self.visit(&visit.page, "x=y").await,
            "return-in-another-browser" => {
                let back = self.answered(visit).await;
                self.back(opened, &back, &stranger).await
            }
            "return-without-cookie" => {
                let back = self.answered(visit).await;
                self.back(opened, &back, "x=y").await
            }
            "return-with-both-cookies" => {
                let back = self.answered(visit).await;
                self.back(opened, &back, &format!("{}; {stranger}", visit.cookie)).await
            }
            "return-with-wrong-code" => {
                self.answered(visit).await;
                self.back(opened, &format!("{}/return?response_code=guessed", visit.page), &visit.cookie)
                    .await
            }
            "return-without-code" => {
                self.answered(visit).await;
                self.back(opened, &format!("{}/return", visit.page), &visit.cookie).await
            }
            "return-with-the-code-of-another" => {
                self.answered(visit).await;
                let other = Case::open(&self.world, "return").await;
                let back = self.posted(&other).await.unwrap();
                let code = back.split_once('?').unwrap().1;
                self.back(opened, &format!("{}/return?{code}", visit.page), &visit.cookie).await
            }
            "decline-in-another-browser" => {
                let error = form::write(&[("error", "access_denied"), ("state", opened.request.state())]);
                let posted = json_of(self.world.post_form(opened.answer_path(), error).await).await;
                self.back(opened, path_of(posted["redirect_uri"].as_str().unwrap()), &stranger).await
            }
            "decision-for-nobody" => self.decision(opened, "test_guessed").await,
            "decision-too-soon" => self.decision(opened, BUS_KEY).await,
            "code-wrong" => self.typed("00000000").await,
            "code-too-late" => {
                self.world.clock.advance(301);
                self.typed(opened.api["code"].as_str().unwrap()).await
            }
            "code-guessed-on" => {
                // A minute of its own, since misses are counted by the minute.
                self.world.clock.advance(120);
                for _ in 0..10 {
                    self.typed("00000000").await;
                }
                self.typed(opened.api["code"].as_str().unwrap()).await
            }
            _ => panic!("no such mutation: {mutation}"),
        }
    }

    /// The applicant answers, unless that is done, and comes back.
    async fn honest(&self, visit: &Visit) -> Seen {
        let back = visit.back.lock().unwrap().clone();
        let back = match back {
            Some(back) => back,
            None => match self.posted(&visit.case).await {
                Ok(back) => back,
                Err(refused) => return refused,
            },
        };
        self.back(&visit.case.opened, &back, &visit.cookie).await
    }
}

impl Pages {
    /// The applicant's wallet answers; gives the path that the browser is sent to.
    async fn answered(&self, visit: &Visit) -> String {
        let back = self.posted(&visit.case).await.unwrap();
        *visit.back.lock().unwrap() = Some(back.clone());
        back
    }

    async fn posted(&self, case: &Case) -> Result<String, Seen> {
        let response = answer(&self.world, case).await;
        if response.status() != StatusCode::OK {
            return Err(seen(response).await);
        }
        let answered = json_of(response).await;
        Ok(path_of(answered["redirect_uri"].as_str().unwrap()).to_owned())
    }

    async fn visit(&self, path: &str, cookie: &str) -> Seen {
        let request = Request::get(path).header(header::COOKIE, cookie).body(Body::empty()).unwrap();
        seen(self.world.send(request).await).await
    }

    /// A browser goes to `path`, and then the service asks what came of it; the reason is what the browser got.
    async fn back(&self, opened: &Opened, path: &str, cookie: &str) -> Seen {
        let page = self.visit(path, cookie).await;
        Seen { reason: format!("page-{}", page.status), ..self.decision(opened, BUS_KEY).await }
    }

    async fn decision(&self, opened: &Opened, key: &str) -> Seen {
        let path = format!("/v1/requests/{}/decision", opened.api["id"].as_str().unwrap());
        let request = Request::get(path).header(header::AUTHORIZATION, format!("Bearer {key}"));
        seen(self.world.send(request.body(Body::empty()).unwrap()).await).await
    }

    async fn typed(&self, code: &str) -> Seen {
        seen(self.world.post_json("/c", "", &json!({"code": code})).await).await
    }
}
