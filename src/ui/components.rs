//! Primitives: the pieces that pages are made of and that know nothing but their arguments.
//!
//! None of them calls `app_state()`, sends a command or knows which screen it is on; what they need comes in as a
//! value, a signal or a callback. What reads the state, by itself or through a part of it, is in [`crate::widgets`].

pub mod field;
pub mod forked;
pub mod help;
pub mod icon;
pub mod identicon;
pub mod markdown;
pub mod modal;
pub mod module_facts;
pub mod notice;
pub mod qr;
pub mod search_box;
