/**
 * The JavaScript API of Gen Registry: `globalThis.genRegistry`.
 *
 * It is there once the window event `gen-registry-ready` was fired. Times are milliseconds since 1970 (UTC).
 * A rejected promise carries an `Error` with a stable `code` and an `advice` that says what to do.
 */

export interface GenRegistry {
  /** Resolves once the registry answers. */
  ready(): Promise<void>;

  /** This profile's identity, name and profile. */
  whoami(): Promise<Me>;

  /**
   * Claims a name after asking every registry known here. `true`: it is yours now; `false`: somebody else has it, or
   * it was given up less than 30 days ago. Makes the identity if there is none yet.
   */
  registerUsername(name: string, userData?: ProfileChanges): Promise<boolean>;

  /** The holder of a name: this profile's own registry first, then the others. `null` when nobody is known. */
  lookupUsername(
    name: string,
  ): Promise<(UsernameEntry & { redirectedFrom: string | null; answeredBy: AnsweredBy }) | null>;

  /**
   * Looks further than `lookupUsername`: here, then at connected peers, then in the wider network. What is found there is
   * proven by signatures; whoever published it is connected to, so that `lookupUsername` knows it soon. Takes up to 15 seconds.
   */
  findUsername(name: string): Promise<FindReport>;

  /** As `findUsername`, for a module: `found.release` is its newest. */
  findModule(name: string): Promise<FindReport>;

  /** People in the order of their names. */
  listAllUsernames(options?: { prefix?: string; limit?: number; cursor?: string }): Promise<UsernameList>;

  /** Peers connected now. */
  getPeerCount(): Promise<number>;

  /** The peers connected now, each directly; longest connected first. */
  getPeers(): Promise<Peer[]>;

  /** Peers, relays and the network's parameters. */
  getNetwork(): Promise<NetworkReport>;

  /** Sums of what this device has seen, over the last `days` (30 if nothing is said, 366 at most). */
  getStatistics(options?: { days?: number }): Promise<Statistics>;

  /** Makes the person and tries to claim the name; `lostName` in the answer says when it was taken. */
  setupUser(name?: string, userData?: ProfileChanges): Promise<Me>;

  /** Changes the profile; a `username` renames. Rejects with `nameTaken` when the new name is somebody else's. */
  updateProfile(changes: ProfileChanges & { username?: string }): Promise<Me>;

  /** The bytes of a picture (`avatar`), or `null` when neither this device nor a connected peer has them. */
  readBlock(cid: string): Promise<Uint8Array | null>;

  /** Key, document and picture in one encrypted file. The passphrase has at least 8 characters. */
  exportBackup(passphrase: string): Promise<Uint8Array>;

  /** Takes in a backup, or changes nothing and rejects. */
  importBackup(bytes: Uint8Array, passphrase: string): Promise<Imported>;

  /** Nothing is kept. */
  validateModule(bytes: Uint8Array): Promise<Report>;
  /** Signs a release and keeps its bytes. There is no way back. */
  publish(draft: PublishDraft): Promise<Published>;
  describeModule(name: string, changes: ModuleChanges): Promise<ModulePage | null>;
  /** Withdraws a version; without a reason, takes that back. */
  yank(name: string, version: string, reason?: string | null): Promise<ModulePage | null>;
  getModule(name: string): Promise<ModulePage | null>;
  listModules(options?: ModuleListOptions): Promise<ModuleList>;
  /** Modules by free text, best first, and people whose names begin with it. Any text will do. */
  search(query: string, options?: ModuleSearchOptions): Promise<SearchResults>;
  /** One to five stars; `null` takes the rating back. */
  rate(name: string, stars: number | null, review?: string): Promise<ModulePage | null>;
  /** What installing would come to. Nothing is fetched. */
  resolve(requirements: Requirements): Promise<InstallPlan>;
  /** `accept` names modules whose new imports are accepted (`"*"`: all of them); else `newImports` tells of them. */
  install(name: string, requirement?: string, options?: { accept?: string[] }): Promise<InstalledModule[]>;
  uninstall(name: string): Promise<InstalledModule[]>;
  listInstalled(): Promise<InstalledModule[]>;
  readModule(name: string, version: string): Promise<Uint8Array>;
  inspectModule(name: string, version: string): Promise<Report>;
  /** In a sandbox: 5 s, 64 MiB, no network. A string stands for two `i32`: where it was written, and its length. */
  runExport(
    name: string, version: string | null, function_: string, args: (number | bigint | string)[],
    options?: { textResult?: boolean },
  ): Promise<RunOutcome>;
  /** Every installed module and the lockfile in one zip. */
  exportInstalled(): Promise<Uint8Array>;
  exportLockfile(): Promise<string>;
  /** Exactly what the lockfile names; `accept` as for `install`. */
  importLockfile(text: string, options?: { accept?: string[] }): Promise<InstalledModule[]>;

  /**
   * Who is online (a username, where one may be given, must be this profile's own). A device speaks only for its own
   * person and is gone when it says so, or when it was silent for as long as it said itself.
   */
  registerUser(username?: string): Promise<OnlineReport>;
  /** Goodbye for this run. No fault for anybody unknown. */
  unregisterUser(username?: string): Promise<OnlineReport>;
  getUsers(): Promise<OnlineUser[]>;
  /** Whether others see this profile, and everybody who is online. */
  getPresence(): Promise<OnlineReport>;
  /** Online for nobody, also after the next start, until it is taken back. */
  setInvisible(invisible: boolean): Promise<OnlineReport>;

  /** Joins, and so creates, a channel (`#general`, `#module/<name>`). Twice is once; `unknownUser` for anybody else. */
  joinChannel(channel: string): Promise<ChannelEntry[]>;
  joinChannel(username: string, channel: string): Promise<ChannelEntry[]>;
  /** No fault when the user or the channel is unknown. What was said there leaves this device. */
  leaveChannel(channel: string): Promise<ChannelEntry[]>;
  leaveChannel(username: string, channel: string): Promise<ChannelEntry[]>;
  /** An empty list for a channel that nobody knows. */
  getChannelUsers(channel: string): Promise<OnlineUser[]>;
  /** Every channel that somebody is in, and all that were joined here. */
  listChannels(): Promise<ChannelEntry[]>;
  say(channel: string, text: string): Promise<ChatMessage>;
  /** The last messages of a joined channel, oldest first; `before` of an earlier answer leads further back. */
  getMessages(channel: string, options?: { before?: string; limit?: number }): Promise<MessagePage>;
  /** An empty text takes it away. */
  setTopicLine(channel: string, text: string): Promise<ChatMessage>;
  /** A muted channel counts mentions only. */
  muteChannel(channel: string, muted?: boolean): Promise<ChannelEntry[]>;
  /** Everything in it has been read. */
  markChannelRead(channel: string): Promise<ChannelEntry[]>;

  /** What a peer (a libp2p peer id) or a person (`did:key:…`) has earned with this device. */
  getReputation(of: string): Promise<Reputation>;
  /** Whom and what this person blocks or trusts; the person's other devices get it, sealed. */
  getLists(): Promise<BlockList>;
  /** `person:did:key:…`, `peer:12D3…` or `module:name`; `"neither"` takes it off both lists. */
  decide(subject: string, verdict: Decision, note?: string): Promise<BlockList>;

  /** What is followed on this device: `person:did:key:…`, `module:name` or `tag:text`. */
  getFollows(): Promise<Follow[]>;
  follow(subject: string): Promise<Follow[]>;
  unfollow(subject: string): Promise<Follow[]>;
  /** What happened there, the newest first. */
  getNotices(): Promise<Notices>;
  /** Without ids, all of them. */
  markNoticesRead(ids?: number[]): Promise<Notices>;
  /** Forgets all of them. */
  clearNotices(): Promise<Notices>;

  /** Calls `listener` with every event. Call the returned function to stop. */
  subscribe(listener: (event: RegistryEvent) => void): () => void;

  /**
   * As `subscribe`, for events of one kind: `change` (this profile or people), `peer` (peers and relays), `conflict`
   * (two people claim one name), `presence` (somebody came, went, joined or left), `message`, `announcement` (something
   * happened where this person follows).
   */
  on(
    kind: "change" | "peer" | "conflict" | "module" | "install" | "presence" | "message" | "announcement",
    listener: (event: RegistryEvent) => void,
  ): () => void;
}

export interface OnlineReport { visible: boolean; invisible: boolean; users: OnlineUser[] }

export interface OnlineUser {
  did: string; publicKey: string; username: string | null; displayName: string | null; avatar: string | null; mine: boolean;
  channels: string[];
  devices: OnlineDevice[];
}

/** One node of somebody. Times are by this device's clock; it is gone at `expiresAt` unless it is heard again. */
export interface OnlineDevice { node: string; here: boolean; seenAt: number; expiresAt: number; channels: string[] }

export interface ChannelEntry {
  channel: string; module: string | null; members: number; joined: boolean; muted: boolean;
  unread: number; mentions: number; topicLine: string | null; lastAt: number | null;
}

export interface MessagePage { channel: ChannelEntry; messages: ChatMessage[]; before: string | null }

export interface ChatMessage {
  id: string; channel: string; did: string; publicKey: string; username: string | null; displayName: string | null; avatar: string | null;
  at: number; text: string; topicLine: boolean; mine: boolean; mentionsMe: boolean;
}

export interface Peer {
  /** A libp2p peer id: the node, not the person. */
  id: string;
  since: number;
  /** This side dialled. */
  dialled: boolean;
  agent: string | null;
  roundTripMillis: number | null;
  /** Null where it could not be measured. */
  path: ConnectionPath | null;
  /** Registries are being compared or fetched right now. */
  syncing: boolean;
  /** Changes it brought that were new here. */
  brought: number;
  /** Rules it broke since the page was opened, as sentences, and how often. */
  rejections: [string, number][];
  /** What it has earned here, over all times. */
  reputation: Reputation;
  /** The person trusts it. */
  trusted: boolean;
}

/** Which way a direct connection goes, and how much went over it since it stands. */
export interface ConnectionPath {
  sentBytes: number;
  receivedBytes: number;
  /** Of the pair of candidates in use (RFC 8445, section 5.1.1). */
  local: CandidateType | null;
  remote: CandidateType | null;
}

/** As WebRTC's statistics name it; "relay" is a TURN server's. */
export type CandidateType = "host" | "srflx" | "prflx" | "relay";

export interface Reputation {
  /** Between 0 and 1; whoever did nothing yet has 0.5. Acts count half after three days. */
  score: number;
  /** It is below what one should rely on. */
  low: boolean;
  reasons: ReputationReason[];
}

export interface ReputationReason {
  kind: "brought" | "served" | "late" | "unruly" | "abusive" | "false"; times: number; lastAt: number;
}

export interface BlockList {
  rows: BlockListRow[];
  /** False while the key is locked or there is none. */
  shared: boolean;
}

/** `"neither"` stands in no list. */
export type Decision = "block" | "allow" | "neither";

export interface BlockListRow { subject: string; verdict: Decision; note: string | null; at: number; username: string | null }

export interface Follow { subject: string; since: number; username: string | null }

export interface Notices { notices: Notice[]; unread: number }

export interface Notice {
  id: number; at: number; kind: "release" | "yank" | "advisory" | "username" | "moduleName"; who: Author;
  module: string | null; version: string | null;
  /** The new username, or why something is to be avoided. */
  text: string | null;
  read: boolean;
}

/** Another device may have seen other things. */
export interface Statistics {
  /** When the first of the days begins (UTC). */
  begins: number;
  names: DailyCount;
  modules: DailyCount;
  releases: DailyCount;
  /** By how often they were installed. */
  popular: ModuleRank[];
  /** By how many other modules need them directly. */
  needed: ModuleRank[];
  /** Needed by others, and not known here. */
  missing: ModuleRank[];
  /** Modules that need no other. */
  independent: number;
  /** Connected peers, whenever that changed, since the page was opened. */
  peers: PeerCount[];
}

export interface DailyCount {
  total: number;
  /** Those older than the first day. */
  before: number;
  /** New ones of each day; the last is today. */
  days: number[];
}

export interface ModuleRank {
  name: string;
  count: number;
}

export interface PeerCount {
  at: number;
  peers: number;
}

export interface NetworkReport {
  /** `alone`: no relay is known; `offline`: none answers; `waiting`: nobody else is here; `connected`. */
  connection: "alone" | "offline" | "waiting" | "connected";
  /** This profile's node. */
  node: string | null;
  topic: string;
  /** Whose receipts confirm names, and how many it takes. */
  witnesses: string[];
  threshold: number;
  relays: Relay[];
  peers: Peer[];
  /** Own changes made while no peer was there. */
  unsent: number;
  rejections: [string, number][];
  /** Why what this page's server says of its network is left aside. */
  leftAside: string | null;
}

/** `reserved`: others can find this node through it. */
export interface Relay { address: string; connected: boolean; reserved: boolean }

export interface UsernameEntry {
  username: string;
  /** ed25519, 64 hex digits. */
  publicKey: string;
  /** `did:key:z6Mk…` */
  did: string;
  registeredAt: number;
  displayName: string | null;
  /** The CID of the picture; see `readBlock`. */
  avatar: string | null;
  joinedAt: number | null;
  status: "provisional" | "confirmed" | "contested";
  /** It is this profile's own. */
  mine: boolean;
}

export interface UsernameList extends Array<UsernameEntry> {
  /** Hand it back to get the next people; `null` at the end. */
  cursor: string | null;
  total: number;
}

export interface ProfileChanges {
  displayName?: string;
  bio?: string;
  /** PNG, JPEG, WebP or GIF, at most 256 KiB. Empty takes the picture away. */
  avatar?: Uint8Array;
  /** Web addresses, at most 8. */
  links?: string[];
}

export interface Me {
  did: string | null;
  publicKey: string | null;
  username: string | null;
  nameStatus: UsernameEntry["status"] | null;
  registeredAt: number | null;
  lostName: LostName | null;
  /**
   * The key signed two different changes for one place (it was copied by hand, or stolen): no name of this identity counts
   * any more, and what would be signed is refused (`identityForked`). Only a new identity helps.
   */
  forked: boolean;
  profile: Profile;
  history: HistoryEntry[];
  safetyWords: string[];
  protection: "none" | "unlocked" | "locked";
  phraseChecked: boolean;
  lastBackupAt: number | null;
  changes: number;
  documentBytes: number;
}

/** `newChanges` were new to this device. */
export interface Imported { me: Me; newChanges: number; exportedAt: number }

export interface LostName { name: string; holder: UsernameEntry | null; reason: string }

export interface Profile {
  displayName: string | null; bio: string | null; avatar: string | null; links: string[]; joinedAt: number | null;
}

export interface HistoryEntry {
  username: string;
  claimedAt: number;
  releasedAt: number | null;
  outcome: { outcome: "held" | "released" | "heldBack" } | { outcome: "lost"; reason: string };
}

/** A name and which versions will do, as Cargo reads requirements. */
export interface Requirement { name: string; requirement: string }
export type Requirements = Record<string, string> | Requirement[];

export interface Author { did: string; username: string | null }

export interface ModuleChanges {
  title?: string; description?: string; license?: string; repository?: string;
  /** Markdown. */
  readme?: string;
  tags?: string[];
  /** Why nobody should begin to use it; empty takes that back. */
  deprecated?: string;
}

export interface PublishDraft extends ModuleChanges {
  name: string;
  version: string;
  wasm: Uint8Array;
  dependencies?: Requirements;
}

export interface Published {
  name: string; version: string; release: string; sha256: string; size: number; claimed: boolean; peers: number;
}

export interface ModulePage {
  name: string;
  answeredBy: AnsweredBy;
  holder: Author;
  status: UsernameEntry["status"];
  mine: boolean;
  details: ModuleDetails;
  latest: string | null;
  versions: VersionEntry[];
  /** Releases that do not count, and why. */
  refused: RefusedVersion[];
  /** Everything that the newest version comes with, itself at the end. */
  needed: NeededModule[];
  /** Why the newest version can't be installed. */
  unresolved: string | null;
  dependents: Requirement[];
  opinion: RatingSummary;
  reviews: Review[];
  installed: InstalledModule | null;
  /** This person blocks it, or whoever holds its name. */
  blocked: boolean;
}

export interface ModuleDetails {
  title: string | null; description: string | null; license: string | null; repository: string | null;
  /** The CID of the text; see `readBlock`. */
  readme: string | null;
  tags: string[]; deprecated: string | null;
  /** As its author says: `namespace.name`, and the functions it offers. */
  imports: string[]; exports: string[];
}

export interface RefusedVersion { version: string; release: string; author: Author; reason: string }

export interface NeededModule { name: string; version: string; needs: string[] }

export interface RatingSummary {
  stars: number | null; ratings: number;
  /** An estimate. */
  downloads: number;
}

export interface Review { author: Author; stars: number; text: string; at: number; version: string | null; mine: boolean }

export interface VersionEntry {
  version: string; release: string; sha256: string; size: number; publishedAt: number; author: Author;
  status: UsernameEntry["status"]; dependencies: Requirement[];
  withdrawn: WithdrawnInfo | null;
  /** All bytes are on this device. */
  here: boolean;
}

export interface WithdrawnInfo { reason: string; at: number }

export interface ModuleCard {
  name: string; title: string | null; description: string | null; tags: string[]; version: string; publishedAt: number;
  size: number; holder: Author; opinion: RatingSummary; importsNothing: boolean; deprecated: boolean;
  installed: string | null;
}

export interface ModuleList { modules: ModuleCard[]; cursor: number | null; total: number }

export interface ModuleListOptions {
  filters?: { tag?: string; owner?: string; importsNothing?: boolean; exports?: string };
  sort?: "recent" | "popular" | "rated" | "name";
  limit?: number;
  cursor?: number | null;
}

export interface ModuleSearchOptions {
  filters?: ModuleListOptions["filters"];
  /** The best match first, when it is not told otherwise. */
  sort?: "relevance" | "recent" | "popular" | "rated" | "name";
  limit?: number;
  cursor?: number | null;
}

export interface SearchResults {
  modules: ModuleCard[];
  people: UsernameEntry[];
  total: number;
  cursor: number | null;
  /** False while the index is not ready: found by letters only. The event `module` tells when to ask again. */
  complete: boolean;
}

export interface InstallPlan {
  /** In the order in which they are installed. */
  steps: PlannedModule[];
  toFetch: number;
}

export interface PlannedModule {
  name: string; version: string; size: number; sha256: string; author: Author; neededBy: string[];
  installed: string | null; here: boolean; withdrawn: WithdrawnInfo | null;
}

export interface InstalledModule {
  name: string; version: string; release: string; sha256: string; size: number; author: Author;
  requirement: string | null; neededBy: string[]; installedAt: number; imports: string[];
  withdrawn: WithdrawnInfo | null; update: string | null;
}

export interface InstallProgress {
  name: string; version: string; stage: "fetching" | "verifying" | "installed"; done: number; total: number;
}

/** What can be said of a file without running it. */
export interface Report {
  bytes: number; digest: string; kind: "module" | "component" | null;
  outcomes: CheckOutcome[];
  imports: Extern[]; exports: Extern[];
  memories: ModuleMemory[];
  functions: number; custom: CustomSection[]; metadata?: Record<string, string>;
  startsByItself: boolean;
}

export interface CheckOutcome {
  check: "size" | "magic" | "version" | "structure" | "functions" | "memory" | "externs"; problem: { problem: string } | null;
}

export interface ModuleMemory { minimum: number; maximum: number | null; shared: boolean; imported: boolean }

export interface CustomSection { name: string; bytes: number }

export interface Extern { module: string | null; name: string; kind: string; params?: string[]; results?: string[] }

export interface RunOutcome { values: RunValue[]; text: string | null; millis: number }

/** `kind`: `i32`, `i64`, `f32` or `f64`; `value` in decimal. */
export interface RunValue { kind: string; value: string }

export type RegistryEvent =
  | { event: "meChanged" }
  | { event: "peopleChanged"; dids: string[] }
  | { event: "nameLost"; lost: LostName }
  | { event: "modulesChanged"; names: string[] }
  | { event: "announcement"; notice: Notice }
  | { event: "installing"; progress: InstallProgress }
  | { event: "networkChanged" }
  | {
      event: "presence"; what: "online" | "offline" | "joined" | "left" | "nodeUp" | "nodeLeft" | "nodeDown";
      did: string; username: string | null; node: string | null; channel: string | null;
    }
  | { event: "message"; message: ChatMessage; muted: boolean }
  | { event: "channelsChanged" }
  | { event: "conflict"; name: string; holder: string | null; losers: string[] }
  | { event: "quarantined"; table: string; key: string }
  | { event: "writerChanged" }
  | { event: "reloadNeeded" };

export type ErrorCode =
  | "nameInvalid" | "nameTaken" | "nameCoolingDown" | "tooManyNames" | "noName"
  | "noIdentity" | "identityExists" | "identityForked" | "profileInvalid" | "avatarInvalid"
  | "locked" | "wrongPassphrase" | "weakPassphrase" | "wrongWords" | "phraseInvalid"
  | "backupDamaged" | "backupTooLarge" | "backupNewer" | "backupOtherNetwork"
  | "documentFull" | "confirmationWrong" | "storageFull" | "storageFailed" | "reloadNeeded"
  | "moduleInvalid" | "versionInvalid" | "versionTaken" | "notYourModule" | "tooManyModules" | "unknownModule"
  | "dependencyUnknown" | "unresolvable" | "newImports" | "contentMissing" | "contentInvalid" | "wrongBytes"
  | "lockfileInvalid" | "runFailed" | "runTimedOut" | "neededByOthers" | "blocked"
  | "unknownUser" | "channelInvalid" | "notInChannel" | "tooManyChannels" | "textInvalid" | "tooFast"
  | "noWriter" | "invalidArgument" | "internal";

declare global {
  var genRegistry: GenRegistry;
}

/** Who knew what was asked for. */
export type AnsweredBy = "device" | "peers" | "network";

export interface FindReport {
  kind: "username" | "module";
  /** The name as asked for, prepared. */
  asked: string;
  /** `null` when nobody knew anything of the name. */
  answeredBy: AnsweredBy | null;
  found: FoundName | null;
  /** It was given up; from then on it is free for everyone. */
  freeAt: number | null;
  peersAsked: number;
  networkAsked: boolean;
  /** Peers that are being connected to because they may have the rest. */
  sought: number;
}

export interface FoundName {
  name: string; did: string; publicKey: string; registeredAt: number; status: UsernameEntry["status"];
  /** A module's newest release. */
  release: FoundRelease | null;
}

export interface FoundRelease { version: string; sha256: string; size: number; publishedAt: number; withdrawn: boolean }
