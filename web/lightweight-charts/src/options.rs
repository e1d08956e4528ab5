//! Options, typed. Every field may be left out: what is `None` keeps the library's default, or stays as it is where
//! options are applied later.
//!
//! ```
//! use lightweight_charts::{LineSeriesOptions, LineStyle, PriceFormat, PriceFormatKind};
//!
//! let options = LineSeriesOptions {
//!     color: Some("#f5b83d".into()),
//!     line_style: Some(LineStyle::Dotted),
//!     price_format: Some(PriceFormat { kind: Some(PriceFormatKind::Price), precision: Some(2), ..Default::default() }),
//!     ..LineSeriesOptions::default()
//! };
//! assert!(options.line_width.is_none(), "the library's own width");
//! ```

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
        #[derive(Clone, Debug, Default)]
        pub struct $name {
            $($(#[$field_about])* pub $field: Option<$kind>,)*
        }

        impl ToJs for $name {
            fn to_js(&self) -> JsValue {
                let object = Object::new();
                $(set(&object, $js, self.$field.as_ref().map(|value| value as &dyn ToJs));)*
                object.into()
            }
        }
    )* };
}

/// One function for all fields, so that a field costs little in the module's size.
fn set(object: &Object, name: &str, value: Option<&dyn ToJs>) {
    if let Some(value) = value {
        // Setting a field of a new plain object cannot fail.
        let _ = Reflect::set(object, &JsValue::from_str(name), &value.to_js());
    }
}

/// Options of a series: its own and those that all series have.
macro_rules! series_options {
    ($($(#[$about:meta])* $name:ident { $($(#[$field_about:meta])* $field:ident: $kind:ty = $js:literal,)* })*) => {
        options! { $(
            $(#[$about])*
            $name {
                $($(#[$field_about])* $field: $kind = $js,)*
                title: String = "title",
                visible: bool = "visible",
                /// The scale's name; an empty one lays the series over its pane with a scale of its own.
                price_scale_id: String = "priceScaleId",
                price_format: PriceFormat = "priceFormat",
                /// The line at the newest value.
                price_line_visible: bool = "priceLineVisible",
                price_line_source: PriceLineSource = "priceLineSource",
                price_line_width: u32 = "priceLineWidth",
                price_line_color: String = "priceLineColor",
                price_line_style: LineStyle = "priceLineStyle",
                /// The newest value on the price scale.
                last_value_visible: bool = "lastValueVisible",
                base_line_visible: bool = "baseLineVisible",
                base_line_color: String = "baseLineColor",
                base_line_width: u32 = "baseLineWidth",
                base_line_style: LineStyle = "baseLineStyle",
            }
        )* }
    };
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
    /// Options of a whole chart.
    ChartOptions {
        width: f64 = "width",
        height: f64 = "height",
        /// The chart follows its container's size.
        auto_size: bool = "autoSize",
        layout: LayoutOptions = "layout",
        grid: GridOptions = "grid",
        crosshair: CrosshairOptions = "crosshair",
        left_price_scale: PriceScaleOptions = "leftPriceScale",
        right_price_scale: PriceScaleOptions = "rightPriceScale",
        overlay_price_scales: PriceScaleOptions = "overlayPriceScales",
        time_scale: TimeScaleOptions = "timeScale",
        localization: LocalizationOptions = "localization",
        handle_scroll: HandleScroll = "handleScroll",
        handle_scale: HandleScale = "handleScale",
        kinetic_scroll: KineticScroll = "kineticScroll",
        tracking_mode: TrackingMode = "trackingMode",
    }

    LayoutOptions {
        background: Background = "background",
        text_color: String = "textColor",
        font_size: u32 = "fontSize",
        font_family: String = "fontFamily",
        panes: PanesOptions = "panes",
        /// TradingView's logo, a link. On by default; who takes it off must show the attribution elsewhere.
        attribution_logo: bool = "attributionLogo",
    }

    /// The bars between panes.
    PanesOptions {
        /// May the user drag them?
        enable_resize: bool = "enableResize",
        separator_color: String = "separatorColor",
        separator_hover_color: String = "separatorHoverColor",
    }

    GridOptions {
        vertical: GridLineOptions = "vertLines",
        horizontal: GridLineOptions = "horzLines",
    }

    GridLineOptions {
        color: String = "color",
        style: LineStyle = "style",
        visible: bool = "visible",
    }

    CrosshairOptions {
        mode: CrosshairMode = "mode",
        vertical: CrosshairLineOptions = "vertLine",
        horizontal: CrosshairLineOptions = "horzLine",
    }

    CrosshairLineOptions {
        color: String = "color",
        width: u32 = "width",
        style: LineStyle = "style",
        visible: bool = "visible",
        label_visible: bool = "labelVisible",
        label_background_color: String = "labelBackgroundColor",
    }

    PriceScaleOptions {
        auto_scale: bool = "autoScale",
        mode: PriceScaleMode = "mode",
        invert: bool = "invertScale",
        align_labels: bool = "alignLabels",
        margins: ScaleMargins = "scaleMargins",
        visible: bool = "visible",
        border_visible: bool = "borderVisible",
        border_color: String = "borderColor",
        text_color: String = "textColor",
        entire_text_only: bool = "entireTextOnly",
        ticks_visible: bool = "ticksVisible",
        /// In CSS pixels.
        minimum_width: f64 = "minimumWidth",
    }

    /// Shares of the height, 0 to 1, that stay free.
    ScaleMargins {
        top: f64 = "top",
        bottom: f64 = "bottom",
    }

    TimeScaleOptions {
        visible: bool = "visible",
        border_visible: bool = "borderVisible",
        border_color: String = "borderColor",
        time_visible: bool = "timeVisible",
        seconds_visible: bool = "secondsVisible",
        ticks_visible: bool = "ticksVisible",
        /// Pixels a point.
        bar_spacing: f64 = "barSpacing",
        min_bar_spacing: f64 = "minBarSpacing",
        max_bar_spacing: f64 = "maxBarSpacing",
        /// Points that stay free at the right.
        right_offset: f64 = "rightOffset",
        fix_left_edge: bool = "fixLeftEdge",
        fix_right_edge: bool = "fixRightEdge",
        lock_visible_time_range_on_resize: bool = "lockVisibleTimeRangeOnResize",
        right_bar_stays_on_scroll: bool = "rightBarStaysOnScroll",
        /// A new point moves the picture, if the newest one is in sight.
        shift_visible_range_on_new_bar: bool = "shiftVisibleRangeOnNewBar",
        allow_bold_labels: bool = "allowBoldLabels",
        minimum_height: f64 = "minimumHeight",
        tick_mark_formatter: TickMarkFormatter = "tickMarkFormatter",
    }

    LocalizationOptions {
        /// A BCP 47 tag. Worth setting: the browser's own may be one that `Intl` refuses.
        locale: String = "locale",
        date_format: String = "dateFormat",
        price_formatter: PriceFormatter = "priceFormatter",
        time_formatter: TimeFormatter = "timeFormatter",
    }

    HandleScroll {
        mouse_wheel: bool = "mouseWheel",
        pressed_mouse_move: bool = "pressedMouseMove",
        horizontal_touch_drag: bool = "horzTouchDrag",
        vertical_touch_drag: bool = "vertTouchDrag",
    }

    HandleScale {
        mouse_wheel: bool = "mouseWheel",
        pinch: bool = "pinch",
        axis_pressed_mouse_move: bool = "axisPressedMouseMove",
        axis_double_click_reset: bool = "axisDoubleClickReset",
    }

    KineticScroll {
        touch: bool = "touch",
        mouse: bool = "mouse",
    }

    TrackingMode {
        exit: TrackingModeExit = "exitMode",
    }

    /// How the values of a series are written.
    PriceFormat {
        kind: PriceFormatKind = "type",
        precision: u32 = "precision",
        min_move: f64 = "minMove",
        /// The function of a [`PriceFormatKind::Custom`].
        formatter: PriceFormatter = "formatter",
    }

    /// A level of a series, see [`Series::create_price_line`](crate::Series::create_price_line).
    PriceLineOptions {
        /// What [`PointerEvent::hovered`](crate::PointerEvent::hovered) says over it.
        id: String = "id",
        price: f64 = "price",
        color: String = "color",
        width: u32 = "lineWidth",
        style: LineStyle = "lineStyle",
        line_visible: bool = "lineVisible",
        axis_label_visible: bool = "axisLabelVisible",
        title: String = "title",
        axis_label_color: String = "axisLabelColor",
        axis_label_text_color: String = "axisLabelTextColor",
    }

    MarkersOptions {
        /// The price scale leaves room for the markers.
        auto_scale: bool = "autoScale",
        z_order: MarkersOrder = "zOrder",
    }
}

series_options! {
    CandlestickOptions {
        up_color: String = "upColor",
        down_color: String = "downColor",
        wick_visible: bool = "wickVisible",
        wick_color: String = "wickColor",
        wick_up_color: String = "wickUpColor",
        wick_down_color: String = "wickDownColor",
        border_visible: bool = "borderVisible",
        border_color: String = "borderColor",
        border_up_color: String = "borderUpColor",
        border_down_color: String = "borderDownColor",
    }

    BarOptions {
        up_color: String = "upColor",
        down_color: String = "downColor",
        open_visible: bool = "openVisible",
        thin_bars: bool = "thinBars",
    }

    LineSeriesOptions {
        color: String = "color",
        line_style: LineStyle = "lineStyle",
        line_width: u32 = "lineWidth",
        line_type: LineType = "lineType",
        line_visible: bool = "lineVisible",
        point_markers_visible: bool = "pointMarkersVisible",
        point_markers_radius: f64 = "pointMarkersRadius",
        crosshair_marker_visible: bool = "crosshairMarkerVisible",
        crosshair_marker_radius: f64 = "crosshairMarkerRadius",
        last_price_animation: LastPriceAnimation = "lastPriceAnimation",
    }

    AreaOptions {
        top_color: String = "topColor",
        bottom_color: String = "bottomColor",
        invert_filled_area: bool = "invertFilledArea",
        relative_gradient: bool = "relativeGradient",
        line_color: String = "lineColor",
        line_style: LineStyle = "lineStyle",
        line_width: u32 = "lineWidth",
        line_type: LineType = "lineType",
        line_visible: bool = "lineVisible",
        point_markers_visible: bool = "pointMarkersVisible",
        crosshair_marker_visible: bool = "crosshairMarkerVisible",
        last_price_animation: LastPriceAnimation = "lastPriceAnimation",
    }

    BaselineOptions {
        base_value: BaseValue = "baseValue",
        relative_gradient: bool = "relativeGradient",
        top_fill_color_1: String = "topFillColor1",
        top_fill_color_2: String = "topFillColor2",
        top_line_color: String = "topLineColor",
        bottom_fill_color_1: String = "bottomFillColor1",
        bottom_fill_color_2: String = "bottomFillColor2",
        bottom_line_color: String = "bottomLineColor",
        line_style: LineStyle = "lineStyle",
        line_width: u32 = "lineWidth",
        line_type: LineType = "lineType",
        line_visible: bool = "lineVisible",
        point_markers_visible: bool = "pointMarkersVisible",
        crosshair_marker_visible: bool = "crosshairMarkerVisible",
        last_price_animation: LastPriceAnimation = "lastPriceAnimation",
    }

    HistogramOptions {
        color: String = "color",
        /// Where the columns begin; 0 by default.
        base: f64 = "base",
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

    LineType {
        Simple = 0,
        WithSteps = 1,
        Curved = 2,
    }

    LastPriceAnimation {
        Disabled = 0,
        Continuous = 1,
        OnDataUpdate = 2,
    }

    CrosshairMode {
        Normal = 0,
        Magnet = 1,
        Hidden = 2,
        MagnetOhlc = 3,
    }

    PriceScaleMode {
        Normal = 0,
        Logarithmic = 1,
        Percentage = 2,
        IndexedTo100 = 3,
    }

    PriceLineSource {
        LastBar = 0,
        LastVisible = 1,
    }

    TrackingModeExit {
        OnTouchEnd = 0,
        OnNextTap = 1,
    }

    PriceFormatKind {
        Price = "price",
        Volume = "volume",
        Percent = "percent",
        Custom = "custom",
    }

    MarkersOrder {
        Top = "top",
        AboveSeries = "aboveSeries",
        Normal = "normal",
    }
}

/// What is behind the picture, in CSS colours.
#[derive(Clone, Debug)]
pub enum Background {
    Solid(String),
    Gradient { top: String, bottom: String },
}

impl ToJs for Background {
    fn to_js(&self) -> JsValue {
        let object = Object::new();
        let text = |name: &str, value: &str| set(&object, name, Some(&value.to_owned()));
        match self {
            Background::Solid(color) => {
                text("type", "solid");
                text("color", color);
            }
            Background::Gradient { top, bottom } => {
                text("type", "gradient");
                text("topColor", top);
                text("bottomColor", bottom);
            }
        }
        object.into()
    }
}

/// The level that a baseline series is above or below of.
#[derive(Clone, Copy, Debug)]
pub struct BaseValue(pub f64);

impl ToJs for BaseValue {
    fn to_js(&self) -> JsValue {
        let object = Object::new();
        set(&object, "type", Some(&String::from("price")));
        set(&object, "price", Some(&self.0));
        object.into()
    }
}

/// How prices are written. The function belongs to JavaScript from then on, whose garbage collector frees it.
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

/// How the time under the crosshair is written. Freed as [`PriceFormatter`] is.
#[derive(Clone, Debug)]
pub struct TimeFormatter(JsValue);

impl TimeFormatter {
    pub fn new(mut format: impl FnMut(u64) -> String + 'static) -> TimeFormatter {
        let closure: Closure<dyn FnMut(f64) -> String> = Closure::new(move |time: f64| format(time as u64));
        TimeFormatter(closure.into_js_value())
    }
}

impl ToJs for TimeFormatter {
    fn to_js(&self) -> JsValue {
        self.0.clone()
    }
}

/// What a mark on the time axis stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TickMark {
    Year,
    Month,
    DayOfMonth,
    Time,
    TimeWithSeconds,
}

/// How marks on the time axis are written; `None`: as the library does. Freed as [`PriceFormatter`] is.
#[derive(Clone, Debug)]
pub struct TickMarkFormatter(JsValue);

impl TickMarkFormatter {
    pub fn new(mut format: impl FnMut(u64, TickMark) -> Option<String> + 'static) -> TickMarkFormatter {
        // The library takes `null`, and only that, for "as you do".
        let closure: Closure<dyn FnMut(f64, u32) -> JsValue> = Closure::new(move |time: f64, mark: u32| {
            let mark = match mark {
                0 => TickMark::Year,
                1 => TickMark::Month,
                2 => TickMark::DayOfMonth,
                3 => TickMark::Time,
                _ => TickMark::TimeWithSeconds,
            };
            format(time as u64, mark).map_or(JsValue::NULL, JsValue::from)
        });
        TickMarkFormatter(closure.into_js_value())
    }
}

impl ToJs for TickMarkFormatter {
    fn to_js(&self) -> JsValue {
        self.0.clone()
    }
}
