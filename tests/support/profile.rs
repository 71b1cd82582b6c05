//! One profile without a network: changes are handed over.

use std::rc::Rc;
use std::time::Duration;

use futures::executor::block_on;
use gen_registry_api::*;
use gen_registry_core::time::Timestamp;
use gen_registry_node::platform::test_environment::TestEnvironment;
use gen_registry_node::store::memory::MemoryStore;
use gen_registry_node::{Network, Node};

pub const PASSPHRASE: &str = "correct horse battery";

/// One profile on one device.
pub struct TestProfile {
    pub node: Rc<Node>,
    pub store: Rc<MemoryStore>,
    pub clock: TestEnvironment,
    network: Network,
}

impl TestProfile {
    pub fn new(seed: u64) -> Self {
        Self::open(Rc::new(MemoryStore::new()), TestEnvironment::new(seed, Timestamp::from_millis(1_800_000_000_000)))
    }

    pub fn open(store: Rc<MemoryStore>, clock: TestEnvironment) -> Self {
        Self::open_in(store, clock, Network::default())
    }

    pub fn open_in(store: Rc<MemoryStore>, clock: TestEnvironment, network: Network) -> Self {
        let node = Node::start(store.clone(), Rc::new(clock.clone()), network.clone());
        Self { node: Rc::new(block_on(node).expect("a profile opens")), store, clock, network }
    }

    /// The process ends without a word, and starts again from what was stored.
    pub fn restart(self) -> Self {
        let copy = Rc::new(self.store.copy());
        drop(self.node);
        Self::open_in(copy, self.clock, self.network)
    }

    pub fn ask(&self, command: Command) -> Result<Answer, Failure> {
        block_on(self.node.handle(command))
    }

    pub fn me(&self, command: Command) -> Me {
        match self.ask(command) {
            Ok(Answer::Me(me)) => *me,
            other => panic!("not me: {other:?}"),
        }
    }

    pub fn code(&self, command: Command) -> FailureCode {
        self.ask(command).expect_err("this command must be refused").code
    }

    pub fn claim(&self, name: &str) -> Me {
        self.me(Command::RegisterUsername { name: name.into(), changes: ProfileChanges::default() })
    }

    pub fn rename(&self, name: &str) -> Me {
        self.clock.advance(Duration::from_secs(60));
        self.me(Command::Rename { name: name.into() })
    }

    pub fn look_up(&self, name: &str) -> NameReport {
        match self.ask(Command::LookupUsername { name: name.into() }) {
            Ok(Answer::Name(report)) => report,
            other => panic!("no report: {other:?}"),
        }
    }

    pub fn verdict(&self, text: &str) -> NameVerdict {
        match self.ask(Command::CheckUsername { text: text.into() }) {
            Ok(Answer::NameCheck(check)) => check.verdict,
            other => panic!("no verdict: {other:?}"),
        }
    }

    pub fn backup(&self) -> Vec<u8> {
        match self.ask(Command::ExportBackup { passphrase: PASSPHRASE.into() }) {
            Ok(Answer::Backup(file)) => file.bytes,
            other => panic!("no backup: {other:?}"),
        }
    }

    /// Takes in everything that another profile knows of its own document, as a peer would send it.
    pub fn learn_from(&self, other: &Self) {
        let pieces = block_on(other.node.own_pieces()).expect("its own entries");
        let report = block_on(self.node.admission().admit(pieces)).expect("entries are admitted");
        assert_eq!(report.outcome.rejections, [], "{report:?}");
    }
}
