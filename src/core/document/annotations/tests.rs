//! What people say of modules: written by edits, read back, and left out where it breaks a limit.

use super::*;
use crate::digest::Digest;
use crate::document::{Document, Edit, FacetEdit};
use crate::keys::SecretKey;
use crate::log::{Capabilities, Capability, EntryId, LogId};

fn log(seed: u8) -> LogId {
    LogId { opening: Digest::of(&[seed]), device: SecretKey::from_seed(&[seed; 32]).public(), number: 1 }
}

/// A change of a log, and the entry it would have.
fn write(document: &mut Document, log: LogId, seq: u64, edits: &[Edit]) -> Vec<u8> {
    let writes: Vec<_> = edits.iter().map(Edit::to_write).collect();
    let bytes = document.write(log, Timestamp::from_millis(1_000), &writes).expect("a small edit");
    insert(document, log, seq, &bytes);
    bytes
}

fn insert(document: &mut Document, log: LogId, seq: u64, bytes: &[u8]) {
    let entry = EntryId::from_digest(Digest::of(&[bytes, log.device.as_bytes()].concat()));
    document.insert_change(log, seq, entry, bytes, &Capabilities::full()).expect("a change");
}

fn annotations(document: &Document) -> ModuleAnnotations {
    ModuleAnnotations::of(&document.data().expect("no checkpoint is missing"))
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
    let (mut one, mut two) = (Document::default(), Document::default());
    let title = facet(FacetEdit::Text(TextField::Title, Some("CRC".into())));
    let title = write(&mut one, log(1), 0, &[title, tag("hash", true)]);
    let license = facet(FacetEdit::Text(TextField::License, Some("MIT".into())));
    let license = write(&mut two, log(2), 0, &[license, tag("small", true), rating(4)]);
    insert(&mut one, log(2), 0, &license);
    insert(&mut two, log(1), 0, &title);
    assert_eq!(annotations(&one), annotations(&two));
    let said = annotations(&one);
    let described = &said.modules[&name()].description;
    assert_eq!((described.title.as_deref(), described.license.as_deref()), (Some("CRC"), Some("MIT")));
    assert_eq!(described.tags.iter().collect::<Vec<_>>(), ["hash", "small"]);
    assert_eq!(said.ratings[&name()].stars, 4);
}

#[test]
fn adding_a_tag_wins_over_taking_it_away() {
    let mut one = Document::default();
    let first = write(&mut one, log(1), 0, &[tag("hash", true)]);
    let mut two = Document::default();
    insert(&mut two, log(1), 0, &first);
    let removed = write(&mut one, log(1), 1, &[tag("hash", false)]);
    assert!(annotations(&one).modules.is_empty(), "taken away where it was known");
    for (seq, on) in [(0, false), (1, true)] {
        let again = write(&mut two, log(2), seq, &[tag("hash", on)]);
        insert(&mut one, log(2), seq, &again);
    }
    insert(&mut two, log(1), 1, &removed);
    assert_eq!(annotations(&one), annotations(&two));
    assert!(annotations(&one).modules[&name()].description.tags.contains("hash"));
}

#[test]
fn installs_add_up() {
    let mut one = Document::default();
    let install = |count| [Edit::CountInstalls { name: name(), count }];
    let first = write(&mut one, log(1), 0, &install(2));
    let mut two = Document::default();
    insert(&mut two, log(1), 0, &first);
    let other = write(&mut two, log(2), 0, &install(3));
    write(&mut one, log(1), 1, &install(1));
    insert(&mut one, log(2), 0, &other);
    assert_eq!(annotations(&one).installs[&name()], 6);
}

#[test]
fn what_breaks_a_limit_is_left_out_and_spoils_nothing_else() {
    let mut document = Document::default();
    let long = "x".repeat(DESCRIPTION_MAX_CHARS + 1);
    let edits = [
        facet(FacetEdit::Text(TextField::Description, Some(long))),
        facet(FacetEdit::Text(TextField::Repository, Some("javascript:alert(1)".into()))),
        facet(FacetEdit::Text(TextField::License, Some("MIT".into()))),
        tag("Not A Tag", true),
        rating(6),
    ];
    write(&mut document, log(1), 0, &edits);
    let said = annotations(&document);
    let description = ModuleDescription { license: Some("MIT".into()), ..ModuleDescription::default() };
    let only_license = ModuleFacet { description, ..ModuleFacet::default() };
    assert_eq!(said.modules[&name()], only_license);
    assert!(said.ratings.is_empty());
    let more = (0..TAGS_MAX + 1).map(|nth| tag(&format!("tag{nth}"), true)).collect::<Vec<_>>();
    write(&mut document, log(1), 1, &more);
    assert_eq!(annotations(&document).modules[&name()].description.tags.len(), TAGS_MAX);
}

/// A key that may publish one module describes that module, and nothing else of the person.
#[test]
fn device_changes_only_what_it_may() {
    let bot = Capabilities::of([Capability::Publish], "crc*");
    let license = facet(FacetEdit::Text(TextField::License, Some("MIT".into())));
    let other = Edit::Module { name: "zip".parse().expect("a name"), facet: FacetEdit::Imports(None) };
    let is_taken = |edit: &Edit| {
        let mut document = Document::default();
        let bytes = match document.write(log(1), Timestamp::default(), &[edit.to_write()]) {
            Ok(bytes) => bytes,
            Err(_) => {
                let put = Edit::Bio(Some("x".into())).to_write();
                document.write(log(1), Timestamp::default(), &[put]).expect("an edit")
            }
        };
        let entry = EntryId::from_digest(Digest::of(&bytes));
        document.insert_change(log(1), 0, entry, &bytes, &bot).is_ok()
    };
    assert!(is_taken(&license));
    for refused in [Edit::Bio(Some("mine".into())), rating(1), other] {
        assert!(!is_taken(&refused), "{refused:?}");
    }
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
