//! Totals of a month: a person has one credential for each, and a correction takes back what it corrects.

use jiff::civil::date;
use serde_json::{Value, json};
use vouchsafe_protocol::openid4vci::batch::Received;
use vouchsafe_protocol::status::Standing;

use super::council::{Council, pay_type};
use super::wallet::{JWT, Wallet};
use crate::import::{self, HeaderError, ImportError, Options, Reason, Report};
use crate::offer::{self, Delivery, Offer, OfferError, OfferRequest};
use crate::store::{AddOfferError, Asked, Register as _};
use crate::{Kind, status};

/// Two people and two months; the second has nothing in October, which is a total too.
const PAY: &str = "\
person,number,month,total
LD-0041,AA-0041,2026-09,1800.00
LD-0041,AA-0041,2026-10,1900.50
LD-0042,AA-0042,2026-10,0
";

async fn imported(council: &Council, csv: &str, day: i8) -> Report {
    let options = Options {
        type_id: "pay".to_owned(),
        key_column: "person".to_owned(),
        facts_as_of: date(2026, 11, day),
    };
    import::run(&council.app, &council.file(csv), &options, |_| {}).await.unwrap()
}

async fn paying() -> Council {
    let council = Council::paying().await;
    let report = imported(&council, PAY, 20).await;
    assert_eq!((report.progress.added, report.progress.rejected), (3, 0));
    council
}

fn request(person: &str) -> OfferRequest {
    OfferRequest {
        type_id: "pay".to_owned(),
        person: person.to_owned(),
        kind: Kind::Proof,
        delivery: Delivery::Link,
    }
}

async fn offered(council: &Council, person: &str, period: &str) -> Result<Offer, OfferError> {
    offer::create_for_period(&council.app, &request(person), period).await
}

async fn collect(council: &Council, person: &str, period: &str) -> Vec<Received> {
    let (wallet, offer) = (Wallet::new(council, 3), offered(council, person, period).await.unwrap());
    let token = wallet.token(&offer).await;
    let wish = wallet.wish("pay-zk", wallet.proofs(&wallet.nonce().await).await);
    let sealed = wallet.sealed(&wish).await;
    let copies = wallet.open(&wallet.ask(&token, JWT, sealed).await);
    wallet.keep(copies, &pay_type().proof_vct())
}

/// What the published lists say of a batch, after the next publication.
async fn standing(council: &Council, batch: &[Received]) -> Standing {
    status::publish(&council.app).await.unwrap();
    let snapshot = crate::store::Statuses::snapshot(council.app.store()).await.unwrap();
    let reference = batch[0].held.status().unwrap();
    let marked = snapshot.shards.iter().flat_map(|shard| shard.marked.clone());
    let found = marked.into_iter().find(|(idx, _)| *idx == reference.idx());
    found.map_or(Standing::Valid, |(_, standing)| standing)
}

#[tokio::test]
async fn a_person_has_a_credential_for_each_period() {
    let council = paying().await;
    for (person, period, total) in
        [("LD-0041", "2026-09", 180_000), ("LD-0041", "2026-10", 190_050), ("LD-0042", "2026-10", 0)]
    {
        let batch = collect(&council, person, period).await;
        assert_eq!(batch.len(), 3);
        for copy in &batch {
            let values = &copy.opened.as_ref().unwrap().values;
            assert_eq!((copy.period.as_deref(), values["/total"].integer()), (Some(period), Some(total)));
            assert_eq!(values["/person"].text(), Some(person.replace("LD", "AA").as_str()));
            let zkc = copy.held.disclosed().always_visible("zkc").unwrap();
            assert_eq!(zkc["/person"].as_object().unwrap().keys().collect::<Vec<_>>(), ["c", "enc", "u"]);
            assert_eq!(copy.held.disclosed().always_visible("period"), Some(&json!(period)));
        }
    }
}

#[tokio::test]
async fn an_offer_is_for_a_period_of_the_register() {
    let council = paying().await;
    let none = offer::create(&council.app, &request("LD-0041")).await;
    assert_eq!(none.err(), Some(OfferError::PeriodNeeded));
    let unknown = Some(OfferError::Store(AddOfferError::UnknownPerson));
    assert_eq!(offered(&council, "LD-0042", "2026-09").await.err(), unknown);
    assert_eq!(offered(&council, "LD-0099", "2026-10").await.err(), unknown);
    assert_eq!(offered(&council, "LD-0041", "2026-9").await.err(), Some(OfferError::NoPeriod));
    let residency = OfferRequest { type_id: "residency".to_owned(), ..request("LD-0041") };
    let foreign = offer::create_for_period(&council.app, &residency, "2026-10").await;
    assert_eq!(foreign.err(), Some(OfferError::NoPeriod));
}

/// What is said of one row of a register that was read on 20 November.
async fn said_of(row: &str) -> Vec<(String, Reason)> {
    let report = imported(&Council::paying().await, &format!("person,number,month,total\n{row}\n"), 20).await;
    assert!(report.errors.iter().all(|error| error.line == 2));
    report.errors.into_iter().map(|error| (error.column, error.reason)).collect()
}

#[tokio::test]
async fn a_row_is_a_total_of_a_month_that_is_over() {
    for (month, expected) in [
        ("2026-10", None),
        ("2026-11", Some(Reason::Period)),
        ("2026-12", Some(Reason::Period)),
        ("2026-9", Some(Reason::Form)),
        ("October", Some(Reason::Form)),
        ("", Some(Reason::Missing)),
    ] {
        let said = said_of(&format!("LD-0041,AA-0041,{month},1.00")).await;
        let expected: Vec<_> = expected.into_iter().map(|reason| ("month".to_owned(), reason)).collect();
        assert_eq!(said, expected, "{month:?}");
    }
    let number = |reason| vec![("number".to_owned(), reason)];
    assert_eq!(said_of("LD-0041,AA-41,2026-10,1.00").await, number(Reason::Pattern));
    assert_eq!(said_of("LD-0041,aa-0041,2026-10,1.00").await, number(Reason::Pattern));
    assert_eq!(said_of("LD-0041,,2026-10,1.00").await, number(Reason::Missing));
    // On the last day of a month the month is not over.
    let council = Council::paying().await;
    council.clock.advance(10 * 86_400);
    let row = "person,number,month,total\nLD-0041,AA-0041,2026-11,1.00\n";
    assert_eq!(imported(&council, row, 30).await.progress.rejected, 1);
    let options = |type_id: &str| Options {
        type_id: type_id.to_owned(),
        key_column: "person".to_owned(),
        facts_as_of: date(2026, 11, 20),
    };
    let file = council.file("person,number,total\nLD-0041,AA-0041,1.00\n");
    let missing = import::run(&council.app, &file, &options("pay"), |_| {}).await;
    assert!(matches!(missing, Err(ImportError::Header(HeaderError::Missing(column))) if column == "month"));
    let file = council.file(PAY);
    let preview = import::preview(&council.app, &file, &options("pay")).unwrap();
    assert_eq!((preview.records, preview.rejected), (3, 0));
    assert_eq!(preview.columns[2].fills, import::Fills::Attributes(vec!["/period".to_owned()]));
}

#[tokio::test]
async fn a_person_stands_once_in_a_file_for_each_period() {
    let council = Council::paying().await;
    let twice = format!("{PAY}LD-0041,AA-0041,2026-10,1.00\n");
    let report = imported(&council, &twice, 20).await;
    assert_eq!((report.progress.added, report.progress.rejected), (3, 1));
    assert_eq!((report.errors[0].line, report.errors[0].reason), (5, Reason::PersonTwice));
    let secrets = council.app.secrets();
    let (pay, key) = (pay_type(), "LD-0041");
    let names = [secrets.person(&pay, key), secrets.person_in(&pay, key, "2026-09")];
    assert!(names[0] != names[1] && names[1] != secrets.person_in(&pay, key, "2026-10"));
    assert_eq!(council.app.store().in_periods("pay", names[0]).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_correction_takes_back_the_copies_of_its_period_alone() {
    let council = paying().await;
    let september = collect(&council, "LD-0041", "2026-09").await;
    let october = collect(&council, "LD-0041", "2026-10").await;
    let other = collect(&council, "LD-0042", "2026-10").await;
    let corrected = PAY.replace("1900.50", "1950.50");
    imported(&council, &corrected, 21).await;
    assert_eq!(standing(&council, &september).await, Standing::Valid);
    assert_eq!(standing(&council, &other).await, Standing::Valid);
    assert_eq!(standing(&council, &october).await, Standing::Revoked);
    let again = collect(&council, "LD-0041", "2026-10").await;
    assert_eq!(again[0].opened.as_ref().unwrap().values["/total"].integer(), Some(195_050));
    assert_eq!(standing(&council, &again).await, Standing::Valid);
}

#[tokio::test]
async fn an_officer_suspends_a_person_and_not_a_month() {
    let council = paying().await;
    let september = collect(&council, "LD-0041", "2026-09").await;
    let october = collect(&council, "LD-0041", "2026-10").await;
    let ask = async |person: &str, to| {
        status::change(&council.app, "pay", &[person.to_owned()], to).await.unwrap()[0]
    };
    assert_eq!(ask("LD-0042", Standing::Suspended).await, Asked::Nobody);
    assert_eq!(ask("LD-0041", Standing::Suspended).await, Asked::Waiting);
    for batch in [&september, &october] {
        assert_eq!(standing(&council, batch).await, Standing::Suspended);
    }
    // A month that comes later is the same person's.
    let august = "person,number,month,total\nLD-0041,AA-0041,2026-08,1.00\n";
    assert_eq!(imported(&council, august, 21).await.progress.added, 1);
    let (wallet, offer) = (Wallet::new(&council, 1), offered(&council, "LD-0041", "2026-08").await.unwrap());
    let token = wallet.token(&offer).await;
    let wish = wallet.wish("pay-zk", wallet.proofs(&wallet.nonce().await).await);
    let refused = wallet.ask(&token, JWT, wallet.sealed(&wish).await).await.refused();
    assert_eq!(refused, (400, "credential_request_denied".to_owned()));
    assert_eq!(ask("LD-0041", Standing::Revoked).await, Asked::Waiting);
    assert_eq!(standing(&council, &september).await, Standing::Revoked);
    assert_eq!(ask("LD-0041", Standing::Valid).await, Asked::Final);
}

#[tokio::test]
async fn what_waits_is_found_by_its_person() {
    let council = Council::paying_after_approval().await;
    imported(&council, PAY, 20).await;
    let bound = super::bound::Bound::new(&council, 1);
    let token = bound.token(&offered(&council, "LD-0041", "2026-10").await.unwrap()).await;
    let wish = bound.wallet.wish("pay-zk", bound.wallet.proofs(&bound.wallet.nonce().await).await);
    let sealed = bound.wallet.sealed(&wish).await;
    assert_eq!(bound.call("/credential", JWT, &token, sealed).await.status, 202);
    let waits = async |person| crate::deferral::waiting(&council.app, person).await.unwrap().len();
    assert_eq!((waits(None).await, waits(Some("LD-0041")).await, waits(Some("LD-0042")).await), (1, 1, 0));
}

#[tokio::test]
async fn the_metadata_say_which_types_have_periods() {
    let council = paying().await;
    let metadata = Wallet::new(&council, 0).metadata().await;
    let period = |id: &str| metadata.credential_configurations_supported[id].period.is_some();
    assert!(period("pay-zk") && !period("residency") && !period("residency-zk"));
    let text = council.get("/.well-known/openid-credential-issuer").await.json();
    let said = &text["credential_configurations_supported"]["pay-zk"]["urn:vouchsafe:period:1"];
    assert_eq!(said, &Value::from("month"));
}

#[cfg(feature = "mutants")]
mod switches {
    use vouchsafe_mutants::{without, without_async};
    use vouchsafe_protocol::jose::jws::NewHeader;
    use vouchsafe_protocol::sd_jwt::vc;
    use vouchsafe_protocol::status::Reference;
    use vouchsafe_service::entropy::{EntropyRng, OsEntropy};

    use super::*;
    use crate::issue::{Batch, Own};

    #[tokio::test]
    async fn switches_that_periods_notice() {
        let enrols = async || said_of("LD-0041,AA-0041,2026-11,1.00").await.is_empty();
        assert!(!enrols().await);
        assert!(without_async("store-import-period", enrols()).await);
        let council = paying().await;
        let wallet = Wallet::new(&council, 1);
        let pay = pay_type();
        let facts = json!({"/period": "2026-11", "/person": "AA-0041", "/total": 1});
        let batch = Batch {
            iss: super::super::council::ISSUER,
            credential_type: &pay,
            kind: Kind::Proof,
            facts: facts.as_object().unwrap(),
            facts_as_of: date(2026, 11, 20),
            lists: council.app.lists(),
            chain: council.app.chain(),
            links: None,
            now: council.app.now(),
        };
        let status = Reference::new(1, "https://issuer.larkfield.example/status/a").unwrap();
        let header = NewHeader::new(council.app.signer().alg(), vc::TYP).x5c(council.app.chain()).encode();
        let holder = wallet.public_keys().remove(0);
        let own = Own { status: Some(&status), link: None };
        let signs = || {
            let entropy = OsEntropy::new();
            batch.build(&holder, &own, &header, &mut EntropyRng(&entropy)).is_ok()
        };
        assert!(!signs());
        assert!(without("vci-issue-period", signs));
    }
}
