//! One at a time over all tabs of the page: the browser's Web Locks, where it has them (not over plain HTTP, but for
//! localhost). web-sys keeps its own binding behind a compiler flag.

use std::cell::RefCell;
use std::future::Future;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, future_to_promise};

#[wasm_bindgen]
extern "C" {
    type LockManager;

    #[wasm_bindgen(method, catch)]
    fn request(
        this: &LockManager,
        name: &str,
        work: &Closure<dyn FnMut() -> js_sys::Promise>,
    ) -> Result<js_sys::Promise, JsValue>;
}

/// Does `work` while no other tab does work under the same name.
pub async fn alone(name: &str, work: impl Future<Output = ()> + 'static) {
    let navigator = leptos::prelude::window().navigator();
    let locks = js_sys::Reflect::get(&navigator, &"locks".into()).unwrap_or_default();
    if locks.is_undefined() {
        return work.await;
    }
    let work = RefCell::new(Some(work));
    let start = Closure::new(move || {
        let work = work.take();
        future_to_promise(async move {
            if let Some(work) = work {
                work.await;
            }
            Ok(JsValue::UNDEFINED)
        })
    });
    if let Ok(done) = locks.unchecked_into::<LockManager>().request(name, &start) {
        // The work itself cannot fail.
        let _ = JsFuture::from(done).await;
    }
}
