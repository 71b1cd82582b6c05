//! What a picture is, from its headers: its kind, its size in pixels, and that it is a still one. No picture is decoded.
//!
//! A file of 256 KiB can declare billions of pixels, or thousands of frames, and a browser that shows it allocates memory
//! for all of them. So the headers are read before a picture is published and before it is shown, as strictly as any
//! browser's decoder reads them: a file that two decoders could read with different sizes is rejected.

mod headers;

/// The most pixels of a picture on each side. One is shown at some 100 pixels; decoded it takes 4 MiB.
pub const PICTURE_MAX_SIDE: u32 = 1_024;

/// Why a file is not shown as a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    /// It has the signature of none, SVG included.
    #[error("the file is not a picture of a kind that every browser shows")]
    NotAPicture,
    /// Its headers are cut off, contradict each other, or can be read in more than one way.
    #[error("the picture is damaged")]
    Damaged,
    #[error("the picture has {width} by {height} pixels")]
    TooLarge { width: u32, height: u32 },
    #[error("the picture is animated")]
    Animated,
}

/// What the headers of a picture say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Headers {
    width: u32,
    height: u32,
    /// Whether there is more than one frame.
    animated: bool,
}

/// Returns the media type of a PNG, JPEG, WebP or GIF by its signature (WHATWG MIME Sniffing, section 6.1), if it is a
/// still picture of at most [`PICTURE_MAX_SIDE`] pixels on each side.
pub fn media_type(bytes: &[u8]) -> Result<&'static str, PictureError> {
    let (media_type, headers) = match bytes {
        [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, rest @ ..] => ("image/png", headers::png(rest)),
        [0xff, 0xd8, rest @ ..] if rest.starts_with(&[0xff]) => ("image/jpeg", headers::jpeg(rest)),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', rest @ ..] => ("image/gif", headers::gif(rest)),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', rest @ ..] => ("image/webp", headers::webp(rest)),
        _ => return Err(PictureError::NotAPicture),
    };
    let Headers { width, height, animated } = headers.ok_or(PictureError::Damaged)?;
    if animated {
        return Err(PictureError::Animated);
    }
    match (width, height) {
        (0, _) | (_, 0) => Err(PictureError::Damaged),
        (1..=PICTURE_MAX_SIDE, 1..=PICTURE_MAX_SIDE) => Ok(media_type),
        (width, height) => Err(PictureError::TooLarge { width, height }),
    }
}

#[cfg(test)]
mod tests;
