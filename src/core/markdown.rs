//! Markdown to HTML. HTML in the text is escaped and pictures become links, so nothing runs or is fetched because of
//! what somebody wrote.
//!
//! - A readme is a stranger's text: formatting and links to the web, nothing else.
//! - A guide is this program's own text: its headings can be linked to, and it links to other guides.

use std::collections::BTreeMap;

use pulldown_cmark::{Alignment, CowStr, Event, HeadingLevel, LinkType, Options, Parser, Tag, TagEnd, html};

use crate::guide::{GuidePage, GuideSection, RenderedGuide};

/// The most characters of a readme that are rendered; the rest is cut off.
const MARKDOWN_MAX_CHARS: usize = 100_000;

/// Renders a readme as HTML that is safe to insert into a page. Headings are lowered by two levels, because the page
/// has its own above; links that do not lead to the web become `#`.
pub fn to_html(text: &str) -> String {
    let end = text.char_indices().nth(MARKDOWN_MAX_CHARS).map_or(text.len(), |(at, _)| at);
    let events = events(&text[..end]).map(|event| match event {
        // The page has its own headings above.
        Event::Start(Tag::Heading { level, .. }) => heading(lower(level), None),
        Event::End(TagEnd::Heading(level)) => Event::End(TagEnd::Heading(lower(level))),
        Event::Start(Tag::Link { link_type, dest_url, title, .. } | Tag::Image { link_type, dest_url, title, .. }) => {
            let dest_url = web_link(&dest_url).map_or(CowStr::Borrowed("#"), CowStr::from);
            Event::Start(Tag::Link { link_type, dest_url, title, id: CowStr::Borrowed("") })
        }
        Event::End(TagEnd::Image) => Event::End(TagEnd::Link),
        other => other,
    });
    // The router follows links of this page; these leave it.
    written(events)
        .replace("<a href=\"http", "<a rel=\"external noreferrer nofollow ugc\" target=\"_blank\" href=\"http")
}

/// Renders the text of a guide. Headings keep their levels and get ids; links to other guides lead to them in the app.
/// Links that lead neither there nor to the web are dropped, and their text stays. The first heading is left out if it
/// is of level 1: it is the page's title.
pub fn guide_to_html(page: GuidePage, text: &str) -> RenderedGuide {
    let mut ids = BTreeMap::new();
    let mut sections = Vec::new();
    let mut rendered = Vec::new();
    // For each link that is open, whether it is one.
    let mut links = Vec::new();
    let mut events = events(text).peekable();
    if let Some(Event::Start(Tag::Heading { level: HeadingLevel::H1, .. })) = events.peek() {
        let inside = events.by_ref().take_while(|event| !matches!(event, Event::End(TagEnd::Heading(_))));
        let title: String = inside.filter_map(|event| text_of(&event).map(str::to_owned)).collect();
        // Its id is taken in the file, although the page draws this heading itself.
        unique(slug(&title), &mut ids);
    }
    while let Some(event) = events.next() {
        match event {
            Event::Start(Tag::Heading { level, .. }) => {
                let is_text = |event: &Event<'_>| !matches!(event, Event::End(TagEnd::Heading(_)));
                let inside: Vec<Event<'_>> = events.by_ref().take_while(is_text).collect();
                let title: String = inside.iter().filter_map(text_of).collect();
                let id = unique(slug(&title), &mut ids);
                rendered.push(heading(level, Some(id.clone())));
                rendered.extend(inside.into_iter().filter(|event| !is_link(event)));
                rendered.push(Event::End(TagEnd::Heading(level)));
                if level == HeadingLevel::H2 {
                    sections.push(GuideSection { id, title });
                }
            }
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                let target = guide_link(page, &dest_url);
                links.push(target.is_some());
                rendered.extend(target.map(|target| {
                    let (title, id) = (CowStr::Borrowed(""), CowStr::Borrowed(""));
                    Event::Start(Tag::Link { link_type: LinkType::Inline, dest_url: target.into(), title, id })
                }));
            }
            Event::End(TagEnd::Link | TagEnd::Image) => {
                rendered.extend(links.pop().unwrap_or(false).then_some(Event::End(TagEnd::Link)));
            }
            // Wide ones are scrolled, by the keyboard too.
            Event::Start(Tag::Table(columns)) => {
                rendered.push(Event::Html("<div class=\"guide-table\" tabindex=\"0\">".into()));
                rendered.push(Event::Start(Tag::Table(columns)));
            }
            Event::End(TagEnd::Table) => {
                rendered.push(Event::End(TagEnd::Table));
                rendered.push(Event::Html("</div>\n".into()));
            }
            other => rendered.push(other),
        }
    }
    // In the text itself every `<` is escaped.
    let html = written(rendered.into_iter())
        .replace("<pre><code", "<pre tabindex=\"0\"><code")
        .replace("<a href=\"http", "<a rel=\"external noreferrer\" target=\"_blank\" href=\"http");
    RenderedGuide { html, sections }
}

/// The ids of all headings in order, as GitHub makes them, the first heading's too.
pub fn heading_ids(text: &str) -> Vec<String> {
    let mut ids = BTreeMap::new();
    let mut found = Vec::new();
    let mut title: Option<String> = None;
    for event in events(text) {
        match event {
            Event::Start(Tag::Heading { .. }) => title = Some(String::new()),
            Event::End(TagEnd::Heading(_)) => found.extend(title.take().map(|title| unique(slug(&title), &mut ids))),
            other => {
                if let (Some(title), Some(text)) = (&mut title, text_of(&other)) {
                    title.push_str(text);
                }
            }
        }
    }
    found
}

/// The target of every link and picture of a text.
pub fn link_targets(text: &str) -> Vec<String> {
    let target = |event| match event {
        Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => Some(dest_url.into_string()),
        _ => None,
    };
    events(text).filter_map(target).collect()
}

/// The Markdown events of a text, with HTML as plain text. Table columns lose their alignment: it would take a style,
/// which the page's content security policy refuses.
fn events(text: &str) -> impl Iterator<Item = Event<'_>> {
    Parser::new_ext(text, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH).map(|event| match event {
        Event::Html(html) | Event::InlineHtml(html) => Event::Text(html),
        Event::Start(Tag::Table(columns)) => Event::Start(Tag::Table(vec![Alignment::None; columns.len()])),
        other => other,
    })
}

/// Writes events as HTML.
fn written<'a>(events: impl Iterator<Item = Event<'a>>) -> String {
    let mut written = String::new();
    html::push_html(&mut written, events);
    written
}

fn heading<'a>(level: HeadingLevel, id: Option<String>) -> Event<'a> {
    Event::Start(Tag::Heading { level, id: id.map(CowStr::from), classes: Vec::new(), attrs: Vec::new() })
}

/// The text of an event inside a heading.
fn text_of<'a>(event: &'a Event<'_>) -> Option<&'a str> {
    match event {
        Event::Text(text) | Event::Code(text) => Some(text),
        Event::SoftBreak | Event::HardBreak => Some(" "),
        _ => None,
    }
}

fn is_link(event: &Event<'_>) -> bool {
    matches!(event, Event::Start(Tag::Link { .. } | Tag::Image { .. }) | Event::End(TagEnd::Link | TagEnd::Image))
}

/// A heading's id: lower case, hyphens for spaces, and only letters, digits, `-` and `_`.
fn slug(title: &str) -> String {
    let kept = |letter: &char| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_');
    title.to_lowercase().chars().filter(kept).map(|letter| if letter == ' ' { '-' } else { letter }).collect()
}

/// Makes an id unique on its page by `-1`, `-2`, …
fn unique(slug: String, taken: &mut BTreeMap<String, usize>) -> String {
    let times = taken.entry(slug.clone()).or_default();
    *times += 1;
    if *times == 1 { slug } else { format!("{slug}-{}", *times - 1) }
}

/// Where a guide's link leads, or `None` if a guide may not lead there.
fn guide_link(page: GuidePage, link: &str) -> Option<String> {
    if let Some(link) = web_link(link) {
        return Some(link);
    }
    let (file, part) = link.split_once('#').map_or((link, None), |(file, part)| (file, Some(part)));
    let page = if file.is_empty() { page } else { GuidePage::find(file.strip_suffix(".md")?)? };
    let part = part.map(|part| format!("#{part}")).unwrap_or_default();
    Some(format!("{}{part}", page.path()))
}

/// Returns a link of the scheme `http` or `https`, with the scheme in lower case: by how it begins it is known that it leaves
/// the page.
fn web_link(link: &str) -> Option<String> {
    let (scheme, rest) = link.trim().split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    matches!(scheme.as_str(), "http" | "https").then(|| format!("{scheme}://{rest}"))
}

/// A heading's level, two lower.
fn lower(level: HeadingLevel) -> HeadingLevel {
    use HeadingLevel::*;
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
    fn keeps_formatting_and_escapes_all_else() {
        for (text, html) in [
            ("# Adds *two*", "<h3>Adds <em>two</em></h3>\n"),
            ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
            ("a <b onclick=x>b", "<p>a &lt;b onclick=x&gt;b</p>\n"),
            (
                "[far](https://example.org)",
                "<p><a rel=\"external noreferrer nofollow ugc\" target=\"_blank\" href=\"https://example.org\">far</a></p>\n",
            ),
            (
                "[far](HTTPS://example.org/A)",
                "<p><a rel=\"external noreferrer nofollow ugc\" target=\"_blank\" href=\"https://example.org/A\">far</a></p>\n",
            ),
            ("[bad](javascript:alert(1))", "<p><a href=\"#\">bad</a></p>\n"),
            ("[bad](javascript://alert(1))", "<p><a href=\"#\">bad</a></p>\n"),
            (
                "![picture](http://example.org/a.png)",
                "<p><a rel=\"external noreferrer nofollow ugc\" target=\"_blank\" href=\"http://example.org/a.png\">picture</a></p>\n",
            ),
        ] {
            assert_eq!(to_html(text), html, "{text}");
        }
        assert_eq!(to_html(&"é".repeat(100_001)).matches('é').count(), 100_000);
    }

    fn guide(text: &str) -> RenderedGuide {
        guide_to_html(GuidePage::find("operating").unwrap(), text)
    }

    #[test]
    fn guide_headings_keep_their_levels_and_get_unique_ids() {
        let RenderedGuide { html, sections } = guide("# One\n\n## Lost `keys`\n\n### One\n\n## Lost keys\n");
        assert_eq!(
            html,
            "<h2 id=\"lost-keys\">Lost <code>keys</code></h2>\n<h3 id=\"one-1\">One</h3>\n<h2 id=\"lost-keys-1\">Lost keys</h2>\n"
        );
        let section = |id: &str| GuideSection { id: id.to_owned(), title: "Lost keys".to_owned() };
        assert_eq!(sections, [section("lost-keys"), section("lost-keys-1")]);
        assert_eq!(heading_ids("# A & B: `/c.d`\n\n## A_b-c\n\n## [x](y)"), ["a--b-cd", "a_b-c", "x"]);
        assert_eq!(guide("text first\n\n# Late").html, "<p>text first</p>\n<h1 id=\"late\">Late</h1>\n");
    }

    #[test]
    fn guide_links_lead_to_guides_and_to_the_web_only() {
        for (link, html) in [
            ("[a](protocols.md)", "<p><a href=\"/guide/protocols\">a</a></p>\n"),
            ("[a](protocols.md#names)", "<p><a href=\"/guide/protocols#names\">a</a></p>\n"),
            ("[a](index.md)", "<p><a href=\"/guide\">a</a></p>\n"),
            ("[a](#metrics)", "<p><a href=\"/guide/operating#metrics\">a</a></p>\n"),
            (
                "[a](https://example.org)",
                "<p><a rel=\"external noreferrer\" target=\"_blank\" href=\"https://example.org\">a</a></p>\n",
            ),
            ("[a *b*](../../README.md)", "<p>a <em>b</em></p>\n"),
            ("[a](nothing.md)", "<p>a</p>\n"),
            ("[a](protocols)", "<p>a</p>\n"),
            ("[a](javascript:alert(1))", "<p>a</p>\n"),
            ("[![a](x.png)](protocols.md)", "<p><a href=\"/guide/protocols\">a</a></p>\n"),
        ] {
            assert_eq!(guide(link).html, html, "{link}");
        }
    }

    #[test]
    fn guide_text_is_escaped_and_wide_parts_can_be_scrolled() {
        assert_eq!(guide("<img src=x>").html, "&lt;img src=x&gt;");
        let code = guide("```js\na < \"<pre><code\"\n```").html;
        assert_eq!(
            code,
            "<pre tabindex=\"0\"><code class=\"language-js\">a &lt; \"&lt;pre&gt;&lt;code\"\n</code></pre>\n"
        );
        let table = guide("| a |\n|--:|\n| 1 |").html;
        assert!(table.starts_with("<div class=\"guide-table\" tabindex=\"0\"><table>"), "{table}");
        assert!(table.ends_with("</table>\n</div>\n") && !table.contains("style"), "{table}");
        assert!(!to_html("| a |\n|--:|\n| 1 |").contains("style"), "the page's policy refuses styles");
    }
}
