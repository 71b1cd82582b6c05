//! Statistics of what this device has seen: `core::statistics` over the whole read model, in time slices.

use std::rc::Rc;

use crate::context::Context;
use crate::decisions::Decisions;
use crate::modules::opinions::Opinions;
use crate::peers::PeerTable;
use crate::registry::Registry;
use crate::time_slice::TimeSlice;
use gen_registry_api::{PeerCount, Statistics};
use gen_registry_core::modules::ModuleState;
use gen_registry_core::name::{ModuleName, Username};
use gen_registry_core::read_model::NameState;
use gen_registry_core::statistics::Tally;
use gen_registry_core::time::Timestamp;

/// Counts what the read model shows of the last `days` days, and the peers of this run.
pub(crate) async fn count(
    context: &Context,
    registry: &Registry,
    decisions: &Decisions,
    peers: &PeerTable,
    days: u32,
) -> Statistics {
    let now = context.now();
    let mut tally = Tally::new(now, days);
    let mut time_slice = TimeSlice::begin(&*context.environment);
    let (names, modules): (Vec<Username>, Vec<ModuleName>) = {
        let read_model = registry.read_model();
        let names = read_model.list("", None, usize::MAX).people.into_iter().map(|(name, _)| name.clone());
        (names.collect(), read_model.modules(None).map(|(name, _)| name.clone()).collect())
    };
    for name in &names {
        if let Some(since) = registry.read_model().state(name).and_then(held_since) {
            tally.name(since);
        }
        time_slice.yield_if_spent().await;
    }
    for name in &modules {
        let counted = count_module(&Opinions { read_model: &registry.read_model(), decisions, now }, name);
        if let Some((since, state, installs)) = counted {
            tally.module(name, since, &state, installs);
        }
        time_slice.yield_if_spent().await;
    }
    let counts = tally.finish();
    Statistics {
        begins: counts.begins.as_millis(),
        names: counts.names,
        modules: counts.modules,
        releases: counts.releases,
        popular: counts.popular,
        needed: counts.needed,
        missing: counts.missing,
        independent: counts.independent,
        peers: peers.peer_counts().into_iter().map(|(at, peers)| PeerCount { at, peers }).collect(),
    }
}

/// Returns since when a module's name is held, its releases, and how often it was installed.
fn count_module(opinions: &Opinions<'_>, name: &ModuleName) -> Option<(Timestamp, Rc<ModuleState>, u64)> {
    let (read_model, folded) = (opinions.read_model, name.folded());
    let since = held_since(read_model.module_name(&folded)?)?;
    Some((since, read_model.module(&folded), opinions.totals(&folded).downloads))
}

/// Returns since when a name is held.
fn held_since(state: &NameState) -> Option<Timestamp> {
    Some(state.holder()?.since)
}
