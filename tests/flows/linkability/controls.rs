//! What would tie copies together is seen: copies of one resident of ten, spoiled in one way each.

use serde_json::{Value, json};
use vouchsafe::district::{INCOME, RESIDENCY};
use vouchsafe_issuer::Kind;
use vouchsafe_protocol::encoding::{b64u, b64u_decode};

use super::compare::{CREDENTIAL, Crowd};
use super::copies::Desk;
use super::walk::{self, Walked, sd_jwt};

const RESIDENTS: u32 = 10;
/// Whose copies are spoiled.
const MARKED: usize = 4;

/// Spoils the copy with this number: its header and payload, by those of the first where it takes something from there.
type Spoil = fn(usize, &mut Value, &mut Value, &Value);

/// What is done, and what must be found, if nothing else is.
const SPOILS: [(&str, &str, Spoil); 24] = [
    ("one commitment twice", "payload > zkc > /total > c: repeats", |at, _, payload, first| {
        if at == 7 {
            payload["zkc"]["/total"]["c"] = first["zkc"]["/total"]["c"].clone();
        }
    }),
    ("a commitment under another name", "payload > zkc > /total > c: repeats", |at, _, payload, first| {
        if at == 7 {
            payload["zkc"]["/total"]["c"] = first["zkc"]["/source"]["c"].clone();
        }
    }),
    ("one holder key twice", "payload > cnf > jwk > x: repeats", |at, _, payload, first| {
        if at == 29 {
            payload["cnf"] = first["cnf"].clone();
        }
    }),
    ("a holder's name", "payload > cnf > jwk > kid: another form", |_, _, payload, _| {
        payload["cnf"]["jwk"]["kid"] = json!("1");
    }),
    ("a member more", "payload > zkc > /total > mark: another form", |_, _, payload, _| {
        payload["zkc"]["/total"]["mark"] = json!(true);
    }),
    ("a member more in two copies", "payload > note: another form", |at, _, payload, _| {
        if at < 2 {
            payload["note"] = Value::Null;
        }
    }),
    ("an empty member more", "payload > note > end of members: another form", |_, _, payload, _| {
        payload["note"] = json!({});
    }),
    ("a member less", "payload > zkc > /total > b: another form", |_, _, payload, _| {
        payload["zkc"].as_object_mut().unwrap().remove("/source");
    }),
    ("a marked unit", "payload > zkc > /total > u: not what everybody has", |_, _, payload, _| {
        payload["zkc"]["/total"]["u"] = json!("GBP-pencE");
    }),
    ("a marked range", "payload > zkc > /total > hi: not what everybody has", |_, _, payload, _| {
        payload["zkc"]["/total"]["hi"] = json!("10000001");
    }),
    ("a number as a text", "payload > zkc > /total > b: not what everybody has", |_, _, payload, _| {
        payload["zkc"]["/total"]["b"] = json!("32");
    }),
    ("facts of another day", "payload > facts_as_of: not what everybody has", |_, _, payload, _| {
        payload["facts_as_of"] = json!("2026-11-19");
    }),
    ("another month", "payload > period: not what everybody has", |_, _, payload, _| {
        payload["period"] = json!("2026-09");
    }),
    ("the second of issue", "payload > iat: not what everybody has", |_, _, payload, _| {
        payload["iat"] = json!(payload["iat"].as_i64().unwrap() + 3_607);
    }),
    ("another certificate", "header > x5c > 0: not what everybody has", |_, header, _, _| {
        header["x5c"][0] = json!("MIIB");
    }),
    ("a list of its own", "payload > status > status_list > uri: of too few", |_, _, payload, _| {
        payload["status"]["status_list"]["uri"] = json!("https://localhost:4/status/AAAAAAAAAAAAAAAAAAAAAA");
    }),
    ("one entry twice", "payload > status > status_list > idx: repeats", |at, _, payload, first| {
        if at == 3 {
            payload["status"] = first["status"].clone();
        }
    }),
    ("entries side by side", "payload > status > status_list > idx: stand together", |at, _, payload, _| {
        payload["status"]["status_list"]["idx"] = json!(400_000 + at * 7 % 61);
    }),
    ("entries in order", "payload > status > status_list > idx: stand together", |at, _, payload, _| {
        payload["status"]["status_list"]["idx"] = json!(100_000 + at * 30_000);
    }),
    ("an entry of fewer digits", "another length", |at, _, payload, _| {
        if at == 12 {
            payload["status"]["status_list"]["idx"] = json!(999);
        }
    }),
    ("a byte of every commitment", "payload > zkc > /person > c: a byte alike", |at, _, payload, _| {
        if at < 16 {
            payload["zkc"]["/person"]["c"] = changed(&payload["zkc"]["/person"]["c"], 5, &[0x2a]);
        }
    }),
    ("a part of two keys", "payload > cnf > jwk > y: a part repeats", |at, _, payload, _| {
        if at % 20 == 3 {
            payload["cnf"]["jwk"]["y"] = changed(&payload["cnf"]["jwk"]["y"], 16, b"resident");
        }
    }),
    ("a part in another place", "payload > cnf > jwk > y: a part repeats", |at, _, payload, _| match at {
        3 => payload["zkc"]["/person"]["c"] = changed(&payload["zkc"]["/person"]["c"], 4, b"resident"),
        4 => payload["cnf"]["jwk"]["y"] = changed(&payload["cnf"]["jwk"]["y"], 16, b"resident"),
        _ => {}
    }),
    (
        "what is said within a value",
        "payload > zkc > /person > c > part 0 > of: repeats",
        |at, _, payload, _| {
            payload["zkc"]["/person"]["c"] = json!(b64u(json!({"at": at, "of": 42}).to_string()));
        },
    ),
];

/// A text with other bytes at some place of what it encodes.
fn changed(text: &Value, at: usize, with: &[u8]) -> Value {
    let mut bytes = b64u_decode(text.as_str().unwrap()).unwrap();
    bytes[at..at + with.len()].copy_from_slice(with);
    json!(b64u(bytes))
}

/// Header and payload of a copy, and what follows.
fn opened(copy: &str) -> (Value, Value, String) {
    let parts: Vec<&str> = copy.splitn(3, '.').collect();
    let json = |at: usize| serde_json::from_slice(&b64u_decode(parts[at]).unwrap()).unwrap();
    (json(0), json(1), parts[2].to_owned())
}

fn spoiled(copies: &[String], spoil: Spoil) -> Vec<Walked> {
    let (_, first, _) = opened(&copies[0]);
    let one = |(at, copy): (usize, &String)| {
        let (mut header, mut payload, rest) = opened(copy);
        spoil(at, &mut header, &mut payload, &first);
        sd_jwt(&format!("{}.{}.{rest}", b64u(header.to_string()), b64u(payload.to_string())))
    };
    copies.iter().enumerate().map(one).collect()
}

async fn everybody(desk: &Desk) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for number in 1..=RESIDENTS {
        all.push(desk.copies(number).await);
    }
    all
}

/// What is found where the copies of one resident are these.
fn found(all: &[Vec<Walked>], marked: &[Walked]) -> Vec<String> {
    let mut crowd = Crowd::new(&CREDENTIAL);
    for (at, copies) in all.iter().enumerate() {
        crowd.resident(if at == MARKED { marked } else { copies });
    }
    crowd.found()
}

fn walked(copies: &[String]) -> Vec<Walked> {
    copies.iter().map(|copy| sd_jwt(copy)).collect()
}

#[tokio::test]
async fn every_mark_on_a_residents_copies_is_seen() {
    let desk = Desk::open(INCOME, Kind::Proof).await;
    let texts = everybody(&desk).await;
    let all: Vec<_> = texts.iter().map(|copies| walked(copies)).collect();
    let untouched = spoiled(&texts[MARKED], |_, _, _, _| {});
    assert_eq!(found(&all, &untouched), [""; 0]);
    for (what, expected, spoil) in SPOILS {
        let found = found(&all, &spoiled(&texts[MARKED], spoil));
        assert!(found.iter().any(|one| one == expected), "{what}: {found:?}");
    }
    // Two copies with one signature, and members in another order: JSON that is read and written again has lost it.
    let mut twice = texts[MARKED].clone();
    let signature = |copy: &str| copy.rsplit_once('.').unwrap().1.to_owned();
    twice[1] = twice[1].replace(&signature(&twice[1]), &signature(&twice[0]));
    assert!(found(&all, &walked(&twice)).contains(&"signature: repeats".to_owned()));
    let (header, payload, rest) = opened(&texts[MARKED][2]);
    let vct = format!("\"vct\":{}", payload["vct"]);
    let moved = payload.to_string().replace(&format!(",{vct}"), "").replacen('{', &format!("{{{vct},"), 1);
    let mut ordered = texts[MARKED].clone();
    ordered[2] = format!("{}.{}.{rest}", b64u(header.to_string()), b64u(moved));
    assert!(found(&all, &walked(&ordered)).contains(&"payload > vct: another form".to_owned()));
}

#[tokio::test]
async fn every_mark_on_disclosures_and_digests_is_seen() {
    let desk = Desk::open(RESIDENCY, Kind::Plain).await;
    let texts = everybody(&desk).await;
    let all: Vec<_> = texts.iter().map(|copies| walked(copies)).collect();
    assert_eq!(found(&all, &all[MARKED]), [""; 0]);
    let with = |change: &dyn Fn(usize, &mut Value)| -> Vec<Walked> {
        let one = |(at, copy): (usize, &String)| {
            let (signed, rest) = copy.split_once('~').unwrap();
            let (disclosure, rest) = rest.split_once('~').unwrap();
            let mut read = serde_json::from_slice(&b64u_decode(disclosure).unwrap()).unwrap();
            change(at, &mut read);
            sd_jwt(&format!("{signed}~{}~{rest}", b64u(read.to_string())))
        };
        texts[MARKED].iter().enumerate().map(one).collect()
    };
    let salt = b64u([7; 16]);
    let twice = with(&|at, read| {
        if at == 2 || at == 28 {
            read[0] = json!(salt);
        }
    });
    assert_eq!(found(&all, &twice), ["salt: a part repeats", "salt: repeats"]);
    let marked = with(&|_, read| read[0] = changed(&read[0], 15, &[1]));
    assert_eq!(found(&all, &marked), ["salt: a byte alike"]);
    for (expected, spoil) in [
        (
            "payload > _sd > 1: repeats",
            (|at, _, payload, first| {
                if at == 1 {
                    payload["_sd"][1] = first["_sd"][2].clone();
                }
            }) as Spoil,
        ),
        ("payload > _sd > 3: another form", |_, _, payload, _| {
            payload["_sd"].as_array_mut().unwrap().push(json!(b64u([9; 32])));
        }),
    ] {
        let found = found(&all, &spoiled(&texts[MARKED], spoil));
        assert!(found.iter().any(|one| one == expected), "{found:?}");
    }
}

#[test]
fn fields_come_in_the_order_of_the_text_from_every_depth() {
    let places = |text: &str| {
        let mut fields = Vec::new();
        assert!(walk::json("x", text.as_bytes(), &mut fields));
        fields.into_iter().map(|field| (field.place, field.leaf.text().to_owned())).collect::<Vec<_>>()
    };
    let pair = |place: &str, text: &str| (place.to_owned(), text.to_owned());
    assert_eq!(
        places(r#"{"b":[1,"t",null],"a":{"c":true}}"#),
        [
            pair("x > b > 0", "1"),
            pair("x > b > 1", "t"),
            pair("x > b > 2", "null"),
            pair("x > b > end of elements", ""),
            pair("x > a > c", "true"),
            pair("x > a > end of members", ""),
            pair("x > end of members", ""),
        ]
    );
    let inner = b64u(r#"{"who":7}"#);
    for (text, place) in [
        (inner.clone(), "x > 0 > part 0 > who"),
        (format!("e30.{inner}.AAAA"), "x > 0 > part 1 > who"),
        (r#"{"who":7}"#.to_owned(), "x > 0 > text > who"),
        (json!({"deep": inner}).to_string(), "x > 0 > text > deep > part 0 > who"),
    ] {
        assert!(places(&json!([text]).to_string()).contains(&pair(place, "7")), "{text}");
    }
    assert!(!walk::json("x", b"{\"a\":1", &mut Vec::new()) && !walk::json("x", b"{} {}", &mut Vec::new()));
}
