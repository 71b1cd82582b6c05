//! What was said, with a line for each new day; earlier messages on demand. New ones are read out politely.

use leptos::html;
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::app_state::{AppState, app_state};
use crate::components::icon::{Icon, icon};
use crate::components::notice::FailureNotice;
use crate::model::chat::{ChatLine, TextPart, message_class, with_days, with_mentions};
use crate::model::people::format_person;
use crate::widgets::avatar::Avatar;
use crate::{dom, routes, time};
use gen_registry_api::ChatMessage;
use gen_registry_api::failure::Failure;

/// How many messages are asked for at once.
const PAGE: u32 = 50;
/// Within this distance of the end, in pixels, the view follows new messages.
const NEAR_THE_END: f64 = 120.0;

/// The messages on show, and how to get more.
#[derive(Clone, Copy)]
struct History {
    /// The oldest first; none until the first answer.
    messages: RwSignal<Option<Vec<ChatMessage>>>,
    /// Leads to earlier messages; none if there are none.
    before: RwSignal<Option<String>>,
    /// Why the last request failed.
    failure: RwSignal<Option<Failure>>,
    /// The element that scrolls.
    list: NodeRef<html::Div>,
    app_state: AppState,
    /// The channel on show.
    name: Memo<String>,
}

impl History {
    /// The last messages; as many as are on show, and the new ones.
    fn refresh(self, count: u32) {
        let name = self.name.get_untracked();
        spawn_local(async move {
            let page = self.app_state.client().messages(name.clone(), None, count).await;
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
                        self.scroll_to_end();
                    }
                    // What is on show in a window that is looked at has been read.
                    if page.channel.unread > 0 && !dom::is_hidden() {
                        self.mark_read(name).await;
                    }
                }
                Err(failure) => self.failure.set(Some(failure)),
            }
        });
    }

    /// Marks everything in the channel as read.
    async fn mark_read(self, name: String) {
        if let Ok(all) = self.app_state.client().mark_read(name).await {
            self.app_state.live.channels.set(all);
        }
    }

    /// Puts earlier messages before those on show, unless the channel has changed meanwhile.
    fn load_earlier(self) {
        let Some(before) = self.before.get_untracked() else { return };
        let name = self.name.get_untracked();
        spawn_local(async move {
            match self.app_state.client().messages(name.clone(), Some(before), PAGE).await {
                Ok(page) if self.name.try_get_untracked() == Some(name) => {
                    let mut load_earlier = page.messages;
                    self.before.set(page.before);
                    self.messages.update(|messages| {
                        load_earlier.append(messages.get_or_insert_default());
                        *messages = Some(load_earlier);
                    });
                }
                Ok(_) => {}
                Err(failure) => self.failure.set(Some(failure)),
            }
        });
    }

    /// Whether the reader has not scrolled away from the newest message.
    fn is_near_the_end(self) -> bool {
        self.list.get_untracked().is_some_and(|list| {
            f64::from(list.scroll_height() - list.scroll_top() - list.client_height()) < NEAR_THE_END
        })
    }

    /// Scrolls to the newest message once it is laid out.
    fn scroll_to_end(self) {
        request_animation_frame(move || {
            if let Some(Some(list)) = self.list.try_get_untracked() {
                list.set_scroll_top(list.scroll_height());
            }
        });
    }
}

/// The list with a button for earlier messages. It follows new ones unless the reader has scrolled away.
#[component]
pub fn Messages(name: Memo<String>) -> impl IntoView {
    let app_state = app_state();
    let history = History {
        messages: RwSignal::new(None),
        before: RwSignal::new(None),
        failure: RwSignal::new(None),
        list: NodeRef::new(),
        app_state,
        name,
    };
    Effect::new(move |before: Option<String>| {
        app_state.live.last_message.track();
        // Names and faces of those who speak may be known only now.
        app_state.invalidation.people.track();
        let name = name.get();
        if before.as_ref() != Some(&name) {
            history.messages.set(None);
        }
        let count = history.messages.with_untracked(|messages| messages.as_ref().map_or(0, Vec::len)) as u32;
        history.refresh(count.max(PAGE));
        name
    });
    // Messages that arrived in the background are marked as read when the page is shown again.
    let on_visible = window_event_listener(leptos::ev::visibilitychange, move |_| {
        let loaded = history.messages.with_untracked(|messages| messages.as_ref().map(Vec::len));
        if let Some(count) = loaded.filter(|_| !dom::is_hidden()) {
            history.refresh((count as u32).max(PAGE));
        }
    });
    on_cleanup(move || on_visible.remove());
    let lines = Memo::new(move |_| {
        history.messages.with(|messages| messages.as_ref().map(|messages| with_days(messages, time::format_day)))
    });
    view! {
        <div class="messages" node_ref=history.list tabindex="0" role="region" aria-label="Talk">
            <Show when=move || history.before.with(Option::is_some)>
                <p class="messages-earlier">
                    <button
                        type="button"
                        class="button button-small"
                        on:click=move |_| history.load_earlier()
                        data-testid="earlier"
                    >
                        "Earlier messages"
                    </button>
                </p>
            </Show>
            <div role="log" aria-live="polite" aria-label="What was said">
                <ol class="message-list" data-testid="messages">
                    <For each=move || lines.get().unwrap_or_default() key=ChatLine::key let:line>
                        {render_line(line)}
                    </For>
                </ol>
            </div>
            <Show when=move || lines.with(|lines| lines.as_ref().is_some_and(Vec::is_empty))>
                <div class="empty">
                    {icon(Icon::Talk)} <p>"Nothing was said here that this device knows of. Say something; who joins later will read it."</p>
                </div>
            </Show>
        </div>
        <FailureNotice failure=history.failure />
    }
}

/// A day, a change of the topic line, or a message.
fn render_line(line: ChatLine) -> AnyView {
    let (message, continues) = match line {
        ChatLine::Day(day) => return view! { <li class="message-day"><span>{day}</span></li> }.into_any(),
        ChatLine::Message { message, continues } => (message, continues),
    };
    let name =
        format_person(message.person.username.as_deref(), message.person.display_name.as_deref(), &message.person.did);
    let page = routes::person_or_identity(message.person.username.as_deref(), &message.person.did);
    let when = view! { <time class="message-time" title=time::format_exact(message.at)>{time::format_clock(message.at)}</time> };
    if message.topic_line {
        let what = if message.text.is_empty() {
            " took away what the channel is about.".to_owned()
        } else {
            format!(" says what the channel is about: {}", message.text)
        };
        return view! { <li class="message-note"><a href=page>{name}</a> {what} " · " {when}</li> }.into_any();
    }
    let class = message_class(continues, message.mentions_me);
    let head = view! {
        <p class=if continues { "visually-hidden" } else { "message-head" }>
            <a class="message-author" href=page>{name}</a>
            {message.person.mine.then(|| view! { <span class="badge">"You"</span> })} {when}
        </p>
    };
    view! {
        <li class=class data-testid="message">
            <span class="message-face">{(!continues).then(|| view! { <Avatar public_key=message.person.public_key cid=message.person.avatar /> })}</span>
            <div class="message-words">{head} <p class="message-text">{render_text(&message.text)}</p></div>
        </li>
    }
    .into_any()
}

/// The text, its mentions marked.
fn render_text(text: &str) -> Vec<AnyView> {
    let render = |part| match part {
        TextPart::Plain(text) => text.into_any(),
        TextPart::Mention(name) => view! { <mark class="mention">{name}</mark> }.into_any(),
    };
    with_mentions(text).into_iter().map(render).collect()
}
