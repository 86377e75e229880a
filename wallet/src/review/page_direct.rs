//! The words for a request without a policy: what is sent, what can be added, and by which names.

use std::collections::BTreeSet;

use super::{Alternative, Direct, DirectPart};
use crate::review::Ability;
use crate::review::page::Writer;

impl Writer<'_> {
    /// What is sent; of a request that cannot be answered, what it needs.
    pub(super) fn direct_learn(&self, direct: &Direct) -> Vec<String> {
        let told = |part: &&DirectPart| part.sent || direct.ability != Ability::Can;
        let mut lines: Vec<String> =
            direct.parts.iter().filter(told).flat_map(|part| self.part(part)).collect();
        if !lines.is_empty() {
            lines.push(format!("– {}", self.say("learn_always", &[])));
        }
        lines
    }

    fn part(&self, part: &DirectPart) -> Vec<String> {
        let intro = part.held.as_ref().map(|held| {
            let (name, issuer) = (self.text(&held.name), self.text(&held.issuer));
            self.say("learn_intro", &[("credential", name), ("issuer", issuer)])
        });
        let added = part.optional.map(|n| format!("– {}", self.say("learn_added", &[("n", &n.to_string())])));
        intro.into_iter().chain(self.entries(part)).chain(added).collect()
    }

    fn entries(&self, part: &DirectPart) -> Vec<String> {
        part.learn.iter().map(|learn| format!("– {}", learn.line(self.language))).collect()
    }

    /// What the service can do without and would not get, with the numbers by which it is added.
    pub(super) fn optional(&self) -> Vec<String> {
        let parts = self.facts.direct.iter().flat_map(|direct| &direct.parts);
        let left = parts.filter(|part| !part.sent).filter_map(|part| Some((part.optional?, part)));
        left.flat_map(|(n, part)| {
            let intro = part.held.as_ref().map(|held| {
                let (name, issuer) = (self.text(&held.name), self.text(&held.issuer));
                let n = n.to_string();
                self.say("optional_intro", &[("n", &n), ("credential", name), ("issuer", issuer)])
            });
            intro.into_iter().chain(self.entries(part)).collect::<Vec<_>>()
        })
        .collect()
    }

    pub(super) fn direct_not_learn(&self, direct: &Direct) -> Vec<String> {
        let shown: BTreeSet<&str> =
            direct.sent().flat_map(|part| &part.learn).map(|learn| self.text(&learn.label)).collect();
        let mut told = BTreeSet::new();
        let hidden = direct.sent().flat_map(|part| &part.hidden).map(|label| self.text(label));
        let hidden = hidden.filter(|label| !shown.contains(label) && told.insert(*label));
        let mut lines: Vec<String> =
            hidden.map(|label| format!("– {}", self.say("not_learn", &[("label", label)]))).collect();
        if lines.is_empty() && direct.sent().next().is_some() {
            lines.push(self.say("not_learn_nothing_else", &[]));
        }
        lines.push(self.say("not_learn_limit", &[]));
        lines
    }

    pub(super) fn direct_warnings(&self, direct: &Direct) -> Vec<String> {
        let keys = direct.sent().flat_map(|part| {
            let suspended = part.suspended.then_some("warn_suspended");
            suspended.into_iter().chain(part.refresh.map(|refresh| refresh.key()))
        });
        let keys: BTreeSet<&str> = keys.collect();
        keys.into_iter().map(|key| self.say(key, &[])).collect()
    }

    pub(super) fn direct_choices(&self, direct: &Direct) -> Vec<String> {
        let share = match direct.ability {
            Ability::Can if direct.sent().next().is_none() => "choice_nothing",
            Ability::Can => self.share_key(),
            ability => ability.key(),
        };
        let mut lines = vec![self.say(share, &[]), self.say("choice_no", &[])];
        let left = direct.parts.iter().filter(|part| !part.sent).filter_map(|part| part.optional);
        let left: BTreeSet<usize> = left.collect();
        lines.extend(left.iter().map(|n| self.say("choice_add", &[("n", &n.to_string())])));
        lines.extend(direct.others.iter().map(|other| self.alternative(other)));
        lines
    }

    fn alternative(&self, other: &Alternative) -> String {
        let (name, issuer) = (self.text(&other.held.name), self.text(&other.held.issuer));
        let key = if other.beside { "choice_beside" } else { "choice_other" };
        self.say(key, &[("credential", name), ("issuer", issuer), ("id", &other.held.id)])
    }
}
