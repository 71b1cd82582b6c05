//! A picture computed from a public key, the same on every device.

/// Tiles across and down; the right half mirrors the left.
const TILES: usize = 4;
const TILE: usize = 16;

/// Background, ink and spots, all of one strength, so that no face shouts.
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

/// The colours and SVG paths of a picture, 64 units wide and high.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdenticonShape {
    /// The colour of the ground.
    pub ground: &'static str,
    /// The colour of most tiles.
    pub ink: &'static str,
    /// The colour of the other tiles.
    pub spot: &'static str,
    /// The path that is filled with ink.
    pub inked: String,
    /// The path that is filled with the colour of the spots.
    pub spotted: String,
}

/// Computes the picture of a public key, given as hex digits. Too short a key has plain tiles.
pub fn identicon_shape(public_key: &str) -> IdenticonShape {
    let bytes = parse_hex(public_key);
    let byte = |at: usize| bytes.get(at).copied().unwrap_or_default();
    let (ground, ink, spot) = PALETTE[usize::from(byte(1) % 8)];
    let (mut inked, mut spotted) = (String::new(), String::new());
    for row in 0..TILES {
        for column in 0..TILES / 2 {
            let seed = byte(2 + row * 2 + column);
            let path = if seed & 0xc0 == 0 { &mut spotted } else { &mut inked };
            // The ends of the byte choose the colour, the low bits the shape.
            path.push_str(&tile(seed % 8, column * TILE, row * TILE, false));
            path.push_str(&tile(seed % 8, (TILES - 1 - column) * TILE, row * TILE, true));
        }
    }
    IdenticonShape { ground, ink, spot, inked, spotted }
}

/// Anything that is no hex digit is left out.
fn parse_hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter_map(|c| char::from(c).to_digit(16)).map(|d| d as u8).collect();
    digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect()
}

/// One of eight shapes, whose corner is at (x, y).
fn tile(kind: u8, x: usize, y: usize, mirrored: bool) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_read_pair_by_pair() {
        assert_eq!(parse_hex(""), [0_u8; 0]);
        assert_eq!(parse_hex("00ff1A"), [0, 255, 26]);
        assert_eq!(parse_hex("f"), [15]);
        assert_eq!(parse_hex("é0-0z1 2"), [0, 0x12]);
    }

    #[test]
    fn the_same_key_has_the_same_picture() {
        let key = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
        assert_eq!(identicon_shape(key), identicon_shape(key));
        assert_ne!(identicon_shape(key), identicon_shape(&key.replace('5', "6")));
    }

    #[test]
    fn bytes_choose_colours_and_shapes() {
        // The second byte chooses the palette, the third the tile in the corner: a full square in ink.
        let shape = identicon_shape("0001c1");
        assert_eq!((shape.ground, shape.ink, shape.spot), PALETTE[1]);
        assert_eq!(shape.inked, "M0 0h16v16h-16zM48 0h16v16h-16z");
        assert_eq!(shape.spotted, "");
        let spotted = identicon_shape("000001");
        assert_eq!(spotted.inked, "");
        assert_eq!(spotted.spotted, "M0 0h16v16h-16zM48 0h16v16h-16z");
    }

    #[test]
    fn no_key_is_an_empty_ground() {
        let shape = identicon_shape("");
        assert_eq!(shape.ground, PALETTE[0].0);
        assert_eq!((shape.inked.as_str(), shape.spotted.as_str()), ("", ""));
        assert_eq!(identicon_shape(&"0".repeat(100_000)), shape);
    }
}
