//! A node that lies: reachable as every other one, asked as every other one, and of no use.

use std::borrow::Cow;
use std::collections::HashMap;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use futures::future::LocalBoxFuture;
use futures::{AsyncReadExt, AsyncWriteExt, FutureExt, StreamExt};
use gen_registry_core::actors::Device;
use gen_registry_core::canonical::{Decoder, Encoder};
use gen_registry_core::keys::SecretKey;
use gen_registry_core::log::Entry;
use gen_registry_core::name::{ClaimedName, NameKind};
use gen_registry_core::name_proof;
use gen_registry_core::receipt::Receipt;
use gen_registry_core::time::Timestamp;
use gen_registry_node::net::key::NodeKey;
use gen_registry_node::net::mesh::FIND_PROTOCOL;
use gen_registry_node::net::{IDENTIFY_PROTOCOL, KADEMLIA_PROTOCOL};
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::kad::store::{MemoryStore, RecordStore, Result as StoreResult};
use libp2p::kad::{self, ProviderRecord, Record, RecordKey};
use libp2p::multiaddr::Protocol;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::swarm::{NetworkBehaviour, StreamProtocol};
use libp2p::{Multiaddr, PeerId, Stream, Swarm, Transport, dns, identify, noise, ping, tcp, websocket, yamux};
use libp2p_stream::IncomingStreams;
use tokio::task::spawn_local;

use super::nodes::Role;
use super::people::{Claimed, People};
use super::worked::claim_any_with_work;

/// How long a connection stays that nothing uses.
const IDLE_TIME: Duration = Duration::from_secs(60);
/// Before a relay that was lost is dialled again.
const DIALLED_AGAIN: Duration = Duration::from_secs(10);

/// What there is to lie about: every name by the key of its record.
pub(crate) struct Lies {
    people: People,
    by_key: HashMap<[u8; 32], ClaimedName>,
}

impl Lies {
    pub(crate) fn of(people: People) -> Arc<Self> {
        let names = (0..people.people).map(|nth| people.name_of(nth));
        let names = names.chain((0..people.modules).map(|nth| people.module_name(nth)));
        let keyed = names.map(|name| {
            let key = name_proof::key(&people.network.topic, &(name.kind(), name.folded()));
            (*key.as_bytes(), name)
        });
        let by_key = keyed.collect();
        Arc::new(Self { people, by_key })
    }

    /// What a liar of this role says of a name.
    fn about(&self, name: &ClaimedName, role: Role) -> Option<Vec<u8>> {
        match role {
            Role::Forges => {
                let mut device = Device::of(self.people.network.topic, &format!("mallory of {name:?}"));
                let claim =
                    claim_any_with_work(&mut device, name.clone(), Timestamp::from_millis(5), &self.people.network);
                let receipt = self.people.confirm(&device, &claim, &SecretKey::from_seed(&[66; 32]));
                Some(written(&device.opening, &claim, &receipt))
            }
            Role::Mistakes => {
                let Claimed { device, claim, receipt } = self.people.claimed(0);
                Some(written(&device.opening, &claim, &receipt))
            }
            _ => None,
        }
    }
}

/// A record as it is written, whatever it says.
fn written(opening: &Entry, claim: &Entry, receipt: &Receipt) -> Vec<u8> {
    let mut entries = [opening, claim];
    entries.sort_by_key(|entry| entry.id());
    let encoder = Encoder::new().byte(2).integer(2);
    let encoder = entries.iter().fold(encoder, |encoder, entry| encoder.bytes(&entry.encode()));
    encoder.integer(1).bytes(&receipt.encode()).integer(0).finish()
}

/// A store of Kademlia whose every answer is a lie.
struct LyingStore {
    lies: Arc<Lies>,
    role: Role,
    nothing: MemoryStore,
}

impl RecordStore for LyingStore {
    type RecordsIter<'a> = <MemoryStore as RecordStore>::RecordsIter<'a>;
    type ProvidedIter<'a> = <MemoryStore as RecordStore>::ProvidedIter<'a>;

    fn get(&self, key: &RecordKey) -> Option<Cow<'_, Record>> {
        let asked: [u8; 32] = key.as_ref().try_into().ok()?;
        let value = self.lies.about(self.lies.by_key.get(&asked)?, self.role)?;
        Some(Cow::Owned(Record::new(key.clone(), value)))
    }

    fn put(&mut self, _: Record) -> StoreResult<()> {
        Ok(())
    }

    fn remove(&mut self, _: &RecordKey) {}

    fn records(&self) -> Self::RecordsIter<'_> {
        self.nothing.records()
    }

    fn add_provider(&mut self, _: ProviderRecord) -> StoreResult<()> {
        Ok(())
    }

    fn providers(&self, _: &RecordKey) -> Vec<ProviderRecord> {
        Vec::new()
    }

    fn provided(&self) -> Self::ProvidedIter<'_> {
        self.nothing.provided()
    }

    fn remove_provider(&mut self, _: &RecordKey, _: &PeerId) {}
}

#[derive(NetworkBehaviour)]
struct Behaviour {
    kademlia: Toggle<kad::Behaviour<LyingStore>>,
    streams: libp2p_stream::Behaviour,
    ping: ping::Behaviour,
    identify: identify::Behaviour,
}

/// Sets a liar up. Returns its life.
pub(crate) fn lie(
    key: NodeKey,
    listen: &str,
    relays: &[String],
    role: Role,
    lies: Arc<Lies>,
) -> Result<LocalBoxFuture<'static, ()>, Box<dyn Error>> {
    let key = Keypair::from_protobuf_encoding(&key.encode())?;
    let peer = key.public().to_peer_id();
    let kademlia = (role != Role::Silent).then(|| {
        let config = kad::Config::new(StreamProtocol::new(KADEMLIA_PROTOCOL));
        let store = LyingStore { lies: lies.clone(), role, nothing: MemoryStore::new(peer) };
        let mut kademlia = kad::Behaviour::with_config(peer, store, config);
        kademlia.set_mode(Some(kad::Mode::Server));
        kademlia
    });
    let transport = websocket::Config::new(dns::tokio::Transport::system(tcp::tokio::Transport::default())?)
        .upgrade(Version::V1Lazy)
        .authenticate(noise::Config::new(&key)?)
        .multiplex(yamux::Config::default())
        .boxed();
    let behaviour = Behaviour {
        kademlia: kademlia.into(),
        streams: libp2p_stream::Behaviour::new(),
        ping: ping::Behaviour::default(),
        identify: identify::Behaviour::new(identify::Config::new(IDENTIFY_PROTOCOL.to_owned(), key.public())),
    };
    let config = libp2p::swarm::Config::with_tokio_executor().with_idle_connection_timeout(IDLE_TIME);
    let mut swarm = Swarm::new(transport, behaviour, peer, config);
    let mut control = swarm.behaviour().streams.new_control();
    let finds = control.accept(StreamProtocol::new(FIND_PROTOCOL))?;
    spawn_local(answer(finds, role, lies));
    if role == Role::Silent {
        let asked = control.accept(StreamProtocol::new(KADEMLIA_PROTOCOL))?;
        spawn_local(hold(asked));
    }
    swarm.listen_on(listen.parse()?)?;
    swarm.add_external_address(listen.parse()?);
    let relays: Vec<Multiaddr> = relays.iter().map(|relay| relay.parse()).collect::<Result<_, _>>()?;
    Ok(live(swarm, relays).boxed_local())
}

async fn live(mut swarm: Swarm<Behaviour>, relays: Vec<Multiaddr>) {
    let mut dialling = tokio::time::interval(DIALLED_AGAIN);
    loop {
        tokio::select! {
            _ = swarm.select_next_some() => {}
            _ = dialling.tick() => for relay in &relays {
                if !relay.iter().any(|part| matches!(part, Protocol::P2p(peer) if swarm.is_connected(&peer))) {
                    // It may be gone.
                    swarm.dial(relay.clone()).ok();
                }
            },
        }
    }
}

/// Answers questions for names.
async fn answer(mut finds: IncomingStreams, role: Role, lies: Arc<Lies>) {
    while let Some((_, mut stream)) = finds.next().await {
        let lies = lies.clone();
        spawn_local(async move {
            let mut question = Vec::new();
            if role == Role::Silent || stream.read_to_end(&mut question).await.is_err() {
                return hold_one(stream).await;
            }
            let said = asked(&question).and_then(|name| lies.about(&name, role)).unwrap_or_default();
            // Who has read enough may have gone.
            if stream.write_all(&said).await.is_ok() {
                stream.close().await.ok();
            }
        });
    }
}

/// The name that is asked for.
fn asked(question: &[u8]) -> Option<ClaimedName> {
    let mut decoder = Decoder::new(question);
    let (_version, kind) = (decoder.byte().ok()?, decoder.byte().ok()?);
    let kind = if kind == 1 { NameKind::Username } else { NameKind::Module };
    let text = decoder.text().ok()?;
    match kind {
        NameKind::Username => text.parse().map(ClaimedName::Username).ok(),
        NameKind::Module => text.parse().map(ClaimedName::Module).ok(),
    }
}

async fn hold(mut asked: IncomingStreams) {
    while let Some((_, stream)) = asked.next().await {
        spawn_local(hold_one(stream));
    }
}

/// Keeps a stream open, and says nothing.
async fn hold_one(mut stream: Stream) {
    let mut question = Vec::new();
    stream.read_to_end(&mut question).await.ok();
    tokio::time::sleep(IDLE_TIME).await;
}
