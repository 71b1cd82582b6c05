//! What this site keeps in the browser, whether it will stay, and what was set aside as damaged.

use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::action::ActionState;
use crate::app_state::app_state;
use crate::app_state::toasts::Tone;
use crate::components::notice::{FailureNotice, Notice, NoticeTone};
use crate::widgets::moment::Moment;
use crate::{dom, text};
use gen_registry_api::{QuarantinedRecord, Status};

/// The numbers of strangers that can be chosen.
const STRANGERS_CHOICES: [u32; 4] = [0, 2_000, 20_000, 100_000];

/// The section. It asks for the status when it is opened.
#[component]
pub fn Storage() -> impl IntoView {
    let app_state = app_state();
    app_state.refresh_status();
    view! {
        <section class="card" id="storage" aria-labelledby="storage-title">
            <h2 id="storage-title">"Storage"</h2>
            {move || match app_state.live.status.get() {
                None => view! { <p class="muted">"Looking…"</p> }.into_any(),
                Some(status) => render_status(status).into_any(),
            }}
        </section>
    }
}

/// What is kept, how much room it takes, and what was quarantined.
fn render_status(status: Status) -> impl IntoView {
    let Status {
        registries,
        names,
        quarantined,
        storage_used,
        storage_quota,
        persisted,
        strangers_max,
        strangers_share,
        ..
    } = status;
    view! {
        <p>
            {format!(
                "{} and {} of other people are kept here.",
                text::format_count(names, "name", "names"),
                text::format_count(registries, "registry", "registries"),
            )}
        </p>
        {storage_used
            .map(|used| {
                let quota = storage_quota.unwrap_or_default();
                let label = match quota {
                    0 => format!("{} used", text::format_size(used)),
                    quota => format!("{} used of {} that the browser allows", text::format_size(used), text::format_size(quota)),
                };
                view! {
                    <div class="meter">
                        <label for="storage-meter">{label}</label>
                        {(quota > 0)
                            .then(|| {
                                view! { <meter id="storage-meter" min="0" max=quota.to_string() value=used.to_string()></meter> }
                            })}
                    </div>
                }
            })}
        <Strangers most=strangers_max share=strangers_share />
        <Persisted persisted />
        {(!quarantined.is_empty()).then(|| render_quarantined(quarantined))}
    }
}

/// How many strangers are kept, with a choice.
#[component]
fn Strangers(most: u32, share: u64) -> impl IntoView {
    let app_state = app_state();
    let attempt = ActionState::new();
    let choose = move |most: u32| {
        let client = app_state.client();
        attempt.start(async move { client.keep_strangers(most).await }, move |_| {
            app_state.shell.announce("The choice is stored.");
            app_state.refresh_status();
        });
    };
    let mut choices = STRANGERS_CHOICES.to_vec();
    if !choices.contains(&most) {
        choices.push(most);
        choices.sort_unstable();
    }
    view! {
        <label class="pick">
            <span class="pick-label">"Strangers kept on this device"</span>
            <select
                class="input"
                data-testid="strangers"
                disabled=move || attempt.busy.get()
                on:change:target=move |event| {
                    if let Ok(most) = event.target().value().parse() {
                        choose(most);
                    }
                }
            >
                {choices
                    .into_iter()
                    .map(|choice| {
                        let label = match choice {
                            0 => "none".to_owned(),
                            choice => format!("at most {}", text::format_number(choice.into())),
                        };
                        view! {
                            <option value=choice.to_string() selected=choice == most>
                                {label}
                            </option>
                        }
                    })
                    .collect_view()}
            </select>
        </label>
        <p class="muted" data-testid="strangers-share">
            {match share {
                1 => "There is room for everybody so far.".to_owned(),
                _ if most == 0 => "Only people with whom you have something to do are kept.".to_owned(),
                share => format!("Of all strangers one in {} is kept.", text::format_number(share)),
            }}
            " Whom you follow or trust, whose modules you installed, and who writes in your channels is always kept. Others are found when you look them up."
        </p>
        <FailureNotice failure=attempt.failure />
    }
}

/// Whether the browser may clear the data, with a button that asks it not to.
#[component]
fn Persisted(#[prop(optional_no_strip)] persisted: Option<bool>) -> impl IntoView {
    let app_state = app_state();
    let ask = move |_| {
        spawn_local(async move {
            match dom::persist_storage().await {
                Some(true) => app_state.shell.toasts.push_good("The browser promises to keep your data."),
                _ => app_state.shell.toasts.push(
                    Tone::Plain,
                    "The browser did not promise it. Installing the app or visiting it more often helps; a backup always does.",
                ),
            }
            app_state.refresh_status();
        });
    };
    match persisted {
        Some(true) => view! {
            <Notice tone=NoticeTone::Good>
                <p>"The browser promised not to clear this data by itself."</p>
            </Notice>
        }
        .into_any(),
        Some(false) => view! {
            <p>"The browser may clear this data when space runs low."</p>
            <button type="button" class="button" data-testid="persist" on:click=ask>
                "Ask the browser to keep it"
            </button>
        }
        .into_any(),
        None => {
            view! { <p class="muted">"This browser does not tell whether it keeps the data for good."</p> }.into_any()
        }
    }
}

/// The records that failed their check, as a table.
fn render_quarantined(records: Vec<QuarantinedRecord>) -> impl IntoView {
    view! {
        <h3>"Set aside"</h3>
        <p>"These records failed their check. They do no harm, and are fetched again from peers where that is possible."</p>
        <div class="table-box" role="region" aria-label="Records set aside" tabindex="0">
            <table data-testid="quarantined">
                <thead>
                    <tr>
                        <th scope="col">"Where"</th>
                        <th scope="col">"Which"</th>
                        <th scope="col">"Why"</th>
                        <th scope="col">"When"</th>
                    </tr>
                </thead>
                <tbody>
                    {records
                        .into_iter()
                        .map(|record| {
                            view! {
                                <tr>
                                    <td>{record.table}</td>
                                    <td>
                                        <code>{record.key}</code>
                                    </td>
                                    <td>{record.reason}</td>
                                    <td>
                                        <Moment at=record.at />
                                    </td>
                                </tr>
                            }
                        })
                        .collect_view()}
                </tbody>
            </table>
        </div>
    }
}
