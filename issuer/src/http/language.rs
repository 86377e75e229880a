//! Which form and which languages a wallet asked for: RFC 9110 12.5.1 and 12.5.4, as far as there is a choice.

use axum::http::{HeaderMap, HeaderName, header};
use vouchsafe_protocol::openid4vci::metadata::{Display, IssuerMetadata};

/// The languages of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Languages {
    /// Both: nothing was asked for, or both, or neither.
    Both,
    /// English alone.
    English,
    /// Welsh alone.
    Welsh,
}

impl Languages {
    /// One language where it alone was asked for or is preferred; both otherwise, so that a wallet can choose.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let asked = weighed(headers, header::ACCEPT_LANGUAGE);
        let weight = |wanted: &str| {
            let is =
                |(tag, weight): &(String, u16)| (tag.split('-').next() == Some(wanted)).then_some(*weight);
            asked.iter().filter_map(is).max().unwrap_or(0)
        };
        match (weight("en"), weight("cy")) {
            (en, cy) if en == cy => Self::Both,
            (en, cy) if en > cy => Self::English,
            _ => Self::Welsh,
        }
    }

    /// `Content-Language`.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Both => "en, cy",
            Self::English => "en",
            Self::Welsh => "cy",
        }
    }

    fn has(self, locale: Option<&str>) -> bool {
        match self {
            Self::Both => true,
            Self::English => locale == Some("en"),
            Self::Welsh => locale == Some("cy"),
        }
    }
}

/// Leaves out what is in another language.
pub(super) fn keep(metadata: &mut IssuerMetadata, languages: Languages) {
    let keep = |all: &mut Vec<Display>| all.retain(|one| languages.has(one.locale.as_deref()));
    keep(&mut metadata.display);
    for configuration in metadata.credential_configurations_supported.values_mut() {
        let Some(shown) = configuration.credential_metadata.as_mut() else { continue };
        keep(&mut shown.display);
        shown.claims.iter_mut().for_each(|claim| keep(&mut claim.display));
    }
}

/// Whether this media type is asked for by name, and before JSON.
pub(super) fn accepts(headers: &HeaderMap, media_type: &str) -> bool {
    let asked = weighed(headers, header::ACCEPT);
    let weight =
        |wanted: &str| asked.iter().find(|(name, _)| name == wanted).map_or(0, |(_, weight)| *weight);
    let place = |wanted: &str| asked.iter().position(|(name, _)| name == wanted).unwrap_or(usize::MAX);
    let (ours, json) = (weight(media_type), weight("application/json"));
    ours > json || (ours > 0 && ours == json && place(media_type) < place("application/json"))
}

/// The members of a list with their weights in thousandths, in lower case; what has no form of a weight counts fully.
fn weighed(headers: &HeaderMap, name: HeaderName) -> Vec<(String, u16)> {
    let lines = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    let members = lines.flat_map(|line| line.split(','));
    members
        .map(|member| {
            let mut parts = member.split(';');
            let name = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
            let weight = parts.find_map(|part| part.trim().strip_prefix("q=")?.parse::<f32>().ok());
            // Rounding cannot leave the range of a u16 after the clamp.
            let weight = weight.map_or(1000.0, |weight| (weight * 1000.0).clamp(0.0, 1000.0));
            (name, thousandths(weight))
        })
        .collect()
}

fn thousandths(weight: f32) -> u16 {
    (0..=1000).rev().find(|step| f32::from(*step) <= weight).unwrap_or(0)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
mod tests {
    use super::*;

    fn with(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn a_language_that_is_preferred_comes_alone() {
        let of = |value: &str| Languages::of(&with(header::ACCEPT_LANGUAGE, value));
        assert_eq!(Languages::of(&HeaderMap::new()), Languages::Both);
        for (value, expected) in [
            ("cy", Languages::Welsh),
            ("cy-GB, en;q=0.8", Languages::Welsh),
            ("en-GB,en;q=0.9,cy;q=0.1", Languages::English),
            ("en, cy", Languages::Both),
            ("fr, *;q=0.1", Languages::Both),
            ("en;q=0", Languages::Both),
        ] {
            assert_eq!(of(value), expected, "{value}");
        }
    }

    #[test]
    fn signed_metadata_comes_to_who_asks_for_it() {
        let signed = |value: &str| accepts(&with(header::ACCEPT, value), "application/jwt");
        assert!(!accepts(&HeaderMap::new(), "application/jwt"));
        for (value, expected) in [
            ("application/jwt", true),
            ("application/json", false),
            ("*/*", false),
            ("application/jwt, application/json;q=0.9", true),
            ("application/json, application/jwt", false),
            ("application/jwt;q=0.5, application/json", false),
            ("application/jwt;q=0", false),
            ("application/jwt;q=0, application/json;q=0", false),
        ] {
            assert_eq!(signed(value), expected, "{value}");
        }
    }
}
