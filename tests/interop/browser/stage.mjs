// What one row needs: a server, browsers of people who do not know each other, and an eye on what none
// of them may do: complain, on the console or in the log, throw, or speak to anybody but the server.

import { mkdir } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { start } from "./server.mjs";

export const OUT = fileURLToPath(new URL("../../../target/browser/", import.meta.url));
/// Whatever is waited for comes sooner, on a busy machine too.
const WAIT_MS_MAX = 20_000;
const DESKTOP = { width: 1100, height: 760 };

export class Stage {
  #contexts = [];
  #ends = [];
  #faults = [];
  /// Pages that are being closed: a connection that has just begun then ends with a complaint, which
  /// nobody is there to read.
  #leaving = new Set();

  constructor({ binary, browser }) {
    Object.assign(this, { binary, browser });
  }

  /// Starts the server that the row is about.
  async open() {
    this.server = await this.serve();
  }

  /// One more server, which ends with the row.
  async serve(options, port) {
    const server = await start(this.binary, options, port);
    const { stop } = server;
    let stopped;
    server.stop = (signal) => {
      stopped ??= stop(signal).then((complaints) => {
        this.#faults.push(...complaints.map((line) => `the server: ${line}`));
      });
      return stopped;
    };
    this.onEnd(() => server.stop());
    return server;
  }

  /// A new process with the options of one that has ended, at the same address.
  serveAgain({ options, port }) {
    return this.serve(options, port);
  }

  /// A page of somebody with a browser of their own. `allowed` are the complaints that are part of
  /// the row, `origins` are whom the page may speak to.
  async page({ allowed = [], origins = [this.server.url], viewport = DESKTOP, ...options } = {}) {
    const context = await this.browser.newContext({ locale: "en-US", viewport, ...options });
    this.#contexts.push(context);
    context.setDefaultTimeout(WAIT_MS_MAX);
    const complain = (text) => {
      if (!allowed.some((pattern) => pattern.test(text))) this.#faults.push(text);
    };
    this.#watch(context, origins, complain);
    return context.newPage();
  }

  /// Closes a page, whatever it is in the middle of.
  async close(page) {
    this.#leaving.add(page);
    await page.close();
  }

  /// Done when the row is over.
  onEnd(end) {
    this.#ends.push(end);
  }

  /// A picture for people, below target/browser/.
  async picture(page, name) {
    await mkdir(OUT, { recursive: true });
    await page.screenshot({ path: path.join(OUT, `${name}.png`) });
  }

  /// Gives what was wrong, if anything was.
  async end(failure) {
    await Promise.all(this.#contexts.flatMap((context) => context.pages()).map((page) => this.close(page)));
    await Promise.all(this.#contexts.map((context) => context.close()));
    for (const end of this.#ends) await end();
    if (failure) return failure;
    return this.#faults.length > 0 ? new Error([...new Set(this.#faults)].join("\n")) : undefined;
  }

  #watch(context, origins, complain) {
    context.on("console", (message) => {
      if (this.#leaving.has(message.page())) return;
      if (["error", "warning"].includes(message.type())) {
        complain(`on the console: ${message.text()} (${message.location().url})`);
      }
    });
    context.on("weberror", (error) => complain(`thrown: ${error.error().stack}`));
    const see = (address) => origins.some((origin) => isOf(address, origin)) || complain(`a request to another host: ${address}`);
    context.on("request", (request) => see(request.url()));
    context.on("page", (page) => page.on("websocket", (socket) => see(socket.url())));
  }
}

/// True when whoever may speak to this origin alone may ask for this address.
function isOf(address, origin) {
  const { protocol, host } = new URL(address);
  if (["data:", "blob:"].includes(protocol)) return true;
  const allowed = new URL(origin);
  return protocol === "file:" ? allowed.protocol === "file:" : host === allowed.host;
}

/// A row: what is promised, and how it is tried.
export function row(name, run) {
  return { name, run };
}

/// Waits until `test(argument)`, asked in the page, is true.
export async function until(page, what, test, argument) {
  try {
    await page.waitForFunction(test, argument, { timeout: WAIT_MS_MAX, polling: 25 });
  } catch (error) {
    throw new Error(`waited in vain until ${what}: ${error.message.split("\n")[0]}`);
  }
}
