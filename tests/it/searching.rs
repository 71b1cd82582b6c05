//! Finding modules: what comes first, what is forgiven, and that no text and no damaged byte makes it fail.

mod network;
mod stories;

use std::collections::BTreeSet;

use gen_registry_core::search::{Filter, NotAnIndex, Numbers, SearchDocument, SearchIndex, SearchQuery, SortBy, *};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn document(name: &str, title: &str, tags: &str, description: &str) -> SearchDocument {
    SearchDocument {
        key: name.replace('-', "").to_lowercase(),
        name: name.to_owned(),
        title: title.to_owned(),
        description: description.to_owned(),
        tags: words(tags),
        owner: "did:gen:alice".to_owned(),
        owner_name: "alice_smith".to_owned(),
        exports: words("run"),
        ..SearchDocument::default()
    }
}

/// A registry that one can keep in mind.
fn shelf() -> Vec<SearchDocument> {
    let mut shelf = vec![
        document("svg-renderer", "Vector pictures", "graphics svg", "Draws vector graphics into pixels"),
        document("pixel-sort", "", "graphics", "Sorts the pixels of a picture, for art"),
        document("crc32", "Check sums", "hash checksum", "The check sum of Ethernet and of zip files"),
        document("murmur", "Murmur hash", "hash", "A quick hash of short texts"),
        document("xxhash", "", "hash fast", "An extremely quick one for long inputs"),
        document("hash-ring", "", "network", "Spreads keys over servers"),
        document("base64", "", "encoding", "Bytes as text and back"),
        document("levenshtein", "Edit distance", "text", "How many letters two words differ in"),
        document("markdown", "Markdown to HTML", "text html", "Renders CommonMark, with tables"),
        document("qr", "QR codes", "graphics", "Writes a text as a square of pixels"),
        document("uuid", "", "", "Names that nobody else has"),
        document("naïve-bayes", "", "learning", "Tells spam from letters"),
        document("編碼", "", "", "文字編碼工具"),
    ];
    for (nth, document) in shelf.iter_mut().enumerate() {
        document.numbers = Numbers {
            published_at: 1_000 + nth as u64,
            downloads: (nth as u64 * 7) % 5,
            score: ((nth * 3) % 4) as f64,
            size: 100,
        };
    }
    shelf[2].imports = words("env.log");
    shelf[3].exports = words("hash32 hash64");
    shelf[4].exports = words("hash64");
    shelf[4].owner = "did:gen:bob".to_owned();
    shelf[4].owner_name = "bob_jones".to_owned();
    shelf
}

fn index(documents: Vec<SearchDocument>) -> SearchIndex {
    let mut index = SearchIndex::new().unwrap();
    index.update(documents);
    index.merge().unwrap();
    index
}

fn question(text: &str) -> SearchQuery {
    SearchQuery { text: text.to_owned(), limit: 50, ..SearchQuery::default() }
}

fn names(index: &mut SearchIndex, question: &SearchQuery) -> Vec<String> {
    index.find(question).unwrap().names
}

fn found(index: &mut SearchIndex, text: &str) -> Vec<String> {
    names(index, &question(text))
}

#[test]
fn results_are_ranked() {
    let mut index = index(shelf());
    for (asked, first) in [
        // The name before title, tags and description.
        ("hash", ["hash-ring", "murmur"].as_slice()),
        ("svg renderer", &["svg-renderer"]),
        ("svgrenderer", &["svg-renderer"]),
        ("base 64", &["base64"]),
        // A word of the description; all words must be there.
        ("ethernet", &["crc32"]),
        ("pixels picture", &["pixel-sort"]),
        ("quick long", &["xxhash"]),
        // The last word may be unfinished; whatever is so exactly comes before.
        ("leven", &["levenshtein"]),
        ("vector gra", &["svg-renderer"]),
        ("pixel", &["pixel-sort"]),
        // Slips.
        ("levenstein", &["levenshtein"]),
        ("makrdown", &["markdown"]),
        ("ethenet zip", &["crc32"]),
        ("graphcs", &["svg-renderer"]),
        // Other letters.
        ("naive bayes", &["naïve-bayes"]),
        ("NAÏVE", &["naïve-bayes"]),
        ("編", &["編碼"]),
        // Whose it is, and what it offers.
        ("bob_jones", &["xxhash"]),
        ("hash32", &["murmur"]),
        // One word is enough if not all can be had.
        ("library for markdown tables", &["markdown"]),
    ] {
        let names = found(&mut index, asked);
        assert!(
            names.len() >= first.len() && names.iter().zip(first).all(|(name, first)| name == first),
            "{asked}: {names:?}"
        );
    }
    for nothing in ["zzzz", "cat", "uuie5"] {
        assert_eq!(found(&mut index, nothing), Vec::<String>::new(), "{nothing}");
    }
    assert!(found(&mut index, "crd").is_empty(), "short words are taken as they are");
}

#[test]
fn exact_match_ranks_before_prefix_and_misspelling() {
    let mut index = index(vec![
        document("render", "", "", ""),
        document("renders-all", "", "", ""),
        document("sender", "", "", ""),
        document("zoo", "render", "", ""),
        document("zoo-two", "", "render", ""),
        document("zoo-three", "", "", "they render"),
    ]);
    let expected = ["render", "renders-all", "zoo", "zoo-two", "zoo-three", "sender"];
    let names = found(&mut index, "render");
    assert_eq!(names[0], "render");
    assert_eq!(names.last().unwrap(), "sender", "{names:?}");
    assert_eq!(names.iter().map(String::as_str).collect::<BTreeSet<_>>(), BTreeSet::from(expected));
    let place = |name: &str| names.iter().position(|found| found == name).unwrap();
    assert!(place("zoo") < place("zoo-two") && place("zoo-two") < place("zoo-three"), "{names:?}");
}

#[test]
fn filters_and_orders_apply() {
    let mut index = index(shelf());
    let filtered = |filter: Filter| SearchQuery { filter, ..question("hash") };
    let tag = Filter { tag: Some("fast".into()), ..Filter::default() };
    assert_eq!(names(&mut index, &filtered(tag)), ["xxhash"]);
    let owner = Filter { owner: Some("did:gen:bob".into()), ..Filter::default() };
    assert_eq!(names(&mut index, &filtered(owner)), ["xxhash"]);
    let exports = Filter { exports: Some("hash64".into()), ..Filter::default() };
    assert_eq!(names(&mut index, &filtered(exports.clone())), ["murmur", "xxhash"]);
    let pure = Filter { imports_nothing: true, ..Filter::default() };
    assert!(!names(&mut index, &filtered(pure)).contains(&"crc32".to_owned()));
    let all = SearchQuery { filter: exports, ..question("") };
    assert_eq!(names(&mut index, &all).len(), 2, "no text: all that the filter lets through");

    let by = |order| SearchQuery { order, ..question("") };
    let shelf = shelf();
    let numbers = |name: &String| shelf.iter().find(|document| document.name == *name).unwrap().numbers;
    for order in [SortBy::Recent, SortBy::Popular, SortBy::Rated, SortBy::Name] {
        let names = names(&mut index, &by(order));
        assert_eq!(names.len(), shelf.len());
        let in_order = names.windows(2).all(|pair| match order {
            SortBy::Recent => numbers(&pair[0]).published_at >= numbers(&pair[1]).published_at,
            SortBy::Popular => numbers(&pair[0]).downloads >= numbers(&pair[1]).downloads,
            SortBy::Rated => numbers(&pair[0]).score >= numbers(&pair[1]).score,
            SortBy::Relevance | SortBy::Name => pair[0] <= pair[1],
        });
        assert!(in_order, "{order:?}: {names:?}");
    }
}

#[test]
fn pages_are_pieces_of_one_list() {
    let mut index = index(shelf());
    for order in [SortBy::Relevance, SortBy::Popular] {
        let whole = index.find(&SearchQuery { order, ..question("") }).unwrap();
        let mut pieces = Vec::new();
        for skip in (0..20).step_by(3) {
            let page = index.find(&SearchQuery { order, skip, limit: 3, ..question("") }).unwrap();
            assert_eq!(page.total, whole.total);
            pieces.extend(page.names);
        }
        assert_eq!(pieces, whole.names);
    }
    assert_eq!(index.find(&SearchQuery { limit: u32::MAX, skip: u32::MAX, ..question("") }).unwrap().names.len(), 0);
}

#[test]
fn changed_downloads_do_not_reindex() {
    let mut index = index(shelf());
    let mut uuid = shelf().into_iter().find(|document| document.name == "uuid").unwrap();
    uuid.numbers.downloads = 1_000;
    index.update(vec![uuid.clone()]);
    assert_eq!(index.waiting(), 0);
    assert_eq!(names(&mut index, &SearchQuery { order: SortBy::Popular, ..question("") })[0], "uuid");
    uuid.description = "Names by chance".into();
    index.update(vec![uuid]);
    assert_eq!(index.waiting(), 1, "a text is new");
    assert_eq!(found(&mut index, "chance"), ["uuid"]);
    assert_eq!(found(&mut index, "nobody"), Vec::<String>::new(), "the old text is found no more");
}

const SYLLABLES: [&str; 16] =
    ["ha", "sh", "ren", "der", "pix", "el", "code", "bit", "net", "ro", "mu", "ta", "li", "gen", "o", "ex"];

fn word(chance: &mut StdRng) -> String {
    (0..chance.random_range(1..4)).map(|_| SYLLABLES[chance.random_range(0..SYLLABLES.len())]).collect()
}

fn sentence(chance: &mut StdRng, most: usize) -> String {
    (0..chance.random_range(1..=most)).map(|_| word(chance)).collect::<Vec<_>>().join(" ")
}

fn random(nth: usize, chance: &mut StdRng) -> SearchDocument {
    let name = format!("m{nth}-{}", word(chance));
    let mut made = document(&name, &sentence(chance, 3), &sentence(chance, 3), &sentence(chance, 12));
    made.key = format!("m{nth}");
    made.numbers.downloads = chance.random_range(0..50);
    made
}

#[test]
fn incremental_index_equals_a_rebuilt_one() {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random);
    println!("SEED={seed}");
    let mut chance = StdRng::seed_from_u64(seed);
    let mut now: Vec<SearchDocument> = (0..300).map(|nth| random(nth, &mut chance)).collect();
    let mut grown = index(now.clone());
    for step in 0..12 {
        for _ in 0..10 {
            match chance.random_range(0..3) {
                0 => {
                    let gone = now.swap_remove(chance.random_range(0..now.len()));
                    grown.remove(&[gone.key]);
                }
                1 => {
                    let place = chance.random_range(0..now.len());
                    let nth = now[place].key[1..].parse().unwrap();
                    now[place] = random(nth, &mut chance);
                    grown.update(vec![now[place].clone()]);
                }
                _ => {
                    now.push(random(1_000 + now.len() * 20 + step, &mut chance));
                    grown.update(vec![now.last().unwrap().clone()]);
                }
            }
        }
        // A key can be drawn twice: the later document is the one that counts.
        let mut last = std::collections::BTreeMap::new();
        now.iter().for_each(|document| drop(last.insert(document.key.clone(), document.clone())));
        let mut rebuilt = index(last.values().cloned().collect());
        now = last.into_values().collect();
        grown.update(now.clone());
        let merged = step % 4 == 3;
        if merged {
            grown.merge().unwrap();
        }
        let questions: Vec<SearchQuery> =
            (0..20).map(|_| SearchQuery { limit: FOUND_MAX, ..question(&sentence(&mut chance, 2)) }).collect();
        for question in questions {
            let (one, other) = (grown.find(&question).unwrap(), rebuilt.find(&question).unwrap());
            assert_eq!(one.total, other.total, "{question:?}");
            if merged {
                assert_eq!(one, other, "{question:?}");
            } else if one.total <= u64::from(FOUND_MAX) {
                let set = |found: &SearchHits| found.names.iter().cloned().collect::<BTreeSet<_>>();
                assert_eq!(set(&one), set(&other), "{question:?}");
            }
        }
    }
}

#[test]
fn adding_documents_keeps_the_order_of_others() {
    let mut chance = StdRng::seed_from_u64(7);
    let all: Vec<SearchDocument> = (0..200).map(|nth| random(nth, &mut chance)).collect();
    let (mut rebuilt, mut grown) = (index(all.clone()), index(all[..150].to_vec()));
    grown.update(all[150..].to_vec());
    assert_eq!(grown.waiting(), 50);
    for _ in 0..50 {
        let question = question(&sentence(&mut chance, 2));
        assert_eq!(grown.find(&question).unwrap(), rebuilt.find(&question).unwrap(), "{question:?}");
    }
}

#[test]
fn arbitrary_text_does_not_panic() {
    let mut index = index(shelf());
    let mut chance = StdRng::seed_from_u64(11);
    let mut hostile: Vec<String> = [
        "",
        " ",
        "\0",
        "\"",
        "\"unclosed",
        "a AND",
        "OR",
        "NOT",
        "+",
        "-",
        "-a",
        "(((",
        "title:",
        "name:*",
        "*",
        "?",
        "a*b*c*",
        "[a TO z]",
        "{",
        "^9",
        "~",
        "hash~99",
        "\\",
        "/.*/",
        "\u{202e}hash",
        "\u{feff}",
        "💥",
        "e\u{301}\u{301}\u{301}",
        "a:b:c",
        "<script>",
        "%00",
        "' OR 1=1 --",
        "\u{10ffff}",
        "ﷺ",
        "İ",
        "ǅ",
    ]
    .map(str::to_owned)
    .to_vec();
    hostile.push("a".repeat(10_000));
    hostile.push("hash ".repeat(2_000));
    hostile.push("é".repeat(10_000));
    hostile.push("(".repeat(10_000));
    for _ in 0..500 {
        let bytes: Vec<u8> = (0..chance.random_range(0..400)).map(|_| chance.random()).collect();
        hostile.push(String::from_utf8_lossy(&bytes).into_owned());
    }
    for text in hostile {
        for order in [SortBy::Relevance, SortBy::Rated] {
            let asked = SearchQuery { order, ..question(&text) };
            let found = index.find(&asked).unwrap();
            assert!(found.names.len() as u64 <= found.total);
        }
    }
    assert!(found(&mut index, "!!!").is_empty(), "signs are not everything");
    let beyond = format!("{}hash", " ".repeat(QUESTION_MAX_CHARS));
    assert!(found(&mut index, &beyond).is_empty(), "what is beyond the bound is not looked at");
    let many = format!("{} zzzz", "graphics ".repeat(QUESTION_MAX_WORDS));
    assert!(found(&mut index, &many).contains(&"qr".to_owned()));
}

#[test]
fn saved_index_answers_as_before() {
    let mut before = index(shelf());
    before.remove(&["uuid".to_owned()]);
    before.update(vec![document("late", "Latecomer", "", "came after the base")]);
    let mut after = SearchIndex::load(&before.save().unwrap()).unwrap();
    assert_eq!(after.len(), before.len());
    for text in ["hash", "late", "latecomer", "uuid", "pixel", ""] {
        assert_eq!(found(&mut after, text), found(&mut before, text), "{text}");
    }
    after.merge().unwrap();
    let again = SearchIndex::load(&after.save().unwrap()).unwrap();
    assert_eq!((again.len(), again.waiting()), (after.len(), 0));
}

#[test]
fn damaged_index_is_rejected() {
    let bytes = index(shelf()).save().unwrap();
    assert!(SearchIndex::load(&bytes).is_ok());
    // The first ones, then many places.
    let step = bytes.len() / 400 + 1;
    for place in (0..100).chain((0..bytes.len()).step_by(step)).chain([bytes.len() - 1]) {
        let mut damaged = bytes.clone();
        damaged[place] ^= 1 << (place % 8);
        assert_eq!(SearchIndex::load(&damaged).err(), Some(NotAnIndex::Checksum), "byte {place}");
    }
    for length in [0, 1, 31, 32, 33, bytes.len() / 2, bytes.len() - 1] {
        assert!(SearchIndex::load(&bytes[..length]).is_err(), "{length} bytes");
    }
}
