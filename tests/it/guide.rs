//! The README and the guides: every link leads somewhere, and what they list is what there is.

use std::{collections::BTreeSet, fs, path::PathBuf};

use gen_registry_core::sync::{asking, blocks, chat, exchange, signaling};
use gen_registry_core::{
    guide::{GUIDE_MAX_BYTES, GUIDE_PAGES},
    markdown::{guide_to_html, heading_ids, link_targets},
};
use gen_registry_node::net::{
    IDENTIFY_PROTOCOL, KADEMLIA_PROTOCOL,
    mesh::{FIND_PROTOCOL, peer_exchange},
    relay::limits::RelayLimits,
};
use gen_registry_node::store::Table;

use crate::support::relay::relay_with;
use gen_registry_node::net::relay::numbers::text_of;
use gen_registry_server::counts::ServerCounts;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

fn guide(slug: &str) -> String {
    read(&format!("public/guide/{slug}.md"))
}

/// Every Markdown file that people read.
fn texts() -> Vec<PathBuf> {
    let mut texts = vec![root().join("README.md")];
    for folder in ["public/guide", ".github"] {
        texts.extend(fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path()));
    }
    texts.retain(|path| path.extension().is_some_and(|ending| ending == "md"));
    texts
}

/// Words of a text that begin with `start` and go on with letters, digits, `-` and `_`.
fn words(text: &str, start: &str) -> BTreeSet<String> {
    let part = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
    let found = text.match_indices(start).filter(|(at, _)| !text[..*at].ends_with(part));
    found.map(|(at, _)| text[at..].chars().take_while(|letter| part(*letter)).collect()).collect()
}

#[test]
fn pages_are_the_files_and_titles_their_first_headings() {
    let files: BTreeSet<String> = fs::read_dir(root().join("public/guide"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let pages: BTreeSet<String> = GUIDE_PAGES.iter().map(|page| format!("{}.md", page.slug)).collect();
    assert_eq!(files, pages);
    let index = guide("index");
    for page in GUIDE_PAGES {
        let text = guide(page.slug);
        assert!(text.starts_with(&format!("# {}\n", page.title)), "{}", page.slug);
        assert!(text.len() <= GUIDE_MAX_BYTES, "{}", page.slug);
        let listed = link_targets(&index).contains(&format!("{}.md", page.slug));
        assert_eq!(listed, page != GUIDE_PAGES[0], "the overview lists {}", page.slug);
    }
}

#[test]
fn every_relative_link_and_anchor_resolves() {
    let mut checked = 0;
    for path in texts() {
        let text = fs::read_to_string(&path).unwrap();
        for link in link_targets(&text).iter().filter(|link| !link.contains("://")) {
            let (file, part) = link.split_once('#').map_or((link.as_str(), None), |(file, part)| (file, Some(part)));
            let target = if file.is_empty() { path.clone() } else { path.parent().unwrap().join(file) };
            assert!(target.is_file(), "{}: {link} leads nowhere", path.display());
            if let Some(part) = part {
                let ids = heading_ids(&fs::read_to_string(&target).unwrap());
                assert!(ids.iter().any(|id| id == part), "{}: {link} has no such part", path.display());
            }
            checked += 1;
        }
    }
    assert!(checked > 30, "most links were looked at: {checked}");
}

#[test]
fn every_link_of_a_guide_works_in_the_app_too() {
    for page in GUIDE_PAGES {
        let text = guide(page.slug);
        let html = guide_to_html(page, &text).html;
        assert_eq!(html.matches("<a ").count(), link_targets(&text).len(), "{}", page.slug);
        let ids: Vec<&str> = html.split(" id=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        assert_eq!(ids, heading_ids(&text)[1..], "{}: its anchors are those of the repository", page.slug);
    }
}

#[test]
fn operating_describes_every_flag_and_variable_and_no_other() {
    let help = crate::support::server::program(&["serve", "--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let mut flags = words(&help, "--");
    flags.remove("--help");
    let text = guide("operating");
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| `--")).collect();
    let first_cells: BTreeSet<String> = rows.iter().map(|row| row.split('`').nth(1).unwrap().to_owned()).collect();
    assert_eq!(first_cells, flags);
    assert!(flags.len() > 15, "{flags:?}");
    let variables: BTreeSet<String> =
        help.split("[env: ").skip(1).map(|rest| rest.split('=').next().unwrap().to_owned()).collect();
    assert_eq!(words(&rows.join("\n"), "GEN_"), variables);
}

#[tokio::test]
async fn operating_lists_every_metric_and_no_other() {
    let (relay, view, _) = relay_with(RelayLimits::default()).await;
    let numbers = text_of([ServerCounts::default().numbers(), view.numbers()]).unwrap();
    relay.stop().await;
    let described = numbers.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let metrics: BTreeSet<String> = described
        .map(|line| match line.split_once(' ').unwrap() {
            (name, "counter") => format!("{name}_total"),
            (name, _) => name.to_owned(),
        })
        .collect();
    assert!(metrics.len() > 30, "{metrics:?}");
    let text = guide("operating");
    let table = text.split("### Metrics").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    let mut listed: BTreeSet<String> = rows.map(|row| row.split('`').nth(1).unwrap().to_owned()).collect();
    // It has no line before the first byte; `tests/it/relay.rs` reads it after one.
    assert!(listed.remove("libp2p_bandwidth_bytes_total"));
    assert_eq!(listed, metrics);
}

#[test]
fn scripting_names_every_function_event_and_code() {
    let typings = read("public/gen-registry.d.ts");
    let text = guide("scripting");
    let functions = crate::typings::functions();
    assert!(functions.len() > 50, "{functions:?}");
    for function in functions {
        assert!(text.contains(&format!("`{function}(")), "{function}");
    }
    let quoted = |part: &str| -> Vec<String> { part.split('"').skip(1).step_by(2).map(str::to_owned).collect() };
    let declared = |name: &str| {
        let text = typings.split(&format!("export type {name} =")).nth(1).unwrap().split("\nexport ").next().unwrap();
        // Documentation may quote, too.
        let code = text.split("/**").map(|part| part.split_once("*/").map_or(part, |(_, code)| code));
        quoted(&code.collect::<String>())
    };
    let (codes, events) = (declared("FailureCode"), declared("NodeEvent"));
    assert!(codes.len() > 40 && events.len() > 10, "{codes:?} {events:?}");
    for word in codes.iter().chain(&events) {
        assert!(text.contains(&format!("`{word}`")), "{word}");
    }
}

#[test]
fn protocols_lists_every_protocol_and_table() {
    let text = guide("protocols");
    let protocols = [
        exchange::wire::PROTOCOL,
        blocks::wire::PROTOCOL,
        chat::PROTOCOL,
        signaling::PROTOCOL,
        asking::wire::PROTOCOL,
        FIND_PROTOCOL,
        peer_exchange::PROTOCOL,
        IDENTIFY_PROTOCOL,
        KADEMLIA_PROTOCOL,
    ];
    for name in protocols.into_iter().chain(Table::ALL.iter().map(|table| table.name())) {
        assert!(text.contains(&format!("| `{name}` |")), "{name}");
    }
}

#[test]
fn the_readme_is_short() {
    assert!(read("README.md").lines().count() <= 120);
}
