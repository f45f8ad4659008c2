// Somebody at a terminal with curl, who looks at what every request is answered.

import assert from "node:assert/strict";

import { curl } from "./curl.mjs";
import { within } from "./waiting.mjs";

const PROBLEM = "application/problem+json";

export class Terminal {
  #address;
  #tokens = [];

  constructor(server) {
    this.#address = server.address;
  }

  /// The origin of the server's own pages.
  get address() {
    return this.#address;
  }

  /// The answer to `GET /path`, `POST /path`...
  async ask(request, ...options) {
    return within(this.begin(request, options).done, () => `curl ${request}`);
  }

  /// The same, of which each line is looked at as it comes.
  begin(request, options, line) {
    const [path, method = "GET"] = request.split(" ").reverse();
    return curl(["--request", method, ...options, `${this.#address}${path}`], line);
  }

  /// The answer, whose status is this one.
  async expect(status, request, ...options) {
    const answer = await this.ask(request, ...options);
    assert.equal(answer.status, status, `${request}: ${answer.body}`);
    if (status >= 400) {
      assert.equal(answer.contentType, PROBLEM, request);
      assert.equal(JSON.parse(answer.body).status, status, request);
    }
    return answer;
  }

  /// A new session, by the option that names it.
  async open() {
    const { body } = await this.expect(201, "POST /api/session");
    const { token } = JSON.parse(body);
    this.#tokens.push(token);
    return bearer(token);
  }

  /// Two people who have met: their options, and the conversation.
  async couple() {
    const [ann, bob] = [await this.open(), await this.open()];
    const { pair } = (await this.events(bob, 0)).find(({ type }) => type === "paired");
    return { ann, bob, pair };
  }

  /// What somebody is told.
  async events(who, after) {
    const { body } = await this.expect(200, `/api/events?after=${after}`, ...who);
    return JSON.parse(body).events;
  }

  /// Asks `/metrics` until this line is there.
  async until(line) {
    const isThere = async () => {
      while (!(await this.ask("/metrics")).body.split("\n").includes(line));
    };
    await within(isThere(), () => line);
  }

  async leave() {
    for (const token of this.#tokens) await this.ask("DELETE /api/session", ...bearer(token));
  }
}

function bearer(token) {
  return ["--header", `Authorization: Bearer ${token}`];
}

export function json(body) {
  return ["--header", "Content-Type: application/json", "--data", JSON.stringify(body)];
}

/// What happened, by name.
export function kinds(events) {
  return events.map(({ type }) => type).filter((type) => type !== "notice");
}
