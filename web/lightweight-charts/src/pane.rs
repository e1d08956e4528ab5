//! Panes: parts of a chart above each other, with price scales of their own and one axis of times.

use crate::raw::PaneApi;
use wasm_bindgen::JsValue;

/// A pane of a chart. [`Chart::remove_pane`](crate::Chart::remove_pane) takes it off.
pub struct Pane(pub(crate) PaneApi);

impl Pane {
    /// Place from the top.
    pub fn index(&self) -> u32 {
        self.0.index()
    }

    /// Moves it to another place; the others make room.
    pub fn move_to(&self, index: u32) -> Result<(), JsValue> {
        self.0.move_to(index)
    }

    /// In CSS pixels.
    pub fn height(&self) -> f64 {
        self.0.height()
    }

    /// In CSS pixels, at the cost of the other panes.
    pub fn set_height(&self, height: f64) {
        self.0.set_height(height);
    }

    /// Its share of the height, against the other panes' factors; 1 at first.
    pub fn stretch_factor(&self) -> f64 {
        self.0.stretch_factor()
    }

    pub fn set_stretch_factor(&self, factor: f64) {
        self.0.set_stretch_factor(factor);
    }

    /// Whether it stays when its last series goes.
    pub fn set_preserve_empty(&self, preserve: bool) {
        self.0.set_preserve_empty(preserve);
    }

    /// Number of its series.
    pub fn series_count(&self) -> usize {
        self.0.series().length() as usize
    }

    /// Its element in the page: an `HTMLElement`, if it has one yet.
    pub fn element(&self) -> Option<js_sys::Object> {
        self.0.element()
    }
}
