// A proxy that lets HTTP through and breaks WebSockets: the handshake of each succeeds, and then its frames
//
//   cut        end the connection as soon as the client has sent one
//   unanswered reach the server; the connection ends instead of the first answer
//   silence    are swallowed, both ways, and neither end is told

import { once } from "node:events";
import { connect, createServer } from "node:net";

export const MANNERS = ["cut", "unanswered", "silence"];

const HEAD_END = "\r\n\r\n";

export class Breaker {
  #server = createServer({ pauseOnConnect: true, noDelay: true });
  #target;
  #manner;
  #sockets = new Set();
  /// WebSockets that were broken.
  broken = 0;

  /// A way to the server at `address`.
  static async to(address, manner) {
    const breaker = new Breaker();
    breaker.#target = Number(new URL(address).port);
    breaker.#manner = manner;
    breaker.#server.on("connection", (inbound) => breaker.#pass(inbound));
    breaker.#server.listen(0, "127.0.0.1");
    await once(breaker.#server, "listening");
    breaker.address = `http://127.0.0.1:${breaker.#server.address().port}`;
    return breaker;
  }

  close() {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }

  #pass(inbound) {
    const outbound = connect({ host: "127.0.0.1", port: this.#target, noDelay: true });
    for (const socket of [inbound, outbound]) {
      this.#sockets.add(socket);
      socket.on("error", () => socket.destroy());
      socket.on("close", () => this.#sockets.delete(socket));
    }
    inbound.on("close", () => outbound.destroy());
    outbound.on("close", () => inbound.destroy());
    let isSocket = false;
    const end = () => {
      this.broken += 1;
      inbound.destroy();
      outbound.destroy();
    };
    inbound.on("data", (bytes) => {
      if (!isSocket) return void outbound.write(bytes);
      if (this.#manner === "cut") return end();
      if (this.#manner === "unanswered") return void outbound.write(bytes);
      this.broken += 1;
    });
    outbound.on("data", (bytes) => {
      if (isSocket) return this.#manner === "silence" ? undefined : end();
      isSocket = bytes.toString("latin1").startsWith("HTTP/1.1 101 ");
      if (!isSocket) return void inbound.write(bytes);
      // Frames behind the head are broken as well.
      const head = bytes.indexOf(HEAD_END) + HEAD_END.length;
      inbound.write(bytes.subarray(0, head));
    });
    inbound.resume();
  }
}
