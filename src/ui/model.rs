//! What the page computes from the node's answers without a browser: texts, queries, rows, layouts.
//!
//! Pure and compiled natively, so `cargo test -p gen-registry-ui --lib` covers it in seconds. What depends on the
//! browser's language (numbers, dates) comes in as a function; nothing here reads a clock, a signal or the document.

pub mod bursts;
pub mod chat;
pub mod devices;
pub mod form_text;
pub mod graph;
pub mod identicon;
pub mod lookup;
pub mod module_query;
pub mod name_check;
pub mod network;
pub mod network_search;
pub mod notices;
pub mod own_name;
pub mod pace;
pub mod people;
pub mod request_counter;
pub mod run;
pub mod sentences;
pub mod statistics;
pub mod stored_key;
pub mod subject;
pub mod text;
pub mod time;
pub mod versions;
