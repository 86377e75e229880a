//! Larkfield District: the synthetic world of `demo`, `dev` and the tests.
//!
//! [`set_up`] writes a folder with everything that a council, a registrar and a bus operator would keep each for
//! themselves: keys, certificates, the signed register, settings, policies and the residents' register. The
//! programs then start from those files exactly as they do in production, so nothing is special about the demo
//! but its clock and its residents. Keys are fresh on every machine.

mod files;
mod keys;
pub mod residents;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use vouchsafe_protocol::policy::Period;
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_verifier::trust::{self, Sources};

use crate::exit::Failure;
use files::Folder;
pub(crate) use keys::is_development;

/// The policy of the story.
pub const BUS_PASS: &str = "bus-pass";
/// A policy that a wallet without proofs can answer too.
pub const LEISURE: &str = "leisure";
/// The credential type that residents hold.
pub const RESIDENCY: &str = "residency";
/// The policy, and the credential type, of volunteers.
pub const CLEARANCE: &str = "clearance";
/// The policy beside whose answer a resident authorises a payment.
pub const HARDSHIP: &str = "hardship";
/// The policy beside whose answer a resident agrees to a reminder.
pub const REMINDER: &str = "reminder";
/// The policy of a list of wards with gaps.
pub const PARKING: &str = "parking";
/// The policy that adds up what two payers paid one person.
pub const MEALS: &str = "meals";
/// The policy that adds up what two payers paid two people, and the type that says who lives together.
pub const HOUSEHOLD: &str = "household";
/// The policy that counts how often somebody was met.
pub const SWIM: &str = "swim";
/// The type whose copies are linked to the wallet's secret, so that a service can count residents.
pub const CARD: &str = "card";
/// The type of the payers' statements.
pub const INCOME: &str = "income";
/// The service that asks.
pub const BUSES: &str = "https://buses.larkfield.example";
/// Another service, at the same verifier.
pub const SCHOOLS: &str = "https://schools.larkfield.example";

/// The policies and their test cases, by file name.
const POLICIES: [(&str, &str); 18] = [
    ("bus-pass.toml", include_str!("../../district/policies/bus-pass.toml")),
    ("bus-pass.cases.toml", include_str!("../../district/policies/bus-pass.cases.toml")),
    ("clearance.toml", include_str!("../../district/policies/clearance.toml")),
    ("clearance.cases.toml", include_str!("../../district/policies/clearance.cases.toml")),
    ("hardship.toml", include_str!("../../district/policies/hardship.toml")),
    ("hardship.cases.toml", include_str!("../../district/policies/hardship.cases.toml")),
    ("household.toml", include_str!("../../district/policies/household.toml")),
    ("household.cases.toml", include_str!("../../district/policies/household.cases.toml")),
    ("leisure.toml", include_str!("../../district/policies/leisure.toml")),
    ("leisure.cases.toml", include_str!("../../district/policies/leisure.cases.toml")),
    ("meals.toml", include_str!("../../district/policies/meals.toml")),
    ("meals.cases.toml", include_str!("../../district/policies/meals.cases.toml")),
    ("parking.toml", include_str!("../../district/policies/parking.toml")),
    ("parking.cases.toml", include_str!("../../district/policies/parking.cases.toml")),
    ("reminder.toml", include_str!("../../district/policies/reminder.toml")),
    ("reminder.cases.toml", include_str!("../../district/policies/reminder.cases.toml")),
    ("swim.toml", include_str!("../../district/policies/swim.toml")),
    ("swim.cases.toml", include_str!("../../district/policies/swim.cases.toml")),
];

/// What the bodies sign, by file name.
const RESIDENCY_TYPE: (&str, &str) =
    ("types/residency.toml", include_str!("../../district/types/residency.toml"));
const CLEARANCE_TYPE: (&str, &str) =
    ("types/clearance.toml", include_str!("../../district/types/clearance.toml"));
const HOUSEHOLD_TYPE: (&str, &str) =
    ("types/household.toml", include_str!("../../district/types/household.toml"));
const CARD_TYPE: (&str, &str) = ("types/card.toml", include_str!("../../district/types/card.toml"));
const INCOME_TYPE: (&str, &str) = ("types/income.toml", include_str!("../../district/types/income.toml"));

/// The folders of the payers.
pub(crate) const PAYERS: [&str; 2] = ["payer-one", "payer-two"];
/// What people call them.
const PAYER_NAMES: [(&str, &str); 2] =
    [("Larkfield Payer One", "Talwr Un Larkfield"), ("Larkfield Payer Two", "Talwr Dau Larkfield")];

/// Which month the payers' statements are of: the one before that of the day.
const LAST_MONTH: Period = Period::Month { back: 1 };

/// The list that levels of clearance are of.
const CLEARANCE_LEVELS: &str = "https://larkfield.example/lists/clearance-levels";
/// The list that ward codes are of.
const COUNTY_WARDS: &str = "https://larkfield.example/lists/county-wards";

/// Where the programs listen and by what name they are reached.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// The issuer's public listener.
    pub issuer: SocketAddr,
    /// The volunteer bureau's public listener: a second issuer.
    pub bureau: SocketAddr,
    /// The two payers' public listeners: issuers of the same type.
    pub payers: [SocketAddr; 2],
    /// The verifier's public listener.
    pub verifier: SocketAddr,
    /// The schools' receiver of webhooks.
    pub schools: SocketAddr,
    /// Health and metrics.
    pub ops: SocketAddr,
}

impl Addresses {
    /// The issuer's identifier: its origin.
    #[must_use]
    pub fn issuer_origin(&self) -> String {
        format!("https://localhost:{}", self.issuer.port())
    }

    /// The bureau's identifier: its origin.
    #[must_use]
    pub fn bureau_origin(&self) -> String {
        format!("https://localhost:{}", self.bureau.port())
    }

    /// The payers' identifiers: their origins.
    #[must_use]
    pub fn payer_origins(&self) -> [String; 2] {
        self.payers.map(|payer| format!("https://localhost:{}", payer.port()))
    }

    /// The verifier's origin.
    #[must_use]
    pub fn verifier_origin(&self) -> String {
        format!("https://localhost:{}", self.verifier.port())
    }
}

/// Where the programs keep their rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Databases {
    /// Each in a SQLite file of its own.
    #[default]
    Files,
    /// Each in a database of its own, `PREFIX_issuer` and `PREFIX_verifier`, on one PostgreSQL server.
    Server {
        /// The folder of the server's Unix socket.
        socket: PathBuf,
        /// What the databases' names begin with.
        prefix: String,
    },
}

impl Databases {
    /// Whom the programs connect as.
    pub const USER: &str = "vouchsafe";

    /// The name of a program's database on the server.
    #[must_use]
    pub fn name(prefix: &str, program: &str) -> String {
        format!("{prefix}_{program}")
    }

    /// The value of `database` in a program's settings; `{dir}` is filled later.
    fn place(&self, program: &str) -> String {
        match self {
            Self::Files => format!("\"{{dir}}/{program}/{program}.sqlite\""),
            Self::Server { socket, prefix } => format!(
                "{{ host = \"{}\", name = \"{}\", user = \"{}\" }}",
                socket.display(),
                Self::name(prefix, program),
                Self::USER
            ),
        }
    }
}

/// A district that has been set up.
#[derive(Clone, Debug)]
pub struct District {
    dir: PathBuf,
}

impl District {
    /// The district that was set up in `dir`.
    #[must_use]
    pub fn in_folder(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// The folder it lives in.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The issuer's settings.
    #[must_use]
    pub fn issuer_config(&self) -> PathBuf {
        self.dir.join("issuer/issuer.toml")
    }

    /// The volunteer bureau's settings.
    #[must_use]
    pub fn bureau_config(&self) -> PathBuf {
        self.dir.join("bureau/issuer.toml")
    }

    /// The volunteer bureau's register, CSV.
    #[must_use]
    pub fn volunteers_csv(&self) -> PathBuf {
        self.dir.join("bureau/volunteers.csv")
    }

    /// The payers' settings.
    #[must_use]
    pub fn payer_configs(&self) -> [PathBuf; 2] {
        PAYERS.map(|payer| self.dir.join(payer).join("issuer.toml"))
    }

    /// The payers' registers of last month, CSV.
    #[must_use]
    pub fn income_csvs(&self) -> [PathBuf; 2] {
        PAYERS.map(|payer| self.dir.join(payer).join("income.csv"))
    }

    /// The council's register of households, CSV.
    #[must_use]
    pub fn households_csv(&self) -> PathBuf {
        self.dir.join("issuer/households.csv")
    }

    /// The verifier's settings.
    #[must_use]
    pub fn verifier_config(&self) -> PathBuf {
        self.dir.join("verifier/verifier.toml")
    }

    /// What residents add to their wallets: the registrar's keys and the anchors.
    #[must_use]
    pub fn trust_file(&self) -> PathBuf {
        self.dir.join("trust.json")
    }

    /// The certificate authority of the listeners, PEM.
    #[must_use]
    pub fn tls_ca(&self) -> PathBuf {
        self.dir.join("tls-ca.pem")
    }

    /// The residents' register, CSV.
    #[must_use]
    pub fn register_csv(&self) -> PathBuf {
        self.dir.join("issuer/residents.csv")
    }

    /// The register of an earlier quarter, CSV.
    #[must_use]
    pub fn earlier_register_csv(&self) -> PathBuf {
        self.dir.join("issuer/residents-earlier.csv")
    }

    /// The key by which the bus operator calls the verifier.
    #[must_use]
    pub fn test_key_file(&self) -> PathBuf {
        self.dir.join("client/test.key")
    }

    /// The secret that messages to the schools are signed with.
    #[must_use]
    pub fn webhook_secret_file(&self) -> PathBuf {
        self.dir.join("schools/webhook.secret")
    }

    /// The key by which the schools call the verifier.
    #[must_use]
    pub fn schools_key_file(&self) -> PathBuf {
        self.dir.join("client/schools.key")
    }

    /// The key with which the bus operator's system signs for an access token.
    #[must_use]
    pub fn client_key_file(&self) -> PathBuf {
        self.dir.join("client/private.pem")
    }
}

/// Makes the keys and certificates of the listeners in `dir`, so that they can be bound before the rest is written.
///
/// # Errors
/// When a file cannot be written or a key cannot be made.
pub fn prepare_listeners(dir: &Path, today: UnixTime) -> Result<(), Failure> {
    keys::listeners(&Folder::open(dir)?, today)
}

/// Writes the district into `dir`, or completes one that is there: what exists is kept, but the register, which is
/// valid for a week, is signed anew. `now` dates the signing certificates.
/// [`prepare_listeners`] comes first.
///
/// # Errors
/// When a file cannot be written or a key cannot be made.
pub async fn set_up(dir: &Path, at: &Addresses, now: UnixTime) -> Result<District, Failure> {
    set_up_on(dir, at, &Databases::Files, now).await
}

/// As [`set_up`], with the rows where `databases` says.
///
/// # Errors
/// As [`set_up`].
pub async fn set_up_on(
    dir: &Path,
    at: &Addresses,
    databases: &Databases,
    now: UnixTime,
) -> Result<District, Failure> {
    let folder = Folder::open(dir)?;
    let district = District { dir: folder.path().to_owned() };
    let keys = keys::prepare(&folder, at, now)?;
    let words = folder.words(at, databases, &keys);
    folder.write("issuer/issuer.toml", &words.fill(include_str!("../../district/issuer.toml")))?;
    folder.write("verifier/verifier.toml", &words.fill(include_str!("../../district/verifier.toml")))?;
    folder.write("bureau/issuer.toml", &words.fill(include_str!("../../district/bureau.toml")))?;
    for (payer, origin, at) in payers(at) {
        folder.write(
            &format!("{}/issuer.toml", PAYERS[payer]),
            &words.fill(&payer_settings(payer, &origin, at)),
        )?;
    }
    types(&folder)?;
    registers(&folder, now)?;
    for (name, text) in POLICIES {
        folder.write(&format!("verifier/policies/{name}"), &words.fill(text))?;
    }
    sign_register(&folder, &words, &keys, now).await?;
    Ok(district)
}

/// The payers, each with its origin and where it listens.
fn payers(at: &Addresses) -> impl Iterator<Item = (usize, String, SocketAddr)> {
    at.payer_origins().into_iter().zip(at.payers).enumerate().map(|(i, (origin, at))| (i, origin, at))
}

fn payer_settings(payer: usize, origin: &str, at: SocketAddr) -> String {
    let (en, cy) = PAYER_NAMES[payer];
    include_str!("../../district/payer.toml")
        .replace("{payer}", origin)
        .replace("{payer_address}", &at.to_string())
        .replace("{payer_dir}", PAYERS[payer])
        .replace("{payer_en}", en)
        .replace("{payer_cy}", cy)
}

/// The descriptions of what each signs, and all of them for the verifier.
fn types(folder: &Folder) -> Result<(), Failure> {
    for (program, (name, text)) in [
        ("issuer", RESIDENCY_TYPE),
        ("issuer", HOUSEHOLD_TYPE),
        ("issuer", CARD_TYPE),
        ("bureau", CLEARANCE_TYPE),
        (PAYERS[0], INCOME_TYPE),
        (PAYERS[1], INCOME_TYPE),
        ("verifier", RESIDENCY_TYPE),
        ("verifier", HOUSEHOLD_TYPE),
        ("verifier", CARD_TYPE),
        ("verifier", CLEARANCE_TYPE),
        ("verifier", INCOME_TYPE),
    ] {
        folder.write(&format!("{program}/{name}"), text)?;
    }
    Ok(())
}

/// What each body knows of people; the payers' statements are of the month before `now`.
fn registers(folder: &Folder, now: UnixTime) -> Result<(), Failure> {
    folder.write("bureau/volunteers.csv", &residents::volunteers())?;
    folder.write("issuer/residents.csv", &residents::register())?;
    folder.write("issuer/residents-earlier.csv", &residents::earlier_register())?;
    folder.write("issuer/households.csv", &residents::households())?;
    let month = LAST_MONTH.text(now.london_date());
    let month = month.ok_or_else(|| Failure::usage("the clock shows no day that has a month before it"))?;
    for (payer, dir) in PAYERS.into_iter().enumerate() {
        folder.write(&format!("{dir}/income.csv"), &residents::incomes(payer, &month))?;
    }
    Ok(())
}

async fn sign_register(
    folder: &Folder,
    words: &files::Words,
    keys: &keys::Keys,
    now: UnixTime,
) -> Result<(), Failure> {
    let parties = words.fill(include_str!("../../district/registrar/parties.toml"));
    let sources = Sources::parse([
        parties.as_str(),
        include_str!("../../district/registrar/purposes.toml"),
        include_str!("../../district/registrar/tables.toml"),
    ]);
    let sources = sources.map_err(Failure::usage)?;
    let signed = trust::sign(&sources, &keys.registrar, None, now).await.map_err(Failure::usage)?;
    folder.write("register.jws", &signed.jws)?;
    for (program, issuer) in [
        ("issuer", "{issuer}"),
        ("bureau", "{bureau}"),
        (PAYERS[0], "{payer_one}"),
        (PAYERS[1], "{payer_two}"),
    ] {
        let issuer = words.fill(issuer);
        let entry = signed.issuers.iter().find(|(sub, _)| *sub == issuer);
        let (_, entry) = entry.ok_or_else(|| Failure::usage("the register lacks an issuer"))?;
        folder.write(&format!("{program}/entry.jws"), entry)?;
    }
    for (name, list) in
        [("issuer/lists/county-wards.jws", COUNTY_WARDS), ("bureau/lists/levels.jws", CLEARANCE_LEVELS)]
    {
        let found = signed.tables.iter().find(|(id, ..)| id == list);
        let (.., found) = found.ok_or_else(|| Failure::usage("the register lacks a list of codes"))?;
        folder.write(name, found)?;
    }
    Ok(())
}
