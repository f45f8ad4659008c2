// Short polling: is there anything? Once a second, whether there is or not.

import { Polling } from "/pages/polling.js";

const INTERVAL_MS = 1_000;
/// A page that nobody looks at is woken once a minute, which would be too late for its session:
/// then the server does the waiting.
const HIDDEN_WAIT_MS = 25_000;

export class ShortPoll extends Polling {
  waitMs() {
    return document.hidden ? HIDDEN_WAIT_MS : 0;
  }

  pauseMs() {
    return document.hidden ? 0 : INTERVAL_MS;
  }
}
