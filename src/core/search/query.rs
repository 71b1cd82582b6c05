//! The fields of the index, and how a text becomes a query over them.
//!
//! The score of a word in one field is the field's weight times the sum of what applies: 1 and 0.3 times the BM25 score
//! for an exact match, 0.4 for a word that begins so, 0.04 for one with a typing error. Of the fields the best one
//! counts, and each of the others adds a fifth of its score. So for the question `png`, a module of that name gets more
//! than 10 × 1.4, and 20 more because the question is its whole name; a module that mentions PNG in its description gets
//! more than 1.4.

use tantivy::query::{
    BooleanQuery, BoostQuery, ConstScoreQuery, DisjunctionMaxQuery, FuzzyTermQuery, Occur, Query, TermQuery,
};
use tantivy::schema::{Field, IndexRecordOption, Schema, TextFieldIndexing, TextOptions};
use tantivy::tokenizer::{AsciiFoldingFilter, LowerCaser, RemoveLongFilter, SimpleTokenizer, TextAnalyzer};
use tantivy::{Score, Term};

use crate::search::{QUESTION_MAX_CHARS, QUESTION_MAX_WORDS};

/// The name under which the tokenizer is registered.
pub(super) const WORDS: &str = "words";
/// Longer words are neither indexed nor looked up.
const WORD_MAX_BYTES: usize = 64;
/// In shorter words one typing error makes another word.
const FUZZY_MIN_CHARS: usize = 4;
/// Typing errors allowed in a word (Damerau-Levenshtein distance).
const FUZZY_DISTANCE: u8 = 1;

/// A field of the index; its number is that of the Tantivy field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum In {
    Name,
    Title,
    Tags,
    Description,
    Exports,
    Imports,
    Owner,
    /// The name as one word without separators.
    Whole,
}

/// All fields, in the order of their numbers.
pub(super) const FIELDS: [In; 8] =
    [In::Name, In::Title, In::Tags, In::Description, In::Exports, In::Imports, In::Owner, In::Whole];

/// Fields where typing errors are looked for. The others hold names of programs, not words.
const FUZZY_IN: [In; 4] = [In::Name, In::Title, In::Tags, In::Description];

/// The score of an exact match…
const EXACT: Score = 1.0;
/// … what the BM25 score of that match is multiplied by before it is added…
const RARITY: Score = 0.3;
/// … what a word counts that begins so…
const BEGINS: Score = 0.4;
/// … and one that is one error away.
const MISSPELT: Score = 0.04;
/// The part of a score that counts in every field but the best one.
const ELSEWHERE_TOO: Score = 0.2;
/// The score added if the question is the module's name.
const IS_THE_NAME: Score = 20.0;

/// How exact a match must be.
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

    /// How much a match in this field counts.
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

/// The schema: one text field for each of [`FIELDS`].
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

/// The tokenizer for texts and questions: words in lower case, Latin letters without their marks.
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

/// A name without its separators.
pub(super) fn joined(name: &str) -> String {
    name.chars().filter(|letter| letter.is_alphanumeric()).collect()
}

/// The query for all words of a question.
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

/// The query for one word in all fields, of which the best counts. `last`: the word may be unfinished.
fn word_query(word: &str, last: bool, leniency: Leniency) -> Box<dyn Query> {
    let fields = FIELDS.iter().filter(|field| **field != In::Whole);
    let each = fields.map(|field| field_query(*field, word, last, leniency)).collect();
    Box::new(DisjunctionMaxQuery::with_tie_breaker(each, ELSEWHERE_TOO))
}

/// The query for one word in one field. An exact match also begins so and is also similar, so the scores add up.
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
