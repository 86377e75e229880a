//! The tree of the log: the roots and proofs that every implementation knows, and each small tree against a definition.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use vouchsafe_protocol::encoding::sha256;
use vouchsafe_protocol::tlog::tree::{
    Frontier, Hash, MAX_SIZE, Plan, ProofError, Subtree, TreeError, consistency, empty_root, inclusion,
    leaf_hash, node_hash, root, verify_consistency, verify_inclusion,
};

use crate::logs::{Tree, entry};

/// The entries of the test tree of Certificate Transparency.
fn known() -> Vec<Vec<u8>> {
    let upto = |from: u8, to: u8| (from..=to).collect::<Vec<u8>>();
    vec![
        vec![],
        vec![0],
        vec![0x10],
        vec![0x20, 0x21],
        vec![0x30, 0x31],
        upto(0x40, 0x43),
        upto(0x50, 0x57),
        upto(0x60, 0x6f),
    ]
}

const KNOWN_ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn hex(hash: &Hash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn short(proof: &[Hash]) -> Vec<String> {
    proof.iter().map(|hash| hex(hash)[..8].to_owned()).collect()
}

#[test]
fn the_tree_that_everybody_knows() {
    let tree = Tree::of(known());
    assert_eq!(tree.roots.iter().map(hex).collect::<Vec<_>>(), KNOWN_ROOTS);
    let of = |index, size| short(&inclusion(index, size, |it| tree.hash(it)).unwrap());
    assert_eq!(of(0, 1), [""; 0]);
    assert_eq!(of(0, 8), ["96a296d2", "5f083f0a", "6b47aaf2"]);
    assert_eq!(of(5, 8), ["bc1a0643", "ca854ea1", "d37ee418"]);
    assert_eq!(of(2, 3), ["fac54203"]);
    assert_eq!(of(1, 5), ["6e340b9c", "5f083f0a", "bc1a0643"]);
    let between = |old, new| short(&consistency(old, new, |it| tree.hash(it)).unwrap());
    assert_eq!(between(1, 1), [""; 0]);
    assert_eq!(between(1, 8), ["96a296d2", "5f083f0a", "6b47aaf2"]);
    assert_eq!(between(6, 8), ["0ebc5d34", "ca854ea1", "d37ee418"]);
    assert_eq!(between(2, 5), ["5f083f0a", "bc1a0643"]);
}

/// RFC 6962 section 2.1 as it is written: recursive, over ranges of entries.
struct Definition {
    entries: Vec<Vec<u8>>,
    seen: RefCell<HashMap<Range<usize>, Hash>>,
}

impl Definition {
    fn mth(&self, range: Range<usize>) -> Hash {
        if let Some(hash) = self.seen.borrow().get(&range) {
            return *hash;
        }
        let hash = match range.len() {
            0 => sha256(b""),
            1 => sha256([&[0], &self.entries[range.start][..]].concat()),
            many => {
                let middle = range.start + half(many);
                let (left, right) = (self.mth(range.start..middle), self.mth(middle..range.end));
                sha256([&[1], &left[..], &right[..]].concat())
            }
        };
        self.seen.borrow_mut().insert(range, hash);
        hash
    }

    fn path(&self, index: usize, range: Range<usize>) -> Vec<Hash> {
        if range.len() == 1 {
            return Vec::new();
        }
        let middle = range.start + half(range.len());
        let (mut path, sibling) = if index < middle {
            (self.path(index, range.start..middle), middle..range.end)
        } else {
            (self.path(index, middle..range.end), range.start..middle)
        };
        path.push(self.mth(sibling));
        path
    }

    fn subproof(&self, old: usize, range: Range<usize>, whole: bool) -> Vec<Hash> {
        if old == range.end {
            return if whole { Vec::new() } else { vec![self.mth(range)] };
        }
        let middle = range.start + half(range.len());
        let (mut proof, sibling) = if old <= middle {
            (self.subproof(old, range.start..middle, whole), middle..range.end)
        } else {
            (self.subproof(old, middle..range.end, false), range.start..middle)
        };
        proof.push(self.mth(sibling));
        proof
    }
}

/// The largest power of two below `many`.
fn half(many: usize) -> usize {
    many.next_power_of_two() / 2
}

/// The root that a proof leads to, by recursion from the top instead of a climb; `None` where it has no such length.
fn led_to(leaf: Hash, index: u64, size: u64, proof: &[Hash]) -> Option<Hash> {
    if size == 1 {
        return proof.is_empty().then_some(leaf);
    }
    let (last, rest) = proof.split_last()?;
    let left = size.next_power_of_two() / 2;
    if index < left {
        return Some(node_hash(&led_to(leaf, index, left, rest)?, last));
    }
    Some(node_hash(last, &led_to(leaf, index - left, size - left, rest)?))
}

const ALL: u64 = 300;

#[test]
fn every_entry_of_every_small_tree() {
    let tree = Tree::numbered(ALL);
    let definition = Definition { entries: (0..ALL).map(entry).collect(), seen: RefCell::default() };
    for size in 1..=ALL {
        let all = 0..usize::try_from(size).unwrap();
        assert_eq!(tree.root(size), definition.mth(all.clone()));
        assert_eq!(root(size, |it| tree.hash(it)), Ok(tree.root(size)));
        for index in 0..size {
            let proof = inclusion(index, size, |it| tree.hash(it)).unwrap();
            assert_eq!(proof, definition.path(usize::try_from(index).unwrap(), all.clone()));
            let taken =
                |index, size| verify_inclusion(&entry(index), index, size, &proof, &tree.root(size)).is_ok();
            assert!(taken(index, size), "{index} of {size}");
        }
    }
}

#[test]
fn every_two_small_sizes() {
    let tree = Tree::numbered(ALL);
    let definition = Definition { entries: (0..ALL).map(entry).collect(), seen: RefCell::default() };
    for new in 0..=ALL {
        for old in 0..=new {
            let proof = consistency(old, new, |it| tree.hash(it)).unwrap();
            let all = 0..usize::try_from(new).unwrap();
            let expected = match old {
                0 => Vec::new(),
                old => definition.subproof(usize::try_from(old).unwrap(), all, true),
            };
            assert_eq!(proof, expected, "{old} to {new}");
            let (old_root, new_root) = (tree.root(old), tree.root(new));
            assert_eq!(verify_consistency(old, &old_root, new, &new_root, &proof), Ok(()), "{old} to {new}");
        }
    }
}

#[test]
fn an_index_or_a_size_beside_the_right_one() {
    let tree = Tree::numbered(66);
    for (size, index) in (1..=64).flat_map(|size| (0..size).map(move |index| (size, index))) {
        let proof = inclusion(index, size, |it| tree.hash(it)).unwrap();
        let root = tree.root(size);
        for said in [index.wrapping_sub(1), index + 1] {
            assert!(verify_inclusion(&entry(index), said, size, &proof, &root).is_err(), "{said} of {size}");
        }
        // A size that turns at the same places leads to the same root: the size is the checkpoint's to say.
        for said in [size - 1, size + 1].into_iter().filter(|said| *said > index) {
            let taken = verify_inclusion(&entry(index), index, said, &proof, &root).is_ok();
            let expected = led_to(leaf_hash(&entry(index)), index, said, &proof) == Some(root);
            assert_eq!(taken, expected, "{index} of {said}");
            let right = tree.root(said);
            assert!(verify_inclusion(&entry(index), index, said, &proof, &right).is_err());
        }
    }
    for (new, old) in (1..=64).flat_map(|new| (0..=new).map(move |old| (new, old))) {
        let proof = consistency(old, new, |it| tree.hash(it)).unwrap();
        let taken = |old: u64, new: u64| {
            verify_consistency(old, &tree.root(old), new, &tree.root(new), &proof).is_ok()
        };
        for (old, new) in [(old.saturating_sub(1), new), (old + 1, new), (old, new - 1), (old, new + 1)] {
            // Some neighbours have one proof: that of nothing, and those that a power of two begins.
            let right = consistency(old, new, |it| tree.hash(it)).is_ok_and(|right| right == proof);
            assert_eq!(taken(old, new), right, "{old} to {new}");
        }
    }
}

/// Every way to spoil a list of hashes by one step.
fn spoilt(proof: &[Hash]) -> Vec<Vec<Hash>> {
    let mut all = Vec::new();
    let mut add = |change: &dyn Fn(&mut Vec<Hash>)| {
        let mut other = proof.to_vec();
        change(&mut other);
        all.push(other);
    };
    for place in 0..proof.len() {
        for byte in 0..32 {
            add(&|it| it[place][byte] ^= 1);
        }
        add(&|it| {
            it.remove(place);
        });
        add(&|it| it.insert(place, it[place]));
        if place > 0 {
            add(&|it| it.swap(place - 1, place));
        }
    }
    add(&|it| it.push([0; 32]));
    add(&|it| it.insert(0, [0; 32]));
    all
}

#[test]
fn a_spoilt_proof_leads_nowhere() {
    let tree = Tree::numbered(21);
    for (size, index) in (1..=21).flat_map(|size| (0..size).map(move |index| (size, index))) {
        let proof = inclusion(index, size, |it| tree.hash(it)).unwrap();
        let root = tree.root(size);
        for other in spoilt(&proof) {
            assert!(verify_inclusion(&entry(index), index, size, &other, &root).is_err());
        }
        for byte in 0..32 {
            let (mut other, mut said) = (root, entry(index));
            other[byte] ^= 0x80;
            said[byte] ^= 0x80;
            assert_eq!(verify_inclusion(&entry(index), index, size, &proof, &other), Err(ProofError::Root));
            assert_eq!(verify_inclusion(&said, index, size, &proof, &root), Err(ProofError::Root));
        }
    }
}

#[test]
fn a_spoilt_history_leads_nowhere() {
    let tree = Tree::numbered(21);
    for (new, old) in (1..=21).flat_map(|new| (0..=new).map(move |old| (new, old))) {
        let proof = consistency(old, new, |it| tree.hash(it)).unwrap();
        let (old_root, new_root) = (tree.root(old), tree.root(new));
        for other in spoilt(&proof) {
            assert!(verify_consistency(old, &old_root, new, &new_root, &other).is_err(), "{old} to {new}");
        }
        for byte in 0..32 {
            let (mut before, mut after) = (old_root, new_root);
            before[byte] ^= 4;
            after[byte] ^= 4;
            assert!(verify_consistency(old, &before, new, &new_root, &proof).is_err(), "{old} to {new}");
            // Everything follows from nothing.
            let taken = verify_consistency(old, &old_root, new, &after, &proof).is_ok();
            assert_eq!(taken, old == 0, "{old} to {new}");
        }
    }
}

#[test]
fn an_append_brings_its_proof_and_its_hashes() {
    let mut log = Frontier::default();
    assert_eq!(log.root(), empty_root());
    for size in 1..=ALL {
        let appended = log.push(&entry(size - 1)).unwrap();
        assert_eq!((appended.index, log.size()), (size - 1, size));
        let checked = verify_inclusion(&entry(size - 1), appended.index, size, &appended.proof, &log.root());
        assert_eq!(checked, Ok(()));
        assert_eq!(appended.completed[0].1, leaf_hash(&entry(size - 1)));
        assert!(appended.completed.iter().all(|(subtree, _)| subtree.entries().end == size));
        assert_eq!(Frontier::from_bytes(&log.to_bytes()), Ok(log.clone()));
    }
}

#[test]
fn a_batch_is_proved_from_the_edge_before_it() {
    for before in 0..40 {
        let mut log = Tree::numbered(before).frontier;
        let mut known: BTreeMap<Subtree, Hash> = log.peaks().into_iter().collect();
        for index in before..before + 9 {
            known.extend(log.push(&entry(index)).unwrap().completed);
        }
        for index in before..before + 9 {
            let proof = inclusion(index, log.size(), |it| known.get(&it).copied()).unwrap();
            assert_eq!(verify_inclusion(&entry(index), index, log.size(), &proof, &log.root()), Ok(()));
        }
        let proof = consistency(before, log.size(), |it| known.get(&it).copied()).unwrap();
        let old_root = Tree::numbered(before).frontier.root();
        assert_eq!(verify_consistency(before, &old_root, log.size(), &log.root(), &proof), Ok(()));
        assert_eq!(Frontier::read(log.size(), |it| known.get(&it).copied()), Ok(log));
    }
}

#[test]
fn what_is_not_there_is_said() {
    let tree = Tree::numbered(9);
    let without = |_: Subtree| None;
    assert_eq!(inclusion(0, 2, without), Err(TreeError::Missing));
    assert_eq!(consistency(1, 2, without), Err(TreeError::Missing));
    assert_eq!(Frontier::read(3, without), Err(TreeError::Missing));
    assert_eq!(root(3, without), Err(TreeError::Missing));
    assert_eq!(inclusion(9, 9, |it| tree.hash(it)), Err(TreeError::Range));
    assert_eq!(consistency(10, 9, |it| tree.hash(it)), Err(TreeError::Range));
    assert_eq!(Plan::inclusion(0, MAX_SIZE + 1), Err(TreeError::Range));
    assert_eq!(Plan::consistency(0, MAX_SIZE + 1), Err(TreeError::Range));
    assert!(Plan::inclusion(MAX_SIZE - 1, MAX_SIZE).is_ok_and(|plan| plan.needed().count() == 61));
    assert_eq!(Subtree::new(61, 0).map(|it| it.entries()), Some(0..1 << 61));
    assert_eq!((Subtree::new(61, 1), Subtree::new(62, 0), Subtree::new(255, 0)), (None, None, None));
    for bytes in [&[][..], &[0; 7], &[0; 9], &[0; 40], &[0, 0, 0, 0, 0, 0, 0, 1], &[255; 8 + 64 * 32]] {
        assert_eq!(Frontier::from_bytes(bytes), Err(TreeError::Damaged), "{bytes:?}");
    }
}

proptest::proptest! {
    #[test]
    fn no_proof_and_no_size_is_too_strange(
        (a, b) in proptest::arbitrary::any::<(u64, u64)>(),
        shift in 0_u32..64,
        proof in proptest::collection::vec(proptest::array::uniform32(0_u8..), 0..70),
    ) {
        let (a, b) = (a >> shift, b >> shift);
        let edges = [(a, b), (b, a), (a, a.saturating_add(1)), (u64::MAX - 1, u64::MAX), (1 << 63, (1 << 63) + 1)];
        for (one, two) in edges {
            proptest::prop_assert!(verify_inclusion(b"", one, two, &proof, &[0; 32]).is_err());
            let consistent = verify_consistency(one, &[0; 32], two, &[1; 32], &proof);
            proptest::prop_assert!(consistent.is_err());
        }
    }

    #[test]
    fn no_edge_is_too_strange(bytes: Vec<u8>) {
        if let Ok(edge) = Frontier::from_bytes(&bytes) {
            proptest::prop_assert_eq!(edge.to_bytes(), bytes);
        }
    }
}
