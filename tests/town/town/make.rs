//! Makes the people and the profiles of the nodes that keep them.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::rc::Rc;
use tokio::time::Instant;

use futures::executor::block_on;
use gen_registry_core::ring::RingRange;
use gen_registry_core::time::Timestamp;
use gen_registry_node::Node;
use gen_registry_node::platform::Environment;
use gen_registry_node::platform::native::Native;
use gen_registry_node::store::records::put;
use gen_registry_node::store::sqlite::SqliteStore;
use gen_registry_node::store::{Durability, Store, Table, Write};
use gen_registry_server::keys::WITNESS_KEY;
use serde::Serialize;

use super::network_in;
use super::nodes::{self, RANGE_BITS, Role, TownNode};
use super::people::{People, module, username};

/// People that are admitted in one page.
const AT_ONCE: u64 = 200;
/// After so many it says how far it is.
const SAID_EVERY: u64 = 10_000;
/// The file of a profile.
pub(crate) const PROFILE: &str = "replica.db";

/// The range of a node as its profile has it.
#[derive(Serialize)]
struct RangeRecord {
    most: Option<usize>,
    place: u64,
    bits: u8,
    changed_at: Timestamp,
}

/// Makes all of it, unless it is there.
pub(crate) async fn make(town: &Path, people: u64, modules: u64) -> Result<(), Box<dyn Error>> {
    if town.join("nodes.json").exists() {
        return Ok(());
    }
    let network = network_in(&town.join("server/network.json"))?;
    let witness = WITNESS_KEY.load(&town.join("server"))?.ok_or("the server has no witness's key")?;
    let everybody = People { network, witness, people, modules };
    let whole = town.join("whole.db");
    remove(&whole)?;
    admit(&everybody, &whole).await?;
    let nodes = nodes::found();
    for node in nodes.iter().filter(|node| node.role.is_honest()) {
        fs::create_dir_all(node.folder(town))?;
        let profile = node.folder(town).join(PROFILE);
        remove(&profile)?;
        match node.role {
            Role::Range(part) => keep_range(node, part, &whole, &profile, people)?,
            _ => {
                fs::copy(&whole, &profile)?;
                keep_key(node, &SqliteStore::open(&profile)?)?;
            }
        }
        eprintln!("{:?}: {} MiB", node.role, fs::metadata(&profile)?.len() >> 20);
    }
    let lines = |name: fn(u64) -> String, count: u64| (0..count).map(|nth| name(nth) + "\n").collect::<String>();
    fs::write(town.join("names.txt"), lines(username, people))?;
    fs::write(town.join("modules.txt"), lines(module, modules))?;
    nodes::write(town, &nodes)
}

/// A profile with everybody.
async fn admit(everybody: &People, file: &Path) -> Result<(), Box<dyn Error>> {
    let began = Instant::now();
    let store = Rc::new(SqliteStore::open(file)?);
    let node = Node::start(store, Rc::new(Native), everybody.network.clone()).await?;
    node.limit_strangers(usize::MAX);
    for first in (0..everybody.people).step_by(AT_ONCE as usize) {
        let some = first..everybody.people.min(first + AT_ONCE);
        let pieces = some.flat_map(|nth| everybody.pieces(nth)).collect();
        let report = node.admission().admit(pieces).await.map_err(|failure| failure.message)?;
        assert_eq!(report.outcome.rejections, []);
        if first % SAID_EVERY == 0 {
            eprintln!("{first} people after {} s", began.elapsed().as_secs());
        }
    }
    Ok(())
}

/// A profile with the people of one range.
fn keep_range(node: &TownNode, part: u8, whole: &Path, profile: &Path, people: u64) -> Result<(), Box<dyn Error>> {
    let range = RingRange::around(u64::from(part) << (64 - RANGE_BITS), RANGE_BITS);
    // Half as many more than it has: it keeps its range.
    let most = (people >> RANGE_BITS) as usize * 3 / 2;
    let record = RangeRecord { most: Some(most), place: range.first(), bits: RANGE_BITS, changed_at: Native.now() };
    let store = SqliteStore::open(profile)?;
    keep_key(node, &store)?;
    commit(&store, put(Table::Settings, "retention", &record))?;
    drop(store);
    let connection = rusqlite::Connection::open(profile)?;
    connection.execute("ATTACH ?1 AS whole", [whole.to_str().ok_or("a path")?])?;
    connection.execute(
        "INSERT INTO main.records SELECT * FROM whole.records \
         WHERE tbl IN ('facts', 'headers', 'changes', 'people') AND key >= ?1 AND key < ?2",
        [format!("{:016x}", range.first()), format!("{:016x}g", range.last())],
    )?;
    connection.execute(
        "INSERT INTO main.records SELECT * FROM whole.records AS known WHERE tbl = 'evidence' \
         AND substr(key, 9, 64) IN (SELECT substr(key, -64) FROM main.records WHERE tbl = 'facts')",
        [],
    )?;
    Ok(())
}

fn keep_key(node: &TownNode, store: &SqliteStore) -> Result<(), Box<dyn Error>> {
    let key = serde_bytes::ByteBuf::from(node.key().encode());
    commit(store, put(Table::Keys, "node", &key))
}

fn commit(store: &SqliteStore, write: Write) -> Result<(), Box<dyn Error>> {
    Ok(block_on(store.commit(vec![write], Durability::Strict))?)
}

/// Removes a profile that was begun.
fn remove(profile: &Path) -> std::io::Result<()> {
    for ending in ["", "-wal", "-shm"] {
        let file = format!("{}{ending}", profile.display());
        match fs::remove_file(file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}
