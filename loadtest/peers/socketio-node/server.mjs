// Random chat on Node.js with Socket.IO 4: namespace `/chat`, each event as a Korean sentence and as
// an object.

import { createServer } from "node:http";
import { Server } from "socket.io";
import {
  Chat,
  FRAME_BYTES_MAX,
  HEARTBEAT_INTERVAL_MS,
  HEARTBEAT_TIMEOUT_MS,
  endWithOwner,
  listenAddress,
} from "../chat.mjs";

const KEEP_ALIVE_MS = 10_000;

const chat = new Chat();
const http = createServer((_request, response) => response.writeHead(404).end());
// As long as racetrack keeps one: half as long, which is the default, and people who poll and say little
// connect anew for every message.
http.keepAliveTimeout = KEEP_ALIVE_MS;
const io = new Server(http, {
  perMessageDeflate: false,
  httpCompression: false,
  serveClient: false,
  maxHttpBufferSize: FRAME_BYTES_MAX,
  pingInterval: HEARTBEAT_INTERVAL_MS,
  pingTimeout: HEARTBEAT_TIMEOUT_MS,
});

io.of("/chat").on("connection", (socket) => {
  const opened = chat.admit();
  socket.emit("session", opened);
  const person = chat.enter(opened.session, (event) => socket.emit("msg", sentence(event), event));
  const obey = (type, body) => {
    const refused = chat.obey(person, { ...body, type });
    if (refused) socket.emit("refused", refused);
    else if (type === "leave") socket.disconnect(true);
  };
  for (const type of ["say", "next", "leave", "ack"]) socket.on(type, (body) => obey(type, body));
  socket.on("disconnect", (reason) => {
    chat.leave(person, reason === "client namespace disconnect" ? "left" : "lost");
  });
});

/** The event as the original random chat worded it. */
function sentence(event) {
  switch (event.type) {
    case "welcome":
      return `서버에 접속되었습니다.${event.at}`;
    case "waiting":
      return "[상대방을 기다리고 있습니다.]";
    case "paired":
      return "[상대방과 연결되었습니다.]";
    case "message":
      return (event.from === "me" ? "[나]" : "[상대방]") + event.text;
    case "partner_left":
      return "상대방이 접속을 종료합니다.";
    case "notice":
      return `[전체공지]현재 접속 인원은 총 ${event.online}명입니다.`;
    default:
      return "";
  }
}

endWithOwner();

process.on("SIGTERM", () => {
  io.close();
  setTimeout(() => process.exit(0), 1_000).unref();
});

const { host, port } = listenAddress();
http.listen({ host, port, backlog: 4096 }, () => {
  console.log(`listening on http://${host}:${http.address().port}`);
});
