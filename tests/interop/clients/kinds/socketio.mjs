// A person with socket.io-client: of today, and of Socket.IO 2. Both come back by themselves, and
// say then where they were.

import { io } from "socket.io-client";
import old from "socket.io-client-2";

const NAMESPACE = "/chat";
/// Pauses are shorter than by default, because somebody waits.
const COMES_BACK = { reconnectionDelay: 100, reconnectionDelayMax: 500 };

class SocketIo {
  #ears;
  #unanswered = new Map();
  token;
  after = 0;
  connections = 0;

  constructor(ears) {
    this.#ears = ears;
  }

  listen(socket, manager) {
    this.socket = socket;
    this.manager = manager;
    socket.on("session", ({ token }) => this.#isIn(token));
    socket.on("msg", (words, event) => this.#hear(event));
    socket.on("refused", ({ problem }) => this.#ears.failed(`is refused: ${problem.detail}`));
  }

  /// What is said is answered; everything else is not.
  async send({ type, ...body }) {
    if (type !== "say") return void this.socket.emit(type, body);
    const answer = await new Promise((answered) => {
      this.#unanswered.set(body.id, { body, answered });
      this.#say(body, answered);
    });
    this.#unanswered.delete(body.id);
    if (!answer.accepted) throw new Error(`is refused: ${JSON.stringify(answer)}`);
  }

  /// With a packet that says so.
  leave() {
    this.socket.disconnect();
  }

  end() {
    this.socket.disconnect();
  }

  /// Becomes true when this way is taken.
  async goesBy(way) {
    const engine = this.manager.engine;
    while (engine.transport.name !== way) {
      await new Promise((resolve) => engine.once("upgrade", resolve));
    }
  }

  #say(body, answered) {
    this.socket.emit("say", body, answered);
  }

  /// What was said into a connection that was about to be lost is lost with it. Whatever is said
  /// again under the same id is said once.
  #isIn(token) {
    this.connections += 1;
    this.token = token;
    for (const { body, answered } of this.#unanswered.values()) this.#say(body, answered);
  }

  #hear(event) {
    this.after = event.seq;
    this.#ears.event(event);
    this.socket.emit("ack", { seq: event.seq });
  }
}

export class SocketIo4 extends SocketIo {
  constructor(address, ears, transports) {
    super(ears);
    const auth = (tell) => tell({ token: this.token, after: this.after });
    const socket = io(address + NAMESPACE, { forceNew: true, auth, transports, ...COMES_BACK });
    this.listen(socket, socket.io);
    socket.on("connect_error", ({ message }) => {
      if (socket.io.engine.readyState === "open") ears.failed(`is not let in: ${message}`);
    });
  }
}

export class SocketIo2 extends SocketIo {
  constructor(address, ears, transports) {
    super(ears);
    // The query stands behind the namespace as well, and stays there as it is here.
    const query = { after: 0 };
    const socket = old(address + NAMESPACE, { forceNew: true, query, transports, ...COMES_BACK });
    this.listen(socket, socket.io);
    socket.io.on("reconnect_attempt", () => {
      socket.io.opts.query = { token: this.token, after: this.after };
    });
    this.socket.on("error", (error) => {
      // What the network does is an Error; what the server says is not.
      if (!(error instanceof Error)) ears.failed(`is not let in: ${JSON.stringify(error)}`);
    });
  }
}
