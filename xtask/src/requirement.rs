//! The few version requirements that `deny.toml` uses: `name`, `name@4` (a major line) and `name@<1.2.3` (a floor).

/// A package, or some of its versions.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Requirement {
    name: String,
    versions: Versions,
}

#[derive(Debug, PartialEq, Eq)]
enum Versions {
    All,
    Major(u64),
    Below((u64, u64, u64)),
}

impl Requirement {
    /// Reads one; `None` if it is of no form we know.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (name, rest) = text.split_once('@').map_or((text, None), |(name, rest)| (name, Some(rest)));
        let versions = match rest {
            None => Versions::All,
            Some(rest) => match rest.strip_prefix('<') {
                Some(floor) => Versions::Below(version(floor)?),
                None => Versions::Major(rest.parse().ok()?),
            },
        };
        Some(Self { name: name.to_owned(), versions })
    }

    pub(crate) fn matches(&self, name: &str, found: &str) -> bool {
        name == self.name
            && match (&self.versions, version(found)) {
                (Versions::All, _) => true,
                (Versions::Major(major), Some(found)) => found.0 == *major,
                (Versions::Below(floor), Some(found)) => found < *floor,
                (_, None) => true,
            }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

/// Major, minor, patch; pre-release and build parts are not told apart.
fn version(text: &str) -> Option<(u64, u64, u64)> {
    let text = text.split(['-', '+']).next()?;
    let mut parts = text.split('.').map(str::parse);
    let mut next = || parts.next().unwrap_or(Ok(0)).ok();
    Some((next()?, next()?, next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(requirement: &str, name: &str, version: &str) -> bool {
        Requirement::parse(requirement).is_some_and(|r| r.matches(name, version))
    }

    #[test]
    fn says_which_versions_it_means() {
        assert!(matches("rsa", "rsa", "0.9.8"));
        assert!(!matches("rsa", "rsa2", "0.9.8"));
        assert!(matches("dalek@4", "dalek", "4.1.3") && !matches("dalek@4", "dalek", "5.0.0"));
        assert!(matches("ring@<0.17.14", "ring", "0.17.9") && !matches("ring@<0.17.14", "ring", "0.17.14"));
        assert_eq!(Requirement::parse("ring@~0.17"), None);
    }
}
