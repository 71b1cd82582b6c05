//! Connected widgets: pieces of pages that read the state of the page or send commands by themselves.
//!
//! They call `app_state()`, or show another widget that does, and may be put on any screen. Nothing here knows a
//! screen; pieces that need no state are in [`crate::components`].

pub mod avatar;
pub mod backup_export;
pub mod bell;
pub mod claim_form;
pub mod copy_link;
pub mod description_fields;
pub mod did;
pub mod history;
pub mod install_offer;
pub mod lost_name;
pub mod module_row;
pub mod moment;
pub mod name_field;
pub mod network_choice;
pub mod network_lookup;
pub mod network_search;
pub mod page_head;
pub mod person_row;
pub mod profile_card;
pub mod recovery;
pub mod reputation;
pub mod shell;
pub mod status_chip;
pub mod storage_bars;
pub mod subject;
pub mod toast;
pub mod unlock;
pub mod update_bar;
