//! What happens on a chart, and who is told of it.

use crate::raw::{MouseEventParams, PointObject};
use crate::series::{Bar, Series, SeriesKind};
use js_sys::Function;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};
use wasm_bindgen::convert::FromWasmAbi;
use wasm_bindgen::prelude::*;

/// Where the pointer is: of a click, or of the crosshair's move.
pub struct PointerEvent(pub(crate) MouseEventParams);

impl PointerEvent {
    /// The point's time; `None` beside the data.
    pub fn time(&self) -> Option<u64> {
        self.0.time().map(|time| time as u64)
    }

    /// The point's number; also beside the data.
    pub fn logical(&self) -> Option<f64> {
        self.0.logical()
    }

    /// Pixels from the left and from the top of the pane; `None` when the pointer leaves the chart.
    pub fn place(&self) -> Option<(f64, f64)> {
        self.0.point().map(|point| (point.x(), point.y()))
    }

    pub fn pane(&self) -> Option<u32> {
        self.0.pane_index()
    }

    /// The id of the marker or price line under the pointer.
    pub fn hovered(&self) -> Option<String> {
        self.0.hovered_object().as_string()
    }

    /// The value of a line, area, baseline or histogram at that time.
    pub fn value_of<K: SeriesKind>(&self, series: &Series<K>) -> Option<f64> {
        self.point_of(series)?.value()
    }

    /// The bar of a candlestick or bar series at that time.
    pub fn bar_of<K: SeriesKind>(&self, series: &Series<K>) -> Option<Bar> {
        let point = self.point_of(series)?;
        Some(Bar {
            time: point.time() as u64,
            open: point.open()?,
            high: point.high()?,
            low: point.low()?,
            close: point.close()?,
        })
    }

    fn point_of<K: SeriesKind>(&self, series: &Series<K>) -> Option<PointObject> {
        let point = self.0.series_data().get(&series.raw);
        point.is_object().then(|| point.unchecked_into())
    }
}

/// A handler that is told of something. It is told no more, and freed, when this is dropped or when the chart is:
/// whichever is first. [`Subscription::forever`] leaves it to the chart.
#[must_use = "a handler is told nothing once its subscription is dropped"]
pub struct Subscription {
    handlers: Weak<Handlers>,
    number: u32,
}

impl Subscription {
    /// For as long as the chart is there.
    pub fn forever(mut self) {
        self.handlers = Weak::new();
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if let Some(handlers) = self.handlers.upgrade() {
            handlers.remove(self.number);
        }
    }
}

/// The handlers of one chart.
#[derive(Default)]
pub(crate) struct Handlers {
    next: Cell<u32>,
    live: RefCell<BTreeMap<u32, Handler>>,
}

/// Ends a subscription; it owns the closure, which so lives exactly as long as JavaScript may call it.
type Handler = Box<dyn FnOnce()>;

impl Handlers {
    /// Subscribes a closure. `unsubscribe` is called once, with the same function.
    pub fn add<E: FromWasmAbi + 'static>(
        self: &Rc<Handlers>,
        handler: impl FnMut(E) + 'static,
        subscribe: impl FnOnce(&Function),
        unsubscribe: impl FnOnce(&Function) + 'static,
    ) -> Subscription {
        let closure: Closure<dyn FnMut(E)> = Closure::new(handler);
        subscribe(closure.as_ref().unchecked_ref());
        let number = self.next.replace(self.next.get() + 1);
        let end = Box::new(move || unsubscribe(closure.as_ref().unchecked_ref()));
        self.live.borrow_mut().insert(number, end);
        Subscription { handlers: Rc::downgrade(self), number }
    }

    fn remove(&self, number: u32) {
        // Out of the list first: dropping a closure may drop another subscription.
        let handler = self.live.borrow_mut().remove(&number);
        if let Some(end) = handler {
            end();
        }
    }

    pub fn remove_all(&self) {
        for end in std::mem::take(&mut *self.live.borrow_mut()).into_values() {
            end();
        }
    }

    pub fn len(&self) -> usize {
        self.live.borrow().len()
    }
}
