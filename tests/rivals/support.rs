//! What this program takes from the tests.

#[path = "../support/asker.rs"]
pub mod asker;
#[path = "../support/people.rs"]
pub mod people;
#[path = "../support/records.rs"]
pub mod records;
#[path = "../support/relay_client.rs"]
pub mod relay_client;
