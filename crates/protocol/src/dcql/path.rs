//! Claims paths (OpenID4VP 1.0 section 7.1), over a document of which parts may be missing.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use vouchsafe_mutants as mutants;

use crate::sd_jwt::{Path, Positions, Step};

/// One step of a claims path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PathStep {
    /// A member of an object.
    Key(String),
    /// An element of an array, by its position when it was signed.
    Index(u64),
    /// Every element of an array.
    Every,
}

/// Claims, and where their array elements stood when they were signed.
#[derive(Clone, Copy)]
pub(super) struct Document<'a> {
    pub(super) claims: &'a Map<String, Value>,
    pub(super) positions: &'a Positions,
}

/// Concrete places with what is there.
pub(super) type Found<'a> = Vec<(Path, &'a Value)>;

impl<'a> Document<'a> {
    /// Selects, step by step. An error and an empty selection are the same to us: nothing found.
    pub(super) fn find(&self, path: &[PathStep]) -> Option<Found<'a>> {
        // The root is an object, so the first step is a name.
        let (PathStep::Key(name), rest) = path.split_first()? else { return None };
        let mut selected: Found<'a> = vec![(vec![Step::Name(name.clone())], self.claims.get(name)?)];
        for step in rest {
            let mut next = Vec::new();
            for (place, value) in selected {
                self.descend(&place, value, step, &mut next)?;
            }
            selected = next;
        }
        (!selected.is_empty()).then_some(selected)
    }

    /// Drops what is missing; `None` where the step does not fit the kind of value.
    fn descend(&self, place: &Path, value: &'a Value, step: &PathStep, next: &mut Found<'a>) -> Option<()> {
        match step {
            PathStep::Key(key) => {
                let member = value.as_object()?.get(key);
                next.extend(member.map(|value| (below(place, Step::Name(key.clone())), value)));
            }
            PathStep::Index(wanted) => {
                let is = |(position, _): &(usize, &Value)| u64::try_from(*position) == Ok(*wanted);
                let element = self.elements(place, value)?.find(is);
                next.extend(element.map(|(at, value)| (below(place, Step::Index(at)), value)));
            }
            PathStep::Every => {
                let all = self.elements(place, value)?;
                next.extend(all.map(|(at, value)| (below(place, Step::Index(at)), value)));
            }
        }
        Some(())
    }

    /// The elements of an array with their signed positions.
    fn elements(
        &self,
        place: &[Step],
        value: &'a Value,
    ) -> Option<impl Iterator<Item = (usize, &'a Value)> + use<'a>> {
        let array = value.as_array()?;
        let kept = self.positions.of(place).filter(|_| !mutants::skips("vp-complete-positions"));
        let positions = kept.map_or_else(|| (0..array.len()).collect(), <[usize]>::to_vec);
        Some(positions.into_iter().zip(array))
    }
}

fn below(place: &[Step], step: Step) -> Path {
    [place, &[step]].concat()
}
