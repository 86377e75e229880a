//! What the copies of one resident have in common, and whether the crowd has it too.
//!
//! Three things tie copies together: a value that two of them share, a form that no other resident's have (a member more, an
//! order, a number of digests, a length), and a value that is theirs alone although it may repeat. A mark can be a part of a
//! value: runs of bytes are compared too, and the byte that stands at one place in most copies.
//!
//! No check here can fail by chance: the least unlikely accident, eight bytes alike in two copies of a resident, has a
//! probability below 10^-8 over all that these tests look at.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::walk::{Field, Leaf, Walked};

/// A place in which a value may repeat. `*` stands for one name.
pub(crate) struct Rule(pub(crate) &'static str, pub(crate) May);

/// What may be said in a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum May {
    /// The same by everybody, in every copy.
    Same,
    /// The same by many: each value is that of several residents.
    Many,
    /// A number of a list of its own: it is compared together with the list's address.
    Entry,
    /// Nothing that is said twice.
    Once,
}

impl May {
    /// What another list says where this one says nothing.
    pub(crate) fn or(self, other: Self) -> Self {
        if self == Self::Once { other } else { self }
    }
}

/// The allow-list, and nothing else: `kty` and `crv` are the form of a P-256 key.
pub(crate) const CREDENTIAL: [Rule; 19] = [
    Rule("header > alg", May::Same),
    Rule("header > typ", May::Same),
    Rule("header > x5c > *", May::Same),
    Rule("payload > iss", May::Same),
    Rule("payload > vct", May::Same),
    Rule("payload > _sd_alg", May::Same),
    Rule("payload > zkc > * > enc", May::Same),
    Rule("payload > zkc > * > u", May::Same),
    Rule("payload > zkc > * > b", May::Same),
    Rule("payload > zkc > * > lo", May::Same),
    Rule("payload > zkc > * > hi", May::Same),
    Rule("payload > facts_as_of", May::Same),
    Rule("payload > period", May::Same),
    Rule("payload > iat", May::Same),
    Rule("payload > exp", May::Same),
    Rule("payload > cnf > jwk > kty", May::Same),
    Rule("payload > cnf > jwk > crv", May::Same),
    Rule("payload > status > status_list > uri", May::Many),
    Rule("payload > status > status_list > idx", May::Entry),
];

/// Of an answer: what the request fixes is told apart, and the key binding is of its own time.
pub(crate) const BINDING: [Rule; 7] = [
    Rule("binding header > alg", May::Same),
    Rule("binding header > typ", May::Same),
    Rule("sealed header > alg", May::Same),
    Rule("sealed header > enc", May::Same),
    Rule("sealed header > epk > kty", May::Same),
    Rule("sealed header > epk > crv", May::Same),
    Rule("sealed header > kid", May::Same),
];

/// The least number of residents who have a value that many may have.
const MANY: usize = 8;
/// From so many copies on, bytes at one place are compared.
const ENOUGH: usize = 20;

/// The copies of many residents, one resident at a time.
pub(crate) struct Crowd {
    rules: &'static [Rule],
    /// Places and values of the first copy, and what may be there.
    form: Vec<(Field, May)>,
    length: usize,
    many: BTreeMap<(usize, String), usize>,
    found: BTreeSet<String>,
    residents: usize,
}

impl Crowd {
    pub(crate) fn new(rules: &'static [Rule]) -> Self {
        let (form, many, found) = Default::default();
        Self { rules, form, length: 0, many, found, residents: 0 }
    }

    /// One resident's copies.
    pub(crate) fn resident(&mut self, copies: &[Walked]) {
        let mut person = Person::default();
        self.residents += 1;
        for copy in copies {
            self.form(copy);
            person.has(copy, |at, field| self.may(at, field));
            person.next();
        }
        if copies.iter().all(|copy| copy.signed.len() == self.form.len()) {
            self.values(copies);
            person.found.extend(alike(copies, &self.form));
        }
        self.found.append(&mut person.found);
    }

    /// Everything that ties a resident's copies together, by its place; no value is told.
    pub(crate) fn found(self) -> Vec<String> {
        let Self { form, many, mut found, residents, .. } = self;
        for ((at, _), of) in many {
            if of < MANY.min(residents) {
                found.insert(format!("{}: of too few", form[at].0.place));
            }
        }
        found.into_iter().collect()
    }

    fn may(&self, at: usize, field: &Field) -> May {
        let known = self.form.get(at).filter(|(first, _)| first.place == field.place);
        known.map_or_else(|| may(self.rules, &field.place), |(_, may)| *may)
    }

    /// Members, elements, their order and their number, and the letters of it all.
    fn form(&mut self, copy: &Walked) {
        if self.form.is_empty() {
            let of = |field: &Field| (field.clone(), may(self.rules, &field.place));
            self.form = copy.signed.iter().map(of).collect();
            self.length = copy.length;
        }
        let mut places = self.form.iter().map(|(field, _)| &field.place);
        if let Some(other) = copy.signed.iter().find(|field| places.next() != Some(&field.place)) {
            self.found.insert(format!("{}: another form", other.place));
        } else if let Some(missing) = places.next() {
            self.found.insert(format!("{missing}: another form"));
        }
        if copy.length != self.length {
            self.found.insert("another length".to_owned());
        }
    }

    fn values(&mut self, copies: &[Walked]) {
        for (at, (first, may)) in self.form.iter().enumerate() {
            let leaves = copies.iter().map(|copy| &copy.signed[at].leaf);
            match may {
                May::Same if leaves.clone().any(|leaf| *leaf != first.leaf) => {
                    self.found.insert(format!("{}: not what everybody has", first.place));
                }
                May::Many => {
                    let own: BTreeSet<_> = leaves.map(|leaf| leaf.text().to_owned()).collect();
                    own.into_iter().for_each(|one| *self.many.entry((at, one)).or_default() += 1);
                }
                _ => {}
            }
        }
    }
}

pub(crate) fn may(rules: &[Rule], place: &str) -> May {
    if place.contains("> end of ") {
        return May::Same;
    }
    let fits = |pattern: &str| {
        let mut names = place.split(" > ");
        pattern.split(" > ").all(|step| names.next().is_some_and(|name| step == "*" || step == name))
            && names.next().is_none()
    };
    rules.iter().find(|rule| fits(rule.0)).map_or(May::Once, |rule| rule.1)
}

/// Everything that must be said once, of one resident.
#[derive(Default)]
pub(crate) struct Person {
    values: HashMap<Vec<u8>, usize>,
    runs: HashMap<Vec<u8>, usize>,
    copies: usize,
    pub(crate) found: BTreeSet<String>,
}

impl Person {
    /// A copy, or a part of one. Of a Disclosure the salt must be new: its name and value are what a resident shows or does
    /// not.
    pub(crate) fn has(&mut self, copy: &Walked, may: impl Fn(usize, &Field) -> May) {
        let list = copy.signed.iter().find(|field| field.place.ends_with("status_list > uri"));
        for (at, field) in copy.signed.iter().enumerate() {
            match (may(at, field), &field.leaf) {
                (May::Once, Leaf::Text(_)) => self.once(&field.place, field.leaf.bytes()),
                (May::Once, Leaf::Plain(number)) => self.value(&field.place, number.clone().into_bytes()),
                (May::Entry, number) => {
                    let entry = format!("{} {}", list.map_or("", |uri| uri.leaf.text()), number.text());
                    self.value(&field.place, entry.into_bytes());
                }
                (May::Same | May::Many, _) => {}
            }
        }
        for disclosure in &copy.disclosures {
            let salt = disclosure.iter().find(|field| field.place == "disclosure > 0");
            match salt {
                Some(salt) => self.once("salt", salt.leaf.bytes()),
                None => drop(self.found.insert("a Disclosure without a salt".to_owned())),
            }
        }
    }

    /// What follows is of another copy.
    pub(crate) fn next(&mut self) {
        self.copies += 1;
    }

    fn once(&mut self, place: &str, bytes: Vec<u8>) {
        // Longer ones have the headers of their parts in them, which are everybody's.
        let run = if bytes.len() <= 64 { 8 } else { 16 };
        for at in (0..(bytes.len() + 1).saturating_sub(run)).step_by(4) {
            let other = self.runs.insert(bytes[at..at + run].to_vec(), self.copies);
            if other.is_some_and(|other| other != self.copies) {
                self.found.insert(format!("{place}: a part repeats"));
            }
        }
        self.value(place, bytes);
    }

    fn value(&mut self, place: &str, bytes: Vec<u8>) {
        let other = self.values.insert(bytes, self.copies);
        if other.is_some_and(|other| other != self.copies) {
            self.found.insert(format!("{place}: repeats"));
        }
    }
}

/// Bytes that most copies of one resident have at one place, and entries that stand together.
fn alike(copies: &[Walked], form: &[(Field, May)]) -> Vec<String> {
    let mut found = Vec::new();
    if copies.len() < ENOUGH {
        return found;
    }
    for (at, (field, may)) in form.iter().enumerate() {
        let leaves = copies.iter().map(|copy| &copy.signed[at].leaf);
        if *may == May::Once {
            let texts = leaves.filter(|leaf| matches!(leaf, Leaf::Text(_)));
            let bytes: Vec<_> = texts.map(Leaf::bytes).collect();
            found.extend(most_alike(&bytes).then(|| format!("{}: a byte alike", field.place)));
        } else if *may == May::Entry {
            let entries: Vec<_> = leaves.filter_map(Leaf::number).collect();
            found.extend(together(&entries).then(|| format!("{}: stand together", field.place)));
        }
    }
    let salts: usize = copies.iter().map(|copy| copy.disclosures.len()).min().unwrap_or_default();
    for at in 0..salts {
        let bytes: Vec<_> = copies.iter().map(|copy| copy.disclosures[at][0].leaf.bytes()).collect();
        found.extend(most_alike(&bytes).then(|| "salt: a byte alike".to_owned()));
    }
    found
}

/// Whether more than half have one byte at some place.
fn most_alike(values: &[Vec<u8>]) -> bool {
    let longest = values.iter().map(Vec::len).max().unwrap_or_default();
    (0..longest).any(|at| {
        let mut seen = [0_usize; 256];
        values.iter().filter_map(|bytes| bytes.get(at)).any(|byte| {
            seen[usize::from(*byte)] += 1;
            2 * seen[usize::from(*byte)] > values.len()
        })
    })
}

/// Whether numbers drawn at random would not lie like this: within an eighth of their range, or rising.
fn together(entries: &[u64]) -> bool {
    let (Some(least), Some(greatest)) = (entries.iter().min(), entries.iter().max()) else { return false };
    (greatest - least) * 8 < *greatest || entries.is_sorted()
}
