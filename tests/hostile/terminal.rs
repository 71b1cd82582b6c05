//! The native entry: one act against a native node.

use std::rc::Rc;
use std::time::Duration;

use gen_registry_core::actors::Device;
use gen_registry_core::time::Timestamp;
use gen_registry_node::platform::Environment;
use gen_registry_node::platform::native::Native;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::sleep;

use crate::acts::{ACTS, Act};
use crate::crowd::Crowd;
use crate::crowd_files;
use crate::floods::{FLOODS, Flood};
use crate::peer::{Mallory, Victim, sent};
use crate::server;
use crate::siege::{Tally, besiege};
use crate::signaling::name_addresses_of_others;

/// Runs something until the program ends.
pub(crate) fn run_beside(life: impl Future<Output = ()> + 'static) {
    spawn_local(life);
}

pub(crate) fn now() -> Timestamp {
    Native.now()
}

pub(crate) fn attack() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [act, topic, count, folder] = &words[..]
        && act == "make-crowd"
    {
        let topic = topic.clone().try_into().expect("a topic");
        let count = count.parse().expect("a number");
        return crowd_files::make(topic, count, folder.as_ref()).expect("the crowd is written");
    }
    if let Some(attack) = server::attack(&words) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        return println!("{}", runtime.block_on(LocalSet::new().run_until(attack)));
    }
    let [act, topic, peer, relays @ ..] = &words[..] else {
        eprintln!("usage: hostile-peer ACT TOPIC NAME RELAY...");
        std::process::exit(2);
    };
    let victim = Victim {
        peer: peer.parse().expect("the victim's name"),
        topic: topic.clone().try_into().expect("a topic"),
        relays: relays.iter().map(|relay| relay.parse().expect("a relay's address")).collect(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let flood = FLOODS.into_iter().find(|(name, _)| name == act);
    let attacking = async move {
        match flood {
            None if act == "siege" => hold_siege(victim).await,
            None if act == "foreign-addresses" => {
                let said = name_addresses_of_others(victim, count()).await;
                println!(r#"{{"said":{said},"bytes":{}}}"#, sent());
            }
            Some((_, flood)) => flood_victim(flood, victim).await,
            None => {
                let (name, act) = ACTS.into_iter().find(|(name, _)| name == act).expect("an act");
                act_against(name, act, victim).await;
            }
        }
    };
    runtime.block_on(LocalSet::new().run_until(attacking));
}

async fn act_against(name: &str, act: Act, victim: Victim) {
    let (mut mallory, life) = Mallory::new(victim, act.side());
    spawn_local(life);
    mallory.approach().await;
    let person = Device::of(mallory.victim.topic, &mallory.id.to_string());
    let said = act.run_job(&mut mallory, person).await;
    let again = mallory.is_let_in_again().await;
    println!("{name} as {}: got out {said}; is let in again: {again}", mallory.id);
}

/// `CROWD`, `CROWD_SIZE`, `COUNT` and `DURATION` in the environment say with whom, how many peers and for how many seconds. It
/// prints every second how far it is.
async fn hold_siege(victim: Victim) {
    let text = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
    let number = |name: &str| text(name).parse::<usize>().expect("a number");
    let crowd = Crowd::new(text("CROWD"), number("CROWD_SIZE"));
    let tally = Rc::<Tally>::default();
    let said = tally.clone();
    spawn_local(async move {
        loop {
            println!("{}", said.text());
            sleep(Duration::from_secs(1)).await;
        }
    });
    besiege(victim, crowd, number("COUNT"), Duration::from_secs(number("DURATION") as u64), tally.clone()).await;
    println!("{}", tally.text());
}

/// `COUNT` in the environment: how much of an act.
fn count() -> usize {
    std::env::var("COUNT").ok().and_then(|count| count.parse().ok()).expect("COUNT is a number")
}

async fn flood_victim(flood: Flood, victim: Victim) {
    let (mut mallory, life) = Mallory::new(victim, flood.side());
    spawn_local(life);
    if flood.is_direct() {
        mallory.approach().await;
    }
    let said = flood.run(&mut mallory, count()).await;
    println!(r#"{{"said":{said},"bytes":{}}}"#, sent());
}
