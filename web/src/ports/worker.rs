//! The sandbox's worker: calls that it answers, and what it says of itself.

use sandbox::protocol::{Call, Message, Reply, Request, decode, encode};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};
use wasm_bindgen::prelude::*;
use web_sys::{ErrorEvent, MessageEvent, WorkerOptions, WorkerType};

/// What a worker says without having been asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// There is something new to look at.
    Changed,
    /// It could not start, or has stopped: no call will be answered any more.
    Failed,
}

/// The worker is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

#[derive(Default)]
struct Slot {
    reply: Option<Result<Reply, Gone>>,
    waker: Option<Waker>,
}

#[derive(Default)]
struct Calls {
    waiting: BTreeMap<u32, Rc<RefCell<Slot>>>,
    gone: bool,
}

impl Calls {
    fn answer(&mut self, id: u32, reply: Result<Reply, Gone>) {
        if let Some(slot) = self.waiting.remove(&id) {
            let mut slot = slot.borrow_mut();
            slot.reply = Some(reply);
            if let Some(waker) = slot.waker.take() {
                waker.wake();
            }
        }
    }

    fn end(&mut self) {
        self.gone = true;
        while let Some(id) = self.waiting.keys().next().copied() {
            self.answer(id, Err(Gone));
        }
    }
}

pub struct Worker {
    raw: web_sys::Worker,
    calls: Rc<RefCell<Calls>>,
    last: Cell<u32>,
    // The worker calls these for as long as it is there.
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_error: Closure<dyn FnMut(ErrorEvent)>,
}

impl Worker {
    pub fn open(address: &str, handler: impl Fn(News) + 'static) -> Result<Worker, JsValue> {
        let options = WorkerOptions::new();
        options.set_type(WorkerType::Module);
        let raw = web_sys::Worker::new_with_options(address, &options)?;
        let calls = Rc::new(RefCell::new(Calls::default()));
        let handler = Rc::new(handler);
        let (kept, tell) = (calls.clone(), handler.clone());
        let on_message = Closure::<dyn FnMut(MessageEvent)>::new(move |message: MessageEvent| {
            let bytes = message.data().dyn_into::<js_sys::Uint8Array>().map(|bytes| bytes.to_vec());
            match bytes.ok().and_then(|bytes| decode::<Message>(&bytes).ok()) {
                Some(Message::Reply { id, reply }) => kept.borrow_mut().answer(id, Ok(reply)),
                Some(Message::Notice(_)) => tell(News::Changed),
                None => {
                    kept.borrow_mut().end();
                    tell(News::Failed);
                }
            }
        });
        let kept = calls.clone();
        let on_error = Closure::<dyn FnMut(ErrorEvent)>::new(move |_| {
            kept.borrow_mut().end();
            handler(News::Failed);
        });
        raw.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        raw.set_onerror(Some(on_error.as_ref().unchecked_ref()));
        Ok(Worker { raw, calls, last: Cell::new(0), _on_message: on_message, _on_error: on_error })
    }

    /// Asks for something. Calls are answered in the order in which they were made.
    pub fn call(&self, request: Request) -> impl Future<Output = Result<Reply, Gone>> + use<> {
        let id = self.last.get().wrapping_add(1);
        self.last.set(id);
        let slot = Rc::new(RefCell::new(Slot::default()));
        self.calls.borrow_mut().waiting.insert(id, slot.clone());
        let bytes = js_sys::Uint8Array::from(encode(&Call { id, request }).as_slice());
        let moved = js_sys::Array::of1(&bytes.buffer());
        let is_sent = self.raw.post_message_with_transfer(&bytes, &moved).is_ok();
        if self.calls.borrow().gone || !is_sent {
            self.calls.borrow_mut().answer(id, Err(Gone));
        }
        poll_fn(move |context| {
            let mut slot = slot.borrow_mut();
            match slot.reply.take() {
                Some(reply) => Poll::Ready(reply),
                None => {
                    slot.waker = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.raw.set_onmessage(None);
        self.raw.set_onerror(None);
        self.raw.terminate();
    }
}
