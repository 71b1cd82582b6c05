//! What people of the tests write who have no node: [`Device::of`] gives their keys from their names.

use gen_registry_core::actors::Device;
use gen_registry_core::log::body::Claim;
use gen_registry_core::log::{Body, Entry};
use gen_registry_core::name::ClaimedName;
use gen_registry_core::proof_of_work::{PowJob, solve};
use gen_registry_core::time::Timestamp;
use gen_registry_node::Network;

/// When all of them began to write: long before the clock of any node.
pub const LONG_AGO: Timestamp = Timestamp::from_millis(5);

/// A claim of a username that shows no work.
pub fn claim(device: &mut Device, name: &str, at: Timestamp) -> Entry {
    device.write(&Body::Claim(Box::new(unworked(username(name), at))))
}

/// The same with the work that the network asks for.
pub fn claim_with_work(device: &mut Device, name: &str, at: Timestamp, network: &Network) -> Entry {
    claim_any_with_work(device, username(name), at, network)
}

/// The same of a name of either kind.
pub fn claim_any_with_work(device: &mut Device, name: ClaimedName, at: Timestamp, network: &Network) -> Entry {
    let claim = unworked(name, at);
    let bits = network.history().genesis().parameters.work_bits;
    let work = solve(&PowJob::of_claim(&network.topic, &device.key.public(), &claim, bits));
    device.write(&Body::Claim(Box::new(Claim { work, ..claim })))
}

fn username(name: &str) -> ClaimedName {
    ClaimedName::Username(name.parse().expect("a username"))
}

fn unworked(name: ClaimedName, at: Timestamp) -> Claim {
    Claim { name, after: None, round: 0, withdrawals: vec![], at, work: 0 }
}
