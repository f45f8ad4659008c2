// Server-sent events: one answer that does not end. It is read with `fetch`, because EventSource
// cannot send a token; what a person says goes in requests of its own.

import { ask, Outbox } from "/pages/http.js";
import { Transport } from "/pages/transport.js";

/// The server writes a comment every 15 s; a stream that is silent for longer than this is dead.
const SILENCE_MS_MAX = 45_000;

export class Sse extends Transport {
  #outbox = new Outbox(this.token, {
    refused: (refusal) => this.refused(refusal),
    lost: (why) => this.lost(why),
  });
  #retryAfterMs;
  #silence;

  async open() {
    try {
      const response = await ask("GET", `/api/stream?after=${this.after}`, {
        token: this.token,
        accept: "text/event-stream",
        signal: this.signal,
      });
      this.standing();
      await this.#read(response.body);
      this.lost({ retryAfterMs: this.#retryAfterMs });
    } catch ({ problem, retryAfterMs }) {
      this.lost({ problem, retryAfterMs: retryAfterMs ?? this.#retryAfterMs });
    }
  }

  send(command) {
    this.#outbox.send(command);
  }

  acknowledge(seq) {
    this.#outbox.send({ type: "ack", seq });
  }

  close() {
    clearTimeout(this.#silence);
    super.close();
    this.#outbox.close();
  }

  async #read(body) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      this.#listenFor(SILENCE_MS_MAX);
      const { value, done } = await reader.read();
      if (done || this.closed) return;
      const blocks = (rest + value).split(/\r?\n\r?\n/);
      rest = blocks.pop();
      for (const block of blocks) this.#block(block);
    }
  }

  #listenFor(ms) {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.lost(), ms);
  }

  /// One event: lines of `field: value`; a line that begins with a colon is a comment.
  #block(block) {
    const fields = { event: "message", data: [] };
    for (const line of block.split(/\r?\n/)) {
      const [, name, value] = /^([^:]*):? ?(.*)$/.exec(line);
      if (name === "data") fields.data.push(value);
      else if (name !== "") fields[name] = value;
    }
    if (fields.retry) this.#retryAfterMs = Number(fields.retry);
    if (fields.data.length === 0) return;
    const said = JSON.parse(fields.data.join("\n"));
    if (fields.event === "refused") this.lost({ problem: said.problem ?? said });
    else this.event(said);
  }
}
