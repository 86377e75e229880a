//! Status lists in memory.

use std::collections::BTreeMap;

use vouchsafe_mutants as mutants;
use vouchsafe_protocol::status::Standing;
use vouchsafe_protocol::time::UnixTime;
use vouchsafe_service::entropy::Entropy;

use super::super::statuses::{Leftover, draw, has_room, judge};
use super::super::{
    Asked, Change, Mac, PublishedList, Reserve, ReserveRefusal, Shard, Snapshot, Statuses, StoreError,
};
use super::Memory;

/// The tables of status lists.
#[derive(Clone, Default)]
pub(super) struct Lists {
    shards: BTreeMap<String, Listed>,
    /// In the order in which they were handed out.
    entries: Vec<Entry>,
    changes: BTreeMap<(String, Mac), (Standing, usize)>,
    sequence: u64,
    published_at: Option<UnixTime>,
}

#[derive(Clone)]
struct Listed {
    entries: u64,
    used: u64,
    list: PublishedList,
}

#[derive(Clone)]
struct Entry {
    shard: String,
    idx: u64,
    type_id: String,
    person: Mac,
    state: Standing,
    until: UnixTime,
}

impl Entry {
    fn is_of(&self, type_id: &str, person: Mac) -> bool {
        self.type_id == type_id && self.person == person
    }
}

impl Lists {
    /// The state that the next publication gives the entry with this number.
    fn next(&self, number: usize, entry: &Entry) -> Standing {
        match self.changes.get(&(entry.type_id.clone(), entry.person)) {
            Some((to, upto)) if number < *upto && entry.state != Standing::Revoked => *to,
            _ => entry.state,
        }
    }

    fn is_suspended(&self, type_id: &str, person: Mac) -> bool {
        let of = self.entries.iter().enumerate().filter(|(_, entry)| entry.is_of(type_id, person));
        let now = |(number, entry): (usize, &Entry)| {
            entry.state == Standing::Suspended || self.next(number, entry) == Standing::Suspended
        };
        of.into_iter().any(now)
    }

    fn leftover(&self, name: &str, listed: &Listed, before: UnixTime) -> Leftover {
        let of = || self.entries.iter().filter(|entry| entry.shard == *name);
        let held = |entry: &Entry| {
            let waits = self.changes.contains_key(&(entry.type_id.clone(), entry.person));
            waits || entry.state == Standing::Suspended
        };
        Leftover {
            used: listed.used > 0,
            needed: of().any(|entry| entry.until >= before),
            held: of().any(held),
        }
    }

    fn ask(&mut self, change: &Change<'_>) -> Asked {
        let key = (change.type_id.to_owned(), change.person);
        let of = self.entries.iter().filter(|entry| entry.is_of(change.type_id, change.person));
        let waiting = self.changes.get(&key).map(|(to, _)| *to);
        let asked = judge(of.map(|entry| entry.state), waiting, change.to);
        if asked == Asked::Waiting {
            self.changes.insert(key, (change.to, self.entries.len()));
            self.sequence += 1;
        }
        asked
    }

    fn snapshot(&self) -> Snapshot {
        let shard = |(name, listed): (&String, &Listed)| {
            let of = self.entries.iter().enumerate().filter(|(_, entry)| entry.shard == *name);
            let mut marked: Vec<_> =
                of.map(|(number, entry)| (entry.idx, self.next(number, entry))).collect();
            marked.retain(|(_, standing)| *standing != Standing::Valid);
            marked.sort_unstable();
            Shard { name: name.clone(), entries: listed.entries, marked }
        };
        Snapshot {
            sequence: self.sequence,
            changes: count(self.changes.len()),
            shards: self.shards.iter().map(shard).collect(),
        }
    }
}

impl Statuses for Memory {
    async fn open_shard(&self) -> Result<Option<String>, StoreError> {
        let tables = self.tables();
        let room = |(_, listed): &(&String, &Listed)| has_room(listed.entries, listed.used, 1);
        Ok(tables.lists.shards.iter().find(room).map(|(name, _)| name.clone()))
    }

    async fn add_shard(&self, entries: u64, list: &PublishedList) -> Result<(), StoreError> {
        let listed = Listed { entries, used: 0, list: list.clone() };
        self.tables().lists.shards.insert(list.shard.clone(), listed);
        Ok(())
    }

    async fn reserve(
        &self,
        reserve: &Reserve,
        entropy: &dyn Entropy,
    ) -> Result<Result<Vec<u64>, ReserveRefusal>, StoreError> {
        let mut tables = self.tables();
        let people = tables.siblings(&reserve.type_id, reserve.person);
        let lists = &mut tables.lists;
        let active = !people.iter().any(|person| lists.is_suspended(&reserve.type_id, *person));
        if !(mutants::skips("store-status-suspended") || active) {
            return Ok(Err(ReserveRefusal::Suspended));
        }
        let Some(shard) = lists.shards.get_mut(&reserve.shard) else { return Ok(Err(ReserveRefusal::Full)) };
        if !has_room(shard.entries, shard.used, reserve.count.into()) {
            return Ok(Err(ReserveRefusal::Full));
        }
        shard.used += u64::from(reserve.count);
        let entries = shard.entries;
        let mut drawn = Vec::new();
        while drawn.len() < usize::try_from(reserve.count).unwrap_or(usize::MAX) {
            let idx = draw(entries, entropy);
            let fresh = lists.entries.iter().all(|entry| entry.shard != reserve.shard || entry.idx != idx);
            if !(mutants::skips("store-status-idx-once") || fresh) {
                continue;
            }
            drawn.push(idx);
            lists.entries.push(Entry {
                shard: reserve.shard.clone(),
                idx,
                type_id: reserve.type_id.clone(),
                person: reserve.person,
                state: Standing::Valid,
                until: reserve.until,
            });
        }
        Ok(Ok(drawn))
    }

    async fn ask(&self, changes: &[Change<'_>]) -> Result<Vec<Asked>, StoreError> {
        let mut tables = self.tables();
        Ok(changes.iter().map(|change| tables.lists.ask(change)).collect())
    }

    async fn published_at(&self) -> Result<UnixTime, StoreError> {
        Ok(self.tables().lists.published_at.unwrap_or(UnixTime(0)))
    }

    async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        Ok(self.tables().lists.snapshot())
    }

    async fn publish(
        &self,
        snapshot: &Snapshot,
        published: &[PublishedList],
        now: UnixTime,
    ) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let lists = &mut tables.lists;
        if !(mutants::skips("store-status-sequence") || lists.sequence == snapshot.sequence) {
            return Ok(false);
        }
        for number in 0..lists.entries.len() {
            lists.entries[number].state = lists.next(number, &lists.entries[number]);
        }
        lists.changes.clear();
        lists.sequence += 1;
        lists.published_at = Some(now);
        for list in published {
            if let Some(listed) = lists.shards.get_mut(&list.shard) {
                listed.list = list.clone();
            }
        }
        Ok(true)
    }

    async fn list(&self, shard: &str) -> Result<Option<(u64, PublishedList)>, StoreError> {
        let tables = self.tables();
        let sequence = tables.lists.sequence;
        Ok(tables.lists.shards.get(shard).map(|listed| (sequence, listed.list.clone())))
    }

    async fn sequence(&self) -> Result<u64, StoreError> {
        Ok(self.tables().lists.sequence)
    }

    async fn clean(&self, before: UnixTime, most: u32) -> Result<bool, StoreError> {
        let mut tables = self.tables();
        let lists = &mut tables.lists;
        let over = lists.shards.iter().find(|(name, listed)| lists.leftover(name, listed, before).is_over());
        let Some(name) = over.map(|(name, _)| name.clone()) else { return Ok(false) };
        if let Some(listed) = lists.shards.get_mut(&name) {
            listed.used = listed.entries;
        }
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        // Entries keep their numbers, which changes go by; those of no shard are in no list.
        for entry in lists.entries.iter_mut().filter(|entry| entry.shard == name).take(most) {
            *entry = Entry { shard: String::new(), type_id: String::new(), ..entry.clone() };
        }
        if lists.entries.iter().all(|entry| entry.shard != name) {
            lists.shards.remove(&name);
            lists.sequence += 1;
        }
        Ok(true)
    }
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
