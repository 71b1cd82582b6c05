//! Every address of the page: one constant or function for each. No other file spells a path.
//!
//! [`App`](crate) builds the router's table from the same constants, so a link and its route can't part. Names that
//! come from people are percent-encoded here, as `encodeURIComponent` does it.

use gen_registry_api::GuidePage;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::model::module_query::ModuleQuery;
use crate::model::subject::SubjectRef;

/// The first page.
pub const HOME: &str = "/";
/// The three steps in: see [`welcome`].
pub const WELCOME: &str = "/welcome";
/// Everybody known here: see [`people`].
pub const PEOPLE: &str = "/people";
/// Modules, by any filter: see [`modules`].
pub const MODULES: &str = "/modules";
/// What is on this device.
pub const INSTALLED: &str = "/installed";
/// Publishing a module: see [`publish_version`].
pub const PUBLISH: &str = "/publish";
/// The own profile.
pub const ME: &str = "/me";
/// The part of the own profile that changes the name: see [`rename`].
pub const ME_NAME: &str = "/me#rename";
/// All channels.
pub const CHANNELS: &str = "/channels";
/// This device: see [`settings`].
pub const SETTINGS: &str = "/settings";
/// Peers and relays.
pub const NETWORK: &str = "/network";
/// Sums of what this device has seen.
pub const STATISTICS: &str = "/statistics";
/// Notices about what is followed.
pub const NOTICES: &str = "/notices";
/// The guides.
pub const GUIDE: &str = "/guide";
/// Devices and keys.
pub const DEVICES: &str = "/devices";
/// Who and what is blocked or trusted.
pub const BLOCKLIST: &str = "/blocklist";

/// Before the name of a person: see [`person`].
pub const PERSON: &str = "/u";
/// Before an identity: see [`identity`].
pub const IDENTITY: &str = "/id";
/// Before the name of a module: see [`module`].
pub const MODULE: &str = "/m";
/// Before the name of a channel: see [`channel`].
pub const CHANNEL: &str = "/c";
/// Between [`CHANNEL`] and the module whose channel it is.
pub const MODULE_CHANNEL: &str = "module";

/// Everything but what `encodeURIComponent` leaves as it is.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'!')
    .remove(b'~')
    .remove(b'*')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')');

/// The same for identities, whose colons a path may hold.
const DID: &AsciiSet = &COMPONENT.remove(b':');

/// Encodes a text as one part of a path or as the value of a query.
pub fn encode(text: &str) -> String {
    utf8_percent_encode(text, COMPONENT).to_string()
}

/// A step of the way in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WelcomeStep {
    /// What this is.
    About,
    /// Claiming a name.
    Name,
    /// Keeping the key safe.
    Backup,
}

impl WelcomeStep {
    /// All steps, in order.
    pub const ALL: [Self; 3] = [Self::About, Self::Name, Self::Backup];

    /// Reads the value of `?step=`; anything unknown is the first step.
    pub fn parse(text: Option<&str>) -> Self {
        match text {
            Some("name") => Self::Name,
            Some("backup") => Self::Backup,
            _ => Self::About,
        }
    }

    /// Counts from one.
    pub fn number(self) -> u32 {
        match self {
            Self::About => 1,
            Self::Name => 2,
            Self::Backup => 3,
        }
    }
}

/// A step of the way in.
pub fn welcome(step: WelcomeStep) -> &'static str {
    match step {
        WelcomeStep::About => WELCOME,
        WelcomeStep::Name => "/welcome?step=name",
        WelcomeStep::Backup => "/welcome?step=backup",
    }
}

/// The step that claims a name, with one filled in.
pub fn claim(name: &str) -> String {
    format!("{}&name={}", welcome(WelcomeStep::Name), encode(name))
}

/// The own profile's form for another name, with one filled in.
pub fn rename(name: &str) -> String {
    format!("{ME}?rename={}#rename", encode(name))
}

/// A section of the settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettingsSection {
    /// Colours and keys.
    Looks,
    /// Who may see that this person is online.
    Presence,
    /// The passphrase of the key.
    Lock,
    /// Keeping the key safe.
    Backup,
    /// Bringing an identity here.
    Restore,
    /// What the browser keeps, and what was quarantined.
    Storage,
    /// How much is given to others.
    Upload,
    /// Version and installation.
    App,
    /// Removing the identity.
    Danger,
}

impl SettingsSection {
    /// All sections, in the order of the page.
    pub const ALL: [Self; 9] = [
        Self::Looks,
        Self::Presence,
        Self::Lock,
        Self::Backup,
        Self::Restore,
        Self::Storage,
        Self::Upload,
        Self::App,
        Self::Danger,
    ];
}

/// A section of the settings; the part after `#` is the section's `id`.
pub fn settings(section: SettingsSection) -> &'static str {
    match section {
        SettingsSection::Looks => "/settings#looks",
        SettingsSection::Presence => "/settings#presence",
        SettingsSection::Lock => "/settings#lock",
        SettingsSection::Backup => "/settings#backup",
        SettingsSection::Restore => "/settings#restore",
        SettingsSection::Storage => "/settings#storage",
        SettingsSection::Upload => "/settings#upload",
        SettingsSection::App => "/settings#app",
        SettingsSection::Danger => "/settings#danger",
    }
}

/// The page of the person who holds a username.
pub fn person(username: &str) -> String {
    format!("{PERSON}/{}", encode(username))
}

/// The page of an identity, `did:gen:…`.
pub fn identity(did: &str) -> String {
    format!("{IDENTITY}/{}", utf8_percent_encode(did, DID))
}

/// The page of somebody by name, or by identity while no name is known.
pub fn person_or_identity(username: Option<&str>, did: &str) -> String {
    username.map_or_else(|| identity(did), person)
}

/// Everybody whose name begins with `prefix`; everybody for an empty one.
pub fn people(prefix: &str) -> String {
    search(PEOPLE, prefix)
}

/// The part of [`people`] that begins after a cursor.
pub fn people_after(prefix: &str, cursor: &str) -> String {
    let glue = if prefix.is_empty() { '?' } else { '&' };
    format!("{}{glue}after={}", people(prefix), encode(cursor))
}

/// A list that is searched for a text: [`PEOPLE`] or [`MODULES`].
pub fn search(list: &str, text: &str) -> String {
    if text.is_empty() { list.to_owned() } else { format!("{list}?q={}", encode(text)) }
}

/// The page of a module.
pub fn module(name: &str) -> String {
    format!("{MODULE}/{}", encode(name))
}

/// The page of a module, with the installation of one version begun.
pub fn install(name: &str, version: &str) -> String {
    format!("{}?install={}", module(name), encode(version))
}

/// All modules that a query finds.
pub fn modules(query: &ModuleQuery) -> String {
    let parts: Vec<String> =
        query.pairs().into_iter().map(|(key, value)| format!("{key}={}", encode(&value))).collect();
    if parts.is_empty() { MODULES.to_owned() } else { format!("{MODULES}?{}", parts.join("&")) }
}

/// All modules with a tag.
pub fn tag(tag: &str) -> String {
    format!("{MODULES}?tag={}", encode(tag))
}

/// Publishing another version of an own module.
pub fn publish_version(name: &str) -> String {
    format!("{PUBLISH}?name={}", encode(name))
}

/// The page of a channel, with or without the `#` before its name.
pub fn channel(channel: &str) -> String {
    let name = channel.strip_prefix('#').unwrap_or(channel);
    match name.strip_prefix("module/") {
        Some(module) => format!("{CHANNEL}/{MODULE_CHANNEL}/{}", encode(module)),
        None => format!("{CHANNEL}/{}", encode(name)),
    }
}

/// A part of a guide.
pub fn guide_section(page: GuidePage, section: &str) -> String {
    format!("{}#{section}", page.path())
}

/// The file that a guide is rendered from.
pub fn guide_file(page: GuidePage) -> String {
    format!("{GUIDE}/{}.md", page.slug)
}

/// The page of what is followed or blocked; none for a peer.
pub fn subject(subject: &SubjectRef) -> Option<String> {
    match subject {
        SubjectRef::Person(did) => Some(identity(did)),
        SubjectRef::Module(name) => Some(module(name)),
        SubjectRef::Tag(name) => Some(tag(name)),
        SubjectRef::Peer(_) => None,
    }
}

/// Whether a path is the page of a link or lies below it. Only the first page itself is the first page.
pub fn is_within(path: &str, href: &str) -> bool {
    path == href || href != HOME && path.strip_prefix(href).is_some_and(|rest| rest.starts_with('/'))
}

/// Whether a path is the list of channels or one of them.
pub fn is_channel_page(path: &str) -> bool {
    path == CHANNELS || path.strip_prefix(CHANNEL).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use gen_registry_api::{GUIDE_PAGES, ModuleFilter, ModuleSort};

    #[test]
    fn names_are_encoded_as_a_browser_does_it() {
        for (name, encoded) in [
            ("alice", "alice"),
            ("", ""),
            ("a b", "a%20b"),
            ("a/b?c#d&e=f", "a%2Fb%3Fc%23d%26e%3Df"),
            ("50%", "50%25"),
            ("-_.!~*'()", "-_.!~*'()"),
            ("żółw", "%C5%BC%C3%B3%C5%82w"),
            ("🦀", "%F0%9F%A6%80"),
        ] {
            assert_eq!(encode(name), encoded);
            assert_eq!(person(name), format!("/u/{encoded}"));
            assert_eq!(module(name), format!("/m/{encoded}"));
            assert_eq!(tag(name), format!("/modules?tag={encoded}"));
            assert_eq!(publish_version(name), format!("/publish?name={encoded}"));
        }
        assert_eq!(person(&"ü".repeat(1_000)), format!("/u/{}", "%C3%BC".repeat(1_000)));
    }

    #[test]
    fn an_identity_keeps_its_colons_and_nothing_else() {
        assert_eq!(identity("did:gen:z7v1"), "/id/did:gen:z7v1");
        assert_eq!(identity("did:gen:z/../x?"), "/id/did:gen:z%2F..%2Fx%3F");
        assert_eq!(person_or_identity(Some("bob"), "did:gen:z1"), "/u/bob");
        assert_eq!(person_or_identity(None, "did:gen:z1"), "/id/did:gen:z1");
    }

    #[test]
    fn channels_have_one_page_each() {
        for (name, href) in [
            ("#general", "/c/general"),
            ("general", "/c/general"),
            ("#module/crc32", "/c/module/crc32"),
            ("#module/a/b", "/c/module/a%2Fb"),
            ("#modules", "/c/modules"),
            ("#a b", "/c/a%20b"),
            ("##x", "/c/%23x"),
        ] {
            assert_eq!(channel(name), href);
            assert!(is_channel_page(&channel(name)), "{name}");
        }
    }

    #[test]
    fn lists_carry_what_they_are_searched_for() {
        assert_eq!(people(""), "/people");
        assert_eq!(people("al ice"), "/people?q=al%20ice");
        assert_eq!(people_after("", "bob"), "/people?after=bob");
        assert_eq!(people_after("b", "b&b"), "/people?q=b&after=b%26b");
        assert_eq!(search(MODULES, "crc"), "/modules?q=crc");
    }

    #[test]
    fn a_module_query_is_its_address() {
        assert_eq!(modules(&ModuleQuery::default()), "/modules");
        let query = ModuleQuery {
            text: "hash & sum".to_owned(),
            filter: ModuleFilter {
                tag: Some("c++".to_owned()),
                owner: Some("did:gen:z1".to_owned()),
                imports_nothing: true,
                exports: Some("run".to_owned()),
            },
            sort: Some(ModuleSort::Rated),
        };
        assert_eq!(
            modules(&query),
            "/modules?tag=c%2B%2B&owner=did%3Agen%3Az1&exports=run&pure=1&q=hash%20%26%20sum&sort=rated"
        );
        assert_eq!(install("crc32", "1.0.0+b"), "/m/crc32?install=1.0.0%2Bb");
    }

    #[test]
    fn steps_and_sections_are_named_in_the_address() {
        for step in WelcomeStep::ALL {
            let value = welcome(step).split_once("step=").map(|(_, value)| value);
            assert_eq!(WelcomeStep::parse(value), step);
        }
        assert_eq!(WelcomeStep::parse(Some("other")), WelcomeStep::About);
        assert_eq!(WelcomeStep::ALL.map(WelcomeStep::number), [1, 2, 3]);
        assert_eq!(claim("bo b"), "/welcome?step=name&name=bo%20b");
        assert_eq!(rename("bo#b"), "/me?rename=bo%23b#rename");
        assert!(SettingsSection::ALL.map(settings).iter().all(|href| href.starts_with("/settings#")));
    }

    #[test]
    fn subjects_lead_to_their_pages() {
        assert_eq!(subject(&SubjectRef::Person("did:gen:z1".into())).as_deref(), Some("/id/did:gen:z1"));
        assert_eq!(subject(&SubjectRef::Module("crc".into())).as_deref(), Some("/m/crc"));
        assert_eq!(subject(&SubjectRef::Tag("a b".into())).as_deref(), Some("/modules?tag=a%20b"));
        assert_eq!(subject(&SubjectRef::Peer("12D3".into())), None);
    }

    #[test]
    fn guides_are_below_the_guide() {
        for page in GUIDE_PAGES {
            assert!(is_within(&page.path(), GUIDE), "{}", page.path());
            assert_eq!(guide_file(page), format!("/guide/{}.md", page.slug));
            assert!(guide_section(page, "names").ends_with("#names"));
        }
    }

    #[test]
    fn the_current_page_is_found() {
        for (path, href, is) in [
            ("/", HOME, true),
            ("/people", HOME, false),
            ("/people", PEOPLE, true),
            ("/people/x", PEOPLE, true),
            ("/peopled", PEOPLE, false),
            ("/me", MODULES, false),
        ] {
            assert_eq!(is_within(path, href), is, "{path} {href}");
        }
        assert!(is_channel_page("/channels"));
        assert!(!is_channel_page("/c"));
        assert!(!is_channel_page("/channels2"));
    }

    /// The router's table is written in a file for the browser only; this reads its text.
    #[test]
    fn every_address_has_a_route() {
        let table = include_str!("app.rs");
        for constant in [
            "WELCOME",
            "PEOPLE",
            "MODULES",
            "INSTALLED",
            "PUBLISH",
            "ME",
            "CHANNELS",
            "SETTINGS",
            "NETWORK",
            "STATISTICS",
            "NOTICES",
            "GUIDE",
            "BLOCKLIST",
            "PERSON",
            "IDENTITY",
            "MODULE",
            "CHANNEL",
            "MODULE_CHANNEL",
        ] {
            assert!(table.contains(&format!("StaticSegment(routes::{constant})")), "{constant} has no route");
        }
        assert!(!table.contains("StaticSegment(\"/"), "the table spells no path");
    }
}
