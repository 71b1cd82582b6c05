//! Commands and answers about modules.

use serde::{Deserialize, Serialize};

use super::{AnsweredBy, Failure, NameStatus, NameVerdict, UsernameEntry};
pub use gen_registry_core::modules::description::{ModuleDescription, ModulePatch};
pub use gen_registry_core::validation::{
    Check, CheckOutcome, Custom, Extern, ExternKind, Memory, ModuleKind, Problem, Report,
};

/// In the place of a module's name: whatever else the act brings with it.
pub const ACCEPT_ALL: &str = "*";

/// One thing asked of the registry of modules.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ModuleCommand {
    /// Is this a module? Nothing is kept. Answer: `Report`.
    Validate {
        #[serde(with = "serde_bytes")]
        #[cfg_attr(feature = "typings", ts(type = "Uint8Array"))]
        bytes: Vec<u8>,
    },
    /// What can be said about a module's name while it is typed. Answer: `ModuleName`.
    CheckName { text: String },
    /// Signs a release and keeps its bytes. There is no way back. Answer: `Published`.
    Publish { draft: Box<PublishDraft> },
    /// Changes how an own module is described. Answer: `Module`.
    Describe { name: String, changes: ModulePatch },
    /// Withdraws a version, or (no reason) takes that back. Answer: `Module`.
    Yank { name: String, version: String, reason: Option<String> },
    /// All that is known of a module. Answer: `Module` (`None` when unknown here).
    Page { name: String },
    /// Answer: `Modules`.
    List { filter: ModuleFilter, sort: ModuleSort, limit: u32, cursor: Option<u32> },
    /// Modules by free text, best first; all that the filter lets through when it is empty. Any text will do.
    /// Answer: `Found`.
    Search { query: String, filter: ModuleFilter, sort: ModuleSort, limit: u32, cursor: Option<u32> },
    /// As `Search`, and asks connected peers, and the wider network for a module of exactly this name. Takes up to 4 seconds.
    /// Answer: `NetworkFound`.
    SearchNetwork { query: String, filter: ModuleFilter, sort: ModuleSort, limit: u32 },
    /// One to five stars; none takes the rating back. Answer: `Module`.
    Rate { name: String, stars: Option<u8>, review: String },
    /// What installing these would come to. Nothing is fetched. Answer: `Plan`.
    Resolve { requirements: Vec<Requirement> },
    /// Resolves, fetches, verifies and keeps. `accept` names modules whose new imports are accepted, or is
    /// [`ACCEPT_ALL`].
    /// Answer: `Installed`, or fails with `newImports` before anything is changed.
    Install { requirements: Vec<Requirement>, accept: Vec<String> },
    /// Answer: `Installed`.
    Uninstall { name: String },
    /// Answer: `Installed`.
    ListInstalled,
    /// The bytes of an installed or otherwise present version. Answer: `Bytes`.
    Read { name: String, version: String },
    /// What a version that is here asks for and offers, read off its bytes. Answer: `Report`.
    Inspect { name: String, version: String },
    /// Calls a function of a version that is here, in a sandbox, together with the modules it needs. Answer: `Ran`.
    Run { name: String, version: Option<String>, function: String, arguments: Vec<RunArgument>, text_result: bool },
    /// Every installed module as a file, and the lockfile, in one zip. Answer: `Bytes`.
    ExportAll,
    /// What is installed, as a lockfile (TOML). Answer: `Lockfile`.
    ExportLockfile,
    /// A readme by its CID, as HTML that may be put into a page as it is. Answer: `Readme` (`None` if no peer sends it
    /// in time).
    Readme { cid: String },
    /// Installs exactly what a lockfile names; `accept` as for `Install`. Answer: `Installed`.
    ImportLockfile { text: String, accept: Vec<String> },
}

/// A name and which versions of it will do, as Cargo reads requirements; `*` for any.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
pub struct Requirement {
    pub name: String,
    pub requirement: String,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct PublishDraft {
    pub name: String,
    pub version: String,
    #[serde(with = "serde_bytes")]
    #[cfg_attr(feature = "typings", ts(type = "Uint8Array"))]
    pub wasm: Vec<u8>,
    #[serde(default)]
    pub dependencies: Vec<Requirement>,
    #[serde(default)]
    pub details: ModulePatch,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct ModuleNameCheck {
    pub text: String,
    /// How the name would be written; none when it is invalid.
    pub name: Option<String>,
    pub verdict: NameVerdict,
    /// Versions that are there already, newest first.
    pub versions: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Published {
    pub name: String,
    pub version: String,
    /// The hash that names the release permanently; empty while it is only wanted.
    pub release: String,
    /// It waits on this device until a witness of the network can be asked.
    pub wanted: bool,
    pub sha256: String,
    pub size: u64,
    /// The name was taken with this release.
    pub claimed: bool,
    /// Peers that were connected when it was announced.
    pub peers: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct ModuleDetails {
    #[serde(flatten)]
    pub description: ModuleDescription,
    /// What the newest version asks for, as its author says: `namespace.name`.
    pub imports: Vec<String>,
    /// The functions it offers, as its author says.
    pub exports: Vec<String>,
}

/// A person as modules mention them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Author {
    pub did: String,
    /// The name they hold now.
    pub username: Option<String>,
}

/// One module's page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct ModulePage {
    /// As its holder spells it.
    pub name: String,
    pub holder: Author,
    pub status: NameStatus,
    pub mine: bool,
    pub details: ModuleDetails,
    /// The newest version that is no pre-release and not withdrawn.
    pub latest: Option<String>,
    /// Newest first.
    pub versions: Vec<VersionEntry>,
    /// Releases that do not count.
    pub refused: Vec<RefusedVersion>,
    /// Everything that the newest version comes with, itself at the end; each after what it needs.
    pub needed: Vec<NeededModule>,
    /// Why the newest version can't be installed.
    pub unresolved: Option<Failure>,
    /// Modules whose newest version needs this one.
    pub dependents: Vec<Requirement>,
    pub opinion: RatingSummary,
    pub reviews: Vec<Review>,
    pub installed: Option<InstalledModule>,
    /// The person blocks it, or the holder of its name.
    pub blocked: bool,
    pub answered_by: AnsweredBy,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
pub struct NeededModule {
    pub name: String,
    pub version: String,
    /// Names, of those in the same list.
    pub needs: Vec<String>,
}

/// A release in a line: what it is named, what its bytes are, who signed it, and whether it is withdrawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct ReleaseSummary {
    pub version: String,
    /// The hash that names the release permanently.
    pub release: String,
    /// Of the file, 64 hex digits.
    pub sha256: String,
    /// Bytes.
    pub size: u64,
    pub author: Author,
    pub withdrawn: Option<WithdrawnInfo>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct VersionEntry {
    #[serde(flatten)]
    pub summary: ReleaseSummary,
    pub published_at: u64,
    /// Whether witnesses have seen it.
    pub status: NameStatus,
    pub dependencies: Vec<Requirement>,
    /// All bytes are on this device.
    pub here: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
pub struct WithdrawnInfo {
    pub reason: String,
    pub at: u64,
    /// It was published with a device that its author had lost control of, so it may not be the author's.
    pub compromised: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
pub struct RefusedVersion {
    pub version: String,
    pub release: String,
    pub author: Author,
    pub reason: ReleaseRefusal,
}

/// Why a release does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum ReleaseRefusal {
    /// Its author does not hold the module's name.
    NotHolder,
    /// Not enough witnesses have seen it yet: it is taken by its exact version only.
    Unconfirmed,
    /// Another release of this version was first.
    VersionTaken,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", default)]
pub struct RatingSummary {
    /// Mean of the ratings that count, 1 to 5. Those of people whose name witnesses confirmed at least seven days ago
    /// count; where nothing confirms names, everybody's.
    pub stars: Option<f64>,
    /// How many count.
    pub ratings: u64,
    /// Installs that count. An estimate: what people say of themselves.
    pub downloads: u64,
    /// Ratings of people without such a name. They change neither stars nor order.
    pub ratings_apart: u64,
    /// Installs of people without such a name.
    pub downloads_apart: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
pub struct Review {
    pub author: Author,
    pub stars: u8,
    pub text: String,
    pub at: u64,
    pub version: Option<String>,
    pub mine: bool,
    /// It is one of the ratings that count.
    pub counted: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", default)]
pub struct ModuleFilter {
    pub tag: Option<String>,
    /// `did:gen:…` of the holder.
    pub owner: Option<String>,
    pub imports_nothing: bool,
    /// A function that it must offer.
    pub exports: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum ModuleSort {
    #[default]
    Recent,
    Popular,
    Rated,
    Name,
    /// What answers a search best; without one, as `Recent`.
    Relevance,
}

/// A page of modules.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
pub struct ModuleList {
    pub modules: Vec<ModuleCard>,
    /// Hand it back to get the next page; none on the last one.
    pub cursor: Option<u32>,
    pub total: u64,
}

/// What a search found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
pub struct SearchResults {
    pub modules: Vec<ModuleCard>,
    /// People whose names begin with the text, a few.
    pub people: Vec<UsernameEntry>,
    /// Modules in all.
    pub total: u64,
    /// Hand it back to get the next page; none on the last one.
    pub cursor: Option<u32>,
    /// False while the index is not ready: only substrings were matched. `ModulesChanged` is emitted when it is.
    pub complete: bool,
}

/// What a search found on this device and beyond it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct NetworkSearchResults {
    /// First those that this device found, then what others named, the best first.
    pub modules: Vec<SearchedModule>,
    /// Modules that this device found in all.
    pub total_on_device: u64,
    /// False while the index of this device is not ready.
    pub complete: bool,
    /// Connected peers that were asked.
    pub peers_asked: u64,
    /// How many of them gave an answer whose proofs are valid.
    pub peers_answered: u64,
    /// Whether the wider network was asked for a module of exactly this name.
    pub network_asked: bool,
    /// Why nobody was asked.
    pub not_asked: Option<NotAsked>,
}

/// A module that a search found, and where.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct SearchedModule {
    /// Name, holder and newest version are proven. Where the module is not on this device, title, description and tags are
    /// what peers say, and nothing more is known.
    #[serde(flatten)]
    pub card: ModuleCard,
    /// This device has the module's records.
    pub on_device: bool,
    /// Peers that named it.
    pub peers: u64,
    /// The wider network has a record of its name.
    pub network: bool,
}

/// Why a search asked nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum NotAsked {
    /// No peer and no relay is connected.
    NobodyConnected,
    /// The network has no witnesses, so nothing that a stranger says of a module proves itself.
    NothingIsProven,
    /// Every connected peer was asked as often as a peer is asked in a minute.
    TooOften,
}

/// A module in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct ModuleCard {
    pub name: String,
    pub title: Option<String>,
    pub description: Option<String>,
    pub tags: Vec<String>,
    pub version: String,
    pub published_at: u64,
    pub size: u64,
    pub holder: Author,
    pub opinion: RatingSummary,
    pub imports_nothing: bool,
    pub deprecated: bool,
    /// The installed version.
    pub installed: Option<String>,
}

/// What an installation would come to, in the order in which it is done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct InstallPlan {
    pub steps: Vec<PlannedModule>,
    /// Bytes that are not on this device yet.
    pub to_fetch: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct PlannedModule {
    pub name: String,
    #[serde(flatten)]
    pub summary: ReleaseSummary,
    /// Who needs it; empty for what was asked for.
    pub needed_by: Vec<String>,
    /// The version that is installed now.
    pub installed: Option<String>,
    pub here: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct InstalledModule {
    pub name: String,
    #[serde(flatten)]
    pub summary: ReleaseSummary,
    /// What was asked for; none for what others need.
    pub requirement: Option<String>,
    pub needed_by: Vec<String>,
    pub installed_at: u64,
    /// Imports, as `namespace.name`.
    pub imports: Vec<String>,
    /// A newer version.
    pub update: Option<String>,
}

/// How far an installation is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct InstallProgress {
    pub name: String,
    pub version: String,
    pub stage: InstallStage,
    /// Bytes here, and in all.
    pub done: u64,
    pub total: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum InstallStage {
    Fetching,
    Verifying,
    Installed,
}

/// An argument of a call. A text is passed as two `i32`: its address in memory, and its length in bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub enum RunArgument {
    /// In decimal; its type is the function's.
    Number(String),
    Text(String),
}

/// What a call returned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct RunOutcome {
    pub values: Vec<RunValue>,
    /// The result as a text, if it was asked for.
    pub text: Option<String>,
    pub millis: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "typings", derive(ts_rs::TS))]
pub struct RunValue {
    /// `i32`, `i64`, `f32`, `f64`.
    pub kind: String,
    /// In decimal.
    pub value: String,
}
