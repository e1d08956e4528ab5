//! Playing by keyboard: Space plays and pauses, `.` and `,` step on and back, `f` goes to the next fill.

use super::desk::Desk;
use crate::views::keys::{is_dialog_open, is_typing};
use leptos::ev::{self, KeyboardEvent};
use leptos::prelude::*;
use sandbox::protocol::Request;
use sandbox::session::Goal;

/// For as long as the page is open.
pub fn listen(desk: Desk) {
    let _ = window_event_listener(ev::keydown, move |event| on_key(desk, &event));
}

fn on_key(desk: Desk, event: &KeyboardEvent) {
    if event.ctrl_key() || event.alt_key() || event.meta_key() || is_typing() || is_dialog_open() {
        return;
    }
    // Space presses the button that has the focus.
    let on_button = document().active_element().is_some_and(|here| here.tag_name() == "BUTTON");
    match event.key().as_str() {
        " " if !on_button => desk.play_or_pause(),
        "." => desk.send(Request::Step),
        "," => desk.send(Request::StepBack),
        "f" => desk.send(Request::Seek(Goal::Fill { own: false })),
        _ => return,
    }
    event.prevent_default();
}
