// Socket.IO 5 over Engine.IO 4: one namespace, events with arguments, and answers to them.
//
//   new Socket({ namespace, auth, transports, on })
//     .open()
//     .emit(name, ...args)
//     .ask(name, ...args)    the same, and a promise of the answer's arguments
//     .disconnect()          says goodbye: whatever the server keeps for this socket ends
//     .close()               ends the connection only
//
//   on.connect()  on.event(name, args)  on.close({ error? })  on.wire?(..) as engine.js has it
//
// https://github.com/socketio/socket.io-protocol, revision 5; binary packets are not understood.

import { Engine } from "/pages/engine.js";

const CONNECT = "0";
const DISCONNECT = "1";
const EVENT = "2";
const ACK = "3";
const CONNECT_ERROR = "4";
/// Answers that may be waited for at once; the oldest question is given up for one more.
const QUESTIONS_MAX = 256;

export class Socket {
  #namespace;
  #auth;
  #on;
  #engine;
  #questions = new Map();
  #nextQuestion = 0;

  constructor({ namespace, auth, transports, on }) {
    this.#namespace = namespace;
    this.#auth = auth;
    this.#on = on;
    this.#engine = new Engine({
      transports,
      on: {
        open: () => this.#send(CONNECT, "", this.#auth),
        message: (text) => this.#packet(text),
        close: () => this.#over({}),
        wire: on.wire,
      },
    });
  }

  /// "websocket" or "polling", whichever the packets go over now.
  get via() {
    return this.#engine.via;
  }

  open() {
    this.#engine.open();
  }

  emit(name, ...args) {
    this.#send(EVENT, "", [name, ...args]);
  }

  ask(name, ...args) {
    const id = this.#nextQuestion++;
    this.#questions.delete(id - QUESTIONS_MAX);
    this.#send(EVENT, id, [name, ...args]);
    return new Promise((resolve) => this.#questions.set(id, resolve));
  }

  disconnect() {
    this.#send(DISCONNECT, "");
    this.close();
  }

  close() {
    this.#engine.close();
  }

  #send(type, id, payload) {
    const data = payload === undefined ? "" : JSON.stringify(payload);
    this.#engine.send(`${type}${this.#namespace},${id}${data}`);
  }

  #packet(text) {
    const parts = /^(\d)(?:(\/[^,]*),?)?(\d*)(.*)$/s.exec(text);
    if (!parts || (parts[2] ?? "/") !== this.#namespace) return;
    const [, type, , id, data] = parts;
    const payload = data === "" ? undefined : JSON.parse(data);
    switch (type) {
      case CONNECT: return this.#on.connect(payload);
      case EVENT: return this.#on.event(payload[0], payload.slice(1));
      case ACK: return this.#answer(Number(id), payload);
      case DISCONNECT: return this.#over({});
      case CONNECT_ERROR: return this.#over({ error: payload });
    }
  }

  #answer(id, args) {
    this.#questions.get(id)?.(args);
    this.#questions.delete(id);
  }

  #over(why) {
    this.#engine.close();
    this.#on.close(why);
  }
}
