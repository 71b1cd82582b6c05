// The long tasks of a page, as the browser's own trace has them: how long each lay on its thread, and how much of that it had
// a processor. A page's own PerformanceObserver reports the first only. Where attackers, peers and server share the
// processors, most of that is waiting for one. What runs between two looks, while the trace is read, is not seen.

/** What is a long task, in milliseconds (W3C, Long Tasks API). */
export const LONG_MILLIS = 50;
/** The trace of a minute would take more memory than all the rest: it is read and begun again at each look. */
const TRACED = { recordMode: "recordUntilFull", includedCategories: ["toplevel"], excludedCategories: ["*"] };
const TASK = "ThreadControllerImpl::RunTask";

/** Watches the main threads of the pages of one browser. */
export class Tasks {
  /** Each as `{ wall, processor }`, in milliseconds. */
  long = [];

  constructor(session) {
    this.session = session;
  }

  /** Begins to watch, through the inspector's session of a page. */
  static async watch(session) {
    const tasks = new Tasks(session);
    await tasks.#begin();
    return tasks;
  }

  async #begin() {
    await this.session.send("Tracing.start", { transferMode: "ReturnAsStream", traceConfig: TRACED });
  }

  /** Takes note of what there was since the last look. */
  async look({ goesOn = true } = {}) {
    const over = new Promise((resolve) => this.session.once("Tracing.tracingComplete", resolve));
    await this.session.send("Tracing.end");
    const { stream } = await over;
    const parts = [];
    for (let at = { eof: false }; !at.eof; ) {
      at = await this.session.send("IO.read", { handle: stream, size: 1 << 20 });
      parts.push(Buffer.from(at.data, at.base64Encoded ? "base64" : "utf8"));
    }
    await this.session.send("IO.close", { handle: stream });
    if (goesOn) await this.#begin();
    const { traceEvents } = JSON.parse(Buffer.concat(parts).toString());
    const threads = traceEvents.filter(({ name, args }) => name === "thread_name" && args.name === "CrRendererMain");
    const mains = new Set(threads.map(({ pid, tid }) => `${pid} ${tid}`));
    const ofPages = traceEvents.filter(({ name, pid, tid }) => name === TASK && mains.has(`${pid} ${tid}`));
    const long = ofPages.filter(({ dur }) => dur > LONG_MILLIS * 1_000);
    this.long.push(...long.map(({ dur, tdur }) => ({ wall: dur / 1_000, processor: tdur / 1_000 })));
  }
}
