//! Clock, language, address and colours of the browser.

use std::time::Duration;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen_futures::JsFuture;

#[wasm_bindgen]
extern "C" {
    /// An element; web-sys keeps its own binding of `animate` behind a compiler flag.
    type Animated;

    #[wasm_bindgen(method)]
    fn animate(this: &Animated, frames: &js_sys::Array, time_ms: f64);
}

/// How long a change of the book is lit up.
const FLASH_MS: f64 = 350.0;

pub fn now_ms() -> u64 {
    js_sys::Date::now() as u64
}

/// Milliseconds since the page was opened, with fractions: for spans of time.
pub fn monotonic_ms() -> f64 {
    leptos::prelude::window().performance().map_or(0.0, |clock| clock.now())
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

/// Tells the document its language, its theme, or the colour of rising: the style sheet's colours follow them.
pub fn set_document(attribute: &str, value: &str) {
    if let Some(root) = leptos::prelude::document().document_element() {
        // A valid attribute name: it cannot fail.
        let _ = root.set_attribute(attribute, value);
    }
}

/// Whether the device is set to light colours.
pub fn prefers_light() -> bool {
    let query = leptos::prelude::window().match_media("(prefers-color-scheme: light)");
    query.ok().flatten().is_some_and(|query| query.matches())
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

/// Whether the user has asked for little motion.
pub fn wants_little_motion() -> bool {
    let query = leptos::prelude::window().match_media("(prefers-reduced-motion: reduce)");
    query.ok().flatten().is_some_and(|query| query.matches())
}

/// Lights an element up for a moment in a colour of the style sheet.
pub fn flash(place: &web_sys::Element, colour: &str) {
    if wants_little_motion() {
        return;
    }
    let frame = |opacity: &str| {
        let frame = js_sys::Object::new();
        // Setting a property of a plain object cannot fail.
        let _ = js_sys::Reflect::set(&frame, &"background".into(), &format!("var({colour})").into());
        let _ = js_sys::Reflect::set(&frame, &"opacity".into(), &opacity.into());
        frame
    };
    let frames = js_sys::Array::of2(&frame("1"), &frame("0"));
    place.unchecked_ref::<Animated>().animate(&frames, FLASH_MS);
}

/// What the page's address has after its `#`.
pub fn fragment() -> String {
    let hash = leptos::prelude::window().location().hash().unwrap_or_default();
    hash.strip_prefix('#').unwrap_or_default().to_owned()
}

/// Loads the page anew.
pub fn reload() {
    // A page that is shown can be loaded again.
    let _ = leptos::prelude::window().location().reload();
}

/// The address of a file that is loaded when it is needed: `boot.js` knows its name.
pub fn file_address(name: &str) -> Option<String> {
    let files = js_sys::Reflect::get(&leptos::prelude::window(), &"supernobaFiles".into()).ok()?;
    js_sys::Reflect::get(&files, &name.into()).ok()?.as_string()
}

/// Copies what is selected; older than the clipboard's own interface, and there without HTTPS too.
pub fn copy_selection() -> bool {
    let page = leptos::prelude::document();
    let command = js_sys::Reflect::get(&page, &"execCommand".into()).ok();
    let command =
        command.and_then(|command| wasm_bindgen::JsCast::dyn_into::<js_sys::Function>(command).ok());
    command.and_then(|command| command.call1(&page, &"copy".into()).ok()).is_some_and(|done| done.is_truthy())
}

/// The browser's offer to install the page, which `boot.js` keeps.
fn offer() -> Option<js_sys::Object> {
    let offer = js_sys::Reflect::get(&leptos::prelude::window(), &"supernobaInstall".into()).ok()?;
    wasm_bindgen::JsCast::dyn_into(offer).ok()
}

pub fn can_install() -> bool {
    offer().is_some()
}

/// Takes the offer up: the browser asks the user.
pub fn install() {
    let Some(offer) = offer() else { return };
    let prompt = js_sys::Reflect::get(&offer, &"prompt".into()).ok();
    if let Some(prompt) =
        prompt.and_then(|prompt| wasm_bindgen::JsCast::dyn_into::<js_sys::Function>(prompt).ok())
    {
        // An offer holds once: what becomes of it is between the browser and the user.
        let _ = prompt.call0(&offer);
    }
    let _ = js_sys::Reflect::delete_property(&leptos::prelude::window().into(), &"supernobaInstall".into());
}
