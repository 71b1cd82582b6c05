//! The native entry: one act against a native node.

use gen_registry_core::actors::Device;
use tokio::task::{LocalSet, spawn_local};

use crate::acts::ACTS;
use crate::peer::{Mallory, Victim};

pub(crate) fn attack() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [act, topic, peer, relays @ ..] = &words[..] else {
        eprintln!("usage: hostile-peer ACT TOPIC NAME RELAY...");
        std::process::exit(2);
    };
    let (name, act) = ACTS.into_iter().find(|(name, _)| name == act).expect("an act");
    let victim = Victim {
        peer: peer.parse().expect("the victim's name"),
        topic: topic.clone().try_into().expect("a topic"),
        relays: relays.iter().map(|relay| relay.parse().expect("a relay's address")).collect(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(LocalSet::new().run_until(async move {
        let (mut mallory, life) = Mallory::new(victim, act.side());
        spawn_local(life);
        mallory.approach().await;
        let person = Device::of(mallory.victim.topic, &mallory.id.to_string());
        let said = act.run_job(&mut mallory, person).await;
        let again = mallory.is_let_in_again().await;
        println!("{name} as {}: got out {said}; is let in again: {again}", mallory.id);
    }));
}
