//! Preferences of this browser: colours, keys, and whether peers are asked with every search. They are never sent.

use leptos::prelude::*;

use crate::dom;

/// Also read by the boot script, before anything is painted.
const THEME: &str = "gen-registry.theme";
/// Where it is kept that single keys are switched off.
const SHORTCUTS: &str = "gen-registry.shortcuts";

/// Where it is kept that peers are asked with every search.
const SEARCH_PEERS: &str = "gen-registry.search-peers";

/// Which colours the page has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    /// Follows the system's setting.
    System,
    Light,
    Dark,
}

impl Theme {
    /// The name under which it is kept and put on the root element; none for the system's choice.
    pub fn key(self) -> Option<&'static str> {
        match self {
            Self::System => None,
            Self::Light => Some("light"),
            Self::Dark => Some("dark"),
        }
    }
}

/// What this browser's visitor has chosen; take it from the context with [`preferences`].
#[derive(Clone, Copy)]
pub struct Preferences {
    /// The chosen colours.
    pub theme: RwSignal<Theme>,
    /// Single-key shortcuts are on.
    pub shortcuts: RwSignal<bool>,
    /// Connected peers are asked with every search.
    pub search_peers: RwSignal<bool>,
}

/// The preferences of this page. Call it where a component is made, not in its callbacks.
pub fn preferences() -> Preferences {
    expect_context::<Preferences>()
}

impl Preferences {
    /// Reads what was chosen on earlier visits.
    pub fn load() -> Self {
        let theme = match dom::load(THEME).as_deref() {
            Some("light") => Theme::Light,
            Some("dark") => Theme::Dark,
            _ => Theme::System,
        };
        let shortcuts = dom::load(SHORTCUTS).as_deref() != Some("off");
        let search_peers = dom::load(SEARCH_PEERS).as_deref() == Some("on");
        Self {
            theme: RwSignal::new(theme),
            shortcuts: RwSignal::new(shortcuts),
            search_peers: RwSignal::new(search_peers),
        }
    }

    /// Changes the colours at once and for later visits.
    pub fn choose_theme(self, theme: Theme) {
        self.theme.set(theme);
        dom::store(THEME, theme.key());
        if let Some(root) = document().document_element() {
            let _refused = match theme.key() {
                Some(key) => root.set_attribute("data-theme", key),
                None => root.remove_attribute("data-theme"),
            };
        }
    }

    /// Switches single keys on or off, at once and for later visits.
    pub fn choose_shortcuts(self, on: bool) {
        self.shortcuts.set(on);
        dom::store(SHORTCUTS, if on { None } else { Some("off") });
    }

    /// Has peers asked with every search, or only at each request, now and on later visits.
    pub fn choose_search_peers(self, on: bool) {
        self.search_peers.set(on);
        dom::store(SEARCH_PEERS, on.then_some("on"));
    }
}
