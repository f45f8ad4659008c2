// One person: a client behind a network of its own, and everything that it was told.

import { Relay } from "./relay.mjs";
import { within } from "./waiting.mjs";

/// Of the latest events, how many a failure shows.
const TOLD_SHOWN = 12;

export class Person {
  #kind;
  #relay;
  #client;
  #told = [];
  #lookedAt = 0;
  #said = [];
  #pair;
  #failure;
  #wake = () => {};

  constructor(name, kind) {
    this.name = name;
    this.#kind = kind;
  }

  /// Somebody new, with the client of that kind.
  static async arrive(name, kind, server) {
    const person = new Person(name, kind);
    person.#relay = await Relay.to(server.address);
    person.#client = kind.open(person.#relay.address, {
      event: (event) => person.#take(event),
      failed: (why) => person.#fail(why),
    });
    return person;
  }

  // What is seen

  async meets() {
    const { pair } = await this.#until("paired", ["welcome", "waiting"]);
    this.#pair = pair;
    return pair;
  }

  async waits() {
    await this.#until("waiting", ["welcome"]);
  }

  /// The partner's next message, whatever is heard of one's own.
  async hears(text) {
    const heard = await this.#until("message", [], (event) => event.from === "me");
    this.#equal(heard.text, text, "hears the partner in order");
  }

  async hearsAll(texts) {
    for (const text of texts) await this.hears(text);
  }

  /// All that was said is acknowledged, in the order of saying.
  async isEchoed() {
    const echoes = () => this.#told.filter(({ from }) => from === "me").map(({ text }) => text);
    const isEchoed = async () => {
      while (echoes().length < this.#said.length) await this.#more();
    };
    await within(isEchoed(), () => `${this} hears the echo of all that was said`);
    this.#equal(echoes().join(), this.#said.join(), "is echoed in order");
  }

  async isLeft(reason) {
    const left = await this.#until("partner_left", ["message"]);
    this.#equal(left.reason, reason, "is told why the partner left");
    this.#pair = undefined;
  }

  async isOver() {
    const { reason } = await this.#until("closing", ["message", "waiting"]);
    this.#equal(reason, "left", "is told why the session ended");
  }

  /// The client goes the way that its user has chosen; an upgrade may still be under way.
  async goesBy(way) {
    if (way) await within(this.#client.goesBy(way), () => `${this} goes by ${way}`);
  }

  /// So often it was let in since it arrived.
  hasConnected(times) {
    this.#equal(this.#client.connections, times, "connects");
  }

  // What is done

  /// Says it; the answer is that the server has accepted it.
  says(text) {
    this.#said.push(text);
    const id = `${this.name}-${this.#said.length}`;
    return this.#does({ type: "say", id, text, pair: this.#pair });
  }

  async saysAll(texts) {
    await Promise.all(texts.map((text) => this.says(text)));
  }

  async skips() {
    await this.#does({ type: "next", pair: this.#pair });
  }

  async leaves() {
    await this.#does({ type: "leave" });
  }

  /// Says a last word and goes, without waiting for anything, as users of the client go.
  saysGoodbye(text) {
    // Whether it arrives is seen at the partner's.
    this.says(text).catch(() => {});
    this.#client.leave();
  }

  cut() {
    this.#relay.cut();
  }

  /// The network comes back, once the client has missed it.
  async mend() {
    await within(this.#relay.isMissed(), () => `${this} tries to come back`);
    this.#relay.mend();
  }

  /// Gone without a word.
  vanishes() {
    this.end();
  }

  /// The network first, so that nothing the client does now is heard.
  end() {
    this.#relay.close();
    this.#client.end();
  }

  toString() {
    const latest = this.#told.slice(-TOLD_SHOWN).map((event) => `#${event.seq} ${words(event)}`);
    return `${this.name} (${this.#kind.name}), told ${latest.join(", ") || "nothing"}:`;
  }

  // What comes in

  #take(event) {
    const expected = (this.#told.at(-1)?.seq ?? 0) + 1;
    if (event.seq !== expected) this.#fail(`#${event.seq} came where #${expected} was next`);
    this.#told.push(event);
    this.#wake();
  }

  #fail(why) {
    this.#failure ??= new Error(`${this} ${why}`);
    this.#wake();
  }

  /// The next event, which is of this type; those of other types are passed over.
  async #until(type, others, passes = () => false) {
    const found = async () => {
      for (;;) {
        const event = await this.#next();
        if (event.type === type && !passes(event)) return event;
        if (event.type !== type && !others.includes(event.type)) {
          throw new Error(`${this} expects ${type}, not ${words(event)}`);
        }
      }
    };
    return within(found(), () => `${this} ${type}`);
  }

  /// The next event that nobody has looked at, head counts aside.
  async #next() {
    for (;;) {
      while (this.#lookedAt < this.#told.length) {
        const event = this.#told[this.#lookedAt++];
        if (event.type !== "notice") return event;
      }
      await this.#more();
    }
  }

  async #more() {
    if (this.#failure) throw this.#failure;
    await new Promise((resolve) => (this.#wake = resolve));
    if (this.#failure) throw this.#failure;
  }

  async #does(command) {
    await within(this.#client.send(command), () => `${this} ${command.type}`);
  }

  #equal(found, expected, what) {
    if (found !== expected) {
      const values = `${JSON.stringify(found)}, not ${JSON.stringify(expected)}`;
      throw new Error(`${this} ${what}: ${values}`);
    }
  }
}

function words({ type, from, text, reason, pair }) {
  return [type, from, JSON.stringify(text), reason, pair].filter((word) => word != null).join(" ");
}
