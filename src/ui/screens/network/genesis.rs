//! What the network is: its genesis, its witnesses and what they bear, and the networks of this browser.

use leptos::prelude::*;

use crate::components::notice::{Notice, NoticeTone};
use crate::model::network::network_name;
use crate::model::sentences::describe_parameters_error;
use crate::text;
use crate::time;
use crate::widgets::did::DidChip;
use crate::widgets::network_choice::OpenNetwork;
use gen_registry_api::{NetworkReport, ParametersError, describe_resilience};

/// What is shown of the network; each part is what all members agree on, but the last.
#[derive(Clone, PartialEq)]
pub(super) struct Genesis(NetworkReport);

impl Genesis {
    /// Takes from a report what a network is, and leaves out who is there.
    pub(super) fn of(report: &NetworkReport) -> Self {
        let NetworkReport {
            name, topic, created_at, for_tests, witnesses, threshold, may_lose, may_lie, changes, ..
        } = report.clone();
        let NetworkReport { node, networks, earlier_profile, .. } = report.clone();
        Self(NetworkReport {
            name,
            topic,
            created_at,
            for_tests,
            witnesses,
            threshold,
            may_lose,
            may_lie,
            changes,
            node,
            networks,
            earlier_profile,
            ..NetworkReport::default()
        })
    }
}

/// The sections about the network itself.
pub(super) fn render_genesis(Genesis(report): Genesis) -> impl IntoView {
    let own = network_name(&report);
    let bears = describe_resilience(report.witnesses.len() as u64, report.threshold, report.may_lose, report.may_lie);
    let founded = match report.created_at {
        0 => "Built into the program".to_owned(),
        at => time::format_exact(at),
    };
    // Without witnesses there are none that could change.
    let changes = (report.threshold > 0).then(|| match report.changes.len() as u64 {
        0 => "none".to_owned(),
        count => text::format_number(count),
    });
    let others: Vec<_> = report.networks.iter().filter(|network| network.topic != own.topic).cloned().collect();
    let fact = |what: &'static str, value: AnyView| {
        view! {
            <div>
                <dt>{what}</dt>
                <dd>{value}</dd>
            </div>
        }
    };
    let code = |text: String| view! { <code class="network-code">{text}</code> }.into_any();
    view! {
        <section class="card" aria-labelledby="genesis-title" data-testid="genesis">
            <h2 id="genesis-title">"This network"</h2>
            {report
                .for_tests
                .then(|| {
                    view! {
                        <div data-testid="for-tests">
                            <Notice tone=NoticeTone::Warning>
                                <p>
                                    "This network is for trying things out. Its waits are so short that a thief is quicker than you: names here are not for keeps."
                                </p>
                            </Notice>
                        </div>
                    }
                })}
            <p>{bears}</p>
            <p class="muted">
                "A network is its founding statement. Everything you sign is for this one, and no server can give its names to other witnesses."
            </p>
            <dl class="facts">
                {fact("Name", report.name.clone().into_any())} {fact("Digest", code(report.topic.clone()))}
                {fact("Founded", founded.into_any())} {changes.map(|changes| fact("Changes of the witnesses", changes.into_any()))}
                {report.node.clone().map(|node| fact("This device’s node", code(node)))}
            </dl>
            {(!report.witnesses.is_empty())
                .then(|| {
                    view! {
                        <h3>"Witnesses"</h3>
                        <ul class="network-list">
                            {report.witnesses.iter().map(|did| view! { <li><DidChip did=did.clone() /></li> }).collect_view()}
                        </ul>
                    }
                })}
        </section>
        {(!others.is_empty() || report.earlier_profile)
            .then(|| {
                view! {
                    <section class="card" aria-labelledby="networks-title" data-testid="networks">
                        <h2 id="networks-title">"Other networks in this browser"</h2>
                        <p class="muted">"Each has a profile of its own. Nothing of one is seen in another."</p>
                        <ul class="network-list">
                            {others
                                .into_iter()
                                .map(|network| {
                                    view! {
                                        <li class="network-head">
                                            <span>{network.label()}</span>
                                            <OpenNetwork network keeps_address=false />
                                        </li>
                                    }
                                })
                                .collect_view()}
                        </ul>
                        {report
                            .earlier_profile
                            .then(|| {
                                view! {
                                    <p data-testid="earlier-profile">
                                        "A profile of an earlier version of this page is here as well. It can’t be read by this version and is left as it is."
                                    </p>
                                }
                            })}
                    </section>
                }
            })}
    }
}

/// A warning that what the server says is left aside, with the way to its network if it is another one.
pub(super) fn render_left_aside(why: Option<ParametersError>) -> impl IntoView {
    why.map(|why| {
        let other = match &why {
            ParametersError::OtherNetwork(other) => Some(other.clone()),
            _ => None,
        };
        let foreign = other.is_some();
        view! {
            <section class="card" aria-labelledby="server-title" data-testid="left-aside">
                <h2 id="server-title">"The server of this page"</h2>
                <Notice tone=NoticeTone::Warning>
                    <p>
                        "What the server of this page says about its network is left aside: "
                        {describe_parameters_error(why)}
                        ". You stay in your own network, with everything you have and through the relays you knew."
                    </p>
                    {foreign
                        .then(|| {
                            view! {
                                <p>
                                    "Perhaps its data was lost, or somebody else runs it now. In its network your names belong to nobody, or to somebody else. You can go there with a profile of its own; the one here stays as it is."
                                </p>
                            }
                        })}
                </Notice>
                {other.map(|network| view! { <div class="actions"><OpenNetwork network keeps_address=false /></div> })}
            </section>
        }
    })
}
