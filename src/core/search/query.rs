//! The fields of the index, and how a text becomes a query over them.
//!
//! A word that is written as in the document counts more than one that only begins so, and that more than one that is
//! misspelt; a module's name counts more than its title, that more than its tags, and those more than the description.

use tantivy::query::{
    BooleanQuery, BoostQuery, ConstScoreQuery, DisjunctionMaxQuery, FuzzyTermQuery, Occur, Query, TermQuery,
};
use tantivy::schema::{Field, IndexRecordOption, Schema, TextFieldIndexing, TextOptions};
use tantivy::tokenizer::{AsciiFoldingFilter, LowerCaser, RemoveLongFilter, SimpleTokenizer, TextAnalyzer};
use tantivy::{Score, Term};

use crate::search::{QUESTION_MAX_CHARS, QUESTION_MAX_WORDS};

/// The name under which the tokenizer is known.
pub(super) const WORDS: &str = "words";
/// Longer ones are no words; they are not indexed and not looked for.
const WORD_MAX_BYTES: usize = 64;
/// In shorter words any slip makes another word.
const FUZZY_MIN_CHARS: usize = 4;
const FUZZY_DISTANCE: u8 = 1;

/// The field a word occurs in, in the order of the fields' numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum In {
    Name,
    Title,
    Tags,
    Description,
    Exports,
    Imports,
    Owner,
    /// The name as one word.
    Whole,
}

pub(super) const FIELDS: [In; 8] =
    [In::Name, In::Title, In::Tags, In::Description, In::Exports, In::Imports, In::Owner, In::Whole];

/// Misspellings are looked for here only: elsewhere stand names of programs.
const FUZZY_IN: [In; 4] = [In::Name, In::Title, In::Tags, In::Description];

/// The score of an exact match…
const EXACT: Score = 1.0;
/// … of which so much more for a rare word (BM25)…
const RARITY: Score = 0.3;
/// … what one counts that begins so, and one that is nearly so.
const BEGINS: Score = 0.4;
const MISSPELT: Score = 0.04;
/// What a match in a second field adds.
const ELSEWHERE_TOO: Score = 0.2;
/// What it counts when the question is the module's name.
const IS_THE_NAME: Score = 20.0;

/// How much is forgiven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leniency {
    /// Every word must be there; the last one may be unfinished.
    AsWritten,
    /// Every word must be there, or one like it.
    Misspelt,
    /// One of the words is enough.
    AnyWord,
}

impl In {
    pub(super) fn number(self) -> Field {
        Field::from_field_id(self as u32)
    }

    fn weight(self) -> Score {
        match self {
            Self::Name | Self::Whole => 10.0,
            Self::Title => 4.0,
            Self::Tags => 3.0,
            Self::Exports => 2.0,
            Self::Owner => 1.5,
            Self::Description => 1.0,
            Self::Imports => 0.6,
        }
    }
}

pub(super) fn schema() -> Schema {
    let mut builder = Schema::builder();
    let text = |record| {
        TextOptions::default()
            .set_indexing_options(TextFieldIndexing::default().set_tokenizer(WORDS).set_index_option(record))
    };
    for field in FIELDS {
        let name = format!("{field:?}").to_lowercase();
        let record = if field == In::Whole { IndexRecordOption::Basic } else { IndexRecordOption::WithFreqs };
        builder.add_text_field(&name, text(record));
    }
    builder.build()
}

/// Words as they are indexed: lower case, Latin letters without their marks.
pub(super) fn analyzer() -> TextAnalyzer {
    TextAnalyzer::builder(SimpleTokenizer::default())
        .filter(RemoveLongFilter::limit(WORD_MAX_BYTES))
        .filter(LowerCaser)
        .filter(AsciiFoldingFilter)
        .build()
}

/// The words of a question, within its bounds.
pub(super) fn words_of(text: &str) -> Vec<String> {
    let text: String = text.chars().take(QUESTION_MAX_CHARS).collect();
    let mut analyzer = analyzer();
    let mut tokens = analyzer.token_stream(&text);
    let mut words = Vec::new();
    while words.len() < QUESTION_MAX_WORDS && tokens.advance() {
        words.push(tokens.token().text.clone());
    }
    words
}

/// A name without what joins its parts.
pub(super) fn joined(name: &str) -> String {
    name.chars().filter(|letter| letter.is_alphanumeric()).collect()
}

pub(super) fn query(words: &[String], leniency: Leniency) -> BooleanQuery {
    let occur = if leniency == Leniency::AnyWord { Occur::Should } else { Occur::Must };
    let last = words.len().saturating_sub(1);
    let each = words.iter().enumerate().map(|(nth, word)| (occur, word_query(word, nth == last, leniency)));
    let all: Box<dyn Query> = Box::new(BooleanQuery::new(each.collect()));
    let whole = term(In::Whole, &words.concat());
    let is_name: Box<dyn Query> =
        Box::new(ConstScoreQuery::new(Box::new(TermQuery::new(whole, IndexRecordOption::Basic)), IS_THE_NAME));
    BooleanQuery::new(vec![(Occur::Should, all), (Occur::Should, is_name)])
}

/// In whichever field it counts most.
fn word_query(word: &str, last: bool, leniency: Leniency) -> Box<dyn Query> {
    let fields = FIELDS.iter().filter(|field| **field != In::Whole);
    let each = fields.map(|field| field_query(*field, word, last, leniency)).collect();
    Box::new(DisjunctionMaxQuery::with_tie_breaker(each, ELSEWHERE_TOO))
}

/// What is exact also begins so, and what begins so is also nearly so: the counts add up.
fn field_query(field: In, word: &str, last: bool, leniency: Leniency) -> Box<dyn Query> {
    let weight = field.weight();
    let exactly = TermQuery::new(term(field, word), IndexRecordOption::WithFreqs);
    let mut kinds: Vec<Box<dyn Query>> = vec![
        Box::new(ConstScoreQuery::new(Box::new(exactly.clone()), EXACT * weight)),
        Box::new(BoostQuery::new(Box::new(exactly), RARITY * weight)),
    ];
    if last {
        let begins = FuzzyTermQuery::new_prefix(term(field, word), 0, true);
        kinds.push(Box::new(ConstScoreQuery::new(Box::new(begins), BEGINS * weight)));
    }
    if leniency != Leniency::AsWritten && FUZZY_IN.contains(&field) && word.chars().count() >= FUZZY_MIN_CHARS {
        let term = term(field, word);
        let nearly = if last {
            FuzzyTermQuery::new_prefix(term, FUZZY_DISTANCE, true)
        } else {
            FuzzyTermQuery::new(term, FUZZY_DISTANCE, true)
        };
        kinds.push(Box::new(ConstScoreQuery::new(Box::new(nearly), MISSPELT * weight)));
    }
    Box::new(BooleanQuery::new(kinds.into_iter().map(|kind| (Occur::Should, kind)).collect()))
}

fn term(field: In, word: &str) -> Term {
    Term::from_field_text(field.number(), word)
}
