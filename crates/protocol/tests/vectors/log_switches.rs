//! Each check of the log, switched off.

use vouchsafe_mutants::without;
use vouchsafe_protocol::encoding::b64;
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_protocol::tlog::checkpoint::{Checkpoint, Trust};
use vouchsafe_protocol::tlog::note::{
    Kind, MAX_NOTE, MAX_SIGNATURES, Note, NoteKey, NoteSignature, NoteSigner,
};
use vouchsafe_protocol::tlog::proof::LogProof;
use vouchsafe_protocol::tlog::tile::{Kind as Of, Tile, Tiles, entries};
use vouchsafe_protocol::tlog::tree::{
    Frontier, Hash, MAX_SIZE, consistency, empty_root, leaf_hash, node_hash, verify_consistency,
    verify_inclusion,
};
use vouchsafe_protocol::tlog::witness::{AddCheckpoint, Head, Log, Refusal, decide};

use crate::logs::{AT, Keys, ORIGIN, Tree, WITNESS, at_once, key};
use crate::provider::Ring;

const X: Hash = [7; 32];

/// The attack fails as things are, and succeeds once its check is gone.
fn killed(name: &str, attack: impl Fn() -> bool) {
    assert!(!attack(), "{name}: the attack succeeds with every check in place");
    assert!(without(name, &attack), "{name}: the attack fails without the check, so another one stops it");
}

fn edge(size: u64, hashes: usize) -> Vec<u8> {
    [&size.to_be_bytes()[..], &vec![7; hashes * 32]].concat()
}

#[test]
fn the_edge_of_the_tree() {
    killed("tlog-edge-size", || Frontier::from_bytes(&edge(1 << 62, 1)).is_ok());
    killed("tlog-edge-length", || Frontier::from_bytes(&edge(3, 1)).is_ok());
    let full = Frontier::from_bytes(&edge(MAX_SIZE, 62)).unwrap();
    killed("tlog-full", || full.clone().push(b"one more").is_ok());
}

#[test]
fn proofs_of_inclusion() {
    let leaf = leaf_hash(b"a");
    let taken =
        |index, size, proof: &[Hash], root: Hash| verify_inclusion(b"a", index, size, proof, &root).is_ok();
    killed("tlog-inclusion-index", || taken(1, 1, &[], leaf));
    killed("tlog-inclusion-long", || taken(0, 1, &[X], node_hash(&X, &leaf)));
    killed("tlog-inclusion-short", || taken(0, 2, &[], leaf));
    killed("tlog-inclusion-root", || taken(0, 2, &[X], X));
}

#[test]
fn proofs_of_consistency() {
    let [a, b, c, d] = [b"a", b"b", b"c", b"d"].map(|entry| leaf_hash(entry));
    let (ab, cd) = (node_hash(&a, &b), node_hash(&c, &d));
    let (three, four) = (node_hash(&ab, &c), node_hash(&ab, &cd));
    let taken = |old, old_root: Hash, new, new_root: Hash, proof: &[Hash]| {
        verify_consistency(old, &old_root, new, &new_root, proof).is_ok()
    };
    assert!(taken(3, three, 4, four, &[c, d, ab]));
    killed("tlog-consistency-order", || taken(2, ab, 1, ab, &[]));
    let above = |hash: &Hash| node_hash(&X, hash);
    killed("tlog-consistency-long", || taken(3, above(&three), 4, above(&four), &[c, d, ab, X]));
    killed("tlog-consistency-short", || taken(1, a, 2, a, &[]));
    killed("tlog-consistency-old-root", || taken(3, X, 4, four, &[c, d, ab]));
    killed("tlog-consistency-new-root", || taken(3, three, 4, X, &[c, d, ab]));
    killed("tlog-consistency-no-hashes", || taken(3, three, 3, three, &[X]));
    killed("tlog-consistency-same", || taken(3, three, 3, four, &[]));
    killed("tlog-consistency-empty", || taken(0, X, 3, three, &[]));
}

#[test]
fn tiles_and_numbers() {
    killed("tlog-path-partial", || Tile::parse("tile/0/000.p/256").is_ok());
    killed("tlog-path-zeros", || Tile::parse("tile/0/x000/001").is_ok());
    killed("tlog-decimal", || Tile::parse("tile/00/000").is_ok());
    let tile = Tile::new(Of::Hashes(0), 0, 2).unwrap();
    killed("tlog-tile-width", || Tiles::default().insert(tile, &[7; 96]).is_ok());
    killed("tlog-bundle-width", || entries(&[0, 1, 7], 2).is_ok());
}

fn line(name: &str, bytes: &[u8]) -> String {
    format!("\u{2014} {name} {}\n", b64(bytes))
}

#[test]
fn the_form_of_notes() {
    let parses = |text: &str| Note::parse(text.as_bytes()).is_ok();
    let good = line("a", &[7; 68]);
    assert!(parses(&format!("one\n\n{good}")));
    killed("tlog-note-size", || parses(&format!("{}\n\n{good}", "x".repeat(MAX_NOTE))));
    killed("tlog-note-control", || parses(&format!("one\ttwo\n\n{good}")));
    killed("tlog-note-many", || parses(&format!("one\n\n{}", good.repeat(MAX_SIGNATURES + 1))));
    killed("tlog-note-name", || parses(&format!("one\n\n{}", line("a+b", &[7; 68]))));
    killed("tlog-note-empty-signature", || parses(&format!("one\n\n{}", line("a", &[7; 4]))));
    killed("tlog-note-end", || Note::new("one").is_ok());
    let full = Note::parse(format!("one\n\n{}", good.repeat(MAX_SIGNATURES)).as_bytes()).unwrap();
    killed("tlog-note-full", || full.clone().with(full.signatures()[0].clone()).is_ok());
    let public = Keys::new().log_keys[0].public().clone();
    killed("tlog-key-name", || NoteKey::new("a b", &public, Kind::Ed25519).is_ok());
    let text = NoteKey::new("a", &public, Kind::Ed25519).unwrap().to_string();
    killed("tlog-key-id", || NoteKey::parse(&text.replacen("a+", "b+", 1)).is_ok());
}

#[test]
fn signatures_of_notes() {
    let keys = Keys::new();
    let verified = |note: &Note, by: &[NoteKey]| note.verify(by, &Ring).is_ok();
    let other = key(3);
    let forged = at_once(NoteSigner::new(ORIGIN, &other).unwrap().sign("one\n")).unwrap();
    killed("tlog-note-unsigned", || verified(&forged, &keys.log_keys));
    let good = at_once(keys.signer().sign("one\n")).unwrap();
    let moved = Note::parse(good.to_string().replacen("one", "two", 1).as_bytes()).unwrap();
    killed("tlog-note-signature", || verified(&moved, &keys.log_keys));
    // The witness's key, of a moment that was none.
    let text = Checkpoint::new(ORIGIN, 0, empty_root()).unwrap().to_string();
    let signature = key(2).sign_now(format!("cosignature/v1\ntime 0\n{text}").as_bytes());
    let bytes = [&keys.witness_keys[0].id().to_be_bytes()[..], &[0; 8], &signature].concat();
    let timeless = Note::parse(format!("{text}\n{}", line(WITNESS, &bytes)).as_bytes()).unwrap();
    killed("tlog-cosignature-seen", || verified(&timeless, &keys.witness_keys));
}

#[test]
fn checkpoints() {
    let (keys, tree) = (Keys::new(), Tree::numbered(3));
    killed("tlog-checkpoint-name", || Checkpoint::new("", 0, X).is_ok());
    killed("tlog-checkpoint-size", || Checkpoint::new(ORIGIN, MAX_SIZE + 1, X).is_ok());
    let text = Checkpoint::new(ORIGIN, 0, X).unwrap().to_string();
    killed("tlog-checkpoint-extension", || Checkpoint::parse(&format!("{text}\n")).is_ok());
    let note = keys.witnessed(3, tree.root(3));
    let opens = |note: &Note, trust: &Trust<'_>| trust.open(note, &Ring).is_ok();
    assert!(opens(&note, &keys.trust()));
    let other = Trust { origin: "other.example/log", ..keys.trust() };
    killed("tlog-checkpoint-origin", || opens(&note, &other));
    killed("tlog-checkpoint-log", || opens(&note, &Trust { log: &[], ..keys.trust() }));
    let alone = keys.signed(ORIGIN, 3, tree.root(3));
    killed("tlog-checkpoint-quorum", || opens(&alone, &keys.trust()));
    let long = LogProof { index: 0, hashes: vec![X; 64], checkpoint: note };
    killed("tlog-proof-lines", || LogProof::parse(&long.to_string()).is_ok());
}

#[test]
fn what_a_witness_signs() {
    let (keys, tree) = (Keys::new(), Tree::numbered(9));
    let head = |size| Some(Head { size, root: tree.root(size) });
    let request = |old, new| AddCheckpoint {
        old,
        proof: consistency(old, new, |it| tree.hash(it)).unwrap_or_default(),
        note: keys.signed(ORIGIN, new, tree.root(new)),
    };
    let answer = |request: &AddCheckpoint, log: Log<'_>, held| decide(request, Some(&log), held, &Ring);
    let other = Log { origin: "other.example/log", ..keys.log() };
    killed("tlog-witness-origin", || answer(&request(0, 3), other, None).is_ok());
    let unknown = Log { keys: &keys.witness_keys, ..keys.log() };
    killed("tlog-witness-signature", || answer(&request(0, 3), unknown, None).is_ok());
    let crossed = AddCheckpoint { proof: vec![X], ..request(3, 8) };
    killed("tlog-witness-proof", || answer(&crossed, keys.log(), head(3)).is_ok());
    // Behind these two the proof would be refused as well: what the log is told is part of the protocol.
    killed("tlog-witness-old", || answer(&request(8, 3), keys.log(), head(8)) != Err(Refusal::OldSize));
    let conflict = Refusal::Conflict { size: 8 };
    killed("tlog-witness-held", || answer(&request(3, 9), keys.log(), head(8)) != Err(conflict));
    let stored = answer(&request(0, 3), keys.log(), None).unwrap().stored();
    let signs =
        |at| at_once(stored.cosign(&keys.cosigner(), at)).is_ok_and(|it: NoteSignature| it.name() == WITNESS);
    assert!(signs(AT));
    killed("tlog-cosignature-time", || signs(UnixTime(-1)));
}
