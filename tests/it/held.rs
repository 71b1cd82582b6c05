//! What a node holds in memory is enough to go on from when its store is taken away: keys, names, the profile and what
//! confirms them.

use std::cell::RefCell;
use std::rc::Rc;

use futures::executor::block_on;
use futures::future::LocalBoxFuture;
use gen_registry_api::{Answer, Command, FailureCode, Me, ProfileChanges};
use gen_registry_core::time::Timestamp;
use gen_registry_node::platform::test_environment::TestEnvironment;
use gen_registry_node::store::held::Held;
use gen_registry_node::store::memory::MemoryStore;
use gen_registry_node::store::{Batch, Durability, Entry, Store, StoreError, Table};
use gen_registry_node::{Network, Node};

use crate::support::profile::{PASSPHRASE, TestProfile};

/// A store whose data can be taken away: what is left is what was held.
#[derive(Default)]
struct Removable {
    inner: MemoryStore,
    held: RefCell<Held>,
}

impl Removable {
    /// What a browser's store writes into a new database.
    fn written_anew(&self) -> Rc<Self> {
        let new = Self::default();
        block_on(new.inner.commit(self.held.borrow().batch(), Durability::Strict)).unwrap();
        Rc::new(new)
    }
}

impl Store for Removable {
    fn get<'a>(&'a self, table: Table, key: &'a str) -> LocalBoxFuture<'a, Result<Option<Vec<u8>>, StoreError>> {
        self.inner.get(table, key)
    }

    fn scan<'a>(
        &'a self,
        table: Table,
        prefix: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> LocalBoxFuture<'a, Result<Vec<Entry>, StoreError>> {
        self.inner.scan(table, prefix, after, limit)
    }

    fn commit(&self, batch: Batch, durability: Durability) -> LocalBoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            self.inner.commit(batch.clone(), durability).await?;
            self.held.borrow_mut().apply(&batch);
            Ok(())
        })
    }

    fn hold<'a>(&'a self, table: Table, prefix: &'a str) -> LocalBoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            self.held.borrow_mut().begin(table, prefix);
            let entries = self.inner.scan(table, prefix, None, usize::MAX).await?;
            self.held.borrow_mut().finish(table, entries);
            Ok(())
        })
    }
}

fn clock() -> TestEnvironment {
    TestEnvironment::new(1, Timestamp::from_millis(1_800_000_000_000))
}

fn start(store: &Rc<Removable>) -> Node {
    block_on(Node::start(store.clone(), Rc::new(clock()), Network::default())).unwrap()
}

fn me(node: &Node, command: Command) -> Me {
    match block_on(node.handle(command)) {
        Ok(Answer::Me(me)) => *me,
        other => panic!("not me: {other:?}"),
    }
}

fn bio(text: String) -> Command {
    Command::UpdateProfile { changes: ProfileChanges { bio: Some(text), ..ProfileChanges::default() } }
}

fn register(name: &str) -> Command {
    Command::RegisterUsername { name: name.to_owned(), changes: ProfileChanges::default() }
}

#[test]
fn a_profile_goes_on_from_what_was_held() {
    let store = Rc::new(Removable::default());
    let node = start(&store);
    me(&node, register("alice"));
    // Past a checkpoint, whose data are a file of their own.
    for number in 0..=600 {
        me(&node, bio(format!("edit {number}")));
    }
    block_on(node.hold_own()).unwrap();
    let before = me(&node, Command::WhoAmI);
    assert!(!store.inner.keys(Table::Blocks).is_empty(), "there was a checkpoint");
    drop(node);

    let store = store.written_anew();
    let node = start(&store);
    assert_eq!(me(&node, Command::WhoAmI), before);
    let after = me(&node, bio("afterwards".to_owned()));
    assert_eq!((after.changes, after.forked), (before.changes + 1, false));
    // And once more, by a node that read it from the store.
    block_on(node.hold_own()).unwrap();
    drop(node);
    assert_eq!(me(&start(&store.written_anew()), Command::WhoAmI), after);
}

#[test]
fn others_are_not_held() {
    let store = Rc::new(Removable::default());
    let node = start(&store);
    me(&node, register("alice"));
    let bob = TestProfile::new(2);
    bob.claim("bob");
    let pieces = block_on(bob.node.own_pieces()).unwrap();
    block_on(node.admission().admit(pieces)).unwrap();
    assert_eq!(store.inner.keys(Table::People).len(), 2);
    let left = store.written_anew();
    assert_eq!(left.inner.keys(Table::People).len(), 1);
    assert_eq!(me(&start(&left), Command::WhoAmI).username.as_deref(), Some("alice"));
}

#[test]
fn locked_keys_are_held_in_their_sealed_form() {
    let store = Rc::new(Removable::default());
    let node = start(&store);
    me(&node, register("alice"));
    me(&node, Command::SetPassphrase { passphrase: Some(PASSPHRASE.to_owned()) });
    drop(node);
    let node = start(&store);
    let locked = me(&node, Command::WhoAmI);
    drop(node);
    let node = start(&store.written_anew());
    assert_eq!(me(&node, Command::WhoAmI), locked);
    assert_eq!(block_on(node.handle(bio("x".to_owned()))).map_err(|failure| failure.code), Err(FailureCode::Locked));
    me(&node, Command::Unlock { passphrase: PASSPHRASE.to_owned() });
    assert_eq!(me(&node, bio("unlocked".to_owned())).profile.bio.as_deref(), Some("unlocked"));
}

#[test]
fn a_backup_is_handed_out_though_the_store_takes_nothing_more() {
    let alice = TestProfile::new(1);
    let before = alice.claim("alice");
    alice.store.fail_commits(Some(StoreError::Lost));
    assert_eq!(alice.code(bio("not kept".to_owned())), FailureCode::StorageLost);
    let file = alice.backup();
    assert_eq!(alice.me(Command::WhoAmI), before, "that it was made is not recorded");
    let elsewhere = TestProfile::new(2);
    let import = Command::ImportBackup { bytes: file, passphrase: PASSPHRASE.to_owned() };
    assert!(elsewhere.ask(import).is_ok());
    assert_eq!(elsewhere.me(Command::WhoAmI).did, before.did);
}
