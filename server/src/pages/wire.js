// A log of what goes over the wire and when. It is there to be looked at, and calls nothing out.

import { clock, show } from "/pages/page.js";

const ROWS_MAX = 200;
/// Closer to the end than this, one reads along.
const AT_END_PX = 24;
const SIGNS = { sent: "↑", received: "↓", note: "·" };
const TIME = { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hourCycle: "h23" };

export class Wire {
  #list;
  #empty;

  constructor({ list, empty, clear }) {
    this.#list = list;
    this.#empty = empty;
    clear.addEventListener("click", () => this.#clear());
  }

  /// Adds a row; `way` is "sent", "received" or "note". Gives the row, for `remark`.
  add(way, text, remark = "") {
    const following = this.#isAtEnd();
    const row = document.createElement("li");
    row.dataset.way = way;
    const time = document.createElement("time");
    const now = new Date();
    time.dateTime = now.toISOString();
    time.textContent = clock(now, TIME);
    const sign = document.createElement("span");
    sign.className = "way";
    const arrow = document.createElement("span");
    arrow.textContent = SIGNS[way];
    arrow.ariaHidden = "true";
    const unseen = document.createElement("span");
    unseen.className = "unseen";
    show(unseen, `wire_${way}`);
    const what = document.createElement("span");
    what.className = "what";
    const note = document.createElement("small");
    note.textContent = remark;
    sign.append(arrow, unseen);
    what.append(text, " ", note);
    row.append(time, sign, what);
    this.#list.append(row);
    if (this.#list.children.length > ROWS_MAX) this.#list.firstElementChild.remove();
    this.#empty.hidden = true;
    if (following) this.#list.scrollTop = this.#list.scrollHeight;
    return row;
  }

  remark(row, text) {
    row.querySelector("small").textContent = text;
  }

  #isAtEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.#list;
    return scrollHeight - scrollTop - clientHeight < AT_END_PX;
  }

  #clear() {
    this.#list.replaceChildren();
    this.#empty.hidden = false;
  }
}

/// A span of time as it is read.
export function seconds(ms) {
  return (ms / 1000).toFixed(1);
}
