//! How an owner describes a module: one table of the texts, and the shapes that go with it.
//!
//! A new text is a variant of [`TextField`] and a field of [`ModuleDescription`] and [`ModulePatch`], all in this file;
//! the document, the node and the script interface take it from here. Only a form that asks for it, and a page that
//! shows it, have to be written.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::limits::{DESCRIPTION_MAX_CHARS, LICENSE_MAX_CHARS, LINK_MAX_CHARS, REASON_MAX_CHARS, TITLE_MAX_CHARS};

/// A text of a module's description. Of concurrent edits of one text the last writer wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextField {
    Title,
    Description,
    License,
    Repository,
    Deprecated,
}

impl TextField {
    pub const ALL: [Self; 5] = [Self::Title, Self::Description, Self::License, Self::Repository, Self::Deprecated];

    /// The name of the field in a document.
    pub fn key(self) -> &'static str {
        match self {
            Self::Title => "title",
            Self::Description => "description",
            Self::License => "license",
            Self::Repository => "repository",
            Self::Deprecated => "deprecated",
        }
    }

    /// The field of that name.
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.key() == key)
    }

    /// The longest text, in characters.
    pub fn max_chars(self) -> usize {
        match self {
            Self::Title => TITLE_MAX_CHARS,
            Self::Description => DESCRIPTION_MAX_CHARS,
            Self::License => LICENSE_MAX_CHARS,
            Self::Repository => LINK_MAX_CHARS,
            Self::Deprecated => REASON_MAX_CHARS,
        }
    }

    /// Whether the text has to be a web address.
    pub fn is_link(self) -> bool {
        self == Self::Repository
    }
}

/// A module as its owner describes it. Everything may be absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", default)]
pub struct ModuleDescription {
    pub title: Option<String>,
    pub description: Option<String>,
    /// An SPDX expression by convention, as `MIT OR Apache-2.0`.
    pub license: Option<String>,
    /// Where the source is, a web address.
    pub repository: Option<String>,
    /// The CID of the block with the text, in Markdown.
    pub readme: Option<String>,
    pub tags: BTreeSet<String>,
    /// The reason to begin no new use of the module.
    pub deprecated: Option<String>,
}

impl ModuleDescription {
    pub fn text_mut(&mut self, field: TextField) -> &mut Option<String> {
        match field {
            TextField::Title => &mut self.title,
            TextField::Description => &mut self.description,
            TextField::License => &mut self.license,
            TextField::Repository => &mut self.repository,
            TextField::Deprecated => &mut self.deprecated,
        }
    }
}

/// What to change of a description. Absent: leave it. An empty text or list takes the value away.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[cfg_attr(feature = "typings", ts(optional_fields))]
#[serde(rename_all = "camelCase", default)]
pub struct ModulePatch {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// Markdown, at most one block.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub readme: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deprecated: Option<String>,
}

impl ModulePatch {
    /// The new text of a field; none where it is left as it is.
    pub fn text(&self, field: TextField) -> Option<&str> {
        let text = match field {
            TextField::Title => &self.title,
            TextField::Description => &self.description,
            TextField::License => &self.license,
            TextField::Repository => &self.repository,
            TextField::Deprecated => &self.deprecated,
        };
        text.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_has_a_place_of_its_own() {
        let mut description = ModuleDescription::default();
        for field in TextField::ALL {
            assert_eq!(TextField::from_key(field.key()), Some(field));
            assert_eq!(description.text_mut(field).replace(field.key().to_owned()), None, "{field:?}");
        }
        assert_eq!(TextField::from_key("readme"), None);
        // The keys are those of the documents, and the names those of scripts and stored records.
        let stored = serde_json::to_value(&description).unwrap();
        let patch: ModulePatch = serde_json::from_value(serde_json::json!({
            "title": "title", "description": "description", "license": "license", "repository": "repository",
            "deprecated": "deprecated",
        }))
        .unwrap();
        for field in TextField::ALL {
            assert_eq!(stored[field.key()], field.key());
            assert_eq!(patch.text(field), Some(field.key()));
        }
    }
}
