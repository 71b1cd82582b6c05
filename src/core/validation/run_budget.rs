//! The budget of a run: what the memories and tables of all its modules may come to together, and how it is divided.
//!
//! An engine enforces only the maximum that is written in a module, for each memory and each table by itself. So the
//! budget is divided before the run: everything gets what it begins with, and equal parts of what is left to grow by;
//! what one declares not to need goes to the others. The maxima that follow, added up, never exceed the budget.
//!
//! # Example
//! A run of two modules: one has `(memory 16 32)`, 1 MiB that may grow to 2 MiB; the other has `(memory 16)`, 1 MiB
//! without a maximum. Of the 64 MiB 62 are left to grow by. The first may grow by 1 MiB, as it declares; the second gets
//! the other 61, so its maximum is 62 MiB.

use serde::{Deserialize, Serialize};

use crate::node_limits::NodeLimits;

/// Bytes of all memories of a run together: what they begin with and what they grow to. A phone has room for that
/// beside the page.
pub const RUN_MEMORY_BYTES: u64 = 64 * 1024 * 1024;
/// Elements of all tables of a run together. An engine needs 4 to 24 bytes for each; a table with every function of the
/// largest module ([`MODULE_MAX_FUNCTIONS`](crate::limits::MODULE_MAX_FUNCTIONS)) fits in twice.
pub const RUN_TABLE_ELEMENTS: u64 = 100_000;
/// Modules that are linked in one run: the called one and all that it needs. Each is compiled before the function is
/// called.
pub const RUN_MODULES_MAX: usize = 32;

/// Why modules are not run together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum RunBudgetError {
    #[error("a run links at most {RUN_MODULES_MAX} modules; this one needs {found}")]
    TooManyModules { found: usize },
    #[error("the memories of a run may have {RUN_MEMORY_BYTES} bytes together; these begin with {found}")]
    TooMuchMemory { found: u64 },
    #[error("the tables of a run may have {RUN_TABLE_ELEMENTS} elements together; these begin with {found}")]
    TooManyTableElements { found: u64 },
}

/// What one memory or table begins with and may grow to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Growable {
    /// In units, as the module declares it.
    pub initial: u64,
    /// In units; `None` if the module declares no maximum.
    pub maximum: Option<u64>,
    /// Bytes of a memory's page; 1 for a table.
    pub unit: u64,
}

impl Growable {
    /// Returns what it begins with, in bytes or elements.
    fn begins_with(&self) -> u64 {
        self.initial.saturating_mul(self.unit)
    }

    /// Returns what it may grow by as it declares, in bytes or elements.
    fn growth(&self) -> u64 {
        let maximum = self.maximum.unwrap_or(u64::MAX).saturating_mul(self.unit);
        maximum.saturating_sub(self.begins_with())
    }
}

/// The memories and tables that one module defines, in its order. What it imports belongs to another module of the run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Demand {
    pub memories: Vec<Growable>,
    pub tables: Vec<Growable>,
}

/// The maxima of one module's memories and tables, in their units and in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allotment {
    pub memories: Vec<u64>,
    pub tables: Vec<u64>,
}

/// Checks the number of modules of a run, which needs none of their bytes.
pub fn check_module_count(found: usize) -> Result<(), RunBudgetError> {
    if found > RUN_MODULES_MAX { Err(RunBudgetError::TooManyModules { found }) } else { Ok(()) }
}

/// Divides the budget of a run among its modules. Returns one allotment for each demand, in the same order; fails if
/// they begin with more than the budget.
pub fn divide(demands: &[Demand], limits: &NodeLimits) -> Result<Vec<Allotment>, RunBudgetError> {
    check_module_count(demands.len())?;
    let memories: Vec<Growable> = demands.iter().flat_map(|demand| demand.memories.iter().copied()).collect();
    let tables: Vec<Growable> = demands.iter().flat_map(|demand| demand.tables.iter().copied()).collect();
    let memories =
        share(&memories, limits.run_memory_bytes).map_err(|found| RunBudgetError::TooMuchMemory { found })?;
    let tables =
        share(&tables, limits.run_table_elements).map_err(|found| RunBudgetError::TooManyTableElements { found })?;
    let (mut memories, mut tables) = (memories.into_iter(), tables.into_iter());
    let allotments = demands.iter().map(|demand| Allotment {
        memories: memories.by_ref().take(demand.memories.len()).collect(),
        tables: tables.by_ref().take(demand.tables.len()).collect(),
    });
    Ok(allotments.collect())
}

/// Returns the maximum of each in its units. Fails with what all begin with if that exceeds the budget.
fn share(all: &[Growable], budget: u64) -> Result<Vec<u64>, u64> {
    let begin = all.iter().fold(0_u64, |sum, one| sum.saturating_add(one.begins_with()));
    let mut left = budget.checked_sub(begin).ok_or(begin)?;
    // Who needs least comes first, so that what it leaves is divided among the others.
    let mut order: Vec<usize> = (0..all.len()).collect();
    order.sort_by_key(|&index| all[index].growth());
    let mut maxima = vec![0; all.len()];
    for (position, index) in order.into_iter().enumerate() {
        let one = all[index];
        let part = left / (all.len() - position) as u64;
        let units = one.growth().min(part) / one.unit.max(1);
        maxima[index] = one.initial.saturating_add(units);
        left -= units * one.unit;
    }
    Ok(maxima)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn divide(demands: &[Demand]) -> Result<Vec<Allotment>, RunBudgetError> {
        super::divide(demands, &NodeLimits::default())
    }

    const PAGE: u64 = 65_536;
    const PAGES: u64 = RUN_MEMORY_BYTES / PAGE;

    fn memory(initial: u64, maximum: Option<u64>) -> Growable {
        Growable { initial, maximum, unit: PAGE }
    }

    fn table(initial: u64, maximum: Option<u64>) -> Growable {
        Growable { initial, maximum, unit: 1 }
    }

    fn memories(memories: &[Growable]) -> Demand {
        Demand { memories: memories.to_vec(), ..Demand::default() }
    }

    fn tables(tables: &[Growable]) -> Demand {
        Demand { tables: tables.to_vec(), ..Demand::default() }
    }

    #[test]
    fn one_memory_and_one_table_get_the_whole_budget() {
        let demand = Demand { memories: vec![memory(1, None)], tables: vec![table(10, None)] };
        let allotted = divide(&[demand]).unwrap();
        assert_eq!(allotted, [Allotment { memories: vec![PAGES], tables: vec![RUN_TABLE_ELEMENTS] }]);
        let modest = divide(&[memories(&[memory(1, Some(3))])]).unwrap();
        assert_eq!(modest[0].memories, [3], "nobody gets more than declared");
    }

    #[test]
    fn what_one_does_not_need_goes_to_the_others() {
        let allotted = divide(&[memories(&[memory(16, Some(32)), memory(0, Some(0))]), memories(&[memory(16, None)])]);
        assert_eq!(allotted.unwrap().map_memories(), [vec![32, 0], vec![PAGES - 32]]);
    }

    #[test]
    fn maxima_never_exceed_the_budget_together() {
        for modules in 1..=RUN_MODULES_MAX {
            for each in [1, 3, 48] {
                let one = Demand { memories: vec![memory(0, None); each], tables: vec![table(0, None); each] };
                let allotted = divide(&vec![one; modules]).unwrap();
                let pages: u64 = allotted.iter().flat_map(|one| &one.memories).sum();
                let elements: u64 = allotted.iter().flat_map(|one| &one.tables).sum();
                assert!(pages <= PAGES && elements <= RUN_TABLE_ELEMENTS, "{modules} × {each}");
                assert!(pages + (modules * each) as u64 > PAGES, "less than a page for each is given away");
            }
        }
    }

    #[test]
    fn the_bound_is_accepted_and_one_more_is_refused() {
        let half = memories(&[memory(PAGES / 2, None)]);
        assert_eq!(divide(&[half.clone(), half.clone()]).unwrap().map_memories(), [vec![PAGES / 2], vec![PAGES / 2]]);
        let found = RUN_MEMORY_BYTES + PAGE;
        let more = memories(&[memory(1, None)]);
        assert_eq!(divide(&[half.clone(), half, more]), Err(RunBudgetError::TooMuchMemory { found }));

        let half = tables(&[table(RUN_TABLE_ELEMENTS / 2, None)]);
        assert!(divide(&[half.clone(), half.clone()]).is_ok());
        let found = RUN_TABLE_ELEMENTS + 1;
        let more = tables(&[table(1, None)]);
        assert_eq!(divide(&[half.clone(), half, more]), Err(RunBudgetError::TooManyTableElements { found }));

        assert!(divide(&vec![Demand::default(); RUN_MODULES_MAX]).is_ok());
        let found = RUN_MODULES_MAX + 1;
        assert_eq!(divide(&vec![Demand::default(); found]), Err(RunBudgetError::TooManyModules { found }));
    }

    #[test]
    fn huge_declarations_do_not_overflow() {
        let most = table(u64::MAX, Some(u64::MAX));
        assert_eq!(divide(&[tables(&[most, most])]), Err(RunBudgetError::TooManyTableElements { found: u64::MAX }));
        let wide = memory(0, Some(u64::MAX));
        assert_eq!(divide(&[memories(&[wide])]).unwrap().map_memories(), [vec![PAGES]]);
    }

    /// Reads the maxima of memories out of allotments.
    trait MapMemories {
        fn map_memories(self) -> Vec<Vec<u64>>;
    }

    impl MapMemories for Vec<Allotment> {
        fn map_memories(self) -> Vec<Vec<u64>> {
            self.into_iter().map(|allotment| allotment.memories).collect()
        }
    }
}
