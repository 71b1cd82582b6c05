//! Channels: the joined ones, with what is unread, and those with other members. Joining an unknown name
//! creates the channel.

use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;

use crate::action::ActionState;
use crate::app_state::app_state;
use crate::components::field::{Submit, TextField};
use crate::components::icon::{Icon, icon};
use crate::components::notice::FailureNotice;
use crate::components::page_head::PageHead;
use crate::reactive::{keyed_list, select, slice_view};
use crate::time::Moment;
use crate::{dom, text};
use gen_registry_api::ChannelEntry;

/// The page of a channel.
pub fn channel_href(channel: &str) -> String {
    let name = channel.strip_prefix('#').unwrap_or(channel);
    match name.strip_prefix("module/") {
        Some(module) => format!("/c/module/{}", dom::encode(module)),
        None => format!("/c/{}", dom::encode(name)),
    }
}

#[component]
pub fn Channels() -> impl IntoView {
    let app_state = app_state();
    let typed = RwSignal::new(String::new());
    let found = Memo::new(move |_| {
        let wanted = typed.with(|typed| typed.trim().trim_start_matches('#').to_lowercase());
        app_state.channels.with(|all| {
            let fits = |entry: &&ChannelEntry| entry.channel.contains(&wanted);
            all.iter().filter(fits).cloned().collect::<Vec<_>>()
        })
    });
    let of = move |joined: bool| {
        found.with(|all| all.iter().filter(|entry| entry.joined == joined).cloned().collect::<Vec<_>>())
    };
    let identified = Memo::new(move |_| app_state.me.with(|me| me.as_ref().is_none_or(|me| me.did.is_some())));
    view! {
        <div class="page channels">
            <PageHead title=Signal::stored("Channels".to_owned()) />
            <Show
                when=move || identified.get()
                fallback=|| {
                    view! {
                        <div class="empty">
                            {icon(Icon::Talk)} <p>"To talk you need a name that others know you by."</p>
                            <a class="button button-main" href="/welcome?step=name">
                                "Claim a name"
                            </a>
                        </div>
                    }
                }
            >
                <Join typed />
            </Show>
            <Section title="Yours" id="joined" entries=Signal::derive(move || of(true)) />
            <Section title="Where others are" id="others" entries=Signal::derive(move || of(false)) />
            <Show when=move || found.with(Vec::is_empty) && identified.get()>
                <div class="empty">
                    {icon(Icon::Talk)}
                    <p>
                        {move || {
                            if typed.with(|typed| typed.trim().is_empty()) {
                                "Nobody is in a channel right now. Name one above, #general for instance, and you are its first member."
                            } else {
                                "No channel that is known here has this in its name. Join it, and it exists."
                            }
                        }}
                    </p>
                </div>
            </Show>
        </div>
    }
}

#[component]
fn Join(typed: RwSignal<String>) -> impl IntoView {
    let app_state = app_state();
    let attempt = ActionState::new();
    let navigate = use_navigate();
    let join = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let (client, channel, navigate) =
            (app_state.client(), typed.get_untracked().trim().to_owned(), navigate.clone());
        let before: Vec<String> = joined(&app_state.channels.get_untracked());
        attempt.start(async move { client.join_channel(None, channel).await }, move |all| {
            let now = joined(&all);
            let named = typed.get_untracked().trim().trim_start_matches('#').to_lowercase();
            let new = now.iter().find(|name| !before.contains(name)).cloned();
            app_state.channels.set(all);
            typed.set(String::new());
            navigate(&channel_href(&new.unwrap_or(named)), NavigateOptions::default());
        });
    };
    view! {
        <form class="channels-join" on:submit=join>
            <TextField
                id="channel-name"
                label="Find a channel, or name a new one"
                value=typed
                placeholder="#general"
                max=80
                testid="channel-name"
            />
            <Submit label="Join" working="Joining…" busy=attempt.busy testid="join-channel" />
        </form>
        <FailureNotice failure=attempt.failure />
    }
}

fn joined(all: &[ChannelEntry]) -> Vec<String> {
    all.iter().filter(|entry| entry.joined).map(|entry| entry.channel.clone()).collect()
}

#[component]
fn Section(title: &'static str, id: &'static str, #[prop(into)] entries: Signal<Vec<ChannelEntry>>) -> impl IntoView {
    let heading = format!("{id}-title");
    let named_by = heading.clone();
    view! {
        <Show when=move || !entries.with(Vec::is_empty)>
            <section aria-labelledby=named_by.clone()>
                <h2 id=heading.clone()>{title}</h2>
                <ul class="channel-list" data-testid=id>
                    {keyed_list(entries, |entry| entry.channel.clone(), row)}
                </ul>
            </section>
        </Show>
    }
}

fn row(entry: Memo<ChannelEntry>) -> impl IntoView {
    let app_state = app_state();
    let channel = entry.with_untracked(|entry| entry.channel.clone());
    let (muted, joined) = (select(entry, |entry| entry.muted), select(entry, |entry| entry.joined));
    let (name, shown, href) = (channel.clone(), channel.clone(), channel_href(&channel));
    let mute = move |_| {
        let (client, name, muted) = (app_state.client(), name.clone(), muted.get_untracked());
        leptos::task::spawn_local(async move {
            match client.mute_channel(name.clone(), !muted).await {
                Ok(all) => {
                    app_state.channels.set(all);
                    app_state.say(if muted { format!("{name} speaks up again.") } else { format!("{name} is muted.") });
                }
                Err(failure) => app_state.fail(&failure),
            }
        });
    };
    let label = move || if muted.get() { format!("Unmute {channel}") } else { format!("Mute {channel}") };
    view! {
        <li class="channel-row" data-testid="channel-row">
            <a class="channel-link" href=href>
                <span class="channel-names">
                    <span class="channel-name">{shown}</span>
                    {slice_view(entry, |entry| entry.topic_line.clone(), |line| line.map(|line| view! { <span class="channel-line">{line}</span> }))}
                </span>
                <span class="channel-facts">
                    {slice_view(entry, |entry| (entry.unread, entry.mentions), |(unread, mentions)| {
                        (unread > 0)
                            .then(|| {
                                let what = if mentions > 0 { format!("{unread} unread, you are mentioned") } else { format!("{unread} unread") };
                                view! { <span class="badge badge-accent" data-testid="unread">{what}</span> }
                            })
                    })}
                    {slice_view(entry, |entry| entry.members, |members| {
                        (members > 0).then(|| view! { <span class="muted">{text::count(members, "here", "here")}</span> })
                    })}
                    {slice_view(entry, |entry| entry.last_at, |at| at.map(|at| view! { <span class="muted channel-last"><Moment at /></span> }))}
                </span>
            </a>
            <Show when=move || joined.get()>
                <button
                    type="button"
                    class="button button-icon"
                    aria-pressed=move || muted.get().to_string()
                    aria-label=label.clone()
                    on:click=mute.clone()
                >
                    {move || icon(if muted.get() { Icon::BellOff } else { Icon::Bell })}
                </button>
            </Show>
        </li>
    }
}
