//! How people are called where there is room for one name, and which of their links may be opened.

use gen_registry_api::{Author, OnlineUser};

use super::text::shorten_did;

/// A username as it is drawn wherever it names a person: with an at sign, which no display name gets.
pub fn format_username(username: &str) -> String {
    format!("@{username}")
}

/// The username, else the display name with the identity behind it, else the identity. Anybody can take any display name, so
/// it never stands where a username stands.
pub fn format_person(username: Option<&str>, display_name: Option<&str>, did: &str) -> String {
    match (username, display_name) {
        (Some(username), _) => format_username(username),
        (None, Some(name)) => format!("“{name}” ({})", shorten_did(did)),
        (None, None) => shorten_did(did),
    }
}

/// Somebody who is online.
pub fn format_user(user: &OnlineUser) -> String {
    format_person(user.person.username.as_deref(), user.person.display_name.as_deref(), &user.person.did)
}

/// Names a person by username if known, else by identity.
pub fn format_holder(username: Option<&str>, did: &str) -> String {
    format_person(username, None, did)
}

/// The author of a module, a release or a notice.
pub fn format_author(author: &Author) -> String {
    format_holder(author.username.as_deref(), &author.did)
}

/// Only addresses that a browser opens as pages or mail become links; a peer may have written anything.
const OPENABLE: [&str; 3] = ["https://", "http://", "mailto:"];

/// Whether an address may become a link.
pub fn is_openable(link: &str) -> bool {
    OPENABLE.iter().any(|scheme| link.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_name_is_taken() {
        let did = "did:gen:z7v1haXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK";
        assert_eq!(format_person(Some("bob"), Some("Bob B."), did), "@bob");
        assert_eq!(
            format_person(None, Some("@bob"), did),
            "“@bob” (did:gen:z7v1haXg…ta2doK)",
            "no name takes its place"
        );
        assert_eq!(format_person(None, Some("bob"), did), "“bob” (did:gen:z7v1haXg…ta2doK)");
        assert_eq!(format_person(None, None, did), "did:gen:z7v1haXg…ta2doK");
        assert_eq!(format_author(&Author { did: did.to_owned(), username: Some("żółw".to_owned()) }), "@żółw");
        assert_eq!(format_author(&Author { did: "did:gen:z1".to_owned(), username: None }), "did:gen:z1");
    }

    #[test]
    fn only_pages_and_mail_are_opened() {
        for link in ["https://example.org", "HTTP://EXAMPLE.ORG", "mailto:a@example.org"] {
            assert!(is_openable(link), "{link}");
        }
        for link in ["", "javascript:alert(1)", "data:text/html,x", " https://x", "https:/x", "ftp://x", "hüttps://x"]
        {
            assert!(!is_openable(link), "{link}");
        }
    }
}
