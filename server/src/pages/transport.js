// What every transport does, whatever it is made of.
//
//   new SomeTransport({ token, after, on })     a session, and the last event that the page has
//     .open()             begins to read; `on.open()` once it stands
//     .send(command)      {type: "say" | "next" | "leave", ..}
//     .acknowledge(seq)   the page has everything up to there
//     .close()            ends the connection, not the session; nothing is called afterwards
//
//   on.event(event)       events as the server numbers them; some may come a second time
//   on.refused({id?, problem, retryAfterMs?})   a command was not obeyed
//   on.lost({problem?, retryAfterMs?})          the connection is no more; called once
//
// A transport never opens a session, never tries again, and keeps nothing: that is the
// conversation's work, and the same for all of them.

export class Transport {
  #on;
  #standing = false;
  #aborter = new AbortController();

  constructor({ token, after, on }) {
    this.token = token;
    this.after = after;
    this.#on = on;
  }

  /// Aborted when the transport is closed.
  get signal() {
    return this.#aborter.signal;
  }

  get closed() {
    return this.signal.aborted;
  }

  close() {
    this.#aborter.abort();
  }

  standing() {
    if (this.closed || this.#standing) return;
    this.#standing = true;
    this.#on.open();
  }

  event(event) {
    if (!this.closed) this.#on.event(event);
  }

  refused(refusal) {
    if (!this.closed) this.#on.refused(refusal);
  }

  lost(why = {}) {
    if (this.closed) return;
    this.close();
    this.#on.lost(why);
  }
}
