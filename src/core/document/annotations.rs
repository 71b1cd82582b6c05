//! What a document says of modules, facts apart: descriptions, ratings, counted installs.
//!
//! A module's fields are side by side under `name/field` (a name has no slash). With one map for each module, each of
//! two devices that never met would make its own, and one of these would hide the other with all its fields.

use std::collections::BTreeMap;

use automerge::{Automerge, ObjId, ReadDoc, ScalarValue, Value};
use cid::Cid;
use semver::Version;
use serde::{Deserialize, Serialize};

use super::edit::{EXPORTS, IMPORTS, README, TAG};
use super::view::is_link;
use super::{INSTALLS, MODULES, RATINGS, map};
use crate::canonical::{DecodeError, Decoder, Encoder};
use crate::fact::release::parse_version;
use crate::limits::*;
use crate::modules::description::{ModuleDescription, TextField};
use crate::name::ModuleName;
use crate::time::Timestamp;

/// How an owner describes a module. The last writer wins, field by field; of a tag, adding wins over removing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ModuleFacet {
    #[serde(flatten)]
    pub description: ModuleDescription,
    /// What the newest version asks for and offers, as the owner says; words in between blanks. For finding only.
    pub imports: Option<String>,
    pub exports: Option<String>,
}

/// What one person thinks of a module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rating {
    /// 1 to 5.
    pub stars: u8,
    /// May be empty.
    pub review: String,
    pub at: Timestamp,
    /// What the person had installed then.
    pub version: Option<Version>,
}

/// All of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ModuleAnnotations {
    pub modules: BTreeMap<ModuleName, ModuleFacet>,
    pub ratings: BTreeMap<ModuleName, Rating>,
    /// How often this person installed a module.
    pub installs: BTreeMap<ModuleName, u64>,
}

impl Rating {
    pub(super) fn encode(&self) -> Vec<u8> {
        let version = self.version.as_ref().map(Version::to_string).unwrap_or_default();
        Encoder::new().byte(self.stars).text(&self.review).integer(self.at.as_millis()).text(&version).finish()
    }

    fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(bytes);
        let (stars, review) = (decoder.byte()?, decoder.text()?.to_owned());
        let at = Timestamp::from_millis(decoder.integer()?);
        let version = match decoder.text()? {
            "" => None,
            text => Some(parse_version(text).map_err(|_| DecodeError::OutOfRange)?),
        };
        decoder.end()?;
        if !(1..=5).contains(&stars) || review.chars().count() > REVIEW_MAX_CHARS || at > Timestamp::LATEST {
            return Err(DecodeError::OutOfRange);
        }
        Ok(Self { stars, review, at, version })
    }
}

/// True for what may stand as a tag: lower-case letters, digits and hyphens in between.
pub fn is_tag(text: &str) -> bool {
    let allowed = |c: char| c == '-' || (c.is_alphanumeric() && !c.is_uppercase());
    !text.is_empty()
        && text.chars().count() <= TAG_MAX_CHARS
        && text.chars().all(allowed)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

pub(super) fn facet_key(name: &ModuleName, field: &str) -> String {
    format!("{name}/{field}")
}

/// What does not keep to the schema or the limits is left out.
pub(super) fn read(document: &Automerge) -> ModuleAnnotations {
    let mut shelf = ModuleAnnotations::default();
    if let Some(modules) = map(document, MODULES) {
        read_modules(document, &modules, &mut shelf.modules);
    }
    if let Some(ratings) = map(document, RATINGS) {
        for key in document.keys(&ratings).take(RATINGS_MAX) {
            let Ok(Some((Value::Scalar(value), _))) = document.get(&ratings, &key) else { continue };
            let rating = value.as_bytes().and_then(|bytes| Rating::decode(bytes).ok());
            if let (Ok(name), Some(rating)) = (canonical(&key), rating) {
                shelf.ratings.insert(name, rating);
            }
        }
    }
    if let Some(installs) = map(document, INSTALLS) {
        for key in document.keys(&installs).take(INSTALLS_MAX) {
            // Of counters that were begun apart every later install counts each: the largest is the nearest.
            let counters = document.get_all(&installs, &key).unwrap_or_default();
            let count = counters.iter().filter_map(|(value, _)| match value {
                Value::Scalar(value) => match value.as_ref() {
                    ScalarValue::Counter(counter) => u64::try_from(i64::from(counter)).ok(),
                    _ => None,
                },
                Value::Object(_) => None,
            });
            if let (Ok(name), Some(count)) = (canonical(&key), count.max()) {
                shelf.installs.insert(name, count);
            }
        }
    }
    shelf
}

/// Fields of one module, its tags included.
const FACETS_MAX: usize = 8 + 4 * TAGS_MAX;

fn read_modules(document: &Automerge, map: &ObjId, modules: &mut BTreeMap<ModuleName, ModuleFacet>) {
    for key in document.keys(map).take(MODULES_MAX * FACETS_MAX) {
        let Some((name, field)) = key.split_once('/') else { continue };
        let (Ok(name), Ok(Some((value, _)))) = (canonical(name), document.get(map, &key)) else { continue };
        if modules.len() >= MODULES_MAX && !modules.contains_key(&name) {
            break;
        }
        let facet = modules.entry(name).or_default();
        let text = |most: usize| value.as_str().filter(|text| text.chars().count() <= most).map(str::to_owned);
        if let Some(field) = TextField::from_key(field) {
            let text = text(field.max_chars()).filter(|text| !field.is_link() || is_link(text));
            *facet.description.text_mut(field) = text;
            continue;
        }
        match field {
            README => facet.description.readme = text(LINK_MAX_CHARS).filter(|cid| cid.parse::<Cid>().is_ok()),
            IMPORTS => facet.imports = text(INTERFACE_MAX_CHARS),
            EXPORTS => facet.exports = text(INTERFACE_MAX_CHARS),
            _ => {
                let tag = field.strip_prefix(TAG).filter(|tag| is_tag(tag));
                if let Some(tag) = tag.filter(|_| value.as_bool().is_some() && facet.description.tags.len() < TAGS_MAX)
                {
                    facet.description.tags.insert(tag.to_owned());
                }
            }
        }
    }
}

/// A name as it is written: another spelling of it would be a second entry for one module.
fn canonical(key: &str) -> Result<ModuleName, ()> {
    key.parse().ok().filter(|name: &ModuleName| name.as_str() == key).ok_or(())
}

#[cfg(test)]
mod tests {
    use super::super::*;
    use super::*;
    use crate::document::edit::FacetEdit;
    use crate::identity::SigningIdentity;

    const TOPIC: Topic = Topic::from_bytes([7; 32]);

    fn alice() -> SigningIdentity {
        SigningIdentity::from_entropy(&[1; 32])
    }

    fn write(document: &mut Document, actor: u8, edits: &[Edit]) -> VerifiedChange {
        document.edit(&alice(), &TOPIC, &[actor; 16], Timestamp::from_millis(1_000), edits).expect("a small edit")
    }

    fn name() -> ModuleName {
        "crc32".parse().expect("a name")
    }

    fn facet(facet: FacetEdit) -> Edit {
        Edit::Module { name: name(), facet }
    }

    fn tag(tag: &str, on: bool) -> Edit {
        facet(FacetEdit::Tag { tag: tag.to_owned(), on })
    }

    fn rating(stars: u8) -> Edit {
        let at = Timestamp::from_millis(u64::from(stars));
        let rating = Rating { stars, review: "useful".to_owned(), at, version: Some(Version::new(1, 0, 0)) };
        Edit::Rate { name: name(), rating: Some(rating) }
    }

    #[test]
    fn devices_that_never_met_describe_one_module() {
        let (mut one, mut two) = (Document::new(alice().identity()), Document::new(alice().identity()));
        let title =
            write(&mut one, 1, &[facet(FacetEdit::Text(TextField::Title, Some("CRC".into()))), tag("hash", true)]);
        let license = write(
            &mut two,
            2,
            &[facet(FacetEdit::Text(TextField::License, Some("MIT".into()))), tag("small", true), rating(4)],
        );
        one.admit(license).expect("a change");
        two.admit(title).expect("a change");
        assert_eq!(one.annotations(), two.annotations());
        let shelf = one.annotations();
        let described = &shelf.modules[&name()];
        assert_eq!(
            (described.description.title.as_deref(), described.description.license.as_deref()),
            (Some("CRC"), Some("MIT"))
        );
        assert_eq!(described.description.tags.iter().collect::<Vec<_>>(), ["hash", "small"]);
        assert_eq!(shelf.ratings[&name()].stars, 4);
    }

    #[test]
    fn adding_a_tag_wins_over_taking_it_away() {
        let mut one = Document::new(alice().identity());
        let first = write(&mut one, 1, &[tag("hash", true)]);
        let mut two = Document::new(alice().identity());
        two.admit(first).expect("a change");
        let removed = write(&mut one, 1, &[tag("hash", false)]);
        assert!(one.annotations().modules.is_empty(), "taken away where it was known");
        let again = [false, true].map(|on| write(&mut two, 2, &[tag("hash", on)]));
        for change in again {
            one.admit(change).expect("a change");
        }
        two.admit(removed).expect("a change");
        assert_eq!(one.annotations(), two.annotations());
        assert!(one.annotations().modules[&name()].description.tags.contains("hash"));
    }

    #[test]
    fn installs_are_counted_and_never_too_high() {
        let install = [Edit::CountInstall { name: name() }];
        let mut one = Document::new(alice().identity());
        let mut two = Document::new(alice().identity());
        let first = write(&mut one, 1, &install);
        let other = write(&mut two, 2, &install);
        one.admit(other).expect("a change");
        two.admit(first).expect("a change");
        write(&mut one, 1, &install);
        let count = one.annotations().installs[&name()];
        assert!((2..=3).contains(&count), "{count}");
    }

    #[test]
    fn what_breaks_a_limit_is_left_out_and_spoils_nothing_else() {
        let mut document = Document::new(alice().identity());
        let long = "x".repeat(DESCRIPTION_MAX_CHARS + 1);
        let edits = [
            facet(FacetEdit::Text(TextField::Description, Some(long))),
            facet(FacetEdit::Text(TextField::Repository, Some("javascript:alert(1)".into()))),
            facet(FacetEdit::Text(TextField::License, Some("MIT".into()))),
            tag("Not A Tag", true),
            rating(6),
        ];
        write(&mut document, 1, &edits);
        let shelf = document.annotations();
        let description = ModuleDescription { license: Some("MIT".into()), ..ModuleDescription::default() };
        let only_license = ModuleFacet { description, ..ModuleFacet::default() };
        assert_eq!(shelf.modules[&name()], only_license);
        assert!(shelf.ratings.is_empty());
        let more = (0..TAGS_MAX + 1).map(|nth| tag(&format!("tag{nth}"), true)).collect::<Vec<_>>();
        write(&mut document, 1, &more);
        assert_eq!(document.annotations().modules[&name()].description.tags.len(), TAGS_MAX);
    }

    #[test]
    fn tags_are_plain_words() {
        for good in ["hash", "base-64", "編碼", "a"] {
            assert!(is_tag(good), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a b", "a/b", &"a".repeat(TAG_MAX_CHARS + 1)] {
            assert!(!is_tag(bad), "{bad}");
        }
    }

    #[test]
    fn records_of_before_the_description_had_a_type_of_its_own_are_read() {
        let stored = r#"{"title":null,"description":"A sum","license":"MIT","repository":null,"readme":null,
            "tags":["hash"],"deprecated":null,"imports":"env.log env.now","exports":null}"#;
        let facet: ModuleFacet = serde_json::from_str(stored).unwrap();
        let description = ModuleDescription {
            description: Some("A sum".into()),
            license: Some("MIT".into()),
            tags: ["hash".to_owned()].into(),
            ..ModuleDescription::default()
        };
        assert_eq!(facet, ModuleFacet { description, imports: Some("env.log env.now".into()), exports: None });
        let written = serde_json::to_value(&facet).unwrap();
        assert_eq!(written, serde_json::from_str::<serde_json::Value>(stored).unwrap());
    }
}
