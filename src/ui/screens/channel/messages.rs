//! What was said, with a line for each new day; earlier messages on demand. New ones are read out politely.

use leptos::html;
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::app_state::{AppState, app_state};
use crate::components::avatar::Avatar;
use crate::components::icon::{Icon, icon};
use crate::components::notice::FailureNotice;
use crate::screens::channel::members::{person_page, shown_name};
use crate::{dom, time};
use gen_registry_api::ChatMessage;
use gen_registry_api::failure::Failure;

const PAGE: u32 = 50;
/// Within this distance of the end, in pixels, the view follows new messages.
const NEAR_THE_END: f64 = 120.0;

#[derive(Clone, Copy)]
struct Said {
    messages: RwSignal<Option<Vec<ChatMessage>>>,
    before: RwSignal<Option<String>>,
    failure: RwSignal<Option<Failure>>,
    list: NodeRef<html::Div>,
    app_state: AppState,
    name: Memo<String>,
}

impl Said {
    /// The last messages; as many as are on show, and the new ones.
    fn refresh(self, keyed_list: u32) {
        let name = self.name.get_untracked();
        spawn_local(async move {
            let page = self.app_state.client().messages(name.clone(), None, keyed_list).await;
            if self.name.try_get_untracked() != Some(name.clone()) {
                return;
            }
            match page {
                Ok(page) => {
                    let follows = self.messages.with_untracked(Option::is_none) || self.is_near_the_end();
                    self.failure.set(None);
                    self.before.set(page.before);
                    if self.messages.with_untracked(|old| old.as_ref() != Some(&page.messages)) {
                        self.messages.set(Some(page.messages));
                    }
                    if follows {
                        self.to_the_end();
                    }
                    // What is on show in a window that is looked at has been read.
                    if page.channel.unread > 0 && !dom::is_hidden() {
                        self.read(name).await;
                    }
                }
                Err(failure) => self.failure.set(Some(failure)),
            }
        });
    }

    async fn read(self, name: String) {
        if let Ok(all) = self.app_state.client().mark_read(name).await {
            self.app_state.channels.set(all);
        }
    }

    fn earlier(self) {
        let Some(before) = self.before.get_untracked() else { return };
        let name = self.name.get_untracked();
        spawn_local(async move {
            match self.app_state.client().messages(name.clone(), Some(before), PAGE).await {
                Ok(page) if self.name.try_get_untracked() == Some(name) => {
                    let mut earlier = page.messages;
                    self.before.set(page.before);
                    self.messages.update(|messages| {
                        earlier.append(messages.get_or_insert_default());
                        *messages = Some(earlier);
                    });
                }
                Ok(_) => {}
                Err(failure) => self.failure.set(Some(failure)),
            }
        });
    }

    fn is_near_the_end(self) -> bool {
        self.list.get_untracked().is_some_and(|list| {
            f64::from(list.scroll_height() - list.scroll_top() - list.client_height()) < NEAR_THE_END
        })
    }

    fn to_the_end(self) {
        request_animation_frame(move || {
            if let Some(Some(list)) = self.list.try_get_untracked() {
                list.set_scroll_top(list.scroll_height());
            }
        });
    }
}

#[component]
pub fn Messages(name: Memo<String>) -> impl IntoView {
    let app_state = app_state();
    let said = Said {
        messages: RwSignal::new(None),
        before: RwSignal::new(None),
        failure: RwSignal::new(None),
        list: NodeRef::new(),
        app_state,
        name,
    };
    Effect::new(move |before: Option<String>| {
        app_state.heard.track();
        // Names and faces of those who speak may be known only now.
        app_state.people_changed.track();
        let name = name.get();
        if before.as_ref() != Some(&name) {
            said.messages.set(None);
        }
        let keyed_list = said.messages.with_untracked(|messages| messages.as_ref().map_or(0, Vec::len)) as u32;
        said.refresh(keyed_list.max(PAGE));
        name
    });
    // Messages that arrived in the background are marked as read when the page is shown again.
    let looked_at = window_event_listener(leptos::ev::visibilitychange, move |_| {
        let shown = said.messages.with_untracked(|messages| messages.as_ref().map(Vec::len));
        if let Some(keyed_list) = shown.filter(|_| !dom::is_hidden()) {
            said.refresh((keyed_list as u32).max(PAGE));
        }
    });
    on_cleanup(move || looked_at.remove());
    let lines =
        Memo::new(move |_| said.messages.with(|messages| messages.as_ref().map(|messages| with_days(messages))));
    view! {
        <div class="messages" node_ref=said.list tabindex="0" role="region" aria-label="Talk">
            <Show when=move || said.before.with(Option::is_some)>
                <p class="messages-earlier">
                    <button type="button" class="button button-small" on:click=move |_| said.earlier() data-testid="earlier">
                        "Earlier messages"
                    </button>
                </p>
            </Show>
            <div role="log" aria-live="polite" aria-label="What was said">
                <ol class="message-list" data-testid="messages">
                    <For each=move || lines.get().unwrap_or_default() key=Line::key let:line>
                        {shown(line)}
                    </For>
                </ol>
            </div>
            <Show when=move || lines.with(|lines| lines.as_ref().is_some_and(Vec::is_empty))>
                <div class="empty">
                    {icon(Icon::Talk)} <p>"Nothing was said here that this device knows of. Say something; who joins later will read it."</p>
                </div>
            </Show>
        </div>
        <FailureNotice failure=said.failure />
    }
}

/// A line of the list.
#[derive(Clone, PartialEq)]
enum Line {
    Day(String),
    Message { message: ChatMessage, goes_on: bool },
}

impl Line {
    fn key(&self) -> String {
        match self {
            Self::Day(day) => day.clone(),
            Self::Message { message, goes_on } => {
                format!("{} {goes_on} {:?} {:?}", message.id, message.username, message.avatar)
            }
        }
    }
}

/// Messages of one author in the same minutes stand together.
const TOGETHER_MILLIS: u64 = 5 * 60 * 1_000;

fn with_days(messages: &[ChatMessage]) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let mut last: Option<(&ChatMessage, String)> = None;
    for message in messages {
        let day = time::day(message.at);
        let same_day = last.as_ref().is_some_and(|(_, before)| *before == day);
        if !same_day {
            lines.push(Line::Day(day.clone()));
        }
        let goes_on = same_day
            && !message.topic_line
            && last.as_ref().is_some_and(|(before, _)| {
                before.did == message.did && !before.topic_line && message.at < before.at + TOGETHER_MILLIS
            });
        lines.push(Line::Message { message: message.clone(), goes_on });
        last = Some((message, day));
    }
    lines
}

fn shown(line: Line) -> AnyView {
    let (message, goes_on) = match line {
        Line::Day(day) => return view! { <li class="message-day"><span>{day}</span></li> }.into_any(),
        Line::Message { message, goes_on } => (message, goes_on),
    };
    let name = shown_name(message.username.as_deref(), message.display_name.as_deref(), &message.did);
    let page = person_page(message.username.as_deref(), &message.did);
    let when = view! { <time class="message-time" title=time::exact(message.at)>{time::clock(message.at)}</time> };
    if message.topic_line {
        let what = if message.text.is_empty() {
            " took away what the channel is about.".to_owned()
        } else {
            format!(" says what the channel is about: {}", message.text)
        };
        return view! { <li class="message-note"><a href=page>{name}</a> {what} " · " {when}</li> }.into_any();
    }
    let class = match (goes_on, message.mentions_me) {
        (true, true) => "message message-goes-on message-mention",
        (true, false) => "message message-goes-on",
        (false, true) => "message message-mention",
        (false, false) => "message",
    };
    let head = view! {
        <p class=if goes_on { "visually-hidden" } else { "message-head" }>
            <a class="message-author" href=page>{name}</a>
            {message.mine.then(|| view! { <span class="badge">"You"</span> })} {when}
        </p>
    };
    view! {
        <li class=class data-testid="message">
            <span class="message-face">{(!goes_on).then(|| view! { <Avatar public_key=message.public_key cid=message.avatar /> })}</span>
            <div class="message-words">{head} <p class="message-text">{with_mentions(&message.text)}</p></div>
        </li>
    }
    .into_any()
}

/// The text, its mentions marked.
fn with_mentions(text: &str) -> Vec<AnyView> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('@') {
        let (before, from) = rest.split_at(at);
        let end =
            from[1..].find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-')).map_or(from.len(), |end| end + 1);
        let (name, after) = from.split_at(end);
        parts.push(before.to_owned().into_any());
        if name.len() > 1 {
            parts.push(view! { <mark class="mention">{name.to_owned()}</mark> }.into_any());
        } else {
            parts.push(name.to_owned().into_any());
        }
        rest = after;
    }
    parts.push(rest.to_owned().into_any());
    parts
}
