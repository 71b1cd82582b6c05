//! The run: a relay, clients until the time is over, samples, and what they come to.

use std::env;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::ops::Range;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gen_registry_core::actors::{BEGIN, Witness};
use gen_registry_node::Network;
use gen_registry_server::network::write_new;
use libp2p::{Multiaddr, rendezvous};
use rand::Rng;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep, sleep_until};

use crate::client::{Profile, World, live};
use crate::measure::{Sample, mean, slope};

const SAMPLE_EVERY: Duration = Duration::from_secs(5);
/// Lines that are printed.
const LINES: usize = 15;
/// Before the first client comes, and after the last one went.
const QUIET: Duration = Duration::from_secs(15);
/// How long a client is there, in the mean; each half to one and a half of it.
const LIFE_SECONDS: u64 = 120;
/// Profiles for each client that is there: people come back.
const PROFILES_PER_CLIENT: usize = 3;

/// Ends with this.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn number(name: &str, otherwise: u64) -> u64 {
    env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

fn start(dist: &std::path::Path, network: &std::path::Path) -> (Program, SocketAddr, Multiaddr) {
    let metrics = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    // With a public address of its own it does not count by address: here everybody has the same.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let address = format!("/ip4/127.0.0.1/tcp/{port}/ws");
    let program = env::var("PROGRAM").expect("PROGRAM names the relay's program: run `make soak-relay`");
    let mut child = Command::new(program)
        .args([
            "serve",
            "--metrics",
            &metrics.to_string(),
            "--http",
            "127.0.0.1:0",
            "--dist",
            dist.to_str().unwrap(),
            "--no-catalogue",
        ])
        .args(["--network", network.to_str().unwrap(), "--no-witness"])
        .args(["--p2p", &address, "--p2p-public", &address])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let http = line.trim().trim_start_matches("http://").trim_end_matches('/').parse().unwrap();
    let program = Program(child);
    let relay = relay_of(http);
    (program, metrics, relay)
}

fn relay_of(http: SocketAddr) -> Multiaddr {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(http).unwrap();
    write!(stream, "GET /network.json HTTP/1.1\r\nhost: {http}\r\nconnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let json: serde_json::Value = serde_json::from_str(text.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    json["relays"][0].as_str().unwrap().parse().unwrap()
}

#[tokio::main(flavor = "current_thread")]
pub async fn main() {
    let (clients, minutes) = (number("CLIENTS", 100) as usize, number("MINUTES", 30));
    let life = number("LIFE", LIFE_SECONDS).max(2);
    let dist = tempfile::tempdir().unwrap();
    std::fs::write(dist.path().join("index.html"), "page").unwrap();
    // The relay keeps only what is confirmed, so the witness is here.
    let (history, keys) = gen_registry_core::actors::network(1, 1);
    let network = Network::new(history.clone());
    let file = dist.path().join("network.json");
    write_new(&network, &file).unwrap();
    let (program, metrics, relay) = start(dist.path(), &file);
    let process = program.0.id();
    let mut witness = Witness::new(history, keys[0].clone(), BEGIN);
    let profiles: Vec<Profile> = (0..PROFILES_PER_CLIENT * clients).map(|n| Profile::new(n, &mut witness)).collect();
    let world = Arc::new(World {
        relay,
        namespace: rendezvous::Namespace::new(network.topic.into()).unwrap(),
        profiles,
        here: Mutex::default(),
        tally: Mutex::default(),
    });
    let began = Instant::now();
    let sample = || Sample::take(process, metrics, began.elapsed().as_secs_f64()).unwrap();
    sleep(QUIET).await;
    let idle = sample();
    println!("{clients} clients, {minutes} minutes; the idle relay takes {:.0} KiB", idle.resident);

    let samples = run(&world, clients, life / 2..life * 3 / 2, Duration::from_secs(60 * minutes), sample).await;
    sleep(QUIET).await;
    let after = sample();
    tell(&idle, &samples, &after, &world);
}

/// As many clients as are wanted, each followed by another one.
async fn run(
    world: &Arc<World>,
    clients: usize,
    lives_for: Range<u64>,
    time: Duration,
    sample: impl Fn() -> Sample,
) -> Vec<Sample> {
    let end = Instant::now() + time;
    let mut lives = JoinSet::new();
    let mut free: Vec<Profile> = world.profiles.clone();
    let mut samples = Vec::new();
    let mut sampling = interval(SAMPLE_EVERY);
    // Not all at once: people come one by one.
    let mut arrivals = interval(Duration::from_millis(200));
    loop {
        tokio::select! {
            _ = arrivals.tick(), if lives.len() < clients => {
                let profile = free.swap_remove(rand::rng().random_range(0..free.len()));
                let life = Duration::from_secs(rand::rng().random_range(lives_for.clone()));
                let world = world.clone();
                lives.spawn(async move {
                    live(world, profile.clone(), life).await;
                    profile
                });
            }
            Some(over) = lives.join_next() => free.push(over.unwrap()),
            _ = sampling.tick() => samples.push(sample()),
            () = sleep_until(end) => return samples,
        }
    }
}

fn tell(idle: &Sample, samples: &[Sample], after: &Sample, world: &World) {
    println!("  minute  connections  places  values  RSS KiB  CPU %");
    let step = (samples.len() / LINES).max(1);
    for pair in samples.iter().step_by(step).collect::<Vec<_>>().windows(2) {
        let share = 100.0 * (pair[1].cpu - pair[0].cpu) / (pair[1].seconds - pair[0].seconds);
        println!(
            "  {:6.1}  {:11.0}  {:6.0}  {:6.0}  {:7.0}  {share:5.1}",
            (pair[1].seconds - samples[0].seconds) / 60.0,
            pair[1].number("connections"),
            pair[1].number("reservations"),
            pair[1].number("kademlia_values"),
            pair[1].resident,
        );
    }
    // The first quarter is for coming; the rest for staying as it is.
    let steady = &samples[samples.len() / 4..];
    let (first, last) = steady.split_at(steady.len() / 2);
    let resident = |samples: &[Sample]| mean(samples.iter().map(|sample| sample.resident));
    let connections = mean(steady.iter().map(|sample| sample.number("connections")));
    let (begin, end) = (&steady[0], &steady[steady.len() - 1]);
    println!("connections, mean: {connections:.1}");
    println!("memory for each connection: {:.1} KiB", (resident(steady) - idle.resident) / connections.max(1.0));
    println!("share of one processor: {:.2} %", 100.0 * (end.cpu - begin.cpu) / (end.seconds - begin.seconds));
    println!(
        "RSS: {:.0} KiB idle, {:.0} then {:.0} KiB in the two halves after the first quarter, {:.0} KiB after all left",
        idle.resident,
        resident(first),
        resident(last),
        after.resident
    );
    println!(
        "slope: {:+.1} KiB a minute over the last three quarters, {:+.1} over the last half",
        slope(steady),
        slope(&samples[samples.len() / 2..])
    );
    println!(
        "left after all went: {:.0} connections, {:.0} places",
        after.number("connections"),
        after.number("reservations")
    );
    println!("{:?}", world.tally.lock().unwrap());
    for (name, value) in after.numbers.iter().filter(|(_, value)| **value > 0.0) {
        println!("  {name} {value}");
    }
}
