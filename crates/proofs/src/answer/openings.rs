//! What opens the commitments that statements speak about.

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::{commitment::Blinding, encoding::Text, pseudonym::LinkSecret, sigma::Opened, statement::Term};

/// The opening of one signed commitment, wiped after use.
#[derive(ZeroizeOnDrop)]
pub(super) struct Opening {
    #[zeroize(skip)]
    query: String,
    #[zeroize(skip)]
    pointer: String,
    value: Value,
    pub(super) r: Blinding,
}

#[derive(Zeroize, ZeroizeOnDrop)]
enum Value {
    Integer(u64),
    Text(Text),
}

/// What opens the first of two commitments less the second, where nobody here can open both.
struct Difference {
    of: [Term; 2],
    opened: Opened,
}

/// What opens the commitment to the link secret of the credential that answers a query.
struct Link {
    query: String,
    opened: Opened,
}

/// The openings that statements may need.
#[derive(Default)]
#[expect(
    clippy::vec_box,
    reason = "a vector that grows leaves its old elements behind unwiped: they stay where they are"
)]
pub struct Openings {
    attributes: Vec<Box<Opening>>,
    differences: Vec<Box<Difference>>,
    links: Vec<Box<Link>>,
}

impl Openings {
    /// No openings yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds value and blinding of the attribute at `pointer` of the credential that answers `query`.
    pub fn add(&mut self, query: &str, pointer: &str, v: u64, r: Blinding) {
        self.push(query, pointer, Value::Integer(v), r);
    }

    /// Adds a `str` and its blinding.
    pub fn add_text(&mut self, query: &str, pointer: &str, v: Text, r: Blinding) {
        self.push(query, pointer, Value::Text(v), r);
    }

    /// Adds what opens the commitment to the first attribute less that to the second, each a query and a pointer: all
    /// that a statement about both needs, and all that another wallet tells of its own.
    pub fn add_difference(&mut self, of: [(&str, &str); 2], opened: Opened) {
        let of = of.map(|(query, pointer)| Term::new(query, pointer, 1));
        self.differences.push(Box::new(Difference { of, opened }));
    }

    /// Adds the link secret of the credential that answers `query`, and its blinding there.
    pub fn add_link(&mut self, query: &str, x: &LinkSecret, t: &Blinding) {
        self.links.push(Box::new(Link { query: query.to_owned(), opened: Opened::link(x, t) }));
    }

    pub(super) fn link(&self, query: &str) -> Option<&Opened> {
        self.links.iter().find(|link| link.query == query).map(|link| &link.opened)
    }

    fn push(&mut self, query: &str, pointer: &str, value: Value, r: Blinding) {
        let (query, pointer) = (query.to_owned(), pointer.to_owned());
        self.attributes.push(Box::new(Opening { query, pointer, value, r }));
    }

    pub(super) fn of(&self, term: &Term) -> Option<&Opening> {
        let wanted = |opening: &&Opening| opening.query == term.query && opening.pointer == term.pointer;
        self.attributes.iter().map(Box::as_ref).find(wanted)
    }

    /// What opens the first term's commitment less the second's: as it was given, or from both.
    pub(super) fn difference(&self, [one, other]: [&Term; 2]) -> Option<Opened> {
        let given = self.differences.iter().find(|known| known.of[0].is_of(one) && known.of[1].is_of(other));
        match given {
            Some(known) => Some(known.opened.clone()),
            None => Some(Opened::difference(&self.of(one)?.opened(), &self.of(other)?.opened())),
        }
    }
}

impl Opening {
    /// The integer, unless it is a `str`.
    pub(super) fn integer(&self) -> Option<u64> {
        if let Value::Integer(v) = self.value { Some(v) } else { None }
    }

    pub(super) fn opened(&self) -> Opened {
        match &self.value {
            Value::Integer(v) => Opened::integer(*v, &self.r),
            Value::Text(text) => Opened::text(text, &self.r),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use super::*;

    #[test]
    fn an_opening_stays_where_it_is_wiped() {
        let term = Term::new("q0", "/0", 1);
        let mut openings = Openings::new();
        let add = |openings: &mut Openings, i: u64| {
            openings.add("q0", &format!("/{i}"), i, Blinding::from_canonical_bytes([0; 32]).unwrap());
        };
        add(&mut openings, 0);
        let place: *const Opening = openings.of(&term).unwrap();
        (1..100).for_each(|i| add(&mut openings, i));
        assert!(std::ptr::eq(place, openings.of(&term).unwrap()));
    }
}
