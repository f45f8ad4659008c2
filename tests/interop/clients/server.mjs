// The real server, in a process of its own.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

import { within } from "./waiting.mjs";

/// Where nobody is given up while a story is told, however busy the machine is; heartbeats are so
/// frequent that every client sees some.
export const PATIENT = {
  "resume-window-ms": 60_000,
  "session-lease-ms": 60_000,
  "heartbeat-interval-ms": 1_000,
  "heartbeat-timeout-ms": 20_000,
};
/// Where whoever is gone is given up soon.
export const IMPATIENT = {
  "resume-window-ms": 2_000,
  "session-lease-ms": 6_000,
  "heartbeat-interval-ms": 1_000,
  "heartbeat-timeout-ms": 6_000,
};

const running = new Set();
process.on("exit", () => running.forEach((server) => server.kill()));

export class Server {
  #child;
  #output = "";

  /// Starts `command`, which is `racetrack serve` or `racetrack-server`.
  static async start(command, limits) {
    const server = new Server();
    running.add(server);
    await within(server.#listen(command, limits), () => "the server listens");
    return server;
  }

  async #listen(command, limits) {
    const flags = Object.entries(limits).flatMap(([name, value]) => [`--${name}`, `${value}`]);
    const serve = [...command, "--addr", "127.0.0.1:0", ...flags];
    // It dies with this process, whatever that dies of.
    this.#child = spawn("setpriv", ["--pdeathsig", "KILL", ...serve], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child.stderr.on("data", (text) => (this.#output += text));
    for await (const line of createInterface({ input: this.#child.stdout })) {
      const address = /^listening on (http:.*)$/.exec(line);
      if (address) {
        this.address = address[1];
        return;
      }
    }
    throw new Error(`${command.join(" ")} does not listen: ${this.#output}`);
  }

  /// Fails where somebody is still there.
  async isEmpty() {
    const metrics = await (await fetch(`${this.address}/metrics`)).text();
    const [sessions] = /^racetrack_sessions .*$/m.exec(metrics);
    if (sessions !== "racetrack_sessions 0") throw new Error(`everybody has left, and ${sessions}`);
  }

  /// Asks it to stop, which it does in good order.
  async stop() {
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGTERM");
    const [code] = await within(ended, () => "the server stops");
    if (code !== 0) throw new Error(`the server ended with ${code}: ${this.#output}`);
  }

  kill() {
    this.#child.kill("SIGKILL");
    running.delete(this);
  }
}
