//! The words for the way that a policy would be answered by, of one credential or of several.

use std::collections::BTreeSet;

use super::page::Writer;
use super::together::issuers;
use super::{Ability, HeldName, Mark, Together, Way, WayPart};
use crate::words;

impl Writer<'_> {
    /// What a way tells: of each credential alone, then of all together.
    pub(super) fn learnt_by(&self, way: &Way) -> Vec<String> {
        let mut lines = Vec::new();
        let several = way.parts.len() > 1;
        for (at, part) in way.parts.iter().enumerate() {
            lines.extend(self.from(way, at, part, several));
            lines.extend(part.learn.iter().map(|learn| format!("– {}", learn.line(self.language))));
            if several && part.learn.is_empty() {
                lines.push(format!("– {}", self.say("learn_only_together", &[])));
            }
        }
        if several && !way.together.is_empty() {
            lines.push(self.say("learn_together", &[]));
        }
        lines.extend(self.together(way));
        let always = if several { "learn_always_each" } else { "learn_always" };
        lines.push(format!("– {}", self.say(always, &[])));
        lines
    }

    /// What would be learnt, without the names of the credentials.
    pub(super) fn bare_lines(&self, way: &Way) -> Vec<String> {
        let learn = way.parts.iter().flat_map(|part| &part.learn);
        let mut lines: Vec<String> = learn.map(|learn| format!("– {}", learn.line(self.language))).collect();
        lines.extend(self.together(way));
        lines
    }

    fn together<'b>(&'b self, way: &'b Way) -> impl Iterator<Item = String> + 'b {
        way.together.iter().map(|one| format!("– {}", one.line(self.language)))
    }

    /// The credential that the lines after it are of.
    fn from(&self, way: &Way, at: usize, part: &WayPart, several: bool) -> Option<String> {
        let Some(held) = &part.held else {
            let (name, from) = (self.text(&part.wanted.name), issuers(self.language, &part.wanted.issuers));
            let values = [("credential", name), ("issuer", &*from)];
            let key = match way.ability {
                Ability::AnotherPerson => "learn_intro_partner",
                _ => "learn_intro_missing",
            };
            return several.then(|| self.say(key, &values));
        };
        let (name, issuer) = (self.text(&held.name), self.text(&held.issuer));
        let mark = way.together.iter().flat_map(Together::terms).find(|term| term.place.query == at);
        match mark.and_then(|term| term.place.mark.as_ref()) {
            Some(Mark::Number(n)) => {
                let n = n.to_string();
                let values = [("n", &*n), ("credential", name), ("issuer", issuer)];
                Some(self.say("learn_intro_number", &values))
            }
            _ => Some(self.say("learn_intro", &[("credential", name), ("issuer", issuer)])),
        }
    }

    pub(super) fn ways_not_learn(&self) -> Vec<String> {
        let Some(way) = self.facts.offered() else { return Vec::new() };
        let several = way.parts.len() > 1;
        let mut told = BTreeSet::new();
        let hidden = way.parts.iter().flat_map(|part| part.hidden.iter().map(move |label| (part, label)));
        let lines = hidden.map(|(part, label)| {
            let label = ("label", self.text(label));
            match &part.held {
                Some(held) if several => {
                    let (name, issuer) = (self.text(&held.name), self.text(&held.issuer));
                    self.say("not_learn_of", &[label, ("credential", name), ("issuer", issuer)])
                }
                _ => self.say("not_learn", &[label]),
            }
        });
        let mut lines: Vec<String> =
            lines.filter(|line| told.insert(line.clone())).map(|line| format!("– {line}")).collect();
        if way.parts.iter().any(|part| part.held.is_some()) && lines.is_empty() {
            lines.push(self.say("not_learn_nothing_else", &[]));
        }
        // A copy is unlike any other, so its signer can tell whose it was (`specs/linkability.md`).
        lines.push(self.say(if several { "not_learn_limit_each" } else { "not_learn_limit" }, &[]));
        lines
    }

    pub(super) fn ways_warnings(&self) -> Vec<String> {
        let Some(way) = self.facts.offered() else { return Vec::new() };
        let line = |probed: &super::Probed| {
            let n = probed.bounds.to_string();
            self.say("warn_probing", &[("n", &n), ("label", self.text(&probed.label))])
        };
        let each = |key: &dyn Fn(&WayPart) -> Option<&'static str>| {
            let told = way.parts.iter().filter_map(|part| Some(self.of(way, part, key(part)?)));
            told.collect::<Vec<_>>()
        };
        let mut lines = each(&|part| part.suspended.then_some("warn_suspended"));
        lines.extend(each(&|part| part.stale.then_some("warn_stale")));
        lines.extend(each(&|part| part.refresh.map(crate::list::Refresh::key)));
        lines.extend(way.probed.iter().map(line));
        lines
    }

    /// A sentence about one credential, which is named where there are several.
    fn of(&self, way: &Way, part: &WayPart, key: &str) -> String {
        match &part.held {
            Some(held) if way.parts.len() > 1 => {
                let (name, issuer) = (self.text(&held.name), self.text(&held.issuer));
                let named = self.say("part_named", &[("credential", name), ("issuer", issuer)]);
                format!("{named} {}", self.say(key, &[]))
            }
            _ => self.say(key, &[]),
        }
    }

    pub(super) fn ways_choices(&self) -> Vec<String> {
        let offered = self.facts.offered();
        let mut lines = offered.map_or_else(|| vec![self.say("cannot_none_held", &[])], |way| self.able(way));
        lines.push(self.say("choice_no", &[]));
        let mut told = BTreeSet::new();
        let others = offered.into_iter().flat_map(|way| &way.parts).flat_map(|part| &part.others);
        lines.extend(others.filter(|held| told.insert(&held.id)).map(|held| self.other(held)));
        let apart = |way: &&Way| way.ability == Ability::AnotherPerson;
        if offered.is_none_or(|way| !apart(&way)) && self.facts.ways.iter().any(|way| apart(&way)) {
            lines.push(self.say("choice_another_person", &[]));
        }
        lines.extend(self.contrary());
        lines
    }

    /// Whether the way can be taken; where a credential is missing, which.
    fn able(&self, way: &Way) -> Vec<String> {
        let missing =
            matches!(way.ability, Ability::NoneHeld | Ability::TooOld | Ability::NoneLeft | Ability::Revoked);
        let several = way.parts.len() > 1;
        let lacks = |part: &&WayPart| missing && !matches!(part.ability, Ability::Can | Ability::NotMet);
        let first = match way.ability {
            _ if missing && several => "cannot_all",
            Ability::NotMet if several => "cannot_not_met_each",
            Ability::Can => self.share_key(),
            ability => ability.key(),
        };
        let named = |part: &&WayPart| several || part.wanted.period.is_some();
        let lacks = way.parts.iter().filter(lacks).filter(named).map(|part| match part.held {
            Some(_) => self.of(way, part, part.ability.key()),
            None => self.missing(part),
        });
        std::iter::once(self.say(first, &[])).chain(lacks).collect()
    }

    /// What this wallet does not hold: nothing of that type, body and month that can still be used.
    fn missing(&self, part: &WayPart) -> String {
        let (name, from) = (self.text(&part.wanted.name), issuers(self.language, &part.wanted.issuers));
        let values = [("credential", name), ("issuer", &*from)];
        match &part.wanted.period {
            Some(period) => {
                let month = words::month(self.language, period);
                self.say("missing_month", &[values[0], values[1], ("month", &month)])
            }
            None => self.say("missing", &values),
        }
    }

    /// A credential that could answer instead, with the number by which it is asked for.
    fn other(&self, held: &HeldName) -> String {
        let (name, issuer) = (self.text(&held.name), self.text(&held.issuer));
        self.say("choice_other", &[("credential", name), ("issuer", issuer), ("id", &held.id)])
    }

    /// What a contrary answer would tell, only where one is possible, and never as a suggestion to make it.
    fn contrary(&self) -> Vec<String> {
        let Some(way) = self.facts.contrary() else { return Vec::new() };
        let mut lines = vec![self.say("choice_contrary", &[]), self.say("contrary_intro", &[])];
        lines.extend(self.bare_lines(way));
        lines
    }
}
