//! A picture drawn from a public key, the same on every device: people without a picture stay recognisable.
//!
//! It proves nothing. The safety words do.

use leptos::prelude::*;

use crate::model::identicon::{IdenticonShape, identicon_shape};

/// Decoration beside a name; `public_key` as hex digits.
pub fn identicon(public_key: &str) -> impl IntoView + use<> {
    let IdenticonShape { ground, ink, spot, inked, spotted } = identicon_shape(public_key);
    view! {
        <svg class="identicon" viewBox="0 0 64 64" aria-hidden="true" focusable="false">
            <rect width="64" height="64" fill=ground />
            <path d=inked fill=ink />
            <path d=spotted fill=spot />
        </svg>
    }
}
