// The chat over Socket.IO, namespace `/chat`: the same client twice, over a WebSocket and over
// HTTP long-polling.

import { isTooFast } from "/pages/reasons.js";
import { Socket } from "/pages/socketio.js";
import { Transport } from "/pages/transport.js";

class SocketioChat extends Transport {
  #socket;
  #problem;

  /// "websocket" or "polling"; a kind says which.
  get way() {
    throw new Error("a kind says which way it goes");
  }

  open() {
    this.#socket = new Socket({
      namespace: "/chat",
      auth: { token: this.token, after: this.after, lang: document.documentElement.lang },
      transports: [this.way],
      on: {
        connect: () => {},
        event: (name, args) => this.#heard(name, args),
        close: () => this.lost({ problem: this.#problem }),
      },
    });
    this.#socket.open();
  }

  send({ type, ...body }) {
    if (type === "leave") this.#socket.emit("leave");
    else this.#socket.emit(type, body);
  }

  acknowledge(seq) {
    this.send({ type: "ack", seq });
  }

  close() {
    super.close();
    this.#socket?.close();
  }

  #heard(name, args) {
    if (this.closed) return;
    switch (name) {
      case "session": return this.standing();
      // The first argument is the event in words, for the clients of the original chat.
      case "msg": return this.event(args[1]);
      case "refused":
        // After this one the connection goes on.
        if (!args[0].id && !isTooFast(args[0].problem)) this.#problem = args[0].problem;
        return this.refused(args[0]);
    }
  }
}

export class SocketioWebsocket extends SocketioChat {
  get way() {
    return "websocket";
  }
}

export class SocketioPolling extends SocketioChat {
  get way() {
    return "polling";
  }
}
