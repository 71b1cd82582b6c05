//! The commands on the own name and profile: taking names, giving them up, describing oneself.
//!
//! In a network with witnesses a name is first an [`Intent`]: it is signed once a witness can be asked, and then with the
//! newest that is known of the name ([`witnessing`](crate::witnessing)). A new username ends none: an identity may hold
//! several, goes by the one that it took last, and gives one up in two steps, with a wait in between in which the owner of a
//! stolen key can object.

use std::rc::Rc;

use crate::RequestId;
use crate::context::Context;
use crate::errors;
use crate::key_state::Keys;
use crate::key_store::{Intent, KeyStore, RefusedName};
use crate::people::answers::open_give_up;
use crate::registry::{Draft, Registry};
use gen_registry_api::*;
use gen_registry_core::digest::block_cid;
use gen_registry_core::document::{self, Edit};
use gen_registry_core::keys::Did;
use gen_registry_core::limits::*;
use gen_registry_core::log::{Body, EntryId};
use gen_registry_core::name::{ClaimedName, ModuleName, Username, parse_input};
use gen_registry_core::outcome::NameKey;
use gen_registry_core::picture::{self, PICTURE_MAX_SIDE};
use gen_registry_core::read_model::Availability;
use gen_registry_core::statement::{DeviceList, Finish, GiveUp, SignedStatement, Statement};
use gen_registry_core::time::Timestamp;

/// The service for these commands.
pub(crate) struct ProfileWriter {
    context: Rc<Context>,
    keys: Rc<KeyStore>,
    registry: Rc<Registry>,
}

impl ProfileWriter {
    pub(crate) fn new(context: Rc<Context>, keys: Rc<KeyStore>, registry: Rc<Registry>) -> Self {
        Self { context, keys, registry }
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
        let keys = self.keys.keys_or_new()?;
        let mut draft = self.profile_draft(changes)?;
        if let Some(name) = name {
            match self.want_name(&keys, &name, &mut draft).await {
                Ok(()) => {}
                Err(Failure { code: FailureCode::NameTaken | FailureCode::NameCoolingDown, .. }) => {
                    draft.refused_name = Some(RefusedName { name: name.to_string() });
                }
                Err(failure) => return Err(failure),
            }
        }
        self.registry.write(id, keys, draft).await.map(drop)
    }

    /// Takes a name, and creates the identity if there is none. Writes nothing if the name is taken.
    pub(super) async fn register(
        &self,
        id: Option<RequestId>,
        name: &str,
        changes: ProfileChanges,
    ) -> Result<(), Failure> {
        let name = parse(name)?;
        let keys = self.keys.keys_or_new()?;
        let mut draft = self.profile_draft(changes)?;
        self.want_name(&keys, &name, &mut draft).await?;
        self.registry.write(id, keys, draft).await.map(drop)
    }

    /// Takes another name, by which the person goes from then on. The present one stays theirs.
    pub(super) async fn rename(&self, id: Option<RequestId>, name: &str) -> Result<(), Failure> {
        let name = parse(name)?;
        let keys = self.keys.keys()?;
        let mut draft = Draft::default();
        self.want_name(&keys, &name, &mut draft).await?;
        self.registry.write(id, keys, draft).await.map(drop)
    }

    /// Gives up a name, the present username if none is given, for anybody or for one identity: at once where there are no
    /// witnesses; else it is announced, and finished once the hold has passed. A name that is only wanted is not wanted any
    /// more.
    pub(super) async fn give_up(
        &self,
        id: Option<RequestId>,
        name: Option<(NameKind, String)>,
        to: Option<String>,
    ) -> Result<(), Failure> {
        let keys = self.keys.keys()?;
        let did = keys.did();
        let claim = match &name {
            Some((kind, name)) => Some(self.claim_of_own(&did, *kind, name)?),
            None => self.held_claim(&did),
        };
        let Some(claim) = claim else {
            return if self.drop_wanted_names().await? { Ok(()) } else { Err(no_name()) };
        };
        let to = to.map(|to| self.receiver(&did, &to)).transpose()?;
        let key = self.registry.identity_key(&keys).ok_or_else(errors::no_identity_key)?;
        let topic = self.context.network.topic;
        let say = |statement| {
            let signed = SignedStatement::sign(&topic, did, &key, statement);
            Body::Statement(Box::new(signed), DeviceList::default())
        };
        if open_give_up(&self.registry.read_model(), &did, &claim).is_some() {
            return Err(Failure::new(
                FailureCode::InvalidArgument,
                "This name is being given up already.",
                "Wait until the hold has passed, or take it back until then.",
            ));
        }
        let give_up = say(Statement::GiveUp(GiveUp { claim, to }));
        let ids = self.registry.write(id, keys.clone(), Draft::of_facts(vec![give_up])).await?;
        if let Some(announced) = ids.first().filter(|_| !self.registry.read_model().registry().has_witnesses()) {
            let finish = say(Statement::Finish(Finish { announced: *announced, ends: *claim.digest() }));
            self.registry.write(None, keys, Draft::of_facts(vec![finish])).await?;
        }
        Ok(())
    }

    /// Finishes giving up a name. It is done by itself as soon as the hold has passed, too.
    pub(super) async fn finish_give_up(
        &self,
        id: Option<RequestId>,
        kind: NameKind,
        name: &str,
    ) -> Result<(), Failure> {
        let (keys, did) = (self.keys.keys()?, self.keys.keys()?.did());
        let claim = self.claim_of_own(&did, kind, name)?;
        let (announced, final_at) = self.open_give_up_of(&did, &claim)?;
        if final_at.is_none_or(|final_at| self.context.now() < final_at) {
            return Err(Failure::new(
                FailureCode::TooFast,
                "The hold has not passed yet.",
                "Wait until the time that the name shows; it is finished by itself then.",
            ));
        }
        let key = self.registry.identity_key(&keys).ok_or_else(errors::no_identity_key)?;
        let statement = Statement::Finish(Finish { announced, ends: *claim.digest() });
        let signed = SignedStatement::sign(&self.context.network.topic, did, &key, statement);
        let finish = Body::Statement(Box::new(signed), DeviceList::default());
        self.registry.write(id, keys, Draft::of_facts(vec![finish])).await.map(drop)
    }

    /// The entry that announced the end of a name, which nothing has answered yet.
    pub(super) fn announced_end(&self, kind: NameKind, name: &str) -> Result<EntryId, Failure> {
        let did = self.keys.identity().ok_or_else(errors::no_identity)?;
        let claim = self.claim_of_own(&did, kind, name)?;
        self.open_give_up_of(&did, &claim).map(|(announced, _)| announced)
    }

    fn open_give_up_of(&self, did: &Did, claim: &EntryId) -> Result<(EntryId, Option<Timestamp>), Failure> {
        open_give_up(&self.registry.read_model(), did, claim).ok_or_else(|| {
            Failure::new(
                FailureCode::AlreadyAnswered,
                "This name is not being given up.",
                "Look at the name to see who holds it.",
            )
        })
    }

    /// The claim by which this identity holds a name.
    fn claim_of_own(&self, own: &Did, kind: NameKind, name: &str) -> Result<EntryId, Failure> {
        let key: NameKey = match kind {
            NameKind::Username => (NameKind::Username, parse(name)?.folded()),
            NameKind::Module => {
                let name: ModuleName = parse_input(name).map_err(|error| errors::name_invalid(&error))?;
                (NameKind::Module, name.folded())
            }
        };
        let outcome = self.registry.read_model().registry().name(&key);
        outcome.holder().filter(|tenure| tenure.holder == *own).map(|tenure| tenure.claim).ok_or_else(no_name)
    }

    /// Who gets a name: a did, or the holder of a username.
    fn receiver(&self, own: &Did, text: &str) -> Result<Did, Failure> {
        let receiver = match text.trim().parse::<Did>() {
            Ok(did) => Some(did),
            Err(_) => {
                let name = parse(text)?;
                self.registry.read_model().state(&name).and_then(|state| state.holder()).map(|held| held.tenure.holder)
            }
        };
        receiver.filter(|receiver| receiver != own).ok_or_else(|| {
            Failure::new(
                FailureCode::UnknownUser,
                format!("{} is nobody who could get the name.", text.trim()),
                "Write the username or the did of another person.",
            )
        })
    }

    /// The claim by which the person holds the name that they go by.
    fn held_claim(&self, own: &Did) -> Option<EntryId> {
        self.registry.read_model().held_name(own).map(|(_, held, _)| held.tenure.claim)
    }

    /// Forgets usernames that are wanted and were not claimed. Returns whether there were any. The first intent may be signed
    /// and shown to a witness already: its claim has a place in the log, which no other entry can take.
    async fn drop_wanted_names(&self) -> Result<bool, Failure> {
        let mut settings = Rc::unwrap_or_clone(self.keys.settings());
        let before = settings.intents.len();
        if settings.staged.is_some() && matches!(settings.intents.first(), Some(Intent::Username(_))) {
            return Err(Failure::new(
                FailureCode::InvalidArgument,
                "The witnesses are being asked for this name right now.",
                "Wait until they have answered; then it can be given up.",
            ));
        }
        settings.intents.retain(|intent| !matches!(intent, Intent::Username(_)));
        settings.rounds.retain(|round| !matches!(round.intent, Intent::Username(_)));
        let dropped = settings.intents.len() < before;
        if dropped {
            self.keys.save_settings(settings).await?;
            self.context.emit(&Event::MeChanged);
        }
        Ok(dropped)
    }

    /// Changes the description; fields that are `None` remain.
    pub(super) async fn update_profile(&self, id: Option<RequestId>, changes: ProfileChanges) -> Result<(), Failure> {
        let keys = self.keys.keys_or_new()?;
        let draft = self.profile_draft(changes)?;
        self.registry.write(id, keys, draft).await.map(drop)
    }

    /// Fails if the witnesses refused this name just now: it is another's.
    pub(super) fn check_refused(&self, wanted: Option<&str>) -> Result<(), Failure> {
        let settings = self.keys.settings();
        match (&settings.refused_name, wanted.and_then(|text| parse(text).ok())) {
            (Some(refused), Some(wanted)) if refused.name == wanted.as_str() => {
                Err(errors::name_taken(wanted.as_str(), wanted.as_str()))
            }
            _ => Ok(()),
        }
    }

    /// Adds to a draft what it takes to get a name: its claim where there are no witnesses, else the intent. Fails if the
    /// name can't be had, as far as is known here.
    async fn want_name(&self, keys: &Keys, name: &Username, draft: &mut Draft) -> Result<(), Failure> {
        let own = keys.did();
        {
            let read_model = self.registry.read_model();
            match read_model.availability(name, Some(&own), self.context.now()) {
                Availability::HeldBy(holder) => {
                    let holder = read_model.state(name).and_then(|state| state.holder()).filter(|_| holder != own);
                    let spelled = holder.map_or(name.as_str(), |held| held.tenure.spelled.as_str());
                    return Err(errors::name_taken(name.as_str(), spelled));
                }
                Availability::Contested => return Err(errors::name_taken(name.as_str(), name.as_str())),
                Availability::ClosedUntil(_) => return Err(errors::cooling_down(name.as_str())),
                Availability::Yours => {
                    // Taken back while it was being given up.
                    let claim = read_model.state(name).and_then(|state| state.holder()).map(|held| held.tenure.claim);
                    let given_up = claim.and_then(|claim| open_give_up(&read_model, &own, &claim));
                    draft.facts.extend(given_up.map(|(announced, _)| Body::Veto(announced)));
                    return Ok(());
                }
                Availability::Free | Availability::GivenToYou => {}
            }
            let most = read_model.registry().history().genesis().parameters.usernames as usize;
            let taken = read_model.usernames_of(&own).count() + self.keys.settings().wanted_usernames().count();
            if taken >= most {
                return Err(Failure::new(
                    FailureCode::TooManyNames,
                    format!("An identity holds at most {most} usernames in this network, and this one does."),
                    "Give one up first.",
                ));
            }
        }
        if self.keys.settings().wanted_usernames().any(|wanted| wanted.folded() == name.folded()) {
            return Ok(());
        }
        let has_witnesses = self.registry.read_model().registry().has_witnesses();
        if has_witnesses {
            draft.intents.push(Intent::Username(name.clone()));
        } else {
            let claim = self.registry.claim_of(ClaimedName::Username(name.clone()));
            draft.facts.push(Body::Claim(Box::new(self.registry.work_for(keys, claim).await)));
        }
        Ok(())
    }

    fn profile_draft(&self, changes: ProfileChanges) -> Result<Draft, Failure> {
        let ProfileChanges { display_name, bio, avatar, links } = changes;
        let mut draft = Draft::default();
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

fn no_name() -> Failure {
    Failure::new(FailureCode::NoName, "You hold no name that could be given up.", "Claim one first.")
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
        let hint = format!(
            "Choose a PNG, JPEG, WebP or GIF of at most 256 KiB and {PICTURE_MAX_SIDE} pixels on each side, not animated."
        );
        Failure::new(FailureCode::AvatarInvalid, message, hint)
    };
    if bytes.len() > BLOCK_MAX_BYTES {
        return Err(invalid(format!("The picture has {} KiB.", bytes.len() / 1024)));
    }
    picture::media_type(bytes).map(drop).map_err(|error| invalid(errors::sentence(&error.to_string())))
}
