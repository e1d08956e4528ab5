//! A WebSocket that reports to one handler and is closed when dropped.

use std::rc::Rc;
use wasm_bindgen::prelude::*;
use web_sys::{MessageEvent, WebSocket};

#[derive(Debug)]
pub enum Event {
    Opened,
    Text(String),
    Closed,
}

pub struct Socket {
    raw: WebSocket,
    // The socket calls these for as long as it is open.
    _on_signal: [Closure<dyn FnMut()>; 2],
    _on_message: Closure<dyn FnMut(MessageEvent)>,
}

impl Socket {
    pub fn open(url: &str, protocols: &[&str], handler: impl Fn(Event) + 'static) -> Result<Socket, JsValue> {
        let raw = if protocols.is_empty() {
            WebSocket::new(url)?
        } else {
            let protocols: js_sys::Array = protocols.iter().map(|name| JsValue::from_str(name)).collect();
            WebSocket::new_with_str_sequence(url, &protocols)?
        };
        let handler = Rc::new(handler);
        let signal = |event: fn() -> Event| {
            let handler = handler.clone();
            Closure::<dyn FnMut()>::new(move || handler(event()))
        };
        let on_open = signal(|| Event::Opened);
        let on_close = signal(|| Event::Closed);
        let on_message = Closure::<dyn FnMut(MessageEvent)>::new(move |message: MessageEvent| {
            if let Some(text) = message.data().as_string() {
                handler(Event::Text(text));
            }
        });
        raw.set_onopen(Some(on_open.as_ref().unchecked_ref()));
        raw.set_onclose(Some(on_close.as_ref().unchecked_ref()));
        raw.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        Ok(Socket { raw, _on_signal: [on_open, on_close], _on_message: on_message })
    }

    /// Sends if the socket is open; a closing one reports its end by itself.
    pub fn send(&self, text: &str) {
        if self.raw.ready_state() == WebSocket::OPEN {
            // Only a socket that is still connecting refuses to send.
            let _ = self.raw.send_with_str(text);
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.raw.set_onopen(None);
        self.raw.set_onclose(None);
        self.raw.set_onmessage(None);
        // Closing without a code cannot fail.
        let _ = self.raw.close();
    }
}
