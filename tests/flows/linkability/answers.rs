//! Answers to every policy of the district by proof, as wallets make them: one length for each option, whoever answers, and
//! nothing in two answers of one resident that the request does not fix and others' answers do not have.
//!
//! Requests are the verifier's own, but the key that they name for answers is ours, signed in with the verifier's key; what
//! wallets post ends here and is read. Two options are left out that nobody in the district can take, a ward below the first
//! and a level above the last, and the one option that shows a value.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use vouchsafe::demo::browser::{Browser, wallet_link};
use vouchsafe::demo::operator::Operator;
use vouchsafe::dev;
use vouchsafe::district::{
    BUS_PASS, CARD, CLEARANCE, HOUSEHOLD, INCOME, LEISURE, MEALS, PARKING, RESIDENCY, SWIM, residents,
};
use vouchsafe_issuer::offer::Offer;
use vouchsafe_protocol::answer::PROOF_CLAIM;
use vouchsafe_protocol::encoding::b64u;
use vouchsafe_protocol::jose::jwe::Encrypted;
use vouchsafe_protocol::jose::{Enc, KeyAgreement as _, NamedJwk};
use vouchsafe_protocol::text::Env;
use vouchsafe_service::clock::Clock as _;
use vouchsafe_service::entropy::OsEntropy;
use vouchsafe_service::keys::{AgreementKey, RingAead, SigningKey};
use vouchsafe_wallet::http::{Http, HttpError, Incoming, Outgoing, Sending};
use vouchsafe_wallet::review::Ability;
use vouchsafe_wallet::vault::Cost;
use vouchsafe_wallet::{Confirmed, Machine, Wallet};

use super::compare::{BINDING, CREDENTIAL, Crowd, May, Person, may};
use super::walk::{self, Field, Leaf, Walked};
use crate::house::{House, Line, PASSPHRASE};
use crate::rogue::{incoming, part, sign};

/// Policies and those of their options that somebody here takes.
const OPTIONS: [(&str, &[usize]); 7] = [
    // Met; too young; a ward above the last.
    (BUS_PASS, &[0, 1, 3]),
    // Met; a level below; too long ago.
    (CLEARANCE, &[0, 1, 3]),
    (HOUSEHOLD, &[0]),
    // A resident; a pensioner; a volunteer.
    (LEISURE, &[0, 1, 2]),
    (MEALS, &[0]),
    (PARKING, &[0, 1]),
    // Known again by a name.
    (SWIM, &[0]),
];
/// How often each resident is asked by each policy.
const TIMES: usize = 2;

/// Somebody of the district: what the registers say.
struct Somebody {
    number: u32,
    /// Day of birth, ward, letters of the address.
    home: Option<(&'static str, &'static str, usize)>,
    /// Level and day of the clearance.
    cleared: Option<(&'static str, &'static str)>,
    /// Pence by each payer.
    paid: Option<[u32; 2]>,
    /// The number of the household.
    lives: Option<u32>,
}

const NOBODY: Somebody = Somebody { number: 0, home: None, cleared: None, paid: None, lives: None };

/// Two of each kind, as different as can be: the least and the most, short and long.
const EVERYBODY: [Somebody; 10] = [
    Somebody {
        number: 501,
        home: Some(("1931-01-01", "W101", 1)),
        cleared: Some(("standard", "2024-01-15")),
        paid: Some([0, 0]),
        lives: Some(901),
    },
    Somebody {
        number: 502,
        home: Some(("1958-12-31", "W118", 200)),
        cleared: Some(("enhanced-children", "2026-10-02")),
        paid: Some([99_999, 50_000]),
        lives: Some(902),
    },
    Somebody {
        number: 503,
        home: Some(("1984-02-29", "W100", 3)),
        cleared: Some(("basic", "2026-01-01")),
        ..NOBODY
    },
    Somebody {
        number: 504,
        home: Some(("2009-11-30", "W119", 90)),
        cleared: Some(("basic", "2024-12-31")),
        ..NOBODY
    },
    Somebody {
        number: 505,
        home: Some(("1930-06-06", "W120", 7)),
        cleared: Some(("enhanced-both", "2001-02-03")),
        ..NOBODY
    },
    Somebody {
        number: 506,
        home: Some(("1955-07-08", "W139", 60)),
        cleared: Some(("standard", "2019-09-09")),
        ..NOBODY
    },
    Somebody { number: 507, cleared: Some(("enhanced", "2025-05-05")), ..NOBODY },
    Somebody { number: 508, cleared: Some(("enhanced-adults", "2026-11-19")), ..NOBODY },
    Somebody { number: 509, paid: Some([1, 0]), lives: Some(901), ..NOBODY },
    Somebody { number: 510, paid: Some([60_000, 50_001]), lives: Some(902), ..NOBODY },
];

/// Whose credentials a wallet holds; the last of two looks after the other.
const WALLETS: [&[u32]; 8] = [&[501, 509], &[502, 510], &[503], &[504], &[505], &[506], &[507], &[508]];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_by_an_option_have_one_length_and_nothing_in_common() {
    let town = Town::open().await;
    let mut seen = Seen::default();
    for (at, people) in WALLETS.into_iter().enumerate() {
        let wallet = town.wallet(at, people).await;
        let mut person = Person::default();
        for (policy, _) in OPTIONS {
            for _ in 0..TIMES {
                town.house.clock.advance(7);
                if let Some(answer) = town.answer(&wallet, policy).await {
                    seen.hear(&answer, &mut person);
                }
            }
        }
        assert_eq!(person.found, BTreeSet::new(), "of the wallet of {people:?}");
    }
    let taken: BTreeSet<_> = seen.lengths.keys().copied().collect();
    let all = OPTIONS.into_iter().flat_map(|(policy, options)| options.iter().map(move |one| (policy, *one)));
    assert_eq!(taken, all.collect());
    for ((policy, option), lengths) in &seen.lengths {
        assert_eq!(
            lengths.len(),
            1,
            "{policy}, option {option}: posted, plain and presentations {lengths:?}"
        );
    }
    for (which, crowd) in seen.crowds {
        assert_eq!(crowd.found(), [""; 0], "{which:?}");
    }
    town.house.world.stop().await;
}

/// An answer, opened.
struct Answer {
    policy: &'static str,
    option: usize,
    /// Letters of what is posted, of what is sealed, and of each presentation.
    lengths: Vec<usize>,
    /// Each presentation by its query, and the outside of the sealed message.
    parts: Vec<(String, Walked)>,
    /// Every text of the request: it is the service's, who knows it.
    asked: BTreeSet<String>,
}

/// All answers.
#[derive(Default)]
struct Seen {
    lengths: BTreeMap<(&'static str, usize), BTreeSet<Vec<usize>>>,
    crowds: BTreeMap<(&'static str, usize, String), Crowd>,
}

impl Seen {
    fn hear(&mut self, answer: &Answer, person: &mut Person) {
        self.lengths.entry((answer.policy, answer.option)).or_default().insert(answer.lengths.clone());
        for (query, part) in &answer.parts {
            let which = (answer.policy, answer.option, query.clone());
            let crowd = self.crowds.entry(which).or_insert_with(|| Crowd::new(&CREDENTIAL));
            crowd.resident(std::slice::from_ref(part));
            person.has(part, |_, field| {
                // The one thing that is to be known again stands in the proof.
                let known =
                    answer.policy == SWIM && field.place == format!("binding payload > {PROOF_CLAIM}");
                let fixed = known || answer.asked.contains(field.leaf.text());
                if fixed { May::Same } else { may(&CREDENTIAL, &field.place).or(may(&BINDING, &field.place)) }
            });
        }
        person.next();
    }
}

/// The district, and where answers end.
struct Town {
    house: House,
    ear: Arc<Ear>,
    schools: Operator,
}

impl Town {
    async fn open() -> Self {
        let house = House::open().await;
        enrol(&house).await;
        let request_key = house.world.district.dir().join("verifier/keys/request.pem");
        let ear = Ear {
            line: house.line.clone(),
            key: AgreementKey::generate(&OsEntropy::new()),
            verifier: SigningKey::from_pkcs8_pem(&std::fs::read_to_string(request_key).unwrap()).unwrap(),
            asked: Mutex::default(),
            heard: Mutex::default(),
        };
        let (api, key) = (house.world.at.verifier_origin(), house.world.schools_key().unwrap());
        let schools = Operator::new(house.http(), &api, &key);
        Self { house, ear: Arc::new(ear), schools }
    }

    /// A wallet with everything that is said of these people, each offer collected by itself.
    async fn wallet(&self, at: usize, people: &[u32]) -> Wallet {
        let machine = Machine {
            http: self.ear.clone(),
            clock: self.house.clock.clone(),
            entropy: Arc::new(OsEntropy::new()),
            env: Env::Test,
        };
        let dir = self.house.dir.path().join(format!("wallet-of-{at}"));
        let wallet = Wallet::open(&dir, PASSPHRASE, Cost::LEAST, machine).await.unwrap();
        wallet.trust_add(&std::fs::read(self.house.world.district.trust_file()).unwrap()).await.unwrap();
        for somebody in EVERYBODY.iter().filter(|one| people.contains(&one.number)) {
            for offer in self.offers(somebody).await {
                wallet.receive(&offer.link(), Some(offer.tx_code())).await.unwrap();
            }
        }
        wallet
    }

    async fn offers(&self, somebody: &Somebody) -> Vec<Offer> {
        let (world, number) = (&self.house.world, somebody.number);
        let mut offers = Vec::new();
        for (body, type_id, has) in [
            (&world.issuer, RESIDENCY, somebody.home.is_some()),
            (&world.issuer, CARD, somebody.home.is_some()),
            (&world.bureau, CLEARANCE, somebody.cleared.is_some()),
            (&world.issuer, HOUSEHOLD, somebody.lives.is_some()),
        ] {
            if has {
                offers.push(dev::offer_of(body, type_id, number).await.unwrap());
            }
        }
        for payer in world.payers.iter().filter(|_| somebody.paid.is_some()) {
            offers.push(dev::offer_statement(payer, number, "2026-10").await.unwrap());
        }
        offers
    }

    /// Asks by `policy`; what the wallet answers, if it can by any option.
    async fn answer(&self, wallet: &Wallet, policy: &'static str) -> Option<Answer> {
        let asks = if [MEALS, HOUSEHOLD].contains(&policy) { &self.schools } else { &self.house.operator };
        let asked = asks.ask(policy, "REFERENCE-1").await.unwrap();
        let html = Browser::new(self.house.http()).open(&asked.url).await.unwrap();
        let review = wallet.review(&wallet_link(&html).unwrap()).await.unwrap();
        let facts = review.facts();
        let met = facts.offered().filter(|way| way.ability == Ability::Can);
        let (way, confirmed) = match (met, facts.contrary()) {
            (Some(way), _) => (way, Confirmed::Share),
            (None, Some(way)) => (way, Confirmed::Contrary),
            (None, None) => return None,
        };
        wallet.share(&review, confirmed).await.unwrap();
        Some(self.ear.opened(policy, way.option))
    }
}

/// Registers with the people of this story.
async fn enrol(house: &House) {
    let yesterday = house.clock.now().london_date().yesterday().unwrap();
    let world = &house.world;
    let load = async |body, type_id, name: &str, text: String| {
        let file: PathBuf = house.dir.path().join(name);
        std::fs::write(&file, text).unwrap();
        dev::load_into(body, type_id, &file, yesterday).await.unwrap();
    };
    let rows = |header: &str, row: &dyn Fn(&Somebody, &str) -> Option<String>| {
        let mut text = format!("{header}\n");
        for one in &EVERYBODY {
            if let Some(row) = row(one, &residents::person(one.number)) {
                writeln!(text, "{row}").unwrap();
            }
        }
        text
    };
    let homes = rows("person,name,address,date_of_birth,ward", &|one, person| {
        let (born, ward, letters) = one.home?;
        Some(format!("{person},Resident {:04},{},{born},{ward}", one.number, "a".repeat(letters)))
    });
    load(&world.issuer, RESIDENCY, "homes.csv", homes.clone()).await;
    load(&world.issuer, CARD, "cards.csv", homes).await;
    let levels = rows("person,level,issued_on", &|one, person| {
        one.cleared.map(|(level, day)| format!("{person},{level},{day}"))
    });
    load(&world.bureau, CLEARANCE, "levels.csv", levels).await;
    let households = rows("person,household,adults", &|one, person| {
        one.lives.map(|home| format!("{person},H{home:04},2"))
    });
    load(&world.issuer, HOUSEHOLD, "lives.csv", households).await;
    for (at, payer) in world.payers.iter().enumerate() {
        let paid = rows("person,period,source,total", &|one, person| {
            let pence = one.paid?[at];
            let source = format!("P{}-{person}-2026-10", at + 1);
            Some(format!("{person},2026-10,{source},{}.{:02}", pence / 100, pence % 100))
        });
        load(payer, INCOME, &format!("paid-{at}.csv"), paid).await;
    }
}

/// The wallets' network, on which requests name our key, and answers end.
struct Ear {
    line: Arc<Line>,
    key: AgreementKey,
    verifier: SigningKey,
    asked: Mutex<BTreeSet<String>>,
    heard: Mutex<Vec<Vec<u8>>>,
}

impl Ear {
    /// The request as it is, but for the key that answers are sealed to.
    fn ours(&self, object: &str) -> String {
        let mut claims = part(object, 1);
        let kid = Some(b64u(self.key.public().thumbprint()));
        let (usage, alg) = (Some("enc".to_owned()), Some("ECDH-ES".to_owned()));
        let key = NamedJwk { key: self.key.public().clone(), kid, usage, alg };
        claims["client_metadata"]["jwks"]["keys"] = json!([key.to_value()]);
        let mut fields = Vec::new();
        assert!(walk::json("request", claims.to_string().as_bytes(), &mut fields));
        *self.asked.lock().unwrap() = fields.into_iter().map(|field| field.leaf.text().to_owned()).collect();
        sign(&part(object, 0), &claims, &self.verifier)
    }

    /// The last answer.
    fn opened(&self, policy: &'static str, option: usize) -> Answer {
        let posted = self.heard.lock().unwrap().pop().unwrap();
        let form: BTreeMap<String, String> = url::form_urlencoded::parse(&posted).into_owned().collect();
        assert_eq!(form.keys().collect::<Vec<_>>(), ["response"]);
        let sealed = &form["response"];
        let plain = Encrypted::parse(sealed).unwrap().decrypt(&Enc::ALL, &self.key, &RingAead).unwrap();
        let said: Value = serde_json::from_slice(&plain).unwrap();
        let mut lengths = vec![posted.len(), plain.len()];
        let mut parts = vec![("sealed".to_owned(), outside(sealed))];
        for (query, presentations) in said["vp_token"].as_object().unwrap() {
            let text = presentations[0].as_str().unwrap();
            lengths.push(text.len());
            parts.push((query.clone(), walk::sd_jwt(text)));
        }
        Answer { policy, option, lengths, parts, asked: self.asked.lock().unwrap().clone() }
    }
}

/// What everybody on the way sees of a sealed message.
fn outside(sealed: &str) -> Walked {
    let mut walked = Walked { length: sealed.len(), ..Walked::default() };
    let parts: Vec<&str> = sealed.split('.').collect();
    let header = vouchsafe_protocol::encoding::b64u_decode(parts[0]).unwrap();
    assert!(walk::json("sealed header", &header, &mut walked.signed));
    for (at, part) in parts.iter().enumerate().skip(2) {
        let leaf = Leaf::Text((*part).to_owned());
        walked.signed.push(Field { place: format!("sealed part {at}"), leaf });
    }
    walked
}

impl Http for Ear {
    fn send<'a>(&'a self, request: Outgoing<'a>) -> Sending<'a, Result<Incoming, HttpError>> {
        let path = url::Url::parse(request.url).unwrap().path().to_owned();
        if path.starts_with("/a/") {
            self.heard.lock().unwrap().push(request.body.unwrap().1.to_vec());
            return Box::pin(async { Ok(incoming("application/json", b"{}".to_vec())) });
        }
        Box::pin(async move {
            let reply = self.line.send(request).await?;
            if !path.starts_with("/r/") {
                return Ok(reply);
            }
            let object = self.ours(std::str::from_utf8(&reply.body).unwrap());
            Ok(incoming(&reply.content_type, object.into_bytes()))
        })
    }
}
