//! What every store must do, as one suite. `tests/it` runs it against the memory store and SQLite, `tests/browser`
//! against IndexedDB. A rule that the rest of the node relies on belongs here, not into the test of one store.

use crate::store::{Durability, Store, StoreError, Table, Write};

fn put(table: Table, key: &str, bytes: &[u8]) -> Write {
    Write::Put { table, key: key.to_owned(), bytes: bytes.to_vec() }
}

fn replace(key: &str, before: &[u8], bytes: &[u8]) -> Write {
    Write::Replace { table: Table::Keys, key: key.to_owned(), before: before.to_vec(), bytes: bytes.to_vec() }
}

fn delete(table: Table, key: &str) -> Write {
    Write::Delete { table, key: key.to_owned() }
}

async fn keys(store: &dyn Store, table: Table, prefix: &str, after: Option<&str>, limit: usize) -> Vec<String> {
    let entries = store.scan(table, prefix, after, limit).await.expect("a scan of a healthy store");
    entries.into_iter().map(|(key, _)| key).collect()
}

/// Runs the whole suite on an empty store, and leaves it empty. Panics with what the store fails to do.
pub async fn check(store: &dyn Store) {
    keeps_what_was_put(store).await;
    separates_tables(store).await;
    scans_in_order_by_prefix_and_page(store).await;
    writes_a_batch_in_its_order(store).await;
    keeps_large_and_empty_values(store).await;
    never_overwrites_a_key(store).await;
    replaces_only_what_is_named(store).await;
}

/// A value is read as it was written, with either durability, until it is deleted.
async fn keeps_what_was_put(store: &dyn Store) {
    assert_eq!(store.get(Table::Settings, "absent").await, Ok(None));
    for durability in [Durability::Strict, Durability::Relaxed] {
        store.commit(vec![put(Table::Settings, "a", b"1")], durability).await.expect("a put");
        assert_eq!(store.get(Table::Settings, "a").await, Ok(Some(b"1".to_vec())));
        store.commit(vec![delete(Table::Settings, "a")], durability).await.expect("a delete");
        assert_eq!(store.get(Table::Settings, "a").await, Ok(None));
    }
    store.commit(Vec::new(), Durability::Strict).await.expect("an empty batch is nothing to do");
}

/// The same key in two tables is two records; one batch may write to all tables.
async fn separates_tables(store: &dyn Store) {
    let batch = Table::ALL.iter().map(|table| put(*table, "same", table.name().as_bytes())).collect();
    store.commit(batch, Durability::Strict).await.expect("one batch over all tables");
    for table in Table::ALL {
        let value = Some(table.name().as_bytes().to_vec());
        assert_eq!(store.get(table, "same").await, Ok(value.clone()));
        let keys = ["same", "absent", "same"].map(str::to_owned);
        assert_eq!(store.get_many(table, &keys).await, Ok(vec![value.clone(), None, value]));
    }
    let batch = Table::ALL.iter().map(|table| delete(*table, "same")).collect();
    store.commit(batch, Durability::Strict).await.expect("deletes over all tables");
}

/// A scan yields keys in order, those with the prefix only, after the given one, at most as many as requested.
async fn scans_in_order_by_prefix_and_page(store: &dyn Store) {
    let written = ["b/2", "a/1", "b/10", "b/1", "c", "b", "ba", "b/\u{10ffff}"];
    let batch = written.iter().map(|key| put(Table::Changes, key, key.as_bytes())).collect();
    store.commit(batch, Durability::Relaxed).await.expect("eight records");
    let all = keys(store, Table::Changes, "", None, 100).await;
    assert_eq!(all, ["a/1", "b", "b/1", "b/10", "b/2", "b/\u{10ffff}", "ba", "c"]);
    assert_eq!(keys(store, Table::Changes, "b/", None, 100).await, ["b/1", "b/10", "b/2", "b/\u{10ffff}"]);
    assert_eq!(keys(store, Table::Changes, "b/", None, 2).await, ["b/1", "b/10"]);
    assert_eq!(keys(store, Table::Changes, "b/", Some("b/10"), 100).await, ["b/2", "b/\u{10ffff}"]);
    assert_eq!(keys(store, Table::Changes, "b/", Some("a"), 1).await, ["b/1"]);
    assert!(keys(store, Table::Changes, "x", None, 100).await.is_empty());
    assert!(keys(store, Table::Changes, "", None, 0).await.is_empty());
    let batch = written.iter().map(|key| delete(Table::Changes, key)).collect();
    store.commit(batch, Durability::Relaxed).await.expect("eight deletes");
}

/// Of two writes of one key in a batch, the later one counts.
async fn writes_a_batch_in_its_order(store: &dyn Store) {
    let batch = vec![
        put(Table::Keys, "k", b"old"),
        delete(Table::Keys, "k"),
        put(Table::Keys, "k", b"new"),
        put(Table::Keys, "gone", b"x"),
        delete(Table::Keys, "gone"),
    ];
    store.commit(batch, Durability::Strict).await.expect("a batch");
    assert_eq!(store.get(Table::Keys, "k").await, Ok(Some(b"new".to_vec())));
    assert_eq!(store.get(Table::Keys, "gone").await, Ok(None));
    store.commit(vec![delete(Table::Keys, "k")], Durability::Strict).await.expect("a delete");
}

/// A value may be empty, and larger than a block.
async fn keeps_large_and_empty_values(store: &dyn Store) {
    let large: Vec<u8> = (0..300_000_u32).map(|at| at as u8).collect();
    let batch = vec![put(Table::Blocks, "large", &large), put(Table::Blocks, "empty", b"")];
    store.commit(batch, Durability::Strict).await.expect("a large and an empty value");
    assert_eq!(store.get(Table::Blocks, "large").await, Ok(Some(large)));
    assert_eq!(store.get(Table::Blocks, "empty").await, Ok(Some(Vec::new())));
    let batch = vec![delete(Table::Blocks, "large"), delete(Table::Blocks, "empty")];
    store.commit(batch, Durability::Strict).await.expect("deletes");
}

/// A key is stored where there is none or the same, and no put overwrites another; the whole batch then writes nothing.
async fn never_overwrites_a_key(store: &dyn Store) {
    let before = put(Table::Settings, "beside", b"before");
    store.commit(vec![put(Table::Keys, "k", b"mine"), before], Durability::Strict).await.expect("a new key");
    store.commit(vec![put(Table::Keys, "k", b"mine")], Durability::Strict).await.expect("the same key");
    // The writes around the one that does not fit are those that a store may have carried out already.
    let batch = vec![
        put(Table::Settings, "beside", b"after"),
        put(Table::Keys, "k", b"another"),
        put(Table::Keys, "new", b"another"),
    ];
    for durability in [Durability::Strict, Durability::Relaxed] {
        assert_eq!(store.commit(batch.clone(), durability).await, Err(StoreError::Taken));
        assert_eq!(store.get(Table::Keys, "k").await, Ok(Some(b"mine".to_vec())));
        assert_eq!(store.get(Table::Keys, "new").await, Ok(None));
        assert_eq!(store.get(Table::Settings, "beside").await, Ok(Some(b"before".to_vec())));
    }
    // In one batch, too: what an earlier write of it stored is stored.
    let batch = vec![put(Table::Keys, "new", b"one"), put(Table::Keys, "new", b"another")];
    assert_eq!(store.commit(batch, Durability::Strict).await, Err(StoreError::Taken));
    assert_eq!(store.get(Table::Keys, "new").await, Ok(None));
    // Forgetting is a write of its own.
    let batch = vec![delete(Table::Keys, "k"), put(Table::Keys, "k", b"another"), delete(Table::Keys, "k")];
    store.commit(batch, Durability::Strict).await.expect("a key that was forgotten makes room");
    store.commit(vec![delete(Table::Settings, "beside")], Durability::Strict).await.expect("a delete");
}

/// A replacement takes place only where exactly what it names is stored.
async fn replaces_only_what_is_named(store: &dyn Store) {
    let absent = vec![replace("k", b"plain", b"sealed")];
    assert_eq!(store.commit(absent, Durability::Strict).await, Err(StoreError::Taken));
    assert_eq!(store.get(Table::Keys, "k").await, Ok(None));
    store.commit(vec![put(Table::Keys, "k", b"plain")], Durability::Strict).await.expect("a new key");
    for wrong in [&b"plai"[..], b"plain2", b""] {
        let batch = vec![replace("k", wrong, b"sealed")];
        assert_eq!(store.commit(batch, Durability::Strict).await, Err(StoreError::Taken));
        assert_eq!(store.get(Table::Keys, "k").await, Ok(Some(b"plain".to_vec())));
    }
    store.commit(vec![replace("k", b"plain", b"sealed")], Durability::Strict).await.expect("what is stored");
    assert_eq!(store.get(Table::Keys, "k").await, Ok(Some(b"sealed".to_vec())));
    store.commit(vec![delete(Table::Keys, "k")], Durability::Strict).await.expect("a delete");
}
