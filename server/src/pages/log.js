// The lines of the conversations as they are seen, each conversation in a group of its own, which is
// marked when it is over. Text is inserted as text.

import { clock, describe, onLanguage, show, word } from "/pages/page.js";

/// Closer to the end than this, one reads along.
const AT_END_PX = 48;

export class Log {
  #box;
  #newer;
  #rows = new Map();
  /// The groups by their pairs.
  #talks = new Map();
  #pair;
  #maySend = false;
  #again;

  /// `again(key)` is called to say once more what was not taken.
  constructor({ box, newer, again }) {
    this.#box = box;
    this.#newer = newer;
    this.#again = again;
    newer.addEventListener("click", () => this.toEnd());
    box.addEventListener("scroll", () => this.#atEnd() && this.#seen(), { passive: true });
    new ResizeObserver(() => this.#resized()).observe(box);
    onLanguage(() => this.#rows.forEach(({ line }) => this.change(line)));
  }

  #follow = true;
  #height;

  add(line) {
    const row = line.kind === "word" ? document.createElement("p") : this.#message(line);
    row.classList.add("line", line.kind);
    this.#rows.set(line.key, { row, line });
    this.change(line);
    const follow = this.#follow || line.kind === "me";
    (line.pair === undefined ? this.#box : this.#talkOf(line.pair)).append(row);
    if (follow) this.toEnd();
    else if (line.kind === "partner") this.#newer.hidden = false;
  }

  change(line) {
    const { row } = this.#rows.get(line.key) ?? {};
    if (!row) return;
    if (line.kind === "word") {
      row.dataset.line = line.word;
      row.textContent = lineText(line);
      return;
    }
    row.querySelector(".unseen").textContent = `${word(line.kind === "me" ? "chat_you" : "chat_stranger")}: `;
    const time = row.querySelector("time");
    time.dateTime = line.at;
    time.textContent = clock(line.at);
    if (line.kind === "me") this.#mark(row, line);
  }

  drop(line) {
    this.#rows.get(line.key)?.row.remove();
    this.#rows.delete(line.key);
    const talk = this.#talks.get(line.pair);
    if (!talk || talk.querySelector(".line")) return;
    talk.remove();
    this.#talks.delete(line.pair);
  }

  /// The conversation with this pair goes on, and every other one is over.
  goesOn(pair, maySend) {
    if (pair === this.#pair && maySend === this.#maySend) return;
    this.#pair = pair;
    this.#maySend = maySend;
    this.#talks.forEach((talk, pair) => this.#markTalk(talk, pair));
    this.#rows.forEach(({ row, line }) => this.#markAgain(row, line));
    if (this.#follow) this.toEnd();
  }

  clear() {
    this.#rows.clear();
    this.#talks.clear();
    this.#box.replaceChildren();
    this.#seen();
  }

  toEnd() {
    this.#box.scrollTop = this.#box.scrollHeight;
    this.#seen();
  }

  #resized() {
    this.#height = this.#box.clientHeight;
    if (this.#follow) this.toEnd();
  }

  /// True when the reader is at the end. A log that has become smaller has not been scrolled by its reader.
  #atEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.#box;
    if (clientHeight !== this.#height) return false;
    this.#follow = scrollHeight - scrollTop - clientHeight < AT_END_PX;
    return this.#follow;
  }

  #seen() {
    this.#follow = true;
    this.#newer.hidden = true;
  }

  #talkOf(pair) {
    if (this.#talks.has(pair)) return this.#talks.get(pair);
    const talk = element("div", "talk");
    talk.setAttribute("role", "group");
    describe(talk, "label", "chat_log");
    this.#talks.set(pair, talk);
    this.#markTalk(talk, pair);
    this.#box.append(talk);
    return talk;
  }

  /// What is over stays so: a pair is never used again.
  #markTalk(talk, pair) {
    if (pair === this.#pair || "over" in talk.dataset) return;
    talk.dataset.over = "";
    describe(talk, "label", "chat_log_over");
    const end = element("p", "over");
    show(end, "chat_over");
    talk.append(end);
  }

  #message(line) {
    const row = document.createElement("div");
    const bubble = element("p", "bubble");
    bubble.append(element("span", "unseen"), element("span", "text", line.text));
    const meta = element("p", "meta");
    // Read by whoever goes there, and not called out each time it changes.
    meta.setAttribute("aria-live", "off");
    if (line.kind === "me") meta.append(element("span", "state"));
    meta.append(document.createElement("time"));
    row.append(bubble, meta);
    return row;
  }

  #mark(row, line) {
    row.dataset.state = line.state;
    show(row.querySelector(".state"), `chat_${line.state}`);
    row.querySelector(".why")?.remove();
    if (["refused", "unsure"].includes(line.state)) row.append(this.#why(line));
    this.#markAgain(row, line);
  }

  #why(line) {
    const text = line.state === "unsure" ? word("chat_unsure_why") : whyText(line.why);
    const why = element("p", "why", `${text} `);
    const again = element("button", "link");
    again.type = "button";
    again.addEventListener("click", () => this.#again(line.key));
    why.append(again);
    return why;
  }

  /// Whether and to whom it can be said once more: to somebody else, where its conversation is over.
  #markAgain(row, line) {
    const again = row.querySelector(".why button");
    if (!again) return;
    again.hidden = !this.#maySend || line.isRepeated === true;
    show(again, line.pair === this.#pair ? "chat_again" : "chat_again_here");
  }
}

function lineText({ word: name, values }) {
  const transport = (kind) => kind && word(kind.replaceAll("-", "_"));
  const { kind, to } = values;
  return word(`line_${name}`, { ...values, from: transport(kind), transport: transport(to ?? kind) });
}

/// A type of problem in words.
export function whyText(type = "") {
  const name = `why_${type.split("/").pop().replaceAll("-", "_")}`;
  const text = word(name);
  return text === name ? word("why_other") : text;
}

function element(tag, name, text) {
  const made = document.createElement(tag);
  made.className = name;
  if (text !== undefined) made.textContent = text;
  return made;
}
