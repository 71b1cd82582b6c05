//! The pieces that screens are made of. None of them knows which screen it is on.

pub mod avatar;
pub mod backup_export;
pub mod claim_form;
pub mod did;
pub mod field;
pub mod help;
pub mod history;
pub mod icon;
pub mod identicon;
pub mod install_offer;
pub mod lost_name;
pub mod modal;
pub mod name_field;
pub mod notice;
pub mod page_head;
pub mod person_row;
pub mod profile_card;
pub mod qr;
pub mod recovery;
pub mod search_box;
pub mod shell;
pub mod status_chip;
pub mod toast;
pub mod unlock;
pub mod update_bar;
