// The ways to read one mailbox, by the names that the server's reports give them.

import { LongPoll } from "/pages/long-poll.js";
import { ShortPoll } from "/pages/short-poll.js";
import { SocketioPolling, SocketioWebsocket } from "/pages/socketio-chat.js";
import { Sse } from "/pages/sse.js";
import { Websocket } from "/pages/websocket.js";

export const TRANSPORTS = {
  "short-poll": ShortPoll,
  "long-poll": LongPoll,
  "sse": Sse,
  "websocket": Websocket,
  "socketio-websocket": SocketioWebsocket,
  "socketio-polling": SocketioPolling,
};

export const USUAL = "websocket";
/// What gets through where nothing else does.
export const LAST_RESORT = "long-poll";
