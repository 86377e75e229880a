//! What forgers try, and that each passes where one check or one append is missing.

use curve25519_dalek::{RistrettoPoint, Scalar};

use super::{
    super::{KIND, Statement, append},
    *,
};
use crate::{
    group,
    sigma::{announce, challenge, joined},
};

/// What a forger chooses after the challenge, where the transcript misses it.
#[derive(Clone, Copy)]
enum Late {
    Announcements,
    Commitment,
    Base,
    Pseudonym,
}

fn small<const N: usize>(first: u64) -> [Scalar; N] {
    std::array::from_fn(|i| Scalar::from(first + i as u64))
}

fn nym(point: RistrettoPoint) -> Nym {
    Nym::read(&point.compress().0).unwrap()
}

fn committed(point: RistrettoPoint) -> Hidden {
    Hidden::new(&Commitment(point.compress().0)).unwrap()
}

/// For a credential of x = 5: a pseudonym that is not x*P, by whoever knows x and t. Whether it passes.
fn forged(late: Late) -> bool {
    let Case { link, item4, opened } = honest();
    let mut statement = Statement::new(&link, &item4).unwrap();
    let [k1, k2, z, foreign, six] = small(11);
    let (mut t1, mut t2) = (group::commit(&k1, &k2), RistrettoPoint::mul_base(&six));
    match late {
        Late::Announcements => statement.nym = Nym::of(&foreign, &statement.base),
        Late::Commitment => {
            statement.nym = Nym::of(&foreign, &statement.base);
            (t1, t2) = (t2, statement.base * k1);
        }
        Late::Base => statement.nym = nym(RistrettoPoint::mul_base(&foreign)),
        Late::Pseudonym => {}
    }
    let mut t = start();
    statement.begin(&mut t, 4);
    if !matches!(late, Late::Announcements) {
        announce(&mut t, &[t1, t2].map(|point| point.compress().0));
    }
    let c = challenge(&mut t);
    let (mut z1, mut z2) = (k1 + c * opened.v, k2 + c * opened.r);
    match late {
        Late::Announcements => (z1, z2) = (z, z),
        Late::Commitment => {
            (z1, z2) = (k1 + c * foreign, z);
            statement.link = committed(c.invert() * (group::commit(&z1, &z2) - t1));
        }
        Late::Base => statement.base = z1.invert() * (t2 + c * statement.nym.point),
        Late::Pseudonym => statement.nym = nym(c.invert() * (z1 * statement.base - t2)),
    }
    assert!(statement.nym != Nym::of(&opened.v, &statement.base));
    let proof = [&statement.nym.to_bytes()[..], &joined(&[c, z1, z2])].concat();
    statement.holds(&mut start(), 4, &proof)
}

/// A batch of two whose second copy has another secret, or whose pseudonym is not its secret's. Whether it passes.
fn forged_batch(late: Late) -> bool {
    let (x, mut batch) = (secret(5), Batch::of(&secret(5), 2));
    let [k, k1, k2, z, foreign, six] = small(11);
    let asked = batch.asked();
    let base = registration_base(ISSUER);
    let mut t = [base * k, group::commit(&k, &k1), group::commit(&k, &k2)];
    let (mut used, mut own) = (base, Nym::of(&x.0, &base));
    match late {
        Late::Announcements => own = Nym::of(&foreign, &base),
        Late::Commitment => t[2] = RistrettoPoint::mul_base(&six),
        Late::Base => {
            own = nym(RistrettoPoint::mul_base(&foreign));
            t[0] = RistrettoPoint::mul_base(&six);
        }
        Late::Pseudonym => t[0] = RistrettoPoint::mul_base(&six),
    }
    let mut drawn = statement(&asked, &batch.copies, used, own).begin();
    if !matches!(late, Late::Announcements) {
        announce(&mut drawn, &t.map(|point| point.compress().0));
    }
    let c = challenge(&mut drawn);
    let of_x = k + c * x.0;
    let mut responses = [of_x, k1 + c * batch.t[0].0, k2 + c * batch.t[1].0];
    match late {
        Late::Announcements => responses = [z; 3],
        Late::Commitment => {
            responses[2] = z;
            let point = c.invert() * (group::commit(&of_x, &z) - t[2]);
            batch.copies[1].link = Commitment(point.compress().0);
        }
        Late::Base => used = of_x.invert() * (t[0] + c * own.point),
        Late::Pseudonym => own = nym(c.invert() * (of_x * used - t[0])),
    }
    let words = [c, responses[0], responses[1], responses[2]];
    let proof = [&own.to_bytes()[..], &joined(&words)].concat();
    statement(&asked, &batch.copies, used, own).holds(&proof)
}

pub(super) fn statement<'a>(
    asked: &'a Asked<'a>,
    copies: &'a [NewCopy],
    base: RistrettoPoint,
    nym: Nym,
) -> registration::Statement<'a> {
    let links = copies.iter().map(|copy| Hidden::new(&copy.link).unwrap()).collect();
    registration::Statement { asked, copies, links, base, nym }
}

const ALL: [Late; 4] = [Late::Announcements, Late::Commitment, Late::Base, Late::Pseudonym];

#[test]
fn forgeries_are_refused() {
    for (i, late) in ALL.into_iter().enumerate() {
        assert!(!forged(late), "{i}");
        assert!(!forged_batch(late), "{i}");
    }
}

/// By whoever has the credential of x and wants another's pseudonym: the response for x cannot serve both equations.
fn mixed(first: &LinkSecret, second: &LinkSecret) -> (Case, Vec<u8>) {
    let Case { link, opened, .. } = honest();
    let case = Case { item4: second.pseudonym(&scope("2026")), ..honest() };
    let statement = Statement::new(&link, &case.item4).unwrap();
    let [k1, k2] = small(11);
    let mut t = start();
    statement.begin(&mut t, 4);
    announce(&mut t, &[group::commit(&k1, &k2), statement.base * k1].map(|point| point.compress().0));
    let c = challenge(&mut t);
    let responses = joined(&[c, k1 + c * first.0, k2 + c * opened.r]);
    let proof = [&case.item4.value[..], &responses].concat();
    (case, proof)
}

#[test]
fn a_pseudonym_of_another_secret_is_refused() {
    let (x, other) = (secret(5), secret(6));
    let (case, proof) = mixed(&x, &x);
    assert!(case.holds(&proof), "by hand");
    for first in [&x, &other] {
        let (case, proof) = mixed(first, &other);
        assert!(!case.holds(&proof));
    }
}

/// x = 0 in C_x = t*H: everything is as it should be, but the pseudonym is everybody's.
fn nought() -> (Case, Vec<u8>) {
    let t = blinding("a");
    let item4 = Pseudonym { context: scope("2026").as_str().to_owned(), value: vec![0; 32] };
    let case =
        Case { link: committed(group::blind(&t.0)), item4, opened: Opened { v: Scalar::ZERO, r: t.0 } };
    let base = scope("2026").base();
    let [k1, k2] = small(11);
    let mut drawn = start();
    transcript::sigma_proof(&mut drawn, KIND.into(), 4);
    transcript::point(&mut drawn, &case.link.encoding);
    append(&mut drawn, "zk-nym-base", b"7.base", &base.compress().0);
    append(&mut drawn, "zk-nym-value", b"7.pseudonym", &[0; 32]);
    announce(&mut drawn, &[group::commit(&k1, &k2), base * k1].map(|point| point.compress().0));
    let c = challenge(&mut drawn);
    let proof = [&[0; 32][..], &joined(&[c, k1, k2 + c * t.0])].concat();
    (case, proof)
}

#[test]
fn the_pseudonym_of_nought_is_refused() {
    let (case, proof) = nought();
    assert!(!case.holds(&proof));
    assert!(case.prove_with(&mut rng()).is_none());
}

#[cfg(feature = "mutants")]
mod switched_off {
    use vouchsafe_mutants::without;

    use super::{
        super::batch::{changed, twice},
        *,
    };

    #[test]
    fn without_the_verdict() {
        let (case, proof) = mixed(&secret(5), &secret(6));
        assert!(without("zk-nym", || case.holds(&proof)));
        let (_, other) = changed().remove(3);
        let proof = Batch::of(&secret(5), 3).proof(&secret(5));
        assert!(without("zk-link", || other.registers(&proof).is_some()));
    }

    /// The forger draws the challenge, and only then chooses what the transcript misses.
    #[test]
    fn without_an_append_a_forgery_passes() {
        let passes = |name, late| without(name, || forged(late));
        assert!(passes("zk-sigma-announcement", Late::Announcements));
        assert!(passes("zk-bind-point", Late::Commitment));
        assert!(passes("zk-nym-base", Late::Base));
        assert!(passes("zk-nym-value", Late::Pseudonym));
        let passes = |name, late| without(name, || forged_batch(late));
        assert!(passes("zk-sigma-announcement", Late::Announcements));
        assert!(passes("zk-link-commitment", Late::Commitment));
        assert!(passes("zk-link-base", Late::Base));
        assert!(passes("zk-link-pseudonym", Late::Pseudonym));
    }

    /// One append guards one member of the request: without it, the proof for one batch passes for another.
    #[test]
    fn without_an_append_a_proof_is_good_for_another_batch() {
        let of = |member: &str| {
            let (_, batch) = changed().into_iter().find(|(name, _)| *name == member).unwrap();
            let honest = Batch::of(&secret(5), 3);
            batch.registers(&honest.proof(&secret(5))).is_some()
        };
        for (name, member) in
            [("zk-link-type", "type"), ("zk-link-nonce", "c_nonce"), ("zk-link-holder-key", "holder key")]
        {
            assert!(!of(member), "{member}");
            assert!(without(name, || of(member)), "{member}");
        }
    }

    /// What is left out changes the challenge, also where another append says the same: the frozen proofs notice.
    #[test]
    fn without_an_append_the_frozen_proofs_fail() {
        let (case, batch) = (honest(), Batch::of(&secret(5), 3));
        let (proof, registered) = (case.proof(), batch.proof(&secret(5)));
        for name in ["zk-bind-sub-proof", "zk-bind-index", "zk-bind-point", "zk-nym-base", "zk-nym-value"] {
            assert!(without(name, || !case.holds(&proof)), "{name}");
        }
        for name in [
            "zk-bind-protocol",
            "zk-bind-suite",
            "zk-bind-tier",
            "zk-bind-generators",
            "zk-bind-base",
            "zk-bind-blinding-base",
            "zk-link-issuer",
            "zk-link-type",
            "zk-link-nonce",
            "zk-link-copies",
            "zk-link-index",
            "zk-link-holder-key",
            "zk-link-commitment",
            "zk-link-base",
            "zk-link-pseudonym",
        ] {
            assert!(without(name, || batch.registers(&registered).is_none()), "{name}");
        }
    }

    /// The bytes show one pseudonym, item 4 has another.
    #[test]
    fn without_the_comparison_with_item_4() {
        let case = honest();
        let other = secret(6).pseudonym(&scope("2026")).value;
        let proof = [&other[..], &case.proof()[32..]].concat();
        assert!(!case.holds(&proof));
        assert!(without("zk-nym-shown", || case.holds(&proof)));
    }

    #[test]
    fn without_the_refusal_of_the_identity() {
        let (case, proof) = nought();
        assert!(without("zk-nym-identity", || case.holds(&proof)));
    }

    #[test]
    fn without_a_check_of_the_batch() {
        let passes = |batch: &Batch| {
            let proof = batch.prove_with(&secret(5), &mut rng());
            proof.is_some_and(|proof| batch.registers(&proof).is_some())
        };
        for (name, batch) in [
            ("zk-link-count", Batch::of(&secret(5), registration::MOST + 1)),
            ("zk-link-count", Batch::of(&secret(5), 0)),
            ("zk-link-distinct", twice()),
        ] {
            assert!(!passes(&batch), "{name}");
            assert!(without(name, || passes(&batch)), "{name}");
        }
    }
}
