//! `src/ARCHITECTURE.md` is the map: what it links to exists, and what it says is there is there.

use std::fs;
use std::path::{Path, PathBuf};

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// `[`name`](file)` as pairs, in order.
fn code_links(text: &str) -> Vec<(&str, &str)> {
    let starts = text.match_indices("[`").map(|(at, _)| &text[at + 2..]);
    starts
        .filter_map(|rest| {
            let (name, rest) = rest.split_once("`](")?;
            let (file, _) = rest.split_once(')')?;
            (!name.contains('`')).then_some((name, file))
        })
        .collect()
}

/// Whether the file defines something of this name: a function, a type, or a variant of an enum.
fn defines(code: &str, name: &str) -> bool {
    code.lines().map(str::trim).filter(|line| !line.starts_with("//")).any(|line| {
        let line = line.trim_start_matches("pub(crate) ").trim_start_matches("pub(super) ").trim_start_matches("pub ");
        let line = line.trim_start_matches("async ");
        let keyword =
            ["fn ", "struct ", "enum ", "trait ", "type "].iter().find_map(|keyword| line.strip_prefix(keyword));
        let item = keyword.unwrap_or(line);
        let rest = item.strip_prefix(name);
        let ends = |rest: &str| rest.is_empty() || rest.starts_with(['(', '<', ' ', '{', ',', ':', ';']);
        rest.is_some_and(|rest| {
            ends(rest) && (keyword.is_some() || rest.is_empty() || rest.starts_with([',', ' ', '(']))
        })
    })
}

#[test]
fn every_link_of_the_map_leads_to_a_definition() {
    let text = fs::read_to_string(source().join("ARCHITECTURE.md")).unwrap();
    let links = code_links(&text);
    assert!(links.len() > 60, "the links were found: {}", links.len());
    let broken: Vec<String> = links
        .iter()
        .filter(|(name, file)| !fs::read_to_string(source().join(file)).is_ok_and(|code| defines(&code, name)))
        .map(|(name, file)| format!("{name} in {file}"))
        .collect();
    assert_eq!(broken, [""; 0]);
}

/// Files that the tables name, relative to the folder that the table is about.
#[test]
fn every_file_of_the_map_exists() {
    let text = fs::read_to_string(source().join("ARCHITECTURE.md")).unwrap();
    let mut folder = source();
    let mut checked = 0;
    for line in text.lines() {
        if let Some(heading) = line.strip_prefix("### `") {
            folder = source().parent().unwrap().join(heading.split('`').next().unwrap());
        }
        let Some(cell) = line.strip_prefix("| `").and_then(|row| row.split(" | ").next()) else { continue };
        for name in
            format!("`{cell}").split('`').skip(1).step_by(2).filter(|name| name.ends_with(".rs") || name.ends_with('/'))
        {
            let candidates = [folder.join(name), source().join(name), source().parent().unwrap().join(name)];
            assert!(candidates.iter().any(|path| path.exists()), "{name} of {}", folder.display());
            checked += 1;
        }
    }
    assert!(checked > 60, "{checked}");
}
