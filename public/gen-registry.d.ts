/**
 * The script interface of Gen Registry: `globalThis.genRegistry`.
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
   * Claims a name after asking every registry known here. `true`: it is yours, or wanted until witnesses of the network
   * have confirmed it: `whoami().nameStatus` says which. `false`: somebody else has it, or it was given up not long ago.
   * A name that is being given up is kept. Makes the identity if there is none yet.
   */
  registerUsername(name: string, userData?: ProfileChanges): Promise<boolean>;

  /**
   * The holder of a name: this profile's own registry first, then the others. `null` when nobody is known. An at sign,
   * spaces and invisible characters around the name are taken off; rejects with `nameInvalid` what is no name then, and
   * with `nameContested` a name that witnesses have confirmed for several people.
   */
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
  getPeers(): Promise<PeerEntry[]>;

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

  /**
   * Key, document and picture in one encrypted file. The page shows a dialog in which the person chooses the passphrase of
   * the file; rejects with `declined` if they close it.
   */
  exportBackup(): Promise<Uint8Array>;

  /** A sentence for a reason that an answer holds as a code, as `claimedLater`. Rejects what is none. */
  explain(reason: LossReason | ReleaseRefusal | Rejection | ParametersError): string;

  /** Devices and keys of this profile's person, this device first. */
  listDevices(): Promise<DeviceList>;

  /**
   * The text by which this profile, which has no identity yet, asks to become a device of one. It is the same until it is
   * used, and no secret.
   */
  requestDevice(): Promise<string>;

  /**
   * Adds the device that made a request; gives the text that it needs back. Without capabilities it may do everything but
   * change devices and keys. Rejects with `noIdentityKey` where the identity's key is not on this device.
   */
  addDevice(request: string, capabilities?: DeviceCapabilities): Promise<string>;

  /** Whose device this becomes by accepting the answer of another one. Changes nothing. */
  readDeviceGrant(grant: string): Promise<DeviceGrant>;

  /** Makes this profile a device of the identity that has added it. */
  acceptDeviceGrant(grant: string): Promise<DeviceList>;

  /**
   * Ends a device, by its key. What it wrote after `lastGood` does not count, unless witnesses have confirmed it; everything
   * that is here counts if nothing is said.
   */
  revokeDevice(key: string, options?: { lastGood?: LastGood }): Promise<DeviceList>;

  /**
   * Replaces the identity's key by the next one, which only the 24 words give; with `newWords` by one of new words, which
   * are then on this device to be written down. The words are not needed as long as they were not checked. Rejects with
   * `wordsReplaced` words that are not the newest.
   */
  rotateKey(options?: { phrase?: string; newWords?: boolean; ends?: DeviceEnd[] }): Promise<DeviceList>;

  /**
   * Gives up a name of this profile, for anybody, or with `to` (a did or a username) for that person. In a network with
   * witnesses it is final only after a hold.
   */
  giveUpName(name: string, options?: { to?: string; kind?: NameKind }): Promise<Me>;

  /** Finishes giving up a name whose hold has passed. It is done by itself, too. */
  finishGiveUp(name: string, options?: { kind?: NameKind }): Promise<Me>;

  /** Takes back that a name is given up, until that is final. */
  veto(name: string, options?: { kind?: NameKind }): Promise<Me>;

  /** Takes in a backup, or changes nothing and rejects. */
  importBackup(bytes: Uint8Array, passphrase: string): Promise<Imported>;

  /** Nothing is kept. */
  validateModule(bytes: Uint8Array): Promise<Report>;
  /** Signs a release and keeps its bytes. There is no way back. */
  publish(draft: PublishDraft): Promise<Published>;
  describeModule(name: string, changes: ModulePatch): Promise<ModulePage | null>;
  /** Withdraws a version; without a reason, takes that back. */
  yank(name: string, version: string, reason?: string | null): Promise<ModulePage | null>;
  getModule(name: string): Promise<ModulePage | null>;
  listModules(options?: ModuleListOptions): Promise<ModuleList>;
  /** Modules by free text, best first, and people whose names begin with it. Any text will do. */
  search(query: string, options?: ModuleSearchOptions): Promise<SearchResults>;
  /**
   * As `search` (without pages), and asks up to 8 connected peers, which see the question; where it is a module's name also the
   * wider network. Each module says where it is from: `onDevice`, `peers` (how many named it), `network`. Name, holder and
   * version are proven; of a module that is not on this device the title, description and tags are what peers say. `findModule`
   * and then `follow("module:…")` bring it here for good. Takes up to 5 seconds.
   */
  searchNetwork(query: string, options?: NetworkSearchOptions): Promise<NetworkSearchResults>;
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
  /** In a sandbox: 5 s, 64 MiB for all modules together, no network. A string stands for two `i32`: where it was written, and its length. */
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

  /** What a peer (a libp2p peer id) or a person (`did:gen:…`) has earned with this device. */
  getReputation(of: string): Promise<Reputation>;
  /** Whom and what this person blocks or trusts; the person's other devices get it, sealed. */
  getLists(): Promise<BlockListReport>;
  /** `person:did:gen:…`, `peer:12D3…` or `module:name`; `"neither"` takes it off both lists. */
  decide(subject: string, verdict: Decision, note?: string): Promise<BlockListReport>;

  /** What is followed on this device: `person:did:gen:…`, `module:name` or `tag:text`. */
  getFollows(): Promise<FollowRow[]>;
  follow(subject: string): Promise<FollowRow[]>;
  unfollow(subject: string): Promise<FollowRow[]>;
  /** What happened there, the newest first. */
  getNotices(): Promise<NoticeList>;
  /** Without ids, all of them. */
  markNoticesRead(ids?: number[]): Promise<NoticeList>;
  /** Forgets all of them. */
  clearNotices(): Promise<NoticeList>;

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

/** An event with its kind beside its fields, as listeners get it. */
type Flat<E> = E extends string ? { event: E } : { [K in keyof E]: { event: K } & E[K] }[keyof E];
export type RegistryEvent = Flat<NodeEvent>;

export interface UsernameList extends Array<UsernameEntry> {
  /** Hand it back to get the next people; `null` at the end. */
  cursor: string | null;
  total: number;
}

/** Versions by name, as Cargo reads requirements; or a list. */
export type Requirements = Record<string, string> | Requirement[];

export interface PublishDraft extends ModulePatch {
  name: string;
  version: string;
  wasm: Uint8Array;
  dependencies?: Requirements;
}

export interface ModuleListOptions {
  filters?: Partial<ModuleFilter>;
  sort?: Exclude<ModuleSort, "relevance">;
  limit?: number;
  cursor?: number | null;
}

export interface NetworkSearchOptions {
  filters?: Partial<ModuleFilter>;
  /** Default: `"relevance"`, the best match first. */
  sort?: ModuleSort;
  /** Modules of this device; others name at most 20 each. */
  limit?: number;
}

export interface ModuleSearchOptions {
  filters?: Partial<ModuleFilter>;
  /** Default: `"relevance"`, the best match first. */
  sort?: ModuleSort;
  limit?: number;
  cursor?: number | null;
}

declare global {
  var genRegistry: GenRegistry;
}

// ---- the types, from the program's own ----

/**
 * Something that takes effect only once a hold has passed.
 */
export type Announced = { 
/**
 * The entry that announced it, 64 hex digits.
 */
id: string, 
/**
 * When it becomes final; none until the witnesses have seen it.
 */
finalAt: number | null, };

/**
 * Who knew what was asked for.
 */
export type AnsweredBy = "device" | "peers" | "network";

/**
 * A person as modules mention them.
 */
export type Author = { did: string, 
/**
 * The name they hold now.
 */
username: string | null, };

/**
 * The lists, the newest decision first.
 */
export type BlockListReport = { rows: Array<BlockListRow>, 
/**
 * The person's other devices get it; false while the key is locked or there is none.
 */
shared: boolean, };

/**
 * One row of the lists.
 */
export type BlockListRow = { subject: string, verdict: Decision, 
/**
 * Why, in the person's own words.
 */
note: string | null, at: number, 
/**
 * How somebody is called now.
 */
username: string | null, };

/**
 * Where an address of a candidate is from (RFC 8445, section 5.1.1).
 */
export type CandidateType = "host" | "srflx" | "prflx" | "relay";

export type ChannelEntry = { channel: string, 
/**
 * The module it is about.
 */
module: string | null, 
/**
 * People online in it.
 */
members: number, joined: boolean, muted: boolean, 
/**
 * Messages of others since it was last read.
 */
unread: number, 
/**
 * Those of them with this profile's name.
 */
mentions: number, topicLine: string | null, 
/**
 * When the last message was said.
 */
lastAt: number | null, };

export type ChatMessage = { 
/**
 * Its hash, 64 hex digits.
 */
id: string, channel: string, 
/**
 * When it was posted, by its author's hybrid clock: later than everything the author had received.
 */
at: number, text: string, 
/**
 * It sets what the channel is about.
 */
topicLine: boolean, 
/**
 * It has this profile's name in it.
 */
mentionsMe: boolean, did: string, 
/**
 * The present identity key (ed25519), 64 hex digits.
 */
publicKey: string, 
/**
 * The name they hold, as far as is known here.
 */
username: string | null, displayName: string | null, 
/**
 * The CID of the picture's block.
 */
avatar: string | null, 
/**
 * It is this profile's own person.
 */
mine: boolean, };

/**
 * In the order in which they are made. After one that failed the rest is not looked at.
 */
export type Check = "size" | "magic" | "version" | "structure" | "functions" | "memory" | "externs";

/**
 * One line of a report.
 */
export type CheckOutcome = { check: Check, 
/**
 * None: it passed.
 */
problem: Problem | null, };

/**
 * The route of a direct connection, and the bytes sent over it since it was made.
 */
export type ConnectionPath = { sentBytes: number, receivedBytes: number, 
/**
 * Of the pair of candidates in use.
 */
local: CandidateType | null, remote: CandidateType | null, };

export type ConnectionState = "alone" | "offline" | "waiting" | "connected";

/**
 * A custom section. Its bytes are not looked at.
 */
export type Custom = { name: string, bytes: number, };

/**
 * How many there are, and how many of them came on each day.
 */
export type DailyCount = { total: number, 
/**
 * Those that are older than the first day.
 */
before: number, 
/**
 * New ones of each day (UTC); the last is that of the observation.
 */
days: Array<number>, };

export type Decision = "block" | "allow" | "neither";

/**
 * Why bytes are not the encoding of a value.
 */
export type DecodeError = "tooShort" | "leftOver" | "notUtf8" | { "unknownKind": number } | "outOfRange";

/**
 * What a device may do in the identity's name.
 */
export type DeviceCapabilities = { 
/**
 * Change the profile, descriptions of modules, and lists.
 */
profile: boolean, 
/**
 * Claim names.
 */
claim: boolean, 
/**
 * Publish modules whose name is this, or begins with it where it ends with `*`; none: no module.
 */
publish: string | null, 
/**
 * Withdraw releases.
 */
yank: boolean, rate: boolean, 
/**
 * Talk in channels.
 */
chat: boolean, 
/**
 * Let others publish under the identity's modules.
 */
grant: boolean, };

/**
 * Where a device ends with a rotation.
 */
export type DeviceEnd = { 
/**
 * The device key, 64 hex digits.
 */
key: string, lastGood: LastGood, };

/**
 * One entry that a device wrote.
 */
export type DeviceEntry = { 
/**
 * 64 hex digits.
 */
id: string, 
/**
 * When the device says that it was written.
 */
at: number | null, what: DeviceEntryKind, 
/**
 * The name, or the module with its version; empty for others.
 */
subject: string, 
/**
 * Witnesses have confirmed it, so it counts whatever becomes of the device.
 */
confirmed: boolean, };

/**
 * What an entry says.
 */
export type DeviceEntryKind = "claim" | "release" | "mark" | "change" | "keys" | "giveUp" | "other";

/**
 * Whose device this becomes by accepting.
 */
export type DeviceGrant = { did: string, 
/**
 * The name they hold, as far as is known here.
 */
username: string | null, safetyWords: Array<string>, capabilities: DeviceCapabilities, };

/**
 * Devices and keys of this profile's person.
 */
export type DeviceList = { 
/**
 * This device first, then those that act, by number, then those that ended.
 */
devices: Array<DeviceRow>, 
/**
 * Whether the present identity key is on this device: what adding and revoking take.
 */
holdsKey: boolean, 
/**
 * How often the identity key was replaced.
 */
keyNumber: number, 
/**
 * A rotation was signed here, and the witnesses have not confirmed it yet.
 */
rotating: boolean, 
/**
 * The recovery words are on this device, to be written down.
 */
hasWords: boolean, 
/**
 * New words that are announced and do not count yet.
 */
newWords: Announced | null, 
/**
 * What this profile shows to be added to an identity, while it waits for that.
 */
request: string | null, };

/**
 * One device of the identity.
 */
export type DeviceRow = { 
/**
 * The device key (ed25519), 64 hex digits.
 */
key: string, 
/**
 * Four words of the key, by which a person tells devices apart.
 */
words: Array<string>, number: number, thisDevice: boolean, capabilities: DeviceCapabilities, state: DeviceState, 
/**
 * Two entries were signed for one place of its log: somebody has a copy of its key, or an old copy of its profile
 * wrote again.
 */
forked: boolean, 
/**
 * When it was heard of or wrote last, as far as is known here.
 */
lastSeen: number | null, 
/**
 * What it wrote, newest first; the newest fifty.
 */
entries: Array<DeviceEntry>, 
/**
 * How many entries of it are here.
 */
entryCount: number, };

/**
 * Whether a device acts for its identity.
 */
export type DeviceState = "active" | "revoked";

/**
 * Something a module asks for or offers.
 */
export type Extern = { 
/**
 * The namespace of an import; none for exports and in components.
 */
module: string | null, name: string, } & ({ "kind": "function", params: Array<string>, results: Array<string>, } | { "kind": "memory" } | { "kind": "table" } | { "kind": "global" } | { "kind": "tag" } | { "kind": "componentFunction" } | { "kind": "instance" } | { "kind": "component" } | { "kind": "module" } | { "kind": "type" } | { "kind": "value" });

/**
 * A refused or failed command. Whatever it was, the state is as it was before.
 */
export type Failure = { code: FailureCode, 
/**
 * What happened, as a sentence.
 */
message: string, 
/**
 * What the person can do about it, as a sentence.
 */
advice: string, };

/**
 * Stable codes; in JavaScript `error.code` is the camelCase text.
 */
export type FailureCode = "nameInvalid" | "nameTaken" | "nameCoolingDown" | "tooManyNames" | "noName" | "noIdentity" | "identityExists" | "identityForked" | "profileInvalid" | "avatarInvalid" | "locked" | "wrongPassphrase" | "weakPassphrase" | "wrongWords" | "phraseInvalid" | "wordsGone" | "noIdentityKey" | "wordsReplaced" | "identityNotFound" | "deviceTextInvalid" | "deviceUnknown" | "tooManyDevices" | "alreadyAnswered" | "notAllowed" | "declined" | "backupDamaged" | "backupTooLarge" | "backupNewer" | "backupOtherNetwork" | "documentFull" | "confirmationWrong" | "contentMissing" | "contentInvalid" | "storageFull" | "storageFailed" | "storageLost" | "reloadNeeded" | "unknownNetwork" | "tooManyNetworks" | "noNetwork" | "noWriter" | "moduleInvalid" | "versionInvalid" | "versionTaken" | "notYourModule" | "tooManyModules" | "unknownModule" | "nameContested" | "dependencyUnknown" | "unresolvable" | "newImports" | "wrongBytes" | "lockfileInvalid" | "runFailed" | "runTimedOut" | "neededByOthers" | "blocked" | "unknownUser" | "channelInvalid" | "notInChannel" | "tooManyChannels" | "textInvalid" | "tooFast" | "invalidArgument" | "internal";

/**
 * What looking for a name came to.
 */
export type FindReport = { kind: NameKind, 
/**
 * The name as asked for, prepared.
 */
asked: string, 
/**
 * `None` if no peer had anything about the name.
 */
answeredBy: AnsweredBy | null, 
/**
 * The holder of the name, proven by signatures.
 */
found: FoundName | null, 
/**
 * It was given up; from then on it is free for everyone.
 */
freeAt: number | null, 
/**
 * Connected peers that were asked.
 */
peersAsked: number, 
/**
 * Whether the wider network could be asked: some relay is connected.
 */
networkAsked: boolean, 
/**
 * Peers that are being connected to because they may have the rest.
 */
sought: number, };

export type FollowRow = { subject: string, since: number, 
/**
 * How somebody is called now.
 */
username: string | null, };

/**
 * A name and what is proven of it.
 */
export type FoundName = { 
/**
 * As its holder spells it.
 */
name: string, 
/**
 * The holder, `did:gen:…`.
 */
did: string, 
/**
 * 64 hex digits.
 */
publicKey: string, registeredAt: number, status: NameStatus, 
/**
 * A module's newest release.
 */
release: FoundRelease | null, };

export type FoundRelease = { version: string, 
/**
 * Of the file, 64 hex digits.
 */
sha256: string, 
/**
 * Bytes.
 */
size: number, publishedAt: number, withdrawn: boolean, };

/**
 * An end of a name that was announced and is not final yet.
 */
export type GivingUp = { 
/**
 * When it becomes final; none until the witnesses have seen it.
 */
finalAt: number | null, };

/**
 * One step in the story of somebody's names, oldest first.
 */
export type HistoryEntry = { username: string, claimedAt: number, 
/**
 * When it was given up, if it was.
 */
releasedAt: number | null, outcome: HistoryOutcome, };

export type HistoryOutcome = { "outcome": "held" } | { "outcome": "released" } | { "outcome": "lost", reason: LossReason, } | { "outcome": "pending" };

export type Imported = { me: Me, 
/**
 * Changes that were new to this device.
 */
newChanges: number, 
/**
 * When the backup was made.
 */
exportedAt: number, };

/**
 * What an installation would come to, in the order in which it is done.
 */
export type InstallPlan = { steps: Array<PlannedModule>, 
/**
 * Bytes that are not on this device yet.
 */
toFetch: number, };

/**
 * How far an installation is.
 */
export type InstallProgress = { name: string, version: string, stage: InstallStage, 
/**
 * Bytes here, and in all.
 */
done: number, total: number, };

export type InstallStage = "fetching" | "verifying" | "installed";

export type InstalledModule = { name: string, 
/**
 * What was asked for; none for what others need.
 */
requirement: string | null, neededBy: Array<string>, installedAt: number, 
/**
 * Imports, as `namespace.name`.
 */
imports: Array<string>, 
/**
 * A newer version.
 */
update: string | null, version: string, 
/**
 * The hash that names the release permanently.
 */
release: string, 
/**
 * Of the file, 64 hex digits.
 */
sha256: string, 
/**
 * Bytes.
 */
size: number, author: Author, withdrawn: WithdrawnInfo | null, };

/**
 * How much of what a device wrote goes on to count. What witnesses have confirmed counts in any case.
 */
export type LastGood = "everything" | { "entry": { id: string, } } | "nothing";

/**
 * Why a claim does not hold its name.
 */
export type LossReason = "pending" | "notConfirmed" | "claimedLater" | "withdrawn" | "otherPlace" | "contested" | "alreadyHeld";

export type LostName = { name: string, holder: UsernameEntry | null, 
/**
 * Why the other claim holds.
 */
reason: LossReason, };

/**
 * This profile.
 */
export type Me = { 
/**
 * `did:gen:z…`; none before the first write made an identity.
 */
did: string | null, 
/**
 * The present identity key (ed25519), 64 hex digits.
 */
publicKey: string | null, 
/**
 * The name this profile holds, or the one that it is to get, as `name_status` says.
 */
username: string | null, 
/**
 * Other names that it holds.
 */
otherUsernames: Array<string>, 
/**
 * The name that this profile is to go by next, while it goes by one that it holds.
 */
nextUsername: string | null, nameStatus: NameStatus | null, 
/**
 * Set while the name is being given up. Registering it again takes that back.
 */
givingUp: GivingUp | null, registeredAt: number | null, 
/**
 * Set when a claim of this profile lost and nothing has been claimed since.
 */
lostName: LostName | null, 
/**
 * This device's log has two entries for one place, so it takes no more; another device of the identity can go on.
 */
forked: boolean, profile: Profile, history: Array<HistoryEntry>, 
/**
 * Eight words that two people can compare aloud.
 */
safetyWords: Array<string>, protection: Protection, 
/**
 * True once the person typed the asked words of the recovery phrase.
 */
phraseChecked: boolean, lastBackupAt: number | null, 
/**
 * How many changes the document has, and its size in bytes.
 */
changes: number, documentBytes: number, };

export type Memory = { 
/**
 * Bytes.
 */
minimum: number, maximum: number | null, shared: boolean, imported: boolean, };

/**
 * Some of what was said in a channel, oldest first.
 */
export type MessagePage = { channel: ChannelEntry, messages: Array<ChatMessage>, 
/**
 * Hand it back to get what was said before; none when nothing earlier is here.
 */
before: string | null, };

/**
 * A module in a list.
 */
export type ModuleCard = { name: string, title: string | null, description: string | null, tags: Array<string>, version: string, publishedAt: number, size: number, holder: Author, opinion: RatingSummary, importsNothing: boolean, deprecated: boolean, 
/**
 * The installed version.
 */
installed: string | null, };

export type ModuleDetails = { 
/**
 * What the newest version asks for, as its author says: `namespace.name`.
 */
imports: Array<string>, 
/**
 * The functions it offers, as its author says.
 */
exports: Array<string>, title: string | null, description: string | null, 
/**
 * An SPDX expression by convention, as `MIT OR Apache-2.0`.
 */
license: string | null, 
/**
 * Where the source is, a web address.
 */
repository: string | null, 
/**
 * The CID of the block with the text, in Markdown.
 */
readme: string | null, tags: Array<string>, 
/**
 * The reason to begin no new use of the module.
 */
deprecated: string | null, };

export type ModuleFilter = { tag: string | null, 
/**
 * `did:gen:…` of the holder.
 */
owner: string | null, importsNothing: boolean, 
/**
 * A function that it must offer.
 */
exports: string | null, };

/**
 * What a file is.
 */
export type ModuleKind = "module" | "component";

/**
 * A page of modules.
 */
export type ModuleList = { modules: Array<ModuleCard>, 
/**
 * Hand it back to get the next page; none on the last one.
 */
cursor: number | null, total: number, };

/**
 * One module's page.
 */
export type ModulePage = { 
/**
 * As its holder spells it.
 */
name: string, holder: Author, status: NameStatus, mine: boolean, details: ModuleDetails, 
/**
 * The newest version that is no pre-release and not withdrawn.
 */
latest: string | null, 
/**
 * Newest first.
 */
versions: Array<VersionEntry>, 
/**
 * Releases that do not count.
 */
refused: Array<RefusedVersion>, 
/**
 * Everything that the newest version comes with, itself at the end; each after what it needs.
 */
needed: Array<NeededModule>, 
/**
 * Why the newest version can't be installed.
 */
unresolved: Failure | null, 
/**
 * Modules whose newest version needs this one.
 */
dependents: Array<Requirement>, opinion: RatingSummary, reviews: Array<Review>, installed: InstalledModule | null, 
/**
 * The person blocks it, or the holder of its name.
 */
blocked: boolean, answeredBy: AnsweredBy, };

/**
 * What to change of a description. Absent: leave it. An empty text or list takes the value away.
 */
export type ModulePatch = { title?: string, description?: string, license?: string, repository?: string, 
/**
 * Markdown, at most one block.
 */
readme?: string, tags?: Array<string>, deprecated?: string, };

/**
 * One module of a ranking, and what it is ranked by.
 */
export type ModuleRank = { name: string, count: number, };

export type ModuleSort = "recent" | "popular" | "rated" | "name" | "relevance";

/**
 * What a name is for. Names of different kinds do not collide.
 */
export type NameKind = "username" | "module";

export type NameStatus = "intent" | "pending" | "provisional" | "confirmed" | "contested";

export type NeededModule = { name: string, version: string, 
/**
 * Names, of those in the same list.
 */
needs: Array<string>, };

/**
 * The name and topic of a network. Anybody may found one of the same name, so a name is never shown alone.
 */
export type NetworkName = { 
/**
 * As its founder named it; two networks may have one name.
 */
name: string, 
/**
 * 64 hex digits.
 */
topic: string, };

/**
 * Peers and relays as they are now.
 */
export type NetworkReport = { connection: ConnectionState, 
/**
 * This profile's node (a libp2p peer id); none without a network.
 */
node: string | null, 
/**
 * As its founder named it.
 */
name: string, 
/**
 * The network's topic: the digest of its genesis, 64 hex digits.
 */
topic: string, 
/**
 * When it was founded, as its founder says. 0: the built-in network.
 */
createdAt: number, 
/**
 * Its waits are too short for names that matter.
 */
forTests: boolean, 
/**
 * `did:gen:…` of those whose receipts confirm names, and how many receipts it takes.
 */
witnesses: Array<string>, threshold: number, 
/**
 * How many witnesses may be lost before nothing new is confirmed.
 */
mayLose: number, 
/**
 * How many witnesses may lie before a name can be confirmed for two.
 */
mayLie: number, 
/**
 * The digests of the changes of the witnesses that this device follows, in order.
 */
changes: Array<string>, relays: Array<RelayEntry>, 
/**
 * Longest connected first.
 */
peers: Array<PeerEntry>, 
/**
 * Own changes that were not announced yet, because no peer was connected.
 */
unsent: number, 
/**
 * Rules that peers broke, and how often, since the page was opened.
 */
rejections: Array<[Rejection, number]>, 
/**
 * Why what the page's server says of its network is left aside.
 */
leftAside: ParametersError | null, 
/**
 * The networks of this browser, each with a profile of its own.
 */
networks: Array<NetworkName>, 
/**
 * The topic of the network to which the link belongs that opened this page, if that is another one.
 */
linked: string | null, 
/**
 * The newest change of the witnesses that this device follows, or the topic: what a link carries.
 */
newest: string, 
/**
 * This browser also has a profile of an earlier version of the program. It is left as it is, and not used.
 */
earlierProfile: boolean, };

/**
 * What a search found on this device and beyond it.
 */
export type NetworkSearchResults = { 
/**
 * First those that this device found, then what others named, the best first.
 */
modules: Array<SearchedModule>, 
/**
 * Modules that this device found in all.
 */
totalOnDevice: number, 
/**
 * False while the index of this device is not ready.
 */
complete: boolean, 
/**
 * Connected peers that were asked.
 */
peersAsked: number, 
/**
 * How many of them gave an answer whose proofs are valid.
 */
peersAnswered: number, 
/**
 * Whether the wider network was asked for a module of exactly this name.
 */
networkAsked: boolean, 
/**
 * Why nobody was asked.
 */
notAsked: NotAsked | null, };

/**
 * What the node emits by itself.
 */
export type NodeEvent = "meChanged" | { "peopleChanged": { dids: Array<string>, } } | { "nameLost": { lost: LostName, } } | { "modulesChanged": { names: Array<string>, } } | { "announcement": { notice: Notice, } } | { "installing": { progress: InstallProgress, } } | "networkChanged" | { "presence": { what: PresenceNews, did: string, username: string | null, node: string | null, channel: string | null, } } | { "message": { message: ChatMessage, muted: boolean, } } | "channelsChanged" | { "conflict": { name: string, holder: string | null, losers: Array<string>, } } | { "quarantined": { table: string, key: string, } } | "writerChanged" | "reloadNeeded" | { "storageClosed": { outcome: StorageOutcome, } };

/**
 * Why a search asked nobody.
 */
export type NotAsked = "nobodyConnected" | "nothingIsProven" | "tooOften";

/**
 * Something new about a followed person, module or tag.
 */
export type Notice = { id: number, 
/**
 * When this device received it.
 */
at: number, kind: NoticeKind, 
/**
 * Who did it.
 */
who: Author, module: string | null, version: string | null, 
/**
 * The new username, or why something is to be avoided.
 */
text: string | null, read: boolean, };

export type NoticeKind = "release" | "yank" | "compromised" | "advisory" | "username" | "moduleName";

/**
 * The newest first.
 */
export type NoticeList = { notices: Array<Notice>, unread: number, };

/**
 * One node of somebody.
 */
export type OnlineDevice = { 
/**
 * Its peer id.
 */
node: string, 
/**
 * It is this one.
 */
here: boolean, 
/**
 * When its last heartbeat was received.
 */
seenAt: number, 
/**
 * When it counts as offline unless another heartbeat is received.
 */
expiresAt: number, channels: Array<string>, };

/**
 * Who is online, seen from here. Times are by this device's clock.
 */
export type OnlineReport = { 
/**
 * Others see this profile as online.
 */
visible: boolean, 
/**
 * The setting; `visible` may be false for other reasons (no identity yet, a locked key, said goodbye).
 */
invisible: boolean, users: Array<OnlineUser>, };

export type OnlineUser = { channels: Array<string>, devices: Array<OnlineDevice>, did: string, 
/**
 * The present identity key (ed25519), 64 hex digits.
 */
publicKey: string, 
/**
 * The name they hold, as far as is known here.
 */
username: string | null, displayName: string | null, 
/**
 * The CID of the picture's block.
 */
avatar: string | null, 
/**
 * It is this profile's own person.
 */
mine: boolean, };

/**
 * Why what a server says of its network is left aside. Worded as half a sentence about that server.
 */
export type ParametersError = { "version": number } | "genesis" | { "setChange": number } | { "rival": number } | { "behind": { served: number, known: number, } } | "iceServer" | "tooMuch" | "linkUnknown" | { "otherNetwork": NetworkName };

export type PeerCount = { at: number, peers: number, };

/**
 * A peer with a direct connection.
 */
export type PeerEntry = { 
/**
 * A libp2p peer id: the node, not the person.
 */
id: string, since: number, 
/**
 * This side dialled.
 */
dialled: boolean, 
/**
 * What program it says it is.
 */
agent: string | null, roundTripMillis: number | null, 
/**
 * None where it could not be measured, and in a native node.
 */
path: ConnectionPath | null, syncing: boolean, 
/**
 * Changes it brought that were new here.
 */
brought: number, 
/**
 * Rules it broke since the page was opened, and how often.
 */
rejections: Array<[Rejection, number]>, 
/**
 * What it has earned here, over all times.
 */
reputation: Reputation, 
/**
 * The person trusts it.
 */
trusted: boolean, };

export type PlannedModule = { name: string, 
/**
 * Who needs it; empty for what was asked for.
 */
neededBy: Array<string>, 
/**
 * The version that is installed now.
 */
installed: string | null, here: boolean, version: string, 
/**
 * The hash that names the release permanently.
 */
release: string, 
/**
 * Of the file, 64 hex digits.
 */
sha256: string, 
/**
 * Bytes.
 */
size: number, author: Author, withdrawn: WithdrawnInfo | null, };

export type PresenceNews = "online" | "offline" | "joined" | "left" | "nodeUp" | "nodeLeft" | "nodeDown";

/**
 * Why a check failed.
 */
export type Problem = { "problem": "tooLarge", found: number, } | { "problem": "empty" } | { "problem": "notWasm" } | { "problem": "isText" } | { "problem": "unknownVersion", found: number, } | { "problem": "truncated", offset: number, } | { "problem": "invalid", offset: number, message: string, } | { "problem": "tooManyFunctions", found: number, } | { "problem": "tooMuchMemory", found: number, } | { "problem": "tooManyExterns", found: number, } | { "problem": "tooManyNested" };

/**
 * The mutable part of a person's document.
 */
export type Profile = { displayName: string | null, bio: string | null, 
/**
 * The CID of the picture's block.
 */
avatar: string | null, links: Array<string>, joinedAt: number | null, };

/**
 * What to change. Absent: leave it. An empty text, list or picture takes the value away.
 */
export type ProfileChanges = { displayName?: string, bio?: string, 
/**
 * PNG, JPEG, WebP or GIF bytes, at most one block.
 */
avatar: Uint8Array, links?: Array<string>, };

export type Protection = "none" | "browser" | "unlocked" | "locked";

export type Published = { name: string, version: string, 
/**
 * The hash that names the release permanently; empty while it is only wanted.
 */
release: string, 
/**
 * It waits on this device until a witness of the network can be asked.
 */
wanted: boolean, sha256: string, size: number, 
/**
 * The name was taken with this release.
 */
claimed: boolean, 
/**
 * Peers that were connected when it was announced.
 */
peers: number, };

export type RatingSummary = { 
/**
 * Mean of the ratings that count, 1 to 5. Those of people whose name witnesses confirmed at least seven days ago
 * count; where nothing confirms names, everybody's.
 */
stars: number | null, 
/**
 * How many count.
 */
ratings: number, 
/**
 * Installs that count. An estimate: what people say of themselves.
 */
downloads: number, 
/**
 * Ratings of people without such a name. They change neither stars nor order.
 */
ratingsApart: number, 
/**
 * Installs of people without such a name.
 */
downloadsApart: number, };

export type RefusedVersion = { version: string, release: string, author: Author, reason: ReleaseRefusal, };

/**
 * A rule that a peer broke.
 */
export type Rejection = { "malformed": DecodeError } | "oversized" | "outOfOrder" | "foreignTopic" | "otherParameters" | "unasked" | "stalled" | "comparison" | "forged" | "badChange" | "tooManyMessages" | "tooManyAnnouncements" | "tooManyRequests" | "wrongBlock" | "wrongRecord" | "spoofed" | "replayed" | "misdated" | "tooManyHeartbeats" | "tooManyMessagesOfAuthor";

export type RelayEntry = { 
/**
 * A multiaddress.
 */
address: string, 
/**
 * This device uses it, or tries to; others of the network are asked now and then.
 */
used: boolean, connected: boolean, 
/**
 * Others can find this node through it.
 */
reserved: boolean, };

/**
 * Why a release does not count.
 */
export type ReleaseRefusal = "notHolder" | "unconfirmed" | "versionTaken";

/**
 * All that can be said of a file without running it.
 */
export type Report = { bytes: number, 
/**
 * SHA-256.
 */
digest: string, 
/**
 * None for what is no WebAssembly.
 */
kind: ModuleKind | null, 
/**
 * One for each check that was made.
 */
outcomes: Array<CheckOutcome>, imports: Array<Extern>, exports: Array<Extern>, memories: Array<Memory>, functions: number, custom: Array<Custom>, 
/**
 * What the file says of itself, by name: those of [`METADATA`], and `name` from its name section.
 */
metadata?: { [key in string]: string }, 
/**
 * It runs something as soon as it is instantiated.
 */
startsByItself: boolean, };

/**
 * What somebody has earned with this device.
 */
export type Reputation = { 
/**
 * Between 0 and 1; 0.5 without any evidence.
 */
score: number, 
/**
 * It is below what one should rely on.
 */
low: boolean, reasons: Array<ReputationReason>, };

/**
 * What acts come under; see `sync::reputation`.
 */
export type ReputationKind = "brought" | "served" | "late" | "unruly" | "abusive" | "false";

export type ReputationReason = { kind: ReputationKind, times: number, lastAt: number, };

/**
 * A name and which versions of it will do, as Cargo reads requirements; `*` for any.
 */
export type Requirement = { name: string, requirement: string, };

export type Review = { author: Author, stars: number, text: string, at: number, version: string | null, mine: boolean, 
/**
 * It is one of the ratings that count.
 */
counted: boolean, };

/**
 * What a call returned.
 */
export type RunOutcome = { values: Array<RunValue>, 
/**
 * The result as a text, if it was asked for.
 */
text: string | null, millis: number, };

export type RunValue = { 
/**
 * `i32`, `i64`, `f32`, `f64`.
 */
kind: string, 
/**
 * In decimal.
 */
value: string, };

/**
 * What a search found.
 */
export type SearchResults = { modules: Array<ModuleCard>, 
/**
 * People whose names begin with the text, a few.
 */
people: Array<UsernameEntry>, 
/**
 * Modules in all.
 */
total: number, 
/**
 * Hand it back to get the next page; none on the last one.
 */
cursor: number | null, 
/**
 * False while the index is not ready: only substrings were matched. `ModulesChanged` is emitted when it is.
 */
complete: boolean, };

/**
 * A module that a search found, and where.
 */
export type SearchedModule = { 
/**
 * This device has the module's records.
 */
onDevice: boolean, 
/**
 * Peers that named it.
 */
peers: number, 
/**
 * The wider network has a record of its name.
 */
network: boolean, name: string, title: string | null, description: string | null, tags: Array<string>, version: string, publishedAt: number, size: number, holder: Author, opinion: RatingSummary, importsNothing: boolean, deprecated: boolean, 
/**
 * The installed version.
 */
installed: string | null, };

/**
 * Sums of what this device has seen; another device may have seen other things.
 */
export type Statistics = { 
/**
 * When the first of the days begins (UTC).
 */
begins: number, 
/**
 * Usernames that somebody holds, by when they were claimed.
 */
names: DailyCount, 
/**
 * Module names that somebody holds, by when they were claimed.
 */
modules: DailyCount, 
/**
 * Releases, by when they were published.
 */
releases: DailyCount, 
/**
 * By how often they were installed.
 */
popular: Array<ModuleRank>, 
/**
 * By how many other modules need them directly.
 */
needed: Array<ModuleRank>, 
/**
 * Needed by others, and not known here.
 */
missing: Array<ModuleRank>, 
/**
 * Modules that need no other.
 */
independent: number, 
/**
 * Connected peers, at most once a minute since the page was opened.
 */
peers: Array<PeerCount>, };

/**
 * What became of a profile whose storage the browser closed.
 */
export type StorageOutcome = "reopened" | "rewritten" | "withdrawn";

/**
 * One row of the people directory, and what `lookupUsername` gives a script.
 */
export type UsernameEntry = { registeredAt: number, joinedAt: number | null, status: NameStatus, did: string, 
/**
 * The present identity key (ed25519), 64 hex digits.
 */
publicKey: string, 
/**
 * The name they hold, as far as is known here.
 */
username: string | null, displayName: string | null, 
/**
 * The CID of the picture's block.
 */
avatar: string | null, 
/**
 * It is this profile's own person.
 */
mine: boolean, };

export type VersionEntry = { publishedAt: number, 
/**
 * Whether witnesses have seen it.
 */
status: NameStatus, dependencies: Array<Requirement>, 
/**
 * All bytes are on this device.
 */
here: boolean, version: string, 
/**
 * The hash that names the release permanently.
 */
release: string, 
/**
 * Of the file, 64 hex digits.
 */
sha256: string, 
/**
 * Bytes.
 */
size: number, author: Author, withdrawn: WithdrawnInfo | null, };

export type WithdrawnInfo = { reason: string, at: number, 
/**
 * It was published with a device that its author had lost control of, so it may not be the author's.
 */
compromised: boolean, };
