//! The trading page: a Leptos app rendered in the browser, served as static files beside the API.
//!
//! - `logic`: plain data and functions, tested without a browser · `i18n`: Korean and English
//! - `ports`: the browser's clock, HTTP, sockets and storage · `stores`: state as signals
//! - `sandbox_page`: the exchange in this very tab, over `web/sandbox` in a worker; a part that is loaded when it is opened
//! - `tools`: administration and the test console, parts of their own
//! - `api`, `auth`, `feed`, `trading`: what the page does · `views`: what it looks like
//!
//! Market data goes one way: `feed` reads a message, `stores::Market` conflates it and writes signals once per animation
//! frame, and only the rows whose signals changed are drawn. A view computes nothing about money.

mod api;
mod auth;
mod feed;
mod i18n;
mod logic;
mod ports;
mod sandbox_page;
mod stores;
mod tools;
mod trading;
mod views;

use wasm_bindgen::prelude::wasm_bindgen;

/// Runs when the browser has loaded the module.
#[wasm_bindgen(start)]
pub fn start() {
    std::panic::set_hook(Box::new(|panic| {
        console_error_panic_hook::hook(panic);
        // The module is dead after a panic: the page says so instead of standing still.
        if let Some(body) = leptos::prelude::document().body() {
            let _ = body.set_attribute("data-crashed", "");
        }
    }));
    if let Some(shell) = leptos::prelude::document().get_element_by_id("shell") {
        shell.remove();
    }
    leptos::mount::mount_to_body(views::Page);
}
