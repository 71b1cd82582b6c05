//! The headers of PNG, JPEG, GIF and WebP files, read to the end of the file without a pixel being decoded.
//!
//! Each function takes what follows the signature, and returns `None` for a file that a strict reader would refuse.
//! Its time is linear in the file's length.

use super::Headers;

/// Scans of one JPEG. Every scan of a progressive one goes over all pixels again; encoders write about ten.
const JPEG_SCANS_MAX: usize = 32;

/// The rest of a file.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    /// Takes the next bytes, or returns `None` if there are fewer.
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// Takes as many bytes as an array has.
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    /// Takes one byte.
    fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }
}

/// PNG (third edition, section 5 and 11.3): chunks from `IHDR` to `IEND`. `acTL` makes an animation.
pub(super) fn png(bytes: &[u8]) -> Option<Headers> {
    let mut rest = Rest(bytes);
    let mut headers: Option<Headers> = None;
    loop {
        let length = usize::try_from(u32::from_be_bytes(rest.array()?)).ok()?;
        let kind: [u8; 4] = rest.array()?;
        let mut data = Rest(rest.take(length)?);
        let _checksum = rest.take(4)?;
        match (&kind, &mut headers) {
            (b"IHDR", None) if length == 13 => {
                let (width, height) = (u32::from_be_bytes(data.array()?), u32::from_be_bytes(data.array()?));
                headers = Some(Headers { width, height, animated: false });
            }
            (b"IHDR", _) | (_, None) => return None,
            (b"acTL" | b"fcTL" | b"fdAT", Some(headers)) => headers.animated = true,
            (b"IEND", Some(headers)) => return Some(*headers),
            _ => {}
        }
    }
}

/// JPEG (ITU-T T.81, annex B): segments from the second marker to the end. One frame header, before the first scan.
pub(super) fn jpeg(bytes: &[u8]) -> Option<Headers> {
    let mut rest = Rest(bytes);
    let mut headers = None;
    let mut scans = 0;
    loop {
        if rest.byte()? != 0xff {
            return None;
        }
        let mut marker = rest.byte()?;
        // Any number of these may fill the space before a marker.
        while marker == 0xff {
            marker = rest.byte()?;
        }
        // The end of the picture: what follows is not looked at by any decoder.
        if marker == 0xd9 {
            return headers;
        }
        // Markers without a length, and the beginning of another picture, have no place here.
        if matches!(marker, 0x00..=0x01 | 0xd0..=0xd8) {
            return None;
        }
        let length = usize::from(u16::from_be_bytes(rest.array()?)).checked_sub(2)?;
        let mut segment = Rest(rest.take(length)?);
        match marker {
            0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => {
                let [_precision, a, b, c, d] = segment.array()?;
                let (height, width) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
                let found = Headers { width: width.into(), height: height.into(), animated: false };
                if headers.replace(found).is_some() {
                    return None;
                }
            }
            // It would change the height afterwards.
            0xdc => return None,
            0xda => {
                headers?;
                scans += 1;
                if scans > JPEG_SCANS_MAX {
                    return None;
                }
                skip_scan(&mut rest);
            }
            _ => {}
        }
    }
}

/// Skips the coded data of a JPEG's scan, up to the next marker that is none of a restart.
fn skip_scan(rest: &mut Rest<'_>) {
    let is_end = |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0x00 | 0xd0..=0xd7);
    let end = rest.0.windows(2).position(is_end).unwrap_or(rest.0.len());
    rest.0 = &rest.0[end..];
}

/// GIF (89a, sections 17 to 27): blocks up to the trailer. More than one image makes an animation. An image may reach
/// beyond the screen; the larger of both counts.
pub(super) fn gif(bytes: &[u8]) -> Option<Headers> {
    let mut rest = Rest(bytes);
    let [a, b, c, d, flags, _background, _aspect] = rest.array()?;
    let (mut width, mut height) = (u32::from(u16::from_le_bytes([a, b])), u32::from(u16::from_le_bytes([c, d])));
    skip_gif_colors(&mut rest, flags)?;
    let mut images = 0;
    loop {
        match rest.byte()? {
            0x21 => {
                let _label = rest.byte()?;
                skip_gif_blocks(&mut rest)?;
            }
            0x2c => {
                images += 1;
                let [l, m, t, u, a, b, c, d, flags] = rest.array()?;
                let number = |low, high| u32::from(u16::from_le_bytes([low, high]));
                width = width.max(number(l, m) + number(a, b));
                height = height.max(number(t, u) + number(c, d));
                skip_gif_colors(&mut rest, flags)?;
                let _code_size = rest.byte()?;
                skip_gif_blocks(&mut rest)?;
            }
            0x3b if images > 0 => return Some(Headers { width, height, animated: images > 1 }),
            _ => return None,
        }
    }
}

/// Skips a GIF's table of colours, if the flags say that there is one.
fn skip_gif_colors(rest: &mut Rest<'_>, flags: u8) -> Option<()> {
    if flags & 0x80 != 0 {
        rest.take(3 << ((flags & 7) + 1))?;
    }
    Some(())
}

/// Skips a GIF's blocks of data up to the empty one.
fn skip_gif_blocks(rest: &mut Rest<'_>) -> Option<()> {
    while let length @ 1.. = rest.byte()? {
        rest.take(usize::from(length))?;
    }
    Some(())
}

/// WebP (RFC 9649): one chunk with a still picture, or `VP8X` with more. An animation has a flag there, and `ANIM` and
/// `ANMF`. The canvas and the picture on it must have one size.
pub(super) fn webp(bytes: &[u8]) -> Option<Headers> {
    let mut rest = Rest(bytes);
    let mut canvas: Option<Headers> = None;
    let mut picture: Option<Headers> = None;
    while !rest.0.is_empty() {
        let kind: [u8; 4] = rest.array()?;
        let length = usize::try_from(u32::from_le_bytes(rest.array()?)).ok()?;
        let mut data = Rest(rest.take(length)?);
        let _padding = rest.take(length % 2)?;
        match &kind {
            b"VP8X" if canvas.is_none() && picture.is_none() => canvas = Some(webp_canvas(&mut data)?),
            b"VP8 " if picture.is_none() => picture = Some(webp_lossy(&mut data)?),
            b"VP8L" if picture.is_none() => picture = Some(webp_lossless(&mut data)?),
            b"VP8X" | b"VP8 " | b"VP8L" => return None,
            b"ANIM" | b"ANMF" => canvas.as_mut()?.animated = true,
            // Metadata chunks are valid only in the extended format, which has a canvas.
            _ if canvas.is_none() && picture.is_none() => return None,
            _ => {}
        }
    }
    match (canvas, picture) {
        (Some(canvas), _) if canvas.animated => Some(canvas),
        (Some(canvas), Some(picture)) if canvas != picture => None,
        (_, picture) => picture,
    }
}

/// Reads the canvas of `VP8X`: flags, three bytes for later, and width and height less one in three bytes each.
fn webp_canvas(data: &mut Rest<'_>) -> Option<Headers> {
    let [flags, _, _, _, a, b, c, d, e, f] = data.array()?;
    let (width, height) = (u32::from_le_bytes([a, b, c, 0]) + 1, u32::from_le_bytes([d, e, f, 0]) + 1);
    Some(Headers { width, height, animated: flags & 2 != 0 })
}

/// Reads the header of a key frame (RFC 6386, section 9.1): width and height in 14 bits each.
fn webp_lossy(data: &mut Rest<'_>) -> Option<Headers> {
    let [_, _, _, 0x9d, 0x01, 0x2a, a, b, c, d] = data.array()? else { return None };
    let number = |low, high| u32::from(u16::from_le_bytes([low, high]) & 0x3fff);
    Some(Headers { width: number(a, b), height: number(c, d), animated: false })
}

/// Reads the header of a lossless picture: width and height less one in 14 bits each.
fn webp_lossless(data: &mut Rest<'_>) -> Option<Headers> {
    let [0x2f, a, b, c, d] = data.array()? else { return None };
    let bits = u32::from_le_bytes([a, b, c, d]);
    Some(Headers { width: (bits & 0x3fff) + 1, height: ((bits >> 14) & 0x3fff) + 1, animated: false })
}
