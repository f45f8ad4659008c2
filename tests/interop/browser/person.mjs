// Somebody at the page of the random chat, who finds things by their names as a person does.

import assert from "node:assert/strict";

import { until } from "./stage.mjs";

export class Person {
  constructor(page, url) {
    this.page = page;
    this.url = url;
  }

  /// Opens the page; `relay` stands between it and the server.
  static async arrive(stage, { relay, ...options } = {}) {
    const origin = relay?.url ?? stage.server.url;
    const person = new Person(await stage.page({ origins: [origin], ...options }), origin);
    person.isOnPhone = options.hasTouch === true;
    await person.visit();
    return person;
  }

  /// Two people who have met.
  static async couple(stage, [one, other] = []) {
    const ann = await Person.arrive(stage, one);
    await ann.start();
    await ann.waits();
    const bob = await Person.arrive(stage, other);
    await bob.start();
    await Promise.all([ann.meets(), bob.meets()]);
    return [ann, bob];
  }

  async visit() {
    await this.page.goto(`${this.url}/chat`);
  }

  button(name) {
    return this.page.getByRole("button", { name });
  }

  async start() {
    await this.button(/^(Start|Start again)$/).click();
  }

  get field() {
    return this.page.getByLabel("Message", { exact: true });
  }

  async say(...texts) {
    for (const text of texts) {
      await this.field.fill(text);
      if (this.isOnPhone) await this.button("Send").tap();
      else await this.field.press("Enter");
    }
  }

  async waits() {
    await this.page.getByText("Looking for somebody…").waitFor();
  }

  async meets() {
    await this.page.getByText("Talking with a stranger").waitFor();
  }

  /// Waits for this word on how the connection is.
  async isConnectedAs(words) {
    await this.page.locator("#connection").getByText(words).waitFor();
  }

  /// The conversations in the log: those that are over, and the one that goes on.
  get over() {
    return this.page.getByRole("group", { name: "Conversation, over", exact: true });
  }

  get going() {
    return this.page.getByRole("group", { name: "Conversation", exact: true });
  }

  /// Does this in Korean, and goes back to English.
  async inKorean(does) {
    await this.button("한국어").click();
    await does();
    await this.button("English").click();
  }

  async connected() {
    await this.page.getByRole("status").getByText("Connected", { exact: true }).waitFor();
  }

  /// Waits for this line that is nobody's message.
  async isTold(words) {
    await this.page.getByRole("log").getByText(words).last().waitFor();
  }

  /// Waits until the conversation has these messages of oneself and of the other: all of them, none
  /// twice, each side's in its order.
  async has({ mine = [], theirs = [] }) {
    const wanted = { me: mine, partner: theirs };
    const seen = (kind) => this.messages(kind);
    try {
      await until(this.page, "all messages are there", (counts) => {
        const count = (kind) => document.querySelectorAll(`#log .${kind} .text`).length;
        return Object.entries(counts).every(([kind, least]) => count(kind) >= least);
      }, { me: mine.length, partner: theirs.length });
      await until(this.page, "all of one's own are delivered",
        () => !document.querySelector('#log .me:not([data-state="delivered"])'));
    } catch (error) {
      error.message += `; wanted ${JSON.stringify(wanted)}, and there is ${JSON.stringify({
        me: await seen("me"), partner: await seen("partner"),
      })}`;
      throw error;
    }
    assert.deepEqual({ me: await seen("me"), partner: await seen("partner") }, wanted);
  }

  /// The texts of these lines, "me", "partner" or "word".
  async messages(kind) {
    const lines = this.page.locator(`#log .${kind}${kind === "word" ? "" : " .text"}`);
    return lines.allTextContents();
  }

  async choose(transport) {
    await this.page.getByLabel("Transport", { exact: true }).selectOption({ label: transport });
  }
}

/// Texts that are all different.
export function texts(name, count) {
  return Array.from({ length: count }, (_, n) => `${name} ${n + 1}`);
}
