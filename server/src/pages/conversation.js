// One person's session, whatever it is carried by: the cursor, what was said and not yet
// acknowledged, and the way back after a connection is lost.
//
//   idle --start--> opening --> connecting <--> open
//                                  ^   |          |
//                                  |   v          |          ended      the session is over
//                                  lost <---------+          elsewhere  something else reads it
//                                                            returning  the server comes back
//                                                            leaving    waits for its last word
//
// Nothing is lost, because every connection begins at the cursor, and one that skips an event is
// given up for another; nothing comes twice, because an event at or below the cursor is dropped;
// what was said on a connection that is no more is said again under the same name, which the
// server takes once. It draws nothing: `on.line(line)` is a new line of the conversation,
// `on.changed(line)` and `on.dropped(line)` one that was there, `on.state()` everything else.

import { ask } from "/pages/http.js";
import { LAST_RESORT, TRANSPORTS } from "/pages/transports.js";

/// Events after which the server is told that they have arrived.
const ACKNOWLEDGE_EVERY = 32;
/// Lines that are kept, in the page and across a reload.
const LINES_MAX = 300;
const OPENING_MS_MAX = 15_000;
const BACK_OFF_MS = 250;
const BACK_OFF_MS_MAX = 5_000;
/// How long to wait for the server's last word after leaving.
const GOODBYE_MS_MAX = 1_500;
/// Connections in a row that never stood before something simpler is tried.
const FRUITLESS_MAX = 2;

/// Problems after which this session cannot go on.
const FINAL = ["/problems/no-session", "/problems/closed", "/problems/cursor"];
const SUPERSEDED = "/problems/superseded";

export class Conversation {
  #keeping;
  #on;
  #session;
  #token;
  #cursor = 0;
  /// The event that was not the next one, and was not taken for that.
  #early;
  #acknowledged = 0;
  #transport;
  #timer;
  /// Rises with everything that begins, so that an answer to what came before is known as such.
  #turn = 0;
  #attempt = 0;
  #fruitless = 0;
  /// The pair that was left for another and has not ended yet.
  #leaving;

  constructor({ kind, keeping, on }) {
    this.#keeping = keeping;
    this.#on = on;
    this.kind = kind;
    this.lines = [];
    this.phase = "idle";
    this.partner = "nobody";
    this.pair = undefined;
    this.online = undefined;
    /// Why it ended, or why it cannot begin; the name of a word.
    this.reason = undefined;
  }

  get isOver() {
    return ["idle", "ended", "elsewhere"].includes(this.phase);
  }

  /// Goes on where a reload ended it.
  restore(kept) {
    Object.assign(this, { kind: kept.kind, lines: kept.lines, partner: kept.partner });
    Object.assign(this, { pair: kept.pair, online: kept.online });
    this.#session = kept.session;
    this.#token = kept.token;
    this.#cursor = kept.cursor;
    this.#leaving = kept.leaving;
    this.#connect();
  }

  /// A new session.
  async start() {
    this.#reset("opening");
    const turn = this.#turn;
    try {
      const response = await ask("POST", "/api/session");
      const opened = await response.json();
      if (turn !== this.#turn) return;
      this.reason = undefined;
      this.#session = opened.session;
      this.#token = opened.token;
      this.#cursor = opened.next;
      this.#attempt = 0;
      this.#connect();
    } catch ({ problem, retryAfterMs }) {
      if (turn !== this.#turn) return;
      this.reason = problem?.type === "/problems/full" ? "full" : "unreachable";
      this.#become("returning");
      this.#later(retryAfterMs ?? 0, () => this.start());
    }
  }

  /// The same session over another transport.
  switchTo(kind) {
    this.kind = kind;
    this.#fruitless = 0;
    if (["connecting", "open", "lost"].includes(this.phase)) {
      this.#word("switched", { kind, seq: this.#cursor });
      this.#connect();
    }
    this.#on.state();
  }

  /// Reads again what something else took over.
  takeBack() {
    if (this.phase === "elsewhere") this.#connect();
  }

  /// Tries at once instead of later.
  hurry() {
    if (this.phase === "lost") this.#connect();
    if (this.phase === "returning" && this.reason === "unreachable") this.start();
  }

  /// The page is put aside with everything in it, and may be taken up again.
  putAside() {
    if (["connecting", "open"].includes(this.phase)) this.#dropped({});
  }

  say(text) {
    const line = { key: name(), kind: "me", text, at: new Date().toISOString(), state: "sending" };
    line.id = line.key;
    line.pair = this.pair;
    this.#add(line);
    this.#transmit(line);
  }

  /// Says once more what was refused, to whoever is there now.
  sayAgain(key) {
    const line = this.lines.find((line) => line.key === key);
    if (line?.state !== "refused" || this.partner !== "paired") return;
    Object.assign(line, { id: name(), pair: this.pair, state: "sending", why: undefined });
    this.#changed(line);
    this.#transmit(line);
  }

  next() {
    if (this.partner !== "paired") return;
    this.#leaving = this.pair;
    this.#keep();
    this.#send({ type: "next", pair: this.pair });
  }

  leave() {
    if (this.phase === "open") {
      this.#send({ type: "leave" });
      this.#timer = setTimeout(() => this.#end("left"), GOODBYE_MS_MAX);
      return this.#become("leaving");
    }
    const token = this.#token;
    if (token) ask("DELETE", "/api/session", { token, keepalive: true }).catch(() => {});
    this.#end("left");
  }

  // The connection

  #connect() {
    this.#halt();
    this.#become("connecting");
    const transport = new TRANSPORTS[this.kind]({
      token: this.#token,
      after: this.#cursor,
      on: {
        open: () => this.#opened(),
        event: (event) => this.#event(event),
        refused: (refusal) => this.#refused(refusal),
        lost: (why) => this.#lost(why),
      },
    });
    this.#transport = transport;
    this.#timer = setTimeout(() => { transport.close(); this.#lost({}); }, OPENING_MS_MAX);
    transport.open();
  }

  #opened() {
    clearTimeout(this.#timer);
    this.#attempt = 0;
    this.#fruitless = 0;
    this.#acknowledged = this.#cursor;
    this.#become("open");
    if (this.#leaving !== undefined) this.#send({ type: "next", pair: this.#leaving });
    for (const line of this.lines.filter(isUnacknowledged)) this.#transmit(line);
  }

  #lost(why) {
    if (this.phase === "leaving") return this.#end("left");
    const { type } = why.problem ?? {};
    if (FINAL.includes(type)) return this.#end("lost");
    if (type === SUPERSEDED) {
      this.#halt();
      this.#become("elsewhere");
      return this.#word("elsewhere");
    }
    if (this.phase === "connecting") this.#fruitless += 1;
    this.#dropped(why);
  }

  #dropped({ retryAfterMs = 0 }) {
    this.#halt();
    this.#become("lost");
    this.#later(retryAfterMs, () => this.#reconnect());
  }

  /// What has not stood a few times in a row may be something that does not get through here.
  async #reconnect() {
    const turn = this.#turn;
    if (this.#fruitless >= FRUITLESS_MAX && this.kind !== LAST_RESORT && (await isThere())) {
      if (turn !== this.#turn) return;
      this.#word("fallen_back", { kind: this.kind, to: LAST_RESORT });
      this.kind = LAST_RESORT;
    }
    if (turn === this.#turn) this.#connect();
  }

  /// Later, but at different times for everybody who lost the same server.
  #later(ms, then) {
    const backOff = Math.min(BACK_OFF_MS * 2 ** this.#attempt, BACK_OFF_MS_MAX);
    this.#attempt += 1;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(then, ms + backOff * (0.5 + Math.random() / 2));
  }

  #halt() {
    this.#turn += 1;
    clearTimeout(this.#timer);
    this.#transport?.close();
    this.#transport = undefined;
  }

  // What is said

  #send(command) {
    if (this.phase === "open") this.#transport.send(command);
  }

  #transmit({ id, text, pair }) {
    this.#send({ type: "say", id, text, pair });
  }

  #refused({ id, problem }) {
    const line = this.lines.find((line) => line.id === id && isUnacknowledged(line));
    if (!line) return;
    Object.assign(line, { state: "refused", why: problem.type });
    this.#changed(line);
  }

  // What is heard

  #event(event) {
    if (event.seq <= this.#cursor) return;
    if (this.#isEarly(event.seq)) return this.#connect();
    this.#cursor = event.seq;
    this.#heard(event);
    if (this.#cursor - this.#acknowledged >= ACKNOWLEDGE_EVERY && this.#transport) {
      this.#acknowledged = this.#cursor;
      this.#transport.acknowledge(this.#cursor);
    }
    if (!this.isOver) this.#keep();
  }

  /// True when events before this one may have been lost on their way. A browser asks again by
  /// itself when the answer to a poll is cut off, and what was in that answer is not told again
  /// before somebody asks for it. If this event comes first then too, the server has given up
  /// what is missing.
  #isEarly(seq) {
    const isEarly = seq > this.#cursor + 1 && seq !== this.#early;
    this.#early = isEarly ? seq : undefined;
    return isEarly;
  }

  #heard(event) {
    switch (event.type) {
      case "welcome":
      case "notice":
        this.online = event.online;
        return this.#on.state();
      case "waiting":
        this.#meet("waiting", undefined);
        return this.#word("waiting");
      case "paired":
        // The head count that this page was told may be from before the other one came.
        this.online = Math.max(this.online ?? 0, 2);
        this.#meet("paired", event.pair);
        this.#forgetTheWait();
        return this.#word("paired");
      case "partner_left":
        return this.#parted(event.reason);
      case "message":
        return event.from === "me" ? this.#delivered(event) : this.#told(event);
      case "closing":
        return this.#closing(event);
    }
  }

  #meet(partner, pair) {
    this.partner = partner;
    this.pair = pair;
    this.#on.state();
  }

  /// That one waited says nothing any more once somebody is there.
  #forgetTheWait() {
    if (this.lines.at(-1)?.word === "waiting") this.#on.dropped(this.lines.pop());
  }

  #parted(reason) {
    const mine = reason === "skipped" && this.#leaving === this.pair;
    this.#leaving = undefined;
    this.#word(mine ? "partner_skipped_by_me" : `partner_${reason}`);
    this.#meet("nobody", undefined);
  }

  #told({ seq, text, at }) {
    this.#add({ key: `${this.#session}.${seq}`, kind: "partner", text, at });
  }

  #delivered({ id, text, at }) {
    const line = this.lines.find((line) => line.id === id);
    if (!line) return this.#add({ key: id, id, kind: "me", text, at, state: "delivered" });
    Object.assign(line, { state: "delivered", at });
    this.#changed(line);
  }

  #closing({ reason, retry_after_ms: retryAfterMs }) {
    if (reason !== "draining") return this.#end(reason);
    this.#word("draining");
    this.#reset("returning", "draining");
    this.#later(retryAfterMs ?? 0, () => this.start());
  }

  // Its state

  #end(reason) {
    const was = this.phase;
    this.#reset("ended", reason);
    if (was !== "ended") this.#word(`ended_${reason}`);
  }

  /// No session any more; its lines stay, and what nobody acknowledged was not delivered.
  #reset(phase, reason = this.reason) {
    this.#halt();
    this.#keeping.forget();
    this.#session = undefined;
    this.#token = undefined;
    this.#leaving = undefined;
    this.reason = reason;
    Object.assign(this, { partner: "nobody", pair: undefined });
    for (const line of this.lines.filter(isUnacknowledged)) {
      Object.assign(line, { state: "refused", why: "/problems/closed" });
      this.#on.changed(line);
    }
    this.#become(phase);
  }

  #become(phase) {
    this.phase = phase;
    this.#on.state();
  }

  #word(word, values = {}) {
    const at = new Date().toISOString();
    this.#add({ key: name(), kind: "word", word, values, at });
  }

  #add(line) {
    this.lines.push(line);
    if (this.lines.length > LINES_MAX) this.#on.dropped(this.lines.shift());
    this.#keep();
    this.#on.line(line);
  }

  #changed(line) {
    this.#keep();
    this.#on.changed(line);
  }

  #keep() {
    if (!this.#token) return;
    const { kind, lines, partner, pair, online } = this;
    const [session, token, cursor, leaving] = [this.#session, this.#token, this.#cursor, this.#leaving];
    this.#keeping.keep({ session, token, cursor, leaving, kind, lines, partner, pair, online });
  }
}

function isUnacknowledged(line) {
  return line.state === "sending";
}

/// A name that no other message has; `randomUUID` is not there without TLS.
function name() {
  const bytes = crypto.getRandomValues(new Uint8Array(9));
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_");
}

/// True when the server answers plain requests.
async function isThere() {
  return ask("GET", "/healthz").then(() => true, () => false);
}
