//! The dependency graph against `deny.toml`.
//!
//! The file is in cargo-deny's format, so that tool can read it too where it is installed; this step needs only
//! `cargo metadata` and never the network. It checks bans (with the parents that may have a banned package), floors,
//! licences and sources. Advisories need a database and are cargo-deny's part.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::licence::allowed;
use crate::process::{Failure, cargo, output};
use crate::requirement::Requirement;
use crate::tally::Tally;

#[derive(Deserialize)]
struct Deny {
    bans: Bans,
    licenses: Licences,
    sources: Sources,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Ban {
    #[serde(rename = "crate")]
    package: String,
    /// Packages that may depend on it directly.
    #[serde(default)]
    wrappers: Vec<String>,
    /// Allowed, but in one version.
    #[serde(default)]
    deny_multiple_versions: bool,
    reason: String,
}

#[derive(Deserialize)]
struct Licences {
    allow: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Sources {
    allow_registry: Vec<String>,
}

/// A package of the graph.
#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    /// `None` for the packages of this workspace.
    source: Option<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    dependencies: Vec<String>,
}

/// Counts one check for each ban, one for the licences and one for the sources.
pub(crate) fn check() -> Result<Tally, Failure> {
    let deny: Deny = toml::from_str(&std::fs::read_to_string("deny.toml")?)
        .map_err(|error| Failure(format!("deny.toml: {error}")))?;
    let graph = graph()?;
    let bans = deny.bans.deny.iter().map(|ban| Tally::of_faults("deps", &faults_of_ban(ban, &graph)));
    let licences: Vec<String> =
        graph.packages.iter().filter_map(|p| fault_of_licence(p, &deny.licenses)).collect();
    let sources: Vec<String> =
        graph.packages.iter().filter_map(|p| fault_of_source(p, &deny.sources)).collect();
    Ok(bans.sum::<Tally>() + Tally::of_faults("deps", &licences) + Tally::of_faults("deps", &sources))
}

fn graph() -> Result<Metadata, Failure> {
    let text = output(&mut cargo(&["metadata", "--format-version", "1", "--locked", "--all-features"]))?;
    let value: Value = serde_json::from_str(&text).map_err(|error| Failure(error.to_string()))?;
    serde_json::from_value(value).map_err(|error| Failure(format!("cargo metadata: {error}")))
}

fn fault_of_licence(package: &Package, licences: &Licences) -> Option<String> {
    let licence = package.license.as_deref().unwrap_or("");
    let fault = || format!("{} {}: licence `{licence}` is not allowed", package.name, package.version);
    (!allowed(licence, &licences.allow)).then(fault)
}

fn fault_of_source(package: &Package, sources: &Sources) -> Option<String> {
    let source = package.source.as_deref()?;
    let url = source.split_once('+').map_or(source, |(_, url)| url);
    let known = sources.allow_registry.iter().any(|allowed| allowed == url);
    (!known).then(|| format!("{} {} comes from elsewhere: {url}", package.name, package.version))
}

fn faults_of_ban(ban: &Ban, graph: &Metadata) -> Vec<String> {
    let Some(requirement) = Requirement::parse(&ban.package) else {
        return vec![format!("deny.toml: `{}` is of no form this step knows", ban.package)];
    };
    let found: Vec<&Package> =
        graph.packages.iter().filter(|p| requirement.matches(&p.name, &p.version)).collect();
    if ban.deny_multiple_versions {
        let one = found.len() <= 1;
        return if one {
            Vec::new()
        } else {
            vec![format!("{} in {} versions", requirement.name(), found.len())]
        };
    }
    found.iter().flat_map(|package| faults_of_package(package, ban, graph)).collect()
}

fn faults_of_package(package: &Package, ban: &Ban, graph: &Metadata) -> Vec<String> {
    let what = format!("{} {}", package.name, package.version);
    if ban.wrappers.is_empty() {
        return vec![format!("{what} is banned: {}", ban.reason)];
    }
    let strangers =
        parents(package, graph).into_iter().filter(|parent| !ban.wrappers.iter().any(|w| w == parent));
    strangers.map(|parent| format!("{what} under {parent} is banned: {}", ban.reason)).collect()
}

fn parents<'a>(package: &Package, graph: &'a Metadata) -> Vec<&'a str> {
    let names: BTreeMap<&str, &str> =
        graph.packages.iter().map(|p| (p.id.as_str(), p.name.as_str())).collect();
    let nodes = graph.resolve.nodes.iter().filter(|node| node.dependencies.contains(&package.id));
    nodes.filter_map(|node| names.get(node.id.as_str()).copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRAPH: &str = r#"{
        "packages": [
            {"id": "top", "name": "top", "version": "0.1.0", "license": "MIT", "source": null},
            {"id": "mid", "name": "mid", "version": "1.0.0", "license": "GPL-3.0", "source": "registry+https://one"},
            {"id": "old", "name": "curve", "version": "4.1.3", "license": "MIT", "source": "git+https://two"},
            {"id": "new", "name": "curve", "version": "5.0.0", "license": "MIT", "source": "registry+https://one"}
        ],
        "resolve": {"nodes": [
            {"id": "top", "dependencies": ["mid", "old"]},
            {"id": "mid", "dependencies": ["old", "new"]}
        ]}
    }"#;

    fn of_ban(rule: &str) -> usize {
        let graph: Metadata = serde_json::from_str(GRAPH).expect("the sample is well formed");
        let ban: Ban =
            toml::from_str(&format!("{rule}\nreason = \"said\"")).expect("the rule is well formed");
        faults_of_ban(&ban, &graph).len()
    }

    #[test]
    fn bans_name_each_fault() {
        assert_eq!(of_ban("crate = \"absent\""), 0);
        assert_eq!(of_ban("crate = \"mid\""), 1);
        assert_eq!(of_ban("crate = \"curve@4\"\nwrappers = [\"mid\"]"), 1);
        assert_eq!(of_ban("crate = \"curve@4\"\nwrappers = [\"mid\", \"top\"]"), 0);
        assert_eq!(of_ban("crate = \"curve\"\ndeny-multiple-versions = true"), 1);
        assert_eq!(of_ban("crate = \"curve@<5.0.0\""), 1);
        assert_eq!(of_ban("crate = \"curve@>=4\""), 1, "an unknown form is a fault");
    }

    #[test]
    fn licences_and_sources_are_lists_of_the_allowed() {
        let graph: Metadata = serde_json::from_str(GRAPH).expect("the sample is well formed");
        let licences = Licences { allow: vec!["MIT".into()] };
        let sources = Sources { allow_registry: vec!["https://one".into()] };
        assert_eq!(graph.packages.iter().filter_map(|p| fault_of_licence(p, &licences)).count(), 1);
        assert_eq!(graph.packages.iter().filter_map(|p| fault_of_source(p, &sources)).count(), 1);
    }
}
