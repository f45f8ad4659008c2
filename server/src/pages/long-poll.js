// Long polling: tell me when there is something. The server holds the request until there is, and
// the next one goes out at once.

import { Polling } from "/pages/polling.js";

/// Below the half minute after which many proxies lose patience.
const WAIT_MS = 25_000;
/// Between requests that were answered at once with nothing: something else reads this mailbox,
/// and two that end each other's requests must not do so as fast as they can.
const RIVAL_PAUSE_MS = 1_000;

export class LongPoll extends Polling {
  waitMs() {
    return WAIT_MS;
  }

  pauseMs({ count, tookMs }) {
    return count === 0 && tookMs < RIVAL_PAUSE_MS ? RIVAL_PAUSE_MS : 0;
  }
}
