//! For random queries and wallets: whatever the wallet chooses the verifier takes, what is left when a part is dropped
//! is judged as the model judges it, and the wallet refuses only what nobody could answer.

use std::collections::BTreeSet;

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};
use vouchsafe_protocol::dcql::{Candidate, Query, Seen, Wishes, choose};
use vouchsafe_protocol::sd_jwt::{Held, Path, Step};

use crate::made::{answer, check, held, presented};
use crate::model::{answers, is_full, is_possible, left};

/// Everything that can be withheld of the largest credential.
const PLACES: [&str; 14] = [
    "/name",
    "/age",
    "/flag",
    "/address",
    "/address/town",
    "/address/street",
    "/nat",
    "/nat/0",
    "/nat/1",
    "/nat/2",
    "/deg",
    "/deg/0",
    "/deg/1",
    "/deg/0/t",
];

#[derive(Clone, Debug)]
struct Kept {
    vct: &'static str,
    claims: Value,
    concealed: BTreeSet<String>,
}

prop_compose! {
    fn kept()(
        vct in select(vec!["A", "B"]),
        keys in subsequence(vec!["name", "age", "flag", "address", "nat", "deg"], 0..=6),
        name in select(vec!["n0", "n1"]),
        age in 0..3_u8,
        nat in vec(select(vec!["GB", "FR", "DE"]), 0..4),
        town in proptest::option::of(Just("t0")),
        mark in btree_set(select(&PLACES[..]), 0..10),
    ) -> Kept {
        let mut address = json!({"street": "1 Mill Lane"});
        if let Some(town) = town {
            address["town"] = json!(town);
        }
        let all = json!({"name": name, "age": age, "flag": true, "address": address, "nat": nat,
            "deg": [{"t": "BA", "y": 1}, {"t": "MA"}, {"y": 3}]});
        let claims: Value = keys.iter().map(|key| ((*key).to_owned(), all[*key].clone())).collect::<serde_json::Map<_, _>>().into();
        let concealed = mark.into_iter().filter(|place| claims.pointer(place).is_some()).map(str::to_owned).collect();
        Kept { vct, claims, concealed }
    }
}

impl Kept {
    fn held(&self) -> Held {
        held(self.vct, &self.claims, &self.concealed.iter().map(String::as_str).collect::<Vec<_>>(), &[])
    }
}

fn claim(id: usize) -> impl Strategy<Value = Value> {
    let with = |path: Value, values: Vec<Value>| {
        let values = proptest::option::weighted(
            0.4,
            btree_set(0..values.len(), 1..=values.len())
                .prop_map(move |at| at.into_iter().map(|i| values[i].clone()).collect::<Vec<_>>()),
        );
        values
            .prop_map(move |values| {
                let mut claim = json!({"path": path});
                if let Some(values) = values {
                    claim["values"] = json!(values);
                }
                claim
            })
            .boxed()
    };
    let texts = |all: &[&str]| all.iter().map(|text| json!(text)).collect::<Vec<_>>();
    prop_oneof![
        with(json!(["name"]), texts(&["n0", "n1", "n2"])),
        with(json!(["age"]), vec![json!(0), json!(1), json!("1"), json!(true)]),
        with(json!(["flag"]), vec![json!(true), json!(false)]),
        with(json!(["address"]), texts(&["t0"])),
        with(json!(["address", "town"]), texts(&["t0", "t1"])),
        with(json!(["nat", null]), texts(&["GB", "FR"])),
        with(json!(["nat", 1]), texts(&["FR", "DE"])),
        with(json!(["nat", 2]), texts(&["GB", "FR"])),
        with(json!(["deg", null, "t"]), texts(&["BA", "MA"])),
        with(json!(["deg", 1, "t"]), texts(&["MA"])),
        with(json!(["deg", null, "y"]), vec![json!(1), json!(3)]),
        with(json!(["name", "x"]), texts(&["n0"])),
    ]
    .prop_map(move |mut claim| {
        claim["id"] = json!(format!("c{id}"));
        claim
    })
}

fn ids(prefix: &'static str, n: usize) -> impl Strategy<Value = Vec<String>> {
    let all: Vec<_> = (0..n).map(|i| format!("{prefix}{i}")).collect();
    subsequence(all, 1..=n)
}

fn credential(id: usize) -> impl Strategy<Value = Value> {
    let claims = (1..4_usize).prop_flat_map(|n| {
        let all: Vec<_> = (0..n).map(claim).collect();
        (all, proptest::option::of(vec(ids("c", n), 1..3)))
    });
    let types = select(vec![json!(["A"]), json!(["B"]), json!(["A", "B"])]);
    (types, any::<bool>(), proptest::option::weighted(0.8, claims)).prop_map(move |(types, multiple, claims)| {
        let mut query = json!({"id": format!("q{id}"), "format": "dc+sd-jwt", "meta": {"vct_values": types},
            "multiple": multiple});
        if let Some((claims, sets)) = claims {
            query["claims"] = json!(claims);
            if let Some(sets) = sets {
                query["claim_sets"] = json!(sets);
            }
        }
        query
    })
}

fn query() -> impl Strategy<Value = Value> {
    (1..4_usize).prop_flat_map(|n| {
        let credentials: Vec<_> = (0..n).map(credential).collect();
        let set = (vec(ids("q", n), 1..3), any::<bool>())
            .prop_map(|(options, required)| json!({"options": options, "required": required}));
        (credentials, proptest::option::weighted(0.7, vec(set, 1..3))).prop_map(|(credentials, sets)| {
            let mut query = json!({"credentials": credentials});
            if let Some(sets) = sets {
                query["credential_sets"] = json!(sets);
            }
            query
        })
    })
}

fn pointer(path: &Path) -> String {
    let step = |step: &Step| match step {
        Step::Name(name) => format!("/{name}"),
        Step::Index(index) => format!("/{index}"),
    };
    path.iter().map(step).collect()
}

/// The query of that id.
fn one<'a>(query: &'a Value, id: &str) -> &'a Value {
    query["credentials"].as_array().unwrap().iter().find(|one| one["id"] == id).unwrap()
}

fn cases() -> ProptestConfig {
    ProptestConfig {
        cases: 512,
        max_shrink_iters: 256,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn what_the_wallet_chooses_the_verifier_takes(
        query in query(), wallet in vec(kept(), 0..4), optional in btree_set(0..3_usize, 0..3),
    ) {
        let read = Query::from_value(&query).unwrap();
        let holdings: Vec<_> = wallet.iter().map(Kept::held).collect();
        let candidates: Vec<_> = holdings.iter().map(|held| Candidate { id: "c", held }).collect();
        let everything = |kept: &Kept| left(&kept.claims, &kept.concealed, &kept.concealed);
        let answerable: BTreeSet<String> = read.credentials.iter().map(|one| one.id.clone())
            .filter(|id| wallet.iter().any(|kept| answers(one(&query, id), kept.vct, &everything(kept))))
            .collect();
        let wishes = Wishes { optional, ..Wishes::default() };
        let Ok(selection) = choose(&read, &candidates, &wishes) else {
            prop_assert!(!is_possible(&query, &answerable), "the wallet refuses what it could answer");
            return Ok(());
        };
        let whole = answer(&selection, &candidates);
        prop_assert_eq!(check(&read, &whole), Ok(()));
        prop_assert!(is_full(&query, &whole.keys().cloned().collect()));
        // Dropping a presentation.
        for id in whole.keys() {
            let mut less = whole.clone();
            if less[id].len() == 1 {
                less.remove(id);
                let full = is_full(&query, &less.keys().cloned().collect());
                prop_assert_eq!(check(&read, &less).is_ok(), full, "without {}", id);
            }
        }
        // Dropping a Disclosure with what stands in it; without claims there is none to drop.
        for part in &selection.presentations {
            let (kept, asked) = (&wallet[part.candidate], one(&query, &part.query));
            prop_assert!(asked["claims"].is_array() || part.disclosures.is_empty());
            for dropped in &part.disclosures {
                let less: Vec<Path> = part.disclosures.iter().filter(|path| !path.starts_with(dropped)).cloned().collect();
                let shown = presented(candidates[part.candidate].held, &less);
                let pointers = less.iter().map(pointer).collect();
                let model = answers(asked, kept.vct, &left(&kept.claims, &kept.concealed, &pointers));
                let query = read.credential(&part.query).unwrap();
                prop_assert_eq!(query.check_shown(&Seen::from(&shown)).is_ok(), model, "without {:?}", dropped);
            }
        }
    }
}
