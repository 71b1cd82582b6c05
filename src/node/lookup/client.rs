//! Looks a name up: here first, then at connected peers, then in Kademlia as well.
//!
//! Every answer is verified; of several valid ones the better proof counts. An invalid one is counted against the peer
//! that sent it.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::time::Duration;

use futures::channel::oneshot;
use futures::future::{Fuse, FusedFuture, select};
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt, pin_mut, select_biased};
use futures_timer::Delay;

use crate::lookup::{Lookups, encode_request, key_of, parse};
use crate::modules::answers::name_status;
use crate::net::key::NetPeerId;
use crate::net::mesh::connection_manager::dial_targets::DIAL_TARGETS_MAX;
use crate::net::mesh::{MeshHandle, QuestionKind};
use gen_registry_api::*;
use gen_registry_core::digest::hex;
use gen_registry_core::keys::{Did, PublicKey};
use gen_registry_core::modules::CountedRelease;
use gen_registry_core::name::ClaimedName;
use gen_registry_core::name_proof::{self, NameProof};
use gen_registry_core::node_limits::LOOKUPS_PER_MINUTE;
use gen_registry_core::read_model::NameState;
use gen_registry_core::sync::rejection::Rejection;

/// Connected peers that are asked about one name.
pub const PEERS_ASKED_MAX: usize = 8;
/// Names that one peer is asked for in a minute: half of what it answers, since its minute begins at another time. Where no peer
/// is left to ask, the network is asked at once.
pub const ASKS_PER_PEER_RATE: u32 = LOOKUPS_PER_MINUTE / 2;
/// How long connected peers may take to answer, all at the same time.
pub const PEERS_PATIENCE: Duration = Duration::from_secs(4);
/// How much longer a better proof is waited for once a peer has shown a holder. A peer may send an outdated proof at once; an
/// honest one answers within this time over the slowest of connections that are usable.
const BETTER_PATIENCE: Duration = Duration::from_secs(1);
/// How long the providers of a module's file are waited for. They are dialled so that the file is at hand when it is wanted,
/// and are looked for again then.
const PROVIDERS_PATIENCE: Duration = Duration::from_millis(300);
/// When the network is asked as well, if connected peers have not shown a holder by then.
const NETWORK_AFTER: Duration = Duration::from_millis(500);

/// A proof, and the peers that have what it is of: those that answered with it, or that published it.
struct Proven {
    proof: NameProof,
    at: Vec<NetPeerId>,
}

/// What peers and the network came to.
struct FoundAround {
    /// At most one of each; the one with a holder, if there is one, is the last.
    proven: Vec<(AnsweredBy, Proven)>,
    network_asked: bool,
}

impl Lookups {
    /// Looks a name up wherever it may be known, and dials its publisher.
    pub(crate) async fn find(&self, kind: NameKind, text: &str) -> Result<FindReport, Failure> {
        let name = parse(kind, text)?;
        let mut report = FindReport {
            kind,
            asked: name.as_str().to_owned(),
            answered_by: None,
            found: None,
            free_at: None,
            peers_asked: 0,
            network_asked: false,
            sought: 0,
        };
        if let Some(found) = self.look_up_here(&name) {
            (report.answered_by, report.found) = (Some(AnsweredBy::Device), Some(found));
            return Ok(report);
        }
        let has_relay = self.peers.has_relay();
        let Some(mesh) = self.peers.mesh() else { return Ok(report) };
        let now = self.context.now();
        let mut helpful: Vec<NetPeerId> = self.reputation.peers_to_ask(PEERS_ASKED_MAX);
        helpful.retain(|peer| self.asked.count(*peer, now));
        report.peers_asked = helpful.len() as u64;
        let found = self.ask_around(&mesh, helpful, &name, has_relay).await;
        report.network_asked = found.network_asked;
        // A proof without a holder says less than any other; it was the only one.
        for (by, Proven { proof, at }) in found.proven {
            report_proof(&mut report, by, &proof);
            if let Some(held) = proof.holder() {
                self.retainer.want_found(held.holder, at.iter().copied());
                if by == AnsweredBy::Network {
                    report.sought = self.connect_to(&mesh, &proof, at).await;
                }
            }
        }
        Ok(report)
    }

    /// Asks connected peers and, if none of them soon shows a holder, the network as well. Ends with the first of both that
    /// shows one.
    async fn ask_around(
        &self,
        mesh: &MeshHandle,
        peers: Vec<NetPeerId>,
        name: &ClaimedName,
        has_relay: bool,
    ) -> FoundAround {
        let (mut proven, is_network_asked, is_shown) = (Vec::new(), Cell::new(false), Cell::new(false));
        let (all_answered, mut are_done) = oneshot::channel::<()>();
        let asking_peers = async {
            let proven = self.ask_peers(mesh, peers, name, &is_shown).await;
            drop(all_answered);
            proven
        };
        let asking_network = async {
            select(&mut are_done, Delay::new(NETWORK_AFTER)).await;
            if is_shown.get() {
                // That ends the look-up, unless a better proof says that the name was given up.
                are_done.await.ok();
            }
            is_network_asked.set(has_relay);
            let found = self.ask_network(mesh, name).await;
            found.map(|(proof, at)| Proven { proof, at })
        };
        let (asking_peers, asking_network) = (asking_peers.fuse(), asking_network.fuse());
        pin_mut!(asking_peers, asking_network);
        loop {
            let (by, found) = select_biased! {
                found = asking_peers => (AnsweredBy::Peers, found),
                found = asking_network => (AnsweredBy::Network, found),
                complete => break,
            };
            let shows_holder = found.as_ref().is_some_and(|found| found.proof.holder().is_some());
            proven.extend(found.map(|found| (by, found)));
            if shows_holder {
                break;
            }
        }
        FoundAround { proven, network_asked: is_network_asked.get() }
    }

    /// Returns what the read model has of a name.
    fn look_up_here(&self, name: &ClaimedName) -> Option<FoundName> {
        let read_model = self.registry.read_model();
        let key = key_of(name);
        match name {
            ClaimedName::Username(name) => found_name(read_model.state(name)?, self.holder_key(&key), None),
            ClaimedName::Module(_) => {
                let (state, module) = (read_model.module_name(&key.1)?, read_model.module(&key.1));
                found_name(state, self.holder_key(&key), module.newest())
            }
        }
    }

    /// The present key of a name's holder.
    fn holder_key(&self, name: &gen_registry_core::outcome::NameKey) -> Option<PublicKey> {
        let read_model = self.registry.read_model();
        let holder = read_model.name_state(name)?.holder()?.tenure.holder;
        Some(read_model.registry().standing(&holder)?.link.key)
    }

    /// Asks connected peers at once. Returns the best valid proof, and the peers that know the holder whom it shows. Once
    /// there is one with a holder, it sets `is_shown` and waits for better ones only [`BETTER_PATIENCE`] longer.
    async fn ask_peers(
        &self,
        mesh: &MeshHandle,
        peers: Vec<NetPeerId>,
        name: &ClaimedName,
        is_shown: &Cell<bool>,
    ) -> Option<Proven> {
        let request = encode_request(name);
        let mut asking: FuturesUnordered<_> = peers
            .into_iter()
            .map(|peer| {
                let asking = mesh.ask_peer(peer, QuestionKind::Name, request.clone());
                async move { (peer, asking.await) }
            })
            .collect();
        let (mut good, mut patience) = (Vec::<(NetPeerId, NameProof)>::new(), Delay::new(PEERS_PATIENCE).fuse());
        loop {
            let (peer, bytes) = select_biased! {
                answer = asking.next() => match answer {
                    Some((peer, Some(Ok(bytes)))) if !bytes.is_empty() => (peer, bytes),
                    Some(_) => continue,
                    None => break,
                },
                () = patience => break,
            };
            let Some(proof) = self.read_record(name, &bytes, Some(peer)) else { continue };
            if proof.holder().is_some() && !is_shown.replace(true) {
                patience = Delay::new(BETTER_PATIENCE).fuse();
            }
            good.push((peer, proof));
        }
        let holder = |proof: &NameProof| proof.holder().map(|held| held.holder);
        let holders: Vec<(NetPeerId, Option<Did>)> = good.iter().map(|(peer, proof)| (*peer, holder(proof))).collect();
        let proof = good.into_iter().map(|(_, proof)| proof).reduce(better)?;
        let at = holders.into_iter().filter(|(_, other)| *other == holder(&proof)).map(|(peer, _)| peer).collect();
        Some(Proven { proof, at })
    }

    /// Returns the best proof in Kademlia and the peers that are said to have published it, that of the best one first. Once
    /// there is one with a holder, it waits for better ones only [`BETTER_PATIENCE`] longer: of many servers some are silent.
    pub(crate) async fn ask_network(
        &self,
        mesh: &MeshHandle,
        name: &ClaimedName,
    ) -> Option<(NameProof, Vec<NetPeerId>)> {
        let key = name_proof::key(&self.context.network.topic, &key_of(name));
        let (mut best, mut publishers): (Option<NameProof>, Vec<NetPeerId>) = (None, Vec::new());
        let (mut values, mut patience) = (mesh.find_values(*key.as_bytes()).fuse(), Fuse::terminated());
        loop {
            let value = select_biased! {
                value = values.next() => match value {
                    Some(value) => value,
                    None => break,
                },
                () = patience => break,
            };
            let Some(found) = self.read_record(name, &value.bytes, value.from) else { continue };
            let is_better = best.as_ref().is_none_or(|best| found.compare(best).is_gt());
            if is_better {
                if found.holder().is_some() && patience.is_terminated() {
                    patience = Delay::new(BETTER_PATIENCE).fuse();
                }
                best = Some(found);
                publishers.splice(0..0, value.publisher);
            } else {
                publishers.extend(value.publisher);
            }
        }
        Some((best?, publishers))
    }

    /// Reads a self-certifying record. An invalid one lowers the reputation of the peer that sent it.
    fn read_record(&self, name: &ClaimedName, bytes: &[u8], from: Option<NetPeerId>) -> Option<NameProof> {
        let key = name_proof::key(&self.context.network.topic, &key_of(name));
        match name_proof::verify(&key, bytes, self.registry.read_model().registry().history()) {
            Ok(record) => Some(record),
            Err(error) => {
                tracing::debug!(%error, "a wrong record");
                if let Some(from) = from {
                    self.reputation.note_rejection(from, Rejection::WrongRecord);
                }
                None
            }
        }
    }

    /// Dials the record's publisher and the providers of the module's file. Returns how many are dialled.
    async fn connect_to(&self, mesh: &MeshHandle, record: &NameProof, publishers: Vec<NetPeerId>) -> u64 {
        let mut targets: BTreeSet<NetPeerId> = publishers.into_iter().take(DIAL_TARGETS_MAX).collect();
        if let Some(release) = &record.release {
            let finding = mesh.find_providers(*release.release.artifact.sha256.as_bytes());
            let finding = finding.take_until(Delay::new(PROVIDERS_PATIENCE));
            targets.extend(finding.collect::<Vec<NetPeerId>>().await);
        }
        self.peers.connect_to_some(mesh, targets)
    }
}

/// Puts what a proof shows into the report. A proof without a holder says only that the name was given up.
fn report_proof(report: &mut FindReport, by: AnsweredBy, proof: &NameProof) {
    report.answered_by = Some(by);
    report.found = found_name(&proof.state, proof.holder_key, proof.release.as_ref());
    report.free_at = proof.state.given_up().map(|(_, free_at)| free_at.as_millis());
}

/// Returns the better of two proofs of the same name.
fn better(one: NameProof, other: NameProof) -> NameProof {
    if other.compare(&one).is_gt() { other } else { one }
}

/// Returns what a report shows of a name, or `None` without a holder.
fn found_name(state: &NameState, key: Option<PublicKey>, release: Option<&CountedRelease>) -> Option<FoundName> {
    let held = state.holder()?;
    Some(FoundName {
        name: held.tenure.spelled.as_str().to_owned(),
        did: held.tenure.holder.to_string(),
        public_key: key.map(|key| hex(key.as_bytes())).unwrap_or_default(),
        registered_at: held.since.as_millis(),
        status: name_status(state),
        release: release.map(|counted| FoundRelease {
            version: counted.release.version.to_string(),
            sha256: counted.release.artifact.sha256.to_string(),
            size: counted.release.artifact.size,
            published_at: counted.at.as_millis(),
            withdrawn: !counted.is_offered(),
        }),
    })
}
