//! The guides of this program: the list of pages, and the shape of a rendered one.
//!
//! Their text is Markdown in `public/guide/`; `tests/it/guide.rs` keeps this list and those files equal.

use serde::{Deserialize, Serialize};

/// The longest text of a page that is rendered.
pub const GUIDE_MAX_BYTES: usize = 256 * 1024;

/// One page of the guides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuidePage {
    /// Its file without `.md`, and its name in addresses.
    pub slug: &'static str,
    /// Its first heading.
    pub title: &'static str,
}

/// Every page, in reading order; the first one is the overview.
pub const GUIDE_PAGES: [GuidePage; 6] = [
    GuidePage { slug: "index", title: "Guides" },
    GuidePage { slug: "modules", title: "Modules" },
    GuidePage { slug: "privacy", title: "Privacy and limits" },
    GuidePage { slug: "scripting", title: "Script API" },
    GuidePage { slug: "operating", title: "Operating a server" },
    GuidePage { slug: "protocols", title: "Protocols" },
];

/// A page as HTML that may be put into a page as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct RenderedGuide {
    /// Without the first heading, which is the page's title.
    pub html: String,
    pub sections: Vec<GuideSection>,
}

/// A heading of the second level.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct GuideSection {
    /// The `id` of its element.
    pub id: String,
    pub title: String,
}

impl GuidePage {
    /// The page with this slug, or `None`.
    pub fn find(slug: &str) -> Option<Self> {
        GUIDE_PAGES.into_iter().find(|page| page.slug == slug)
    }

    /// The page's address in the app.
    pub fn path(self) -> String {
        if self == GUIDE_PAGES[0] { "/guide".to_owned() } else { format!("/guide/{}", self.slug) }
    }
}
