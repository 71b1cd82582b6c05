//! A stranger's Markdown as a page shows it: formatting and links to the web, nothing else. HTML in it stays text, and
//! pictures become links: nothing is fetched because somebody wrote it.

use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html};

/// More is not shown.
const MARKDOWN_MAX_CHARS: usize = 100_000;

/// The text as HTML that may be put into a page as it is.
pub fn to_html(text: &str) -> String {
    let end = text.char_indices().nth(MARKDOWN_MAX_CHARS).map_or(text.len(), |(at, _)| at);
    let parser = Parser::new_ext(&text[..end], Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH);
    let events = parser.map(|event| match event {
        Event::Html(html) | Event::InlineHtml(html) => Event::Text(html),
        // The page has its own headings above.
        Event::Start(Tag::Heading { level, .. }) => {
            let level = lower(level);
            Event::Start(Tag::Heading { level, id: None, classes: Vec::new(), attrs: Vec::new() })
        }
        Event::End(TagEnd::Heading(level)) => Event::End(TagEnd::Heading(lower(level))),
        Event::Start(Tag::Link { link_type, dest_url, title, .. } | Tag::Image { link_type, dest_url, title, .. }) => {
            let dest_url = if leads_to_the_web(&dest_url) { dest_url } else { CowStr::Borrowed("#") };
            Event::Start(Tag::Link { link_type, dest_url, title, id: CowStr::Borrowed("") })
        }
        Event::End(TagEnd::Image) => Event::End(TagEnd::Link),
        other => other,
    });
    let mut written = String::new();
    html::push_html(&mut written, events);
    // The router follows links of this page; these leave it.
    written.replace("<a href=\"http", "<a rel=\"external noreferrer nofollow ugc\" target=\"_blank\" href=\"http")
}

fn leads_to_the_web(link: &str) -> bool {
    let lower = link.trim().to_ascii_lowercase();
    lower.starts_with("https://") || lower.starts_with("http://")
}

fn lower(level: pulldown_cmark::HeadingLevel) -> pulldown_cmark::HeadingLevel {
    use pulldown_cmark::HeadingLevel::*;
    match level {
        H1 => H3,
        H2 => H4,
        H3 => H5,
        H4 | H5 | H6 => H6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formatting_stays_and_nothing_else_does() {
        for (text, html) in [
            ("# Adds *two*", "<h3>Adds <em>two</em></h3>\n"),
            ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
            ("a <b onclick=x>b", "<p>a &lt;b onclick=x&gt;b</p>\n"),
            (
                "[far](https://example.org)",
                "<p><a rel=\"external noreferrer nofollow ugc\" target=\"_blank\" href=\"https://example.org\">far</a></p>\n",
            ),
            ("[bad](javascript:alert(1))", "<p><a href=\"#\">bad</a></p>\n"),
            (
                "![picture](http://example.org/a.png)",
                "<p><a rel=\"external noreferrer nofollow ugc\" target=\"_blank\" href=\"http://example.org/a.png\">picture</a></p>\n",
            ),
        ] {
            assert_eq!(to_html(text), html, "{text}");
        }
        assert_eq!(to_html(&"é".repeat(100_001)).matches('é').count(), 100_000);
    }
}
