//! The district under test: its programs up, its residents' wallets on a line that remembers what went over it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::http::{HeaderName, header};
use tempfile::TempDir;
use vouchsafe::demo::browser::{Browser, wallet_link};
use vouchsafe::demo::operator::{Asked, Operator};
use vouchsafe::demo::resident::Resident;
use vouchsafe::dev;
use vouchsafe::district::{BUS_PASS, Databases, residents};
use vouchsafe::world::{Ports, World, opening};
use vouchsafe_protocol::text::Env;
use vouchsafe_service::client;
use vouchsafe_service::clock::{Clock as _, ManualClock};
use vouchsafe_service::entropy::OsEntropy;
use vouchsafe_service::store::Database;
use vouchsafe_verifier::expiry;
use vouchsafe_wallet::http::{Client, Http, HttpError, Incoming, Outgoing, Sending};
use vouchsafe_wallet::vault::Cost;
use vouchsafe_wallet::{Machine, Wallet};

/// The district, and what is needed to play everybody in it.
pub(crate) struct House {
    pub(crate) world: World,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) operator: Operator,
    pub(crate) line: Arc<Line>,
    /// Deleted with the house.
    pub(crate) dir: TempDir,
}

/// A question that is put to somebody whose browser has opened the page.
pub(crate) struct Question {
    pub(crate) asked: Asked,
    pub(crate) browser: Browser,
    /// What the page opens the wallet with.
    pub(crate) link: String,
    pub(crate) html: String,
}

impl House {
    /// Everything up, the register loaded as of yesterday.
    pub(crate) async fn open() -> Self {
        Self::open_on(&Databases::Files).await
    }

    /// As [`House::open`], with the rows where `databases` says.
    pub(crate) async fn open_on(databases: &Databases) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(opening()));
        let district = dir.path().join("district");
        let world = World::start_on(&district, Ports::default(), databases, clock.clone()).await.unwrap();
        let yesterday = clock.now().london_date().yesterday().unwrap();
        dev::enrol(&world, yesterday).await.unwrap();
        let key = world.test_key().unwrap();
        let operator = Operator::new(world.client().unwrap(), &world.at.verifier_origin(), &key);
        let line = Arc::new(Line::new(world.client().unwrap()));
        Self { world, clock, operator, line, dir }
    }

    pub(crate) fn http(&self) -> client::Http {
        self.world.client().unwrap()
    }

    /// Resident `number` with an empty wallet on our line.
    pub(crate) async fn newcomer(&self, number: u32) -> Resident {
        self.newcomer_in(&format!("wallet-{number:04}")).await
    }

    /// Somebody with an empty wallet of this name on our line.
    pub(crate) async fn newcomer_in(&self, name: &str) -> Resident {
        let machine = Machine {
            http: self.line.clone(),
            clock: self.clock.clone(),
            entropy: Arc::new(OsEntropy::new()),
            env: Env::Test,
        };
        let dir = self.dir.path().join(name);
        let wallet = Wallet::open(&dir, PASSPHRASE, Cost::LEAST, machine).await.unwrap();
        wallet.trust_add(&std::fs::read(self.world.district.trust_file()).unwrap()).await.unwrap();
        Resident { wallet }
    }

    /// One more batch of copies for resident `number`.
    pub(crate) async fn collect(&self, resident: &Resident, number: u32) {
        let offer = dev::offer(&self.world, number).await.unwrap();
        assert_eq!(resident.receive(&offer.link(), offer.tx_code()).await.unwrap(), 30);
    }

    /// Resident `number` with a batch of copies.
    pub(crate) async fn resident(&self, number: u32) -> Resident {
        let resident = self.newcomer(number).await;
        self.collect(&resident, number).await;
        resident
    }

    /// The operator asks, and the browser of whom it is about opens the page.
    pub(crate) async fn ask(&self) -> Question {
        self.ask_by(BUS_PASS).await
    }

    /// The same by another policy.
    pub(crate) async fn ask_by(&self, policy: &str) -> Question {
        let asked = self.operator.ask(policy, "PASS-2026-0042").await.unwrap();
        let mut browser = Browser::new(self.http());
        let html = browser.open(&asked.url).await.unwrap();
        let link = wallet_link(&html).unwrap();
        Question { asked, browser, link, html }
    }

    /// The answer of `resident` to `question`, made and not sent.
    pub(crate) async fn answer(&self, resident: &Resident, question: &Question) -> Exchange {
        self.line.hold(Some("/a/"));
        assert!(resident.share(&question.link).await.is_err(), "the answer was held back");
        self.line.hold(None);
        self.line.last("/a/")
    }

    /// Posts an exchange that was held back, or once more what was sent before.
    pub(crate) async fn post(&self, exchange: &Exchange) -> client::Reply {
        post(&self.http(), exchange).await
    }

    /// Posts it again for as long as it is told to come back: another is at work on it, or the machine is busy.
    pub(crate) async fn settled(&self, exchange: &Exchange) -> client::Reply {
        for _ in 0..3_000 {
            let reply = self.post(exchange).await;
            if reply.status != 503 {
                return reply;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the exchange stayed busy");
    }

    /// Somebody else's honest story from question to decision, to show that nobody was harmed.
    pub(crate) async fn goes_on(&self, resident: &Resident) {
        let mut question = self.ask().await;
        let back = resident.share(&question.link).await.unwrap();
        question.browser.open(&back).await.unwrap();
        assert_eq!(self.outcome(&question).await.as_deref(), Some("met"));
        assert!(self.world.verifier.is_ready().await);
    }

    /// How the question was decided, if it was; the decision's signature is checked.
    pub(crate) async fn outcome(&self, question: &Question) -> Option<String> {
        let decision = self.operator.decision(&question.asked.id).await.unwrap()?;
        Some(decision["outcome"].as_str().unwrap().to_owned())
    }

    /// Lets the question run out, and closes what is over.
    pub(crate) async fn run_out(&self) {
        self.clock.advance(600);
        expiry::sweep(&self.world.verifier, self.clock.now()).await.unwrap();
    }

    pub(crate) fn verifier_database(&self) -> PathBuf {
        self.world.district.dir().join("verifier/verifier.sqlite")
    }

    /// The verifier's database.
    pub(crate) fn database(&self) -> &Database {
        self.world.verifier.database().unwrap()
    }

    /// What the verifier's database holds about the end of one request: decisions, of all leaves one each, and calls.
    pub(crate) async fn ends(&self, question: &Question) -> Ends {
        let one = "SELECT (SELECT count(*) FROM decisions WHERE request_id = $1), \
                   (SELECT count(*) FROM outbox WHERE request_id = $1), \
                   (SELECT count(*) FROM log_leaves), (SELECT count(*) FROM decisions)";
        let id = &question.asked.id;
        let (decisions, outbox, leaves, all): (i64, i64, i64, i64) = match self.database() {
            Database::Sqlite(file) => sqlx::query_as(one).bind(id).fetch_one(file.reader()).await.unwrap(),
            Database::Postgres(server) => {
                sqlx::query_as(one).bind(id).fetch_one(server.reader()).await.unwrap()
            }
        };
        assert_eq!(leaves, all, "every decision has one leaf");
        Ends { decisions, outbox }
    }
}

/// How often one request ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ends {
    pub(crate) decisions: i64,
    pub(crate) outbox: i64,
}

/// Decided once, and told once.
pub(crate) const ONCE: Ends = Ends { decisions: 1, outbox: 1 };

/// What opens every wallet here.
pub(crate) const PASSPHRASE: &[u8] = b"correct horse battery staple";

/// The numbers of two residents who qualify.
pub(crate) const HONEST: u32 = residents::MET;
pub(crate) const NEIGHBOUR: u32 = residents::DECLINES;

/// What a wallet sent, and what came back.
#[derive(Clone)]
pub(crate) struct Exchange {
    pub(crate) url: String,
    pub(crate) media_type: String,
    pub(crate) body: Vec<u8>,
    pub(crate) token: Option<String>,
    /// The proof of the key that the token is bound to.
    pub(crate) proof: Option<String>,
    pub(crate) reply: Vec<u8>,
}

impl Exchange {
    fn of(request: &Outgoing<'_>) -> Self {
        let (media_type, body) =
            request.body.as_ref().map_or(("", Vec::new()), |(media, body)| (*media, body.to_vec()));
        Self {
            url: request.url.to_owned(),
            media_type: media_type.to_owned(),
            body,
            token: request.token.map(str::to_owned),
            proof: request.proof.map(str::to_owned),
            reply: Vec::new(),
        }
    }

    /// The header fields by which a token and its proof are sent.
    pub(crate) fn access(&self) -> Vec<(HeaderName, String)> {
        let scheme = if self.proof.is_some() { "DPoP" } else { "Bearer" };
        let token = self.token.as_ref().map(|token| (header::AUTHORIZATION, format!("{scheme} {token}")));
        let proof = self.proof.as_ref().map(|proof| (HeaderName::from_static("dpop"), proof.clone()));
        token.into_iter().chain(proof).collect()
    }

    pub(crate) fn path(&self) -> String {
        url::Url::parse(&self.url).unwrap().path().to_owned()
    }
}

pub(crate) async fn post(http: &client::Http, exchange: &Exchange) -> client::Reply {
    let mut request = http.post(&exchange.url).body(&exchange.media_type, exchange.body.clone());
    for (name, value) in exchange.access() {
        request = request.header(name, &value);
    }
    request.send().await.unwrap()
}

/// The wallets' network: the real one, which remembers, and on demand holds back what goes to some path.
pub(crate) struct Line {
    client: Client,
    seen: Mutex<Vec<Exchange>>,
    held: Mutex<Option<&'static str>>,
}

impl Line {
    fn new(http: client::Http) -> Self {
        Self { client: Client::new(http), seen: Mutex::default(), held: Mutex::default() }
    }

    /// From now on holds back what goes to a path with `part` in it.
    pub(crate) fn hold(&self, part: Option<&'static str>) {
        *self.held.lock().unwrap() = part;
    }

    /// Everything that went over the line.
    pub(crate) fn seen(&self) -> Vec<Exchange> {
        self.seen.lock().unwrap().clone()
    }

    /// The last exchange with a path that has `part` in it.
    pub(crate) fn last(&self, part: &str) -> Exchange {
        self.seen().into_iter().rev().find(|one| one.path().contains(part)).unwrap()
    }

    async fn exchange(&self, request: Outgoing<'_>) -> Result<Incoming, HttpError> {
        let mut exchange = Exchange::of(&request);
        let held = *self.held.lock().unwrap();
        let reply = match held.is_some_and(|part| exchange.path().contains(part)) {
            true => Err(HttpError::Unreachable),
            false => self.client.send(request).await,
        };
        if let Ok(reply) = &reply {
            exchange.reply = reply.body.to_vec();
        }
        self.seen.lock().unwrap().push(exchange);
        reply
    }
}

impl Http for Line {
    fn send<'a>(&'a self, request: Outgoing<'a>) -> Sending<'a, Result<Incoming, HttpError>> {
        Box::pin(self.exchange(request))
    }
}
