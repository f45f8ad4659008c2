// What clients over plain requests have in common: one request a command, one after the other.
//
//   request(method, path, body)   the kind's own: {status, body}, or an error where nothing came

export class HttpClient {
  #last = Promise.resolve();
  /// Whose requests they are, once the session is open.
  token;
  /// The last event that has come.
  after = 0;

  constructor(address, ears) {
    this.address = address;
    this.ears = ears;
  }

  /// Opens the session, which everything else waits for.
  opens() {
    return this.#inTurn(async () => {
      const { token, next } = JSON.parse(await this.#ask("POST", "/api/session"));
      [this.token, this.after] = [token, next];
    });
  }

  send({ type, ...body }) {
    return this.#inTurn(() => this.#command(type, body));
  }

  /// What is lost with the connection is said again by the next one.
  acknowledge(seq) {
    this.send({ type: "ack", seq }).catch(() => {});
  }

  /// Users of plain requests go by a request.
  async leave() {
    await this.send({ type: "leave" }).catch((error) => this.ears.failed(error.message));
  }

  event(event) {
    this.after = event.seq;
    this.ears.event(event);
  }

  #command(type, body) {
    switch (type) {
      case "say": return this.#ask("POST", "/api/messages", body);
      case "next": return this.#ask("POST", "/api/next", body);
      case "ack": return this.#ask("POST", "/api/ack", body);
      case "leave": return this.#ask("DELETE", "/api/session");
    }
  }

  async #ask(method, path, body) {
    const answer = await this.request(method, path, body);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.body}`);
    return answer.body;
  }

  #inTurn(next) {
    const done = this.#last.then(next);
    this.#last = done.catch(() => {});
    return done;
  }
}
