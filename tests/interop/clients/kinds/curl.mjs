// A person with curl: short polls, long polls, or an event stream.

import { curl } from "../curl.mjs";
import { HttpClient } from "./http.mjs";

/// How often somebody asks who does not wait for the answer, in milliseconds.
const POLL_EVERY_MS = 50;
/// How long a poll waits, in milliseconds.
const POLL_WAIT_MS = 20_000;

class CurlClient extends HttpClient {
  #running = new Set();
  #isOver = false;

  constructor(address, ears) {
    super(address, ears);
    this.opens().then(() => this.#readOn()).catch((error) => ears.failed(error.message));
  }

  request(method, path, body) {
    const json = ["--header", "Content-Type: application/json", "--data", JSON.stringify(body)];
    return this.run(["--request", method, ...(body ? json : []), `${this.address}${path}`]);
  }

  async run(options, line) {
    const who = this.token ? ["--header", `Authorization: Bearer ${this.token}`] : [];
    const running = curl([...who, ...options], line);
    this.#running.add(running);
    try {
      return await running.done;
    } finally {
      this.#running.delete(running);
    }
  }

  end() {
    this.#isOver = true;
    for (const running of this.#running) running.kill();
  }

  event(event) {
    super.event(event);
    this.#isOver ||= event.type === "closing";
  }

  /// A lost connection is no reason to stop: the cursor says where to go on.
  async #readOn() {
    while (!this.#isOver) {
      const answer = await this.read().catch(pause);
      if (answer && answer.status !== 200) throw new Error(`reads ${answer.body}`);
    }
  }
}

export class CurlPoll extends CurlClient {
  async read() {
    const query = `after=${this.after}&wait_ms=${this.waitMs}`;
    const answer = await this.run([`${this.address}/api/events?${query}`]);
    if (answer.status === 200) JSON.parse(answer.body).events.forEach((event) => this.event(event));
    return answer;
  }
}

export class CurlShortPoll extends CurlPoll {
  waitMs = 0;

  async read() {
    const [answer] = await Promise.all([super.read(), pause()]);
    return answer;
  }
}

export class CurlLongPoll extends CurlPoll {
  waitMs = POLL_WAIT_MS;
}

export class CurlStream extends CurlClient {
  event(event) {
    super.event(event);
    if (event.type !== "closing") this.acknowledge(event.seq);
  }

  read() {
    const where = this.after ? ["--header", `Last-Event-ID: ${this.after}`] : [];
    let isEvent = true;
    return this.run([...where, `${this.address}/api/stream`], (line) => {
      if (line.startsWith("event: ")) isEvent = false;
      if (line.startsWith("data: ") && isEvent) this.event(JSON.parse(line.slice(6)));
      if (line.startsWith("data: ") && !isEvent) this.ears.failed(line);
    });
  }
}

function pause() {
  return new Promise((resolve) => setTimeout(resolve, POLL_EVERY_MS));
}
