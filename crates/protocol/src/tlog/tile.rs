//! Tiles: the hashes of the tree in blocks of 256, and the entries beside them, by their paths (C2SP tlog-tiles).
//!
//! A tile of level L holds the hashes of subtrees of height 8 L, so a store that keeps those hashes alone, one row in 256
//! above the leaves, can give every hash that a proof takes. A partial tile is the beginning of one that is still filling.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;

use thiserror::Error;
use vouchsafe_mutants as mutants;

use super::decimal;
use super::tree::{Hash, MAX_SIZE, Subtree, node_hash};

/// How many hashes or entries a full tile has.
pub const WIDTH: u16 = 256;

/// The levels of the tree that one level of tiles spans.
const HEIGHT: u8 = 8;

/// The highest level that a path can name. No tree of ours reaches beyond 7.
const TOP: u8 = 63;

/// Why a path, a tile or a bundle is refused.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum TileError {
    /// Not a tile's path in its one form.
    #[error("not the path of a tile")]
    Path,
    /// The bytes are not as many hashes as the tile is wide.
    #[error("the tile is not of its width")]
    Width,
    /// The bytes are not as many entries as the bundle is wide.
    #[error("the bundle of entries is not of its width")]
    Entries,
    /// An entry longer than its two bytes of length can say.
    #[error("an entry is longer than a bundle can carry")]
    TooLong,
}

/// What a tile is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The entries themselves, in a bundle.
    Entries,
    /// Hashes, of this level of tiles: 0 to 63.
    Hashes(u8),
}

impl Kind {
    fn level(self) -> u8 {
        match self {
            Self::Entries => 0,
            Self::Hashes(level) => level,
        }
    }

    /// How many hashes or entries of this kind a tree of `size` has.
    fn many(self, size: u64) -> u64 {
        size.checked_shr(u32::from(HEIGHT) * u32::from(self.level())).unwrap_or(0)
    }
}

/// The coordinates of a tile or a bundle of entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    kind: Kind,
    index: u64,
    width: u16,
}

impl Tile {
    /// The tile of that kind and place with its first `width` hashes or entries; `None` where no path names it.
    #[must_use]
    pub fn new(kind: Kind, index: u64, width: u16) -> Option<Self> {
        let named = kind.level() <= TOP && index <= MAX_SIZE >> HEIGHT && (1..=WIDTH).contains(&width);
        named.then_some(Self { kind, index, width })
    }

    /// What it is of.
    #[must_use]
    pub fn kind(self) -> Kind {
        self.kind
    }

    /// Its place among the tiles of its level.
    #[must_use]
    pub fn index(self) -> u64 {
        self.index
    }

    /// How many hashes or entries it has: 256 when full.
    #[must_use]
    pub fn width(self) -> u16 {
        self.width
    }

    /// The places of its hashes among those of their level, or of its entries in the log: what a store reads.
    #[must_use]
    pub fn places(self) -> Range<u64> {
        let start = self.index * u64::from(WIDTH);
        start..start + u64::from(self.width)
    }

    /// The height in the tree of the subtrees whose hashes it has; 0 of entries.
    #[must_use]
    pub fn height(self) -> u16 {
        u16::from(HEIGHT) * u16::from(self.kind.level())
    }

    /// Whether a tree of `size` has all of it. A log answers with nothing beyond the size of a checkpoint it has signed.
    #[must_use]
    pub fn is_within(self, size: u64) -> bool {
        self.places().end <= self.kind.many(size)
    }

    /// The tile as wide as a tree of `size` has it; `None` where it has nothing of it.
    #[must_use]
    pub fn of_size(self, size: u64) -> Option<Self> {
        let has = self.kind.many(size).checked_sub(self.places().start).filter(|has| *has > 0)?;
        Some(Self { width: u16::try_from(has).map_or(WIDTH, |has| has.min(WIDTH)), ..self })
    }

    /// The tile in a tree of `size` that the hash of a subtree is made of; `None` where the tree has not the subtree.
    #[must_use]
    pub fn holding(subtree: Subtree, size: u64) -> Option<Self> {
        if subtree.entries().end > size {
            return None;
        }
        let (level, first) = (subtree.level() / HEIGHT, subtree.index() << (subtree.level() % HEIGHT));
        Self { kind: Kind::Hashes(level), index: first >> HEIGHT, width: WIDTH }.of_size(size)
    }

    /// Reads `tile/<L>/<N>` or `tile/entries/<N>`, either with `.p/<W>` behind it.
    ///
    /// # Errors
    /// [`TileError::Path`] for any other text, also for a second text of the same tile.
    pub fn parse(path: &str) -> Result<Self, TileError> {
        let rest = path.strip_prefix("tile/").ok_or(TileError::Path)?;
        let (level, rest) = rest.split_once('/').ok_or(TileError::Path)?;
        let (index, width) = match rest.split_once(".p/") {
            Some((index, width)) => (index, partial(width).ok_or(TileError::Path)?),
            None => (rest, WIDTH),
        };
        let kind = if level == "entries" { Some(Kind::Entries) } else { level_of(level) };
        let tile = kind.zip(place(index)).and_then(|(kind, index)| Self::new(kind, index, width));
        tile.ok_or(TileError::Path)
    }
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Entries => f.write_str("tile/entries/")?,
            Kind::Hashes(level) => write!(f, "tile/{level}/")?,
        }
        let mut groups = vec![format!("{:03}", self.index % 1000)];
        let mut rest = self.index / 1000;
        while rest > 0 {
            groups.push(format!("x{:03}", rest % 1000));
            rest /= 1000;
        }
        groups.reverse();
        f.write_str(&groups.join("/"))?;
        if self.width < WIDTH { write!(f, ".p/{}", self.width) } else { Ok(()) }
    }
}

fn level_of(text: &str) -> Option<Kind> {
    Some(Kind::Hashes(decimal(text)?.try_into().ok()?))
}

/// The width of a partial tile; a full one has no such suffix.
fn partial(text: &str) -> Option<u16> {
    let width = u16::try_from(decimal(text)?).ok()?;
    (mutants::skips("tlog-path-partial") || width < WIDTH).then_some(width)
}

/// `x001/x234/067`: groups of three digits, the first not zero unless it is alone, all but the last behind an `x`.
fn place(text: &str) -> Option<u64> {
    let groups: Vec<&str> = text.split('/').collect();
    let (last, leading) = groups.split_last()?;
    if !(mutants::skips("tlog-path-zeros") || leading.first() != Some(&"x000")) {
        return None;
    }
    let mut place: u64 = 0;
    for group in leading.iter().map(|group| group.strip_prefix('x')).chain([Some(*last)]) {
        let digits = group.filter(|it| it.len() == 3 && it.bytes().all(|byte| byte.is_ascii_digit()))?;
        place = place.checked_mul(1000)?.checked_add(digits.parse().ok()?)?;
    }
    Some(place)
}

/// The tiles of hashes that a tree of `new` has and a tree of `old` had not, or not as wide. From 0: all of them.
pub fn grown(old: u64, new: u64) -> impl Iterator<Item = Tile> {
    (0..=MAX_SIZE.ilog2() / u32::from(HEIGHT)).flat_map(move |level| {
        let kind = Kind::Hashes(u8::try_from(level).expect("at most seven"));
        grown_of(kind, old, new)
    })
}

/// The bundles of entries that a tree of `new` has and a tree of `old` had not, or not as wide.
pub fn grown_entries(old: u64, new: u64) -> impl Iterator<Item = Tile> {
    grown_of(Kind::Entries, old, new)
}

fn grown_of(kind: Kind, old: u64, new: u64) -> impl Iterator<Item = Tile> {
    let (old, new) = (kind.many(old), kind.many(new.min(MAX_SIZE)));
    let wide = u64::from(WIDTH);
    let tiles = if old < new { old / wide..new.div_ceil(wide) } else { 0..0 };
    tiles.map(move |index| {
        let width = (new - index * wide).min(wide);
        Tile { kind, index, width: u16::try_from(width).expect("at most 256") }
    })
}

/// The tiles of a tree of `size` that these subtrees' hashes are made of, each once; `None` where the tree has not one
/// of the subtrees.
#[must_use]
pub fn needed(subtrees: impl IntoIterator<Item = Subtree>, size: u64) -> Option<BTreeSet<Tile>> {
    subtrees.into_iter().map(|subtree| Tile::holding(subtree, size)).collect()
}

/// Tiles that were read, as a source of hashes for proofs. Nothing is believed for having been in a tile: the proof that
/// is made of it is checked against a root.
#[derive(Clone, Debug, Default)]
pub struct Tiles {
    hashes: BTreeMap<(Kind, u64), Vec<Hash>>,
}

impl Tiles {
    /// Takes the bytes of a tile of hashes.
    ///
    /// # Errors
    /// [`TileError::Width`] where they are not as many hashes as it is wide.
    pub fn insert(&mut self, tile: Tile, bytes: &[u8]) -> Result<(), TileError> {
        let (hashes, rest) = bytes.as_chunks::<32>();
        let fits = rest.is_empty() && hashes.len() == usize::from(tile.width);
        if !(mutants::skips("tlog-tile-width") || fits) {
            return Err(TileError::Width);
        }
        self.hashes.insert((tile.kind, tile.index), hashes.to_vec());
        Ok(())
    }

    /// The hash of a subtree, of the tile that holds it.
    #[must_use]
    pub fn hash(&self, subtree: Subtree) -> Option<Hash> {
        let (level, above) = (subtree.level() / HEIGHT, subtree.level() % HEIGHT);
        let first = subtree.index() << above;
        let tile = self.hashes.get(&(Kind::Hashes(level), first >> HEIGHT))?;
        let from = usize::try_from(first % u64::from(WIDTH)).ok()?;
        tile.get(from..from + (1 << above)).map(perfect)
    }
}

/// The root over a power of two of hashes.
fn perfect(hashes: &[Hash]) -> Hash {
    let (left, right) = hashes.split_at(hashes.len() / 2);
    if left.is_empty() { right[0] } else { node_hash(&perfect(left), &perfect(right)) }
}

/// A bundle: each entry behind its length as two bytes, big-endian.
///
/// # Errors
/// [`TileError::TooLong`].
pub fn bundle<'a>(entries: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<u8>, TileError> {
    let mut bytes = Vec::new();
    for entry in entries {
        let length = u16::try_from(entry.len()).map_err(|_| TileError::TooLong)?;
        bytes.extend(length.to_be_bytes());
        bytes.extend(entry);
    }
    Ok(bytes)
}

/// The entries of a bundle that is `width` wide.
///
/// # Errors
/// [`TileError::Entries`]: more, fewer, or one cut short.
pub fn entries(mut bundle: &[u8], width: u16) -> Result<Vec<&[u8]>, TileError> {
    let mut entries = Vec::new();
    while let Some((length, rest)) = bundle.split_first_chunk() {
        let length = usize::from(u16::from_be_bytes(*length));
        let (entry, rest) = rest.split_at_checked(length).ok_or(TileError::Entries)?;
        entries.push(entry);
        bundle = rest;
    }
    let whole = bundle.is_empty() && entries.len() == usize::from(width);
    if !(mutants::skips("tlog-bundle-width") || whole) {
        return Err(TileError::Entries);
    }
    Ok(entries)
}
