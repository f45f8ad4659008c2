// The lines of a conversation as they are seen. Text is inserted as text.

import { clock, onLanguage, show, word } from "/pages/page.js";

/// Closer to the end than this, one reads along.
const AT_END_PX = 48;

export class Log {
  #box;
  #newer;
  #rows = new Map();
  #again;

  /// `again(key)` is called when somebody wants to say a refused message once more.
  constructor({ box, newer, again }) {
    this.#box = box;
    this.#newer = newer;
    this.#again = again;
    newer.addEventListener("click", () => this.toEnd());
    box.addEventListener("scroll", () => this.#atEnd() && this.#seen(), { passive: true });
    new ResizeObserver(() => this.#follow && this.toEnd()).observe(box);
    onLanguage(() => this.#rows.forEach(({ line }) => this.change(line)));
  }

  #follow = true;

  add(line) {
    const row = line.kind === "word" ? document.createElement("p") : this.#message(line);
    row.classList.add("line", line.kind);
    this.#rows.set(line.key, { row, line });
    this.change(line);
    const follow = this.#follow || line.kind === "me";
    this.#box.append(row);
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
  }

  clear() {
    this.#rows.clear();
    this.#box.replaceChildren();
    this.#seen();
  }

  toEnd() {
    this.#box.scrollTop = this.#box.scrollHeight;
    this.#seen();
  }

  #atEnd() {
    const { scrollHeight, scrollTop, clientHeight } = this.#box;
    this.#follow = scrollHeight - scrollTop - clientHeight < AT_END_PX;
    return this.#follow;
  }

  #seen() {
    this.#follow = true;
    this.#newer.hidden = true;
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
    if (line.state === "refused") row.append(this.#why(line));
  }

  #why(line) {
    const why = element("p", "why", `${whyText(line.why)} `);
    const again = element("button", "link", word("chat_again"));
    again.type = "button";
    again.addEventListener("click", () => this.#again(line.key));
    why.append(again);
    return why;
  }
}

function lineText({ word: name, values }) {
  const transport = (kind) => kind && word(kind.replaceAll("-", "_"));
  const { kind, to } = values;
  return word(`line_${name}`, { from: transport(kind), transport: transport(to ?? kind) });
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
