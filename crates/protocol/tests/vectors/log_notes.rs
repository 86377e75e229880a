//! What travels of the log: signed notes, checkpoints, cosignatures, proofs in one text, and requests to witnesses.

use vouchsafe_protocol::encoding::b64;
use vouchsafe_protocol::jose::Signer as _;
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_protocol::tlog::checkpoint::{Checkpoint, CheckpointError, Trust};
use vouchsafe_protocol::tlog::note::{
    Cosigner, KeyError, Kind, MAX_NOTE, MAX_SIGNATURES, Note, NoteError, NoteKey, NoteSignature, NoteSigner,
};
use vouchsafe_protocol::tlog::proof::{LogProof, LogProofError};
use vouchsafe_protocol::tlog::tree::{ProofError, consistency, empty_root, inclusion};
use vouchsafe_protocol::tlog::witness::{AddCheckpoint, Head, Log, Refusal, decide};

use crate::logs::{AT, Keys, ORIGIN, Tree, WITNESS, at_once, entry, key};
use crate::provider::{Key, Ring};

/// The example of C2SP signed-note.
const EXAMPLE_KEY: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
const EXAMPLE: &str = "This is an example message.\n\n\u{2014} example.com/foo \
    Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

/// The example of the Go package `note`, and its second key.
const PETER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const ENOCH: &str = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop";
const TEXT: &str =
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
const BY_PETER: &str = "\u{2014} PeterNeumann \
    x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
const BY_ENOCH: &str = "\u{2014} EnochRoot \
    rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n";

fn names(note: &Note, keys: &[NoteKey]) -> Result<Vec<String>, NoteError> {
    let verified = note.verify(keys, &Ring)?;
    Ok(verified.by().iter().map(|by| by.key.name().to_owned()).collect())
}

#[test]
fn the_examples_that_are_published() {
    let known = NoteKey::parse(EXAMPLE_KEY).unwrap();
    assert_eq!((known.name(), known.id(), known.kind()), ("example.com/foo", 0x530d_903a, Kind::Ed25519));
    assert_eq!(known.to_string(), EXAMPLE_KEY);
    let note = Note::parse(EXAMPLE.as_bytes()).unwrap();
    assert_eq!(note.to_string(), EXAMPLE);
    assert_eq!(note.verify([&known], &Ring).unwrap().text(), "This is an example message.\n");

    let keys = [PETER, ENOCH].map(|text| NoteKey::parse(text).unwrap());
    let note = Note::parse(format!("{TEXT}\n{BY_PETER}{BY_ENOCH}").as_bytes()).unwrap();
    assert_eq!(names(&note, &keys), Ok(vec!["PeterNeumann".to_owned(), "EnochRoot".to_owned()]));
    assert_eq!(names(&note, &keys[..1]), Ok(vec!["PeterNeumann".to_owned()]), "the other one is unknown");
    assert_eq!(names(&note, &[]), Err(NoteError::Unsigned));
    let twice = Note::parse(format!("{TEXT}\n{BY_PETER}{BY_PETER}").as_bytes()).unwrap();
    assert_eq!(names(&twice, &keys).unwrap().len(), 1, "one key counts once");
    let changed = BY_ENOCH.replace("5n2t", "5nABCD2t");
    let spoilt = Note::parse(format!("{TEXT}\n{BY_PETER}{changed}").as_bytes()).unwrap();
    assert_eq!(names(&spoilt, &keys), Err(NoteError::Signature), "one false signature spoils the note");
    assert!(names(&spoilt, &keys[..1]).is_ok());
}

#[test]
fn what_is_no_note() {
    let note = |text: String| Note::parse(text.as_bytes()).map(drop);
    let line = BY_PETER.trim_end();
    let none = [
        TEXT.to_owned(),
        format!("{TEXT}\n"),
        format!("{TEXT}\n{line}"),
        format!("{TEXT}{BY_PETER}"),
        format!("\n{BY_PETER}"),
        format!("\u{1}{TEXT}\n{BY_PETER}"),
        format!("{TEXT}\t\n\n{BY_PETER}"),
        format!("{TEXT}\r\n\r\n{BY_PETER}"),
        format!("{TEXT}\n{BY_PETER}And a line.\n"),
        format!("{TEXT}\n{}", BY_PETER.replace("PeterNeumann", "Peter Neumann")),
        format!("{TEXT}\n{}", BY_PETER.replace("PeterNeumann", "")),
        format!("{TEXT}\n{}", BY_PETER.replace("PeterNeumann", "Peter+Neumann")),
        format!("{TEXT}\n{}", BY_PETER.replace("PeterNeumann", "Peter\u{2003}Neumann")),
        format!("{TEXT}\n{}", BY_PETER.replace('\u{2014}', "-")),
        format!("{TEXT}\n{}", BY_PETER.replace('=', "")),
        format!("{TEXT}\n\u{2014} PeterNeumann x08gow==\n"),
        format!("{TEXT}\n\u{2014} PeterNeumann \n"),
        format!("{}\n{BY_PETER}", "x\n".repeat(MAX_NOTE / 2)),
    ];
    for text in none {
        assert_eq!(note(text.clone()), Err(NoteError::Form), "{text:?}");
    }
    assert_eq!(
        Note::parse(&[&[0xff], TEXT.as_bytes(), b"\n", BY_PETER.as_bytes()].concat()),
        Err(NoteError::Form)
    );
    assert_eq!(note(format!("{TEXT}\n{}", BY_PETER.repeat(MAX_SIGNATURES))), Ok(()));
    assert_eq!(note(format!("{TEXT}\n{}", BY_PETER.repeat(MAX_SIGNATURES + 1))), Err(NoteError::Many));
    let with_empty_lines = Note::parse(format!("one\n\n\ntwo\n\n{BY_PETER}").as_bytes()).unwrap();
    assert_eq!(with_empty_lines.dangerous_text(), "one\n\n\ntwo\n");
    for text in ["", "one", "one\n\ttwo\n", "one\u{0}\n"] {
        assert_eq!(Note::new(text), Err(NoteError::Form), "{text:?}");
    }
}

#[test]
fn keys_have_one_text() {
    let ours = Keys::new();
    for key in [&ours.log_keys[0], &ours.witness_keys[0]] {
        assert_eq!(NoteKey::parse(&key.to_string()).as_ref(), Ok(key));
    }
    let same = |kind| NoteKey::new(ORIGIN, ours.log_keys[0].public(), kind).unwrap().id();
    assert_ne!(same(Kind::Ed25519), same(Kind::Cosignature), "one key, two kinds, two ids");
    let changed = |from: &str, to: &str| NoteKey::parse(&PETER.replacen(from, to, 1)).map(drop);
    assert_eq!(changed("c74f20a3", "c74f20a4"), Err(KeyError::Id));
    assert_eq!(changed("c74f20a3", "C74F20A3"), Err(KeyError::Id));
    assert_eq!(changed("c74f20a3", "c74f20a"), Err(KeyError::Id));
    assert_eq!(changed("Peter", "peter"), Err(KeyError::Id));
    assert_eq!(changed("PeterNeumann", ""), Err(KeyError::Name));
    assert_eq!(changed("PeterNeumann", "Peter Neumann"), Err(KeyError::Name));
    assert_eq!(changed("PeterNeumann", "Peter\nNeumann"), Err(KeyError::Name));
    assert_eq!(changed("TW", "TX"), Err(KeyError::Id), "another key");
    assert_eq!(changed("ARpc", "BBpc"), Err(KeyError::Id), "another kind");
    assert_eq!(changed("TW", "TW="), Err(KeyError::Form));
    assert_eq!(changed("ARpc", "AhpcAA"), Err(KeyError::Form));
    assert_eq!(changed("ARpc", "Ahpc"), Err(KeyError::Algorithm), "ECDSA");
    for text in ["", "a", "a+b", "a+b+", "a+b+c", "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEK"] {
        assert!(NoteKey::parse(text).is_err(), "{text}");
    }
    assert_eq!(NoteKey::new("a", Key::p256().public(), Kind::Ed25519), Err(KeyError::Algorithm));
}

#[test]
fn a_checkpoint_has_one_text() {
    let root = b64(empty_root());
    let good = format!("{ORIGIN}\n0\n{root}\n");
    let checkpoint = Checkpoint::parse(&good).unwrap();
    assert_eq!(
        (checkpoint.to_string(), checkpoint.size(), checkpoint.root()),
        (good.clone(), 0, &empty_root())
    );
    let longer = format!("{good}one\ntwo three\n");
    assert_eq!(Checkpoint::parse(&longer).unwrap().to_string(), longer);
    assert_eq!(Checkpoint::parse(&longer).unwrap().extensions(), ["one", "two three"]);
    let bare = root.trim_end_matches('=');
    let none = [
        String::new(),
        "\n".to_owned(),
        good.trim_end().to_owned(),
        format!("{good}\n"),
        format!("{longer}\nfour\n"),
        format!("\n0\n{root}\n"),
        format!("{ORIGIN}\n00\n{root}\n"),
        format!("{ORIGIN}\n01\n{root}\n"),
        format!("{ORIGIN}\n+1\n{root}\n"),
        format!("{ORIGIN}\n-1\n{root}\n"),
        format!("{ORIGIN}\n0x1\n{root}\n"),
        format!("{ORIGIN}\n 1\n{root}\n"),
        format!("{ORIGIN}\n\n{root}\n"),
        format!("{ORIGIN}\n1\n{bare}\n"),
        format!("{ORIGIN}\n4611686018427387904\n{root}\n"),
        format!("{ORIGIN}\n18446744073709551616\n{root}\n"),
        format!("{ORIGIN}\n1\n{}\n", b64([0; 31])),
        format!("{ORIGIN}\n1\n{}\n", b64([0; 33])),
        format!("{ORIGIN}\n1\n"),
    ];
    for text in none {
        assert_eq!(Checkpoint::parse(&text), Err(CheckpointError::Form), "{text:?}");
    }
    assert!(Checkpoint::parse(&format!("{ORIGIN}\n4611686018427387903\n{root}\n")).is_ok());
}

#[test]
fn a_checkpoint_is_opened_by_its_log_and_its_witnesses() {
    let (keys, tree) = (Keys::new(), Tree::numbered(5));
    let note = keys.witnessed(5, tree.root(5));
    let opened = keys.trust().open(&Note::parse(note.to_string().as_bytes()).unwrap(), &Ring).unwrap();
    assert_eq!((opened.checkpoint.size(), *opened.checkpoint.root()), (5, tree.root(5)));
    assert_eq!(opened.witnessed, [(WITNESS.to_owned(), AT)]);
    let open = |note: &Note, trust: &Trust<'_>| trust.open(note, &Ring).map(|opened| opened.witnessed.len());
    let alone = keys.signed(ORIGIN, 5, tree.root(5));
    assert_eq!(open(&alone, &keys.trust()), Err(CheckpointError::Witnesses));
    assert_eq!(open(&alone, &Trust { quorum: 0, ..keys.trust() }), Ok(0));
    assert_eq!(
        open(&note, &Trust { origin: "other.example/log", ..keys.trust() }),
        Err(CheckpointError::Origin)
    );
    let unknown = Trust { log: &[], ..keys.trust() };
    assert_eq!(open(&note, &unknown), Err(CheckpointError::Log), "a witness does not speak for the log");
    let nobody = Trust { log: &[], witnesses: &[], ..keys.trust() };
    assert_eq!(open(&note, &nobody), Err(CheckpointError::Note(NoteError::Unsigned)));
    let moved = note.to_string().replacen("\n5\n", "\n4\n", 1);
    let moved = Note::parse(moved.as_bytes()).unwrap();
    assert_eq!(open(&moved, &keys.trust()), Err(CheckpointError::Note(NoteError::Signature)));
}

#[test]
fn a_cosignature_is_of_its_moment() {
    let keys = Keys::new();
    let note = keys.witnessed(0, empty_root());
    let line = note.signatures()[1].to_string();
    let message = format!("cosignature/v1\ntime {}\n{}", AT.0, note.dangerous_text());
    let made = [
        &keys.witness_keys[0].id().to_be_bytes()[..],
        &AT.0.to_be_bytes(),
        &key(2).sign_now(message.as_bytes()),
    ];
    assert_eq!(line, format!("\u{2014} {WITNESS} {}\n", b64(made.concat())));
    // Eight bytes of time before 64 of signature: any other time or length is another statement.
    let with = |at: i64, cut: usize| {
        let bytes =
            [&keys.witness_keys[0].id().to_be_bytes()[..], &at.to_be_bytes(), &made[2][cut..]].concat();
        let line = format!("\u{2014} {WITNESS} {}\n", b64(bytes));
        let note = Note::parse(format!("{}\n{line}", note.dangerous_text()).as_bytes()).unwrap();
        names(&note, &keys.witness_keys).map(drop)
    };
    assert_eq!(with(AT.0, 0), Ok(()));
    assert_eq!(with(AT.0 + 1, 0), Err(NoteError::Signature));
    assert_eq!(with(AT.0, 1), Err(NoteError::Signature));
    assert_eq!(with(AT.0, 64), Err(NoteError::Signature));
    let lines = NoteSignature::parse_lines(&line.repeat(2)).unwrap();
    assert_eq!((lines.len(), lines[0].name(), lines[0].id()), (2, WITNESS, keys.witness_keys[0].id()));
    assert_eq!(NoteSignature::parse_lines(line.trim_end()), Err(NoteError::Form));
    assert_eq!(NoteSignature::parse_lines(&line.repeat(17)), Err(NoteError::Many));
}

#[test]
fn a_proof_travels_in_one_text() {
    let (keys, tree) = (Keys::new(), Tree::numbered(13));
    let hashes = inclusion(7, 13, |it| tree.hash(it)).unwrap();
    let proof = LogProof { index: 7, hashes, checkpoint: keys.witnessed(13, tree.root(13)) };
    let text = proof.to_string();
    assert_eq!(LogProof::parse(&text), Ok(proof.clone()));
    let opened = LogProof::parse(&text).unwrap().verify(&entry(7), &keys.trust(), &Ring).unwrap();
    assert_eq!(opened.checkpoint.size(), 13);
    assert_eq!(proof.verify(&entry(8), &keys.trust(), &Ring), Err(LogProofError::Proof(ProofError::Root)));
    let elsewhere = LogProof { index: 6, ..proof.clone() };
    assert!(elsewhere.verify(&entry(7), &keys.trust(), &Ring).is_err());
    let trust = Trust { quorum: 2, ..keys.trust() };
    let refused = LogProofError::Checkpoint(CheckpointError::Witnesses);
    assert_eq!(proof.verify(&entry(7), &trust, &Ring), Err(refused));
    let changes = [
        ("proof@v1", "proof@v2"),
        ("index 7", "index 07"),
        ("index 7", "index"),
        ("index 7", "extra AA==\nindex 7"),
        ("index 7\n", ""),
        ("index 7\n", "index 7\nAA==\n"),
        ("\n\n", "\n"),
    ];
    for (from, to) in changes {
        assert_eq!(LogProof::parse(&text.replacen(from, to, 1)), Err(LogProofError::Form), "{from:?}");
    }
    let unsigned = text.split("\u{2014} ").next().unwrap();
    assert_eq!(LogProof::parse(unsigned), Err(NoteError::Form.into()));
}

/// The request for the tree of `new` from `old`, as an honest log writes it.
fn request(keys: &Keys, tree: &Tree, old: u64, new: u64) -> AddCheckpoint {
    let proof = consistency(old, new, |it| tree.hash(it)).unwrap();
    AddCheckpoint { old, proof, note: keys.signed(ORIGIN, new, tree.root(new)) }
}

#[test]
fn a_witness_follows_a_log() {
    let (keys, tree) = (Keys::new(), Tree::numbered(20));
    let mut held = None;
    for (old, new) in [(0, 0), (0, 3), (3, 3), (3, 8), (8, 20), (20, 20)] {
        let sent = request(&keys, &tree, old, new).to_string();
        let read = AddCheckpoint::parse(sent.as_bytes()).unwrap();
        assert_eq!(read.to_string(), sent);
        let advance = decide(&read, Some(&keys.log()), held, &Ring).unwrap();
        assert_eq!((advance.from(), advance.to()), (held, Head { size: new, root: tree.root(new) }));
        held = Some(advance.to());
        let stored = advance.stored();
        let line = at_once(stored.cosign(&keys.cosigner(), AT)).unwrap();
        let shown = stored.shown(line.clone()).unwrap();
        assert_eq!(keys.trust().open(&shown, &Ring).unwrap().witnessed, [(WITNESS.to_owned(), AT)]);
        // The log puts the line under its own checkpoint.
        let joined =
            read.note.with(NoteSignature::parse_lines(&line.to_string()).unwrap().remove(0)).unwrap();
        assert_eq!(joined, shown);
        assert_eq!(at_once(stored.cosign(&keys.cosigner(), UnixTime(0))), Err(NoteError::Time));
    }
}

#[test]
fn a_witness_refuses_what_does_not_follow() {
    let (keys, tree) = (Keys::new(), Tree::numbered(20));
    let other = Tree::of((0..20).map(|index| entry(index + u64::from(index == 2))));
    let head = |size| Some(Head { size, root: tree.root(size) });
    let answer = |request: &AddCheckpoint, held| {
        decide(request, Some(&keys.log()), held, &Ring).map(|it| it.to().size)
    };
    assert_eq!(answer(&request(&keys, &tree, 3, 8), head(3)), Ok(8));
    assert_eq!(answer(&request(&keys, &tree, 3, 8), head(8)), Err(Refusal::Conflict { size: 8 }));
    assert_eq!(answer(&request(&keys, &tree, 3, 8), None), Err(Refusal::Conflict { size: 0 }));
    assert_eq!(answer(&request(&keys, &tree, 0, 8), head(3)), Err(Refusal::Conflict { size: 3 }));
    assert_eq!(
        answer(&request(&keys, &tree, 3, 5), head(8)),
        Err(Refusal::Conflict { size: 8 }),
        "never back"
    );
    let back = AddCheckpoint { old: 8, proof: vec![], note: keys.signed(ORIGIN, 5, tree.root(5)) };
    assert_eq!(answer(&back, head(8)), Err(Refusal::OldSize));
    let second = AddCheckpoint { old: 8, proof: vec![], note: keys.signed(ORIGIN, 8, other.root(8)) };
    assert_eq!(answer(&second, head(8)), Err(Refusal::Proof), "two roots of one size");
    assert_eq!(answer(&request(&keys, &other, 3, 8), head(3)), Err(Refusal::Proof), "another history");
    assert_eq!(answer(&request(&keys, &other, 8, 20), head(8)), Err(Refusal::Proof));
    let cut = AddCheckpoint { proof: vec![], ..request(&keys, &tree, 3, 8) };
    assert_eq!(answer(&cut, head(3)), Err(Refusal::Proof));
    let more = AddCheckpoint { proof: vec![[0; 32]], ..request(&keys, &tree, 0, 8) };
    assert_eq!(answer(&more, None), Err(Refusal::Proof), "nothing proves what follows from nothing");
    let empty = AddCheckpoint { old: 0, proof: vec![], note: keys.signed(ORIGIN, 0, tree.root(1)) };
    assert_eq!(answer(&empty, None), Err(Refusal::Proof), "no entries have one root");
}

#[test]
fn a_witness_signs_for_known_logs_alone() {
    let (keys, tree) = (Keys::new(), Tree::numbered(3));
    let sent = request(&keys, &tree, 0, 3);
    let answer = |request: &AddCheckpoint, log: Option<&Log<'_>>| decide(request, log, None, &Ring).map(drop);
    assert_eq!(answer(&sent, None), Err(Refusal::UnknownOrigin));
    let other = Log { origin: "other.example/log", ..keys.log() };
    assert_eq!(answer(&sent, Some(&other)), Err(Refusal::UnknownOrigin));
    let stranger = key(7);
    let forged =
        at_once(NoteSigner::new(ORIGIN, &stranger).unwrap().sign(sent.note.dangerous_text())).unwrap();
    let forged = AddCheckpoint { note: forged, ..sent.clone() };
    assert_eq!(
        answer(&forged, Some(&keys.log())),
        Err(Refusal::Signature),
        "an unknown key of the same name"
    );
    let moved = sent.to_string().replacen("\n3\n", "\n2\n", 1);
    let moved = AddCheckpoint::parse(moved.as_bytes()).unwrap();
    assert_eq!(answer(&moved, Some(&keys.log())), Err(Refusal::Signature));
    // What others wrote under the checkpoint does not come out with the witness's name.
    let crowded = sent.note.clone().with(forged.note.signatures()[0].clone()).unwrap();
    let crowded = AddCheckpoint { note: crowded, ..sent.clone() };
    let stored = decide(&crowded, Some(&keys.log()), None, &Ring).unwrap().stored();
    let line = at_once(stored.cosign(&keys.cosigner(), AT)).unwrap();
    assert_eq!(stored.shown(line).unwrap().signatures().len(), 2);
    let statuses = [
        (Refusal::Malformed, 400),
        (Refusal::OldSize, 400),
        (Refusal::Signature, 403),
        (Refusal::UnknownOrigin, 404),
        (Refusal::Conflict { size: 1 }, 409),
        (Refusal::Proof, 422),
    ];
    assert!(statuses.into_iter().all(|(refusal, status)| refusal.status() == status));
}

#[test]
fn what_is_no_request_to_a_witness() {
    let (keys, tree) = (Keys::new(), Tree::numbered(8));
    let good = request(&keys, &tree, 3, 8).to_string();
    let changes = [
        ("old 3", "old 03"),
        ("old 3", "old"),
        ("old 3", "old  3"),
        ("old 3", "new 3"),
        ("old 3", "old -3"),
        ("old 3", "old 3 "),
        ("old 3\n", ""),
        ("old 3\n", "\nold 3\n"),
        ("old 3\n", "old 3\nAA==\n"),
        ("old 3\n", "old 3\n!\n"),
        ("\n\n", "\n"),
        ("\u{2014} ", ""),
    ];
    for (from, to) in changes {
        let read = AddCheckpoint::parse(good.replacen(from, to, 1).as_bytes());
        assert_eq!(read, Err(Refusal::Malformed), "{from:?} {to:?}");
    }
    assert_eq!(AddCheckpoint::parse(b""), Err(Refusal::Malformed));
    assert_eq!(AddCheckpoint::parse(&[0xff; 99]), Err(Refusal::Malformed));
    let line = format!("{}\n", b64([1; 32]));
    let with = |lines: usize| good.replacen("old 3\n", &format!("old 3\n{}", line.repeat(lines)), 1);
    let has = consistency(3, 8, |it| tree.hash(it)).unwrap().len();
    assert!(AddCheckpoint::parse(with(63 - has).as_bytes()).is_ok());
    assert_eq!(AddCheckpoint::parse(with(64 - has).as_bytes()), Err(Refusal::Malformed));
    let poem = at_once(keys.signer().sign("no checkpoint\n")).unwrap();
    let poem = AddCheckpoint { note: poem, ..request(&keys, &tree, 3, 8) };
    assert_eq!(decide(&poem, Some(&keys.log()), None, &Ring), Err(Refusal::Malformed));
    assert_eq!(Cosigner::new("", &key(2)).err(), Some(KeyError::Name));
}

proptest::proptest! {
    #[test]
    fn no_text_is_too_strange(text: String, bytes: Vec<u8>) {
        for text in [text.clone(), format!("old 0\n\n{text}\n\n{BY_PETER}"), format!("{text}\n\n{BY_PETER}")] {
            if let Ok(note) = Note::parse(text.as_bytes()) {
                proptest::prop_assert_eq!(note.to_string(), text.clone());
            }
            if let Ok(request) = AddCheckpoint::parse(text.as_bytes()) {
                proptest::prop_assert_eq!(request.to_string(), text.clone());
            }
            proptest::prop_assert!(NoteKey::parse(&text).is_err());
            proptest::prop_assert!(LogProof::parse(&text).is_err());
        }
        proptest::prop_assert!(Note::parse(&bytes).is_err());
    }
}
