//! The bus operator's system: asks through the verifier's API, and fetches decisions.

use serde::Deserialize;
use serde_json::{Value, json};
use vouchsafe_protocol::decision;
use vouchsafe_protocol::jose::PublicJwk;
use vouchsafe_protocol::jose::jws::Compact;
use vouchsafe_service::client::{Http, Reply};
use vouchsafe_service::keys::Jws;

use crate::exit::{Failure, Fault};

/// What the API answers to a new request.
#[derive(Debug, Deserialize)]
pub struct Asked {
    /// The API's id.
    pub id: String,
    /// The hosted page.
    pub url: String,
}

/// A service system with its test key.
pub struct Operator {
    http: Http,
    api: String,
    test_key: String,
}

impl Operator {
    /// A service system that calls the verifier at `origin`.
    #[must_use]
    pub fn new(http: Http, origin: &str, test_key: &str) -> Self {
        Self { http, api: format!("{origin}/v1/requests"), test_key: test_key.to_owned() }
    }

    /// Asks whether the person before the screen fulfils `policy`.
    ///
    /// # Errors
    /// When the verifier refuses.
    pub async fn ask(&self, policy: &str, reference: &str) -> Result<Asked, Failure> {
        let question = json!({"policy": policy, "flow": "same_device", "reference": reference});
        let reply = self.http.post(&self.api).bearer(&self.test_key).json(&question).send().await;
        let reply = reply.map_err(Failure::unavailable)?;
        body(&reply, 201)
    }

    /// The decision about request `id`, checked with the verifier's published keys; `None` while it is open.
    ///
    /// # Errors
    /// When the verifier refuses or its signature is wrong.
    pub async fn decision(&self, id: &str) -> Result<Option<Value>, Failure> {
        let url = format!("{}/{id}/decision", self.api);
        let reply = self.http.get(&url).bearer(&self.test_key).send().await.map_err(Failure::unavailable)?;
        if reply.status == 409 {
            return Ok(None);
        }
        let stored: Value = body(&reply, 200)?;
        let token = stored["decision"].as_str().ok_or_else(|| unexpected("a decision"))?;
        self.check(token).await.map(Some)
    }

    /// What the decision says, after its signature was checked as any service would.
    async fn check(&self, token: &str) -> Result<Value, Failure> {
        let keys = self.api.replace("/v1/requests", "/.well-known/jwks.json");
        let reply = self.http.get(&keys).send().await.map_err(Failure::unavailable)?;
        let keys: Value = body(&reply, 200)?;
        let key = PublicJwk::from_value(&keys["keys"][0]).map_err(|_| unexpected("a key"))?;
        let compact = Compact::parse(token, 16 * 1024).map_err(|_| unexpected("a decision"))?;
        let claims = compact.verify(decision::TYP, &key, &Jws).map_err(|_| unexpected("a signature"))?;
        claims.typed().map_err(|_| unexpected("a decision"))
    }
}

fn body<T: for<'a> Deserialize<'a>>(reply: &Reply, status: u16) -> Result<T, Failure> {
    if reply.status != status {
        let problem = String::from_utf8_lossy(&reply.body).into_owned();
        return Err(Failure::new(
            Fault::Peer,
            "peer",
            format!("the verifier said {}: {problem}", reply.status),
        ));
    }
    serde_json::from_slice(&reply.body).map_err(|_| unexpected("an answer"))
}

fn unexpected(what: &str) -> Failure {
    Failure::new(Fault::Peer, "peer", format!("the verifier gave {what} of an unexpected form"))
}
