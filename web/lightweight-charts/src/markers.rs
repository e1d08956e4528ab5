//! Signs at points of a series: where an order was filled, say.

use crate::options::{MarkersOptions, ToJs};
use crate::raw::{self, MarkersApi, SeriesApi};
use js_sys::{Array, Object, Reflect};
use wasm_bindgen::JsValue;

/// Where a marker is put.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum MarkerPosition {
    AboveBar,
    BelowBar,
    InBar,
    /// Above the price.
    AtPriceTop(f64),
    /// Below the price.
    AtPriceBottom(f64),
    /// On the price.
    AtPrice(f64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkerShape {
    ArrowUp,
    ArrowDown,
    Circle,
    Square,
}

/// A sign at a point. The library drops what is at a time that the series has no point at.
#[derive(Clone, Debug, PartialEq)]
pub struct Marker {
    pub time: u64,
    pub position: MarkerPosition,
    pub shape: MarkerShape,
    pub color: String,
    /// What [`PointerEvent::hovered`](crate::PointerEvent::hovered) says over it.
    pub id: Option<String>,
    pub text: Option<String>,
    /// 1 by default.
    pub size: Option<f64>,
}

impl ToJs for Marker {
    fn to_js(&self) -> JsValue {
        let object = Object::new();
        let set = |name: &str, value: JsValue| {
            // Setting a field of a new plain object cannot fail.
            let _ = Reflect::set(&object, &JsValue::from_str(name), &value);
        };
        let (position, price) = match self.position {
            MarkerPosition::AboveBar => ("aboveBar", None),
            MarkerPosition::BelowBar => ("belowBar", None),
            MarkerPosition::InBar => ("inBar", None),
            MarkerPosition::AtPriceTop(price) => ("atPriceTop", Some(price)),
            MarkerPosition::AtPriceBottom(price) => ("atPriceBottom", Some(price)),
            MarkerPosition::AtPrice(price) => ("atPriceMiddle", Some(price)),
        };
        let shape = match self.shape {
            MarkerShape::ArrowUp => "arrowUp",
            MarkerShape::ArrowDown => "arrowDown",
            MarkerShape::Circle => "circle",
            MarkerShape::Square => "square",
        };
        set("time", (self.time as f64).into());
        set("position", position.into());
        set("shape", shape.into());
        set("color", self.color.as_str().into());
        if let Some(price) = price {
            set("price", price.into());
        }
        if let Some(id) = &self.id {
            set("id", id.as_str().into());
        }
        if let Some(text) = &self.text {
            set("text", text.as_str().into());
        }
        if let Some(size) = self.size {
            set("size", size.into());
        }
        object.into()
    }
}

/// The markers of a series; gone when this is dropped.
pub struct Markers(MarkersApi);

impl Markers {
    pub(crate) fn new(
        series: &SeriesApi,
        markers: &[Marker],
        options: &MarkersOptions,
    ) -> Result<Markers, JsValue> {
        raw::create_series_markers(series, &array(markers), &options.to_js()).map(Markers)
    }

    /// Replaces all of them; times must ascend.
    pub fn set(&self, markers: &[Marker]) -> Result<(), JsValue> {
        self.0.set_markers(&array(markers))
    }

    pub fn len(&self) -> usize {
        self.0.markers().length() as usize
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Drop for Markers {
    fn drop(&mut self) {
        // Where the series or the chart is gone, so are its markers.
        let _ = self.0.detach();
    }
}

fn array(markers: &[Marker]) -> Array {
    markers.iter().map(ToJs::to_js).collect()
}
