//! Files into the worker, chunk by chunk, and out of it.

use super::desk::{Desk, Upload};
use super::texts::Words;
use crate::ports::browser;
use crate::stores::Mood;
use leptos::ev::{self, DragEvent};
use leptos::prelude::*;
use leptos::task::spawn_local;
use sandbox::protocol::{Reply, Request};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
use web_sys::{Blob, File, Url};

/// What is read at once: a chunk is on its way while the worker reads, never more.
const CHUNK: u64 = 512 << 10;

/// Files may be dropped anywhere on the page, on its dialogs too, for as long as it is open. Answers whether one is over it.
pub fn listen(desk: Desk) -> RwSignal<bool> {
    let dropping = RwSignal::new(false);
    let _ = window_event_listener(ev::dragover, move |event| {
        if carries_files(&event) {
            // Else the browser would show the file in place of the page.
            event.prevent_default();
            if !dropping.get_untracked() {
                dropping.set(true);
            }
        }
    });
    let _ = window_event_listener(ev::dragleave, move |event| {
        // Nothing comes after the page's edge.
        if event.related_target().is_none() {
            dropping.set(false);
        }
    });
    let _ = window_event_listener(ev::drop, move |event| {
        dropping.set(false);
        if carries_files(&event) {
            event.prevent_default();
            let files = event.data_transfer().and_then(|moved| moved.files());
            if let Some(file) = files.and_then(|files| files.get(0)) {
                open(desk, file);
            }
        }
    });
    dropping
}

/// A selected text may be dragged into a field.
fn carries_files(event: &DragEvent) -> bool {
    let types = event.data_transfer().map(|moved| moved.types());
    types.is_some_and(|types| types.includes(&"Files".into(), 0))
}

/// Reads a file into the worker.
pub fn open(desk: Desk, file: File) {
    let (name, size) = (file.name(), file.size() as u64);
    desk.refused.set(None);
    desk.upload.set(Some(Upload { name: name.clone(), size, sent: 0 }));
    spawn_local(async move {
        let reply = read(desk, &file, name, size).await;
        if let Some(Reply::Refused { code, detail }) = reply {
            desk.refuse(&code, &detail);
            desk.upload.set(None);
        }
    });
}

/// The last answer, which is a refusal where something went wrong.
async fn read(desk: Desk, file: &File, name: String, size: u64) -> Option<Reply> {
    let mut reply = desk.call(Request::Open { name }).await?;
    let mut sent = 0;
    while sent < size && !matches!(reply, Reply::Refused { .. }) {
        let end = (sent + CHUNK).min(size);
        let Ok(bytes) = part(file, sent, end).await else {
            return Some(Reply::Refused { code: "sandbox_unreadable".into(), detail: String::new() });
        };
        reply = desk.call(Request::Chunk(bytes)).await?;
        sent = end;
        desk.upload.update(|upload| {
            if let Some(upload) = upload {
                upload.sent = sent;
            }
        });
    }
    match reply {
        Reply::Refused { .. } => Some(reply),
        _ => desk.call(Request::Close).await,
    }
}

async fn part(file: &File, from: u64, to: u64) -> Result<Vec<u8>, JsValue> {
    let blob = file.slice_with_f64_and_f64(from as f64, to as f64)?;
    let buffer = JsFuture::from(blob.array_buffer()).await?;
    Ok(js_sys::Uint8Array::new(&buffer).to_vec())
}

/// Hands the user everything as a file.
pub fn save(desk: Desk) {
    spawn_local(async move {
        match desk.call(Request::Save).await {
            Some(Reply::File { name, bytes }) if hand_out(&name, &bytes).is_err() => {
                let ui = desk.app.ui;
                let title = Words::SaveFailed.of(ui.lang.get_untracked());
                ui.toast("save", Mood::Bad, title, String::new());
            }
            Some(Reply::Refused { code, detail }) => desk.tell_refused("save", &code, &detail),
            _ => {}
        }
    });
}

fn hand_out(name: &str, bytes: &[u8]) -> Result<(), JsValue> {
    let parts = js_sys::Array::of1(&js_sys::Uint8Array::from(bytes));
    let address = Url::create_object_url_with_blob(&Blob::new_with_u8_array_sequence(&parts)?)?;
    let outcome = browser::download(&address, name);
    // The browser has taken the file over by the time that the next frame is drawn.
    set_timeout(
        move || {
            let _ = Url::revoke_object_url(&address);
        },
        std::time::Duration::from_secs(10),
    );
    outcome
}
