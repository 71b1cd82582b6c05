//! What a person is shown of their devices.

use crate::devices::Devices;
use crate::devices::cut::date_of;
use crate::errors;
use gen_registry_api::*;
use gen_registry_core::digest::hex;
use gen_registry_core::document::Document;
use gen_registry_core::keys::{Did, PublicKey};
use gen_registry_core::log::{Body, Capabilities, Capability, EntryId, Kind, Opening};
use gen_registry_core::outcome::{Counts, Fact};
use gen_registry_core::registry::Registry;
use gen_registry_core::standing::{Device, DeviceState as Acting};
use gen_registry_core::statement::Statement;
use gen_registry_core::time::Timestamp;

/// Entries that are listed of one device.
const ENTRIES_MAX: usize = 50;

impl Devices {
    /// Devices and keys as they are now.
    pub(super) async fn report(&self) -> Result<DeviceList, Failure> {
        let request = match self.keys.has_identity() {
            true => None,
            false => self.waiting_request().await?,
        };
        let Some(opening) = self.keys.opening() else { return Ok(DeviceList { request, ..DeviceList::default() }) };
        let did = opening.did();
        let generation = self.registry.cache().generation();
        let document = self.registry.document(&did).await.map_err(errors::store_failed)?;
        let list = self.list(&opening, &document);
        self.registry.cache().put(did, document, generation);
        Ok(list)
    }

    fn list(&self, own: &Opening, document: &Document) -> DeviceList {
        let did = &own.did();
        let keys = self.keys.keys().ok();
        let holds_key = keys.as_ref().is_some_and(|keys| self.registry.identity_key(keys).is_some());
        let has_words = keys.as_ref().is_some_and(|keys| keys.identity.words.is_some());
        let read_model = self.registry.read_model();
        let registry = read_model.registry();
        let standing = registry.standing_with(own);
        let newest = keys.iter().flat_map(|keys| keys.identity.keys.iter().map(|(number, _)| *number)).max();
        let row = |(key, device): (&PublicKey, &Device)| {
            let opening = registry.openings_of(did).find(|opening| opening.addition().digest() == device.addition);
            let entries = opening.map(|opening| entries_of(registry, document, opening)).unwrap_or_default();
            let is_forked = |opening: &Opening| {
                let mut logs = registry.logs_of(did).filter(|(log, _)| log.opening == opening.log().opening);
                logs.any(|(_, chain)| chain.fork().is_some())
            };
            DeviceRow {
                key: hex(key.as_bytes()),
                words: key.words().into_iter().map(str::to_owned).collect(),
                number: device.number,
                this_device: own.device() == *key,
                capabilities: capabilities(&device.capabilities),
                state: if device.state == Acting::In { DeviceState::Active } else { DeviceState::Revoked },
                forked: opening.is_some_and(is_forked),
                last_seen: entries.iter().filter_map(|entry| entry.at).max(),
                entry_count: entries.len() as u64,
                entries: entries.into_iter().take(ENTRIES_MAX).collect(),
            }
        };
        let mut devices: Vec<DeviceRow> = standing.devices.iter().map(row).collect();
        devices.sort_by_key(|row| (!row.this_device, row.state == DeviceState::Revoked, row.number, row.key.clone()));
        DeviceList {
            devices,
            holds_key,
            key_number: standing.key_number(),
            rotating: newest.is_some_and(|newest| newest > standing.key_number()),
            has_words,
            new_words: open_new_words(registry, did),
            request: None,
        }
    }
}

/// New words that were announced, follow the present key, and were not answered.
fn open_new_words(registry: &Registry, did: &Did) -> Option<Announced> {
    let link = registry.standing(did)?.link.digest;
    let hold = registry.history().genesis().parameters.hold;
    let facts = registry.facts();
    let is_open = |fact: &&Fact| match fact.statement() {
        Some(Statement::NewWords(words)) => {
            let mut answers = facts.finishes_of(&fact.id).chain(facts.vetoes_of(&fact.id));
            words.before == link && answers.all(|answer| answer.did != *did)
        }
        _ => false,
    };
    let announced = facts.by_identity(did).find(is_open)?;
    let final_at = registry.witnessed_at(&announced.id).map(|seen| seen.plus(hold).as_millis());
    Some(Announced { id: hex(announced.id.as_bytes()), final_at })
}

/// What a device wrote, newest first.
fn entries_of(registry: &Registry, document: &Document, opening: &Opening) -> Vec<DeviceEntry> {
    let facts_log = opening.log();
    let did = opening.did();
    // Those too that a fork took the effect from: the person may know them for their own.
    let facts = registry.facts().by_identity(&did).filter(|fact| fact.log == facts_log && fact.seq > 0);
    let mut entries: Vec<(Option<Timestamp>, u64, DeviceEntry)> = facts
        .map(|fact| {
            let at = date_of(registry, document, &fact.id);
            let (what, subject) = describe(fact);
            (at, fact.seq, row(&fact.id, at, what, subject, registry.has_witnesses() && Counts::counts(registry, fact)))
        })
        .collect();
    let changes = registry.logs_of(&did).filter(|(log, _)| log.opening == facts_log.opening && !log.are_facts());
    for (_, chain) in changes {
        for seq in chain.base()..chain.len() {
            let Some(id) = chain.entry(seq) else { continue };
            if registry.header(&id).is_some_and(|header| header.header().kind == Kind::Change as u8) {
                let at = date_of(registry, document, &id);
                entries.push((at, seq, row(&id, at, DeviceEntryKind::Change, String::new(), false)));
            }
        }
    }
    entries.sort_by_key(|(at, seq, _)| std::cmp::Reverse((*at, *seq)));
    entries.into_iter().map(|(_, _, entry)| entry).collect()
}

fn row(id: &EntryId, at: Option<Timestamp>, what: DeviceEntryKind, subject: String, confirmed: bool) -> DeviceEntry {
    DeviceEntry { id: hex(id.as_bytes()), at: at.map(Timestamp::as_millis), what, subject, confirmed }
}

fn describe(fact: &Fact) -> (DeviceEntryKind, String) {
    match &fact.body {
        Body::Claim(claim) => (DeviceEntryKind::Claim, claim.name.as_str().to_owned()),
        Body::Release(release) => (DeviceEntryKind::Release, format!("{} {}", release.module, release.version)),
        Body::Mark(_) => (DeviceEntryKind::Mark, String::new()),
        Body::Veto(_) => (DeviceEntryKind::GiveUp, String::new()),
        Body::Statement(signed, _) => match signed.statement {
            Statement::GiveUp(_) | Statement::Finish(_) | Statement::Veto(_) => {
                (DeviceEntryKind::GiveUp, String::new())
            }
            _ => (DeviceEntryKind::Keys, String::new()),
        },
        _ => (DeviceEntryKind::Other, String::new()),
    }
}

/// What a device may do, in the boundary's data.
pub(super) fn capabilities(of: &Capabilities) -> DeviceCapabilities {
    DeviceCapabilities {
        profile: of.allow(Capability::Profile),
        claim: of.allow(Capability::Claim),
        publish: of.allow(Capability::Publish).then(|| of.publish().to_owned()),
        yank: of.allow(Capability::Yank),
        rate: of.allow(Capability::Rate),
        chat: of.allow(Capability::Chat),
        grant: of.allow(Capability::Grant),
    }
}
