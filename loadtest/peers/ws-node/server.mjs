// Random chat on Node.js with the `ws` package: one JSON object a text frame.

import { createServer } from "node:http";
import { WebSocketServer } from "ws";
import { Chat, FRAME_BYTES_MAX, HEARTBEAT_INTERVAL_MS, endWithOwner, listenAddress } from "../chat.mjs";

const chat = new Chat();
const http = createServer((_request, response) => response.writeHead(404).end());
const sockets = new WebSocketServer({
  server: http,
  path: "/api/ws",
  perMessageDeflate: false,
  maxPayload: FRAME_BYTES_MAX,
});

sockets.on("connection", (socket) => {
  const opened = chat.admit();
  socket.send(JSON.stringify({ type: "opened", ...opened }));
  const person = chat.enter(opened.session, (event) => socket.send(JSON.stringify(event)));
  socket.alive = true;
  socket.on("pong", () => (socket.alive = true));
  socket.on("error", () => socket.terminate());
  socket.on("close", (code) => chat.leave(person, code === 1006 ? "lost" : "left"));
  socket.on("message", (data, isBinary) => {
    if (isBinary) return socket.close(1003);
    let command;
    try {
      command = JSON.parse(data);
    } catch {
      return socket.close(1007);
    }
    const refused = chat.obey(person, command);
    if (refused) socket.send(JSON.stringify({ type: "refused", ...refused }));
    else if (command.type === "leave") socket.close(1000);
  });
});

setInterval(() => {
  for (const socket of sockets.clients) {
    if (!socket.alive) socket.terminate();
    socket.alive = false;
    socket.ping();
  }
}, HEARTBEAT_INTERVAL_MS).unref();

endWithOwner();

process.on("SIGTERM", () => {
  for (const socket of sockets.clients) socket.close(1012);
  http.close();
  setTimeout(() => process.exit(0), 1_000).unref();
});

const { host, port } = listenAddress();
http.listen({ host, port, backlog: 4096 }, () => {
  console.log(`listening on http://${host}:${http.address().port}`);
});
