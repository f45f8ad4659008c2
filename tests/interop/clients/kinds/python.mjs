// A person with python-socketio, in a process of its own (person.py), line by line.

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const PROGRAM = fileURLToPath(new URL("person.py", import.meta.url));

export class PythonSocketIo {
  #child;
  #ears;
  #asked = new Map();
  #isOver = false;
  connections = 0;

  constructor(address, ears, transports) {
    this.#ears = ears;
    const python = process.env.INTEROP_PYTHON ?? "python3";
    this.#child = spawn(python, [PROGRAM, address, transports.join()], {
      stdio: ["pipe", "pipe", "pipe"],
    });
    let complaint = "";
    this.#child.stderr.on("data", (text) => (complaint += text));
    this.#child.stdin.on("error", () => {});
    this.#child.on("close", () => this.#isOver || ears.failed(`ended: ${complaint}`));
    const lines = createInterface({ input: this.#child.stdout });
    lines.on("line", (line) => this.#hear(...JSON.parse(line)));
  }

  async send({ type, ...body }) {
    const answer = await this.#ask(type, body);
    if (answer?.refused) throw new Error(`is refused: ${JSON.stringify(answer)}`);
  }

  async goesBy(way) {
    const by = await this.#ask("transport");
    if (by !== way) throw new Error(`goes by ${by}, not ${way}`);
  }

  leave() {
    this.#isOver = true;
    this.#ask("disconnect");
    this.#child.stdin.end();
  }

  end() {
    this.#isOver = true;
    this.#child.kill("SIGKILL");
  }

  #ask(what, body) {
    const number = this.#asked.size;
    const answered = new Promise((resolve) => this.#asked.set(number, resolve));
    this.#child.stdin.write(`${JSON.stringify([number, what, body])}\n`);
    return answered;
  }

  #hear(what, ...rest) {
    switch (what) {
      case "in": return void (this.connections += 1);
      case "event": return this.#ears.event(...rest);
      case "answer": return this.#asked.get(rest[0])(rest[1]);
      case "failed": return this.#ears.failed(...rest);
    }
  }
}
