// Random chat, once for all peers: who talks to whom, and what each of them is told.
//
// It speaks the events and commands of racetrack's wire and knows nothing of sockets: a server gives
// each person a function that delivers one event. Unlike racetrack it keeps no mailbox, so nothing
// can be resumed and `ack` has nothing to forget.

import { randomBytes } from "node:crypto";
import { fstatSync } from "node:fs";

const TEXT_BYTES_MAX = 4096;
const ID_BYTES_MAX = 64;
const NOTICE_INTERVAL_MS = 10_000;
/** One frame of a client at most, in bytes. */
export const FRAME_BYTES_MAX = 16_384;
/** How often an idle connection is asked for a sign of life, and how long that may take. */
export const HEARTBEAT_INTERVAL_MS = 25_000;
export const HEARTBEAT_TIMEOUT_MS = 20_000;

class Person {
  constructor(session, deliver) {
    this.session = session;
    this.deliver = deliver;
    this.seq = 0;
    this.partner = null;
    this.pair = 0;
    /** Whom not to meet again at once. */
    this.former = null;
  }

  tell(event) {
    this.seq += 1;
    event.seq = this.seq;
    this.deliver(event);
  }
}

export class Chat {
  #people = new Set();
  #waiting = new Set();
  #nextSession = 1;
  #nextPair = 1;

  constructor() {
    setInterval(() => this.#announce(), NOTICE_INTERVAL_MS).unref();
  }

  /** What a newcomer is told first, before any event. */
  admit() {
    const session = this.#nextSession++;
    return { session, token: `${session.toString(16)}-${randomBytes(16).toString("hex")}`, next: 0 };
  }

  /** From here on the newcomer hears events through `deliver`. */
  enter(session, deliver) {
    const person = new Person(session, deliver);
    this.#people.add(person);
    person.tell({ seq: 0, at: now(), type: "welcome", session, online: this.#people.size });
    this.#match(person);
    return person;
  }

  /** Obeys one command; gives what is to be told as `refused`, or null. */
  obey(person, command) {
    switch (command?.type) {
      case "say":
        return this.#say(person, command);
      case "next":
        if (person.partner && (command.pair ?? person.pair) === person.pair) this.#skip(person);
        return null;
      case "leave":
        this.leave(person, "left");
        return null;
      case "ack":
        return null;
      default:
        return problem(undefined, 400, "/problems/malformed", "an unknown command");
    }
  }

  /** The person is gone; the same person may leave twice. */
  leave(person, reason) {
    if (!this.#people.delete(person)) return;
    this.#waiting.delete(person);
    const partner = person.partner;
    if (partner) {
      part(person, partner);
      partner.tell({ seq: 0, at: now(), type: "partner_left", reason });
      this.#match(partner);
    }
  }

  #say(person, { id, text, pair }) {
    if (typeof id !== "string" || id.length === 0 || id.length > ID_BYTES_MAX) {
      return problem(undefined, 400, "/problems/malformed", "a message id has 1 to 64 bytes");
    }
    if (typeof text !== "string" || Buffer.byteLength(text) > TEXT_BYTES_MAX) {
      return problem(id, 413, "/problems/too-long", "a message has at most 4096 bytes");
    }
    const partner = person.partner;
    if (!partner || (pair !== undefined && pair !== person.pair)) {
      return problem(id, 409, "/problems/stale-pair", "the conversation is over");
    }
    const at = now();
    person.tell({ seq: 0, at, type: "message", from: "me", id, text });
    partner.tell({ seq: 0, at, type: "message", from: "partner", id, text });
    return null;
  }

  #skip(person) {
    const partner = person.partner;
    part(person, partner);
    const at = now();
    for (const one of [person, partner]) {
      one.tell({ seq: 0, at, type: "partner_left", reason: "skipped" });
    }
    this.#match(person);
    this.#match(partner);
  }

  #match(person) {
    for (const other of this.#waiting) {
      if (other === person.former && this.#waiting.size > 1) continue;
      if (other.former === person && this.#people.size > 2) continue;
      this.#waiting.delete(other);
      const pair = this.#nextPair++;
      person.partner = other;
      other.partner = person;
      person.pair = other.pair = pair;
      const at = now();
      other.tell({ seq: 0, at, type: "paired", pair });
      person.tell({ seq: 0, at, type: "paired", pair });
      return;
    }
    this.#waiting.add(person);
    person.tell({ seq: 0, at: now(), type: "waiting" });
  }

  #announce() {
    const at = now();
    for (const person of this.#people) {
      person.tell({ seq: 0, at, type: "notice", online: this.#people.size });
    }
  }
}

/** Host and port of `--addr HOST:PORT`. */
export function listenAddress() {
  const flag = process.argv.indexOf("--addr");
  const [host, port] = (flag > 0 ? process.argv[flag + 1] : "127.0.0.1:3000").split(":");
  return { host, port: Number(port) };
}

/** Ends this program when the one that started it is gone, and with it the other end of a pipe. */
export function endWithOwner() {
  if (!fstatSync(0).isFIFO()) return;
  process.stdin.on("end", () => process.exit(0)).resume();
  process.stdin.unref?.();
}

function part(one, other) {
  one.former = other;
  other.former = one;
  one.partner = other.partner = null;
}

function now() {
  return new Date().toISOString();
}

function problem(id, status, type, detail) {
  return { id, problem: { type, title: detail, status, detail } };
}
