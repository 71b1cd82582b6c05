//! A text as a QR code, always dark on white: that is what cameras read.

use std::fmt::Write;

use fast_qr::QRBuilder;
use leptos::prelude::*;

/// Blank modules around the code, as its standard asks.
const MARGIN: usize = 4;

/// A picture of `text`, which a screen reader reads as `label`. Nothing for a text that is too long for a code.
#[component]
pub fn QrCode(#[prop(into)] text: String, label: &'static str) -> impl IntoView {
    let Ok(code) = QRBuilder::new(text).build() else {
        return ().into_any();
    };
    let mut path = String::new();
    for y in 0..code.size {
        for x in (0..code.size).filter(|x| code[y][*x].value()) {
            // Writing to a string can't fail.
            let _written = write!(path, "M{} {}h1v1h-1z", x + MARGIN, y + MARGIN);
        }
    }
    let side = code.size + 2 * MARGIN;
    view! {
        <svg class="qr" viewBox=format!("0 0 {side} {side}") role="img" aria-label=label shape-rendering="crispEdges">
            <rect width=side height=side fill="#fff" />
            <path d=path fill="#10211a" />
        </svg>
    }
    .into_any()
}
