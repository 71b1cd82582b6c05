//! The network's name, and the words that people write down.

use std::fmt;

use bip39::{Language, Mnemonic};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::digest::{Digest, bytes_from_hex};

/// Words in a recovery phrase: 256 bits of entropy and 8 of checksum (BIP 39).
pub const RECOVERY_WORDS: usize = 24;

/// The 32 bytes that name one network (its "topic").
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Topic([u8; 32]);

/// Why some words are no recovery phrase. Positions count from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PhraseError {
    #[error("a recovery phrase has {RECOVERY_WORDS} words; this has {0}")]
    WordCount(usize),
    #[error("word {0} is not in the word list")]
    UnknownWord(usize),
    #[error("the words don't belong together: one is wrong or two have changed places")]
    Checksum,
}

/// The words of a phrase in lower case: every run of letters that is no ordinal's ending (`1st`). Characters that are
/// drawn as nothing do not end a word.
fn read_words(phrase: &str) -> Vec<String> {
    let is_nothing =
        |c: &char| matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}' | '\u{feff}');
    let visible: Zeroizing<String> = Zeroizing::new(phrase.chars().filter(|c| !is_nothing(c)).collect());
    let mut words = Vec::new();
    for token in visible.split(|c: char| !c.is_alphanumeric()) {
        let word = token.trim_start_matches(|c: char| c.is_numeric());
        let is_ordinal = word.len() < token.len() && ["st", "nd", "rd", "th"].contains(&word);
        if !word.is_empty() && !is_ordinal {
            words.push(word.to_lowercase());
        }
    }
    words
}

/// Returns the 32 bytes that 24 words stand for (BIP 39).
pub(crate) fn words_to_entropy(phrase: &str) -> Result<Zeroizing<[u8; 32]>, PhraseError> {
    let words = Zeroizing::new(read_words(phrase));
    if words.len() != RECOVERY_WORDS {
        return Err(PhraseError::WordCount(words.len()));
    }
    if let Some(at) = words.iter().position(|word| Language::English.find_word(word).is_none()) {
        return Err(PhraseError::UnknownWord(at + 1));
    }
    let mnemonic =
        Mnemonic::parse_in_normalized(Language::English, &words.join(" ")).map_err(|_| PhraseError::Checksum)?;
    let (bytes, _) = mnemonic.to_entropy_array();
    let bytes = Zeroizing::new(bytes);
    let mut entropy = Zeroizing::new([0; 32]);
    entropy.copy_from_slice(&bytes[..32]);
    Ok(entropy)
}

impl Topic {
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Digest::from_bytes(self.0))
    }
}

impl TryFrom<String> for Topic {
    type Error = crate::digest::DigestError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        bytes_from_hex(&text).map(Self)
    }
}

impl From<Topic> for String {
    fn from(topic: Topic) -> Self {
        Digest::from_bytes(topic.0).to_string()
    }
}

#[cfg(test)]
mod tests;
