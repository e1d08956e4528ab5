//! The test console: what goes over the WebSocket, requests made by hand, and a test of candles. It speaks to the exchange
//! as any program would, with connections of its own.

mod candles;
mod log;
mod requests;
mod socket;
mod who;

use super::frame::{Frame, Tabs};
use super::texts::Words;
use candles::CandleTest;
use leptos::prelude::*;
use requests::Requests;
use socket::SocketLog;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tool {
    Socket,
    Requests,
    Candles,
}

#[component]
pub fn Screen() -> impl IntoView {
    let tool = RwSignal::new(Tool::Socket);
    let tabs = vec![
        (Tool::Socket, Words::SocketLog, "socket"),
        (Tool::Requests, Words::Requests, "requests"),
        (Tool::Candles, Words::CandleTest, "candles"),
    ];
    let show = |tool| match tool {
        Tool::Socket => view! { <SocketLog/> }.into_any(),
        Tool::Requests => view! { <Requests/> }.into_any(),
        Tool::Candles => view! { <CandleTest/> }.into_any(),
    };
    let tabs = StoredValue::new(tabs);
    view! {
        <Frame title=Words::Console name="console">
            <Tabs tabs=tabs.get_value() chosen=tool label=Words::Tests show/>
        </Frame>
    }
}
