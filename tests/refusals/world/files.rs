//! The files that the installation reads, as an operator and a registrar would write them.

use std::path::Path;

use vouchsafe_protocol::encoding::{b64u, sha256};
use vouchsafe_protocol::trust::TrustFile;
use vouchsafe_service::dev_ca::Leaf;
use vouchsafe_service::entropy::OsEntropy;
use vouchsafe_service::keys::SigningKey;
use vouchsafe_service::secret::ServerKey;
use vouchsafe_verifier::config::Config;

use crate::town;

use super::{BUS_KEY, BUSES, ISS, LIVE, ORIGIN, STRANGER, UNTYPED, VCT, VCT_PROOF, WARDS};

const TYPE: &str = r#"
id = "residency"
vct = "{VCT}"
name = { en = "Residency", cy = "Preswyliaeth" }
ttl_days = 30
link = true
[[attributes]]
pointer = "/link_since"
label = { en = "since when", cy = "ers pryd" }
kind = "date"
answer = ["prove"]
lo = "1880-01-01"
hi = "2050-12-31"
[[attributes]]
pointer = "/birth_date"
column = "birth_date"
label = { en = "date of birth", cy = "dyddiad geni" }
kind = "date"
answer = ["show", "prove"]
lo = "1880-01-01"
hi = "2050-12-31"
[[attributes]]
pointer = "/ward"
column = "ward"
label = { en = "ward", cy = "ward" }
kind = "code"
codes = "{WARDS}"
answer = ["show", "prove"]
lo = "0"
hi = "999"
[[attributes]]
pointer = "/rooms"
column = "rooms"
label = { en = "number of rooms", cy = "nifer yr ystafelloedd" }
kind = "number"
unit = "room"
answer = ["prove"]
lo = "0"
hi = "99"
"#;

const POLICY: &str = r#"
id = "{id}"
version = 1
purpose = "pass"
subject = "same_person"
subject_binding = "{binding}"
other_route = { en = "Visit the kiosk.", cy = "Ewch i'r ciosg." }
"#;

const PLAIN: &str = r#"
[[accept]]
vct = "{VCT}"
iss = [{issuers}]
max_age_days = 30
"#;

const PROOF: &str = r#"
[[accept]]
vct = "{VCT_PROOF}"
iss = ["{ISS}"]
max_age_days = 30
"#;

const CONDITIONS_SHOWN: &str = r#"
[[conditions]]
id = "age"
pointer = "/birth_date"
op = "le"
rule = { kind = "age_at_least", unit = "years", n = 66 }
[[conditions]]
id = "ward"
pointer = "/ward"
op = "show"
"#;

const CONDITIONS_PROVED: &str = r#"
[[conditions]]
id = "age"
pointer = "/birth_date"
op = "le"
rule = { kind = "table", id = "pension-age", version = 1 }
[[conditions]]
id = "ward"
pointer = "/ward"
op = "in"
rule = { kind = "codes", id = "our-wards", version = 1 }
"#;

const PSEUDONYM: &str = r#"
[pseudonym]
action = "ride"
epoch = "year"
at_most = 1
"#;

/// Nothing of a range, so that the pseudonym is the last that is looked at.
const CONDITIONS_NAMED: &str = r#"
[[conditions]]
id = "rooms"
pointer = "/rooms"
op = "eq"
rule = { kind = "fixed" }
k = "3"
"#;

const CASES: &str = r#"
[[cases]]
name = "old enough and in the district"
as_of = "2026-11-21"
values = { "/birth_date" = "1950-01-01", "/ward" = "W100", "/rooms" = 3 }
expect = "met"
"#;

const SOURCES: &str = r#"
iss = "https://registrar.larkfield.example"
reg_version = 3
[[services]]
sub = "{BUSES}"
env = "test"
name = { en = "Larkfield Buses", cy = "Bysiau Larkfield" }
client_ids = ["{client_id}"]
purposes = [{purposes}]
[[issuers]]
sub = "{ISS}"
env = "test"
name = { en = "Larkfield District", cy = "Dosbarth Larkfield" }
anchors = ["{anchor}"]
types = ["{VCT}", "{VCT_PROOF}"]
[[issuers]]
sub = "{STRANGER}"
env = "test"
name = { en = "Another District", cy = "Dosbarth Arall" }
anchors = ["{anchor}", "{other}"]
types = ["{VCT}", "{VCT_PROOF}"]
[[issuers]]
sub = "{LIVE}"
env = "live"
name = { en = "Larkfield District, live", cy = "Dosbarth Larkfield, byw" }
anchors = ["{anchor}"]
types = ["{VCT}"]
[[issuers]]
sub = "{UNTYPED}"
env = "test"
name = { en = "Larkfield Library", cy = "Llyfrgell Larkfield" }
anchors = ["{anchor}"]
types = ["https://larkfield.example/types/library/1"]
[[tables]]
sub = "pension-age"
version = 1
rows = [{ from = "1880-01-01", to = "2050-12-31", years = 66, months = 0, overflow = "last_day" }]
[[tables]]
sub = "our-wards"
version = 1
rows = [
  { code = "W100", index = 100, name = { en = "North", cy = "Gogledd" } },
  { code = "W101", index = 101, name = { en = "South", cy = "De" } },
]
[[purposes]]
sub = "pass"
version = 1
text = { en = "To give you a bus pass.", cy = "I roi pàs bws i chi." }
basis = "public_task"
retention_days = 30
recipients = []
may_ask = [
  { vct = "{VCT}", pointer = "/birth_date", how = "show", rules = [] },
  { vct = "{VCT}", pointer = "/ward", how = "show", rules = [] },
  { vct = "{VCT_PROOF}", pointer = "/birth_date", how = "le", rules = [{ kind = "table", id = "pension-age", version = 1 }] },
  { vct = "{VCT_PROOF}", pointer = "/birth_date", how = "ge", rules = [{ kind = "table", id = "pension-age", version = 1 }] },
  { vct = "{VCT_PROOF}", pointer = "/ward", how = "in", rules = [{ kind = "codes", id = "our-wards", version = 1 }] },
  { vct = "{VCT_PROOF}", pointer = "/ward", how = "le", rules = [{ kind = "codes", id = "our-wards", version = 1 }] },
  { vct = "{VCT_PROOF}", pointer = "/ward", how = "ge", rules = [{ kind = "codes", id = "our-wards", version = 1 }] },
  { vct = "{VCT_PROOF}", pointer = "/rooms", how = "eq", rules = [{ kind = "fixed" }] },
  { vct = "{VCT_PROOF}", pointer = "/_link", how = "pseudonym", rules = [] },
]
other_route = { en = "Visit the kiosk.", cy = "Ewch i'r ciosg." }
"#;

const CONFIG: &str = r#"
origin = "{ORIGIN}"
database = "{dir}/verifier.sqlite"
server_key = "{dir}/server.key"
trust_file = "{dir}/trust.json"
register_file = "{dir}/register.jws"
policies = "{dir}/policies"
types = "{dir}/types"
http = { address = "127.0.0.1:0", certificate = "none", key = "none" }
ops = { address = "127.0.0.1:0" }
request = { key = "{dir}/request.key", certificates = "{dir}/request.pem" }
decision = { key = "{dir}/decision.key" }
record = { key = "{dir}/record.key" }
[[services]]
id = "{BUSES}"
env = "test"
test_key_hash = "{bus_key}"
"#;

/// What the registrar may say of the purpose `pass` besides.
pub(super) const PERMISSIONS: &str = r#"
permissions = ["payment", "action"]
actions = [{ id = "remind", text = { en = "Remind you.", cy = "Eich atgoffa." } }]
[purposes.record]
controller = { id = "https://buses.larkfield.example", name = "Larkfield Buses", address = "1 High Street", contact = "https://buses.larkfield.example/contact", type = "for_profit" }
notice = "https://buses.larkfield.example/privacy"
storage = { en = "In the town.", cy = "Yn y dref." }
jurisdiction = "GB-WLS"
rights = { en = "You can ask what is kept.", cy = "Gallwch ofyn beth a gedwir." }
"#;

/// Adds the policies that ask for a permission, and a register that lets them.
pub(super) fn permitting(dir: &Path, register: &str) {
    let put = |name: &str, text: &str| std::fs::write(dir.join(name), text).unwrap();
    put("register.jws", register);
    let plain = std::fs::read_to_string(dir.join("policies/return.toml")).unwrap();
    let plain = plain.replace("same_device", "in_person");
    let asks = [
        ("hardship", "kind = \"payment\"\nat_most_pence = 20000"),
        ("remind", "kind = \"action\"\naction = \"remind\""),
    ];
    for (id, says) in asks {
        let policy = plain.replace("\"return\"", &format!("\"{id}\""));
        put(&format!("policies/{id}.toml"), &format!("{policy}\n[permission]\nfor_days = 30\n{says}\n"));
        let cases = std::fs::read_to_string(dir.join("policies/return.cases.toml")).unwrap();
        put(&format!("policies/{id}.cases.toml"), &cases);
    }
}

/// Fills in the words in braces: first those of the call, then the constants.
fn fill(template: &str, words: &[(&str, &str)]) -> String {
    let constants = [
        ("{VCT}", VCT),
        ("{VCT_PROOF}", VCT_PROOF),
        ("{WARDS}", WARDS),
        ("{ISS}", ISS),
        ("{STRANGER}", STRANGER),
        ("{LIVE}", LIVE),
        ("{UNTYPED}", UNTYPED),
        ("{BUSES}", BUSES),
        ("{ORIGIN}", ORIGIN),
    ];
    words.iter().chain(&constants).fold(template.to_owned(), |text, (word, value)| text.replace(word, value))
}

/// The register's sources, those of the town in a text of their own.
pub(super) fn sources(client_id: &str, anchor: &[u8], other: &[u8], with_town: bool) -> Vec<String> {
    let (anchor, other) = (b64u(sha256(anchor)), b64u(sha256(other)));
    let purposes = if with_town { "\"pass\", \"meals\"" } else { "\"pass\"" };
    let words =
        [("{client_id}", client_id), ("{anchor}", &anchor), ("{other}", &other), ("{purposes}", purposes)];
    let texts = if with_town { &[SOURCES, town::REGISTER][..] } else { &[SOURCES] };
    texts.iter().map(|text| fill(text, &words)).collect()
}

/// Writes the whole folder and gives the configuration that reads it.
pub(super) fn write(
    dir: &Path,
    request: &Leaf,
    register: &str,
    trust: &TrustFile,
    with_town: bool,
) -> Config {
    let put = |name: &str, text: &str| std::fs::write(dir.join(name), text).unwrap();
    put("request.pem", &request.certificate_pem());
    put("request.key", &request.key.to_pkcs8_pem());
    put("decision.key", &SigningKey::generate().unwrap().to_pkcs8_pem());
    put("record.key", &SigningKey::generate().unwrap().to_pkcs8_pem());
    put("server.key", &ServerKey::generate(&OsEntropy::new()).to_text());
    put("register.jws", register);
    put("trust.json", &trust.to_value().to_string());
    for folder in ["policies", "types"] {
        std::fs::create_dir(dir.join(folder)).unwrap();
    }
    put("types/residency.toml", &fill(TYPE, &[]));
    for (id, text) in policies() {
        put(&format!("policies/{id}.toml"), &text);
        put(&format!("policies/{id}.cases.toml"), CASES);
    }
    if with_town {
        town::TYPES.iter().for_each(|(id, text)| put(&format!("types/{id}.toml"), text));
        for (id, text) in town::POLICIES {
            put(&format!("policies/{id}.toml"), text);
            put(&format!("policies/{id}.cases.toml"), town::cases(id));
        }
    }
    let (dir, bus_key) = (dir.display().to_string(), b64u(sha256(BUS_KEY)));
    vouchsafe_service::config::parse(&fill(CONFIG, &[("{dir}", &dir), ("{bus_key}", &bus_key)]), []).unwrap()
}

/// `plain` and `return` ask for values, `proof` for proofs, `named` for a pseudonym as well, `either` for one of both;
/// `untyped` accepts an issuer that the register does not know for the type.
fn policies() -> [(&'static str, String); 6] {
    let shown = |issuers: &str| fill(PLAIN, &[("{issuers}", issuers)]) + CONDITIONS_SHOWN;
    let (ours, live) = (format!("\"{ISS}\""), format!("\"{ISS}\", \"{LIVE}\""));
    let either = fill(PROOF, &[]) + &fill(PLAIN, &[("{issuers}", &ours)]) + CONDITIONS_PROVED;
    [
        ("plain", shown(&live)),
        ("return", shown(&ours)),
        ("untyped", shown(&format!("\"{ISS}\", \"{UNTYPED}\""))),
        ("proof", fill(PROOF, &[]) + CONDITIONS_PROVED),
        ("either", either),
        ("named", PSEUDONYM.to_owned() + &fill(PROOF, &[]) + CONDITIONS_NAMED),
    ]
    .map(|(id, rest)| {
        let binding = match id {
            "return" => "same_device",
            "named" => "pseudonym",
            _ => "in_person",
        };
        (id, fill(POLICY, &[("{id}", id), ("{binding}", binding)]) + &rest)
    })
}
