// Random chat on Bun with its own WebSocket server: one JSON object a text frame.

import { Chat, FRAME_BYTES_MAX, HEARTBEAT_INTERVAL_MS, endWithOwner, listenAddress } from "../chat.mjs";

const chat = new Chat();
const { host, port } = listenAddress();

const server = Bun.serve({
  hostname: host,
  port,
  fetch(request, server) {
    if (new URL(request.url).pathname !== "/api/ws") return new Response(null, { status: 404 });
    if (server.upgrade(request, { data: { person: null } })) return undefined;
    return new Response("an upgrade is required", { status: 426 });
  },
  websocket: {
    perMessageDeflate: false,
    maxPayloadLength: FRAME_BYTES_MAX,
    sendPings: true,
    idleTimeout: (2 * HEARTBEAT_INTERVAL_MS) / 1_000,
    open(socket) {
      const opened = chat.admit();
      socket.send(JSON.stringify({ type: "opened", ...opened }));
      const deliver = (event) => socket.send(JSON.stringify(event));
      socket.data.person = chat.enter(opened.session, deliver);
    },
    message(socket, data) {
      if (typeof data !== "string") return socket.close(1003);
      let command;
      try {
        command = JSON.parse(data);
      } catch {
        return socket.close(1007);
      }
      const refused = chat.obey(socket.data.person, command);
      if (refused) socket.send(JSON.stringify({ type: "refused", ...refused }));
      else if (command.type === "leave") socket.close(1000);
    },
    close(socket, code) {
      chat.leave(socket.data.person, code === 1006 ? "lost" : "left");
    },
  },
});

endWithOwner();

process.on("SIGTERM", () => {
  server.stop(true);
  process.exit(0);
});

console.log(`listening on http://${host}:${server.port}`);
