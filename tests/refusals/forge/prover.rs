//! A prover that looks at nothing: of what is so it makes the proof, and of what is not so the best that there is.
//!
//! It shares no code with the provers of the product, whose own checks would stop most lies before they are written
//! (`specs/proofs/README.md`, sections 5 and 6).

mod sigma;
mod transcript;

use std::collections::BTreeMap;

use bulletproofs::{BulletproofGens, PedersenGens, RangeProof};
use dalek4::Scalar;
use dalek4::ristretto::{CompressedRistretto, RistrettoPoint};
use dalek4::traits::Identity as _;
use merlin::Transcript;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use vouchsafe_proofs::context::{Attribute, Context};
use vouchsafe_proofs::planner::{Declared, Entry, Plan, Shows, Side, plan};
use vouchsafe_proofs::set::Set;
use vouchsafe_proofs::statement::{Statement, Term};

use sigma::Sigma;
pub(crate) use transcript::number;

/// Value and blinding.
#[derive(Clone, Copy)]
pub(crate) struct Open {
    pub(crate) v: Scalar,
    pub(crate) r: Scalar,
}

impl Open {
    pub(crate) fn commit(&self) -> [u8; 32] {
        PedersenGens::default().commit(self.v, self.r).compress().0
    }

    fn less(&self, other: &Self) -> Self {
        Self { v: self.v - other.v, r: self.r - other.r }
    }
}

/// What opens the commitments, by query and pointer.
pub(crate) type Opens = BTreeMap<(String, String), Open>;

/// Everything that a proof is made of.
pub(crate) struct Prover {
    pub(crate) context: Context,
    pub(crate) statements: Vec<Statement>,
    pub(crate) opens: Opens,
    /// Of which terms sums are made, where they are not those of the statements.
    pub(crate) summed: Option<Vec<Statement>>,
    /// Of two values that do not differ: whether U is the identity, which fits both equations.
    pub(crate) identity: bool,
    /// The list that a sub-proof is made about, by its index, where it is another than was asked.
    pub(crate) lists: BTreeMap<usize, Vec<u64>>,
    /// Sub-proofs that stand in for others: the bytes of the second, already made, at the place of the first.
    pub(crate) copied: Option<(usize, usize)>,
    /// Of a value in no interval: whether the ends are those of one pair, beyond which it lies.
    pub(crate) near: bool,
    /// Bytes of a sub-proof from elsewhere, at the place of its index.
    pub(crate) foreign: Option<(usize, Vec<u8>)>,
}

/// The ends of an interval and what blinds them.
type Ends = [Open; 2];

impl Prover {
    pub(crate) fn new(context: Context, statements: Vec<Statement>, opens: Opens) -> Self {
        Self {
            context,
            statements,
            opens,
            summed: None,
            identity: false,
            lists: BTreeMap::new(),
            copied: None,
            near: false,
            foreign: None,
        }
    }

    fn plan(&self) -> Option<Plan> {
        let declared = |term: &Term| {
            let Attribute { enc, unit, range, .. } = self.attribute(term);
            Some(Declared { enc: *enc, unit, range: *range })
        };
        plan(&self.statements, declared).ok()
    }

    /// Makes sums of other terms than are asked.
    pub(crate) fn sum(&mut self, change: impl FnOnce(&mut Vec<Term>)) {
        let mut summed = self.statements.clone();
        change(&mut summed[0].terms);
        self.summed = Some(summed);
    }

    /// The bytes of an answer; the version alone where nothing like it can be proved.
    pub(crate) fn prove(&self) -> Vec<u8> {
        let Some(plan) = self.plan() else { return vec![1] };
        let mut t = transcript::bound(&self.context, &self.statements);
        number(&mut t, b"7.sub-proofs", plan.count() as u64);
        let mut answer = vec![1];
        let (mut made, mut ends) = (Vec::<Vec<u8>>::new(), BTreeMap::new());
        for (index, part) in plan.parts.iter().enumerate() {
            let terms = &self.statements[part.statement].terms;
            let mut sigma = Sigma::new(&mut t, index);
            let own = self.part(&mut sigma, index, &part.shows, terms, &mut |own| {
                ends.insert(part.statement, own);
            });
            let instead = match (self.copied, &self.foreign) {
                (Some((at, from)), _) if at == index => made[from].clone(),
                (_, Some((at, bytes))) if *at == index => bytes.clone(),
                _ => own,
            };
            self.go_on(&mut t, index, &part.shows, terms, &instead);
            push(&mut answer, sigma::kind(&part.shows), &instead);
            made.push(instead);
        }
        if !plan.entries.is_empty() {
            push(&mut answer, 1, &self.aggregate(&mut t, &plan, &ends));
        }
        answer
    }

    fn attribute(&self, term: &Term) -> &Attribute {
        let credential = self.context.credentials.iter().find(|one| one.query == term.query).unwrap();
        credential.attributes.iter().find(|one| one.pointer == term.pointer).unwrap()
    }

    /// The signed commitment.
    fn point(&self, term: &Term) -> RistrettoPoint {
        CompressedRistretto(self.attribute(term).c.0).decompress().unwrap()
    }

    fn open(&self, term: &Term) -> Open {
        self.opens[&(term.query.clone(), term.pointer.clone())]
    }

    /// One sub-proof without a range. The transcript is a copy: [`Prover::go_on`] moves the real one.
    fn part(
        &self,
        sigma: &mut Sigma,
        index: usize,
        shows: &Shows,
        terms: &[Term],
        keep: &mut dyn FnMut(Ends),
    ) -> Vec<u8> {
        let points: Vec<_> = terms.iter().map(|term| self.point(term)).collect();
        let open = self.open(&terms[0]);
        let other = || self.lists.get(&index).cloned();
        match shows {
            Shows::Equal => sigma.equal(&points, &open.less(&self.open(&terms[1]))),
            Shows::Differ => {
                let difference = open.less(&self.open(&terms[1]));
                sigma.differ(&points, points[0] - points[1], difference, None, self.identity)
            }
            Shows::DiffersFrom(v) => {
                let v = Scalar::from(*v);
                let difference = Open { v: open.v - v, r: open.r };
                let point = points[0] - PedersenGens::default().B * v;
                sigma.differ(&points, point, difference, Some(v), self.identity)
            }
            Shows::OneOf(list) => sigma.one_of(points[0], &other().unwrap_or_else(|| list.clone()), open),
            Shows::Element(list) => {
                let list = other().unwrap_or_else(|| list.clone());
                sigma.element(points[0], &list.into_iter().map(Scalar::from).collect::<Vec<_>>(), open)
            }
            Shows::Within(set) => {
                let ends = around(set, open.v, self.near);
                let (proof, own) = sigma.within(points[0], set, ends);
                keep(own);
                proof
            }
        }
    }

    /// Leads the transcript past a sub-proof, as whoever checks it is led, whatever is found.
    fn go_on(&self, t: &mut Transcript, index: usize, shows: &Shows, terms: &[Term], proof: &[u8]) {
        use vouchsafe_proofs::sigma::{
            Element, Hidden, List, equality, inequality, interval, membership, one_of,
        };
        let hidden: Vec<_> = terms.iter().map(|term| Hidden::new(&self.attribute(term).c).unwrap()).collect();
        let index = index as u64;
        let list =
            |list: &[u64]| List::new(&list.iter().map(|v| Element::from(*v)).collect::<Vec<_>>()).unwrap();
        let _ = match shows {
            Shows::Equal => equality::verify_vartime(t, index, &[hidden[0], hidden[1]], proof),
            Shows::Differ => {
                let pair = [hidden[0], hidden[1]];
                inequality::verify_vartime(t, index, inequality::Different::Pair(&pair), proof)
            }
            Shows::DiffersFrom(v) => {
                let different = inequality::Different::From(&hidden[0], (*v).into());
                inequality::verify_vartime(t, index, different, proof)
            }
            Shows::OneOf(of) => one_of::verify_vartime(t, index, &hidden[0], &list(of), proof),
            Shows::Element(of) => membership::verify_vartime(t, index, &hidden[0], &list(of), proof),
            Shows::Within(set) => interval::verify_vartime(t, index, &hidden[0], set, proof).is_some(),
        };
    }

    fn aggregate(&self, t: &mut Transcript, plan: &Plan, ends: &BTreeMap<usize, Ends>) -> Vec<u8> {
        number(t, b"7.type", 1);
        number(t, b"7.index", plan.parts.len() as u64);
        number(t, b"7.n", plan.n as u64);
        number(t, b"7.m", plan.m as u64);
        let mut points: Vec<_> = plan.entries.iter().map(|entry| self.entry_point(entry, ends)).collect();
        points.resize(plan.m, RistrettoPoint::identity());
        points.iter().for_each(|point| t.append_message(b"7.point", &point.compress().0));
        let mut opened: Vec<_> = plan.entries.iter().map(|entry| self.entry(entry, ends)).collect();
        opened.resize(plan.m, Open { v: Scalar::ZERO, r: Scalar::ZERO });
        let (values, blindings): (Vec<_>, Vec<_>) =
            opened.iter().map(|open| (low(&open.v, plan.n), open.r)).unzip();
        let generators = BulletproofGens::new(64, plan.m);
        let rng = &mut ChaCha20Rng::from_seed([8; 32]);
        let made = RangeProof::prove_multiple_with_rng(
            &generators,
            &PedersenGens::default(),
            t,
            &values,
            &blindings,
            plan.n,
            rng,
        );
        made.unwrap().0.to_bytes()
    }

    /// C_w, as whoever checks it computes it.
    fn entry_point(&self, entry: &Entry, ends: &BTreeMap<usize, Ends>) -> RistrettoPoint {
        let base = PedersenGens::default().B;
        let terms = &self.statements[entry.statement].terms;
        let sum = || -> RistrettoPoint { terms.iter().map(|t| coefficient(t.coeff) * self.point(t)).sum() };
        let end = |i: usize| CompressedRistretto(ends[&entry.statement][i].commit()).decompress().unwrap();
        match entry.side {
            Side::AtMost(k) => base * Scalar::from(k) - sum(),
            Side::AtLeast(k) => sum() - base * Scalar::from(k),
            Side::Term { term, lo } => self.point(&terms[term]) - base * Scalar::from(lo),
            Side::TermUpTo { term, hi } => base * Scalar::from(hi) - self.point(&terms[term]),
            Side::FromFirst => sum() - end(0),
            Side::ToLast => end(1) - sum(),
        }
    }

    /// w and its blinding, of the terms that are summed.
    fn entry(&self, entry: &Entry, ends: &BTreeMap<usize, Ends>) -> Open {
        let all = self.summed.as_ref().unwrap_or(&self.statements);
        let terms = &all[entry.statement].terms;
        let asked = &self.statements[entry.statement].terms;
        let sum = || {
            let none = Open { v: Scalar::ZERO, r: Scalar::ZERO };
            terms.iter().fold(none, |sum, term| {
                let (open, coeff) = (self.open(term), coefficient(term.coeff));
                Open { v: sum.v + coeff * open.v, r: sum.r + coeff * open.r }
            })
        };
        let public = |v: u64| Open { v: Scalar::from(v), r: Scalar::ZERO };
        match entry.side {
            Side::AtMost(k) => public(k).less(&sum()),
            Side::AtLeast(k) => sum().less(&public(k)),
            Side::Term { term, lo } => self.open(&asked[term]).less(&public(lo)),
            Side::TermUpTo { term, hi } => public(hi).less(&self.open(&asked[term])),
            Side::FromFirst => sum().less(&ends[&entry.statement][0]),
            Side::ToLast => ends[&entry.statement][1].less(&sum()),
        }
    }
}

fn push(answer: &mut Vec<u8>, kind: u8, proof: &[u8]) {
    answer.push(kind);
    answer.extend(u32::try_from(proof.len()).unwrap().to_be_bytes());
    answer.extend(proof);
}

fn coefficient(coeff: i64) -> Scalar {
    let size = Scalar::from(coeff.unsigned_abs());
    if coeff < 0 { -size } else { size }
}

/// What is left of a number where only `n` bits fit.
fn low(v: &Scalar, n: usize) -> u64 {
    let low = u64::from_le_bytes(v.as_bytes()[..8].try_into().unwrap());
    if n < 64 { low & ((1 << n) - 1) } else { low }
}

/// The interval that a value lies in; of one that lies in none, the last first and the first last that hold it.
fn around(set: &Set, v: Scalar, near: bool) -> [u64; 2] {
    let v = low(&v, 64);
    if near {
        return set.intervals()[0];
    }
    let firsts = set.intervals().iter().map(|[first, _]| *first).filter(|first| *first <= v);
    let lasts = set.intervals().iter().map(|[_, last]| *last).filter(|last| *last >= v);
    [firsts.max().unwrap(), lasts.min().unwrap()]
}
