//! A search beyond this device, in words: what the lists rest on, who was asked, and where each module is from.

use gen_registry_api::{NetworkSearchResults, NotAsked, SearchedModule};

use super::text::{FormatNumber, format_count};

/// What a number of modules rests on: of whom this device keeps anything. `people` counts them; of strangers one in `share` is
/// kept.
pub fn describe_basis(modules: u64, is_search: bool, people: u64, share: u64, number: FormatNumber) -> String {
    let verb = if is_search { "found" } else { "known" };
    let modules = format_count(modules, "module", "modules", number);
    let known = people;
    let people = format_count(known, "person", "people", number);
    match (known, share) {
        (0, _) => format!("{modules} {verb}: this device has nothing of other people yet"),
        (_, 0 | 1) => format!("{modules} {verb} among {people} on this device"),
        (_, share) => {
            format!("{modules} {verb} among {people} on this device, which keeps 1 in {} strangers", number(share))
        }
    }
}

/// Where a module is from.
pub fn describe_source(module: &SearchedModule, number: FormatNumber) -> String {
    let peers = (module.peers > 0).then(|| format_count(module.peers, "peer", "peers", number));
    match (module.on_device, peers, module.network) {
        (true, None, _) => "From this device".to_owned(),
        (true, Some(peers), _) => format!("From this device and {peers}"),
        (false, None, _) => "From the network".to_owned(),
        (false, Some(peers), false) => format!("From {peers}"),
        (false, Some(peers), true) => format!("From {peers} and the network"),
    }
}

/// Who was asked, and what came of it.
pub fn describe_outcome(results: &NetworkSearchResults, number: FormatNumber) -> String {
    match results.not_asked {
        Some(NotAsked::NobodyConnected) => {
            return "Nobody could be asked: no peer and no relay is connected.".to_owned();
        }
        Some(NotAsked::NothingIsProven) => {
            return "This network has no witnesses: what others say of modules would prove nothing, so nobody is asked."
                .to_owned();
        }
        Some(NotAsked::TooOften) => {
            return "The connected peers were asked often in the last minute. Ask again a little later.".to_owned();
        }
        None => {}
    }
    let elsewhere = results.modules.iter().filter(|module| !module.on_device).count() as u64;
    let peers = format_count(results.peers_asked, "connected peer", "connected peers", number);
    let were = if results.peers_asked == 1 { "was" } else { "were" };
    let asked = match (results.peers_asked, results.network_asked) {
        (0, _) => "The wider network was asked for this name".to_owned(),
        (_, false) => format!("{peers} {were} asked"),
        (_, true) => format!("{peers} {were} asked, and the wider network for this name"),
    };
    let answered = match results.peers_asked {
        0 => String::new(),
        asked if asked == results.peers_answered => String::new(),
        _ => format!("; {} answered", number(results.peers_answered)),
    };
    let found = match elsewhere {
        0 => "Nothing more was found".to_owned(),
        count => format!("{} that this device does not have", format_count(count, "module", "modules", number)),
    };
    format!("{asked}{answered}. {found}.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use gen_registry_api::{Author, ModuleCard, RatingSummary};

    fn number(value: u64) -> String {
        value.to_string()
    }

    fn module(on_device: bool, peers: u64, network: bool) -> SearchedModule {
        let card = ModuleCard {
            name: "crc32".to_owned(),
            title: None,
            description: None,
            tags: vec![],
            version: "1.0.0".to_owned(),
            published_at: 0,
            size: 1,
            holder: Author { did: "did:gen:z1".to_owned(), username: None },
            opinion: RatingSummary::default(),
            imports_nothing: false,
            deprecated: false,
            installed: None,
        };
        SearchedModule { card, on_device, peers, network }
    }

    fn results(modules: Vec<SearchedModule>, peers_asked: u64, peers_answered: u64) -> NetworkSearchResults {
        NetworkSearchResults {
            modules,
            total_on_device: 0,
            complete: true,
            peers_asked,
            peers_answered,
            network_asked: false,
            not_asked: None,
        }
    }

    #[test]
    fn counts_say_what_they_rest_on() {
        let basis = |modules, is_search, people, share| describe_basis(modules, is_search, people, share, number);
        assert_eq!(basis(2, true, 340, 1), "2 modules found among 340 people on this device");
        assert_eq!(basis(1, false, 1, 0), "1 module known among 1 person on this device");
        assert_eq!(basis(0, true, 0, 1), "0 modules found: this device has nothing of other people yet");
        assert_eq!(
            basis(0, false, 9, 4),
            "0 modules known among 9 people on this device, which keeps 1 in 4 strangers"
        );
    }

    #[test]
    fn each_module_says_where_it_is_from() {
        let source = |module: SearchedModule| describe_source(&module, number);
        assert_eq!(source(module(true, 0, false)), "From this device");
        assert_eq!(source(module(true, 2, true)), "From this device and 2 peers");
        assert_eq!(source(module(false, 1, false)), "From 1 peer");
        assert_eq!(source(module(false, 3, true)), "From 3 peers and the network");
        assert_eq!(source(module(false, 0, true)), "From the network");
    }

    #[test]
    fn the_outcome_says_who_was_asked_and_who_answered() {
        let outcome = |results: NetworkSearchResults| describe_outcome(&results, number);
        assert_eq!(outcome(results(vec![], 1, 1)), "1 connected peer was asked. Nothing more was found.");
        let found = vec![module(true, 1, false), module(false, 1, false)];
        assert_eq!(
            outcome(results(found, 3, 2)),
            "3 connected peers were asked; 2 answered. 1 module that this device does not have."
        );
        let both = NetworkSearchResults { network_asked: true, ..results(vec![], 1, 1) };
        assert_eq!(
            outcome(both),
            "1 connected peer was asked, and the wider network for this name. Nothing more was found."
        );
        let by_name = NetworkSearchResults { network_asked: true, ..results(vec![], 0, 0) };
        assert_eq!(outcome(by_name), "The wider network was asked for this name. Nothing more was found.");
        for why in [NotAsked::NobodyConnected, NotAsked::NothingIsProven, NotAsked::TooOften] {
            let nobody = NetworkSearchResults { not_asked: Some(why), ..results(vec![], 0, 0) };
            assert!(!outcome(nobody).contains("Nothing more"), "{why:?}");
        }
    }
}
