//! A log, a witness, and the smallest trees, for the tests of the log.

use std::collections::BTreeMap;

use ring::signature::{Ed25519KeyPair, KeyPair as _};
use vouchsafe_protocol::jose::PublicJwk;
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_protocol::tlog::checkpoint::{Checkpoint, Trust};
use vouchsafe_protocol::tlog::note::{Cosigner, Note, NoteKey, NoteSigner};
use vouchsafe_protocol::tlog::tree::{Frontier, Hash, Subtree};
use vouchsafe_protocol::tlog::witness::{AddCheckpoint, Head, Log, decide};

use crate::provider::{Key, Ring};

pub(crate) const ORIGIN: &str = "verifier.larkfield.example/log";
pub(crate) const WITNESS: &str = "witness.larkfield.example/w1";
pub(crate) const AT: UnixTime = UnixTime(1_790_000_000);

/// A key of a fixed seed.
pub(crate) fn key(seed: u8) -> Key {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
    let public = PublicJwk::ed25519(pair.public_key().as_ref().try_into().unwrap());
    Key::Ed25519(pair, public)
}

/// Keys in memory sign at once: there is nothing to wait for.
pub(crate) fn at_once<T>(future: impl Future<Output = T>) -> T {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => panic!("a key in memory does not wait"),
    }
}

/// A tree with all its hashes, and its root at each size.
pub(crate) struct Tree {
    pub(crate) frontier: Frontier,
    pub(crate) hashes: BTreeMap<Subtree, Hash>,
    pub(crate) roots: Vec<Hash>,
}

impl Tree {
    pub(crate) fn of(entries: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let mut tree = Self {
            frontier: Frontier::default(),
            hashes: BTreeMap::new(),
            roots: vec![Frontier::default().root()],
        };
        for entry in entries {
            let appended = tree.frontier.push(&entry).unwrap();
            tree.hashes.extend(appended.completed);
            tree.roots.push(tree.frontier.root());
        }
        tree
    }

    /// So many entries, each of them different.
    pub(crate) fn numbered(size: u64) -> Self {
        Self::of((0..size).map(entry))
    }

    pub(crate) fn hash(&self, subtree: Subtree) -> Option<Hash> {
        self.hashes.get(&subtree).copied()
    }

    pub(crate) fn root(&self, size: u64) -> Hash {
        self.roots[usize::try_from(size).unwrap()]
    }
}

pub(crate) fn entry(index: u64) -> Vec<u8> {
    index.to_be_bytes().repeat(4)
}

/// The log's and the witness's keys.
pub(crate) struct Keys {
    log: Key,
    witness: Key,
    pub(crate) log_keys: [NoteKey; 1],
    pub(crate) witness_keys: [NoteKey; 1],
}

impl Keys {
    pub(crate) fn new() -> Self {
        let (log, witness) = (key(1), key(2));
        let log_keys = [NoteSigner::new(ORIGIN, &log).unwrap().key().clone()];
        let witness_keys = [Cosigner::new(WITNESS, &witness).unwrap().key().clone()];
        Self { log, witness, log_keys, witness_keys }
    }

    pub(crate) fn signer(&self) -> NoteSigner<'_> {
        NoteSigner::new(ORIGIN, &self.log).unwrap()
    }

    pub(crate) fn cosigner(&self) -> Cosigner<'_> {
        Cosigner::new(WITNESS, &self.witness).unwrap()
    }

    pub(crate) fn trust(&self) -> Trust<'_> {
        Trust { origin: ORIGIN, log: &self.log_keys, witnesses: &self.witness_keys, quorum: 1 }
    }

    pub(crate) fn log(&self) -> Log<'_> {
        Log { origin: ORIGIN, keys: &self.log_keys }
    }

    /// A checkpoint that the log has signed.
    pub(crate) fn signed(&self, origin: &str, size: u64, root: Hash) -> Note {
        at_once(Checkpoint::new(origin, size, root).unwrap().sign(&self.signer())).unwrap()
    }

    /// A checkpoint that the witness, which knew nothing of the log, has signed too.
    pub(crate) fn witnessed(&self, size: u64, root: Hash) -> Note {
        let request = AddCheckpoint { old: 0, proof: Vec::new(), note: self.signed(ORIGIN, size, root) };
        let advance = decide(&request, Some(&self.log()), None, &Ring).unwrap();
        assert_eq!(advance.to(), Head { size, root });
        let stored = advance.stored();
        let line = at_once(stored.cosign(&self.cosigner(), AT)).unwrap();
        stored.shown(line).unwrap()
    }
}
