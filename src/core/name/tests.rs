//! Names: what is allowed, what folds together, and what people paste.

use super::*;

fn folded(text: &str) -> FoldedName {
    text.parse::<Username>().unwrap_or_else(|error| panic!("{text}: {error}")).folded()
}

#[test]
fn prepares_names() {
    assert_eq!("Alice_Smith".parse::<Username>().unwrap().as_str(), "alice_smith");
    // decomposed e + acute becomes one character
    assert_eq!("Jose\u{301}".parse::<Username>().unwrap().as_str(), "jos\u{e9}");
    for name in ["bjørn", "мария", "さくら", "李小龙", "नमस्ते", "αλέξης"] {
        assert_eq!(name.parse::<Username>().unwrap().as_str(), name);
    }
}

#[test]
fn rejects_each_broken_rule_with_its_own_error() {
    use NameError::*;
    let cases: [(&str, NameError); 15] = [
        ("", Empty),
        ("ab", TooShort { least: 3, found: 2 }),
        (&"a".repeat(33), TooLong { most: 32, found: 33 }),
        (&"a".repeat(5000), TooLong { most: 32, found: 5000 }),
        ("1abc", FirstNotLetter('1')),
        ("_abc", FirstNotLetter('_')),
        ("a b c", Space),
        ("ab$c", Character('$')),
        ("ab/c", Character('/')),
        ("ab\u{200d}c", Character('\u{200d}')),
        ("a__b", DoubledSeparator),
        ("a-.b", DoubledSeparator),
        ("abc.", LastIsSeparator('.')),
        ("p\u{430}ypal", MixedScripts),
        ("Admin", Reserved),
    ];
    for (text, error) in cases {
        assert_eq!(text.parse::<Username>(), Err(error), "{text}");
    }
    assert!("abc".parse::<Username>().is_ok());
    assert!("a".repeat(32).parse::<Username>().is_ok());
    assert!("m".repeat(64).parse::<ModuleName>().is_ok());
    assert!("m".repeat(65).parse::<ModuleName>().is_err());
}

#[test]
fn folds_look_alikes_to_one_name() {
    for (one, other) in [
        ("alice_smith", "Alice-Smith"),
        ("alice_smith", "alice.smith"),
        ("paypal", "paypa1"),
        ("modern", "rnodern"),
        ("good", "g00d"),
        ("a\u{441}\u{441}".replace('a', "\u{430}").as_str(), "acc"),
        ("jose", "jos\u{e9}"),
    ] {
        assert_eq!(folded(one), folded(other), "{one} and {other}");
    }
    assert_ne!(folded("alice_smith"), folded("alicesmith"));
    assert_ne!(folded("alice"), folded("alicia"));
}

#[test]
fn rejects_look_alikes_of_reserved_names() {
    for text in ["r00t", "nul1", "gen_registry", "REGISTRY"] {
        assert_eq!(text.parse::<Username>(), Err(NameError::Reserved), "{text}");
    }
}

/// Beside `alice` in a sentence they are `alice` and a sign.
#[test]
fn rejects_letters_that_read_as_punctuation() {
    for text in
        ["alice'", "alice:", "admin'", "support:", "alice\u{2bc}", "o\u{2bc}neil", "al\u{b7}lan", "al\u{2019}lan"]
    {
        assert!(matches!(text.parse::<Username>(), Err(NameError::Character(_))), "{text}");
    }
    assert!(matches!("l\u{b7}l".parse::<ModuleName>(), Err(NameError::Character('\u{b7}'))));
    for text in ["ラーメン", "佐々木"] {
        assert!(text.parse::<Username>().is_ok(), "{text}: signs of a script are letters to its readers");
    }
}

/// Words that no reader takes for each other: the mark is a vowel, a tone or another consonant.
#[test]
fn keeps_marks_that_make_another_word() {
    for (one, other) in [
        ("गीता", "गति"),
        ("किरण", "करण"),
        ("राम", "रमा"),
        ("मीरा", "मीरी"),
        ("কমল", "কামাল"),
        ("தமிழ்", "தமழ"),
        ("సీత", "సత"),
        ("สวัสดี", "สวสด"),
        ("แมว", "แม่ว"),
        ("ひよこ", "ぴよこ"),
        ("はは", "ぱぱ"),
        ("ハハ", "パパ"),
        ("かき", "がき"),
        ("たいち", "だいち"),
        ("한글", "하늘"),
    ] {
        let [one, other] =
            [one, other].map(|text| text.parse::<ModuleName>().unwrap_or_else(|e| panic!("{text}: {e}")));
        assert_ne!(one.folded(), other.folded(), "{one} and {other}");
    }
    for (one, other) in [("jose", "josé"), ("nga", "ngã"), ("ελλας", "ελλάς"), ("елка", "ёлка")] {
        let [one, other] = [one, other].map(|text| text.parse::<ModuleName>().unwrap());
        assert_eq!(one.folded(), other.folded(), "{one} and {other}");
    }
}

#[test]
fn folding_settles() {
    for text in ["गीता", "ぱぱ", "สวัสดี", "josé", "rn0dern", "ёлка", "tổ_chức"] {
        let folded = fold(text);
        assert_eq!(fold(folded.as_str()), folded, "{text}");
    }
}

#[test]
fn takes_off_what_copying_brings_along() {
    for text in [
        " alice_smith\n",
        "@alice_smith",
        "\u{ff20}alice_smith",
        "@ alice_smith",
        "\u{202a}alice_smith\u{202c}",
        "\u{2068}@alice_smith\u{2069}",
        "alice_smith\u{200b}",
        "\u{feff}alice_smith",
        "\u{200e}\u{200e} @\u{200f}Alice_Smith \u{fe0f}",
    ] {
        assert_eq!(parse_input::<Username>(text).map(String::from).as_deref(), Ok("alice_smith"), "{text:?}");
    }
    let inside = parse_input::<Username>("alice_\u{ad}smith").unwrap_err();
    assert_eq!(inside, NameError::Character('\u{ad}'));
    assert!(inside.to_string().contains("invisible character U+00AD"), "{inside}");
    for (text, error) in [
        ("", NameError::Empty),
        ("@", NameError::Empty),
        ("\u{200b}", NameError::Empty),
        ("@@alice", NameError::Character('@')),
        ("alice@", NameError::Character('@')),
        ("alice smith", NameError::Space),
    ] {
        assert_eq!(parse_input::<Username>(text), Err(error), "{text:?}");
    }
}
