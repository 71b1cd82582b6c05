//! A picture drawn from a public key, the same on every device: people without a picture stay recognisable.
//!
//! It proves nothing. The safety words do.

use leptos::prelude::*;

/// Tiles across and down; the right half mirrors the left.
const TILES: usize = 4;
const TILE: usize = 16;

/// Pairs of background and ink, all of one strength, so that no face shouts.
const PALETTE: [(&str, &str, &str); 8] = [
    ("#dff3e6", "#0f6b4f", "#e8a13a"),
    ("#e5ecfb", "#2b4fa8", "#e06a4e"),
    ("#fbe9df", "#a8431f", "#2f7f86"),
    ("#f1e6f8", "#6d3a9c", "#dd8b33"),
    ("#e0f2f4", "#136a78", "#c9577e"),
    ("#fbeed2", "#8a5a07", "#33629c"),
    ("#fce5ec", "#a12a55", "#2c7a5d"),
    ("#e8ead9", "#525f16", "#b4568f"),
];

fn bytes_of(public_key: &str) -> Vec<u8> {
    let digits: Vec<u8> = public_key.bytes().filter_map(|c| char::from(c).to_digit(16)).map(|d| d as u8).collect();
    digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect()
}

/// One of eight shapes, whose corner is at (x, y).
fn shape(kind: u8, x: usize, y: usize, mirrored: bool) -> String {
    let (left, right) = if mirrored { (x + TILE, x) } else { (x, x + TILE) };
    let (top, bottom) = (y, y + TILE);
    let (half, radius) = (x + TILE / 2, TILE / 2);
    let sweep = u8::from(!mirrored);
    match kind {
        0 => String::new(),
        1 => format!("M{x} {y}h{TILE}v{TILE}h-{TILE}z"),
        2 => format!("M{left} {top}L{right} {top}A{TILE} {TILE} 0 0 {sweep} {left} {bottom}z"),
        3 => format!("M{right} {bottom}L{left} {bottom}A{TILE} {TILE} 0 0 {sweep} {right} {top}z"),
        4 => format!("M{left} {bottom}L{left} {top}A{TILE} {TILE} 0 0 {sweep} {right} {bottom}z"),
        5 => format!("M{left} {top}L{right} {top}L{left} {bottom}z"),
        6 => {
            let middle = y + TILE / 2;
            format!("M{x} {middle}a{radius} {radius} 0 1 0 {TILE} 0a{radius} {radius} 0 1 0 -{TILE} 0z")
        }
        _ => format!("M{half} {top}L{right} {bottom}L{left} {bottom}z"),
    }
}

/// Decoration beside a name; `public_key` as hex digits.
pub fn identicon(public_key: &str) -> impl IntoView + use<> {
    let bytes = bytes_of(public_key);
    let byte = |at: usize| bytes.get(at).copied().unwrap_or_default();
    let (ground, ink, spot) = PALETTE[usize::from(byte(1) % 8)];
    let (mut inked, mut spotted) = (String::new(), String::new());
    for row in 0..TILES {
        for column in 0..TILES / 2 {
            let seed = byte(2 + row * 2 + column);
            let path = if seed & 0xc0 == 0 { &mut spotted } else { &mut inked };
            // The ends of the byte choose the colour, the low bits the shape.
            path.push_str(&shape(seed % 8, column * TILE, row * TILE, false));
            path.push_str(&shape(seed % 8, (TILES - 1 - column) * TILE, row * TILE, true));
        }
    }
    view! {
        <svg class="identicon" viewBox="0 0 64 64" aria-hidden="true" focusable="false">
            <rect width="64" height="64" fill=ground />
            <path d=inked fill=ink />
            <path d=spotted fill=spot />
        </svg>
    }
}
