//! One channel: what it is about, what is said, who is here, and a place to write.

mod composer;
mod members;
mod messages;
mod topic_line;

use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_navigate, use_params_map};

use crate::action::ActionState;
use crate::app_state::app_state;
use crate::components::icon::{Icon, icon};
use crate::components::notice::FailureNotice;
use crate::routes::{self, WelcomeStep};
use crate::text;
use crate::widgets::copy_link::CopyLink;
use crate::widgets::page_head::PageHead;
use gen_registry_api::ChannelEntry;

/// The page of `/c/name` and `/c/module/name`: the conversation for members, an invitation for others.
#[component]
pub fn Channel() -> impl IntoView {
    let params = use_params_map();
    let name = Memo::new(move |_| {
        params.with(|params| match (params.get("module"), params.get("name")) {
            (Some(module), _) => format!("#module/{}", module.to_lowercase()),
            (None, name) => format!("#{}", name.unwrap_or_default().to_lowercase()),
        })
    });
    let app_state = app_state();
    let entry = Memo::new(move |_| {
        app_state.live.channels.with(|all| all.iter().find(|entry| entry.channel == name.get()).cloned())
    });
    let joined = Memo::new(move |_| entry.with(|entry| entry.as_ref().is_some_and(|entry| entry.joined)));
    view! {
        <div class="page channel-page">
            <div class="channel-head">
                <PageHead title=name testid="channel-title" />
                <Tools name entry />
            </div>
            <Show when=move || joined.get() fallback=move || view! { <Outside name entry /> }>
                <topic_line::TopicLine name entry />
                <div class="channel-body">
                    <div class="channel-talk">
                        <messages::Messages name />
                        <composer::Composer name />
                    </div>
                    <members::Members name />
                </div>
            </Show>
        </div>
    }
}

/// What can be done with the channel as a whole.
#[component]
fn Tools(name: Memo<String>, entry: Memo<Option<ChannelEntry>>) -> impl IntoView {
    let app_state = app_state();
    let muted = Memo::new(move |_| entry.with(|entry| entry.as_ref().is_some_and(|entry| entry.muted)));
    let joined = Memo::new(move |_| entry.with(|entry| entry.as_ref().is_some_and(|entry| entry.joined)));
    let module = Memo::new(move |_| name.with(|name| name.strip_prefix("#module/").map(str::to_owned)));
    let attempt = ActionState::new();
    let navigate = use_navigate();
    let mute = move |_| {
        let (client, name, muted) = (app_state.client(), name.get_untracked(), muted.get_untracked());
        attempt
            .start(async move { client.mute_channel(name, !muted).await }, move |all| app_state.live.channels.set(all));
    };
    let leave = move |_| {
        let (client, name, navigate) = (app_state.client(), name.get_untracked(), navigate.clone());
        attempt.start(async move { client.leave_channel(None, name).await }, move |all| {
            app_state.live.channels.set(all);
            navigate(routes::CHANNELS, NavigateOptions::default());
        });
    };
    view! {
        <div class="channel-tools">
            <CopyLink />
            {move || {
                module
                    .get()
                    .map(|module| view! { <a class="button button-small" href=routes::module(&module)>"The module"</a> })
            }}
            <Show when=move || joined.get()>
                <button
                    type="button"
                    class="button button-small"
                    aria-pressed=move || muted.get().to_string()
                    on:click=mute
                    data-testid="mute"
                >
                    {move || icon(if muted.get() { Icon::BellOff } else { Icon::Bell })}
                    {move || if muted.get() { "Muted" } else { "Mute" }}
                </button>
                <button type="button" class="button button-small" on:click=leave.clone() data-testid="leave">
                    "Leave"
                </button>
            </Show>
        </div>
        <FailureNotice failure=attempt.failure />
    }
}

/// Before joining.
#[component]
fn Outside(name: Memo<String>, entry: Memo<Option<ChannelEntry>>) -> impl IntoView {
    let app_state = app_state();
    let attempt = ActionState::new();
    let identified = Memo::new(move |_| app_state.live.may_have_key());
    let join = move |_| {
        let (client, name) = (app_state.client(), name.get_untracked());
        attempt
            .start(async move { client.join_channel(None, name).await }, move |all| app_state.live.channels.set(all));
    };
    let members = move || entry.with(|entry| entry.as_ref().map_or(0, |entry| entry.members));
    view! {
        <div class="empty">
            {icon(Icon::Talk)}
            <p>
                {move || match members() {
                    0 => "Nobody is in this channel right now. Join, and you are its first member.".to_owned(),
                    count => format!("{} in this channel. Join to read what was said, and to write.", text::format_count(count, "person is", "people are")),
                }}
            </p>
            <Show
                when=move || identified.get()
                fallback=|| {
                    view! {
                        <a class="button button-main" href=routes::welcome(WelcomeStep::Name)>
                            "Claim a name to join"
                        </a>
                    }
                }
            >
                <button
                    type="button"
                    class="button button-main"
                    disabled=move || attempt.busy.get()
                    on:click=join
                    data-testid="join"
                >
                    {move || format!("Join {}", name.get())}
                </button>
            </Show>
            <FailureNotice failure=attempt.failure />
        </div>
    }
}
