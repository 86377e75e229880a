//! The bus operator's system: asks through the verifier's API, and fetches decisions.

use serde::Deserialize;
use serde_json::{Value, json};
use vouchsafe_protocol::decision;
use vouchsafe_protocol::jose::NamedJwk;
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
        self.put(&json!({"policy": policy, "flow": "same_device", "reference": reference})).await
    }

    /// Asks the same, and to have a payment authorised.
    ///
    /// # Errors
    /// When the verifier refuses.
    pub async fn ask_to_pay(&self, policy: &str, reference: &str, payment: &Value) -> Result<Asked, Failure> {
        let question =
            json!({"policy": policy, "flow": "same_device", "reference": reference, "authorise": payment});
        self.put(&question).await
    }

    async fn put(&self, question: &Value) -> Result<Asked, Failure> {
        body(&self.post(&self.api, question).await?, 201)
    }

    /// The permission that was given with the answer to request `id`.
    ///
    /// # Errors
    /// When there is none.
    pub async fn permission(&self, id: &str) -> Result<String, Failure> {
        let reply = self.http.get(&format!("{}/{id}", self.api)).bearer(&self.test_key).send().await;
        let stands: Value = body(&reply.map_err(Failure::unavailable)?, 200)?;
        let named = stands["permission"]["id"].as_str();
        named.map(str::to_owned).ok_or_else(|| unexpected("a request without a permission"))
    }

    /// Whether permission `id` is in force, and where it is and `uses`, uses it up by one; gives its state.
    ///
    /// # Errors
    /// When the verifier refuses.
    pub async fn check_permission(&self, id: &str, uses: bool) -> Result<String, Failure> {
        let url = self.api.replace("/v1/requests", &format!("/v1/permissions/{id}/check"));
        let stands: Value = body(&self.post(&url, &json!({"use": uses})).await?, 200)?;
        stands["state"].as_str().map(str::to_owned).ok_or_else(|| unexpected("a state"))
    }

    async fn post(&self, url: &str, told: &Value) -> Result<Reply, Failure> {
        self.http.post(url).bearer(&self.test_key).json(told).send().await.map_err(Failure::unavailable)
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
        let compact = Compact::parse(token, 16 * 1024).map_err(|_| unexpected("a decision"))?;
        let named = keys["keys"].as_array().into_iter().flatten();
        let key = named.into_iter().find(|key| key["kid"].as_str() == compact.header().kid());
        let key = key.ok_or_else(|| unexpected("a key"))?;
        let key = NamedJwk::from_value(key).map_err(|_| unexpected("a key"))?.key;
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
