// A person with a plain WebSocket, used as a page uses it: the token goes as a subprotocol, and
// what has come is acknowledged by the pongs that no page sees.

import WebSocket from "ws";

/// What a lost connection waits for before it is tried again, in milliseconds.
const PAUSE_MS = 100;
/// The connection is gone, and nobody has said so.
const ABNORMAL = 1006;

export class WebSocketClient {
  #address;
  #ears;
  #socket;
  #token;
  #after = 0;
  #unsent = [];
  #isOver = false;

  constructor(address, ears) {
    this.#address = address.replace("http:", "ws:");
    this.#ears = ears;
    this.#connect();
  }

  #connect() {
    if (this.#isOver) return;
    const who = this.#token ? ["racetrack", `racetrack.token.${this.#token}`] : ["racetrack"];
    this.#socket = new WebSocket(`${this.#address}/api/ws?after=${this.#after}`, who);
    this.#socket.onmessage = ({ data }) => this.#hear(JSON.parse(data));
    this.#socket.onclose = ({ code, reason }) => this.#closed(code, reason);
    this.#socket.onerror = () => {};
  }

  async send(command) {
    const frame = JSON.stringify(command);
    if (this.#token) this.#socket.send(frame);
    else this.#unsent.push(frame);
  }

  /// By a close frame, as a page is left.
  leave() {
    this.#isOver = true;
    this.#socket.close();
  }

  end() {
    this.#isOver = true;
    this.#socket.terminate();
  }

  #hear(frame) {
    switch (frame.type) {
      case "opened":
        this.#token = frame.token;
        for (const unsent of this.#unsent.splice(0)) this.#socket.send(unsent);
        return;
      case "refused":
        return this.#ears.failed(`is refused: ${frame.problem.detail}`);
      default:
        this.#after = frame.seq;
        this.#isOver ||= frame.type === "closing";
        this.#ears.event(frame);
    }
  }

  #closed(code, reason) {
    if (this.#isOver) return;
    if (code === ABNORMAL) setTimeout(() => this.#connect(), PAUSE_MS);
    else this.#ears.failed(`is closed: ${code} ${reason}`);
  }
}
