// A native node that a flood meets, and what is asked of it by lines.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readdir, stat, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { createInterface } from "node:readline";

/** Where native programs are that were built as for people: what they take of memory and time is measured. */
export const OPTIMISED = path.join(process.env.CARGO_TARGET_DIR, "release", "examples");
const PROGRAM = path.join(OPTIMISED, "replica");
const MEBIBYTE = 1024 * 1024;

export class Replica {
  /** Starts a node on a folder, with so many strangers and these other limits; with `at` it connects to that address. */
  static async start(t, { folder, network, quota, limits = {}, at }) {
    const file = path.join(folder, "network.json");
    await writeFile(file, JSON.stringify(at ? { ...network, openNodes: [at] } : network));
    const replica = new Replica();
    replica.folder = folder;
    replica.waiting = [];
    replica.child = spawn(PROGRAM, [folder, file, String(quota), JSON.stringify(limits)], { stdio: ["pipe", "pipe", "inherit"] });
    t.after(() => replica.child.kill("SIGKILL"));
    replica.exited = new Promise((resolve) => replica.child.once("exit", resolve));
    const addresses = replica.nextLine();
    createInterface(replica.child.stdout).on("line", (line) => replica.waiting.shift()?.(JSON.parse(line)));
    replica.addresses = await Promise.race([addresses, replica.exited.then((code) => assert.fail(`the replica ended with ${code}`))]);
    return replica;
  }

  nextLine() {
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  /** The answer to a command. */
  async ask(command) {
    const answer = this.nextLine();
    this.child.stdin.write(`${JSON.stringify(command)}\n`);
    const { Ok: ok, Err: error } = await answer;
    assert.equal(error, undefined, JSON.stringify(error));
    return typeof ok === "object" ? Object.values(ok)[0] : ok;
  }

  async change(displayName) {
    return this.ask({ updateProfile: { changes: { displayName } } });
  }

  /** What the holder of a name is called here. */
  async displayNameOf(name) {
    return (await this.ask({ lookupUsername: { name } })).holder?.displayName;
  }

  /** Resident memory and files, in MiB. */
  async used() {
    const status = await readFile(`/proc/${this.child.pid}/status`, "utf8");
    const files = await readdir(this.folder);
    const sizes = await Promise.all(files.map(async (file) => (await stat(path.join(this.folder, file))).size));
    return { memory: Number(/^VmRSS:\s+(\d+)/m.exec(status)[1]) / 1024, stored: sizes.reduce((sum, size) => sum + size, 0) / MEBIBYTE };
  }

  async stop() {
    this.child.stdin.end();
    assert.equal(await this.exited, 0);
  }
}
