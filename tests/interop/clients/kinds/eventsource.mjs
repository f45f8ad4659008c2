// A person with the EventSource of npm, which is that of browsers; it speaks by fetch.

import { EventSource } from "eventsource";

import { HttpClient } from "./http.mjs";

export class EventSourceClient extends HttpClient {
  #source;
  #isOver = false;

  constructor(address, ears) {
    super(address, ears);
    this.opens().then(() => this.#listen()).catch((error) => ears.failed(error.message));
  }

  async request(method, path, body) {
    const options = { method, headers: this.#headers(), body: JSON.stringify(body) };
    if (body) options.headers["Content-Type"] = "application/json";
    const answer = await fetch(`${this.address}${path}`, options);
    return { status: answer.status, body: await answer.text() };
  }

  async leave() {
    await super.leave();
    this.end();
  }

  end() {
    this.#isOver = true;
    this.#source?.close();
  }

  #headers() {
    return this.token ? { Authorization: `Bearer ${this.token}` } : {};
  }

  /// What is lost it takes up again by itself, from the last event that it has seen.
  #listen() {
    if (this.#isOver) return;
    const withToken = (url, options) =>
      fetch(url, { ...options, headers: { ...options.headers, ...this.#headers() } });
    this.#source = new EventSource(`${this.address}/api/stream`, { fetch: withToken });
    this.#source.onmessage = ({ data, lastEventId }) => this.#hear(JSON.parse(data), lastEventId);
    this.#source.addEventListener("refused", ({ data }) => this.ears.failed(data));
    this.#source.onerror = ({ code, message }) => {
      if (this.#source.readyState === EventSource.CLOSED) this.ears.failed(`${code}: ${message}`);
    };
  }

  #hear(event, lastEventId) {
    if (lastEventId !== String(event.seq)) this.ears.failed(`id ${lastEventId} of #${event.seq}`);
    this.event(event);
    if (event.type === "closing") this.end();
    else this.acknowledge(event.seq);
  }
}
