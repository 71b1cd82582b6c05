//! One module per page. A screen queries the node, renders the answer and sends commands; it decides nothing.
//!
//! Each is made of [`crate::widgets`] and [`crate::components`]; what it computes from an answer is in
//! [`crate::model`]. Only [`crate::app`] knows at which address it is.

pub mod blocklist;
pub mod channel;
pub mod channels;
pub mod devices;
pub mod guide;
pub mod home;
pub mod installed;
pub mod me;
pub mod module;
pub mod modules;
pub mod network;
pub mod not_found;
pub mod notices;
pub mod people;
pub mod person;
pub mod publish;
pub mod settings;
pub mod statistics;
pub mod welcome;
