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
use crate::model::chat::{filter_channels, format_unread, joined_channels};
use crate::model::form_text::parse_channel;
use crate::reactive::{keyed_list, select, slice_view};
use crate::routes::{self, WelcomeStep};
use crate::text;
use crate::widgets::moment::Moment;
use crate::widgets::page_head::PageHead;
use gen_registry_api::ChannelEntry;

/// The page. The field at its top filters both lists while somebody types.
#[component]
pub fn Channels() -> impl IntoView {
    let app_state = app_state();
    let typed = RwSignal::new(String::new());
    let found = Memo::new(move |_| {
        let wanted = typed.with(|typed| parse_channel(typed));
        app_state.live.channels.with(|all| filter_channels(all, &wanted))
    });
    let of = move |joined: bool| {
        found.with(|all| all.iter().filter(|entry| entry.joined == joined).cloned().collect::<Vec<_>>())
    };
    let identified = Memo::new(move |_| app_state.live.may_have_key());
    view! {
        <div class="page channels">
            <PageHead title=Signal::stored("Channels".to_owned()) />
            <Show
                when=move || identified.get()
                fallback=|| {
                    view! {
                        <div class="empty">
                            {icon(Icon::Talk)} <p>"To talk you need a name that others know you by."</p>
                            <a class="button button-main" href=routes::welcome(WelcomeStep::Name)>
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

/// The form: joins the channel that is named, and leads to it.
#[component]
fn Join(typed: RwSignal<String>) -> impl IntoView {
    let app_state = app_state();
    let attempt = ActionState::new();
    let navigate = use_navigate();
    let join = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let (client, channel, navigate) =
            (app_state.client(), typed.get_untracked().trim().to_owned(), navigate.clone());
        let before: Vec<String> = joined_channels(&app_state.live.channels.get_untracked());
        attempt.start(async move { client.join_channel(None, channel).await }, move |all| {
            let now = joined_channels(&all);
            let named = parse_channel(&typed.get_untracked());
            let new = now.iter().find(|name| !before.contains(name)).cloned();
            app_state.live.channels.set(all);
            typed.set(String::new());
            navigate(&routes::channel(&new.unwrap_or(named)), NavigateOptions::default());
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

/// A list of channels with its heading; nothing while it is empty.
#[component]
fn Section(title: &'static str, id: &'static str, #[prop(into)] entries: Signal<Vec<ChannelEntry>>) -> impl IntoView {
    let heading = format!("{id}-title");
    let named_by = heading.clone();
    view! {
        <Show when=move || !entries.with(Vec::is_empty)>
            <section aria-labelledby=named_by.clone()>
                <h2 id=heading.clone()>{title}</h2>
                <ul class="channel-list" data-testid=id>
                    {keyed_list(entries, |entry| entry.channel.clone(), render_channel)}
                </ul>
            </section>
        </Show>
    }
}

/// Name and topic line, what is unread, who is in it; and the button that mutes a joined one.
fn render_channel(entry: Memo<ChannelEntry>) -> impl IntoView {
    let app_state = app_state();
    let channel = entry.with_untracked(|entry| entry.channel.clone());
    let (muted, joined) = (select(entry, |entry| entry.muted), select(entry, |entry| entry.joined));
    let (name, label_text, href) = (channel.clone(), channel.clone(), routes::channel(&channel));
    let mute = move |_| {
        let (client, name, muted) = (app_state.client(), name.clone(), muted.get_untracked());
        leptos::task::spawn_local(async move {
            match client.mute_channel(name.clone(), !muted).await {
                Ok(all) => {
                    app_state.live.channels.set(all);
                    app_state.shell.announce(if muted {
                        format!("{name} speaks up again.")
                    } else {
                        format!("{name} is muted.")
                    });
                }
                Err(failure) => app_state.shell.show_failure(&failure),
            }
        });
    };
    let label = move || if muted.get() { format!("Unmute {channel}") } else { format!("Mute {channel}") };
    view! {
        <li class="channel-row" data-testid="channel-row">
            <a class="channel-link" href=href>
                <span class="channel-names">
                    <span class="channel-name">{label_text}</span>
                    {slice_view(entry, |entry| entry.topic_line.clone(), |line| line.map(|line| view! { <span class="channel-line">{line}</span> }))}
                </span>
                <span class="channel-facts">
                    {slice_view(entry, |entry| (entry.unread, entry.mentions), |(unread, mentions)| {
                        (unread > 0)
                            .then(|| {
                                view! { <span class="badge badge-accent" data-testid="unread">{format_unread(unread, mentions)}</span> }
                            })
                    })}
                    {slice_view(entry, |entry| entry.members, |members| {
                        (members > 0).then(|| view! { <span class="muted">{text::format_count(members, "here", "here")}</span> })
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
