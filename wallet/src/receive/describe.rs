//! What people call a credential and what it says: the words of the type's own document, else of the issuer's metadata.

use std::collections::BTreeMap;

use vouchsafe_protocol::json;
use vouchsafe_protocol::openid4vci::batch::Received;
use vouchsafe_protocol::openid4vci::metadata::Configuration;
use vouchsafe_protocol::openid4vci::type_metadata::TypeMetadata;
use vouchsafe_protocol::sd_jwt::Step;
use vouchsafe_protocol::text::Bilingual;

use crate::store::{self, Attribute};

/// A text and its language.
type Word<'a> = (Option<&'a str>, &'a str);

/// The name of a credential; `fallback` where nobody gives it one.
pub(super) fn name(
    configuration: &Configuration,
    document: Option<&TypeMetadata>,
    fallback: &str,
) -> Bilingual {
    let own = document.iter().flat_map(|document| &document.display);
    let own: Vec<Word<'_>> = own.map(|one| (Some(one.locale.as_str()), one.name.as_str())).collect();
    let metadata = configuration.credential_metadata.iter().flat_map(|metadata| &metadata.display);
    let metadata: Vec<Word<'_>> = metadata.map(|one| (one.locale.as_deref(), one.name.as_str())).collect();
    both(if own.is_empty() { &metadata } else { &own }, fallback)
}

/// Names of what a copy says something about: what can be shown, then what can only be proved.
pub(super) fn attributes(
    configuration: &Configuration,
    document: Option<&TypeMetadata>,
    copy: &Received,
) -> Vec<Attribute> {
    let mut described = in_metadata(configuration);
    described.extend(document.map(in_document).unwrap_or_default());
    let shown = copy.held.disclosed().paths().iter().filter_map(|path| match path.as_slice() {
        [Step::Name(name)] => Some(format!("/{name}")),
        _ => None,
    });
    let proved = copy.opened.iter().flat_map(|opened| opened.attributes.iter().map(|a| a.pointer.clone()));
    let mut pointers: Vec<String> = Vec::new();
    for pointer in shown.chain(proved) {
        if !pointers.contains(&pointer) {
            pointers.push(pointer);
        }
    }
    let label =
        |pointer: &String| described.get(pointer).cloned().unwrap_or_else(|| store::bare_label(pointer));
    pointers.into_iter().map(|pointer| Attribute { label: label(&pointer), pointer }).collect()
}

fn in_metadata(configuration: &Configuration) -> BTreeMap<String, Bilingual> {
    let claims = configuration.credential_metadata.iter().flat_map(|metadata| &metadata.claims);
    let named = claims.filter_map(|claim| {
        let words: Vec<_> =
            claim.display.iter().map(|one| (one.locale.as_deref(), one.name.as_str())).collect();
        labelled(&claim.path, &words)
    });
    named.collect()
}

fn in_document(document: &TypeMetadata) -> BTreeMap<String, Bilingual> {
    let named = document.claims.iter().filter(|claim| !claim.display.is_empty()).filter_map(|claim| {
        let words: Vec<_> =
            claim.display.iter().map(|one| (Some(one.locale.as_str()), one.label.as_str())).collect();
        labelled(&claim.path, &words)
    });
    named.collect()
}

fn labelled(path: &[json::Value], words: &[Word<'_>]) -> Option<(String, Bilingual)> {
    let pointer: String =
        path.iter().map(|step| Some(format!("/{}", step.as_str()?))).collect::<Option<_>>()?;
    let label = both(words, &store::bare_label(&pointer).en);
    Some((pointer, label))
}

/// Both languages of a text; one language stands for the other, and the fallback for both.
fn both(words: &[Word<'_>], fallback: &str) -> Bilingual {
    let named = |wanted: &str| {
        let is =
            |(locale, _): &&Word<'_>| locale.is_some_and(|locale| locale.split('-').next() == Some(wanted));
        words.iter().find(is).map(|(_, text)| (*text).to_owned())
    };
    let any = || words.first().map_or_else(|| fallback.to_owned(), |(_, text)| (*text).to_owned());
    let en = named("en").unwrap_or_else(any);
    let cy = named("cy").unwrap_or_else(|| en.clone());
    Bilingual { en, cy }
}
