//! What is written is read again, and nothing else is.

use super::*;
use crate::random::Random;

fn question() -> Question {
    Question {
        text: "draws vector grap".to_owned(),
        tag: Some("svg".to_owned()),
        owner: Some(Did::from_digest(Digest::from_bytes([7; 32]))),
        function: Some("run".to_owned()),
        imports_nothing: true,
        order: Order::Popular,
        limit: 5,
    }
}

fn found(name: &str) -> Found {
    let text = UnverifiedText {
        title: "Vector pictures".to_owned(),
        description: "Draws vector graphics into pixels".to_owned(),
        tags: ["graphics", "svg"].map(str::to_owned).into(),
    };
    Found { name: name.parse().unwrap(), proof: vec![3; 2_000], text }
}

fn answer(names: &[&str]) -> Answer {
    let mut answer = Answer::default();
    names.iter().for_each(|name| assert!(answer.push(found(name))));
    answer
}

/// The largest module that an answer may have.
fn largest(name: &str) -> Found {
    let tag = |nth: usize| format!("{nth}{}", "\u{10348}".repeat(TAG_MAX_CHARS - 1));
    let text = UnverifiedText {
        title: "\u{10348}".repeat(TITLE_MAX_CHARS),
        description: "\u{10348}".repeat(DESCRIPTION_MAX_CHARS),
        tags: (0..TAGS_MAX).map(tag).collect(),
    };
    Found { name: name.parse().unwrap(), proof: vec![1; RECORD_MAX_BYTES], text }
}

#[test]
fn questions_and_answers_round_trip_and_no_other_bytes_decode() {
    let questions = [question(), Question { limit: 1, ..Question::default() }];
    for question in questions {
        let bytes = question.encode();
        assert_eq!(Question::decode(&bytes), Ok(question));
        assert!((0..bytes.len()).all(|cut| Question::decode(&bytes[..cut]).is_err()));
        assert_eq!(Question::decode(&[&bytes[..], &[0]].concat()), Err(DecodeError::LeftOver));
    }
    for answer in [Answer::default(), answer(&["svg-renderer"]), answer(&["svg-renderer", "crc32"])] {
        let bytes = answer.encode();
        assert_eq!(Answer::decode(&bytes).as_ref(), Ok(&answer));
        assert!((0..bytes.len()).all(|cut| Answer::decode(&bytes[..cut]).is_err()));
        assert_eq!(Answer::decode(&[&bytes[..], &[0]].concat()), Err(DecodeError::LeftOver));
    }
}

#[test]
fn questions_are_within_their_limits() {
    let text = |chars: usize| "\u{10348}".repeat(chars);
    let longest = |more: usize| Question {
        text: text(QUESTION_MAX_CHARS + more),
        tag: Some(text(TAG_MAX_CHARS + more)),
        function: Some(text(FUNCTION_MAX_CHARS + more)),
        limit: FOUND_MAX as u8,
        ..question()
    };
    let bytes = longest(0).encode();
    assert!(bytes.len() <= QUESTION_MAX_BYTES);
    assert_eq!(Question::decode(&bytes), Ok(longest(0)));
    assert_eq!(longest(1).cut(), longest(0));
    let beyond = [
        Question { text: text(QUESTION_MAX_CHARS + 1), ..question() },
        Question { tag: Some(text(TAG_MAX_CHARS + 1)), ..question() },
        Question { function: Some(text(FUNCTION_MAX_CHARS + 1)), ..question() },
        Question { limit: 0, ..question() },
        Question { limit: FOUND_MAX as u8 + 1, ..question() },
    ];
    for question in beyond {
        assert_eq!(Question::decode(&question.encode()), Err(DecodeError::OutOfRange), "{question:?}");
        assert!(Question::decode(&question.clone().cut().encode()).is_ok());
    }
    assert_eq!(Question::decode(&vec![VERSION; QUESTION_MAX_BYTES + 1]), Err(DecodeError::OutOfRange));
    let other_version = [&[VERSION + 1], &question().encode()[1..]].concat();
    assert_eq!(Question::decode(&other_version), Err(DecodeError::UnknownKind(VERSION + 1)));
}

#[test]
fn answers_are_within_their_limits() {
    // As many of the largest as there is room for, and a small one may still follow.
    let mut answer = Answer::default();
    let names = (0..FOUND_MAX).map(|nth| format!("large-{nth}"));
    let taken = names.filter(|name| answer.push(largest(name))).count();
    assert!((1..FOUND_MAX).contains(&taken));
    assert!(answer.encode().len() <= ANSWER_MAX_BYTES);
    assert_eq!(Answer::decode(&answer.encode()), Ok(answer.clone()));
    assert!(!answer.push(largest("one-more")));
    // As many small ones as an answer has.
    let small = |nth: usize| Found { proof: vec![], ..found(&format!("small-{nth}")) };
    let mut answer = Answer::default();
    assert!((0..FOUND_MAX).all(|nth| answer.push(small(nth))));
    assert!(!answer.push(small(FOUND_MAX)));
    let mut one_more = answer.clone();
    one_more.0.push(small(FOUND_MAX));
    for refused in [
        one_more,
        Answer(vec![found("crc-32"), found("CRC_32")]),
        Answer(vec![Found { proof: vec![0; RECORD_MAX_BYTES + 1], ..found("crc32") }]),
        Answer(vec![with(UnverifiedText { title: "x".repeat(TITLE_MAX_CHARS + 1), ..UnverifiedText::default() })]),
        Answer(vec![with(UnverifiedText {
            description: "x".repeat(DESCRIPTION_MAX_CHARS + 1),
            ..UnverifiedText::default()
        })]),
        Answer(vec![with(UnverifiedText {
            tags: ["x".repeat(TAG_MAX_CHARS + 1)].into(),
            ..UnverifiedText::default()
        })]),
        Answer(vec![with(UnverifiedText { tags: [String::new()].into(), ..UnverifiedText::default() })]),
        Answer(vec![with(UnverifiedText {
            tags: (0..=TAGS_MAX).map(|n| n.to_string()).collect(),
            ..UnverifiedText::default()
        })]),
    ] {
        assert_eq!(Answer::decode(&refused.encode()), Err(DecodeError::OutOfRange), "{:?}", refused.found().len());
    }
    assert_eq!(Answer::decode(&vec![VERSION; ANSWER_MAX_BYTES + 1]), Err(DecodeError::OutOfRange));
}

fn with(text: UnverifiedText) -> Found {
    Found { text, ..found("crc32") }
}

#[test]
fn two_modules_of_one_folded_name_are_not_pushed() {
    let mut answer = answer(&["crc-32"]);
    assert!(!answer.push(found("CRC_32")));
    assert_eq!(answer.found().len(), 1);
}

#[test]
fn damaged_bytes_are_refused_or_are_another_value() {
    let mut random = Random::new(5);
    let (asked, answered) = (question().encode(), answer(&["svg-renderer", "crc32"]).encode());
    for _ in 0..20_000 {
        let mut bytes = if random.below(2) == 0 { asked.clone() } else { answered.clone() };
        for _ in 0..=random.below(3) {
            let place = random.below(bytes.len() as u64) as usize;
            bytes[place] = random.number() as u8;
        }
        bytes.truncate(random.below(bytes.len() as u64 + 1) as usize);
        // What is read has one encoding.
        if let Ok(question) = Question::decode(&bytes) {
            assert_eq!(question.encode(), bytes);
        }
        if let Ok(answer) = Answer::decode(&bytes) {
            assert_eq!(answer.encode(), bytes);
        }
    }
}
