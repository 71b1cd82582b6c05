//! Numbers, counts, sizes and identifiers as people read them.
//!
//! Numbers are written in the reader's language, which only the browser knows: the caller gives the function.

/// Writes a whole number, with the separators of the reader's language.
pub type FormatNumber = fn(u64) -> String;

/// “1 name”, “2 names”.
pub fn format_count(value: u64, one: &str, many: &str, number: FormatNumber) -> String {
    format!("{} {}", number(value), if value == 1 { one } else { many })
}

/// What an answer rests on. `registries` counts other people's.
pub fn format_basis(records: u64, registries: u64, number: FormatNumber) -> String {
    let names = format_count(records, "name", "names", number);
    match registries {
        0 => format!("{names} known on this device"),
        _ => format!("{names} from {}", format_count(registries, "registry", "registries", number)),
    }
}

/// “7 minutes”, “3 hours”, “12 days”: a time to the nearest whole.
pub fn format_duration(millis: u64, number: FormatNumber) -> String {
    const MINUTE: u64 = 60_000;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    let rounded = |unit: u64| millis.saturating_add(unit / 2) / unit;
    match millis {
        0..HOUR => format_count(rounded(MINUTE), "minute", "minutes", number),
        HOUR..DAY => format_count(rounded(HOUR), "hour", "hours", number),
        _ => format_count(rounded(DAY), "day", "days", number),
    }
}

/// “512 bytes”, “12 KiB”, “1.5 MiB”, “2.0 GiB”.
pub fn format_size(bytes: u64) -> String {
    const STEP: f64 = 1024.0;
    let bytes = bytes as f64;
    if bytes < STEP {
        format!("{bytes} bytes")
    } else if bytes < STEP * STEP {
        format!("{:.0} KiB", bytes / STEP)
    } else if bytes < STEP * STEP * STEP {
        format!("{:.1} MiB", bytes / STEP / STEP)
    } else {
        format!("{:.1} GiB", bytes / STEP / STEP / STEP)
    }
}

/// The two ends of a long identity; a short one whole.
pub fn shorten_did(did: &str) -> String {
    let key = did.strip_prefix("did:gen:").unwrap_or(did);
    let letters: Vec<char> = key.chars().collect();
    if letters.len() <= 16 {
        return did.to_owned();
    }
    let start: String = letters.iter().take(8).collect();
    let end: String = letters.iter().skip(letters.len() - 6).collect();
    format!("did:gen:{start}…{end}")
}

/// The end of a node's peer id: all begin alike.
pub fn shorten_node(id: &str) -> String {
    let letters: Vec<char> = id.chars().collect();
    let end: String = letters.iter().skip(letters.len().saturating_sub(8)).collect();
    format!("…{end}")
}

/// At most `max` letters; what is cut off leaves a “…” in the last place.
pub fn truncate(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    text.chars().take(max.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As an English browser does it.
    fn english(value: u64) -> String {
        let digits = value.to_string();
        let mut text = String::new();
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                text.push(',');
            }
            text.push(digit);
        }
        text
    }

    #[test]
    fn only_one_is_singular() {
        let names = |value| format_count(value, "name", "names", english);
        assert_eq!(names(0), "0 names");
        assert_eq!(names(1), "1 name");
        assert_eq!(names(2), "2 names");
        assert_eq!(names(1_234_567), "1,234,567 names");
        assert_eq!(names(u64::MAX), "18,446,744,073,709,551,615 names");
    }

    #[test]
    fn a_basis_tells_own_from_other_registries() {
        assert_eq!(format_basis(0, 0, english), "0 names known on this device");
        assert_eq!(format_basis(1, 0, english), "1 name known on this device");
        assert_eq!(format_basis(3, 1, english), "3 names from 1 registry");
        assert_eq!(format_basis(1_000, 12, english), "1,000 names from 12 registries");
    }

    #[test]
    fn durations_are_rounded_to_the_nearest_unit() {
        for (millis, text) in [
            (0, "0 minutes"),
            (29_999, "0 minutes"),
            (30_000, "1 minute"),
            (7 * 60_000, "7 minutes"),
            (60 * 60_000 - 1, "60 minutes"),
            (60 * 60_000, "1 hour"),
            (90 * 60_000, "2 hours"),
            (24 * 3_600_000 - 1, "24 hours"),
            (24 * 3_600_000, "1 day"),
            (12 * 24 * 3_600_000, "12 days"),
        ] {
            assert_eq!(format_duration(millis, english), text, "{millis}");
        }
        assert!(format_duration(u64::MAX, english).ends_with(" days"));
    }

    #[test]
    fn sizes_have_the_unit_that_fits() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (1_023, "1023 bytes"),
            (1_024, "1 KiB"),
            (262_144, "256 KiB"),
            (1_048_576, "1.0 MiB"),
            (1_572_864, "1.5 MiB"),
            (2_147_483_648, "2.0 GiB"),
        ] {
            assert_eq!(format_size(bytes), text);
        }
    }

    #[test]
    fn long_identities_keep_their_two_ends() {
        assert_eq!(shorten_did(""), "");
        assert_eq!(shorten_did("did:gen:z7v1"), "did:gen:z7v1");
        assert_eq!(shorten_did("did:gen:0123456789abcdef"), "did:gen:0123456789abcdef");
        assert_eq!(shorten_did("did:gen:0123456789abcdefg"), "did:gen:01234567…bcdefg");
        assert_eq!(shorten_did(&"é".repeat(40)), format!("did:gen:{}…{}", "é".repeat(8), "é".repeat(6)));
    }

    #[test]
    fn nodes_are_told_apart_by_their_end() {
        assert_eq!(shorten_node("12D3KooWabcdefgh"), "…abcdefgh");
        assert_eq!(shorten_node("short"), "…short");
        assert_eq!(shorten_node(""), "…");
    }

    #[test]
    fn what_is_too_long_ends_with_an_ellipsis() {
        assert_eq!(truncate("", 3), "");
        assert_eq!(truncate("abc", 3), "abc");
        assert_eq!(truncate("abcd", 3), "ab…");
        assert_eq!(truncate("żółwie", 4), "żół…");
        assert_eq!(truncate(&"x".repeat(10_000), 17).chars().count(), 17);
    }
}
