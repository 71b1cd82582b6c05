//! The fields that describe a module, in the form that publishes it and in the one that edits it.

use leptos::prelude::*;

use crate::components::field::{TextArea, TextField};
use crate::model::form_text::parse_tags;
use gen_registry_api::ModulePatch;

/// What is typed into the fields. Cheap to copy.
#[derive(Clone, Copy)]
pub struct DescriptionForm {
    pub title: RwSignal<String>,
    pub description: RwSignal<String>,
    pub license: RwSignal<String>,
    pub repository: RwSignal<String>,
    pub tags: RwSignal<String>,
}

impl DescriptionForm {
    /// Every field as it is: an empty one takes the value away.
    pub fn to_patch(self) -> ModulePatch {
        ModulePatch {
            title: Some(self.title.get_untracked()),
            description: Some(self.description.get_untracked()),
            license: Some(self.license.get_untracked()),
            repository: Some(self.repository.get_untracked()),
            tags: Some(parse_tags(&self.tags.get_untracked())),
            ..ModulePatch::default()
        }
    }

    /// The fields that are filled in: an empty one leaves the value as it is.
    pub fn to_patch_of_filled(self) -> ModulePatch {
        let ModulePatch { title, description, license, repository, tags, .. } = self.to_patch();
        let filled = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        ModulePatch {
            title: filled(title),
            description: filled(description),
            license: filled(license),
            repository: filled(repository),
            tags: tags.filter(|tags| !tags.is_empty()),
            ..ModulePatch::default()
        }
    }
}

/// The text fields of a description.
#[component]
pub fn DescriptionFields(form: DescriptionForm) -> impl IntoView {
    view! {
        <TextField id="describe-title" label="Title" value=form.title max=80 />
        <TextArea
            id="describe-description"
            label="Description"
            value=form.description
            rows=3
            max=512
            testid="describe-description"
        />
        <TextField
            id="describe-tags"
            label="Tags"
            hint="Words with commas in between, at most 8."
            value=form.tags
            testid="describe-tags"
        />
        <TextField id="describe-license" label="Licence" value=form.license max=64 placeholder="MIT OR Apache-2.0" />
        <TextField
            id="describe-repository"
            label="Where its source is"
            value=form.repository
            kind="url"
            placeholder="https://"
        />
    }
}
