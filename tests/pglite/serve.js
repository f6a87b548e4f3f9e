// TimescaleDB's community edition as a server on loopback: node serve.js PORT
//
// Any user and password will do. The database `postgres` knows CREATE DATABASE name [TEMPLATE name] and DROP DATABASE.

import { createServer } from "node:net";
import { Client } from "./client.js";
import { BUSY, Database } from "./database.js";
import * as wire from "./wire.js";

const CREATE = /^\s*CREATE DATABASE "?(\w+)"?(?: TEMPLATE "?(\w+)"?)?/i;
const DROP = /^\s*DROP DATABASE (?:IF EXISTS )?"?(\w+)"?/i;
const FIRST = "template1";
const databases = new Map();
const dumps = new Map();
let clients = 0;

// Nobody may be connected to a template, so what it holds does not change once it is one.
async function create(name, template = FIRST) {
  if (!dumps.has(template)) dumps.set(template, await databases.get(template).dump());
  databases.set(name, await Database.make(dumps.get(template)));
}

async function drop(name) {
  await databases.get(name)?.close();
  databases.delete(name);
  dumps.delete(name);
}

// Stands in for the database `postgres`.
const maintenance = {
  join() {},
  leave() {},
  async run(_client, [packet]) {
    const [statement] = wire.text(wire.bodyOf(packet));
    const made = CREATE.exec(statement);
    const dropped = DROP.exec(statement);
    if (made) await create(made[1], made[2]);
    if (dropped) await drop(dropped[1]);
    const answer = made || dropped ? wire.message("C", "DATABASE") : wire.error("0A000", "only databases are made here");
    return Buffer.concat([answer, wire.ready("I")]);
  },
};

async function greet(socket, packet) {
  const code = packet.readInt32BE(4);
  if (code === wire.CANCEL_REQUEST) return socket.end();
  if (code === wire.SSL_REQUEST || code === wire.GSS_REQUEST) return void socket.write("N");
  const given = wire.startup(packet.subarray(4));
  const database = given.database === "postgres" ? maintenance : databases.get(given.database);
  if (!database) return void socket.end(wire.error("3D000", `database "${given.database}" does not exist`, "FATAL"));
  clients += 1;
  const client = new Client(database, clients, given);
  socket.write(client.greeting());
  return client;
}

async function serve(socket) {
  let left = Buffer.alloc(0);
  let client;
  try {
    for await (const bytes of socket) {
      left = Buffer.concat([left, bytes]);
      while (!client && left.length >= 8 && left.length >= left.readInt32BE(0)) {
        const length = left.readInt32BE(0);
        client = await greet(socket, left.subarray(0, length));
        left = left.subarray(length);
      }
      if (!client) continue;
      const [packets, rest] = wire.split(left);
      left = rest;
      for (const packet of packets) {
        if (wire.typeOf(packet) === "X") return;
        const answer = await client.take(packet);
        if (answer) socket.write(answer);
        if (answer === BUSY) return;
      }
    }
  } finally {
    await client?.database.leave(client);
    socket.end();
  }
}

databases.set(FIRST, await Database.make());
createServer((socket) => {
  socket.setNoDelay(true);
  serve(socket).catch((reason) => {
    if (reason.code !== "ECONNRESET" && reason.code !== "EPIPE") console.error(reason);
    socket.destroy();
  });
}).listen(Number(process.argv[2]), "127.0.0.1");
