//! The chart as a PNG file: the picture, on the page's ground, with what it shows written on it.

use super::picture::Picture;
use crate::ports::browser::{download, style_value};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement};

/// Saves the picture under a name, with a line of text in its corner.
pub fn save(picture: &Picture, title: &str, name: &str) -> Result<(), JsValue> {
    let canvas: HtmlCanvasElement = picture.photograph()?.into_canvas().dyn_into()?;
    let context = canvas.get_context("2d")?.ok_or("a canvas without 2d")?;
    let context: CanvasRenderingContext2d = context.dyn_into()?;
    let (width, height) = (f64::from(canvas.width()), f64::from(canvas.height()));
    // The picture itself has no ground: it lies on the page's.
    context.set_global_composite_operation("destination-over")?;
    context.set_fill_style_str(&style_value("--panel"));
    context.fill_rect(0.0, 0.0, width, height);
    context.set_global_composite_operation("source-over")?;
    let ratio = leptos::prelude::window().device_pixel_ratio();
    context.set_fill_style_str(&style_value("--text"));
    context.set_font(&format!("600 {}px {}", 13.0 * ratio, style_value("--font")));
    context.fill_text(title, 14.0 * ratio, 24.0 * ratio)?;
    // The logo is an element of the page: on the picture the attribution is text.
    context.set_fill_style_str(&style_value("--dim"));
    context.set_font(&format!("{}px {}", 10.0 * ratio, style_value("--font")));
    context.fill_text("TradingView Lightweight Charts™", 14.0 * ratio, 40.0 * ratio)?;
    download(&canvas.to_data_url_with_type("image/png")?, name)
}
