//! What of a text is shown: texts that people write, without the characters that nobody sees.
//!
//! Marks of direction turn the words around them, characters of no width make two names look alike, and control characters
//! have no business in a text. They are taken off when a text is read, whoever wrote it, and not refused when it is
//! written: what others signed is kept as it is.
//!
//! Joiners between visible characters stay: Persian and Indian scripts write with them, and emoji of several persons are
//! joined by them. So do the selectors that say how a character before them is drawn.

use std::borrow::Cow;

use crate::name::is_invisible;

const ZERO_WIDTH_NON_JOINER: char = '\u{200c}';
const ZERO_WIDTH_JOINER: char = '\u{200d}';

/// Returns a text without characters that are not seen. Line breaks and tabs stay.
///
/// ```
/// use gen_registry_core::visible_text::visible;
///
/// assert_eq!(visible("alice\u{202e}nimda\u{200b}"), "alicenimda");
/// assert_eq!(visible("می\u{200c}خواهم"), "می\u{200c}خواهم");
/// ```
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut kept = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let is_after_visible = kept.chars().next_back().is_some_and(|last| !last.is_whitespace() && !is_joiner(last));
        let stays = match character {
            '\n' | '\t' => true,
            ZERO_WIDTH_NON_JOINER | ZERO_WIDTH_JOINER => {
                let is_before_visible =
                    characters.peek().is_some_and(|next| !next.is_whitespace() && !is_hidden(*next));
                is_after_visible && is_before_visible
            }
            '\u{fe00}'..='\u{fe0f}' => is_after_visible,
            character => !is_hidden(character),
        };
        if stays {
            kept.push(character);
        }
    }
    Cow::Owned(kept)
}

fn is_joiner(character: char) -> bool {
    matches!(character, ZERO_WIDTH_NON_JOINER | ZERO_WIDTH_JOINER)
}

/// Whether a character is not seen, or turns or annotates what is around it.
fn is_hidden(character: char) -> bool {
    is_invisible(character) || matches!(character, '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_sees_is_taken_off() {
        for (written, seen) in [
            ("plain, ünïcode — 名", "plain, ünïcode — 名"),
            ("two\nlines\tand a tab", "two\nlines\tand a tab"),
            ("a\u{0}b\u{7f}c\r\n", "abc\n"),
            ("\u{202e}reversed\u{202c}", "reversed"),
            ("\u{2066}isolated\u{2069}", "isolated"),
            ("ali\u{200b}ce\u{feff}", "alice"),
            ("so\u{ad}ft", "soft"),
            ("alice\u{e0041}\u{e007f}", "alice"),
            ("\u{200d}\u{200c}", ""),
            ("a\u{200d}\u{200d}\u{200d}b", "a\u{200d}b"),
            ("a \u{200d} b\u{200d}", "a  b"),
        ] {
            assert_eq!(visible(written), seen, "{written:?}");
            assert_eq!(visible(seen), seen, "nothing is left to be taken off {seen:?}");
        }
    }

    #[test]
    fn what_scripts_and_emoji_are_written_with_stays() {
        for text in ["می\u{200c}خواهم", "क्\u{200d}ष", "👩\u{200d}👩\u{200d}👧", "❤\u{fe0f}", "👩🏽\u{200d}🚀"]
        {
            assert_eq!(visible(text), text);
        }
    }
}
