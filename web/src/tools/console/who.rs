//! In whose name the console speaks.

use crate::logic::session::{Session, test_user_id};
use crate::stores::App;
use crate::tools::frame::field;
use crate::tools::texts::{Words, say};
use leptos::prelude::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Nobody,
    Session,
    Test,
}

#[derive(Clone, Copy)]
pub struct Who {
    app: App,
    kind: RwSignal<Kind>,
    name: RwSignal<String>,
}

impl Who {
    pub fn new() -> Who {
        let app = App::get();
        let is_known = app.account.session.with_untracked(Option::is_some);
        let kind = if is_known { Kind::Session } else { Kind::Nobody };
        Who { app, kind: RwSignal::new(kind), name: RwSignal::new("console".into()) }
    }

    /// `None`: nobody.
    pub fn session(self) -> Option<Session> {
        match self.kind.get_untracked() {
            Kind::Nobody => None,
            Kind::Session => self.app.account.session.get_untracked(),
            Kind::Test => test_user_id(&self.name.get_untracked()).map(|user_id| Session::Test { user_id }),
        }
    }

    pub fn view(self, id: &'static str) -> AnyView {
        let ui = self.app.ui;
        let option = move |(kind, words, value): (Kind, Words, &'static str)| {
            view! { <option value=value selected=move || self.kind.get() == kind>{say(ui, words)}</option> }
        };
        let choose = move |event| {
            self.kind.set(match event_target_value(&event).as_str() {
                "session" => Kind::Session,
                "test" => Kind::Test,
                _ => Kind::Nobody,
            });
        };
        let kinds = [
            (Kind::Nobody, Words::AsNobody, "nobody"),
            (Kind::Session, Words::AsSession, "session"),
            (Kind::Test, Words::AsTest, "test"),
        ];
        let name = if id == "socket-as" { "socket-name" } else { "request-name" };
        view! {
            <label class="tool-field" for=id>
                <span>{say(ui, Words::As)}</span>
                <select id=id data-testid=id on:change=choose>{kinds.map(option).into_iter().collect_view()}</select>
            </label>
            <Show when=move || self.kind.get() == Kind::Test>
                {field(ui, name, Words::TestName, self.name, "console")}
            </Show>
        }
        .into_any()
    }
}
