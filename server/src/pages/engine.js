// Engine.IO 4: text packets over a WebSocket, over requests, or over requests that become a
// WebSocket. It knows nothing of what the packets mean.
//
//   new Engine({ transports, on })    ["websocket"], ["polling"] or ["polling", "websocket"]
//     .open()  .send(text)  .close()
//
//   on.open()            the handshake is done
//   on.message(text)     a message came
//   on.close()           the connection is no more; called once
//   on.wire?({ sent, via, text })     every packet as it goes over the wire, for those who look
//
// https://github.com/socketio/engine.io-protocol, revision 4.

const PATH = "/socket.io/";
const SEPARATOR = "\u001e";
const OPEN = "0";
const CLOSE = "1";
const PING = "2";
const PONG = "3";
const MESSAGE = "4";
const UPGRADE = "5";
/// How long the handshake, and a packet that is late, may take.
const LATE_MS_MAX = 10_000;

export class Engine {
  #on;
  #transports;
  #handshake;
  #via;
  #socket;
  #polling;
  #waiting = [];
  /// The request on its way, where there is one.
  #posting;
  #upgrading = false;
  #silence;
  #closed = false;
  #aborter = new AbortController();

  constructor({ transports, on }) {
    this.#transports = transports;
    this.#on = on;
  }

  get closed() {
    return this.#closed;
  }

  /// "websocket" or "polling".
  get via() {
    return this.#via;
  }

  open() {
    this.#via = this.#transports[0];
    this.#listen();
    if (this.#via === "websocket") this.#openSocket();
    else this.#polling = this.#poll();
  }

  send(text) {
    this.#write(MESSAGE + text);
  }

  close() {
    if (this.closed) return;
    if (this.#handshake) this.#write(CLOSE);
    this.#end();
  }

  /// What still goes out goes first: the end of a request or a socket tells the server the same as
  /// the goodbye, which would then come from somebody unknown.
  async #end() {
    this.#closed = true;
    clearTimeout(this.#silence);
    await this.#posting;
    this.#aborter.abort();
    if (this.#socket) hangUp(this.#socket);
  }

  #lost() {
    if (this.closed) return;
    this.#waiting = [];
    this.#end();
    this.#on.close();
  }

  /// The server pings; a connection on which it does not is dead.
  #listen() {
    const { pingInterval, pingTimeout } = this.#handshake ?? { pingInterval: 0, pingTimeout: 0 };
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#lost(), pingInterval + pingTimeout + LATE_MS_MAX);
  }

  #packet(text) {
    if (this.closed) return;
    this.#listen();
    switch (text[0]) {
      case OPEN: return this.#opened(JSON.parse(text.slice(1)));
      case CLOSE: return this.#lost();
      case PING: return this.#write(PONG + text.slice(1));
      case MESSAGE: return this.#on.message(text.slice(1));
    }
  }

  #opened(handshake) {
    this.#handshake = handshake;
    this.#listen();
    this.#on.open();
    const wanted = this.#transports.includes("websocket") && this.#via === "polling";
    if (wanted && handshake.upgrades.includes("websocket")) this.#upgrade();
  }

  #write(packet) {
    this.#waiting.push(packet);
    this.#flush();
  }

  #flush() {
    if (this.closed || this.#upgrading) return;
    if (this.#via === "polling") {
      this.#posting ??= this.#post();
      return;
    }
    for (const packet of this.#waiting.splice(0)) this.#sendFrame(this.#socket, packet);
  }

  #address(transport) {
    const sid = this.#handshake ? `&sid=${encodeURIComponent(this.#handshake.sid)}` : "";
    return `${PATH}?EIO=4&transport=${transport}${sid}`;
  }

  // WebSocket

  #newSocket() {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    return new WebSocket(`${scheme}//${location.host}${this.#address("websocket")}`);
  }

  #openSocket() {
    this.#socket = this.#newSocket();
    this.#listenTo(this.#socket);
  }

  #listenTo(socket) {
    socket.onmessage = ({ data }) => {
      this.#on.wire?.({ sent: false, via: "websocket", text: data });
      this.#packet(data);
    };
    socket.onclose = () => this.#lost();
  }

  #sendFrame(socket, packet) {
    this.#on.wire?.({ sent: true, via: "websocket", text: packet });
    if (socket.readyState === WebSocket.OPEN) socket.send(packet);
  }

  // Requests

  async #poll() {
    try {
      while (!this.closed && !this.#upgrading) {
        const text = await this.#request("GET");
        for (const packet of text.split(SEPARATOR)) {
          this.#on.wire?.({ sent: false, via: "polling", text: packet });
          this.#packet(packet);
        }
      }
    } catch {
      this.#lost();
    }
  }

  /// What waits goes in one request at a time, as much of it as the server takes. A goodbye goes
  /// out even though nothing is heard any more by then.
  async #post() {
    try {
      while (this.#waiting.length > 0 && !this.#upgrading) {
        const packets = this.#waiting.splice(0, this.#fitting());
        for (const text of packets) this.#on.wire?.({ sent: true, via: "polling", text });
        await this.#request("POST", packets.join(SEPARATOR));
      }
    } catch {
      this.#lost();
    } finally {
      this.#posting = undefined;
    }
  }

  #fitting() {
    let bytes = 0;
    const encoder = new TextEncoder();
    const over = this.#waiting.findIndex((packet) => {
      bytes += encoder.encode(packet).length + SEPARATOR.length;
      return bytes > this.#handshake.maxPayload;
    });
    return over < 0 ? this.#waiting.length : Math.max(over, 1);
  }

  async #request(method, body) {
    const response = await fetch(this.#address("polling"), {
      method,
      body,
      headers: body === undefined ? {} : { "Content-Type": "text/plain;charset=UTF-8" },
      signal: method === "GET" ? this.#aborter.signal : undefined,
      keepalive: method === "POST",
      cache: "no-store",
      credentials: "omit",
    });
    if (!response.ok) throw new Error(`${response.status}`);
    return response.text();
  }

  // From requests to WebSocket

  ///   -> "2probe"   over the new socket; the server answers the parked request
  ///   <- "3probe"   no more requests from here on
  ///   -> "5"        everything goes over the socket
  #upgrade() {
    const socket = this.#newSocket();
    const giveUp = () => { socket.onmessage = null; hangUp(socket); };
    this.#aborter.signal.addEventListener("abort", giveUp);
    socket.onopen = () => this.#sendFrame(socket, `${PING}probe`);
    socket.onmessage = async ({ data }) => {
      this.#on.wire?.({ sent: false, via: "websocket", text: data });
      if (data !== `${PONG}probe`) return giveUp();
      this.#upgrading = true;
      await this.#polling;
      await this.#posting;
      if (this.closed) return;
      this.#sendFrame(socket, UPGRADE);
      this.#listenTo(socket);
      this.#socket = socket;
      this.#via = "websocket";
      this.#upgrading = false;
      this.#flush();
    };
  }
}

/// A browser complains of a socket that is closed before it is open. Nothing is said on it by then, so
/// that it may as well open first.
function hangUp(socket) {
  if (socket.readyState === WebSocket.CONNECTING) socket.onopen = () => socket.close();
  else socket.close();
}
