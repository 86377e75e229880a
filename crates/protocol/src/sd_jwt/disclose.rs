//! Disclosures put back into the payload: steps 3 to 5 of RFC 9901 section 7.1.
//!
//! Every Disclosure must be used, every digest may occur once, and nothing disclosed may take the place of
//! something signed in the clear. Recursion is bounded by the depth of the assembled document.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::{Map, Value};
use vouchsafe_mutants as mutants;

use super::key_binding::Claims;
use super::{Disclosure, Path, Step};
use crate::jose::PublicJwk;
use crate::json::MAX_DEPTH;

const DIGESTS: &str = "_sd";
const ALGORITHM: &str = "_sd_alg";
const ELEMENT: &str = "...";

/// Names that RFC 9901 keeps for itself.
pub(super) const RESERVED: [&str; 3] = [DIGESTS, ALGORITHM, ELEMENT];

/// Why the Disclosures do not fit the payload. All are the presenter's or the issuer's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DisclosureError {
    /// `_sd_alg` is not SHA-256, or stands below the top level.
    #[error("the hash algorithm of the Disclosures is not accepted; use sha-256 at the top level")]
    Algorithm,
    /// `_sd` is not an array of strings, or an element with `...` is not a single digest.
    #[error("the digests in the payload are malformed")]
    Digests,
    /// The same digest occurs twice, or the same Disclosure was sent twice.
    #[error("a digest or a Disclosure occurs twice")]
    Repeated,
    /// A Disclosure for an element stands for a member, or the reverse.
    #[error("a Disclosure has the wrong number of parts for its place")]
    Arity,
    /// A claim is called `_sd`, `_sd_alg` or `...`.
    #[error("a claim has a reserved name")]
    ReservedName,
    /// A claim of that name is there already.
    #[error("a Disclosure repeats a claim that is already there")]
    NameClash,
    /// A Disclosure belongs to no digest.
    #[error("a Disclosure belongs to no digest of the payload")]
    Unused,
    /// The document is nested too deeply.
    #[error("the disclosed document is nested too deeply")]
    TooDeep,
}

/// An SD-JWT whose signatures hold; its Disclosures are not yet put in place.
pub struct IssuerSigned {
    pub(super) text: String,
    pub(super) payload: Map<String, Value>,
    pub(super) disclosures: Vec<Disclosure>,
    pub(super) issuer_jwt_sha256: [u8; 32],
    pub(super) holder: Option<PublicJwk>,
    pub(super) binding: Option<Claims>,
}

impl IssuerSigned {
    /// Steps 3 to 5: the processed payload and the paths that Disclosures showed.
    ///
    /// # Errors
    /// See [`DisclosureError`].
    pub fn disclose(self) -> Result<Disclosed, DisclosureError> {
        disclose(self.payload, self.disclosures).map(|(disclosed, _)| disclosed)
    }

    /// The key that the issuer confirmed, when key binding was verified.
    #[must_use]
    pub fn holder(&self) -> Option<&PublicJwk> {
        self.holder.as_ref()
    }
}

/// A processed payload.
#[derive(Clone)]
pub struct Disclosed {
    claims: Map<String, Value>,
    paths: Vec<Path>,
    positions: Positions,
}

/// Where the elements of an array stood when they were signed, for arrays that lack some of them: elements that were
/// not disclosed vanish from a processed payload and would shift those behind them, and so do decoys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Positions(BTreeMap<Path, Vec<usize>>);

impl Positions {
    /// An array of which nothing is missing.
    pub const WHOLE: &'static Self = &Self(BTreeMap::new());

    /// The signed position of each element of the array at `path`; `None` where none is missing.
    #[must_use]
    pub fn of(&self, path: &[Step]) -> Option<&[usize]> {
        self.0.get(path).map(Vec::as_slice)
    }
}

impl Disclosed {
    /// The claims, signed in the clear and disclosed, without any digest.
    #[must_use]
    pub fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    /// Drops a top-level claim that nobody further down should see.
    pub(super) fn forget(&mut self, name: &str) {
        self.claims.remove(name);
    }

    /// The path of each Disclosure, in the order in which they were sent.
    #[must_use]
    pub fn paths(&self) -> &[Path] {
        &self.paths
    }

    /// Where the elements of incomplete arrays stood when they were signed.
    #[must_use]
    pub fn positions(&self) -> &Positions {
        &self.positions
    }

    /// A top-level claim that was signed in the clear, no part of it through a Disclosure.
    #[must_use]
    pub fn always_visible(&self, name: &str) -> Option<&Value> {
        let concealed = self.paths.iter().any(|path| starts_with(path, name));
        self.claims.get(name).filter(|_| !concealed)
    }
}

/// Whether `path` leads to or into the top-level claim `name`.
pub(super) fn starts_with(path: &[Step], name: &str) -> bool {
    matches!(path.first(), Some(Step::Name(first)) if first == name)
}

/// Puts `disclosures` into `payload`; gives back where each stands in the text, in the order of the paths.
pub(super) fn disclose(
    mut payload: Map<String, Value>,
    disclosures: Vec<Disclosure>,
) -> Result<(Disclosed, Vec<std::ops::Range<usize>>), DisclosureError> {
    let algorithm = payload.remove(ALGORITHM);
    let known = algorithm.is_none_or(|name| name == "sha-256");
    if !(mutants::skips("sd-alg") || known) {
        return Err(DisclosureError::Algorithm);
    }
    let mut assembly = Assembly::new(disclosures)?;
    let claims = assembly.object(payload)?;
    let positions = std::mem::take(&mut assembly.positions);
    let (paths, places) = assembly.finish()?;
    Ok((Disclosed { claims, paths, positions }, places))
}

/// The state of one pass over a payload.
struct Assembly {
    /// Disclosures by digest, each taken once.
    offered: HashMap<String, usize>,
    disclosures: Vec<Disclosure>,
    /// Where each Disclosure was used.
    used: Vec<Option<Path>>,
    /// Digests met so far, in the payload and in Disclosures.
    met: HashSet<String>,
    path: Path,
    positions: Positions,
}

impl Assembly {
    fn new(disclosures: Vec<Disclosure>) -> Result<Self, DisclosureError> {
        let mut offered = HashMap::with_capacity(disclosures.len());
        let mut once = Vec::with_capacity(disclosures.len());
        for mut disclosure in disclosures {
            let is_new = !offered.contains_key(&disclosure.digest);
            // RFC 9901 7.1 step 4, for the Disclosures themselves.
            if !(mutants::skips("sd-disclosure-repeated") || is_new) {
                return Err(DisclosureError::Repeated);
            }
            if is_new {
                offered.insert(std::mem::take(&mut disclosure.digest), once.len());
                once.push(disclosure);
            }
        }
        let used = vec![None; once.len()];
        let (met, path, positions) = (HashSet::new(), Path::new(), Positions::default());
        Ok(Self { offered, disclosures: once, used, met, path, positions })
    }

    /// Step 5: no Disclosure is left over.
    fn finish(self) -> Result<(Vec<Path>, Vec<std::ops::Range<usize>>), DisclosureError> {
        if !(mutants::skips("sd-disclosure-unused") || self.used.iter().all(Option::is_some)) {
            return Err(DisclosureError::Unused);
        }
        let places = self.disclosures.into_iter().map(|disclosure| disclosure.place);
        Ok(self.used.into_iter().zip(places).filter_map(|(path, place)| Some((path?, place))).unzip())
    }

    fn value(&mut self, value: Value, step: Step) -> Result<Value, DisclosureError> {
        self.path.push(step);
        let value = match value {
            Value::Object(object) => self.object(object).map(Value::Object),
            Value::Array(array) => self.array(array).map(Value::Array),
            scalar => Ok(scalar),
        }?;
        self.path.pop();
        Ok(value)
    }

    fn object(&mut self, mut object: Map<String, Value>) -> Result<Map<String, Value>, DisclosureError> {
        self.check_depth()?;
        let algorithm_is_above = object.get(ALGORITHM).is_none();
        if !(mutants::skips("sd-alg-nested") || algorithm_is_above) {
            return Err(DisclosureError::Algorithm);
        }
        let no_element_mark = object.get(ELEMENT).is_none();
        if !(mutants::skips("sd-reserved-name") || no_element_mark) {
            return Err(DisclosureError::ReservedName);
        }
        let digests = object.remove(DIGESTS);
        for (name, value) in object.iter_mut().filter(|(_, value)| value.is_object() || value.is_array()) {
            *value = self.value(value.take(), Step::Name(name.clone()))?;
        }
        match digests {
            None => Ok(object),
            Some(Value::Array(digests)) => self.members(object, digests),
            Some(_) => Err(DisclosureError::Digests),
        }
    }

    /// Step 3.c: each digest of `_sd` that has a Disclosure becomes a member.
    fn members(
        &mut self,
        mut object: Map<String, Value>,
        digests: Vec<Value>,
    ) -> Result<Map<String, Value>, DisclosureError> {
        for digest in digests {
            let Value::String(digest) = digest else { return Err(DisclosureError::Digests) };
            let Some(index) = self.take(digest)? else { continue };
            let Some(name) = self.disclosures[index].name.take() else {
                if mutants::skips("sd-arity") {
                    self.used[index] = Some(self.path.clone());
                    continue;
                }
                return Err(DisclosureError::Arity);
            };
            if !(mutants::skips("sd-reserved-name") || RESERVED.iter().all(|reserved| *reserved != name)) {
                return Err(DisclosureError::ReservedName);
            }
            let name_is_free = object.get(&name).is_none();
            if !(mutants::skips("sd-name-clash") || name_is_free) {
                return Err(DisclosureError::NameClash);
            }
            let value = self.use_disclosure(index, Step::Name(name.clone()))?;
            object.insert(name, value);
        }
        Ok(object)
    }

    fn array(&mut self, array: Vec<Value>) -> Result<Vec<Value>, DisclosureError> {
        self.check_depth()?;
        let signed = array.len();
        let (mut elements, mut positions) = (Vec::with_capacity(signed), Vec::with_capacity(signed));
        for (index, element) in array.into_iter().enumerate() {
            let element = match element {
                Value::Object(mut mark) if mark.contains_key(ELEMENT) => self.element(&mut mark, index)?,
                element => Some(self.value(element, Step::Index(index))?),
            };
            positions.extend(element.is_some().then_some(index));
            elements.extend(element);
        }
        if elements.len() < signed {
            self.positions.0.insert(self.path.clone(), positions);
        }
        Ok(elements)
    }

    /// Step 3.d: a mark with a Disclosure becomes its value; one without vanishes.
    fn element(
        &mut self,
        mark: &mut Map<String, Value>,
        position: usize,
    ) -> Result<Option<Value>, DisclosureError> {
        if !(mutants::skips("sd-placeholder") || mark.len() == 1) {
            return Err(DisclosureError::Digests);
        }
        let Some(Value::String(digest)) = mark.remove(ELEMENT) else { return Err(DisclosureError::Digests) };
        let Some(index) = self.take(digest)? else { return Ok(None) };
        if !(mutants::skips("sd-arity") || self.disclosures[index].name.is_none()) {
            return Err(DisclosureError::Arity);
        }
        self.use_disclosure(index, Step::Index(position)).map(Some)
    }

    /// The Disclosure of this digest, when one was sent and not used before.
    fn take(&mut self, digest: String) -> Result<Option<usize>, DisclosureError> {
        let found = self.offered.remove(&digest);
        // Step 4: a digest that occurs twice could be read in either place.
        if !(mutants::skips("sd-digest-repeated") || self.met.insert(digest)) {
            return Err(DisclosureError::Repeated);
        }
        Ok(found)
    }

    fn use_disclosure(&mut self, index: usize, step: Step) -> Result<Value, DisclosureError> {
        let mut path = self.path.clone();
        path.push(step.clone());
        self.used[index] = Some(path);
        let value = self.disclosures[index].value.take();
        self.value(value, step)
    }

    fn check_depth(&self) -> Result<(), DisclosureError> {
        if !(mutants::skips("sd-depth") || self.path.len() < MAX_DEPTH) {
            return Err(DisclosureError::TooDeep);
        }
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;
    use crate::encoding::{b64u, sha256};
    use serde_json::json;

    fn made(parts: Value) -> (Disclosure, String) {
        let text = b64u(parts.to_string());
        let disclosure = Disclosure::parse(&text, 0).unwrap();
        (disclosure, b64u(sha256(&text)))
    }

    fn run(payload: Value, disclosures: Vec<Disclosure>) -> Result<Disclosed, DisclosureError> {
        disclose(payload.as_object().cloned().unwrap(), disclosures).map(|(disclosed, _)| disclosed)
    }

    fn fault(payload: Value, disclosures: Vec<Disclosure>) -> DisclosureError {
        run(payload, disclosures).err().unwrap()
    }

    #[test]
    fn step_3_members_elements_and_what_is_inside() {
        let (inner, inner_digest) = made(json!(["s1", "street", "1 Mill Lane"]));
        let (outer, outer_digest) = made(json!(["s2", "address", {"_sd": [inner_digest, "decoy"]}]));
        let (element, element_digest) = made(json!(["s3", "second"]));
        let payload = json!({"_sd_alg": "sha-256", "_sd": [outer_digest],
            "list": [{"...": "unknown"}, {"...": element_digest}, {"plain": true}]});
        let disclosed = run(payload, vec![inner, element, outer]).unwrap();
        let expected = json!({"address": {"street": "1 Mill Lane"}, "list": ["second", {"plain": true}]});
        assert_eq!(Value::Object(disclosed.claims().clone()), expected);
        let name = |text: &str| Step::Name(text.to_owned());
        let paths = [
            vec![name("address"), name("street")],
            vec![name("list"), Step::Index(1)],
            vec![name("address")],
        ];
        assert_eq!(disclosed.paths(), paths);
        assert_eq!(disclosed.positions().of(&[name("list")]), Some(&[1, 2][..]));
        assert_eq!(disclosed.positions().of(&[name("address")]), None);
    }

    #[test]
    fn step_2_the_hash_algorithm() {
        assert_eq!(fault(json!({"_sd_alg": "sha-512"}), vec![]), DisclosureError::Algorithm);
        assert_eq!(fault(json!({"_sd_alg": 1}), vec![]), DisclosureError::Algorithm);
        assert_eq!(fault(json!({"a": {"_sd_alg": "sha-256"}}), vec![]), DisclosureError::Algorithm);
        let (hidden, digest) = made(json!(["s", "a", {"_sd_alg": "sha-256"}]));
        assert_eq!(fault(json!({"_sd": [digest]}), vec![hidden]), DisclosureError::Algorithm);
    }

    #[test]
    fn step_3_forms() {
        for payload in [json!({"_sd": "x"}), json!({"_sd": [1]}), json!({"a": [{"...": 1}]})] {
            assert_eq!(fault(payload, vec![]), DisclosureError::Digests);
        }
        assert_eq!(fault(json!({"a": [{"...": "x", "b": 1}]}), vec![]), DisclosureError::Digests);
        assert_eq!(fault(json!({"...": "x"}), vec![]), DisclosureError::ReservedName);
        assert_eq!(fault(json!({"a": {"...": "x"}}), vec![]), DisclosureError::ReservedName);
    }

    #[test]
    fn step_3_arity() {
        let (element, digest) = made(json!(["s", 1]));
        assert_eq!(fault(json!({"_sd": [digest]}), vec![element]), DisclosureError::Arity);
        let (member, digest) = made(json!(["s", "a", 1]));
        assert_eq!(fault(json!({"a": [{"...": digest}]}), vec![member]), DisclosureError::Arity);
    }

    #[test]
    fn step_3_names() {
        for reserved in RESERVED {
            let (hidden, digest) = made(json!(["s", reserved, ["x"]]));
            assert_eq!(fault(json!({"_sd": [digest]}), vec![hidden]), DisclosureError::ReservedName);
        }
        let (hidden, digest) = made(json!(["s", "a", 1]));
        assert_eq!(fault(json!({"a": 1, "_sd": [digest]}), vec![hidden]), DisclosureError::NameClash);
        let (one, first) = made(json!(["s1", "a", 1]));
        let (two, second) = made(json!(["s2", "a", 2]));
        assert_eq!(fault(json!({"_sd": [first, second]}), vec![one, two]), DisclosureError::NameClash);
    }

    #[test]
    fn step_4_a_digest_occurs_once() {
        assert_eq!(fault(json!({"_sd": ["x", "x"]}), vec![]), DisclosureError::Repeated);
        assert_eq!(fault(json!({"_sd": ["x"], "a": {"_sd": ["x"]}}), vec![]), DisclosureError::Repeated);
        assert_eq!(fault(json!({"_sd": ["x"], "a": [{"...": "x"}]}), vec![]), DisclosureError::Repeated);
        let (hidden, digest) = made(json!(["s", "a", 1]));
        let twice = vec![hidden.clone(), hidden.clone()];
        assert_eq!(fault(json!({"_sd": [digest]}), twice), DisclosureError::Repeated);
        let (outer, outer_digest) = made(json!(["s", "b", {"_sd": [digest]}]));
        let payload = json!({"_sd": [digest, outer_digest]});
        assert_eq!(fault(payload, vec![hidden, outer]), DisclosureError::Repeated);
    }

    #[test]
    fn step_5_every_disclosure_is_used() {
        let (hidden, digest) = made(json!(["s", "a", 1]));
        assert_eq!(fault(json!({"a": 1}), vec![hidden.clone()]), DisclosureError::Unused);
        // What stands in an undisclosed claim has nowhere to go.
        let (_, outer_digest) = made(json!(["s", "b", {"_sd": [digest]}]));
        assert_eq!(fault(json!({"_sd": [outer_digest]}), vec![hidden]), DisclosureError::Unused);
    }

    #[test]
    fn depth_is_that_of_the_whole() {
        let chain = |length: usize| {
            let mut disclosures = Vec::new();
            let mut value = json!({});
            for level in 0..length {
                let (hidden, digest) = made(json!([level.to_string(), "a", value]));
                disclosures.push(hidden);
                value = json!({"_sd": [digest]});
            }
            run(value, disclosures)
        };
        assert!(chain(MAX_DEPTH - 1).is_ok());
        assert_eq!(chain(MAX_DEPTH).err(), Some(DisclosureError::TooDeep));
    }
}
