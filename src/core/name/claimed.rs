//! A name of either kind, as claims carry it.

use super::{FoldedName, ModuleName, NameKind, Username};

/// A name of either kind, prepared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimedName {
    Username(Username),
    Module(ModuleName),
}

impl ClaimedName {
    /// Whether it is a username or a module name.
    pub fn kind(&self) -> NameKind {
        match self {
            Self::Username(_) => NameKind::Username,
            Self::Module(_) => NameKind::Module,
        }
    }

    /// The prepared spelling.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Username(name) => name.as_str(),
            Self::Module(name) => name.as_str(),
        }
    }

    /// The key by which the name is compared.
    pub fn folded(&self) -> FoldedName {
        match self {
            Self::Username(name) => name.folded(),
            Self::Module(name) => name.folded(),
        }
    }
}
