//! Says on every page that its server belongs to another network, and asks where a link leads into another one. Nothing is
//! switched by itself.

use leptos::prelude::*;

use crate::action::ActionState;
use crate::app_state::app_state;
use crate::components::modal::Modal;
use crate::components::notice::{FailureNotice, Notice, NoticeTone};
use crate::dom;
use crate::model::network::{NetworkChoice, network_name};
use crate::model::sentences::describe_parameters_error;
use crate::query::use_network_report;
use crate::routes;
use gen_registry_api::{NetworkName, NetworkReport, ParametersError, shorten_topic};

/// The bar and the question; nothing while all is as it should be.
#[component]
pub fn NetworkChoiceView() -> impl IntoView {
    let report = use_network_report();
    let known = move || report.get().and_then(Result::ok);
    let other = Memo::new(move |_| known().and_then(|report| foreign_server(&report)));
    let choice = Memo::new(move |_| known().and_then(|report| NetworkChoice::of(&report)));
    view! {
        {move || other.get().map(|(own, other)| render_bar(&own, &other))}
        {move || choice.get().map(|choice| view! { <Question choice /> })}
    }
}

/// The own network and that of the page's server, if they differ.
fn foreign_server(report: &NetworkReport) -> Option<(NetworkName, NetworkName)> {
    match &report.left_aside {
        Some(ParametersError::OtherNetwork(other)) if !report.topic.is_empty() => {
            Some((network_name(report), other.clone()))
        }
        _ => None,
    }
}

fn render_bar(own: &NetworkName, other: &NetworkName) -> impl IntoView + use<> {
    let said = format!("The server of this page belongs to another network, {}.", other.label());
    let stays = format!("You stay in {}, with everything you have. ", own.label());
    view! {
        <div class="banner" role="region" aria-label="Another network" data-testid="foreign-server">
            <Notice tone=NoticeTone::Warning>
                <p>
                    <strong>{said}</strong>
                </p>
                <p>
                    {stays} <a href=routes::NETWORK>"What this means"</a>
                </p>
            </Notice>
        </div>
    }
}

/// A link of another network: go there, or stay.
#[component]
fn Question(choice: NetworkChoice) -> impl IntoView {
    let open = RwSignal::new(true);
    // However it is closed, the page stays where it is; one that is nowhere asks again.
    let has_profile = choice.own.is_some();
    Effect::new(move |_| {
        if !open.get() {
            if has_profile { dom::drop_fragment() } else { open.set(true) }
        }
    });
    let title = if has_profile { "This link leads into another network" } else { "Which network?" };
    view! {
        <Modal open title id="network-choice-title" testid="network-choice">
            {
                let choice = choice.clone();
                move || render_question(choice.clone(), open)
            }
        </Modal>
    }
}

/// What the networks are, and the ways on.
fn render_question(choice: NetworkChoice, open: RwSignal<bool>) -> impl IntoView {
    let NetworkChoice { linked, own, target, served, fault } = choice;
    let leads = match &target {
        Some(target) => format!("The link leads into the network {}.", target.label()),
        None => format!("The link leads into a network that is unknown here ({}).", shorten_topic(&linked)),
    };
    let here = match &own {
        Some(own) => format!("You are in {}. One name can belong to different people in the two.", own.label()),
        None => "You have no profile here yet. Nothing was joined, and nothing is kept of this visit.".to_owned(),
    };
    let server = served.as_ref().map(|served| format!("The server of this page belongs to {}.", served.label()));
    let wrong = fault
        .map(|fault| format!("What the server of this page says can’t be used: {}.", describe_parameters_error(fault)));
    let advice = target.is_none().then_some(
        "Ask whoever gave you the link for the address of a server of its network, and open the link there.",
    );
    let stay = own.map(|own| {
        view! {
            <button type="button" class="button" autofocus on:click=move |_| open.set(false) data-testid="stay">
                {format!("Stay in {}", own.name)}
            </button>
        }
        .into_any()
    });
    let stay = stay.unwrap_or_else(|| {
        view! {
            <button type="button" class="button" autofocus on:click=move |_| dom::reload() data-testid="try-again">
                "Try again"
            </button>
        }
        .into_any()
    });
    let way = target.or(served).map(|network| {
        let keeps_address = network.topic == linked;
        view! { <OpenNetwork network keeps_address /> }
    });
    // What the person was led to is no reason to go there: staying comes first.
    view! {
        <div class="network-choice">
            <p>{leads}</p>
            <p>{here}</p>
            {server.map(|server| view! { <p>{server}</p> })}
            {wrong.map(|wrong| view! { <p>{wrong}</p> })}
            {advice.map(|advice| view! { <p class="muted">{advice}</p> })}
            <div class="actions">{stay} {way}</div>
        </div>
    }
}

/// A button that goes to another network: the page is loaded again, with the profile that this browser has there.
#[component]
pub fn OpenNetwork(
    network: NetworkName,
    /// Whether the page's address is of that network, too.
    keeps_address: bool,
) -> impl IntoView {
    let app_state = app_state();
    let attempt = ActionState::new();
    let NetworkName { name, topic } = network;
    let go = move |_| {
        let (client, topic) = (app_state.client(), topic.clone());
        attempt.start(async move { client.open_network(topic).await }, move |_| {
            if keeps_address { dom::reload() } else { dom::load_first_page() }
        });
    };
    view! {
        <button
            type="button"
            class="button"
            on:click=go
            disabled=move || attempt.busy.get()
            data-testid="open-network"
        >
            {format!("Go to {name}")}
        </button>
        <FailureNotice failure=attempt.failure />
    }
}
