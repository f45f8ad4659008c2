// Where a message is written: it grows with its text, and says before the server does when a
// message is too long. Enter sends where there is a keyboard; on a touch screen it begins a new line,
// and the button sends.
//
// What was written in one conversation is not sent in another: it is held until the user says that
// it is meant for the new one, or discards it.

import { onLanguage, show, word } from "/pages/page.js";

/// The server's limit, in bytes of UTF-8.
const BYTES_MAX = 4_096;
/// When to begin to say how much is left.
const BYTES_TOLD = 3_072;
const HEIGHT_PX_MAX = 160;
/// Tells a key press that belongs to the input method, where `isComposing` is already over.
const KEY_OF_INPUT_METHOD = 229;
/// As the style sheet has it for the hints.
const TOUCH = matchMedia("(hover: none), (pointer: coarse)");

export class Composer {
  #text;
  #send;
  #length;
  #hold;
  #holdText;
  #pair;
  /// The conversation that the text was begun in; undefined while there was none.
  #meantFor;

  /// `say(text)` is called with a message that may go; `pair()` names the conversation that it would go to,
  /// if there is one.
  constructor({ form, text, send, length, hold, holdText, keep, discard, say, pair }) {
    Object.assign(this, { say });
    this.#text = text;
    this.#send = send;
    this.#length = length;
    this.#hold = hold;
    this.#holdText = holdText;
    this.#pair = pair;
    form.addEventListener("submit", (event) => { event.preventDefault(); this.#submit(); });
    text.addEventListener("keydown", (event) => this.#key(event));
    text.addEventListener("input", () => this.update());
    keep.addEventListener("click", () => this.#keep());
    discard.addEventListener("click", () => this.#discard());
    TOUCH.addEventListener("change", () => this.#followTouch());
    this.#followTouch();
    onLanguage(() => this.update());
  }

  focus() {
    this.#text.focus({ preventScroll: true });
  }

  /// To be called when the conversation has changed.
  update() {
    const text = this.#message();
    const pair = this.#pair();
    this.#meantFor = text === "" ? undefined : this.#meantFor ?? pair;
    const isHeld = this.#isHeld(pair);
    const left = BYTES_MAX - bytesOf(clean(this.#text.value));
    this.#text.setAttribute("aria-invalid", String(left < 0));
    this.#send.disabled = pair === undefined || isHeld || left < 0;
    this.#length.textContent = lengthText(left);
    this.#length.classList.toggle("over", left < 0);
    this.#hold.hidden = !isHeld;
    show(this.#holdText, isHeld ? "chat_held" : undefined);
    this.#grow();
  }

  #isHeld(pair) {
    return pair !== undefined && this.#meantFor !== undefined && this.#meantFor !== pair;
  }

  #keep() {
    this.#meantFor = this.#pair();
    this.update();
    this.focus();
  }

  #discard() {
    this.#text.value = "";
    this.update();
    this.focus();
  }

  /// Enter in the middle of a syllable ends the syllable and sends nothing.
  #key(event) {
    if (event.key !== "Enter" || event.shiftKey || TOUCH.matches) return;
    if (event.isComposing || event.keyCode === KEY_OF_INPUT_METHOD) return;
    event.preventDefault();
    if (!event.repeat) this.#submit();
  }

  #submit() {
    const text = this.#message();
    if (text === "" || bytesOf(text) > BYTES_MAX) return;
    const pair = this.#pair();
    if (pair === undefined || this.#isHeld(pair)) {
      this.#length.textContent = word(pair === undefined ? "chat_nobody_yet" : "chat_held_first");
      return;
    }
    this.#text.value = "";
    this.update();
    this.say(text);
    this.focus();
  }

  #message() {
    return clean(this.#text.value).replace(/^\n+/, "").trimEnd();
  }

  /// The key on the screen is labelled with what it does.
  #followTouch() {
    this.#text.enterKeyHint = TOUCH.matches ? "enter" : "send";
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
