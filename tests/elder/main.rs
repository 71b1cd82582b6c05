//! Writes the network of an eager developer: `elder FOLDER YEARS`.
//!
//! Two of its three witnesses are real ones: they signed all that she had confirmed, on the days on which she asked, and have
//! it in their books. What is in the folder then:
//!
//! ```text
//! network.json                the network, as a server names it
//! witness-0/, witness-1/      data folders of two servers
//! elder.jsonl                 her records, and those of somebody whose modules she installed and reviewed, for a page's store
//! elder.json                  who she is, her words, and how much there is of everything
//! ```
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a program of tests")]

#[path = "../support/records.rs"]
mod records;

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use futures::executor::block_on;
use gen_registry_core::actors::developer::{DAYS, Developer, SEED};
use gen_registry_core::actors::{Device, Person, succession_key};
use gen_registry_core::artifact::Artifact;
use gen_registry_core::digest::{Digest, cid_of};
use gen_registry_core::document::Data;
use gen_registry_core::keys::{PublicKey, SecretKey};
use gen_registry_core::limits::{BLOCK_MAX_BYTES, PARAMETERS_VERSION};
use gen_registry_core::log::body::{Claim, Release};
use gen_registry_core::log::{Body, Entry, LogId};
use gen_registry_core::modules::ratings::INSTALLS_OF_ONE_MAX;
use gen_registry_core::name::{ClaimedName, ModuleName};
use gen_registry_core::network::{Genesis, NetworkHistory, Parameters, WitnessSet};
use gen_registry_core::receipt::Receipt;
use gen_registry_core::sync::asking::wire::{Answer, Ask, Request};
use gen_registry_core::sync::exchange::wire::Piece;
use gen_registry_core::time::Timestamp;
use gen_registry_node::network::NetworkParameters;
use gen_registry_node::platform::Environment;
use gen_registry_node::platform::native::Native;
use gen_registry_node::store::memory::MemoryStore;
use gen_registry_node::store::records::put;
use gen_registry_node::store::sqlite::SqliteStore;
use gen_registry_node::store::{Durability, Store, Table, Write};
use gen_registry_node::witness::Witness;
use gen_registry_node::{Network, Node};
use gen_registry_server::keys::{WITNESS_KEY, fresh_key};
use gen_registry_server::witness::BOOK_FILE;

/// Modules of the other person, so that a page shows how often she installed and how she reviewed something.
const OTHERS_MODULES: u64 = 10;

/// Witnesses that know at once what the others signed, and their books.
struct Witnesses(Vec<(Witness, Rc<MemoryStore>)>);

impl Witnesses {
    /// Founds a network of three, of which two exist and confirm.
    fn found(folder: &Path, begin: Timestamp) -> Result<(NetworkHistory, Self), Box<dyn Error>> {
        let folders = [0, 1].map(|at| folder.join(format!("witness-{at}")));
        let mut keys = Vec::new();
        for folder in &folders {
            std::fs::create_dir_all(folder)?;
            keys.push(WITNESS_KEY.load_or_create(folder)?);
        }
        let third = fresh_key().public();
        let set: Vec<PublicKey> = keys.iter().map(SecretKey::public).chain([third]).collect();
        let genesis = Genesis {
            name: "Fifty years".to_owned(),
            created_at: begin,
            set: WitnessSet::new(set, 2, (0..3).map(|at| succession_key(0, at).public().digest())),
            parameters: Parameters { work_bits: 0, ..Parameters::for_tests(PARAMETERS_VERSION) },
            nonce: [7; 16],
        };
        genesis.check()?;
        let mut witnesses = Vec::new();
        for key in keys {
            // On the disk only at the end: a witness waits for it at each receipt.
            let book = Rc::<MemoryStore>::default();
            witnesses.push((block_on(Witness::start(book.clone(), key, genesis.clone(), begin))?, book));
        }
        Ok((NetworkHistory::new(genesis), Self(witnesses)))
    }

    /// Writes the books into the data folders.
    async fn write(&self, folder: &Path) -> Result<(), Box<dyn Error>> {
        for (at, (_, book)) in self.0.iter().enumerate() {
            let file = SqliteStore::open(&folder.join(format!("witness-{at}")).join(BOOK_FILE))?;
            for table in Table::ALL {
                let records = book.scan(table, "", None, usize::MAX).await?;
                let writes = records.into_iter().map(|(key, bytes)| Write::Put { table, key, bytes });
                file.commit(writes.collect(), Durability::Strict).await?;
            }
        }
        Ok(())
    }

    async fn confirm(&self, device: &Device, entry: &Entry, now: Timestamp) -> Vec<Receipt> {
        let (opening, entry) = (device.opening.encode(), entry.encode());
        let request = Request::Ask(Ask { topic: device.topic, opening, entry, pieces: vec![] }).encode();
        let mut receipts = Vec::new();
        for (witness, _) in &self.0 {
            match witness.answer(&request, now).await {
                Answer::Signed(bytes) => receipts.push(Receipt::decode(&device.topic, &bytes).expect("a receipt")),
                other => panic!("a witness does not sign: {other:?}"),
            }
        }
        for (witness, _) in &self.0 {
            for learn in witness.take_outgoing().await {
                for (other, _) in self.0.iter().filter(|(other, _)| other.key() != witness.key()) {
                    assert_eq!(other.answer(&learn.encode(), now).await, Answer::Noted);
                }
            }
        }
        receipts
    }
}

/// Somebody who publishes what she installs and reviews. Returns what there is of it.
fn publish_others(history: &NetworkHistory, witnesses: &Witnesses, now: Timestamp) -> Vec<Piece> {
    let mut ben = Device::of(history.topic(), "ben");
    let mut pieces = vec![Piece::Entry(ben.opening.encode())];
    let mut confirm = |device: &mut Device, body: Body| {
        let entry = device.write(&body);
        let receipts = block_on(witnesses.confirm(device, &entry, now));
        pieces.push(Piece::Entry(entry.encode()));
        pieces.extend(receipts.iter().map(|receipt| Piece::Receipt(receipt.encode())));
        entry.id()
    };
    for module in others_modules() {
        let name = ClaimedName::Module(module.clone());
        let claim = Claim { name, after: None, round: 0, withdrawals: vec![], at: now, work: 0 };
        let under = confirm(&mut ben, Body::Claim(Box::new(claim)));
        let (version, artifact) = (semver::Version::new(1, 0, 0), Artifact::of(module.as_str().as_bytes()));
        let release = Release { module, version, artifact, dependencies: vec![], interface: None, under, at: now };
        confirm(&mut ben, Body::Release(Box::new(release)));
    }
    pieces
}

fn others_modules() -> impl Iterator<Item = ModuleName> {
    let installed = (0..OTHERS_MODULES).map(|nth| format!("module-{nth}").parse().expect("a module's name"));
    installed.chain((0..OTHERS_MODULES).map(Developer::reviewed))
}

/// Everything of her, in an order in which it can be admitted.
fn pieces_of(anna: &Developer) -> Vec<Piece> {
    let entries = anna.replica.entries();
    let order = |entry: &&Entry| {
        let LogId { opening, number, .. } = entry.header().log;
        (entry.header().seq > 0 || number > 0, number, opening, entry.header().seq)
    };
    let mut entries: Vec<&Entry> = entries.iter().collect();
    entries.sort_by_key(order);
    let receipts = anna.receipts.iter().map(|receipt| Piece::Receipt(receipt.encode()));
    entries.into_iter().map(|entry| Piece::Entry(entry.encode())).chain(receipts).collect()
}

/// Puts what she and the other one have into a store.
async fn store_of(network: Network, anna: &Developer, others: Vec<Piece>) -> Result<Rc<MemoryStore>, Box<dyn Error>> {
    let store = Rc::new(MemoryStore::new());
    let node = Node::start(store.clone(), Rc::new(Native), network).await?;
    let needed = anna.document.data_blocks();
    for data in anna.data.values().map(Data::encode) {
        let blocks = data.chunks(BLOCK_MAX_BYTES).map(|block| (Digest::of(block), block));
        let writes = blocks
            .filter(|(digest, _)| needed.contains(digest))
            .map(|(digest, block)| put(Table::Blocks, &cid_of(&digest).to_string(), &serde_bytes::Bytes::new(block)));
        store.commit(writes.collect(), Durability::Strict).await?;
    }
    for pieces in [others, pieces_of(anna)] {
        let report = node.admission().admit(pieces).await.map_err(|failure| failure.message)?;
        assert_eq!(report.outcome.rejections, []);
    }
    Ok(store)
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, years] = &arguments[..] else { return Err("usage: elder FOLDER YEARS".into()) };
    let (folder, years): (&Path, u64) = (folder.as_ref(), years.parse()?);
    let life = Duration::from_secs((years * DAYS + 1) * 24 * 60 * 60);
    let now = Native.now();
    let begin = Timestamp::from_millis(now.as_millis() - life.as_millis() as u64);
    let (history, witnesses) = Witnesses::found(folder, begin)?;
    let network = Network::new(history.clone());
    let others = publish_others(&history, &witnesses, begin);
    let witnesses = Rc::new(witnesses);
    let signing = witnesses.clone();
    let confirm = Box::new(move |device: &Device, entry: &Entry, at| block_on(signing.confirm(device, entry, at)));
    let person = Person::new(history.topic(), 1);
    let mut anna = Developer::new(person, history, begin, confirm);
    anna.live(years);
    block_on(witnesses.write(folder))?;
    let store = block_on(store_of(network.clone(), &anna, others))?;
    std::fs::write(folder.join("elder.jsonl"), records::lines(&*store))?;
    std::fs::write(folder.join("network.json"), serde_json::to_vec(&NetworkParameters::from(&network))?)?;
    let shown: BTreeMap<&str, u64> = (0..OTHERS_MODULES)
        .map(|nth| format!("module-{nth}").parse::<ModuleName>().expect("a module's name"))
        .filter_map(|name| anna.installs.get_key_value(&name))
        .map(|(name, count)| (name.as_str(), (*count).min(INSTALLS_OF_ONE_MAX)))
        .collect();
    let stored: usize = anna.replica.store.values().map(Vec::len).sum();
    let summary = serde_json::json!({
        "seed": SEED,
        "years": years,
        "did": anna.person.did.to_string(),
        "words": *anna.person.master.words(),
        "module": Developer::module().as_str(),
        "releases": anna.releases,
        "reviews": anna.releases,
        "installs": anna.installs.values().sum::<u64>(),
        "devices": anna.devices,
        "lastDay": years * DAYS - 1,
        "entryBytes": stored,
        "receiptBytes": anna.receipts.iter().map(|receipt| receipt.encode().len()).sum::<usize>(),
        "shownInstalls": shown,
        "shownReviews": (0..OTHERS_MODULES.min(anna.releases)).map(|nth| Developer::reviewed(nth).to_string()).collect::<Vec<_>>(),
    });
    std::fs::write(folder.join("elder.json"), summary.to_string())?;
    println!("{summary}");
    Ok(())
}
