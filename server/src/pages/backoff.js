// How long to wait before the next attempt: longer each time, at a different time for each of the
// pages that lost the same server, and not for ever.

const FIRST_MS = 250;
const MS_MAX = 5_000;
/// Attempts in a row: three to four minutes.
const ATTEMPTS_MAX = 60;

export class BackOff {
  #attempts = 0;

  /// Milliseconds until the next attempt; undefined after the last one.
  next() {
    if (this.#attempts >= ATTEMPTS_MAX) return undefined;
    const ms = Math.min(FIRST_MS * 2 ** this.#attempts, MS_MAX);
    this.#attempts += 1;
    return ms * (0.5 + Math.random() / 2);
  }

  /// Begins again, as if so many attempts had been made.
  reset(attempts = 0) {
    this.#attempts = attempts;
  }
}
