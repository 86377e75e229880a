//! Somebody who watches the verifier's log by what everybody can fetch, with the log's key alone.

use vouchsafe_protocol::decision;
use vouchsafe_protocol::tlog::checkpoint::Trust;
use vouchsafe_protocol::tlog::note::{Note, NoteKey};
use vouchsafe_protocol::tlog::proof::LogProof;
use vouchsafe_protocol::tlog::tile::{Kind, Tile, Tiles, entries, needed};
use vouchsafe_protocol::tlog::tree::{Hash, Plan};
use vouchsafe_service::client::Http;
use vouchsafe_service::keys::Jws;

use crate::exit::Failure;

/// The widest tile.
const WIDEST: u64 = 256;

pub(super) struct Watcher {
    http: Http,
    /// Where the log is.
    place: String,
    /// What it calls itself.
    origin: String,
    key: NoteKey,
}

impl Watcher {
    /// Somebody who watches the log at `place`, which signs by `key` under the name `origin`.
    pub(super) fn new(http: Http, place: &str, origin: &str, key: &str) -> Result<Self, Failure> {
        let key = NoteKey::parse(key).map_err(Failure::usage)?;
        Ok(Self { http, place: place.to_owned(), origin: origin.to_owned(), key })
    }

    /// Where in the log a signed text stands, proved against the checkpoint.
    ///
    /// # Errors
    /// When it is not there, or the log does not prove it.
    pub(super) async fn finds(&self, typ: &str, token: &str) -> Result<u64, Failure> {
        let (input, _) = token.rsplit_once('.').ok_or_else(|| Failure::usage("this is no signed text"))?;
        let entry = decision::leaf(typ, input.as_bytes());
        let keys = [self.key.clone()];
        let trust = Trust { origin: &self.origin, log: &keys, witnesses: &[], quorum: 0 };
        let note = Note::parse(&self.fetch("checkpoint").await?).map_err(Failure::unavailable)?;
        let size = trust.open(&note, &Jws).map_err(Failure::unavailable)?.checkpoint.size();
        let index = self.index_of(&entry, size).await?;
        let plan = Plan::inclusion(index, size).map_err(Failure::unavailable)?;
        let mut tiles = Tiles::default();
        let tiles_needed =
            needed(plan.needed(), size).ok_or_else(|| Failure::unavailable("no such tiles"))?;
        for tile in tiles_needed {
            tiles.insert(tile, &self.fetch(&tile.to_string()).await?).map_err(Failure::unavailable)?;
        }
        let hashes = plan.prove(|subtree| tiles.hash(subtree)).map_err(Failure::unavailable)?;
        let proof = LogProof { index, hashes, checkpoint: note };
        proof.verify(&entry, &trust, &Jws).map_err(Failure::unavailable)?;
        Ok(index)
    }

    async fn index_of(&self, entry: &Hash, size: u64) -> Result<u64, Failure> {
        for (index, first) in (0..size).step_by(256).enumerate() {
            let width = (size - first).min(WIDEST);
            let tile =
                u16::try_from(width).ok().and_then(|width| Tile::new(Kind::Entries, index as u64, width));
            let tile = tile.ok_or_else(|| Failure::unavailable("no such tile"))?;
            let bundle = self.fetch(&tile.to_string()).await?;
            let all = entries(&bundle, tile.width()).map_err(Failure::unavailable)?;
            if let Some((place, _)) = (first..).zip(all).find(|(_, kept)| *kept == &entry[..]) {
                return Ok(place);
            }
        }
        Err(Failure::unavailable("the log does not have it"))
    }

    async fn fetch(&self, path: &str) -> Result<Vec<u8>, Failure> {
        let reply = self.http.get(&format!("{}/{path}", self.place)).send().await;
        let reply = reply.map_err(Failure::unavailable)?;
        match reply.status {
            200 => Ok(reply.body.to_vec()),
            status => Err(Failure::unavailable(format!("the log answered {status} for {path}"))),
        }
    }
}
