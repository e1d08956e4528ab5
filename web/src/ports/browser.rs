//! Clock, language, address and colours of the browser.

use std::time::Duration;
use wasm_bindgen_futures::JsFuture;

pub fn now_ms() -> u64 {
    js_sys::Date::now() as u64
}

/// Waits without holding anything up.
pub async fn sleep(time: Duration) {
    let promise = js_sys::Promise::new(&mut |done, _| {
        leptos::prelude::set_timeout(
            move || {
                // A promise's own function: it cannot throw.
                let _ = done.call0(&wasm_bindgen::JsValue::NULL);
            },
            time,
        );
    });
    // Nothing rejects the promise.
    let _ = JsFuture::from(promise).await;
}

/// The language that the browser prefers.
pub fn language() -> String {
    leptos::prelude::window().navigator().language().unwrap_or_default()
}

pub fn is_online() -> bool {
    leptos::prelude::window().navigator().on_line()
}

/// `ws://` or `wss://` and the page's own host.
pub fn socket_origin() -> String {
    let location = leptos::prelude::window().location();
    let scheme = if location.protocol().is_ok_and(|protocol| protocol == "https:") { "wss" } else { "ws" };
    format!("{scheme}://{}", location.host().unwrap_or_default())
}

/// Tells the document its language: the style sheet's colours of rising and falling follow it.
pub fn set_document_language(tag: &str) {
    if let Some(root) = leptos::prelude::document().document_element() {
        // A valid attribute name: it cannot fail.
        let _ = root.set_attribute("lang", tag);
    }
}

/// A custom property of the style sheet.
pub fn style_value(name: &str) -> String {
    let root = leptos::prelude::document().document_element();
    let style = root.and_then(|root| leptos::prelude::window().get_computed_style(&root).ok().flatten());
    let value = style.and_then(|style| style.get_property_value(name).ok());
    value.unwrap_or_default().trim().to_owned()
}

/// A name that no other order has: the server then knows a repeated request.
pub fn fresh_id() -> String {
    let random = || (js_sys::Math::random() * f64::from(u32::MAX)) as u32;
    format!("web-{:x}-{:08x}{:08x}", now_ms(), random(), random())
}

/// Hands the user a file.
pub fn download(url: &str, name: &str) -> Result<(), wasm_bindgen::JsValue> {
    let link = leptos::prelude::document().create_element("a")?;
    link.set_attribute("href", url)?;
    link.set_attribute("download", name)?;
    let link: web_sys::HtmlElement = wasm_bindgen::JsCast::dyn_into(link)?;
    link.click();
    Ok(())
}

/// Puts the page's state where scripts and tests can see it.
pub fn set_ready() {
    // Setting a property of the window cannot fail.
    let _ = js_sys::Reflect::set(&leptos::prelude::window(), &"__supernoba_ready".into(), &true.into());
}
