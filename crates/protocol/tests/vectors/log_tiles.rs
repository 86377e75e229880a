//! Tiles of the log: their paths, which a tree has, and proofs made of nothing else.

use std::collections::BTreeSet;

use vouchsafe_protocol::tlog::tile::{
    Kind, Tile, TileError, Tiles, bundle, entries, grown, grown_entries, needed,
};
use vouchsafe_protocol::tlog::tree::{Plan, Subtree, leaf_hash, root, verify_consistency, verify_inclusion};

use crate::logs::{Tree, entry};

#[test]
fn a_path_is_the_one_text_of_its_tile() {
    let hashes = |level, index, width| Tile::new(Kind::Hashes(level), index, width).unwrap();
    let bundles = |index, width| Tile::new(Kind::Entries, index, width).unwrap();
    let all = [
        ("tile/0/000", hashes(0, 0, 256)),
        ("tile/0/000.p/1", hashes(0, 0, 1)),
        ("tile/63/999.p/255", hashes(63, 999, 255)),
        ("tile/1/x001/000", hashes(1, 1000, 256)),
        ("tile/0/x001/x234/067", hashes(0, 1_234_067, 256)),
        ("tile/entries/x001/x234/067.p/8", bundles(1_234_067, 8)),
        ("tile/entries/273.p/112", bundles(273, 112)),
        ("tile/0/x018/x014/x398/x509/x481/983", hashes(0, (1 << 54) - 1, 256)),
    ];
    for (path, tile) in all {
        assert_eq!(Tile::parse(path), Ok(tile));
        assert_eq!(tile.to_string(), path);
    }
}

#[test]
fn another_text_is_no_path() {
    let others = [
        "",
        "tile",
        "tile/",
        "tile/0",
        "tile/0/",
        "/tile/0/000",
        "tile/0/000/",
        "tile//000",
        "tile/0//000",
        "tile/64/000",
        "tile/-1/000",
        "tile/+1/000",
        "tile/00/000",
        "tile/01/000",
        "tile/256/000",
        "tile/0x1/000",
        "tile/0/0",
        "tile/0/00",
        "tile/0/0000",
        "tile/0/x000",
        "tile/0/x000/000",
        "tile/0/x000/x001/000",
        "tile/0/001/000",
        "tile/0/x001/x000",
        "tile/0/x01/000",
        "tile/0/xx01/000",
        "tile/0/X001/000",
        "tile/0/+01",
        "tile/0/ 01",
        "tile/0/000.p",
        "tile/0/000.p/",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/+1",
        "tile/0/000.p/1/",
        "tile/0/000.p/1.p/1",
        "tile/0/000.q/1",
        "tile/0/x001.p/000",
        "tile/data/000",
        "tile/8/0/000",
        "tile/entries",
        "tile/entries/",
        "tile/entries/x000/001",
        "tile/Entries/000",
        "checkpoint",
        "tile/0/x018/x014/x398/x509/x481/984",
        "tile/0/x018/x446/x744/x073/x709/x551/616",
        "tile/0/x999/x999/x999/x999/x999/x999/x999/999",
        "tile/0/\u{661}\u{662}\u{663}",
        "tile/0/000\n",
    ];
    for path in others {
        assert_eq!(Tile::parse(path), Err(TileError::Path), "{path:?}");
    }
    let none = [
        (Kind::Hashes(64), 0, 1),
        (Kind::Hashes(0), 1 << 54, 1),
        (Kind::Entries, 0, 0),
        (Kind::Entries, 0, 257),
    ];
    for (kind, index, width) in none {
        assert_eq!(Tile::new(kind, index, width), None);
    }
}

#[test]
fn the_tiles_of_the_standards_example() {
    let widths = |size: u64, level: u8| -> Vec<u16> {
        grown(0, size).filter(|tile| tile.kind() == Kind::Hashes(level)).map(Tile::width).collect()
    };
    let full_then = |full: usize, rest: u16| [vec![256; full], vec![rest]].concat();
    assert_eq!(widths(70_000, 0), full_then(273, 112));
    assert_eq!(widths(70_000, 1), full_then(1, 17));
    assert_eq!(widths(70_000, 2), [1]);
    assert_eq!(widths(70_000, 3), [0; 0]);
    assert_eq!((widths(256, 0), widths(256, 1)), (vec![256], vec![1]));
    assert_eq!(grown(0, 0).count(), 0);
    let bundles: Vec<u16> = grown_entries(0, 70_000).map(Tile::width).collect();
    assert_eq!(bundles, full_then(273, 112));
}

#[test]
fn growth_is_the_difference() {
    for (old, new) in (0..=600).step_by(7).flat_map(|old| (old..=1400).step_by(97).map(move |new| (old, new)))
    {
        let (before, after): (BTreeSet<_>, BTreeSet<_>) = (grown(0, old).collect(), grown(0, new).collect());
        let added: BTreeSet<_> = grown(old, new).collect();
        assert_eq!(added, after.difference(&before).copied().collect(), "{old} to {new}");
        assert!(after.iter().all(|tile| tile.is_within(new) && tile.of_size(new) == Some(*tile)));
        assert!(added.iter().all(|tile| !tile.is_within(old)));
    }
    assert_eq!(grown(9, 3).count(), 0);
    let far = Tile::new(Kind::Hashes(63), 0, 1).unwrap();
    assert!(!far.is_within(u64::MAX) && far.of_size(u64::MAX).is_none());
}

/// The bytes of a tile, as a store reads them: the hashes of one height from one place on.
fn bytes(tree: &Tree, tile: Tile) -> Vec<u8> {
    let height = u8::try_from(tile.height()).unwrap();
    let hash = |place| tree.hash(Subtree::new(height, place).unwrap()).unwrap();
    tile.places().flat_map(hash).collect()
}

fn read(tree: &Tree, tiles: impl IntoIterator<Item = Tile>) -> Tiles {
    let mut read = Tiles::default();
    for tile in tiles {
        read.insert(tile, &bytes(tree, tile)).unwrap();
    }
    read
}

#[test]
fn a_proof_is_made_of_the_tiles_it_needs() {
    let mut tree = Tree::numbered(70_000);
    // What lies between the levels of tiles is nowhere kept.
    tree.hashes.retain(|subtree, _| subtree.level() % 8 == 0);
    for size in [1_u64, 2, 255, 256, 257, 511, 512, 65_535, 65_536, 65_537, 70_000] {
        for index in [0, 1, 254, 255, 256, size / 2, size.saturating_sub(2), size - 1] {
            let Ok(plan) = Plan::inclusion(index, size) else { continue };
            let tiles = needed(plan.needed(), size).unwrap();
            // Three levels, and on each at most the tile on the way up and the one at the right edge.
            assert!(tiles.len() <= 6 && tiles.iter().all(|tile| tile.is_within(size)));
            let tiles = read(&tree, tiles);
            let proof = plan.prove(|it| tiles.hash(it)).unwrap();
            let checked = verify_inclusion(&entry(index), index, size, &proof, &tree.root(size));
            assert_eq!(checked, Ok(()), "{index} of {size}");
        }
        for old in [1, 3, 255, 256, 300, 65_536].into_iter().filter(|old| *old <= size) {
            let plan = Plan::consistency(old, size).unwrap();
            let tiles = read(&tree, needed(plan.needed(), size).unwrap());
            let proof = plan.prove(|it| tiles.hash(it)).unwrap();
            let (old_root, new_root) = (tree.root(old), tree.root(size));
            assert_eq!(
                verify_consistency(old, &old_root, size, &new_root, &proof),
                Ok(()),
                "{old} to {size}"
            );
        }
    }
    let tiles = read(&tree, grown(0, 70_000));
    assert_eq!(root(70_000, |it| tiles.hash(it)), Ok(tree.root(70_000)));
}

#[test]
fn a_tree_has_no_tile_beyond_its_size() {
    let beyond = Subtree::new(0, 300).unwrap();
    assert_eq!(needed([beyond], 300), None);
    assert_eq!(Tile::holding(beyond, 301), Tile::new(Kind::Hashes(0), 1, 45));
    assert_eq!(Tile::holding(Subtree::new(9, 0).unwrap(), 511), None);
    let tile = Tile::new(Kind::Hashes(0), 0, 2).unwrap();
    let mut tiles = Tiles::default();
    for length in [0, 32, 63, 65, 96] {
        assert_eq!(tiles.insert(tile, &vec![0; length]), Err(TileError::Width));
    }
    tiles.insert(tile, &[7; 64]).unwrap();
    assert_eq!(tiles.hash(Subtree::new(0, 1).unwrap()), Some([7; 32]));
    assert_eq!(tiles.hash(Subtree::new(0, 2).unwrap()), None);
    assert_eq!(tiles.hash(Subtree::new(2, 0).unwrap()), None);
    assert_eq!(tiles.hash(Subtree::new(8, 0).unwrap()), None);
}

#[test]
fn a_bundle_holds_its_entries() {
    let tree = Tree::numbered(300);
    for tile in grown_entries(0, 300) {
        let kept: Vec<Vec<u8>> = tile.places().map(entry).collect();
        let bytes = bundle(kept.iter().map(Vec::as_slice)).unwrap();
        assert_eq!(bytes.len(), kept.len() * 34, "ours are 32 bytes each");
        let read = entries(&bytes, tile.width()).unwrap();
        for (place, entry) in tile.places().zip(read) {
            assert_eq!(tree.hash(Subtree::new(0, place).unwrap()), Some(leaf_hash(entry)));
        }
        for cut in [&bytes[..bytes.len() - 1], &bytes[..bytes.len() - 34], &bytes[1..], &[]] {
            assert_eq!(entries(cut, tile.width()), Err(TileError::Entries));
        }
        assert_eq!(entries(&[&bytes[..], &[0]].concat(), tile.width()), Err(TileError::Entries));
        assert_eq!(entries(&[&bytes[..], &[0, 0]].concat(), tile.width()), Err(TileError::Entries));
    }
    assert_eq!(bundle([&vec![0; 65_536][..]]), Err(TileError::TooLong));
    let longest = vec![1; 65_535];
    assert_eq!(entries(&bundle([&longest[..]]).unwrap(), 1), Ok(vec![&longest[..]]));
}

proptest::proptest! {
    #[test]
    fn no_path_has_two_texts(path in "tile/([0-9]{1,2}|entries)(/x?[0-9]{3}){1,4}(\\.p/[0-9]{1,3})?") {
        if let Ok(tile) = Tile::parse(&path) {
            proptest::prop_assert_eq!(tile.to_string(), path);
        }
    }

    #[test]
    fn every_tile_has_a_path(index in 0_u64..1 << 54, width in 1_u16..=256, level in 0_u8..64) {
        for kind in [Kind::Entries, Kind::Hashes(level)] {
            let tile = Tile::new(kind, index, width).unwrap();
            proptest::prop_assert_eq!(Tile::parse(&tile.to_string()), Ok(tile));
        }
    }

    #[test]
    fn no_bundle_is_too_strange(bytes in proptest::arbitrary::any::<Vec<u8>>(), width in 0_u16..5) {
        if let Ok(read) = entries(&bytes, width) {
            proptest::prop_assert_eq!(bundle(read).unwrap(), bytes);
        }
    }
}
