//! The commands on the own name and profile: claiming, renaming, giving up, describing oneself. Each becomes one signed
//! change.
//!
//! Renaming from `alice` to `alicia` is one change with two facts, the relinquishment of the old name and the claim of
//! the new one, so that no observer sees her with two names, or with none.

use std::rc::Rc;

use crate::RequestId;
use crate::errors;
use crate::key_store::{KeyStore, RefusedName, phrase_invalid};
use crate::registry::ChangeDraft;
use crate::registry::Registry;
use gen_registry_api::*;
use gen_registry_core::digest::block_cid;
use gen_registry_core::document::{self, Edit};
use gen_registry_core::fact::{ClaimedName, Fact, NameRelinquish};
use gen_registry_core::identity::{Identity, SigningIdentity};
use gen_registry_core::limits::*;
use gen_registry_core::name::{Username, parse_input};
use gen_registry_core::ownership::Availability;
use gen_registry_core::picture;
use gen_registry_core::time::Timestamp;

/// The service for these commands.
pub(crate) struct ProfileWriter {
    keys: Rc<KeyStore>,
    registry: Rc<Registry>,
}

impl ProfileWriter {
    pub(crate) fn new(keys: Rc<KeyStore>, registry: Rc<Registry>) -> Self {
        Self { keys, registry }
    }

    /// Creates the identity with its profile. If the name is taken meanwhile, the rest is written, and the refused name
    /// is recorded so that the page can ask for another one.
    pub(super) async fn set_up(
        &self,
        id: Option<RequestId>,
        name: Option<String>,
        changes: ProfileChanges,
    ) -> Result<(), Failure> {
        let name = name.map(|text| parse(&text)).transpose()?;
        let signer = self.keys.signer_or_new()?;
        let mut draft = self.profile_draft(changes)?;
        if let Some(name) = name {
            match self.claim_edits(&signer, &name).await {
                Ok(edits) => draft.edits.extend(edits),
                Err(Failure { code: FailureCode::NameTaken | FailureCode::NameCoolingDown, .. }) => {
                    draft.refused_name = Some(RefusedName { name: name.to_string() });
                }
                Err(failure) => return Err(failure),
            }
        }
        self.registry.write(id, signer, draft).await
    }

    /// Claims a name, and creates the identity if there is none. Writes nothing if the name is taken.
    pub(super) async fn register(
        &self,
        id: Option<RequestId>,
        name: &str,
        changes: ProfileChanges,
    ) -> Result<(), Failure> {
        let name = parse(name)?;
        let signer = self.keys.signer_or_new()?;
        let mut draft = self.profile_draft(changes)?;
        draft.edits.extend(self.claim_edits(&signer, &name).await?);
        self.registry.write(id, signer, draft).await
    }

    /// Claims another name and gives up the present one.
    pub(super) async fn rename(&self, id: Option<RequestId>, name: &str) -> Result<(), Failure> {
        let name = parse(name)?;
        let signer = self.keys.signer()?;
        let edits = self.claim_edits(&signer, &name).await?;
        self.registry.write(id, signer, ChangeDraft::of(edits)).await
    }

    /// Gives up the present name. Others can claim it only after a while.
    pub(super) async fn release(&self, id: Option<RequestId>) -> Result<(), Failure> {
        let signer = self.keys.signer()?;
        let now = self.registry.own_now(&signer.identity());
        let edits: Vec<Edit> = self.release_edit(&signer, now).into_iter().collect();
        if edits.is_empty() {
            return Err(Failure::new(
                FailureCode::NoName,
                "You hold no name that could be given up.",
                "Claim one first.",
            ));
        }
        self.registry.write(id, signer, ChangeDraft::of(edits)).await
    }

    /// Claims the own username once more, with the present date, if it was claimed while this device's clock was far
    /// ahead: nobody else would see the name before that time has come. Does nothing while the key is locked, or if the
    /// person has claimed another name since.
    ///
    /// For example, a tablet whose battery was empty says 2036 on the first evening, and its owner claims `anna`. The next
    /// day its clock is right; the claim of 2036 waits on every device, no witness has signed it, and `anna` is claimed
    /// as of today.
    pub(super) async fn claim_again_if_dated_ahead(&self) -> Result<(), Failure> {
        let Ok(signer) = self.keys.signer() else { return Ok(()) };
        let Some(name) = self.name_dated_ahead(&signer.identity()) else { return Ok(()) };
        let edits = self.claim_edits(&signer, &name).await?;
        self.registry.write(None, signer, ChangeDraft::of(edits)).await
    }

    fn name_dated_ahead(&self, own: &Identity) -> Option<Username> {
        let read_model = self.registry.read_model();
        if read_model.username_of(own).is_some() {
            return None;
        }
        let claims = read_model.claims_of(own);
        let (newest, name, _, state) = claims.last()?;
        state.held_back.iter().any(|(waiting, _)| waiting == newest).then(|| (*name).clone())
    }

    /// Changes the description; fields that are `None` remain.
    pub(super) async fn update_profile(&self, id: Option<RequestId>, changes: ProfileChanges) -> Result<(), Failure> {
        let signer = self.keys.signer_or_new()?;
        let draft = self.profile_draft(changes)?;
        self.registry.write(id, signer, draft).await
    }

    /// Makes the key of these recovery words this profile's. The document then comes from peers.
    pub(super) async fn restore_from_phrase(&self, phrase: &str) -> Result<(), Failure> {
        let signer = SigningIdentity::from_recovery_phrase(phrase).map_err(|error| phrase_invalid(&error))?;
        self.keys.check_room_for(&signer.identity())?;
        self.registry.adopt(signer).await
    }

    /// Rule 5: a newer claim releases the older name in the same change.
    async fn claim_edits(&self, signer: &SigningIdentity, name: &Username) -> Result<Vec<Edit>, Failure> {
        let own = signer.identity();
        let now = self.registry.own_now(&own);
        let respelled = {
            let read_model = self.registry.read_model();
            match read_model.availability(name, Some(&own), now) {
                Availability::HeldBy(holder) => {
                    let holder = read_model.username_of(&holder).map_or(name.as_str(), Username::as_str);
                    return Err(errors::name_taken(name.as_str(), holder));
                }
                Availability::ClosedUntil(_) => return Err(errors::cooling_down(name.as_str())),
                Availability::Yours if read_model.username_of(&own) == Some(name) => return Ok(Vec::new()),
                Availability::Yours | Availability::Free => {}
            }
            if read_model.claims_of(&own).len() >= USERNAME_CLAIMS_MAX {
                return Err(Failure::new(
                    FailureCode::TooManyNames,
                    format!("An identity can take {USERNAME_CLAIMS_MAX} usernames in its life, and this one has."),
                    "Keep the present name; a new profile has a new identity.",
                ));
            }
            read_model.username_of(&own).is_some_and(|held| held.folded() == name.folded())
        };
        let release = (!respelled).then(|| self.release_edit(signer, now)).flatten();
        let claim = self.registry.claim(signer, ClaimedName::Username(name.clone()), now).await;
        Ok(release.into_iter().chain([claim]).collect())
    }

    fn release_edit(&self, signer: &SigningIdentity, at: Timestamp) -> Option<Edit> {
        let claim = self.registry.read_model().live_claim(&signer.identity())?;
        Some(self.registry.fact(signer, Fact::NameRelinquish(NameRelinquish { claim, at })))
    }

    fn profile_draft(&self, changes: ProfileChanges) -> Result<ChangeDraft, Failure> {
        let ProfileChanges { display_name, bio, avatar, links } = changes;
        let mut draft = ChangeDraft::default();
        if let Some(text) = display_name {
            draft.edits.push(Edit::DisplayName(bounded("A display name", text, DISPLAY_NAME_MAX_CHARS)?));
        }
        if let Some(text) = bio {
            draft.edits.push(Edit::Bio(bounded("A bio", text, BIO_MAX_CHARS)?));
        }
        if let Some(links) = links {
            draft.edits.push(Edit::Links(check_links(links)?));
        }
        if let Some(bytes) = avatar {
            let bytes = bytes.into_vec();
            if bytes.is_empty() {
                draft.edits.push(Edit::Avatar(None));
            } else {
                check_avatar(&bytes)?;
                let cid = block_cid(&bytes);
                draft.edits.push(Edit::Avatar(Some(cid)));
                draft.blocks.push((cid, bytes));
            }
        }
        Ok(draft)
    }
}

/// Parses a username as a person typed it.
pub(super) fn parse(name: &str) -> Result<Username, Failure> {
    parse_input(name).map_err(|error| errors::name_invalid(&error))
}

fn profile_invalid(message: impl Into<String>, advice: &str) -> Failure {
    Failure::new(FailureCode::ProfileInvalid, message, advice)
}

/// Empty takes the value away.
fn bounded(what: &str, text: String, most: usize) -> Result<Option<String>, Failure> {
    let text = text.trim().to_owned();
    let found = text.chars().count();
    if found > most {
        let message = format!("{what} has at most {most} characters; this has {found}.");
        return Err(profile_invalid(message, "Make it shorter."));
    }
    Ok(Some(text).filter(|text| !text.is_empty()))
}

fn check_links(links: Vec<String>) -> Result<Vec<String>, Failure> {
    let links: Vec<String> =
        links.into_iter().map(|link| link.trim().to_owned()).filter(|link| !link.is_empty()).collect();
    if links.len() > LINKS_MAX {
        return Err(profile_invalid(
            format!("A profile has at most {LINKS_MAX} links."),
            "Take the ones that matter most.",
        ));
    }
    match links.iter().find(|link| !document::is_link(link)) {
        Some(bad) => Err(profile_invalid(
            format!("“{}” is not a web address.", bad.chars().take(80).collect::<String>()),
            "A link starts with https:// or http://, has no spaces and at most 256 characters.",
        )),
        None => Ok(links),
    }
}

fn check_avatar(bytes: &[u8]) -> Result<(), Failure> {
    let invalid = |message: String| {
        Err(Failure::new(FailureCode::AvatarInvalid, message, "Choose a PNG, JPEG, WebP or GIF of at most 256 KiB."))
    };
    if bytes.len() > BLOCK_MAX_BYTES {
        return invalid(format!("The picture has {} KiB.", bytes.len() / 1024));
    }
    if picture::media_type(bytes).is_none() {
        return invalid("This file is not a picture of a kind that every browser shows.".to_owned());
    }
    Ok(())
}
