// What short and long polling have in common: ask for the events past the cursor, again and again.
// The cursor of the next request acknowledges what the last one brought.

import { ask, Outbox, pause } from "/pages/http.js";
import { Transport } from "/pages/transport.js";

/// How much longer than it was asked to wait an answer may take, in milliseconds.
const LATE_MS_MAX = 15_000;

export class Polling extends Transport {
  #outbox = new Outbox(this.token, {
    refused: (refusal) => this.refused(refusal),
    lost: (why) => this.lost(why),
  });

  /// How long the server may hold the next request; a kind of polling says how long.
  waitMs() {
    throw new Error("a kind of polling says how long it waits");
  }

  /// How long to leave the server alone after an answer.
  pauseMs(_answer) {
    throw new Error("a kind of polling says how long it pauses");
  }

  async open() {
    try {
      await this.#read(0);
      this.standing();
      while (!this.closed) {
        const asked = performance.now();
        const waitMs = this.waitMs();
        const count = await this.#read(waitMs);
        await pause(this.pauseMs({ count, tookMs: performance.now() - asked, waitMs }), this.signal);
      }
    } catch ({ problem, retryAfterMs }) {
      this.lost({ problem, retryAfterMs });
    }
  }

  send(command) {
    this.#outbox.send(command);
  }

  /// The next request says it.
  acknowledge() {}

  close() {
    super.close();
    this.#outbox.close();
  }

  /// One request; gives how many events it brought.
  async #read(waitMs) {
    const request = new AbortController();
    const abort = () => request.abort();
    const late = setTimeout(abort, waitMs + LATE_MS_MAX);
    this.signal.addEventListener("abort", abort);
    try {
      const query = waitMs > 0 ? `after=${this.after}&wait_ms=${waitMs}` : `after=${this.after}`;
      const response = await ask("GET", `/api/events?${query}`, {
        token: this.token,
        signal: request.signal,
      });
      const { events, next } = await response.json();
      for (const event of events) this.event(event);
      this.after = next;
      return events.length;
    } finally {
      clearTimeout(late);
      this.signal.removeEventListener("abort", abort);
    }
  }
}
