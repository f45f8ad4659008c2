// One person's session, whatever it is carried by: the cursor, what was said and not yet
// acknowledged, and the way back after a connection is lost.
//
//   idle --start--> opening --> connecting <--> open         ended      the session is over
//                    ^   |         ^   |          |          elsewhere  another connection reads it
//                    |   v         |   v          |          leaving    waits for its last word
//                  returning       lost <---------+          stopped    has tried often enough
//                    ^                            |
//                    +--- shutdown, unknown ------+
//
// Nothing is lost, because every connection begins at the cursor, and one that skips an event is
// given up for another; nothing comes twice, because an event at or below the cursor is dropped;
// what was said on a connection that is no more is said again under the same name, which the
// server takes once. Each line names the conversation that it belongs to in `pair`, and a
// conversation is over when it is not `this.pair`.
//
// A session that the server has ended by a shutdown, or does not know any more, is replaced by a new one
// while the page is looked at: a stranger is never paired with a page that nobody sees. Attempts are
// bounded, and then there is a button.
//
// It draws nothing: `on.line(line)` is a new line of the conversation, `on.changed(line)` and
// `on.dropped(line)` one that was there, `on.state()` everything else.

import { BackOff } from "/pages/backoff.js";
import { ask } from "/pages/http.js";
import { endOf, isSuperseded, isTooFast, waitsFor } from "/pages/reasons.js";
import { LAST_RESORT, TRANSPORTS } from "/pages/transports.js";

/// Events after which the server is told that they have arrived.
const ACKNOWLEDGE_EVERY = 32;
/// Lines that are kept, in the page and across a reload.
const LINES_MAX = 300;
const OPENING_MS_MAX = 15_000;
/// How long to wait for the server's last word after leaving.
const GOODBYE_MS_MAX = 1_500;
/// Connections in a row that never stood, though the server was there, before something simpler is
/// tried.
const FRUITLESS_MAX = 2;
/// A session that lived as long as this was not in vain.
const SETTLED_MS = 30_000;
/// Sessions in a row that were lost sooner before the page waits for a button to be pressed.
const SHORT_LIVED_MAX = 5;
/// Where nothing was heard for longer the user has probably been away, and is not paired unasked.
const AWAY_MS_MAX = 300_000;
/// When to ask again for another partner, where the server does not say.
const TOO_FAST_MS = 1_000;

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
  #backOff = new BackOff();
  /// The connection that was lost last never stood.
  #failed = false;
  #fruitless = 0;
  /// Sessions in a row that were lost soon after they began.
  #shortLived = 0;
  #openedAt = 0;
  /// When the server or the user was last heard of, by the clock on the wall: other clocks stop while a
  /// machine sleeps.
  #heardAt = 0;
  /// The next session waits for the page to be looked at.
  #isDue = false;
  #nextTimer;
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
    /// What is waited for, if anything is: see `reasons.js`.
    this.reason = undefined;
  }

  /// True when nothing happens before the user begins it.
  get isOver() {
    return ["idle", "ended", "elsewhere", "stopped"].includes(this.phase);
  }

  /// Goes on where a reload ended it.
  restore(kept) {
    Object.assign(this, { kind: kept.kind, lines: kept.lines, partner: kept.partner });
    Object.assign(this, { pair: kept.pair, online: kept.online });
    this.#session = kept.session;
    this.#token = kept.token;
    this.#cursor = kept.cursor;
    this.#leaving = kept.leaving;
    this.#heardAt = kept.heardAt;
    this.#connect();
  }

  /// A new session, because the user wants one.
  start() {
    this.#backOff.reset();
    this.#shortLived = 0;
    this.#open();
  }

  /// Goes on where the page has stopped trying.
  tryAgain() {
    if (this.phase !== "stopped") return;
    this.#heardAt = Date.now();
    this.#backOff.reset();
    if (this.#token) this.#connect();
    else this.#open();
  }

  /// The same session over another transport.
  switchTo(kind) {
    this.kind = kind;
    this.#failed = false;
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

  /// Tries at once instead of later, unless the server has said when.
  hurry() {
    const isFree = this.#isDue || this.reason === "unreachable";
    if (this.phase === "lost" && isFree) this.#connect();
    if (document.hidden) return;
    if (this.phase === "returning" && isFree) this.#open();
    if (this.phase === "stopped") this.tryAgain();
  }

  /// The page is put aside with everything in it, and may be taken up again.
  putAside() {
    if (["connecting", "open"].includes(this.phase)) this.#dropped({});
  }

  say(text) {
    const line = { key: name(), kind: "me", text, at: new Date().toISOString(), state: "sending" };
    line.id = line.key;
    this.#add(line);
    this.#transmit(line);
  }

  /// Says once more what was not taken; in the conversation of today, if it was another one.
  sayAgain(key) {
    const line = this.lines.find((line) => line.key === key);
    if (!["refused", "unsure"].includes(line?.state) || this.partner !== "paired") return;
    if (line.pair !== this.pair) {
      line.isRepeated = true;
      this.#changed(line);
      return this.say(line.text);
    }
    Object.assign(line, { id: name(), state: "sending", why: undefined });
    this.#changed(line);
    this.#transmit(line);
  }

  next() {
    if (this.partner !== "paired") return;
    this.#leaving = this.pair;
    this.#keep();
    this.#sendNext();
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

  // The session

  async #open() {
    this.#reset("opening");
    const turn = this.#turn;
    try {
      const response = await ask("POST", "/api/session");
      const opened = await response.json();
      if (turn !== this.#turn) return;
      this.#session = opened.session;
      this.#token = opened.token;
      this.#cursor = opened.next;
      this.#openedAt = this.#heardAt = Date.now();
      this.#connect();
    } catch ({ problem, retryAfterMs }) {
      if (turn !== this.#turn) return;
      const reason = waitsFor(problem);
      if (reason) this.#openLater(reason, retryAfterMs);
      else this.#refuse(problem);
    }
  }

  #openLater(reason, ms = 0) {
    this.#reset("returning", reason);
    this.#later(ms, () => {
      this.#isDue = document.hidden;
      if (!document.hidden) this.#open();
    });
  }

  /// The session was lost through no fault of the user: another one follows, unless it would be lost as well.
  #replace(reason, ms) {
    const now = Date.now();
    this.#shortLived = now - this.#openedAt < SETTLED_MS ? this.#shortLived + 1 : 0;
    if (this.#shortLived > SHORT_LIVED_MAX) return this.#end("short_lived");
    if (now - this.#heardAt > AWAY_MS_MAX) return this.#end(reason);
    this.#tellEnd(reason);
    this.#backOff.reset(this.#shortLived);
    this.#openLater(reason, ms);
  }

  /// What the server refuses now it refuses at the next attempt too.
  #refuse({ status, title }) {
    this.#end("refused", { why: `${status} ${title}`.trim() });
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
    this.#backOff.reset();
    this.#failed = false;
    this.#fruitless = 0;
    this.reason = undefined;
    this.#heardAt = Date.now();
    this.#acknowledged = this.#cursor;
    this.#become("open");
    this.#sendNext();
    for (const line of this.lines.filter(isUnacknowledged)) this.#transmit(line);
  }

  #lost(why) {
    if (this.phase === "leaving") return this.#end("left");
    const end = endOf(why.problem);
    if (end === "unknown") return this.#replace(end, why.retryAfterMs);
    if (end) return this.#end(end);
    if (isSuperseded(why.problem)) {
      this.#halt();
      this.#become("elsewhere");
      return this.#word("elsewhere");
    }
    if (!waitsFor(why.problem) && this.kind === LAST_RESORT) return this.#refuse(why.problem);
    this.#failed = this.phase === "connecting";
    this.#dropped(why);
  }

  #dropped({ problem, retryAfterMs = 0 }) {
    this.#halt();
    this.reason = waitsFor(problem) ?? "unreachable";
    this.#become("lost");
    this.#later(retryAfterMs, () => this.#reconnect());
  }

  /// What does not stand a few times in a row, though the server is there, does not get through here.
  async #reconnect() {
    const turn = this.#turn;
    if (this.#failed && this.kind !== LAST_RESORT) {
      const there = await isThere();
      if (turn !== this.#turn) return;
      this.#fruitless = there ? this.#fruitless + 1 : 0;
      if (this.#fruitless >= FRUITLESS_MAX) {
        this.#word("fallen_back", { kind: this.kind, to: LAST_RESORT });
        this.kind = LAST_RESORT;
      }
    }
    this.#connect();
  }

  #later(ms, then) {
    const pauseMs = this.#backOff.next();
    if (pauseMs === undefined) return this.#stop();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(then, ms + pauseMs);
  }

  #stop() {
    this.#halt();
    this.#become("stopped");
    this.#word("stopped");
  }

  #halt() {
    this.#turn += 1;
    this.#isDue = false;
    clearTimeout(this.#timer);
    clearTimeout(this.#nextTimer);
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

  /// It names the conversation to leave, so that it may be said more than once.
  #sendNext() {
    if (this.#leaving !== undefined) this.#send({ type: "next", pair: this.#leaving });
  }

  #refused({ id, problem, retryAfterMs = TOO_FAST_MS }) {
    if (id === undefined && isTooFast(problem)) {
      clearTimeout(this.#nextTimer);
      this.#nextTimer = setTimeout(() => this.#sendNext(), retryAfterMs);
    }
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
    this.#heardAt = Date.now();
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
        return this.#word(this.lines.some(isOfAConversation) ? "paired_anew" : "paired");
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

  /// That one waits is no longer so once somebody is there, or the session is over.
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
    if (reason === "draining") this.#replace(reason, retryAfterMs);
    else this.#end(reason);
  }

  // Its state

  #end(reason, values) {
    if (this.phase === "ended") return;
    this.#tellEnd(reason, values);
    this.#reset("ended", reason);
  }

  #tellEnd(reason, values) {
    this.#forgetTheWait();
    this.#word(`ended_${reason}`, values);
  }

  /// No session any more; its lines stay. What was accepted was acknowledged before a last event, and
  /// may have arrived where there was no last event.
  #reset(phase, reason) {
    this.#halt();
    this.#keeping.forget();
    const state = reason === "unknown" || reason === "short_lived" ? "unsure" : "refused";
    for (const line of this.lines.filter(isUnacknowledged)) {
      Object.assign(line, { state, why: "/problems/closed" });
      this.#on.changed(line);
    }
    this.#session = undefined;
    this.#token = undefined;
    this.#leaving = undefined;
    this.reason = reason;
    Object.assign(this, { partner: "nobody", pair: undefined, online: undefined });
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
    line.pair = this.pair;
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
    const heardAt = this.#heardAt;
    this.#keeping.keep({ session, token, cursor, leaving, heardAt, kind, lines, partner, pair, online });
  }
}

function isUnacknowledged(line) {
  return line.state === "sending";
}

function isOfAConversation(line) {
  return line.pair !== undefined;
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
