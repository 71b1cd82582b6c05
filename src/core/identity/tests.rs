//! Recovery words: as people write them down, and what is wrong with others.

use super::*;
use crate::keys::Master;

fn words() -> Zeroizing<String> {
    Master::from_entropy([9; 32]).words()
}

#[test]
fn wrong_words_say_which() {
    let phrase = words();
    let words: Vec<&str> = phrase.split(' ').collect();
    let error = |words: &[&str]| words_to_entropy(&words.join(" ")).err();
    assert_eq!(error(&words[..23]), Some(PhraseError::WordCount(23)));
    let mut unknown = words.clone();
    unknown[4] = "gallifrey";
    assert_eq!(error(&unknown), Some(PhraseError::UnknownWord(5)));
    let mut swapped = words.clone();
    let other = (1..24).find(|at| words[*at] != words[0]).unwrap();
    swapped.swap(0, other);
    assert_eq!(error(&swapped), Some(PhraseError::Checksum));
}

/// As the words are shown, copied, written down and pasted again.
#[test]
fn recovery_words_are_read_as_people_write_them_down() {
    let phrase = words();
    let words: Vec<&str> = phrase.split(' ').collect();
    let numbered = |write: &dyn Fn(usize, &str) -> String, between: &str| {
        words.iter().enumerate().map(|(n, word)| write(n + 1, word)).collect::<Vec<_>>().join(between)
    };
    for (what, text) in [
        ("lines", words.join("\r\n")),
        ("numbers", numbered(&|n, word| format!("{n}. {word}"), "\n")),
        ("numbers on one line", numbered(&|n, word| format!("{n} {word}"), "  ")),
        ("numbers without a space", numbered(&|n, word| format!("{n}.{word}"), " ")),
        ("numbers glued to the words", numbered(&|n, word| format!("{n}{word}"), " ")),
        ("numbers in brackets", numbered(&|n, word| format!("({n}) {word};"), "\t")),
        ("a colon", numbered(&|n, word| format!("{n}: {word}"), "\n")),
        ("commas", words.join(", ")),
        ("capitals", phrase.to_uppercase()),
        ("quotation marks", format!("“{}”", phrase.as_str())),
        ("a blank of no width", format!("\u{feff}{}\u{200b}", phrase.as_str())),
        (
            "soft hyphens",
            words.iter().map(|word| format!("{}\u{ad}{}", &word[..2], &word[2..])).collect::<Vec<_>>().join(" "),
        ),
    ] {
        let read = words_to_entropy(&text).map(|read| *read);
        assert_eq!(read, Ok([9; 32]), "{what}: {text}");
    }
    let ordinals = |n: usize, word: &str| {
        let end = match n % 10 {
            1 if n != 11 => "st",
            2 if n != 12 => "nd",
            3 if n != 13 => "rd",
            _ => "th",
        };
        format!("{n}{end} {word}")
    };
    let read = words_to_entropy(&numbered(&ordinals, "\n")).map(|read| *read);
    assert_eq!(read, Ok([9; 32]), "ordinals");
    assert_eq!(words_to_entropy("1, 2, 3").map(drop), Err(PhraseError::WordCount(0)));
}
