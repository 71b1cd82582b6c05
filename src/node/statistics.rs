//! What this device has seen, in sums: `registry::statistics` over the whole read model, a slice at a time.

use std::rc::Rc;

use crate::Node;
use crate::time_slice::TimeSlice;
use gen_registry_api::{PeerCount, Statistics};
use gen_registry_core::modules::ModuleState;
use gen_registry_core::modules::ratings::RatingState;
use gen_registry_core::name::{ModuleName, Username};
use gen_registry_core::ownership::NameState;
use gen_registry_core::statistics::Tally;
use gen_registry_core::time::Timestamp;

impl Node {
    pub(crate) async fn statistics(&self, days: u32) -> Statistics {
        let mut tally = Tally::new(self.now(), days);
        let mut turn = TimeSlice::begin(&*self.environment);
        let (names, modules): (Vec<Username>, Vec<ModuleName>) = {
            let state = self.state.borrow();
            let names = state.index.list("", None, usize::MAX).people.into_iter().map(|(name, _)| name.clone());
            (names.collect(), state.index.modules(None).map(|(name, _)| name.clone()).collect())
        };
        for name in &names {
            if let Some(since) = self.state.borrow().index.state(name).and_then(held_since) {
                tally.name(since);
            }
            turn.yield_if_spent().await;
        }
        for name in &modules {
            if let Some((since, state, installs)) = self.seen_of(name) {
                tally.module(name, since, &state, installs);
            }
            turn.yield_if_spent().await;
        }
        let told = tally.finish();
        Statistics {
            begins: told.begins.as_millis(),
            names: told.names,
            modules: told.modules,
            releases: told.releases,
            popular: told.popular,
            needed: told.needed,
            missing: told.missing,
            independent: told.independent,
            peers: self.peering.borrow().peer_counts().map(|(at, peers)| PeerCount { at, peers }).collect(),
        }
    }

    fn seen_of(&self, name: &ModuleName) -> Option<(Timestamp, Rc<ModuleState>, u64)> {
        let state = self.state.borrow();
        let folded = name.folded();
        let since = held_since(state.index.module_name(&folded)?)?;
        Some((since, state.index.module(&folded), state.index.opinion(&folded).map_or(0, RatingState::downloads)))
    }
}

fn held_since(state: &NameState) -> Option<Timestamp> {
    Some(state.holder()?.position.at())
}
