//! The log against another one: the packages `signed_note` and `tlog_tiles` read what we write, and we what they write.
//!
//! Their version knows the older paths with the height of a tile in them (`tile/8/0/000`), and no cosignatures: of a
//! witness's line they check name, key id and note, and the message is put together here.

use std::collections::BTreeMap;
use std::task::{Context, Poll, Waker};

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use signed_note::{StandardSigner, StandardVerifier, Verifier, VerifierList};
use tlog_tiles::{HashReader, TileHashReader, TileReader};
use vouchsafe_protocol::jose::{BoxFuture, PublicJwk, SignError, Signer};
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_protocol::tlog::checkpoint::{Checkpoint, Trust};
use vouchsafe_protocol::tlog::note::{Cosigner, Note, NoteKey, NoteSigner};
use vouchsafe_protocol::tlog::tile::{Kind, Tile, Tiles, grown};
use vouchsafe_protocol::tlog::tree::{
    Frontier, Hash, Plan, Subtree, consistency, inclusion, verify_consistency, verify_inclusion,
};
use vouchsafe_protocol::tlog::witness::{AddCheckpoint, Log, decide};
use vouchsafe_service::keys::Jws;

const ORIGIN: &str = "verifier.larkfield.example/log";
const WITNESS: &str = "witness.larkfield.example/w1";
const AT: UnixTime = UnixTime(1_790_000_000);

/// Our tree, with every hash of it.
struct Ours {
    log: Frontier,
    hashes: BTreeMap<Subtree, Hash>,
    roots: Vec<Hash>,
}

impl Ours {
    fn of(size: u64) -> Self {
        let mut log = Frontier::default();
        let (mut hashes, mut roots) = (BTreeMap::new(), vec![log.root()]);
        for index in 0..size {
            hashes.extend(log.push(&entry(index)).expect("not full").completed);
            roots.push(log.root());
        }
        Self { log, hashes, roots }
    }

    fn hash(&self, subtree: Subtree) -> Option<Hash> {
        self.hashes.get(&subtree).copied()
    }

    fn root(&self, size: u64) -> Hash {
        self.roots[usize::try_from(size).expect("small")]
    }

    fn bytes(&self, tile: Tile) -> Vec<u8> {
        let height = u8::try_from(tile.height()).expect("below 64");
        let hash = |place| self.hashes[&Subtree::new(height, place).expect("small")];
        tile.places().flat_map(hash).collect()
    }
}

fn entry(index: u64) -> Vec<u8> {
    index.to_be_bytes().repeat(4)
}

/// They count the hashes of a tree in the order in which they come about.
impl HashReader for Ours {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error> {
        let hash = |index: &u64| {
            let (level, place) = tlog_tiles::split_stored_hash_index(*index);
            tlog_tiles::Hash(self.hashes[&Subtree::new(level, place).expect("small")])
        };
        Ok(indexes.iter().map(hash).collect())
    }
}

impl TileReader for Ours {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[tlog_tiles::Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        Ok(tiles.iter().map(|tile| self.bytes(of_theirs(tile))).collect())
    }

    fn save_tiles(&self, _: &[tlog_tiles::Tile], _: &[Vec<u8>]) {}
}

/// The same tile by its path, which has no height in it today.
fn of_theirs(tile: &tlog_tiles::Tile) -> Tile {
    Tile::parse(&tile.path().replacen("tile/8/", "tile/", 1)).expect("one grammar")
}

fn theirs(hashes: &[Hash]) -> Vec<tlog_tiles::Hash> {
    hashes.iter().map(|hash| tlog_tiles::Hash(*hash)).collect()
}

fn ours(hashes: &[tlog_tiles::Hash]) -> Vec<Hash> {
    hashes.iter().map(|hash| hash.0).collect()
}

#[test]
fn another_log_makes_the_same_tree_and_proofs() {
    let tree = Ours::of(130);
    for size in 1..=130 {
        let root = tlog_tiles::Hash(tree.root(size));
        assert_eq!(tlog_tiles::tree_hash(size, &tree).expect("a root"), root);
        for index in 0..size {
            let proof = inclusion(index, size, |it| tree.hash(it)).expect("all hashes");
            let leaf = tlog_tiles::record_hash(&entry(index));
            tlog_tiles::check_record(&theirs(&proof), size, root, index, leaf).expect("ours holds there");
            let other = ours(&tlog_tiles::prove_record(size, index, &tree).expect("a proof"));
            assert_eq!(other, proof);
            assert_eq!(verify_inclusion(&entry(index), index, size, &other, &root.0), Ok(()));
        }
        for old in 1..=size {
            let proof = consistency(old, size, |it| tree.hash(it)).expect("all hashes");
            let old_root = tree.root(old);
            let before = tlog_tiles::Hash(old_root);
            tlog_tiles::check_tree(&theirs(&proof), size, root, old, before).expect("ours holds there");
            let other = ours(&tlog_tiles::prove_tree(size, old, &tree).expect("a proof"));
            assert_eq!(other, proof);
            assert_eq!(verify_consistency(old, &old_root, size, &root.0, &other), Ok(()));
        }
    }
}

#[test]
fn another_log_refuses_the_same_proofs() {
    let tree = Ours::of(40);
    for (size, index) in (1..=40).flat_map(|size| (0..size).map(move |index| (size, index))) {
        let (proof, root) =
            (inclusion(index, size, |it| tree.hash(it)).expect("all hashes"), tree.root(size));
        let leaf = tlog_tiles::record_hash(&entry(index));
        for (at, of) in [(index + 1, size), (index, size + 1), (index, size - 1), (index / 2, size)] {
            let there =
                tlog_tiles::check_record(&theirs(&proof), of, tlog_tiles::Hash(root), at, leaf).is_ok();
            assert_eq!(verify_inclusion(&entry(index), at, of, &proof, &root).is_ok(), there, "{at} of {of}");
        }
    }
}

#[test]
fn another_log_reads_our_tiles() {
    let (old, new) = (65_000, 70_000);
    let tree = Ours::of(new);
    let listed =
        |old, new| -> Vec<Tile> { tlog_tiles::Tile::new_tiles(8, old, new).iter().map(of_theirs).collect() };
    for (old, new) in [(0, 1), (0, 255), (0, 256), (255, 257), (256, 511), (0, new), (old, new)] {
        assert_eq!(grown(old, new).collect::<Vec<_>>(), listed(old, new), "{old} to {new}");
    }
    let root = tlog_tiles::Hash(tree.root(new));
    let reader = TileHashReader::new(new, root, &tree);
    for index in [0, 255, 256, 65_535, 65_536, 69_887, 69_888, 69_999] {
        let other = ours(&tlog_tiles::prove_record(new, index, &reader).expect("tiles that hold"));
        assert_eq!(verify_inclusion(&entry(index), index, new, &other, &root.0), Ok(()));
        assert_eq!(inclusion(index, new, |it| tree.hash(it)), Ok(other));
    }
    let other = ours(&tlog_tiles::prove_tree(new, old, &reader).expect("tiles that hold"));
    assert_eq!(verify_consistency(old, &tree.root(old), new, &root.0, &other), Ok(()));
    assert_eq!(tree.log.root(), root.0);
    // And a proof of ours, made of the bytes of the tiles that they list.
    let mut tiles = Tiles::default();
    for tile in listed(0, new).into_iter().filter(|tile| tile.kind() != Kind::Entries) {
        tiles.insert(tile, &tree.bytes(tile)).expect("of its width");
    }
    let proof =
        Plan::inclusion(300, new).expect("in the tree").prove(|it| tiles.hash(it)).expect("all hashes");
    let leaf = tlog_tiles::record_hash(&entry(300));
    tlog_tiles::check_record(&theirs(&proof), new, root, 300, leaf).expect("ours holds there");
}

/// A key in memory.
struct Key(Ed25519KeyPair, PublicJwk);

impl Key {
    fn of(seed: u8) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("32 bytes");
        let public = PublicJwk::ed25519(pair.public_key().as_ref().try_into().expect("32 bytes"));
        Self(pair, public)
    }
}

impl Signer for Key {
    fn public(&self) -> &PublicJwk {
        &self.1
    }

    fn sign<'a>(&'a self, input: &'a [u8]) -> BoxFuture<'a, Result<Vec<u8>, SignError>> {
        Box::pin(async move { Ok(self.0.sign(input).as_ref().to_vec()) })
    }
}

fn at_once<T>(future: impl Future<Output = T>) -> T {
    match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("a key in memory does not wait"),
    }
}

/// A witness's key, as their package would be told of it.
struct OtherWitness([u8; 32]);

impl Verifier for OtherWitness {
    fn name(&self) -> &str {
        WITNESS
    }

    fn key_id(&self) -> u32 {
        signed_note::key_id(WITNESS, &[&[4], &self.0[..]].concat())
    }

    fn verify(&self, text: &[u8], signature: &[u8]) -> bool {
        let (time, signature) = signature.split_at(8);
        let time = u64::from_be_bytes(time.try_into().expect("eight bytes"));
        let message = [format!("cosignature/v1\ntime {time}\n").as_bytes(), text].concat();
        let key = UnparsedPublicKey::new(&ED25519, self.0);
        time == 1_790_000_000 && key.verify(&message, signature).is_ok()
    }
}

#[test]
fn another_reader_opens_our_checkpoints_and_cosignatures() {
    vouchsafe_service::keys::install();
    let (tree, log_key, witness_key) = (Ours::of(70), Key::of(1), Key::of(2));
    let log = NoteSigner::new(ORIGIN, &log_key).expect("a name");
    let witness = Cosigner::new(WITNESS, &witness_key).expect("a name");
    let note = at_once(Checkpoint::new(ORIGIN, 70, tree.root(70)).expect("small").sign(&log)).expect("signs");
    let request = AddCheckpoint { old: 0, proof: Vec::new(), note };
    let keys = [log.key().clone()];
    let follows = Log { origin: ORIGIN, keys: &keys };
    let stored = decide(&request, Some(&follows), None, &Jws).expect("follows from nothing").stored();
    let line = at_once(stored.cosign(&witness, AT)).expect("signs");
    let text = stored.shown(line).expect("few").to_string();

    let note = signed_note::Note::from_bytes(text.as_bytes()).expect("a note there too");
    assert_eq!(note.to_bytes(), text.as_bytes());
    let verifier = StandardVerifier::new(&log.key().to_string()).expect("our line is a key there");
    let bytes = witness_key.1.to_ed25519().expect("of that kind");
    let known = VerifierList::new(vec![Box::new(verifier), Box::new(OtherWitness(bytes))]);
    let (verified, unknown) = note.verify(&known).expect("both hold");
    assert_eq!((verified.len(), unknown.len()), (2, 0));
    let checkpoint = tlog_tiles::Checkpoint::from_bytes(note.text()).expect("a checkpoint there too");
    assert_eq!((checkpoint.origin(), checkpoint.size(), checkpoint.hash().0), (ORIGIN, 70, tree.root(70)));
    let spoilt = text.replacen("\n70\n", "\n71\n", 1);
    let spoilt = signed_note::Note::from_bytes(spoilt.as_bytes()).expect("well formed");
    assert!(spoilt.verify(&known).is_err());
}

#[test]
fn we_open_the_checkpoints_of_another_log() {
    vouchsafe_service::keys::install();
    let tree = Ours::of(9);
    let root = tlog_tiles::tree_hash(9, &tree).expect("a root");
    let (secret, public) = signed_note::generate_key(&mut ChaCha20Rng::from_seed([5; 32]), ORIGIN);
    let signer = StandardSigner::new(&secret).expect("their own key");
    let text = tlog_tiles::Checkpoint::new(ORIGIN, 9, root, "more\n").expect("small").to_bytes();
    let mut note = signed_note::Note::new(&text, &[]).expect("a text");
    note.add_sigs(&[&signer]).expect("signs");

    let keys = [NoteKey::parse(&public).expect("their line is a key here")];
    assert_eq!(keys[0].to_string(), public);
    let trust = Trust { origin: ORIGIN, log: &keys, witnesses: &[], quorum: 0 };
    let read = Note::parse(&note.to_bytes()).expect("a note here too");
    let opened = trust.open(&read, &Jws).expect("theirs holds here").checkpoint;
    assert_eq!((opened.size(), *opened.root()), (9, tree.root(9)));
    assert_eq!(opened.to_string().as_bytes(), text);
    let spoilt = read.to_string().replacen("\n9\n", "\n8\n", 1);
    assert!(trust.open(&Note::parse(spoilt.as_bytes()).expect("well formed"), &Jws).is_err());
}
