//! Pictures as their headers say: both sides of each bound, animations of each kind, and files that two readers could
//! read differently.

use super::{PICTURE_MAX_SIDE, PictureError, media_type};

const MOST: u32 = PICTURE_MAX_SIDE;

fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    [&(data.len() as u32).to_be_bytes(), kind.as_slice(), data, &[0; 4]].concat()
}

fn png_with(width: u32, height: u32, more: &[u8]) -> Vec<u8> {
    let header = [width.to_be_bytes().as_slice(), &height.to_be_bytes(), &[8, 6, 0, 0, 0]].concat();
    let (header, end) = (chunk(b"IHDR", &header), chunk(b"IEND", &[]));
    [b"\x89PNG\r\n\x1a\n".as_slice(), &header, more, &chunk(b"IDAT", &[1, 2]), &end].concat()
}

fn png(width: u32, height: u32) -> Vec<u8> {
    png_with(width, height, &[])
}

fn segment(marker: u8, data: &[u8]) -> Vec<u8> {
    [&[0xff, marker], (data.len() as u16 + 2).to_be_bytes().as_slice(), data].concat()
}

fn frame(width: u32, height: u32) -> Vec<u8> {
    let (width, height) = (width as u16, height as u16);
    segment(0xc0, &[&[8], height.to_be_bytes().as_slice(), &width.to_be_bytes(), &[1, 1, 0x11, 0]].concat())
}

fn jpeg_with(before: &[u8], width: u32, height: u32, scans: usize) -> Vec<u8> {
    let scan = [segment(0xda, &[1, 1, 0, 0, 63, 0]), vec![7, 0xff, 0x00, 0xff, 0xd0, 8]].concat();
    [&[0xff, 0xd8], before, &segment(0xe0, b"JFIF\0"), &frame(width, height), &scan.repeat(scans), &[0xff, 0xd9]]
        .concat()
}

fn jpeg(width: u32, height: u32) -> Vec<u8> {
    jpeg_with(&[], width, height, 1)
}

fn gif_with(screen: (u32, u32), images: &[(u32, u32)]) -> Vec<u8> {
    let number = |number: u32| (number as u16).to_le_bytes();
    let mut bytes = [b"GIF89a".as_slice(), &number(screen.0), &number(screen.1), &[0x80, 0, 0], &[9; 6]].concat();
    for (width, height) in images {
        bytes.extend([0x21, 0xf9, 4, 0, 0, 0, 0, 0]);
        bytes.extend([[0x2c, 0, 0, 0, 0].as_slice(), &number(*width), &number(*height), &[0, 2, 2, 1, 1, 0]].concat());
    }
    bytes.push(0x3b);
    bytes
}

fn gif(width: u32, height: u32) -> Vec<u8> {
    gif_with((width, height), &[(width, height)])
}

fn riff(chunks: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let chunks = chunks.iter().map(|(kind, data)| {
        let padding = vec![0; data.len() % 2];
        [kind.as_slice(), &(data.len() as u32).to_le_bytes(), data, &padding].concat()
    });
    let chunks: Vec<u8> = chunks.flatten().collect();
    [b"RIFF".as_slice(), &(chunks.len() as u32 + 4).to_le_bytes(), b"WEBP", &chunks].concat()
}

fn lossy(width: u32, height: u32) -> Vec<u8> {
    let number = |number: u32| (number as u16).to_le_bytes();
    [[0, 0, 0, 0x9d, 0x01, 0x2a].as_slice(), &number(width), &number(height), &[0; 3]].concat()
}

fn lossless(width: u32, height: u32) -> Vec<u8> {
    [[0x2f].as_slice(), &(((height - 1) << 14) | (width - 1)).to_le_bytes()].concat()
}

fn canvas(flags: u8, width: u32, height: u32) -> Vec<u8> {
    let number = |number: u32| (number - 1).to_le_bytes();
    [&[flags, 0, 0, 0], &number(width)[..3], &number(height)[..3]].concat()
}

/// Makes a picture of this width and height.
type Make<'a> = &'a dyn Fn(u32, u32) -> Vec<u8>;

#[test]
fn still_pictures_are_accepted_up_to_the_bound() {
    let webp_lossy = |width, height| riff(&[(b"VP8 ", lossy(width, height))]);
    let webp_lossless = |width, height| riff(&[(b"VP8L", lossless(width, height))]);
    let webp_more = |width, height| {
        riff(&[(b"VP8X", canvas(8, width, height)), (b"VP8 ", lossy(width, height)), (b"EXIF", vec![1; 3])])
    };
    let kinds: [(&str, Make<'_>); 6] = [
        ("image/png", &png),
        ("image/jpeg", &jpeg),
        ("image/gif", &gif),
        ("image/webp", &webp_lossy),
        ("image/webp", &webp_lossless),
        ("image/webp", &webp_more),
    ];
    for (kind, make) in kinds {
        for (width, height) in [(1, 1), (256, 300), (MOST, MOST)] {
            assert_eq!(media_type(&make(width, height)), Ok(kind), "{width} × {height}");
        }
        for (width, height) in [(MOST + 1, 1), (1, MOST + 1), (16_000, 16_000)] {
            assert_eq!(media_type(&make(width, height)), Err(PictureError::TooLarge { width, height }), "{kind}");
        }
    }
    for make in [png, jpeg, gif] {
        assert_eq!(media_type(&make(0, 5)), Err(PictureError::Damaged));
    }
    assert_eq!(media_type(&png(30_000, 30_000)), Err(PictureError::TooLarge { width: 30_000, height: 30_000 }));
}

#[test]
fn animations_are_refused() {
    let two = gif_with((9, 9), &[(9, 9), (9, 9)]);
    let flagged = riff(&[(b"VP8X", canvas(2, 9, 9)), (b"VP8 ", lossy(9, 9))]);
    let framed = riff(&[(b"VP8X", canvas(0, 9, 9)), (b"ANIM", vec![0; 6]), (b"ANMF", vec![0; 16])]);
    for bytes in
        [png_with(9, 9, &chunk(b"acTL", &[0; 8])), png_with(9, 9, &chunk(b"fcTL", &[0; 26])), two, flagged, framed]
    {
        assert_eq!(media_type(&bytes), Err(PictureError::Animated));
    }
}

#[test]
fn sizes_that_two_readers_could_read_differently_are_refused() {
    let large = PictureError::TooLarge { width: 9_000, height: 9_000 };
    // A reader that takes the filling byte for a marker would jump to the small frame.
    let hidden = [segment(0xe1, &frame(9, 9)), vec![0xff]].concat();
    assert_eq!(media_type(&jpeg_with(&hidden, 9_000, 9_000, 1)), Err(large));
    // The picture inside of a comment is none.
    assert_eq!(media_type(&jpeg_with(&segment(0xfe, &jpeg(9, 9)), 9_000, 9_000, 1)), Err(large));
    for before in [frame(9, 9), vec![0xff, 0xd8], vec![0xff, 0xd0], vec![0xff, 0x00], segment(0xdc, &[0, 9])] {
        assert_eq!(media_type(&jpeg_with(&before, 9, 9, 1)), Err(PictureError::Damaged), "{before:?}");
    }
    // An image that is larger than the screen makes the screen larger.
    assert_eq!(media_type(&gif_with((9, 9), &[(9_000, 9_000)])), Err(large));
    let second_header = png_with(9, 9, &png(9_000, 9_000)[8..33]);
    let canvas_and_picture = riff(&[(b"VP8X", canvas(0, 9, 9)), (b"VP8 ", lossy(9_000, 9_000))]);
    let two_pictures = riff(&[(b"VP8 ", lossy(9, 9)), (b"VP8 ", lossy(9_000, 9_000))]);
    for bytes in [second_header, canvas_and_picture, two_pictures] {
        assert_eq!(media_type(&bytes), Err(PictureError::Damaged));
    }
}

#[test]
fn jpegs_with_too_many_scans_are_refused() {
    assert_eq!(media_type(&jpeg_with(&[], 9, 9, 32)), Ok("image/jpeg"));
    assert_eq!(media_type(&jpeg_with(&[], 9, 9, 33)), Err(PictureError::Damaged));
}

#[test]
fn other_files_and_every_part_of_a_picture_are_refused() {
    for bytes in [b"<svg xmlns='http://www.w3.org/2000/svg'>".as_slice(), b"", b"\x89PNG", b"\0asm\x01\0\0\0"] {
        assert_eq!(media_type(bytes), Err(PictureError::NotAPicture));
    }
    for whole in [png(9, 9), jpeg(9, 9), gif(9, 9), riff(&[(b"VP8 ", lossy(9, 9))])] {
        for end in 0..whole.len() {
            assert!(media_type(&whole[..end]).is_err(), "{end} of {} bytes", whole.len());
        }
    }
}
