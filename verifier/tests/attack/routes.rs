//! Every route of `specs/openapi.json`, with credentials that are not enough and with what is somebody else's.

use axum::body::Body;
use axum::http::{Method, Response};
use serde_json::Value;

use super::town::{Town, seen};
use crate::callers::{call, counter, get};
use crate::world::{BUS_KEY, POOL_KEY, World, json_of};

/// Routes that take no token, and what they go by instead. A route that is in neither table fails the test.
const OPEN: [(&str, &str); 19] = [
    ("get", "/.well-known/jwks.json"),
    ("get", "/.well-known/oauth-authorization-server"),
    ("post", "/a/{handle}"),
    ("post", "/c"),
    ("get", "/log/checkpoint"),
    ("get", "/log/tile/{path}"),
    ("post", "/oauth/token"),
    ("get", "/openapi.json"),
    ("get", "/p/{page}"),
    ("head", "/p/{page}"),
    ("get", "/p/{page}/return"),
    ("head", "/p/{page}/return"),
    ("post", "/permissions"),
    ("get", "/policies"),
    ("get", "/r/{handle}"),
    ("post", "/r/{handle}"),
    ("get", "/style.css"),
    ("get", "/withdraw"),
    ("post", "/withdraw"),
];

/// Ids that nobody has: one of the right form, and some that no store and no address can hold.
const NOBODYS: [&str; 6] =
    ["req_0000000000000000000000", "%FF", "%00", "a%2Fb", "..%2F..", "%F0%9F%9A%8C%20bus"];

/// What it is, the token, further fields, and the code of the refusal.
type Way<'a> = (&'a str, Option<&'a str>, &'a [(&'a str, &'a str)], &'a str);

struct Route {
    method: Method,
    path: String,
    scope: String,
}

fn kept() -> Value {
    serde_json::from_str(include_str!("../../../specs/openapi.json")).unwrap()
}

/// Every route that wants a token; the others are those of [`OPEN`].
fn guarded() -> Vec<Route> {
    let (mut guarded, mut open) = (Vec::new(), Vec::new());
    for (path, methods) in kept()["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let ways = operation["security"].as_array().into_iter().flatten();
            let Some(scope) = ways.filter_map(|way| way["token"][0].as_str()).next() else {
                open.push((method.clone(), path.clone()));
                continue;
            };
            let method = Method::from_bytes(method.to_ascii_uppercase().as_bytes()).unwrap();
            guarded.push(Route { method, path: path.clone(), scope: scope.to_owned() });
        }
    }
    let told: Vec<_> = open.iter().map(|(method, path)| (method.as_str(), path.as_str())).collect();
    assert_eq!(told, OPEN);
    assert_eq!(guarded.len(), 12);
    guarded
}

impl Route {
    fn has_id(&self) -> bool {
        self.path.contains("{id}")
    }

    async fn call(
        &self,
        world: &World,
        id: &str,
        token: Option<&str>,
        more: &[(&str, &str)],
    ) -> Response<Body> {
        let (media, body) = match self.method {
            Method::POST if self.path.ends_with("/check") => {
                (Some(("content-type", "application/json")), "{}".to_owned())
            }
            Method::POST => (Some(("content-type", "application/json")), counter().to_string()),
            _ => (None, String::new()),
        };
        let headers: Vec<_> = media.into_iter().chain(more.iter().copied()).collect();
        call(world, self.method.clone(), &self.path.replace("{id}", id), token, &headers, &body).await
    }
}

fn code(seen: &str) -> String {
    let body: Value = serde_json::from_str(seen.rsplit("\n\n").next().unwrap()).unwrap_or_default();
    body["code"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_shows_nothing_learns_nothing() {
    let town = Town::new().await;
    let token = town.system.token(&town.world).await;
    town.world.clock.advance(300);
    let live = town.token_for("decisions:read").await;
    let ids: Vec<&str> =
        [town.test_buses.as_str(), &town.live_buses, &town.pool].into_iter().chain(NOBODYS).collect();
    let basic = [("authorization", "Basic dGVzdF9idXNlczp4")];
    let dpop = format!("DPoP {live}");
    let second = [("authorization", "Bearer test_pool")];
    for route in guarded() {
        let ways: [Way<'_>; 7] = [
            ("nothing", None, &[], "no-credentials"),
            ("a token that is over", Some(&token), &[], "invalid-token"),
            ("a test key of a live service", Some(BUS_KEY), &[], "invalid-token"),
            ("a guess", Some("x"), &[], "invalid-token"),
            ("another scheme", None, &basic, "invalid-token"),
            ("a bearer's token under another scheme", None, &[("authorization", &dpop)], "invalid-token"),
            ("two tokens", Some(&live), &second, "invalid-token"),
        ];
        for (how, sent, headers, expected) in ways {
            let mut first = None;
            for id in &ids {
                let found = seen(route.call(&town.world, id, sent, headers).await).await;
                let place = format!("{} {} of {id} with {how}", route.method, route.path);
                assert_eq!((found.0, code(&found.1).as_str()), (401, expected), "{place}: {}", found.1);
                assert_eq!(first.get_or_insert_with(|| found.clone()), &found, "{place}");
            }
        }
        let path = format!("{}?access_token={live}", route.path.replace("{id}", &town.live_buses));
        let query = call(&town.world, route.method.clone(), &path, None, &[], "").await;
        assert_eq!(query.status(), 401, "a token in an address is none: {}", route.path);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_for_something_else_opens_nothing_and_tells_nothing() {
    let town = Town::new().await;
    for route in guarded() {
        for scope in ["requests:write", "decisions:read", "permissions:read", "permissions:write"] {
            let token = town.token_for(scope).await;
            let mut first = None;
            for id in [town.live_buses.as_str(), &town.pool].into_iter().chain(NOBODYS) {
                if scope == route.scope {
                    continue;
                }
                let found = seen(route.call(&town.world, id, Some(&token), &[]).await).await;
                let place = format!("{} {} of {id} with {scope}", route.method, route.path);
                assert_eq!((found.0, code(&found.1).as_str()), (403, "insufficient-scope"), "{place}");
                assert!(found.1.contains(&format!("scope=\"{}\"", route.scope)), "{place}: {}", found.1);
                assert_eq!(first.get_or_insert_with(|| found.clone()), &found, "{place}");
            }
        }
    }
    let listed =
        json_of(get(&town.world, "/v1/requests", &town.token_for("decisions:read").await).await).await;
    assert_eq!(listed["requests"].as_array().unwrap().len(), 1, "no refused call opened anything");
}

/// What is another tenant's, or of the other environment, is answered to the letter as what is nobody's.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_somebody_elses_is_nobodys() {
    let town = Town::new().await;
    for decided in [false, true] {
        if decided {
            town.decide().await;
        }
        let token = town.system.token(&town.world).await;
        let callers = [
            (token.as_str(), [&town.test_buses, &town.pool]),
            (POOL_KEY, [&town.test_buses, &town.live_buses]),
        ];
        for (token, foreign) in callers {
            for route in guarded().iter().filter(|route| route.has_id()) {
                for last in [None, Some("1"), Some("3"), Some("x")] {
                    let headers: Vec<_> = last.map(|last| ("last-event-id", last)).into_iter().collect();
                    let unknown =
                        seen(route.call(&town.world, NOBODYS[0], Some(token), &headers).await).await;
                    for id in foreign.iter().map(|id| id.as_str()).chain(NOBODYS) {
                        let found = seen(route.call(&town.world, id, Some(token), &headers).await).await;
                        assert_eq!(found, unknown, "{} of {id}, last {last:?}", route.path);
                        assert!(matches!(found.0, 400 | 404), "{} of {id}", route.path);
                    }
                    assert!(last == Some("x") || unknown.0 == 404, "{}", route.path);
                }
            }
            for query in ["", "?limit=100", "?status=waiting", "?status=answered", "?status=decided"] {
                let listed = seen(get(&town.world, &format!("/v1/requests{query}"), token).await).await.1;
                assert!(foreign.iter().all(|id| !listed.contains(id.as_str())), "{query}: {listed}");
            }
        }
    }
}

/// A cursor names a place in one list: of one tenant, one environment and one filter.
#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_of_another_list_is_none() {
    let town = Town::new().await;
    let token = town.system.token(&town.world).await;
    for caller in [token.as_str(), POOL_KEY] {
        crate::callers::opened(&town.world, caller).await;
    }
    let next = async |caller: &str, query: &str| {
        let listed = json_of(get(&town.world, &format!("/v1/requests?limit=1{query}"), caller).await).await;
        listed["next"].as_str().unwrap().to_owned()
    };
    let (buses, pool) = (next(&token, "").await, next(POOL_KEY, "").await);
    let waiting = next(&token, "&status=waiting").await;
    let mut last = buses.clone().into_bytes();
    let at = last.len() / 2;
    last[at] = if last[at] == b'A' { b'B' } else { b'A' };
    let flipped = String::from_utf8(last).unwrap();
    let refused = [
        (POOL_KEY, buses.as_str(), ""),
        (&token, &pool, ""),
        (&token, &waiting, ""),
        (&token, &waiting, "&status=decided"),
        (&token, &buses, "&status=waiting"),
        (&token, &flipped, ""),
        (&token, &buses[..buses.len() - 1], ""),
        (&token, "MC5yZXFfMC5BQUFB", ""),
        (&token, "", ""),
    ];
    for (caller, cursor, query) in refused {
        let answer = get(&town.world, &format!("/v1/requests?cursor={cursor}{query}"), caller).await;
        assert_eq!(seen(answer).await.0, 400, "{cursor} {query}");
    }
    let good = get(&town.world, &format!("/v1/requests?cursor={buses}"), &token).await;
    assert_eq!(json_of(good).await["requests"].as_array().unwrap().len(), 1);
}

/// Words of a library say what we are made of, and no client can read them by their code.
#[tokio::test(flavor = "multi_thread")]
async fn no_answer_is_in_the_words_of_a_library() {
    let town = Town::new().await;
    let large = "a".repeat(300 * 1024);
    let form = ("content-type", "application/x-www-form-urlencoded");
    let json = ("content-type", "application/json");
    for (path, methods) in kept()["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys().filter(|method| *method != "head") {
            let method = Method::from_bytes(method.to_ascii_uppercase().as_bytes()).unwrap();
            let parts = path.split('/').map(|part| if part.starts_with('{') { "%FF" } else { part });
            let strange = parts.collect::<Vec<_>>().join("/");
            let twice =
                format!("{}?lang=en&lang=cy&response_code=a&response_code=b", strange.replace("%FF", "none"));
            for (place, body) in [(strange, ""), (twice, ""), (path.replace(['{', '}'], ""), &large)] {
                for media in [form, json] {
                    let key = Some(POOL_KEY).filter(|_| path.starts_with("/v1"));
                    let answer = call(&town.world, method.clone(), &place, key, &[media], body).await;
                    let found = seen(answer).await;
                    let text = found.1.contains("content-type: text/plain");
                    assert!(!text, "{method} {place}: {}", &found.1[..found.1.len().min(600)]);
                }
            }
        }
    }
}
