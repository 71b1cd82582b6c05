//! The memory that an identity of one entry takes: what a flood of identities costs a node.

use std::process::Command;

use super::*;
use crate::network::Genesis;

/// Identities of which each has one entry.
const STRANGERS: usize = 10_000;
/// How many of them come at once.
const PAGE: usize = 250;
/// Bytes that a registry may take for each of them, with what hash tables and trees reserve. An opening with its header is
/// some 500 bytes on the wire; with a map for each of its parts it took 10,800.
const EACH_MAX_BYTES: usize = 4 * 1024;
/// Set in the process in which it is measured, apart from what other tests take.
const ALONE: &str = "GEN_REGISTRY_MEASURED_ALONE";

fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

#[test]
fn a_stranger_takes_little_memory() {
    if std::env::var_os(ALONE).is_none() {
        let name = std::thread::current().name().unwrap().to_owned();
        let mut alone = Command::new(std::env::current_exe().unwrap());
        let output = alone.args(["--exact", &name, "--nocapture"]).env(ALONE, "1").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        return;
    }
    let history = NetworkHistory::new(Genesis::without_witnesses(1));
    let topic = history.topic();
    let entries: Vec<Entry> = (0..STRANGERS).map(|n| Device::of(topic, &format!("stranger {n}")).opening).collect();
    let mut registry = Registry::new(history);
    let before = resident_bytes();
    for page in entries.chunks(PAGE) {
        for entry in page {
            assert_eq!(registry.admit(entry, 0), Ok(Received::Kept));
        }
        registry.settle_states();
    }
    let each = (resident_bytes() - before) / STRANGERS;
    eprintln!("{each} bytes for each of {} strangers", registry.identity_count());
    assert_eq!(registry.identity_count(), STRANGERS);
    assert!(each <= EACH_MAX_BYTES, "{each} bytes for each stranger");
}
