//! The register as a verifier loads it: every entry checked, each thing once.

use std::collections::BTreeMap;

use vouchsafe_mutants as mutants;

use super::documents::{Document, IssuerEntry, Purpose, RegisterDocument, ServiceEntry, Table};
use super::{Extract, Judge, Tables, TrustError};
use crate::jose::jws::Compact;
use crate::time::UnixTime;

/// A loaded register.
#[derive(Clone, Debug, Default)]
pub struct Register {
    reg_version: u64,
    expires_at: Option<UnixTime>,
    services: BTreeMap<String, Extract<ServiceEntry>>,
    issuers: BTreeMap<String, Extract<IssuerEntry>>,
    purposes: BTreeMap<String, Extract<Purpose>>,
    tables: Tables,
}

impl Register {
    /// Loads a signed register and all of its entries.
    ///
    /// # Errors
    /// [`TrustError`]: of the register itself or of any entry; a register is taken whole or not at all.
    pub fn load(jws: &str, judge: &Judge<'_>) -> Result<Self, TrustError> {
        let whole = judge.verify::<RegisterDocument>(jws.trim())?;
        let document = whole.document();
        let mut register =
            Self { reg_version: document.reg_version, expires_at: Some(document.exp), ..Self::default() };
        for entry in &document.entries {
            register.take(entry, judge)?;
        }
        Ok(register)
    }

    fn take(&mut self, jws: &str, judge: &Judge<'_>) -> Result<(), TrustError> {
        let compact = Compact::parse(jws, super::MAX_ENTRY).map_err(|_| TrustError::Malformed)?;
        let is = |typ| compact.header().is_typ(typ);
        if is(ServiceEntry::TYP) {
            let entry = self.entry::<ServiceEntry>(jws, judge)?;
            once(&mut self.services, entry.document().sub.clone(), entry)
        } else if is(IssuerEntry::TYP) {
            let entry = self.entry::<IssuerEntry>(jws, judge)?;
            once(&mut self.issuers, entry.document().sub.clone(), entry)
        } else if is(Purpose::TYP) {
            let entry = self.entry::<Purpose>(jws, judge)?;
            once(&mut self.purposes, entry.document().sub.clone(), entry)
        } else if is(Table::TYP) {
            let entry = self.entry::<Table>(jws, judge)?;
            self.table_once(&entry)
        } else {
            Err(TrustError::Kind)
        }
    }

    /// An entry belongs to the version of the register that holds it.
    fn entry<D: Document>(&self, jws: &str, judge: &Judge<'_>) -> Result<Extract<D>, TrustError> {
        let entry = judge.verify::<D>(jws)?;
        if !(mutants::skips("trust-entry-version") || entry.document().head().reg_version == self.reg_version)
        {
            return Err(TrustError::Contradiction);
        }
        Ok(entry)
    }

    fn table_once(&mut self, entry: &Extract<Table>) -> Result<(), TrustError> {
        let new = self.tables.table(&entry.document().sub, entry.document().version).is_none();
        if !(mutants::skips("trust-table-once") || new) {
            return Err(TrustError::Contradiction);
        }
        self.tables.insert(entry);
        Ok(())
    }

    /// The version, which the next register must not fall below.
    #[must_use]
    pub fn reg_version(&self) -> u64 {
        self.reg_version
    }

    /// When the register must be replaced.
    #[must_use]
    pub fn expires_at(&self) -> Option<UnixTime> {
        self.expires_at
    }

    /// The service of that id.
    #[must_use]
    pub fn service(&self, id: &str) -> Option<&Extract<ServiceEntry>> {
        self.services.get(id)
    }

    /// The issuer that signs with that `iss`.
    #[must_use]
    pub fn issuer(&self, iss: &str) -> Option<&Extract<IssuerEntry>> {
        self.issuers.get(iss)
    }

    /// The purpose of that id.
    #[must_use]
    pub fn purpose(&self, id: &str) -> Option<&Extract<Purpose>> {
        self.purposes.get(id)
    }

    /// All purposes, by id.
    pub fn purposes(&self) -> impl Iterator<Item = &Extract<Purpose>> {
        self.purposes.values()
    }

    /// All services, by id.
    pub fn services(&self) -> impl Iterator<Item = &Extract<ServiceEntry>> {
        self.services.values()
    }

    /// All issuers, by `iss`.
    pub fn issuers(&self) -> impl Iterator<Item = &Extract<IssuerEntry>> {
        self.issuers.values()
    }

    /// The tables and lists.
    #[must_use]
    pub fn tables(&self) -> &Tables {
        &self.tables
    }
}

fn once<D>(
    known: &mut BTreeMap<String, Extract<D>>,
    id: String,
    entry: Extract<D>,
) -> Result<(), TrustError> {
    let new = known.insert(id, entry).is_none();
    if !(mutants::skips("trust-once") || new) {
        return Err(TrustError::Contradiction);
    }
    Ok(())
}
