// The network between one person and the server, which can be cut.
//
//   cut()        every connection is reset at both ends, and so is every new one
//   isMissed()   resolves when somebody has tried in vain since
//   mend()       new connections are let through again

import { once } from "node:events";
import { connect, createServer } from "node:net";

export class Relay {
  #server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true });
  #target;
  #sockets = new Set();
  #isCut = false;
  #missed;
  #miss;

  /// A way to the server at `address`.
  static async to(address) {
    const relay = new Relay();
    relay.#target = Number(new URL(address).port);
    relay.#server.on("connection", (inbound) => relay.#take(inbound));
    relay.#server.listen(0, "127.0.0.1");
    await once(relay.#server, "listening");
    relay.address = `http://127.0.0.1:${relay.#server.address().port}`;
    return relay;
  }

  cut() {
    this.#isCut = true;
    this.#missed = new Promise((resolve) => (this.#miss = resolve));
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  isMissed() {
    return this.#missed;
  }

  mend() {
    this.#isCut = false;
  }

  close() {
    this.cut();
    this.#server.close();
  }

  #take(inbound) {
    this.#keep(inbound);
    if (!this.#isCut) return this.#pass(inbound);
    inbound.resetAndDestroy();
    this.#miss();
  }

  #pass(inbound) {
    const outbound = connect({
      host: "127.0.0.1",
      port: this.#target,
      allowHalfOpen: true,
      noDelay: true,
    });
    this.#keep(outbound);
    inbound.pipe(outbound).pipe(inbound);
    // Whoever loses one end loses the other.
    inbound.on("close", () => outbound.destroy());
    outbound.on("close", () => inbound.destroy());
  }

  #keep(socket) {
    this.#sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#sockets.delete(socket));
  }
}
