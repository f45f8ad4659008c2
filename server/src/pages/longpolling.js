// Long polling by hand: requests that wait for an announcement, with every request and its answer to be
// seen.

import { pause, retryAfter } from "/pages/http.js";
import { onLanguage, show, word } from "/pages/page.js";
import { seconds, Wire } from "/pages/wire.js";

const PATH = "/longpolling";
/// A browser opens six connections to a host; some are left for the rest.
const PARKED_MAX = 3;
/// Between attempts where the server does not say how long.
const BACK_OFF_MS = 2_000;
/// An answer without news that comes sooner means that the server lets no request wait now.
const PARKED_MS_MIN = 500;
const NO_NEWS = "End/\n";
/// How often the age of a parked request is drawn.
const DRAW_EVERY_MS = 100;

const at = (id) => document.getElementById(id);
const wire = new Wire({ list: at("wire"), empty: at("wire-empty"), clear: at("wire-clear") });
const parked = new Set();
let loop;

function toggle() {
  if (loop) stop();
  else begin();
}

/// Asks again and again, as the page of the original did.
async function begin() {
  loop = new AbortController();
  const { signal } = loop;
  update();
  while (!signal.aborted) {
    const { ok, text, tookMs, retryAfterMs } = await request("GET", PATH, { signal });
    const isTurnedAway = text === NO_NEWS && tookMs < PARKED_MS_MIN;
    if ((ok && !isTurnedAway) || signal.aborted) continue;
    const pauseMs = Math.max(retryAfterMs ?? 0, BACK_OFF_MS);
    wire.add("note", word("wire_failed", { seconds: seconds(pauseMs) }));
    await pause(pauseMs, signal);
  }
}

function stop() {
  loop.abort();
  loop = undefined;
  update();
}

/// One request, from the moment in which it is sent until its answer.
async function request(method, path, { signal, body } = {}) {
  const what = body === undefined ? "" : ` ${JSON.stringify(body)}`;
  const asked = { at: performance.now(), row: wire.add("sent", `${method} ${path}${what}`) };
  const age = () => performance.now() - asked.at;
  parked.add(asked);
  update();
  try {
    const response = await fetch(path, { method, body, signal, cache: "no-store", credentials: "omit" });
    const text = await response.text();
    wire.remark(asked.row, word("wire_answered", { seconds: seconds(age()) }));
    wire.add("received", `${response.status} ${text === "" ? "" : JSON.stringify(text)}`);
    return { ok: response.ok, text, tookMs: age(), retryAfterMs: retryAfter(response) };
  } catch {
    wire.remark(asked.row, word(signal?.aborted ? "wire_given_up" : "wire_unanswered"));
    return { ok: false };
  } finally {
    parked.delete(asked);
    update();
  }
}

function update() {
  show(at("toggle"), loop ? "longpolling_stop" : "longpolling_begin");
  at("another").disabled = parked.size >= PARKED_MAX;
  at("hello").disabled = parked.size >= PARKED_MAX;
  at("state").textContent = word("longpolling_waiting_n", { n: parked.size });
}

function draw() {
  for (const { row, at } of parked) {
    wire.remark(row, `${word("longpolling_waiting")} ${seconds(performance.now() - at)} s`);
  }
}

function announce(event) {
  event.preventDefault();
  request("POST", "/announce", { body: at("text").value || at("text").placeholder });
  at("text").value = "";
}

at("form").addEventListener("submit", announce);
at("toggle").addEventListener("click", toggle);
at("another").addEventListener("click", () => request("GET", PATH));
at("hello").addEventListener("click", () => request("GET", "/hello"));
setInterval(draw, DRAW_EVERY_MS);
onLanguage(update);
begin();
