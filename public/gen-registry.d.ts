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
  lookupUsername(name: string): Promise<(UsernameEntry & { redirectedFrom: string | null }) | null>;

  /** People in the order of their names. */
  listAllUsernames(options?: { prefix?: string; limit?: number; cursor?: string }): Promise<UsernameList>;

  /** Peers connected now. */
  getPeerCount(): Promise<number>;

  /** The peers connected now, each directly. */
  getPeers(): Promise<Peer[]>;

  /** Peers, relays and the network's parameters. */
  getNetwork(): Promise<NetworkReport>;

  /** Makes the person and tries to claim the name; `lostName` in the answer says when it was taken. */
  setupUser(name?: string, userData?: ProfileChanges): Promise<Me>;

  /** Changes the profile; a `username` renames. Rejects with `nameTaken` when the new name is somebody else's. */
  updateProfile(changes: ProfileChanges & { username?: string }): Promise<Me>;

  /** The bytes of a picture (`avatar`), or `null` when neither this device nor a connected peer has them. */
  readBlock(cid: string): Promise<Uint8Array | null>;

  /** Key, document and picture in one encrypted file. The passphrase has at least 8 characters. */
  exportBackup(passphrase: string): Promise<Uint8Array>;

  /** Takes in a backup, or changes nothing and rejects. */
  importBackup(bytes: Uint8Array, passphrase: string): Promise<{ me: Me; newChanges: number; exportedAt: number }>;

  /** Calls `listener` with every event. Call the returned function to stop. */
  subscribe(listener: (event: RegistryEvent) => void): () => void;

  /**
   * As `subscribe`, for events of one kind: `change` (this profile or people), `peer` (peers and relays), `conflict`
   * (two people claim one name).
   */
  on(kind: "change" | "peer" | "conflict", listener: (event: RegistryEvent) => void): () => void;
}

export interface Peer {
  /** A libp2p peer id: the node, not the person. */
  id: string;
  since: number;
  /** This side dialled. */
  dialled: boolean;
  agent: string | null;
  roundTripMillis: number | null;
  /** Registries are being compared or fetched right now. */
  syncing: boolean;
  /** Changes it brought that were new here. */
  brought: number;
  /** Rules it broke, as sentences, and how often. */
  rejections: [string, number][];
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
  relays: { address: string; connected: boolean; reserved: boolean }[];
  peers: Peer[];
  /** Own changes made while no peer was there. */
  unsent: number;
  rejections: [string, number][];
}

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
  lostName: { name: string; holder: UsernameEntry | null; reason: string } | null;
  profile: { displayName: string | null; bio: string | null; avatar: string | null; links: string[]; joinedAt: number | null };
  history: HistoryEntry[];
  safetyWords: string[];
  protection: "none" | "unlocked" | "locked";
  phraseChecked: boolean;
  lastBackupAt: number | null;
  changes: number;
  documentBytes: number;
}

export interface HistoryEntry {
  username: string;
  claimedAt: number;
  releasedAt: number | null;
  outcome: { outcome: "held" | "released" | "heldBack" } | { outcome: "lost"; reason: string };
}

export type RegistryEvent =
  | { event: "meChanged" }
  | { event: "peopleChanged"; dids: string[] }
  | { event: "nameLost"; lost: NonNullable<Me["lostName"]> }
  | { event: "networkChanged" }
  | { event: "conflict"; name: string; holder: string | null; losers: string[] }
  | { event: "quarantined"; table: string; key: string }
  | { event: "writerChanged" }
  | { event: "reloadNeeded" };

export type ErrorCode =
  | "nameInvalid" | "nameTaken" | "nameCoolingDown" | "tooManyNames" | "noName"
  | "noIdentity" | "identityExists" | "profileInvalid" | "avatarInvalid"
  | "locked" | "wrongPassphrase" | "weakPassphrase" | "wrongWords" | "phraseInvalid"
  | "backupDamaged" | "backupTooLarge" | "backupNewer" | "backupOtherNetwork"
  | "documentFull" | "confirmationWrong" | "contentMissing" | "contentInvalid" | "storageFull" | "storageFailed" | "reloadNeeded"
  | "noWriter" | "invalidArgument" | "internal";

declare global {
  var genRegistry: GenRegistry;
}
