//! What a page opens: each line of the table, and that nothing moves a profile afterwards.

use std::rc::Rc;

use futures::executor::block_on;
use futures::future::{pending, ready};
use futures::{FutureExt, future};

use super::*;
use crate::network::directory::NETWORKS_MAX;
use crate::network::samples::{change, changed, elsewhere, genesis, parameters};
use crate::store::memory::MemoryStore;
use crate::store::records::Records;
use gen_registry_core::network::{Genesis, NetworkHistory};

fn directory() -> NetworkDirectory {
    NetworkDirectory::new(Records::new(Rc::new(MemoryStore::new())))
}

fn ours() -> Network {
    Network::try_from(&parameters()).unwrap()
}

fn theirs() -> Network {
    Network::try_from(&elsewhere()).unwrap()
}

fn link(network: &Network) -> Link {
    Link { topic: network.topic, newest: network.history().newest() }
}

/// What a page opens that came by this link, from a server that says this.
fn open(directory: &NetworkDirectory, link: Option<Link>, answer: Option<NetworkParameters>) -> Opening {
    block_on(decide(directory, link, ready(answer), ready(false))).expect("the memory store answers")
}

fn profile(network: Network) -> Opening {
    Opening::Profile { network, served: Some(Served::default()) }
}

fn shown(directory: &NetworkDirectory) -> Option<Network> {
    block_on(directory.shown()).unwrap()
}

#[test]
fn first_network_that_is_served_is_shown_for_good() {
    let directory = directory();
    assert_eq!(open(&directory, None, Some(parameters())), profile(ours()));
    // Whatever the server says later: it is not even waited for.
    let again = block_on(decide(&directory, None, pending(), pending()));
    assert_eq!(again.unwrap(), Opening::Profile { network: ours(), served: None });
    assert_eq!(open(&directory, None, Some(elsewhere())), Opening::Profile { network: ours(), served: None });
    assert_eq!(block_on(directory.all()).unwrap(), [ours()]);
}

#[test]
fn link_never_moves_a_profile() {
    let directory = directory();
    open(&directory, None, Some(parameters()));
    let opened = open(&directory, Some(link(&theirs())), Some(elsewhere()));
    assert_eq!(opened, Opening::Profile { network: ours(), served: None });
    assert_eq!(block_on(directory.all()).unwrap(), [ours()], "and lists nothing");
}

#[test]
fn fresh_profile_by_a_link_joins_the_network_of_the_link_or_none() {
    let fresh = directory();
    assert_eq!(open(&fresh, Some(link(&ours())), Some(parameters())), profile(ours()));
    assert_eq!(shown(&fresh), Some(ours()));

    let fresh = directory();
    let other = Some(ParametersError::OtherNetwork(theirs().name()));
    let undecided = Opening::Undecided { served: Served { network: Some(theirs()), fault: other } };
    assert_eq!(open(&fresh, Some(link(&ours())), Some(elsewhere())), undecided);
    let nothing = Opening::Undecided { served: Served::default() };
    assert_eq!(open(&fresh, Some(link(&ours())), None), nothing);
    let broken = NetworkParameters { genesis: String::new(), ..parameters() };
    let Opening::Undecided { served } = open(&fresh, Some(link(&ours())), Some(broken)) else { panic!("it joined") };
    assert_eq!(served.fault, Some(ParametersError::Genesis));
    assert_eq!(shown(&fresh), None, "nothing is joined");
    assert_eq!(open(&fresh, Some(link(&Network::default())), None), profile(Network::default()), "it is built in");
}

#[test]
fn server_that_hides_a_change_is_not_joined_by_a_link_that_knows_it() {
    let first = change(1, ours().history().newest(), 3, 2);
    let newer = Network::try_from(&changed(&[&first])).unwrap();
    let fresh = directory();
    let Opening::Undecided { served } = open(&fresh, Some(link(&newer)), Some(parameters())) else {
        panic!("it joined")
    };
    assert_eq!((served.fault, served.network), (Some(ParametersError::LinkUnknown), Some(ours())));
    // An older link is no reason against a server that knows more.
    assert_eq!(open(&fresh, Some(link(&ours())), Some(changed(&[&first]))), profile(newer));
}

#[test]
fn page_that_no_server_answered_belongs_nowhere_until_it_has_an_identity() {
    let directory = directory();
    let alone = || Opening::Profile { network: Network::default(), served: Some(Served::default()) };
    assert_eq!(open(&directory, None, None), alone());
    assert_eq!(shown(&directory), None);
    // Without an identity it joins the first network that is served; with one it stays.
    let decide_with =
        |has_identity: bool| block_on(decide(&directory, None, ready(Some(elsewhere())), ready(has_identity))).unwrap();
    let other = Served { network: Some(theirs()), fault: Some(ParametersError::OtherNetwork(theirs().name())) };
    assert_eq!(decide_with(true), Opening::Profile { network: Network::default(), served: Some(other) });
    assert_eq!(shown(&directory), Some(Network::default()), "for good");
    let directory = self::directory();
    open(&directory, None, None);
    let opened = block_on(decide(&directory, None, ready(Some(elsewhere())), ready(false))).unwrap();
    assert_eq!(opened, profile(theirs()));
    // Where no page began alone, nothing is opened to look.
    let fresh = self::directory();
    let opened = decide(&fresh, None, ready(Some(elsewhere())), future::pending()).now_or_never();
    assert_eq!(opened.expect("it does not look").unwrap(), profile(theirs()));
}

#[test]
fn directory_lists_so_many_networks_and_keeps_each_as_it_was() {
    let directory = directory();
    let network = |at: usize| Network::new(NetworkHistory::new(Genesis { nonce: [at as u8; 16], ..genesis() }));
    for at in 0..NETWORKS_MAX {
        block_on(directory.show(&network(at))).unwrap();
    }
    assert_eq!(shown(&directory), Some(network(NETWORKS_MAX - 1)));
    let error = block_on(directory.show(&network(NETWORKS_MAX))).unwrap_err();
    assert!(matches!(error, DirectoryError::Full));
    assert_eq!(shown(&directory), Some(network(NETWORKS_MAX - 1)), "it shows what it showed");
    block_on(directory.show(&network(0))).unwrap();
    assert_eq!(shown(&directory), Some(network(0)), "a listed one can be shown again");
    let mut altered = network(0);
    altered.relays = vec!["/ip4/127.0.0.1/tcp/9/ws".to_owned()];
    block_on(directory.show(&altered)).unwrap();
    assert_eq!(shown(&directory), Some(network(0)));
}
