// Requests to this server in the name of one session.
//
// The token goes along by itself and cookies stay at home: cookies are one for all tabs, and two
// tabs are two people.

/// The server said no: `problem` as RFC 9457 has it, and when to ask again where it says so.
export class Refused extends Error {
  constructor(problem, retryAfterMs) {
    super(problem.title);
    this.problem = problem;
    this.retryAfterMs = retryAfterMs;
  }
}

/// One request. Throws `Refused` for an answer that is not 2xx, and what `fetch` throws when there
/// is no answer.
export async function ask(method, path, { token, body, signal, keepalive, accept } = {}) {
  const headers = {};
  if (token) headers.Authorization = `Bearer ${token}`;
  if (accept) headers.Accept = accept;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const response = await fetch(path, {
    method,
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
    signal,
    keepalive,
    cache: "no-store",
    credentials: "omit",
  });
  if (!response.ok) throw await refusal(response);
  return response;
}

async function refusal(response) {
  const plain = { type: "about:blank", title: response.statusText, status: response.status, detail: "" };
  const problem = await response.json().catch(() => plain);
  return new Refused({ ...plain, ...problem }, retryAfter(response));
}

/// When to ask again, in milliseconds, where the answer says so in seconds.
export function retryAfter(response) {
  const seconds = Number(response.headers.get("Retry-After"));
  return seconds > 0 ? seconds * 1000 : undefined;
}

/// Resolves after `ms`, or at once when `signal` is aborted.
export function pause(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => { clearTimeout(timer); resolve(); }, { once: true });
  });
}

/// What a person says, as requests: one at a time, so that they arrive in the order in which they
/// were said.
export class Outbox {
  #token;
  #on;
  #line = Promise.resolve();
  #closed = false;

  /// `on.refused({id?, problem, retryAfterMs?})`: a command was not obeyed; `on.lost(why)`: there
  /// is no way to the server, and what waits in this outbox must be said again.
  constructor(token, on) {
    this.#token = token;
    this.#on = on;
  }

  send(command) {
    this.#line = this.#line.then(() => this.#closed || this.#post(command));
  }

  close() {
    this.#closed = true;
  }

  async #post(command) {
    const [method, path, body] = request(command);
    try {
      // A message that is on its way when the page goes away still arrives.
      await ask(method, path, { token: this.#token, body, keepalive: true });
    } catch (error) {
      if (this.#closed) return;
      const { problem, retryAfterMs } = error;
      if (problem && problem.status !== 401) {
        this.#on.refused({ id: command.id, problem, retryAfterMs });
      } else {
        this.#on.lost({ problem });
      }
    }
  }
}

function request({ type, ...body }) {
  switch (type) {
    case "say": return ["POST", "/api/messages", body];
    case "next": return ["POST", "/api/next", body];
    case "leave": return ["DELETE", "/api/session"];
    case "ack": return ["POST", "/api/ack", body];
    default: throw new Error(`no such command: ${type}`);
  }
}
