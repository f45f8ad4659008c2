// The page of the random chat: what is seen of a conversation, and what is done in it. What is shown
// as so is known to be so: while there is no connection there is no head count, and nobody to write to
// where there is no conversation.

import { Composer } from "/pages/composer.js";
import { Conversation } from "/pages/conversation.js";
import { Keeping } from "/pages/keeping.js";
import { Log } from "/pages/log.js";
import { onLanguage, people, show, word } from "/pages/page.js";
import { TRANSPORTS, USUAL } from "/pages/transports.js";

const KIND_KEY = "racetrack.transport";
/// How long the first Esc waits for the second.
const SURE_MS_MAX = 3_000;
/// A connection that comes back sooner is not worth a word.
const FLICKER_MS = 400;

const at = (id) => document.getElementById(id);
const keeping = new Keeping();
const conversation = new Conversation({
  kind: rememberedKind(),
  keeping,
  on: {
    state: () => update(),
    line: (line) => { log.add(line); countUnread(line); },
    changed: (line) => log.change(line),
    dropped: (line) => log.drop(line),
  },
});
const log = new Log({ box: at("log"), newer: at("newer"), again: (key) => conversation.sayAgain(key) });
const composer = new Composer({
  form: at("composer"),
  text: at("text"),
  send: at("send"),
  length: at("length"),
  hold: at("hold"),
  holdText: at("hold-text"),
  keep: at("keep"),
  discard: at("discard"),
  say: (text) => conversation.say(text),
  pair: () => (isTalking() ? conversation.pair : undefined),
});

let sureTimer;
let phaseTimer;
let unread = 0;
/// Something else than a message has come since the page was looked at.
let isNews = false;

/// True while what is written has somebody to go to, at once or after the connection is back.
function isTalking() {
  return conversation.partner === "paired" && !conversation.isOver && conversation.phase !== "leaving";
}

/// What is known of the partner.
function partnerState() {
  const { phase, partner, isOver } = conversation;
  if (isOver || partner === "nobody") return "idle";
  return phase === "open" || phase === "leaving" ? partner : `${partner}_lost`;
}

function update() {
  const { phase, kind, online } = conversation;
  const { activeElement } = document;
  if (!partnerState().endsWith("_lost")) showPartner();
  at("transport").value = kind;
  at("online").textContent = online === undefined || phase !== "open" ? "" : people(online);
  at("next").disabled = !isTalking();
  at("leave").disabled = conversation.isOver || phase === "leaving";
  at("composer").dataset.idle = String(conversation.isOver);
  at("text").disabled = conversation.isOver;
  if (!isTalking()) unsure();
  log.goesOn(conversation.pair, isTalking());
  composer.update();
  updateStart();
  updatePhase();
  // Where the focus was is no place for it any more.
  if (activeElement?.disabled) (conversation.isOver ? at("start-button") : at("text")).focus();
}

function showPartner() {
  at("partner").dataset.partner = partnerState();
  show(at("partner-text"), `partner_${partnerState()}`);
}

function updateStart() {
  const { phase } = conversation;
  const first = phase === "idle";
  at("start").hidden = !conversation.isOver;
  at("start").classList.toggle("first", first);
  at("start-heading").hidden = !first;
  at("start-text").hidden = !first;
  const words = { idle: "chat_start", elsewhere: "chat_take_back", stopped: "chat_try_again" };
  show(at("start-button"), words[phase] ?? "chat_start_again");
}

/// Says how the connection is, once, and not what is over before it can be read.
function updatePhase() {
  const { phase } = conversation;
  at("connection").dataset.phase = phase;
  clearTimeout(phaseTimer);
  const calm = phase === "open" || conversation.isOver;
  phaseTimer = setTimeout(() => { show(at("connection"), phaseWord()); showPartner(); }, calm ? 0 : FLICKER_MS);
}

function phaseWord() {
  const { phase, reason } = conversation;
  if (["lost", "returning"].includes(phase) && !navigator.onLine) return "phase_offline";
  if (phase === "returning") return `phase_${reason}`;
  if (phase === "lost" && reason !== "unreachable") return `phase_${reason}`;
  return `phase_${phase}`;
}

function start() {
  if (conversation.phase === "elsewhere") {
    conversation.takeBack();
  } else if (conversation.phase === "stopped") {
    conversation.tryAgain();
  } else {
    log.clear();
    conversation.lines = [];
    conversation.start();
  }
  composer.focus();
}

function next() {
  unsure();
  conversation.next();
  composer.focus();
}

/// Esc leaves a person for another, so it is asked for twice.
function escape(event) {
  if (event.key !== "Escape" || event.isComposing || event.repeat) return;
  if (!isTalking() || event.target === at("transport")) return;
  event.preventDefault();
  if (sureTimer) return next();
  sureTimer = setTimeout(unsure, SURE_MS_MAX);
  at("next").dataset.sure = "";
  show(at("next-text"), "chat_next_sure");
  show(at("length"), "chat_next_sure");
}

function unsure() {
  if (!sureTimer) return;
  clearTimeout(sureTimer);
  sureTimer = undefined;
  delete at("next").dataset.sure;
  show(at("next-text"), "chat_next");
  delete at("length").dataset.word;
  composer.update();
}

function switchTransport() {
  const kind = at("transport").value;
  localStorage.setItem(KIND_KEY, kind);
  conversation.switchTo(kind);
}

function rememberedKind() {
  const kind = localStorage.getItem(KIND_KEY);
  return kind in TRANSPORTS ? kind : USUAL;
}

function countUnread(line) {
  if (!document.hidden) return;
  if (line.kind === "partner") unread += 1;
  if (line.kind === "word") isNews = true;
  showTitle();
}

function showTitle() {
  const sign = unread > 0 ? `(${unread}) ` : isNews ? "• " : "";
  document.title = sign + word("chat_title");
}

function seen() {
  if (document.hidden) return;
  unread = 0;
  isNews = false;
  showTitle();
  conversation.hurry();
}

at("start-button").addEventListener("click", start);
at("next").addEventListener("click", next);
at("leave").addEventListener("click", () => conversation.leave());
at("transport").addEventListener("change", switchTransport);
document.addEventListener("keydown", escape);
document.addEventListener("visibilitychange", seen);
addEventListener("online", () => conversation.hurry());
addEventListener("offline", updatePhase);
addEventListener("pagehide", ({ persisted }) => persisted && conversation.putAside());
addEventListener("pageshow", ({ persisted }) => persisted && conversation.hurry());
onLanguage(() => { update(); showTitle(); });

const kept = await keeping.find();
if (kept && conversation.phase === "idle") {
  log.goesOn(kept.pair, false);
  kept.lines.forEach((line) => log.add(line));
  conversation.restore(kept);
  composer.focus();
}
at("start").classList.add("ready");
