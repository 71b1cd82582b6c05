//! One module per page. A screen asks, shows and sends; it decides nothing.

pub mod blocklist;
pub mod channel;
pub mod channels;
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
