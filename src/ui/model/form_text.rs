//! What people type into forms, as values, and back.

use std::collections::BTreeSet;

use gen_registry_api::Requirement;

/// The lines of a text, without the empty ones and the spaces around them.
pub fn parse_lines(text: &str) -> Vec<String> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// One value on each line.
pub fn join_lines(values: &[String]) -> String {
    values.join("\n")
}

/// Tags as they are kept: lower case, sorted, each once.
pub fn parse_tags(text: &str) -> Vec<String> {
    let tags: BTreeSet<String> = text.split(',').map(|tag| tag.trim().to_lowercase()).collect();
    tags.into_iter().filter(|tag| !tag.is_empty()).collect()
}

/// `name requirement`, one a line; a name alone takes any version.
pub fn parse_requirements(text: &str) -> Vec<Requirement> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let (name, requirement) = line.split_once(char::is_whitespace).unwrap_or((line, "*"));
            Requirement { name: name.to_owned(), requirement: requirement.trim().to_owned() }
        })
        .collect()
}

/// A module name for a file: its name without what no module name has.
pub fn suggest_module_name(file: &str) -> String {
    let stem = file.strip_suffix(".wasm").unwrap_or(file);
    let letters: String = stem
        .chars()
        .map(|c| if c.is_alphanumeric() || "_-.".contains(c) { c.to_ascii_lowercase() } else { '-' })
        .collect();
    letters.trim_matches(|c: char| !c.is_alphanumeric()).to_owned()
}

/// The requirement that asks for a version: compatible ones for the newest, exactly this one otherwise.
pub fn requirement_for(version: &str, newest: Option<&str>) -> String {
    if newest == Some(version) { format!("^{version}") } else { format!("={version}") }
}

/// The name of a channel as it is typed: without `#` and capitals.
pub fn parse_channel(text: &str) -> String {
    text.trim().trim_start_matches('#').to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_lines_are_no_values() {
        assert_eq!(parse_lines(""), [""; 0]);
        assert_eq!(parse_lines(" \n\t\r\n"), [""; 0]);
        assert_eq!(parse_lines("  a\r\n\nżółw  \n b c"), ["a", "żółw", "b c"]);
        let many: Vec<String> = (0..10_000).map(|n| n.to_string()).collect();
        assert_eq!(parse_lines(&join_lines(&many)), many);
    }

    #[test]
    fn tags_are_kept_once_and_sorted() {
        assert_eq!(parse_tags(""), [""; 0]);
        assert_eq!(parse_tags(" , ,"), [""; 0]);
        assert_eq!(parse_tags("Hash, crc ,hash,ŻÓŁW"), ["crc", "hash", "żółw"]);
        assert_eq!(parse_tags(&parse_tags("b,a").join(", ")), ["a", "b"]);
    }

    #[test]
    fn requirements_have_a_name_and_maybe_more() {
        let read = |text: &str| {
            parse_requirements(text).into_iter().map(|one| (one.name, one.requirement)).collect::<Vec<_>>()
        };
        let pair = |name: &str, requirement: &str| (name.to_owned(), requirement.to_owned());
        assert_eq!(read(""), []);
        assert_eq!(read("\n  \n"), []);
        assert_eq!(read("base64"), [pair("base64", "*")]);
        assert_eq!(read("base64 ^1.2\n\n  crc32\t>=1, <3  "), [pair("base64", "^1.2"), pair("crc32", ">=1, <3")]);
        assert_eq!(read("żółw   1"), [pair("żółw", "1")]);
        assert_eq!(read(&"x 1\n".repeat(5_000)).len(), 5_000);
    }

    #[test]
    fn a_file_suggests_a_name() {
        for (file, name) in [
            ("crc32.wasm", "crc32"),
            ("My Module (2).wasm", "my-module--2"),
            ("__x__.wasm", "x"),
            ("lib.tar.wasm", "lib.tar"),
            ("noending", "noending"),
            ("żółw.wasm", "żółw"),
            (".wasm", ""),
            ("???", ""),
            ("", ""),
        ] {
            assert_eq!(suggest_module_name(file), name, "{file}");
        }
        assert_eq!(suggest_module_name(&"a".repeat(500)).len(), 500);
    }

    #[test]
    fn only_the_newest_version_is_asked_for_loosely() {
        assert_eq!(requirement_for("1.2.0", Some("1.2.0")), "^1.2.0");
        assert_eq!(requirement_for("1.1.0", Some("1.2.0")), "=1.1.0");
        assert_eq!(requirement_for("1.1.0", None), "=1.1.0");
    }

    #[test]
    fn a_channel_is_named_with_or_without_its_mark() {
        for text in ["general", "#general", "  #General ", "##GENERAL"] {
            assert_eq!(parse_channel(text), "general");
        }
        assert_eq!(parse_channel("#module/CRC32"), "module/crc32");
        assert_eq!(parse_channel(" # "), "");
    }
}
