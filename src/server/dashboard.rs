//! The page for operators beside `/metrics`: the same numbers with what they mean. It needs no script, and loads itself again.

use std::fmt::Write;

use axum::extract::State;
use axum::http::header;
use axum::response::{Html, IntoResponse, Response};

use crate::site::Site;
use crate::status::{self, Part};
use gen_registry_node::VERSION;
use gen_registry_node::net::relay::numbers::Row;

/// Seconds between two loads.
const RELOAD_SECONDS: u32 = 5;
/// Nothing is loaded, and nothing runs; the style is in the page.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const STYLE: &str = "\
:root{color-scheme:light dark;--line:light-dark(#d4d4d8,#3f3f46);--soft:light-dark(#52525b,#a1a1aa);--bad:light-dark(#b91c1c,#f87171)}\
body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:64rem;padding:1.5rem 1rem 3rem}\
h1{font-size:1.4rem;margin:0}h2{font-size:1.1rem;margin:2rem 0 .5rem}p{color:var(--soft);margin:.25rem 0;overflow-wrap:anywhere}\
.tables{display:grid;gap:0 2rem;grid-template-columns:repeat(auto-fit,minmax(min(100%,24rem),1fr));align-items:start}\
table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid var(--line);font-weight:400;padding:.3rem 0;text-align:left;vertical-align:top}\
td{font-variant-numeric:tabular-nums;padding-left:1rem;text-align:right;white-space:nowrap}.bad{color:var(--bad);font-weight:600}.none{color:var(--soft)}";

/// `/` on the listener of the counters.
pub(super) async fn dashboard(State(site): State<Site>) -> Response {
    let headers = [(header::CONTENT_SECURITY_POLICY, POLICY), (header::CACHE_CONTROL, "no-store")];
    (headers, Html(render(&site))).into_response()
}

fn render(site: &Site) -> String {
    site.refresh_counts();
    let mut rows = site.counts.numbers().rows();
    rows.extend(site.relay.as_ref().map(|relay| relay.numbers().rows()).unwrap_or_default());
    let mut page = String::new();
    page.push_str("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">");
    page.push_str("<meta name=\"viewport\" content=\"width=device-width\"><title>Gen Registry server</title>");
    _ = write!(page, "<meta http-equiv=\"refresh\" content=\"{RELOAD_SECONDS}\"><style>{STYLE}</style></head><body>");
    _ = write!(page, "<h1>Gen Registry server {VERSION}</h1>");
    _ = write!(page, "<p>Network {}</p>", String::from(site.network.topic));
    _ = write!(page, "<p>The same numbers for programs: <a href=\"/metrics\">/metrics</a></p>");
    page.push_str("<h2>What runs</h2><table>");
    for (name, part) in status::parts(site) {
        let class = if part == Part::Ended { " class=\"bad\"" } else { "" };
        _ = write!(page, "<tr><th scope=\"row\">{name}</th><td{class}>{}</td></tr>", part.name());
    }
    page.push_str("</table><div class=\"tables\"><div>");
    write_table(&mut page, "Now", rows.iter().filter(|row| row.is_state));
    write_table(&mut page, "Since the start", rows.iter().filter(|row| !row.is_state && !is_refusal(row)));
    page.push_str("</div>");
    write_table(&mut page, "Refused since the start", rows.iter().filter(|row| is_refusal(row)));
    page.push_str("</div></body></html>");
    page
}

/// Whether a number counts what was not done for somebody.
fn is_refusal(row: &Row) -> bool {
    ["refus", "turned_away", "not_served", "cut"].iter().any(|part| row.name.contains(part))
}

fn write_table<'a>(page: &mut String, title: &str, rows: impl Iterator<Item = &'a Row>) {
    _ = write!(page, "<section><h2>{title}</h2><table>");
    for row in rows {
        let class = if row.value == 0 { " class=\"none\"" } else { "" };
        _ = write!(page, "<tr{class}><th scope=\"row\">{}</th><td>{}</td></tr>", row.help, row.value);
    }
    page.push_str("</table></section>");
}
