//! Options, typed. Every field may be left out: what is `None` keeps the library's default, or stays as it is where
//! options are applied later.

use js_sys::{Object, Reflect};
use wasm_bindgen::prelude::*;

/// Becomes a value of the library.
pub trait ToJs {
    fn to_js(&self) -> JsValue;
}

macro_rules! plain {
    ($($kind:ty),*) => { $(
        impl ToJs for $kind {
            fn to_js(&self) -> JsValue {
                JsValue::from(self.clone())
            }
        }
    )* };
}

plain!(bool, f64, u32, String);

/// An options object: each field with its name in the library.
macro_rules! options {
    ($($(#[$about:meta])* $name:ident { $($(#[$field_about:meta])* $field:ident: $kind:ty = $js:literal,)* })*) => { $(
        $(#[$about])*
        #[derive(Clone, Default)]
        pub struct $name {
            $($(#[$field_about])* pub $field: Option<$kind>,)*
        }

        impl ToJs for $name {
            fn to_js(&self) -> JsValue {
                let object = Object::new();
                $(if let Some(value) = &self.$field {
                    // Setting a field of a new plain object cannot fail.
                    let _ = Reflect::set(&object, &JsValue::from_str($js), &value.to_js());
                })*
                object.into()
            }
        }
    )* };
}

/// A choice: each variant with its value in the library.
macro_rules! choices {
    ($($(#[$about:meta])* $name:ident { $($variant:ident = $js:expr,)* })*) => { $(
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($variant,)*
        }

        impl ToJs for $name {
            fn to_js(&self) -> JsValue {
                match self {
                    $($name::$variant => JsValue::from($js),)*
                }
            }
        }
    )* };
}

options! {
    ChartOptions {
        /// The chart follows its container's size.
        auto_size: bool = "autoSize",
        layout: LayoutOptions = "layout",
        grid: GridOptions = "grid",
        crosshair: CrosshairOptions = "crosshair",
        right_price_scale: PriceScaleOptions = "rightPriceScale",
        time_scale: TimeScaleOptions = "timeScale",
        localization: LocalizationOptions = "localization",
    }

    LayoutOptions {
        background: SolidColor = "background",
        text_color: String = "textColor",
        font_size: u32 = "fontSize",
        font_family: String = "fontFamily",
        attribution_logo: bool = "attributionLogo",
    }

    GridOptions {
        vertical: LineOptions = "vertLines",
        horizontal: LineOptions = "horzLines",
    }

    LineOptions {
        color: String = "color",
        visible: bool = "visible",
        style: LineStyle = "style",
        label_background_color: String = "labelBackgroundColor",
    }

    CrosshairOptions {
        mode: CrosshairMode = "mode",
        vertical: LineOptions = "vertLine",
        horizontal: LineOptions = "horzLine",
    }

    PriceScaleOptions {
        visible: bool = "visible",
        border_color: String = "borderColor",
        margins: ScaleMargins = "scaleMargins",
    }

    /// Shares of the height, 0 to 1, that stay free.
    ScaleMargins {
        top: f64 = "top",
        bottom: f64 = "bottom",
    }

    TimeScaleOptions {
        border_color: String = "borderColor",
        time_visible: bool = "timeVisible",
        seconds_visible: bool = "secondsVisible",
        /// Pixels a point.
        bar_spacing: f64 = "barSpacing",
        /// Points that stay free at the right.
        right_offset: f64 = "rightOffset",
    }

    LocalizationOptions {
        /// A BCP 47 tag. Worth setting: the browser's own may be one that `Intl` refuses.
        locale: String = "locale",
        date_format: String = "dateFormat",
        price_formatter: PriceFormatter = "priceFormatter",
    }

    CandlestickOptions {
        up_color: String = "upColor",
        down_color: String = "downColor",
        border_visible: bool = "borderVisible",
        wick_up_color: String = "wickUpColor",
        wick_down_color: String = "wickDownColor",
        price_format: PriceFormat = "priceFormat",
        price_line_visible: bool = "priceLineVisible",
        last_value_visible: bool = "lastValueVisible",
    }

    HistogramOptions {
        color: String = "color",
        /// The scale's name; an empty one lays the series over the chart with a scale of its own.
        price_scale_id: String = "priceScaleId",
        price_format: PriceFormat = "priceFormat",
        price_line_visible: bool = "priceLineVisible",
        last_value_visible: bool = "lastValueVisible",
    }

    PriceFormat {
        kind: PriceFormatKind = "type",
        precision: u32 = "precision",
        min_move: f64 = "minMove",
    }
}

choices! {
    LineStyle {
        Solid = 0,
        Dotted = 1,
        Dashed = 2,
        LargeDashed = 3,
        SparseDotted = 4,
    }

    CrosshairMode {
        Normal = 0,
        Magnet = 1,
        Hidden = 2,
    }

    PriceFormatKind {
        Price = "price",
        Volume = "volume",
        Percent = "percent",
    }
}

/// A background of one CSS colour.
#[derive(Clone, Debug)]
pub struct SolidColor(pub String);

impl ToJs for SolidColor {
    fn to_js(&self) -> JsValue {
        let object = Object::new();
        for (name, value) in [("type", "solid"), ("color", self.0.as_str())] {
            // Setting a field of a new plain object cannot fail.
            let _ = Reflect::set(&object, &JsValue::from_str(name), &JsValue::from_str(value));
        }
        object.into()
    }
}

/// How prices are written. The function lives as long as JavaScript holds it.
#[derive(Clone, Debug)]
pub struct PriceFormatter(JsValue);

impl PriceFormatter {
    pub fn new(format: impl FnMut(f64) -> String + 'static) -> PriceFormatter {
        let closure: Closure<dyn FnMut(f64) -> String> = Closure::new(format);
        PriceFormatter(closure.into_js_value())
    }
}

impl ToJs for PriceFormatter {
    fn to_js(&self) -> JsValue {
        self.0.clone()
    }
}
