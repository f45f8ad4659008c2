// What all pages share: the language, and the words of it. `?lang=ko` in the address chooses the
// language, and the button on each page does; both are remembered.
//
// An element says with `data-word` which word it shows, with `data-word-label`, `-placeholder` and
// `-title` which ones it is described by. Everything is inserted as text.

import { WORDS } from "/pages/words.js";

const KEY = "racetrack.language";
const PARAMETER = "lang";
const ATTRIBUTES = { label: "aria-label", placeholder: "placeholder", title: "title" };
const listeners = [];
let language = asked() ?? remembered() ?? preferred();

/// The word of this name, with its values put in.
export function word(name, values = {}) {
  const text = WORDS[language][name] ?? name;
  return text.replace(/\{(\w+)\}/g, (_, value) => values[value]);
}

/// How many people are here.
export function people(count) {
  const n = new Intl.NumberFormat(language).format(count);
  return word(count === 1 ? "online_one" : "online_other", { n });
}

export function clock(at, options = { hour: "numeric", minute: "2-digit" }) {
  return new Intl.DateTimeFormat(language, options).format(new Date(at));
}

/// Shows this word now, and in whatever language comes later; without a name, nothing.
export function show(element, name) {
  if (element.dataset.word === name) return;
  if (name === undefined) delete element.dataset.word;
  else element.dataset.word = name;
  element.textContent = name === undefined ? "" : word(name);
}

/// Describes the element by this word, now and in whatever language comes later; `kind` as in the
/// names of its attributes.
export function describe(element, kind, name) {
  element.setAttribute(`data-word-${kind}`, name);
  element.setAttribute(ATTRIBUTES[kind], word(name));
}

/// Called now and whenever the language has changed.
export function onLanguage(listener) {
  listeners.push(listener);
  listener();
}

function translate() {
  document.documentElement.lang = language;
  for (const element of document.querySelectorAll("[data-word]")) {
    element.textContent = word(element.dataset.word);
  }
  for (const [name, attribute] of Object.entries(ATTRIBUTES)) {
    for (const element of document.querySelectorAll(`[data-word-${name}]`)) {
      element.setAttribute(attribute, word(element.getAttribute(`data-word-${name}`)));
    }
  }
  const button = document.getElementById("language");
  button.textContent = word("other_language");
  button.lang = other();
}

function other() {
  return language === "ko" ? "en" : "ko";
}

/// The language that the address names, as "ko" or "ko-KR"; links lead on without it, so it is remembered.
function asked() {
  const [tag] = new URLSearchParams(location.search).get(PARAMETER)?.toLowerCase().split("-") ?? [];
  if (!Object.hasOwn(WORDS, tag)) return undefined;
  localStorage.setItem(KEY, tag);
  return tag;
}

/// What the address says is over once the button has been pressed.
function forgetAsked() {
  const address = new URL(location.href);
  address.searchParams.delete(PARAMETER);
  history.replaceState(history.state, "", address);
}

function remembered() {
  const known = localStorage.getItem(KEY);
  return known in WORDS ? known : undefined;
}

function preferred() {
  return navigator.languages.some((tag) => /^ko\b/i.test(tag)) ? "ko" : "en";
}

document.getElementById("language").addEventListener("click", () => {
  language = other();
  localStorage.setItem(KEY, language);
  forgetAsked();
  for (const listener of listeners) listener();
});
onLanguage(translate);
document.documentElement.dataset.ready = "";
