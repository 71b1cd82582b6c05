//! What is known about a name while it is typed, and what follows for the form.

use gen_registry_api::failure::Failure;
use gen_registry_api::{NameCheck, NameVerdict};

/// What is known about the text in the field.
#[derive(Clone, Debug, PartialEq)]
pub enum CheckState {
    /// The field is empty.
    Nothing,
    /// An answer is awaited.
    Searching,
    /// The node's verdict.
    Answer(NameCheck),
    /// The node could not say.
    Failed(Failure),
}

impl CheckState {
    /// The value of `data-state`, by which styles and tests distinguish the states.
    pub fn key(&self) -> &'static str {
        match self {
            Self::Nothing => "",
            Self::Searching => "searching",
            Self::Failed(_) => "invalid",
            Self::Answer(check) => match check.verdict {
                NameVerdict::Available => "available",
                NameVerdict::Yours => "yours",
                NameVerdict::Taken { .. } => "taken",
                NameVerdict::CoolingDown { .. } => "cooling",
                NameVerdict::Contested => "contested",
                NameVerdict::Invalid { .. } => "invalid",
            },
        }
    }

    /// Whether the node believes that the name can be had.
    pub fn is_available(&self) -> bool {
        matches!(self, Self::Answer(NameCheck { verdict: NameVerdict::Available, .. }))
    }

    /// Whether the name can't be had, and not because it is one's own.
    pub fn is_refused(&self) -> bool {
        match self {
            Self::Answer(check) => !matches!(check.verdict, NameVerdict::Available | NameVerdict::Yours),
            Self::Failed(_) => true,
            Self::Nothing | Self::Searching => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gen_registry_api::failure::FailureCode;

    fn answer(verdict: NameVerdict) -> CheckState {
        CheckState::Answer(NameCheck { text: "bob".to_owned(), username: None, verdict, records: 0, registries: 0 })
    }

    #[test]
    fn a_form_can_be_sent_with_an_available_name_only() {
        let failed = CheckState::Failed(Failure::new(FailureCode::Internal, "It failed.", "Try again."));
        for (state, key, available, refused) in [
            (CheckState::Nothing, "", false, false),
            (CheckState::Searching, "searching", false, false),
            (failed, "invalid", false, true),
            (answer(NameVerdict::Available), "available", true, false),
            (answer(NameVerdict::Yours), "yours", false, false),
            (answer(NameVerdict::CoolingDown { free_at: 1 }), "cooling", false, true),
        ] {
            assert_eq!((state.key(), state.is_available(), state.is_refused()), (key, available, refused));
        }
    }
}
