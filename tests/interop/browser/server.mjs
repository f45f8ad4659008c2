// The server under test, which can be ended and started again at its port, and a relay in front of it
// whose connections can be cut.

import { spawn } from "node:child_process";
import net from "node:net";
import { createInterface } from "node:readline";

const READY_MS_MAX = 20_000;
const STOP_MS_MAX = 15_000;

/// Starts the server, at a free port unless one is given; resolves when it listens. `stop` gives what it
/// has complained of.
export async function start(binary, options = [], port = 0) {
  const drain = options.includes("--drain-ms-max") ? [] : ["--drain-ms-max", "0"];
  const args = ["serve", "--addr", `127.0.0.1:${port}`, ...drain, ...options];
  const child = spawn(binary, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, RUST_LOG: "warn" },
  });
  const complaints = [];
  createInterface(child.stderr).on("line", (line) => complaints.push(line));
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);
  const ended = new Promise((resolve) => {
    child.once("exit", resolve);
    child.once("error", resolve);
  });
  const url = await new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error("the server is not ready in time")), READY_MS_MAX);
    createInterface(child.stdout).on("line", (line) => {
      const [address] = /http:\/\/\S+/.exec(line) ?? [];
      if (address) { clearTimeout(late); resolve(address.replace(/\/$/, "")); }
    });
    ended.then((why) => { clearTimeout(late); reject(new Error(`the server has ended: ${why}`)); });
  });
  const stop = async (signal = "SIGTERM") => {
    child.kill(signal);
    const late = setTimeout(kill, STOP_MS_MAX);
    await ended;
    clearTimeout(late);
    process.off("exit", kill);
    return complaints;
  };
  return { url, stop, options, port: Number(new URL(url).port) };
}

/// A way to the server that can be cut: all connections that stand are reset, new ones are let through
/// unless the way is blocked.
export class Relay {
  isBlocked = false;
  #pairs = new Set();
  #listener;

  static async to({ url }) {
    const relay = new Relay();
    const port = Number(new URL(url).port);
    relay.#listener = net.createServer((near) => relay.#connect(near, port));
    await new Promise((resolve) => relay.#listener.listen(0, "127.0.0.1", resolve));
    relay.url = `http://127.0.0.1:${relay.#listener.address().port}`;
    return relay;
  }

  /// Resets all connections; gives how many there were.
  cut() {
    const { size } = this.#pairs;
    for (const pair of this.#pairs) pair.forEach((socket) => socket.resetAndDestroy());
    return size;
  }

  /// Cuts all connections, and every new one.
  block() {
    this.isBlocked = true;
    this.cut();
  }

  close() {
    this.#listener.close();
    this.cut();
  }

  #connect(near, port) {
    if (this.isBlocked) return near.resetAndDestroy();
    const far = net.connect(port, "127.0.0.1");
    const pair = [near, far];
    this.#pairs.add(pair);
    for (const [one, other] of [[near, far], [far, near]]) {
      one.setNoDelay(true);
      one.pipe(other);
      // A reset is what this is for.
      one.on("error", () => {});
      one.on("close", () => { this.#pairs.delete(pair); other.destroy(); });
    }
  }
}
