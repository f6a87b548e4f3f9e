// One client of a database: what it sends, handed on in whole turns, and what comes back.

import { bodyOf, error, int16, int32, message, query, ready, settings, split, text, typeOf } from "./wire.js";

const COPY_IN = /^\s*COPY\s+([^;]*?)\s+FROM\s+STDIN\b([^;]*);?\s*$/is;
const COPY_COLUMNS = /\(([^)]*)\)\s*$/;
const FORGET_ALL = /^\s*DEALLOCATE\s+ALL\s*;?\s*$/i;
const TOLD = {
  server_version: "17.5",
  server_encoding: "UTF8",
  client_encoding: "UTF8",
  DateStyle: "ISO, MDY",
  IntervalStyle: "postgres",
  TimeZone: "UTC",
  integer_datetimes: "on",
  standard_conforming_strings: "on",
  is_superuser: "on",
};

export class Client {
  #packets = [];
  #copy = null; // the statement, and what has come for it
  #failed = null; // the end of a turn that failed before its Sync

  constructor(database, number, given) {
    this.database = database;
    this.number = number;
    this.settings = [...settings(given.options), ["application_name", given.application_name ?? ""]];
    database.join(this);
  }

  greeting() {
    const told = Object.entries(TOLD).map(([name, value]) => message("S", name, value));
    const key = message("K", int32(this.number), int32(0));
    return Buffer.concat([message("R", int32(0)), ...told, key, ready("I")]);
  }

  // The answer to one message; nothing where more of the turn is to come.
  async take(packet) {
    const type = typeOf(packet);
    if (this.#copy) return this.#takeCopy(type, packet);
    if (type === "Q") return this.#takeQuery(packet);
    this.#packets.push(this.#own(type, packet));
    if (type !== "S" && type !== "H") return null;
    const packets = this.#packets.splice(0);
    if (this.#failed) return type === "S" ? this.#end() : null;
    const answer = await this.database.run(this, packets);
    return type === "H" ? this.#withoutEnd(answer) : answer;
  }

  async #takeQuery(packet) {
    const [statement] = text(bodyOf(packet));
    const copy = COPY_IN.exec(statement);
    if (copy) {
      const binary = /\bBINARY\b/i.test(copy[2]);
      this.#copy = { statement: `COPY ${copy[1]} FROM '/dev/blob' ${copy[2]}`, data: [] };
      const columns = COPY_COLUMNS.exec(copy[1])?.[1].split(",").length ?? 0;
      const formats = Array.from({ length: columns }, () => int16(binary ? 1 : 0));
      return message("G", Buffer.from([binary ? 1 : 0]), int16(columns), ...formats);
    }
    // The others' would go, too. Names of a client are never used again.
    const sent = FORGET_ALL.test(statement) ? query("SELECT 1 WHERE false") : packet;
    const answer = await this.database.run(this, [sent]);
    if (sent === packet) return answer;
    const end = split(answer)[0].at(-1);
    return Buffer.concat([message("C", "DEALLOCATE ALL"), end]);
  }

  async #takeCopy(type, packet) {
    if (type === "d") this.#copy.data.push(bodyOf(packet));
    if (type !== "c" && type !== "f") return null;
    const { statement, data } = this.#copy;
    this.#copy = null;
    if (type === "c") return this.database.copy(this, statement, Buffer.concat(data));
    const why = `COPY from stdin failed: ${text(bodyOf(packet))[0]}`.replaceAll("'", "''");
    return this.database.run(this, [query(`DO $_$ BEGIN RAISE '${why}' USING ERRCODE = '57014'; END $_$`)]);
  }

  // Prepared statements belong to a client, by the name of each.
  #own(type, packet) {
    const body = bodyOf(packet);
    const before = { P: 0, B: text(body)[1], D: 1, C: 1 }[type];
    if (before === undefined || ("DC".includes(type) && body[0] !== "S".charCodeAt(0))) return packet;
    const [name, after] = text(body, before);
    return name ? message(type, body.subarray(0, before), `${this.number}${name}`, body.subarray(after)) : packet;
  }

  // The WASM ends a turn at an error. By the protocol it is the client that ends it.
  #withoutEnd(answer) {
    const packets = split(answer)[0];
    if (packets.length && typeOf(packets.at(-1)) === "Z") this.#failed = packets.pop();
    return Buffer.concat(packets);
  }

  #end() {
    const end = this.#failed;
    this.#failed = null;
    return end;
  }
}
