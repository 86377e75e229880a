//! What the registrar signed: whether it is theirs, and for how long it still counts.

use std::path::Path;

use vouchsafe_protocol::jose::jws::Compact;
use vouchsafe_protocol::json;
use vouchsafe_protocol::time::{DAY, UnixTime};
use vouchsafe_protocol::trust::{IssuerEntry, Judge, MAX_ENTRY, Register, TrustError, TrustFile};
use vouchsafe_service::keys::Jws;

use super::installation::FromRegistrar;
use super::{Finding, Whose};

const CHECK: &str = "register";

pub(super) fn examine(from: &FromRegistrar, now: UnixTime) -> Vec<Finding> {
    match from {
        FromRegistrar::Register { trust, register } => match whole(trust, register, now) {
            Ok(until) => vec![lasts("the register, signed by the pinned registrar,", until, now)],
            Err(finding) => vec![finding],
        },
        FromRegistrar::Entry { file: None, .. } => vec![Finding::warning(
            CHECK,
            Whose::Operator,
            "no entry of the registrar is passed on: wallets that know the registrar will not collect",
            "ask the registrar for your entry and name its file in registrar_extract",
        )],
        FromRegistrar::Entry { file: Some(file), issuer } => vec![entry(file, issuer, now)],
    }
}

/// When the register ends, if it holds now.
fn whole(trust: &Path, register: &Path, now: UnixTime) -> Result<UnixTime, Finding> {
    let file = TrustFile::parse(&read(trust, "trust_file")?).map_err(|error| refused(trust, error))?;
    let text = String::from_utf8(read(register, "register_file")?);
    let text = text.map_err(|_| refused(register, TrustError::Malformed))?;
    let judge = Judge { registrar: &file.registrar, last_seen: 0, now, verifier: &Jws };
    let loaded = Register::load(&text, &judge).map_err(|error| refused(register, error))?;
    Ok(loaded.expires_at().unwrap_or(now))
}

/// An issuer pins no registrar: its entry's signature is for wallets to check.
fn entry(file: &Path, issuer: &str, now: UnixTime) -> Finding {
    let text = match read(file, "registrar_extract") {
        Ok(text) => text,
        Err(finding) => return finding,
    };
    let document = || -> Option<IssuerEntry> {
        let compact = Compact::parse(str::from_utf8(&text).ok()?.trim(), MAX_ENTRY).ok()?;
        json::typed(compact.dangerous_payload(), MAX_ENTRY).ok()
    };
    match document() {
        None => refused(file, TrustError::Malformed),
        Some(entry) if entry.sub != issuer => Finding::fault(
            CHECK,
            Whose::Operator,
            format_args!("{} is about {}, and this issuer is {issuer}", file.display(), entry.sub),
            "name this issuer's own entry in registrar_extract, or correct issuer",
        ),
        Some(entry) if entry.exp <= now => refused(file, TrustError::Expired),
        Some(entry) => lasts("the registrar's entry about this issuer", entry.exp, now),
    }
}

fn read(path: &Path, setting: &str) -> Result<Vec<u8>, Finding> {
    std::fs::read(path).map_err(|error| {
        let found = format!("{} cannot be read: {}", path.display(), error.kind());
        let remedy = format!("fetch it from the registrar ({setting})");
        Finding::fault(CHECK, Whose::Operator, found, remedy)
    })
}

fn refused(path: &Path, error: TrustError) -> Finding {
    let (whose, remedy) = match error {
        TrustError::File | TrustError::UnknownKey => (
            Whose::Operator,
            "fetch the registrar's trust file, by a way that you trust, and name it in trust_file",
        ),
        TrustError::Expired => {
            (Whose::Operator, "fetch the registrar's newest; if it is not newer, tell the registrar")
        }
        TrustError::NotYet => {
            (Whose::Operator, "set this machine's clock; if it is right, tell the registrar")
        }
        _ => (Whose::Registrar, "fetch it again; if it is the same, tell the registrar"),
    };
    Finding::fault(CHECK, whose, format_args!("{}: {error}", path.display()), remedy)
}

/// The registrar signs anew within the week: what ends within a day was forgotten.
fn lasts(what: &str, until: UnixTime, now: UnixTime) -> Finding {
    let hours = until.minus(now.0).0 / 3600;
    let found = format!("{what} counts for {hours} more hours");
    if until < now.plus(DAY) {
        let remedy = "fetch the registrar's newest; if it is not newer, tell the registrar";
        return Finding::warning(CHECK, Whose::Operator, found, remedy);
    }
    Finding::ok(CHECK, found)
}
