//! What the person decided about people, peers and modules, for every service that asks.

use std::cell::{Ref, RefCell};

use gen_registry_core::block_list::{BlockDecision, BlockList, Subject};
use gen_registry_core::keys::Did;
use gen_registry_core::name::ModuleName;

/// What the person decided, for every service that asks. [`BlockLists`] changes it.
pub(crate) struct Decisions(RefCell<BlockList>);

impl Decisions {
    /// Wraps the stored lists.
    pub(crate) fn new(lists: BlockList) -> Self {
        Self(RefCell::new(lists))
    }

    /// Returns the lists.
    pub(crate) fn lists(&self) -> Ref<'_, BlockList> {
        self.0.borrow()
    }

    /// Whether the lists are empty.
    pub(crate) fn is_empty(&self) -> bool {
        self.lists().is_empty()
    }

    /// Returns what was decided about exactly this subject.
    pub(crate) fn verdict(&self, subject: &Subject) -> BlockDecision {
        self.lists().verdict(subject)
    }

    /// Whether a person is blocked.
    pub(crate) fn blocks_person(&self, person: &Did) -> bool {
        self.lists().verdict(&Subject::Person(*person)) == BlockDecision::Block
    }

    /// Returns the blocked people.
    pub(crate) fn blocked_people(&self) -> Vec<Did> {
        let lists = self.lists();
        let blocked = lists.entries().filter(|(_, entry)| entry.verdict == BlockDecision::Block);
        let people = blocked.filter_map(|(subject, _)| match subject {
            Subject::Person(person) => Some(*person),
            Subject::Peer(_) | Subject::Module(_) => None,
        });
        people.collect()
    }

    /// Whether a module is blocked: by itself, or with its holder unless it is trusted by itself.
    pub(crate) fn blocks_module(&self, name: &ModuleName, holder: Option<&Did>) -> bool {
        let lists = self.lists();
        // Asked of every module of every list.
        if lists.is_empty() {
            return false;
        }
        match lists.verdict(&Subject::Module(name.clone())) {
            BlockDecision::Block => true,
            BlockDecision::Allow => false,
            BlockDecision::Neither => holder.is_some_and(|holder| self.blocks_person(holder)),
        }
    }

    /// Takes over lists that are stored already.
    pub(crate) fn replace(&self, lists: BlockList) {
        *self.0.borrow_mut() = lists;
    }
}
