// Every client there is. Each is opened with the address of the server and the ears of its person:
//
//   event(event)   an event of the mailbox has come
//   failed(why)    something happened that must not happen
//
// and then knows
//
//   send(command)  hands over say, next or leave; resolves when that is done, rejects when refused
//   goesBy(way)    resolves when it goes by "websocket" or "polling", where it has the choice
//   leave()        goes for good, as its users go; what was sent before is still said
//   end()          ends without a word
//   connections    how often it was let in, where it has the choice of a way
//
// A lost connection is the client's own affair: it comes back to its session and goes on where it
// was, or has not understood the protocol.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

import { CurlLongPoll, CurlShortPoll, CurlStream } from "./curl.mjs";
import { EventSourceClient } from "./eventsource.mjs";
import { PythonSocketIo } from "./python.mjs";
import { SocketIo2, SocketIo4 } from "./socketio.mjs";
import { WebSocketClient } from "./websocket.mjs";

const beside = (name) => readFileSync(new URL(`../${name}`, import.meta.url), "utf8");
const locked = JSON.parse(beside("package-lock.json")).packages;
const npm = (name) => locked[`node_modules/${name}`].version;
const pypi = (name) => new RegExp(`^${name}==(.*)$`, "m").exec(beside("requirements.txt"))[1];
export const CURL = execFileSync("curl", ["--version"], { encoding: "utf8" }).split(" ", 2).join(" ");

/// The three ways of Socket.IO: what is allowed, and what it comes to.
const WAYS = [
  { words: "WebSocket", transports: ["websocket"], way: "websocket" },
  { words: "polling", transports: ["polling"], way: "polling" },
  { words: "polling, then WebSocket", transports: ["polling", "websocket"], way: "websocket" },
];

function socketio(library, Client) {
  return WAYS.map(({ words, transports, way }) => ({
    name: `${library}, ${words}`,
    family: "socketio",
    way,
    upgrades: transports.length > 1,
    open: (address, ears) => new Client(address, ears, transports),
  }));
}

function plain(name, family, Client) {
  return { name, family, open: (address, ears) => new Client(address, ears) };
}

export const KINDS = [
  ...socketio(`socket.io-client ${npm("socket.io-client")}`, SocketIo4),
  ...socketio(`socket.io-client ${npm("socket.io-client-2")}`, SocketIo2),
  ...socketio(`python-socketio ${pypi("python-socketio")}`, PythonSocketIo),
  plain(`${CURL}, short poll`, "polling", CurlShortPoll),
  plain(`${CURL}, long poll`, "polling", CurlLongPoll),
  plain(`${CURL}, event stream`, "sse", CurlStream),
  plain(`eventsource ${npm("eventsource")}`, "sse", EventSourceClient),
  plain(`ws ${npm("ws")}`, "websocket", WebSocketClient),
];

const FAMILIES = ["polling", "sse", "websocket", "socketio"];

/// Whom the people with this kind meet: one of each family, not their like where there are others,
/// and another one for the next kind.
export function partnersOf(kind) {
  const nth = KINDS.indexOf(kind);
  return FAMILIES.map((family) => {
    const others = KINDS.filter((other) => other.family === family && other !== kind);
    return others.length > 0 ? others[nth % others.length] : kind;
  });
}
