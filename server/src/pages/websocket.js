// WebSocket: both directions over one connection, one JSON object a frame. The token is an offered
// subprotocol, because a page cannot set a header here.

import { Transport } from "/pages/transport.js";

/// The head count comes every 10 s; a socket that says nothing for longer than this is dead, which
/// a page cannot find out otherwise, because pings are kept from it.
const SILENCE_MS_MAX = 60_000;
/// Ends the connection and leaves the session; 1000 would end the session too.
const MOVED = 4000;
/// A session that is over or in other hands: 4000 and the status that HTTP would answer.
const STATUS_BASE = 4000;

export class Websocket extends Transport {
  #socket;
  #problem;
  #silence;

  open() {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const address = `${scheme}//${location.host}/api/ws?after=${this.after}`;
    const socket = new WebSocket(address, ["racetrack", `racetrack.token.${this.token}`]);
    socket.onmessage = ({ data }) => this.#frame(JSON.parse(data));
    socket.onclose = ({ code }) => this.#over(code);
    this.#socket = socket;
    this.#listen();
  }

  send(command) {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(command));
  }

  acknowledge(seq) {
    this.send({ type: "ack", seq });
  }

  close() {
    super.close();
    clearTimeout(this.#silence);
    this.#socket?.close(MOVED, "moved");
  }

  #frame(frame) {
    if (this.closed) return;
    this.#listen();
    switch (frame.type) {
      case "opened":
        // Until the first acknowledgement the server takes the browser's pongs for one, and
        // those go out before this page has seen anything.
        this.acknowledge(this.after);
        return this.standing();
      case "refused":
        if (!frame.id) this.#problem = frame.problem;
        return this.refused(frame);
      default:
        return this.event(frame);
    }
  }

  #listen() {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.lost(), SILENCE_MS_MAX);
  }

  /// A refusal that came before counts only when it is what the connection was closed for.
  #over(code) {
    const problem = this.#problem;
    this.lost(problem && code === STATUS_BASE + problem.status ? { problem } : {});
  }
}
