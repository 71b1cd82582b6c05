// A page that runs automerge-repo: IndexedDB below it, one WebRTC data channel beside it. Signalling is the bench's.

import { Automerge, NetworkAdapter, Repo, cbor, initializeWasm } from "@automerge/automerge-repo/slim";
import { IndexedDBStorageAdapter } from "@automerge/automerge-repo-storage-indexeddb";

/** More waits here, not in the channel: the browser closes a channel whose buffer overflows. */
const BUFFERED_MAX_BYTES = 1 << 20;
/** Documents written at once. */
const AT_ONCE = 256;

class Channel extends NetworkAdapter {
  #channel;
  #waiting = [];

  constructor(channel) {
    super();
    this.#channel = channel;
    channel.binaryType = "arraybuffer";
    channel.bufferedAmountLowThreshold = BUFFERED_MAX_BYTES / 2;
    channel.onbufferedamountlow = () => this.#flush();
    channel.onmessage = ({ data }) => this.emit("message", cbor.decode(new Uint8Array(data)));
    channel.onclose = () => this.emit("close");
  }

  isReady() {
    return true;
  }

  async whenReady() {}

  connect(peerId) {
    this.peerId = peerId;
    // Without a storage id the state of the sync is not kept on disk.
    this.emit("peer-candidate", { peerId: peerId === "giver" ? "joiner" : "giver", peerMetadata: {} });
  }

  send(message) {
    this.#waiting.push(cbor.encode(message));
    this.#flush();
  }

  disconnect() {
    this.#channel.close();
  }

  #flush() {
    while (this.#waiting.length > 0 && this.#channel.bufferedAmount < BUFFERED_MAX_BYTES) {
      this.#channel.send(this.#waiting.shift());
    }
  }
}

const connection = new RTCPeerConnection();

/** A description with its candidates inside. */
async function described(description) {
  const gathered = new Promise((done) => {
    connection.onicecandidate = ({ candidate }) => candidate === null && done();
  });
  await connection.setLocalDescription(description);
  await gathered;
  return JSON.stringify(connection.localDescription);
}

const repos = (peerId, network) => new Repo({ peerId, network, storage: new IndexedDBStorageAdapter() });

/** What `tests/support/crowd.rs` writes about a person. Immutable strings: no text that is edited letter by letter. */
function person(nth) {
  const text = (value) => new Automerge.ImmutableString(value);
  const fact = crypto.getRandomValues(new Uint8Array(122));
  const hash = Array.from(crypto.getRandomValues(new Uint8Array(32)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  return {
    profile: {
      joined_at: 1_800_000_000_000,
      display_name: text(`Person number ${nth}`),
      bio: text("Writes small modules and talks about them."),
    },
    modules: {},
    ratings: {},
    installs: {},
    facts: { [hash]: fact },
  };
}

globalThis.bench = {
  start: () => initializeWasm(fetch("/automerge.wasm")),

  /** Writes so many documents to the disk; resolves to their ids. */
  async fill(count) {
    const repo = repos("giver", []);
    const urls = [];
    for (let at = 0; at < count; at += AT_ONCE) {
      const numbers = Array.from({ length: Math.min(AT_ONCE, count - at) }, (_, n) => at + n);
      const handles = numbers.map((nth) => repo.create(person(nth)));
      const ids = handles.map((handle) => handle.documentId);
      await repo.flush(ids);
      urls.push(...handles.map((handle) => handle.url));
    }
    return urls;
  },

  /** The joiner's side: makes the channel. */
  offer() {
    const channel = connection.createDataChannel("automerge-repo");
    globalThis.opened = new Promise((done) => (channel.onopen = done)).then(() => channel);
    return connection.createOffer().then(described);
  },

  /** The giver's side: serves its documents as soon as the channel is open. */
  async answer(offer) {
    connection.ondatachannel = ({ channel }) => (globalThis.repo = repos("giver", [new Channel(channel)]));
    await connection.setRemoteDescription(JSON.parse(offer));
    return described(await connection.createAnswer());
  },

  accept: (answer) => connection.setRemoteDescription(JSON.parse(answer)),

  /** Gets all of these documents, stored; resolves to the times in milliseconds since the channel opened. */
  async join(urls, most) {
    const channel = await globalThis.opened;
    const begin = performance.now();
    const repo = repos("joiner", [new Channel(channel)]);
    // Before it knows the giver, it says of every document that nobody has it.
    await new Promise((done) => repo.networkSubsystem.once("peer", done));
    let first, next = 0;
    const fetchOne = async () => {
      while (next < urls.length) {
        const handle = await repo.find(urls[next++]);
        first ??= performance.now() - begin;
        if (handle.doc()?.profile?.display_name === undefined) throw new Error("a document came empty");
      }
    };
    await Promise.all(Array.from({ length: most }, fetchOne));
    const ready = performance.now() - begin;
    await repo.flush();
    return { first, ready, stored: performance.now() - begin };
  },

  /** Documents on the disk of this profile. */
  async stored() {
    const request = indexedDB.open("automerge");
    const database = await new Promise((done) => (request.onsuccess = () => done(request.result)));
    const keys = database.transaction("documents").objectStore("documents").getAllKeys();
    await new Promise((done) => (keys.onsuccess = done));
    database.close();
    return new Set(keys.result.map(([document]) => document).filter((id) => id !== "storage-adapter-id")).size;
  },
};
globalThis.loaded = true;
