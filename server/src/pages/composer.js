// Where a message is written: it grows with its text, Enter sends, and it says before the server
// does when a message is too long.

import { onLanguage, word } from "/pages/page.js";

/// The server's limit, in bytes of UTF-8.
const BYTES_MAX = 4_096;
/// When to begin to say how much is left.
const BYTES_TOLD = 3_072;
const HEIGHT_PX_MAX = 160;
/// Tells a key press that belongs to the input method, where `isComposing` is already over.
const KEY_OF_INPUT_METHOD = 229;

export class Composer {
  #form;
  #text;
  #send;
  #length;
  #maySend = () => false;

  /// `say(text)` is called with a message that may go; `maySend()` says whether one may.
  constructor({ form, text, send, length, say, maySend }) {
    Object.assign(this, { say });
    this.#form = form;
    this.#text = text;
    this.#send = send;
    this.#length = length;
    this.#maySend = maySend;
    form.addEventListener("submit", (event) => { event.preventDefault(); this.#submit(); });
    text.addEventListener("keydown", (event) => this.#key(event));
    text.addEventListener("input", () => this.update());
    onLanguage(() => this.update());
  }

  focus() {
    this.#text.focus({ preventScroll: true });
  }

  /// To be called when whether one may send has changed.
  update() {
    const bytes = bytesOf(clean(this.#text.value));
    const left = BYTES_MAX - bytes;
    this.#text.setAttribute("aria-invalid", String(left < 0));
    this.#send.disabled = !this.#maySend() || left < 0;
    this.#length.textContent = lengthText(left);
    this.#length.classList.toggle("over", left < 0);
    this.#grow();
  }

  /// Enter in the middle of a syllable ends the syllable and sends nothing.
  #key(event) {
    if (event.key !== "Enter" || event.shiftKey) return;
    if (event.isComposing || event.keyCode === KEY_OF_INPUT_METHOD) return;
    event.preventDefault();
    if (!event.repeat) this.#submit();
  }

  #submit() {
    const text = clean(this.#text.value).replace(/^\n+/, "").trimEnd();
    if (text === "" || bytesOf(text) > BYTES_MAX) return;
    if (!this.#maySend()) {
      this.#length.textContent = word("chat_nobody_yet");
      return;
    }
    this.#text.value = "";
    this.update();
    this.say(text);
    this.focus();
  }

  #grow() {
    this.#text.style.height = "auto";
    this.#text.style.height = `${Math.min(this.#text.scrollHeight + 2, HEIGHT_PX_MAX)}px`;
  }
}

function lengthText(left) {
  const n = Math.abs(left);
  if (left < 0) return word("chat_bytes_over", { n });
  return left < BYTES_MAX - BYTES_TOLD ? word("chat_bytes_left", { n }) : "";
}

function bytesOf(text) {
  return new TextEncoder().encode(text).length;
}

/// Without what is not text: control characters, and halves of characters that JSON cannot carry.
function clean(text) {
  const whole = text.toWellFormed ? text.toWellFormed() : text;
  return whole.replace(/[\u0000-\u0008\u000b-\u001f\u007f]/g, "");
}
