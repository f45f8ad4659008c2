// Runs the JavaScript of docs/src/protocol.md as two pages that meet; each must read what the other said.
//
//   npm ci --prefix loadtest/peers/socketio-node
//   node tests/interop/documents/example.mjs target/release/racetrack
//
// The WebSocket is the one of `ws`, which that package brings: not every Node.js has one of its own.

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const PATIENCE_MS = 20_000;
const root = new URL("../../../", import.meta.url);
const { WebSocket } = createRequire(new URL("loadtest/peers/socketio-node/", root))("ws");

const [, block] = readFileSync(new URL("docs/src/protocol.md", root), "utf8").split("```js\n");
const [code] = block.split("```");
const server = spawn(process.argv[2], ["serve", "--addr", "127.0.0.1:0"], { stdio: ["ignore", "pipe", "inherit"] });
const patience = setTimeout(() => end(1, "they did not hear each other in time"), PATIENCE_MS);

function end(status, why) {
  clearTimeout(patience);
  server.kill("SIGKILL");
  console.log(why);
  process.exit(status);
}

server.on("error", (error) => end(1, error.message));
createInterface({ input: server.stdout }).on("line", (line) => {
  const address = line.replace("listening on http://", "");
  const heard = new Set();
  for (const name of ["ann", "bob"]) {
    const page = code.replace("127.0.0.1:3000", address);
    const console = { log: (text) => text === "hello" && heard.add(name).size === 2 && end(0, "both heard each other") };
    new Function("WebSocket", "console", page)(WebSocket, console);
  }
});
