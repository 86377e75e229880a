//! Two residents answer one question, each at a command line of their own, with files between them.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use vouchsafe::demo::browser::{Browser, wallet_link};
use vouchsafe::demo::operator::Operator;
use vouchsafe::dev;
use vouchsafe::district::{HOUSEHOLD, residents};
use vouchsafe::world::{Ports, World};
use vouchsafe_service::clock::{Clock as _, SystemClock};

use crate::child::{Ended, run};

/// One of the two, at a command line.
struct Partner<'a> {
    dir: &'a Path,
    vault: String,
    ca: String,
}

impl Partner<'_> {
    /// A command that must succeed and say nothing beside its result.
    fn told(&self, args: &[&str]) -> String {
        let ended = self.wallet(args);
        assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{args:?}");
        ended.out
    }

    /// A command that is refused with this exit code, prints no result, and begins nothing.
    fn refused(&self, code: i32, args: &[&str]) -> String {
        let ended = self.wallet(args);
        assert_eq!((ended.code, ended.out.as_str()), (code, ""), "{args:?}: {}", ended.err);
        assert_eq!(self.told(&["exchanges"]), "", "{args:?}");
        ended.err
    }

    fn wallet(&self, args: &[&str]) -> Ended {
        let wallet = ["wallet", "--vault", &self.vault, "--passphrase-file", "pass", "--dev-ca", &self.ca];
        tokio::task::block_in_place(|| run(self.dir, &[&wallet[..], args].concat()))
    }
}

async fn collects(world: &World, partner: &Partner<'_>, number: u32, month: &str) {
    partner.told(&["trust", "add", world.district.trust_file().to_str().unwrap()]);
    let mut offers = vec![dev::offer_of(&world.issuer, HOUSEHOLD, number).await.unwrap()];
    for payer in &world.payers {
        offers.push(dev::offer_statement(payer, number, month).await.unwrap());
    }
    for offer in offers {
        partner.told(&["receive", &offer.link(), "--tx-code", offer.tx_code()]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn two_residents_answer_with_files_between_them() {
    let dir = tempfile::tempdir().unwrap();
    let pass = dir.path().join("pass");
    std::fs::write(&pass, "correct horse").unwrap();
    std::fs::set_permissions(&pass, std::fs::Permissions::from_mode(0o600)).unwrap();
    let clock = Arc::new(SystemClock);
    let world = World::start(&dir.path().join("district"), Ports::default(), clock.clone()).await.unwrap();
    let today = clock.now().london_date();
    dev::enrol_others(&world, today).await.unwrap();
    let before = today.first_of_month().yesterday().unwrap();
    let month = format!("{:04}-{:02}", before.year(), before.month());
    let ca = world.district.tls_ca().to_str().unwrap().to_owned();
    let partner = |vault: &str| Partner { dir: dir.path(), vault: vault.to_owned(), ca: ca.clone() };
    let (one, two) = (partner("one"), partner("two"));
    collects(&world, &one, residents::MET, &month).await;
    collects(&world, &two, residents::PARTNER, &month).await;

    let key = world.schools_key().unwrap();
    let schools = Operator::new(world.client().unwrap(), &world.at.verifier_origin(), &key);
    let asked = schools.ask(HOUSEHOLD, "HOUSEHOLD-2026").await.unwrap();
    let mut browser = Browser::new(world.client().unwrap());
    let link = wallet_link(&browser.open(&asked.url).await.unwrap()).unwrap();
    let back = converse(&one, &two, &link);
    browser.open(&back).await.unwrap();
    let decision = schools.decision(&asked.id).await.unwrap().unwrap();
    assert_eq!(decision["outcome"], "met", "{decision}");
    world.stop().await;
}

/// From the question to where the browser goes on.
fn converse(one: &Partner<'_>, two: &Partner<'_>, link: &str) -> String {
    let read = one.told(&["join", link]);
    assert!(read.contains("Invite: show the invitation to the other person’s wallet."), "{read}");
    assert!(
        one.refused(2, &["join", link, "--yes", "--out", "absent/invitation"]).contains("cannot be written")
    );
    let invited = one.told(&["join", link, "--yes", "--qr", "--out", "invitation"]);
    assert!(invited.ends_with("Bring invitation to the other person's wallet.\n"), "{invited}");
    assert!(invited.lines().count() > 20, "a picture stands before it");
    let read = two.told(&["contribute", "@invitation"]);
    for words in ["your exact “your income of the month” from Larkfield Payer One", "fingerprint"] {
        assert!(read.contains(words), "{words}\n{read}");
    }
    // The first resident reads their number out, and the other one types it.
    let shown = one.told(&["exchanges"]);
    let number = shown.split("The number of this invitation is ").nth(1).unwrap();
    let number = number.split('.').next().unwrap();
    assert!(invited.contains(number) && read.contains(number), "{number}");
    let unchecked = two.refused(3, &["contribute", "@invitation", "--yes", "--out", "contribution"]);
    assert!(unchecked.contains("read you the number on their screen"), "{unchecked}");
    let agreed = ["contribute", "@invitation", "--yes", "--check", number, "--out"];
    two.refused(2, &[&agreed[..], &["absent/contribution"]].concat());
    two.told(&[&agreed[..], &["contribution"]].concat());
    assert!(two.told(&["exchanges"]).contains("Copies used: 3."));
    one.told(&["join", "--message", "@contribution", "--out", "proof"]);
    two.told(&["contribute", "--message", "@proof", "--out", "binding"]);
    let answered = one.told(&["--json", "join", "--message", "@binding"]);
    let answered: Value = serde_json::from_str(&answered).unwrap();
    assert_eq!((one.told(&["exchanges"]), two.told(&["exchanges"])), (String::new(), String::new()));
    assert!(two.told(&["history"]).starts_with("Took part in another person’s answer to Larkfield Schools"));
    answered["redirect_uri"].as_str().unwrap().to_owned()
}
