//! Makes a chosen picture small enough for one block, in this page. The original is neither stored nor sent.

use leptos::prelude::*;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, CanvasRenderingContext2d, HtmlCanvasElement, ImageBitmap};

use crate::dom;

/// Pixels on each side.
const SIDE: u32 = 256;
/// One block.
const MOST_BYTES: f64 = 256.0 * 1024.0;
/// Bigger files are refused before the browser tries to open them.
const MOST_INPUT: f64 = 32.0 * 1024.0 * 1024.0;

/// Why a file does not become a picture, as a sentence for the person who chose it.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// The file is larger than [`MOST_INPUT`].
    #[error("This file is larger than 32 MiB. Choose a smaller picture.")]
    TooLarge,
    /// The browser can't decode the file.
    #[error("This file can't be read as a picture. Choose a PNG, JPEG, WebP or GIF file.")]
    NotAPicture,
    /// The browser can't draw or encode the picture.
    #[error("The browser could not make the picture smaller. Try another picture.")]
    NotDrawn,
}

/// The middle square of the picture, as bytes of a file the registry accepts.
pub async fn shrink(file: &Blob) -> Result<Vec<u8>, PictureError> {
    if file.size() > MOST_INPUT {
        return Err(PictureError::TooLarge);
    }
    let opening = window().create_image_bitmap_with_blob(file).map_err(|_| PictureError::NotAPicture)?;
    let bitmap: ImageBitmap = JsFuture::from(opening)
        .await
        .ok()
        .and_then(|bitmap| bitmap.dyn_into().ok())
        .ok_or(PictureError::NotAPicture)?;
    let canvas = draw_square(&bitmap).ok_or(PictureError::NotDrawn)?;
    bitmap.close();
    for (media_type, quality) in [("image/webp", 0.9), ("image/jpeg", 0.85), ("image/jpeg", 0.6)] {
        if let Some(blob) = encode(&canvas, media_type, quality).await
            && blob.size() <= MOST_BYTES
        {
            return dom::read_bytes(&blob).await.map_err(|_| PictureError::NotDrawn);
        }
    }
    Err(PictureError::NotDrawn)
}

/// Draws the middle square of a picture, not larger than [`SIDE`]. Returns `None` if the browser refuses.
fn draw_square(bitmap: &ImageBitmap) -> Option<HtmlCanvasElement> {
    let canvas: HtmlCanvasElement = document().create_element("canvas").ok()?.dyn_into().ok()?;
    let (width, height) = (f64::from(bitmap.width()), f64::from(bitmap.height()));
    let crop = width.min(height);
    let side = f64::from(SIDE).min(crop).max(1.0);
    canvas.set_width(side as u32);
    canvas.set_height(side as u32);
    let context: CanvasRenderingContext2d = canvas.get_context("2d").ok()??.dyn_into().ok()?;
    context
        .draw_image_with_image_bitmap_and_sw_and_sh_and_dx_and_dy_and_dw_and_dh(
            bitmap,
            (width - crop) / 2.0,
            (height - crop) / 2.0,
            crop,
            crop,
            0.0,
            0.0,
            side,
            side,
        )
        .ok()?;
    Some(canvas)
}

/// Encodes a drawing. Returns `None` if the browser can't write this format.
async fn encode(canvas: &HtmlCanvasElement, media_type: &str, quality: f64) -> Option<Blob> {
    let promise = js_sys::Promise::new(&mut |resolve, reject| {
        let done = Closure::once_into_js(move |blob: JsValue| {
            let _dropped = resolve.call1(&JsValue::UNDEFINED, &blob);
        });
        let started = canvas.to_blob_with_type_and_encoder_options(done.unchecked_ref(), media_type, &quality.into());
        if started.is_err() {
            let _dropped = reject.call0(&JsValue::UNDEFINED);
        }
    });
    JsFuture::from(promise).await.ok()?.dyn_into().ok()
}
