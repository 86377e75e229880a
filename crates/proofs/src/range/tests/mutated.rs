//! 10,000 proofs, most of them spoilt by a fixed source of chance, before three judges: our verifier of one, the sum of
//! many, and the package's verifier. No two may disagree.

use super::*;

/// Spoilt proofs in each of four tests, which a runner can share out among processors.
const EACH: usize = 2_500;
/// How many are also judged by their group's one sum and what follows where that fails.
const GROUP: usize = 10;

/// What is spoilt: most proofs are small, some are not.
fn whole() -> Vec<Said> {
    [(8, 1), (16, 1), (16, 1), (32, 1), (8, 2), (8, 4), (16, 2), (64, 1)].map(|(n, m)| Said::of(n, m)).into()
}

fn below(rng: &mut ChaCha20Rng, bound: usize) -> usize {
    rng.next_u32() as usize % bound
}

fn random_scalar(rng: &mut ChaCha20Rng) -> Scalar {
    let mut wide = [0; 64];
    rng.fill_bytes(&mut wide);
    Scalar::from_bytes_mod_order_wide(&wide)
}

/// An encoding that is a point's and a stranger's.
fn random_point(rng: &mut ChaCha20Rng) -> [u8; 32] {
    crate::group::blind(&random_scalar(rng)).compress().0
}

fn word(said: &mut Said, at: usize) -> &mut [u8; 32] {
    &mut said.proof.as_chunks_mut().0[at]
}

/// Adds to a scalar; leaves alone what is none.
fn add(said: &mut Said, at: usize, more: Scalar) {
    let word = word(said, at);
    if let Some(scalar) = Option::<Scalar>::from(Scalar::from_canonical_bytes(*word)) {
        *word = (scalar + more).to_bytes();
    }
}

/// One change of one of fifteen kinds; the last kinds leave it as it is.
fn spoil(said: &mut Said, whole: &[Said], rng: &mut ChaCha20Rng) {
    match below(rng, 15) {
        0..6 => spoil_words(said, rng),
        6..13 => spoil_statement(said, whole, rng),
        _ => {}
    }
}

fn spoil_words(said: &mut Said, rng: &mut ChaCha20Rng) {
    let words = said.proof.len() / 32;
    let (at, other) = (below(rng, words), below(rng, words));
    // Places of t, tau and e, and of a and b.
    let scalars = [4, 5, 6, words - 2, words - 1];
    let rounds = (words - 9) / 2;
    match below(rng, 7) {
        0 => said.proof[32 * at + below(rng, 32)] ^= 1 << below(rng, 8),
        1 => *word(said, at) = random_point(rng),
        2 => *word(said, scalars[below(rng, 5)]) = random_scalar(rng).to_bytes(),
        3 => add(said, scalars[below(rng, 5)], Scalar::from(rng.next_u64())),
        4 => {
            let more = Scalar::from(rng.next_u64());
            add(said, scalars[below(rng, 5)], more);
            add(said, scalars[below(rng, 5)], -more);
        }
        5 => swap(said, at, other),
        // L with R of a round, or both with those of another.
        _ => {
            let [one, other] = [below(rng, rounds), below(rng, rounds)].map(|round| 7 + 2 * round);
            if one == other {
                swap(said, one, one + 1);
            } else {
                swap(said, one, other);
                swap(said, one + 1, other + 1);
            }
        }
    }
}

fn swap(said: &mut Said, one: usize, other: usize) {
    said.proof.as_chunks_mut::<32>().0.swap(one, other);
}

fn spoil_statement(said: &mut Said, whole: &[Said], rng: &mut ChaCha20Rng) {
    let other = &whole[below(rng, whole.len())];
    let m = said.points.len();
    let at = below(rng, m);
    match below(rng, 8) {
        0 => said.points[at] = random_point(rng),
        1 => said.points[at] = [0; 32],
        2 => said.points[at] = other.points[0],
        3 => said.points.swap(at, below(rng, m)),
        4 => said.n = [8, 16, 32, 64, 24][below(rng, 5)],
        5 => said.points.resize([1, 2, 3, 4, 8][below(rng, 5)], [0; 32]),
        6 => said.proof = other.proof.clone(),
        _ => said.proof.resize([0, 288, 480, 544, 608, 672, 545][below(rng, 7)], 0),
    }
}

/// How many hold, and how many have their form and do not.
fn judge(seed: u64) -> [usize; 2] {
    let whole = whole();
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut counted = [0; 2];
    for _ in 0..EACH / GROUP {
        let group: Vec<Said> = (0..GROUP).map(|_| spoilt(&whole, &mut rng)).collect();
        // The package's verdict, and that ours is the same.
        let verdicts: Vec<bool> = group.iter().map(Said::judged).collect();
        let formed: Vec<(usize, Claim<'_>)> =
            group.iter().enumerate().filter_map(|(at, said)| Some((at, said.claim()?))).collect();
        let expected: Vec<bool> = formed.iter().map(|(at, _)| verdicts[*at]).collect();
        assert_eq!(expected.iter().filter(|holds| **holds).count(), verdicts.iter().filter(|v| **v).count());
        let claims: Vec<Claim<'_>> = formed.into_iter().map(|(_, claim)| claim).collect();
        assert_eq!(verify_all_vartime(&claims, &mut rng), expected);
        // The sum itself, nothing being looked at again where it fails: of all that hold, and of each that does not.
        let (right, wrong): (Vec<_>, Vec<_>) =
            claims.into_iter().zip(expected).partition(|(_, holds)| *holds);
        let [right, wrong] =
            [right, wrong].map(|side| side.into_iter().map(|(claim, _)| claim).collect::<Vec<_>>());
        assert!(all_hold_vartime(&right, &mut rng));
        assert!(wrong.chunks(1).all(|one| !all_hold_vartime(one, &mut rng)));
        counted = [counted[0] + right.len(), counted[1] + wrong.len()];
    }
    counted
}

fn spoilt(whole: &[Said], rng: &mut ChaCha20Rng) -> Said {
    let said = &whole[below(rng, whole.len())];
    said.with(|said| spoil(said, whole, rng))
}

/// The source of chance spoils enough of them, and leaves enough.
fn judged_alike(seed: u64) {
    let [hold, fail] = judge(seed);
    assert!(hold > 250 && fail > 700, "{hold} hold, {fail} fail");
}

#[test]
fn three_judges_agree_about_ten_thousand_1() {
    judged_alike(1);
}

#[test]
fn three_judges_agree_about_ten_thousand_2() {
    judged_alike(2);
}

#[test]
fn three_judges_agree_about_ten_thousand_3() {
    judged_alike(3);
}

#[test]
fn three_judges_agree_about_ten_thousand_4() {
    judged_alike(4);
}
