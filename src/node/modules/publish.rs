//! What a module's owner does: publish a version, describe the module, withdraw a version.
//!
//! A publication has up to three parts: the claim of the name (the first time), the release, and the description. In a
//! network with witnesses claim and release are first [`Intent`]s, which are signed once a witness can be asked. The order
//! around it matters:
//!
//! ```text
//!   name, version, dependencies      checked against the read model: cheap, and wrong most often
//!   validate the bytes               in a worker
//!   keep_artifact(bytes, Own)        first: a release without bytes could never be installed
//!   registry.write(change)           signed, stored, shown, announced
//! ```
//!
//! A version is published once: its number can't be used again, even after it was withdrawn, since others may depend on
//! its bytes.

use std::collections::BTreeSet;
use std::rc::Rc;

use crate::RequestId;
use crate::blocks::{ContentStore, Pin};
use crate::context::Context;
use crate::key_store::{Intent, KeyStore};
use crate::modules::errors;
use crate::modules::input::{parse_name, validate};
use crate::modules::installed::Installations;
use crate::peers::PeerTable;
use crate::registry::{Draft, Registry};
use gen_registry_api::*;
use gen_registry_core::artifact::Artifact;
use gen_registry_core::digest::{Digest, block_cid};
use gen_registry_core::document::{Edit, FacetEdit, is_link, is_tag};
use gen_registry_core::keys::Did;
use gen_registry_core::limits::*;
use gen_registry_core::log::body::{Mark, Release};
use gen_registry_core::log::{Body, EntryId};
use gen_registry_core::modules::description::TextField;
use gen_registry_core::modules::version::{Dependency, parse_requirement, parse_version};
use gen_registry_core::name::{ClaimedName, ModuleName};
use gen_registry_core::read_model::{Availability, ReadModel};
use gen_registry_core::validation::{ExternKind, Report};

/// The service for what a module's owner does, and for ratings.
pub(crate) struct Publisher {
    pub(super) context: Rc<Context>,
    pub(super) keys: Rc<KeyStore>,
    pub(super) registry: Rc<Registry>,
    pub(super) installations: Rc<Installations>,
    peers: Rc<PeerTable>,
    content: Rc<ContentStore>,
}

impl Publisher {
    /// Creates the service.
    pub(crate) fn new(
        context: Rc<Context>,
        keys: Rc<KeyStore>,
        registry: Rc<Registry>,
        installations: Rc<Installations>,
        peers: Rc<PeerTable>,
        content: Rc<ContentStore>,
    ) -> Self {
        Self { context, keys, registry, installations, peers, content }
    }

    /// Publishes a version: checks name, version, dependencies and bytes, stores the bytes, and writes the release (and
    /// the claim of its name, if that is free) as one change. `done`: the command was carried out before, so it only
    /// answers. If it fails after the bytes were stored, they remain, pinned, and the next attempt finds them.
    pub(super) async fn publish(
        &self,
        id: Option<RequestId>,
        draft: PublishDraft,
        done: bool,
    ) -> Result<Published, Failure> {
        let PublishDraft { name, version, wasm, dependencies, details } = draft;
        let name = parse_name(&name)?;
        let version = parse_version(version.trim()).map_err(|error| errors::version_invalid(&version, &error))?;
        let artifact = Artifact::of(&wasm);
        if done {
            return Ok(self.published(&name, &version, &artifact, false));
        }
        let keys = self.keys.keys_or_new()?;
        let own = keys.did();
        let claims = self.may_publish(&name, &own)?;
        let name = self.registry.read_model().spelled(&name);
        let is_published = self.registry.read_model().module(&name.folded()).releases.contains_key(&version);
        if is_published || self.is_release_wanted(&name, &version) {
            return Err(errors::version_taken(name.as_str(), &version.to_string()));
        }
        let dependencies = self.dependencies(&name, dependencies)?;
        let report = validate(&self.context, wasm.clone()).await?;
        if let Some(problem) = report.problem() {
            return Err(errors::module_invalid(problem));
        }
        let mut draft = Draft::default();
        let release = Release {
            module: name.clone(),
            version: version.clone(),
            artifact: artifact.clone(),
            dependencies,
            interface: None,
            under: EntryId::from_digest(Digest::from_bytes([0; 32])),
            at: self.context.now(),
        };
        let has_witnesses = self.registry.read_model().registry().has_witnesses();
        if has_witnesses {
            draft.intents.extend(claims.then(|| Intent::Module(name.clone())));
            draft.intents.push(Intent::Release(Body::Release(Box::new(release.clone())).encode()));
        } else if claims {
            let claim = self.registry.claim_of(ClaimedName::Module(name.clone()));
            draft.facts.push(Body::Claim(Box::new(self.registry.work_for(&keys, claim).await)));
        }
        self.facet_edits(&own, &name, details, &mut draft)?;
        let present = self.registry.read_model().facet(&name).cloned().unwrap_or_default();
        let (imports, exports) = interface(&report);
        for (edit, before, now) in [
            (FacetEdit::Imports as fn(_) -> _, &present.imports, imports),
            (FacetEdit::Exports as fn(_) -> _, &present.exports, exports),
        ] {
            if *before != now {
                draft.edits.push(Edit::Module { name: name.clone(), facet: edit(now) });
            }
        }
        // The bytes first: a release without them could never be installed.
        self.content.keep_artifact(&wasm, Pin::Own).await?;
        self.registry.write(id, keys.clone(), draft).await?;
        if !has_witnesses {
            let under = self.held_claim(&name).ok_or_else(|| errors::unknown_module(name.as_str()))?;
            let release = Body::Release(Box::new(Release { under, ..release }));
            self.registry.write(None, keys, Draft::of_facts(vec![release])).await?;
        }
        Ok(self.published(&name, &version, &artifact, claims))
    }

    /// Returns the answer to a publication.
    fn published(&self, name: &ModuleName, version: &semver::Version, artifact: &Artifact, claimed: bool) -> Published {
        let release = self.release_id(name, version);
        Published {
            name: name.to_string(),
            version: version.to_string(),
            wanted: release.is_none(),
            release: release.unwrap_or_default(),
            sha256: artifact.sha256.to_string(),
            size: artifact.size,
            claimed,
            peers: self.peers.count(),
        }
    }

    /// Returns whether the name is free and has to be claimed. Fails if it is another's, or closed.
    fn may_publish(&self, name: &ModuleName, own: &Did) -> Result<bool, Failure> {
        let read_model = self.registry.read_model();
        let most = read_model.registry().history().genesis().parameters.modules as usize;
        match read_model.module_availability(name, Some(own), self.context.now()) {
            Availability::Yours => Ok(false),
            Availability::Free | Availability::GivenToYou if read_model.modules_of(own).count() >= most => {
                Err(errors::too_many_modules(most))
            }
            Availability::Free | Availability::GivenToYou => Ok(!self.is_wanted(name)),
            Availability::Contested => Err(errors::not_yours(name.as_str(), "two people at once")),
            Availability::HeldBy(holder) => {
                Err(errors::not_yours(read_model.spelled(name).as_str(), &called(&read_model, &holder)))
            }
            Availability::ClosedUntil(_) => Err(errors::cooling_down(name.as_str())),
        }
    }

    /// Whether the name is to be claimed once a witness can be asked.
    fn is_wanted(&self, name: &ModuleName) -> bool {
        let settings = self.keys.settings();
        settings.intents.iter().any(|intent| matches!(intent, Intent::Module(other) if other.folded() == name.folded()))
    }

    /// Whether this version is to be published once a witness can be asked.
    fn is_release_wanted(&self, name: &ModuleName, version: &semver::Version) -> bool {
        let settings = self.keys.settings();
        let is_it = |body: &[u8]| {
            let release = Release::decode_alone(body);
            release.is_ok_and(|release| release.module.folded() == name.folded() && release.version == *version)
        };
        settings.intents.iter().any(|intent| matches!(intent, Intent::Release(body) if is_it(body)))
    }

    /// Completes the answer to a publication after the witnesses were asked. Fails if the name turned out to be
    /// another's.
    pub(super) fn complete(&self, published: Published) -> Result<Published, Failure> {
        let (Ok(name), Ok(version)) = (parse_name(&published.name), parse_version(&published.version)) else {
            return Err(errors::internal());
        };
        let release = self.release_id(&name, &version);
        if release.is_none() && !self.is_release_wanted(&name, &version) {
            self.may_publish(&name, &self.keys.keys()?.did())?;
        }
        Ok(Published { wanted: release.is_none(), release: release.unwrap_or_default(), ..published })
    }

    /// The id of a release that is known here.
    fn release_id(&self, name: &ModuleName, version: &semver::Version) -> Option<String> {
        let module = self.registry.read_model().module(&name.folded());
        module.releases.get(version).map(|release| release.entry.to_string())
    }

    /// The claim by which a module's name is held.
    fn held_claim(&self, name: &ModuleName) -> Option<EntryId> {
        let read_model = self.registry.read_model();
        Some(read_model.module_name(&name.folded())?.holder()?.tenure.claim)
    }

    /// Checks and parses the dependencies of a release.
    fn dependencies(&self, module: &ModuleName, wanted: Vec<Requirement>) -> Result<Vec<Dependency>, Failure> {
        if wanted.len() > DEPENDENCIES_MAX {
            return Err(errors::details_invalid(format!("A release has at most {DEPENDENCIES_MAX} dependencies.")));
        }
        let mut seen = BTreeSet::from([module.folded()]);
        let mut dependencies = Vec::new();
        for Requirement { name, requirement } in wanted {
            let parsed = parse_name(&name)?;
            if !seen.insert(parsed.folded()) {
                let message = format!(
                    "{} stands twice among the dependencies, or is the module itself.",
                    errors::shortened(&name)
                );
                return Err(errors::details_invalid(message));
            }
            let requirement = parse_requirement(requirement.trim())
                .map_err(|error| errors::requirement_invalid(&name, &requirement, &error))?;
            dependencies.push(Dependency { name: parsed, requirement });
        }
        Ok(dependencies)
    }

    /// Changes what a module's owner says of it.
    pub(super) async fn describe(
        &self,
        id: Option<RequestId>,
        name: &str,
        changes: ModulePatch,
    ) -> Result<(), Failure> {
        let keys = self.keys.keys()?;
        let name = self.own_module(name, &keys.did())?;
        let mut draft = Draft::default();
        self.facet_edits(&keys.did(), &name, changes, &mut draft)?;
        self.registry.write(id, keys, draft).await.map(drop)
    }

    /// Withdraws a version (yank) for a reason, or takes that back without one. Withdrawn versions are no longer chosen
    /// newly.
    pub(super) async fn withdraw(
        &self,
        id: Option<RequestId>,
        name: &str,
        version: &str,
        reason: Option<String>,
    ) -> Result<(), Failure> {
        let keys = self.keys.keys()?;
        let own = keys.did();
        let name = self.own_module(name, &own)?;
        let parsed = parse_version(version.trim()).map_err(|error| errors::version_invalid(version, &error))?;
        let module = self.registry.read_model().module(&name.folded());
        let release = module.releases.get(&parsed).ok_or_else(|| errors::unknown_version(name.as_str(), version))?;
        let is_withdrawn = reason.is_some();
        let reason = bounded("A reason", &reason.unwrap_or_default(), REASON_MAX_CHARS)?.unwrap_or_default();
        let under = self.held_claim(&name).ok_or_else(|| errors::unknown_module(name.as_str()))?;
        let (release, before, at) = (release.entry, release.mark, self.context.now());
        let mark = Body::Mark(Mark { release, before, is_withdrawn, reason, under, at });
        self.registry.write(id, keys, Draft::of_facts(vec![mark])).await.map(drop)
    }

    /// Returns a module's name as it is spelled; fails if it is not the person's own.
    fn own_module(&self, name: &str, own: &Did) -> Result<ModuleName, Failure> {
        let name = parse_name(name)?;
        let read_model = self.registry.read_model();
        let holder = read_model.module_name(&name.folded()).and_then(|state| state.holder());
        match holder {
            None => Err(errors::unknown_module(name.as_str())),
            Some(held) if held.tenure.holder == *own => Ok(read_model.spelled(&name)),
            Some(held) => Err(errors::not_yours(name.as_str(), &called(&read_model, &held.tenure.holder))),
        }
    }

    /// Adds the edits that make a module's description as requested.
    fn facet_edits(
        &self,
        own: &Did,
        name: &ModuleName,
        changes: ModulePatch,
        draft: &mut Draft,
    ) -> Result<(), Failure> {
        let read_model = self.registry.read_model();
        let present =
            read_model.person(own).and_then(|person| person.annotations.modules.get(name)).cloned().unwrap_or_default();
        drop(read_model);
        let mut facets = Vec::new();
        for field in TextField::ALL {
            let Some(text) = changes.text(field) else { continue };
            let text = bounded(label(field), text, field.max_chars())?;
            if let Some(link) = text.as_ref().filter(|link| field.is_link() && !is_link(link)) {
                return Err(errors::details_invalid(format!("“{}” is not a web address.", errors::shortened(link))));
            }
            facets.push(FacetEdit::Text(field, text));
        }
        if let Some(readme) = changes.readme {
            if readme.len() > BLOCK_MAX_BYTES {
                return Err(errors::details_invalid(format!("A readme has at most {} KiB.", BLOCK_MAX_BYTES / 1024)));
            }
            let block = Some(readme.into_bytes()).filter(|bytes| !bytes.is_empty());
            facets.push(FacetEdit::Readme(block.as_ref().map(|bytes| block_cid(bytes))));
            draft.blocks.extend(block.map(|bytes| (block_cid(&bytes), bytes)));
        }
        if let Some(tags) = changes.tags {
            facets.extend(tag_edits(&present.description.tags, tags)?);
        }
        draft.edits.extend(facets.into_iter().map(|facet| Edit::Module { name: name.clone(), facet }));
        Ok(())
    }
}

/// A field with its article, for sentences.
fn label(field: TextField) -> &'static str {
    match field {
        TextField::Title => "A title",
        TextField::Description => "A description",
        TextField::License => "A licence",
        TextField::Repository => "A link",
        TextField::Deprecated => "A reason",
    }
}

/// Returns the edits that add and remove tags. Tags that stay are not touched, so that two devices that each add one
/// keep both.
fn tag_edits(present: &BTreeSet<String>, tags: Vec<String>) -> Result<Vec<FacetEdit>, Failure> {
    let wanted: BTreeSet<String> =
        tags.iter().map(|tag| tag.trim().to_lowercase()).filter(|tag| !tag.is_empty()).collect();
    if wanted.len() > TAGS_MAX {
        return Err(errors::details_invalid(format!("A module has at most {TAGS_MAX} tags.")));
    }
    if let Some(bad) = wanted.iter().find(|tag| !is_tag(tag)) {
        let message = format!(
            "“{}” can't be a tag: letters, digits and hyphens in between, at most {TAG_MAX_CHARS}.",
            errors::shortened(bad)
        );
        return Err(errors::details_invalid(message));
    }
    let edit = |tag: &String, on| FacetEdit::Tag { tag: tag.clone(), on };
    let off = present.difference(&wanted).map(|tag| edit(tag, false));
    Ok(off.chain(wanted.difference(present).map(|tag| edit(tag, true))).collect())
}

/// Returns what a module imports and exports as words for the search, as many as there is room for.
fn interface(report: &Report) -> (Option<String>, Option<String>) {
    let imports = report.imports.iter().map(|import| match &import.module {
        Some(module) => format!("{module}.{}", import.name),
        None => import.name.clone(),
    });
    let functions = report.exports.iter().filter(|export| {
        matches!(export.kind, ExternKind::Function { .. } | ExternKind::ComponentFunction | ExternKind::Instance)
    });
    (words_of(imports), words_of(functions.map(|export| export.name.clone())))
}

/// Joins names with spaces, up to the limit.
fn words_of(names: impl Iterator<Item = String>) -> Option<String> {
    let mut text = String::new();
    for name in names.filter(|name| !name.contains(char::is_whitespace)) {
        if text.chars().count() + 1 + name.chars().count() > INTERFACE_MAX_CHARS {
            break;
        }
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(&name);
    }
    Some(text).filter(|text| !text.is_empty())
}

/// Trims a text and checks its length. An empty one becomes `None`, which removes the value.
fn bounded(what: &str, text: &str, most: usize) -> Result<Option<String>, Failure> {
    let text = text.trim();
    let found = text.chars().count();
    if found > most {
        return Err(errors::details_invalid(format!("{what} has at most {most} characters; this has {found}.")));
    }
    Ok(Some(text.to_owned()).filter(|text| !text.is_empty()))
}

/// How a sentence calls a person: by the username, with an at sign as everywhere, or by none.
fn called(read_model: &ReadModel, person: &Did) -> String {
    read_model.username_of(person).map_or_else(|| "somebody else".to_owned(), |username| format!("@{username}"))
}
