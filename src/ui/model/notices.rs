//! Notices as sentences.

use gen_registry_api::{Notice, NoticeKind};

use super::people::format_author;

/// One sentence without its end: “@bob released crc32 1.1.0”.
pub fn format_notice(notice: &Notice) -> String {
    let who = format_author(&notice.who);
    let (module, version) = (notice.module.as_deref().unwrap_or("?"), notice.version.as_deref().unwrap_or_default());
    let text = notice.text.as_deref().unwrap_or_default();
    match notice.kind {
        NoticeKind::Release => format!("{who} released {module} {version}"),
        NoticeKind::Yank => format!("{who} withdrew {module} {version}: {text}"),
        NoticeKind::Advisory => format!("{who} advises against {module}: {text}"),
        NoticeKind::Compromised => format!("{module} {version}, installed here, may not be by {who}: remove it"),
        NoticeKind::Username => format!("{who} took the name {text}"),
        NoticeKind::ModuleName => format!("{who} took the module name {module}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gen_registry_api::Author;

    fn notice(kind: NoticeKind) -> Notice {
        Notice {
            id: 1,
            at: 0,
            kind,
            who: Author { did: "did:gen:z1".to_owned(), username: Some("bob".to_owned()) },
            module: Some("crc32".to_owned()),
            version: Some("1.1.0".to_owned()),
            text: Some("żółw".to_owned()),
            read: false,
        }
    }

    #[test]
    fn every_kind_has_its_sentence() {
        for (kind, text) in [
            (NoticeKind::Release, "@bob released crc32 1.1.0"),
            (NoticeKind::Yank, "@bob withdrew crc32 1.1.0: żółw"),
            (NoticeKind::Advisory, "@bob advises against crc32: żółw"),
            (NoticeKind::Compromised, "crc32 1.1.0, installed here, may not be by @bob: remove it"),
            (NoticeKind::Username, "@bob took the name żółw"),
            (NoticeKind::ModuleName, "@bob took the module name crc32"),
        ] {
            assert_eq!(format_notice(&notice(kind)), text);
        }
    }

    #[test]
    fn what_is_missing_leaves_a_sentence() {
        let mut notice = notice(NoticeKind::Release);
        (notice.module, notice.version, notice.text, notice.who.username) = (None, None, None, None);
        assert_eq!(format_notice(&notice), "did:gen:z1 released ? ");
    }
}
