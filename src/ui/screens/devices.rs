//! Devices and keys: who acts for the identity, and the ways to add, end and replace.

mod add;
mod join;
mod revoke;
mod rotate;

use leptos::prelude::*;

use crate::action::ActionState;
use crate::app_state::app_state;
use crate::components::notice::{FailureNotice, Notice, NoticeTone};
use crate::model::devices::{can_be_revoked, device_name, format_capabilities};
use crate::query::use_query;
use crate::reactive::{keyed_list, query_view, select, slice_view};
use crate::routes::{self, SettingsSection};
use crate::widgets::moment::Moment;
use crate::widgets::page_head::PageHead;
use crate::{text, time};
use gen_registry_api::{Announced, DeviceList, DeviceRow, DeviceState};

/// The page. It follows what is known of people: the own identity's entries come with it.
#[component]
pub fn Devices() -> impl IntoView {
    let app_state = app_state();
    let asked_again = RwSignal::new(0_u64);
    let devices = use_query(
        || (),
        move || {
            asked_again.track();
            app_state.live.me.track();
            app_state.invalidation.people.track();
        },
        move |()| {
            let client = app_state.client();
            async move { client.devices().await }
        },
    );
    let refresh = Callback::new(move |()| asked_again.update(|count| *count += 1));
    view! {
        <div class="page">
            <PageHead title=Signal::stored("Devices and keys".to_owned()) />
            {query_view(devices, move |list| render_list(list, refresh))}
        </div>
    }
}

fn render_list(list: Memo<DeviceList>, refresh: Callback<()>) -> impl IntoView {
    let app_state = app_state();
    let has_identity = Memo::new(move |_| app_state.live.has_key());
    let holds_key = select(list, |list| list.holds_key);
    let revocation = revoke::Revocation::new();
    view! {
        <Show when=move || has_identity.get() fallback=move || view! { <join::Join list refresh /> }>
            {slice_view(list, |list| list.has_words, render_copy_warning)}
            {slice_view(list, |list| list.rotating, render_rotating)}
            {slice_view(list, |list| list.new_words.clone(), move |announced| announced.map(|announced| view! { <NewWords announced refresh /> }))}
            <section class="card" aria-labelledby="devices-title">
                <h2 id="devices-title">"Devices"</h2>
                <p class="muted">
                    "Each device has a key of its own. What one of them writes counts in your name until you revoke it."
                </p>
                <ul class="devices" data-testid="devices">
                    {keyed_list(
                        select(list, |list| list.devices.clone()),
                        |row| row.key.clone(),
                        move |row| view! { <Device row holds_key revocation /> },
                    )}
                </ul>
            </section>
            <Show when=move || holds_key.get() fallback=render_without_key>
                <add::Add refresh />
            </Show>
            <rotate::Keys list refresh />
            <revoke::Revoke revocation refresh />
        </Show>
    }
}

/// Says what a copy of this profile would be, as long as the words are in it.
fn render_copy_warning(has_words: bool) -> impl IntoView {
    has_words.then(|| {
        view! {
            <div data-testid="copy-warning">
                <Notice tone=NoticeTone::Warning>
                    <p>
                        <strong>"Your recovery words are still on this device. "</strong>
                        "Until you have checked them, a copy of this browser profile is your identity itself: whoever has one can keep it for good. Once they are checked they leave the device, and a stolen copy can be ended from any other one."
                    </p>
                    <p>
                        <a href=routes::settings(SettingsSection::Backup)>"Write down and check the words"</a>
                    </p>
                </Notice>
            </div>
        }
    })
}

fn render_rotating(is_rotating: bool) -> impl IntoView {
    is_rotating.then(|| {
        view! {
            <div data-testid="rotating">
                <Notice tone=NoticeTone::Info>
                    <p>
                        "Your identity key is being replaced. The new one counts as soon as the witnesses of this network have seen it."
                    </p>
                </Notice>
            </div>
        }
    })
}

/// New words that do not count yet, and the way to stop them.
#[component]
fn NewWords(announced: Announced, refresh: Callback<()>) -> impl IntoView {
    let app_state = app_state();
    let attempt = ActionState::new();
    let id = announced.id;
    let stop = move |_| {
        let (client, id) = (app_state.client(), id.clone());
        attempt.start(async move { client.veto(id).await }, move |_| {
            app_state.shell.toasts.push_good("The new words are stopped. The old ones still count.");
            refresh.try_run(());
        });
    };
    view! {
        <div data-testid="new-words">
            <Notice tone=NoticeTone::Warning>
                <p>
                    "New recovery words are announced. "
                    {match announced.final_at {
                        Some(at) => format!("They count from {}.", time::format_exact(at)),
                        None => "They count a while after the witnesses have seen that.".to_owned(),
                    }} " If it was not you, stop it and replace the key."
                </p>
                <div class="actions">
                    <button type="button" class="button" disabled=move || attempt.busy.get() on:click=stop>
                        "Stop it"
                    </button>
                </div>
                <FailureNotice failure=attempt.failure />
            </Notice>
        </div>
    }
}

/// What a device without the identity key can't do, and how it gets the key.
fn render_without_key() -> impl IntoView {
    view! {
        <section class="card" aria-labelledby="without-key-title" data-testid="without-key">
            <h2 id="without-key-title">"Add a device"</h2>
            <p>"This device does not have your identity key, which adding and revoking take."</p>
            <p>
                <a href=routes::settings(SettingsSection::Restore)>"Enter the 24 words here"</a>
                " to give it the key, or use a device that has it."
            </p>
        </section>
    }
}

/// One device: how to know it, what it may, when it wrote last, and the way to end it.
#[component]
fn Device(row: Memo<DeviceRow>, holds_key: Memo<bool>, revocation: revoke::Revocation) -> impl IntoView {
    let name = row.with_untracked(|row| device_name(&row.words));
    let can_revoke = Memo::new(move |_| holds_key.get() && row.with(can_be_revoked));
    view! {
        <li class="device" data-testid="device">
            <div class="device-words">
                <p class="device-head">
                    <strong class="device-name">{name.clone()}</strong>
                    {slice_view(row, |row| (row.this_device, row.state, row.forked), |(this, state, forked)| {
                        view! {
                            {this.then(|| view! { <span class="badge badge-accent">"This device"</span> })}
                            {(state == DeviceState::Revoked).then(|| view! { <span class="badge">"Revoked"</span> })}
                            {forked.then(|| view! { <span class="badge badge-warning">"Copied: wrote twice for one place"</span> })}
                        }
                    })}
                </p>
                <p class="muted">
                    {slice_view(row, |row| (row.number, row.capabilities.clone(), row.entry_count), move |(number, may, count)| {
                        let is_holder = row.with_untracked(|row| row.this_device) && holds_key.get();
                        let may = if is_holder { "has the identity key".to_owned() } else { format_capabilities(&may) };
                        format!("Number {number} · {may} · {}", text::format_count(count, "entry", "entries"))
                    })}
                    {slice_view(row, |row| row.last_seen, |at| at.map(|at| view! { " · wrote " <Moment at /> }))}
                </p>
            </div>
            <Show when=move || can_revoke.get()>
                <button
                    type="button"
                    class="button button-small button-danger-quiet"
                    data-testid="revoke"
                    aria-label=format!("Revoke {name}")
                    on:click=move |_| revocation.begin(row.get_untracked())
                >
                    "Revoke…"
                </button>
            </Show>
        </li>
    }
}
