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
