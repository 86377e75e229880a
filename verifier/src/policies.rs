//! The policies of an installation: loaded from a folder, checked against types, purposes and tables, and tried
//! on their own test cases.
//!
//! `<name>.toml` is a policy; `<name>.cases.toml` beside it is its table of test cases. The newest version of an id is
//! the live one. A verifier with a live policy that [`check`] refuses does not start: [`askable`].

mod size;
mod warning;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::civil::Date;
use serde::Deserialize;
use serde_json::Value;
use vouchsafe_mutants as mutants;
use vouchsafe_protocol::jose::SignatureVerifier;
use vouchsafe_protocol::jose::pki_types::CertificateDer;
use vouchsafe_protocol::jose::pki_types::pem::PemObject as _;
use vouchsafe_protocol::openid4vp::request::MAX_REQUEST;
use vouchsafe_protocol::policy::{self, Case, CaseError, CheckError, Condition, Cost, Policy, PolicyError};
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_protocol::trust::{Judge, Register, TrustError, TrustFile};
use vouchsafe_protocol::types::{CredentialType, TypeError};
use vouchsafe_service::config::{ConfigError, json_of_toml};

pub use self::size::TooLong;
pub use self::warning::{Warning, warnings};
use crate::config::Config;

/// The most bytes of a policy as it is sent, so that a request stays small.
const MAX_POLICY: usize = 16 * 1024;

/// The most different bounds on one attribute over the live policies: many bounds together single out a value.
pub const MAX_BOUNDS: usize = 8;

/// Why a folder of policies or types was not loaded.
#[derive(Debug, thiserror::Error)]
#[error("{}: {fault}", file.display())]
pub struct FileFault {
    /// Which file.
    pub file: PathBuf,
    /// What to mend in it.
    #[source]
    pub fault: Fault,
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// It cannot be read.
    #[error("the file or folder cannot be read: {0}")]
    Unreadable(std::io::ErrorKind),
    /// It is not TOML, or holds what has no JSON form.
    #[error(transparent)]
    Toml(#[from] ConfigError),
    /// It is not a policy.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// It is not a credential type.
    #[error(transparent)]
    Type(#[from] TypeError),
    /// It is not a table of test cases.
    #[error("the test cases cannot be read: {0}")]
    Cases(String),
    /// The same policy in the same version twice.
    #[error("this policy is there twice in the same version")]
    Twice,
    /// Over the size of a request's part.
    #[error("the policy is longer than 16 KiB")]
    TooLong,
    /// The certificates that requests carry.
    #[error("the file holds no certificates in PEM")]
    Certificates,
}

/// A policy file with its test cases.
#[derive(Clone, Debug)]
pub struct PolicyFile {
    /// Where it is.
    pub file: PathBuf,
    /// The policy.
    pub policy: Arc<Policy>,
    /// Its test cases; empty when there is no table beside it.
    pub cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    cases: Vec<Case>,
}

/// Reads every policy of a folder with its test cases.
///
/// # Errors
/// [`FileFault`] names the first file at fault.
pub fn read_policies(folder: &Path) -> Result<Vec<PolicyFile>, FileFault> {
    let mut seen = BTreeSet::new();
    let mut all = Vec::new();
    for file in files(folder)? {
        if is_cases(&file) {
            continue;
        }
        let one = read_policy(&file)?;
        let fresh = seen.insert((one.policy.id.clone(), one.policy.version));
        if !(mutants::skips("vp-policy-twice") || fresh) {
            return Err(FileFault { file, fault: Fault::Twice });
        }
        all.push(one);
    }
    Ok(all)
}

/// Reads every credential type of a folder.
///
/// # Errors
/// [`FileFault`] names the first file at fault.
pub fn read_types(folder: &Path) -> Result<Vec<CredentialType>, FileFault> {
    files(folder)?
        .into_iter()
        .map(|file| {
            let value = json_of(&file)?;
            CredentialType::from_json(&value).map_err(|fault| FileFault { file, fault: fault.into() })
        })
        .collect()
}

fn read_policy(file: &Path) -> Result<PolicyFile, FileFault> {
    let at = |fault: Fault| FileFault { file: file.to_owned(), fault };
    let value = json_of(file)?;
    if !(mutants::skips("vp-policy-size") || value.to_string().len() <= MAX_POLICY) {
        return Err(at(Fault::TooLong));
    }
    let policy = Policy::from_json(value).map_err(|fault| at(fault.into()))?;
    let beside = file.with_extension("cases.toml");
    let cases = if beside.is_file() { read_cases(&beside)? } else { Vec::new() };
    Ok(PolicyFile { file: file.to_owned(), policy: Arc::new(policy), cases })
}

fn read_cases(file: &Path) -> Result<Vec<Case>, FileFault> {
    let table: Cases = serde_json::from_value(json_of(file)?)
        .map_err(|e| FileFault { file: file.to_owned(), fault: Fault::Cases(e.to_string()) })?;
    Ok(table.cases)
}

fn json_of(file: &Path) -> Result<Value, FileFault> {
    let at = |fault: Fault| FileFault { file: file.to_owned(), fault };
    let text = std::fs::read_to_string(file).map_err(|e| at(Fault::Unreadable(e.kind())))?;
    json_of_toml(&text).map_err(|fault| at(fault.into()))
}

/// The TOML files of a folder, in order of their names.
fn files(folder: &Path) -> Result<Vec<PathBuf>, FileFault> {
    let at = |e: std::io::Error| FileFault { file: folder.to_owned(), fault: Fault::Unreadable(e.kind()) };
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(at)? {
        let path = entry.map_err(at)?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            all.push(path);
        }
    }
    all.sort();
    Ok(all)
}

fn is_cases(file: &Path) -> bool {
    file.file_name().is_some_and(|name| name.to_string_lossy().ends_with(".cases.toml"))
}

/// Why a policy is not asked with.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// Its purpose is not in the register.
    #[error("the register has no purpose {0}")]
    NoPurpose(String),
    /// An accepted issuer is not in the register, or not for that type.
    #[error("the register does not let {iss} issue {vct}")]
    NoIssuer {
        /// The issuer.
        iss: String,
        /// The type.
        vct: String,
    },
    /// It asks for more than it may, or cannot be asked on that day.
    #[error(transparent)]
    Check(#[from] CheckError),
    /// A test case gives another outcome.
    #[error(transparent)]
    Case(#[from] CaseError),
    /// It has no test cases.
    #[error("there is no table of test cases beside the policy")]
    NoCases,
    /// Too many bounds on one attribute over the live policies.
    #[error(
        "the live policies ask for more than {MAX_BOUNDS} different bounds on {0}; together they single out a value"
    )]
    TooManyBounds(String),
    /// Wallets would not read a request by it.
    #[error("{0}")]
    TooLong(TooLong),
}

/// What every request of a verifier carries, whatever it asks.
#[derive(Clone, Copy, Debug)]
pub struct Sender<'a> {
    /// The verifier's origin.
    pub origin: &'a str,
    /// Its certificates, leaf first.
    pub chain: &'a [Vec<u8>],
}

/// What policies are checked against.
#[derive(Clone, Copy)]
pub struct Installed<'a> {
    /// The types of credentials.
    pub types: &'a [CredentialType],
    /// The register.
    pub register: &'a Register,
    /// Who sends the requests.
    pub sender: Sender<'a>,
    /// The day of asking.
    pub as_of: Date,
}

/// What `policies check` says of one policy.
#[derive(Clone, Debug)]
pub struct Report {
    /// The file.
    pub file: PathBuf,
    /// The policy's id.
    pub id: String,
    /// Its version.
    pub version: u32,
    /// What each way to answer costs; empty when it is refused before that.
    pub costs: Vec<Cost>,
    /// Test cases that passed.
    pub cases_passed: usize,
    /// Everything that is wrong with it; empty when it may be asked with.
    pub refusals: Vec<Refusal>,
    /// What its author should know; it may be asked with all the same.
    pub warnings: Vec<Warning>,
}

/// Checks a folder of policies as they would be asked with on `as_of`, and runs their test cases.
///
/// # Errors
/// [`FileFault`] when a file cannot be read at all; a policy that is refused is a report.
pub fn check(
    policies: &Path,
    types: &Path,
    register: &Register,
    sender: Sender<'_>,
    as_of: Date,
) -> Result<Vec<Report>, FileFault> {
    let types = read_types(types)?;
    let files = read_policies(policies)?;
    let crowded = crowded(&files);
    let installed = Installed { types: &types, register, sender, as_of };
    Ok(files.iter().map(|file| report(file, &installed, &crowded)).collect())
}

/// [`check`] as an installation is configured, on the day of `now`: for the command line.
///
/// # Errors
/// [`CheckFault`] when a file cannot be read or the register does not verify.
pub fn check_installed(
    config: &Config,
    now: UnixTime,
    verifier: &dyn SignatureVerifier,
) -> Result<Vec<Report>, CheckFault> {
    let read = |path: &Path| {
        std::fs::read(path)
            .map_err(|e| FileFault { file: path.to_owned(), fault: Fault::Unreadable(e.kind()) })
    };
    let trust = TrustFile::parse(&read(&config.trust_file)?)?;
    let jws = String::from_utf8(read(&config.register_file)?).map_err(|_| TrustError::Malformed)?;
    let judge = Judge { registrar: &trust.registrar, last_seen: 0, now, verifier };
    let register = Register::load(&jws, &judge)?;
    let certificates = &config.request.certificates;
    let chain = chain_of(&read(certificates)?)
        .ok_or_else(|| FileFault { file: certificates.clone(), fault: Fault::Certificates })?;
    let sender = Sender { origin: &config.origin, chain: &chain };
    Ok(check(&config.policies, &config.types, &register, sender, now.london_date())?)
}

/// The certificates of a file in PEM, in their order.
pub(crate) fn chain_of(pem: &[u8]) -> Option<Vec<Vec<u8>>> {
    let all = CertificateDer::pem_slice_iter(pem).map(|one| one.map(|der| der.to_vec()));
    all.collect::<Result<Vec<_>, _>>().ok()
}

/// Why the policies of an installation could not be checked at all.
#[derive(Debug, thiserror::Error)]
pub enum CheckFault {
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] FileFault),
    /// The trust file or the register does not verify.
    #[error(transparent)]
    Trust(#[from] TrustError),
}

fn report(file: &PolicyFile, installed: &Installed<'_>, crowded: &BTreeSet<String>) -> Report {
    let (policy, &Installed { types, register, sender, as_of }) = (&file.policy, installed);
    let mut refusals = Vec::new();
    let costs = costs(policy, types, register, as_of).unwrap_or_else(|refusal| {
        refusals.push(refusal);
        Vec::new()
    });
    let long = size::longest(policy, register, &sender, as_of).filter(|one| one.bytes > MAX_REQUEST);
    refusals.extend(long.filter(|_| !mutants::skips("vp-policy-request")).map(Refusal::TooLong));
    let failed = failed_cases(file, register);
    let cases_passed = file.cases.len() - failed.len();
    refusals.extend(failed.into_iter().filter(|_| !mutants::skips("vp-policy-case")).map(Refusal::Case));
    let untried = file.cases.is_empty();
    if untried && !mutants::skips("vp-policy-cases") {
        refusals.push(Refusal::NoCases);
    }
    let pointers: BTreeSet<&str> = policy.every_condition().flat_map(pointers).collect();
    let many = |pointer: &&str| crowded.contains(*pointer) && !mutants::skips("vp-policy-bounds");
    refusals.extend(pointers.into_iter().filter(many).map(str::to_owned).map(Refusal::TooManyBounds));
    Report {
        file: file.file.clone(),
        id: policy.id.clone(),
        version: policy.version,
        costs,
        cases_passed,
        refusals,
        warnings: warnings(policy),
    }
}

fn failed_cases(file: &PolicyFile, register: &Register) -> Vec<CaseError> {
    file.cases.iter().filter_map(|case| case.run(&file.policy, register.tables()).err()).collect()
}

/// The newest version of each policy, each of which [`check`] lets be asked with on the day. Older versions are not asked
/// with, and keep nobody from starting.
///
/// # Errors
/// The first policy that is refused, by its id, and why.
pub fn askable(
    files: &[PolicyFile],
    installed: &Installed<'_>,
) -> Result<BTreeMap<String, Arc<Policy>>, (String, Refusal)> {
    let (live, crowded) = (live(files), crowded(files));
    let is_live = |file: &&PolicyFile| {
        live.get(&file.policy.id).is_some_and(|newest| Arc::ptr_eq(newest, &file.policy))
    };
    for file in files.iter().filter(is_live) {
        if let Some(refusal) = report(file, installed, &crowded).refusals.into_iter().next() {
            return Err((file.policy.id.clone(), refusal));
        }
    }
    Ok(live)
}

/// What a policy must hold to against register and types on `as_of`, each time it is asked with; the result is what it costs.
///
/// # Errors
/// [`Refusal`].
pub fn costs(
    policy: &Policy,
    types: &[CredentialType],
    register: &Register,
    as_of: Date,
) -> Result<Vec<Cost>, Refusal> {
    let purpose =
        register.purpose(&policy.purpose).ok_or_else(|| Refusal::NoPurpose(policy.purpose.clone()))?;
    check_issuers(policy, register)?;
    Ok(policy::check(policy, purpose.document(), register.tables(), types, as_of)?)
}

fn check_issuers(policy: &Policy, register: &Register) -> Result<(), Refusal> {
    for (vct, issuers) in policy.every_source() {
        for iss in issuers {
            let may =
                register.issuer(iss).is_some_and(|issuer| issuer.document().types.iter().any(|t| t == vct));
            if !(mutants::skips("trust-policy-issuer") || may) {
                return Err(Refusal::NoIssuer { iss: iss.clone(), vct: vct.to_owned() });
            }
        }
    }
    Ok(())
}

/// The attributes on which the live policies together ask for too many bounds.
fn crowded(files: &[PolicyFile]) -> BTreeSet<String> {
    let mut bounds: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (_, policy) in live(files) {
        for condition in policy.every_condition().filter(|condition| condition.rule.is_some()) {
            let coefficients: Vec<_> =
                condition.terms.iter().map(|term| (&term.pointer, term.coeff)).collect();
            let Condition { op, rule, k, lo, hi, .. } = condition;
            let bound = serde_json::json!([op, rule, k, lo, hi, coefficients]).to_string();
            for pointer in pointers(condition) {
                bounds.entry(pointer.to_owned()).or_default().insert(bound.clone());
            }
        }
    }
    bounds.into_iter().filter(|(_, all)| all.len() > MAX_BOUNDS).map(|(pointer, _)| pointer).collect()
}

/// The attributes that a condition is about.
fn pointers(condition: &Condition) -> impl Iterator<Item = &str> {
    let own = Some(condition.pointer.as_str()).filter(|pointer| !pointer.is_empty());
    own.into_iter().chain(condition.terms.iter().map(|term| term.pointer.as_str()))
}

/// The newest version of each policy.
#[must_use]
pub fn live(files: &[PolicyFile]) -> BTreeMap<String, Arc<Policy>> {
    let mut newest: BTreeMap<String, Arc<Policy>> = BTreeMap::new();
    for file in files {
        let known = newest.get(&file.policy.id).is_some_and(|known| known.version >= file.policy.version);
        if !known {
            newest.insert(file.policy.id.clone(), file.policy.clone());
        }
    }
    newest
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use serde_json::json;

    use super::*;

    /// A policy with a way that asks whether the hours at two places add up to `k`.
    fn adding_up(k: usize) -> PolicyFile {
        let need = |id: &str| {
            json!({"id": id, "vct": "https://a.example/hours/1/zk", "iss": ["https://a.example"], "max_age_days": 9,
                "person": "me", "person_at": "/person", "source_at": "/source"})
        };
        let term = |need: &str, pointer: &str| json!({"need": need, "pointer": pointer});
        let condition = json!({"id": "many", "op": "ge", "k": k.to_string(), "rule": {"kind": "fixed"},
            "terms": [term("one", "/hours"), term("two", "/more_hours")]});
        let way = json!({"id": "both", "needs": [need("one"), need("two")], "conditions": [condition]});
        let policy = json!({"id": format!("hours-{k}"), "version": 1, "purpose": "hours", "subject": "same_person",
            "subject_binding": "same_device", "other_route": {"en": "Ask.", "cy": "Gofynnwch."}, "ways": [way]});
        let policy = Arc::new(Policy::from_json(policy).unwrap());
        PolicyFile { file: PathBuf::new(), policy, cases: Vec::new() }
    }

    #[test]
    fn a_bound_on_a_sum_counts_for_each_of_its_attributes() {
        let crowded = |n: usize| crowded(&(1..=n).map(adding_up).collect::<Vec<_>>());
        assert!(crowded(MAX_BOUNDS).is_empty());
        let both = BTreeSet::from(["/hours".to_owned(), "/more_hours".to_owned()]);
        assert_eq!(crowded(MAX_BOUNDS + 1), both);
    }
}
