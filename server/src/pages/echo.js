// The echo of the lecture: what one says comes back a second later, to oneself and to everybody.

import { onLanguage, show, word } from "/pages/page.js";
import { Socket } from "/pages/socketio.js";
import { Wire } from "/pages/wire.js";

const WAYS = {
  websocket: ["websocket"],
  polling: ["polling"],
  upgrade: ["polling", "websocket"],
};
/// Between an answer and the next question, as the original page had it.
const AGAIN_MS = 1_000;
/// The answer that is for this page alone; answering what everybody is sent would make the
/// traffic grow without bound.
const MINE = "Send from Server1";
const BACK_OFF_MS = 2_000;

const at = (id) => document.getElementById(id);
const wire = new Wire({ list: at("wire"), empty: at("wire-empty"), clear: at("wire-clear") });
let socket;
let again;

function connect() {
  disconnect();
  show(at("state"), "echo_connecting");
  const opening = new Socket({
    namespace: "/echo",
    transports: WAYS[at("way").value],
    on: {
      connect: showVia,
      event: (name, args) => name === "msg" && heard(args[0]),
      close: () => lost(opening),
      wire: ({ sent, via, text }) => {
        wire.add(sent ? "sent" : "received", text, via);
        if (text === "5") queueMicrotask(showVia);
      },
    },
  });
  socket = opening;
  at("say").disabled = true;
  socket.open();
}

function showVia() {
  at("say").disabled = false;
  delete at("state").dataset.word;
  at("state").textContent = word("echo_connected", { via: word(`echo_${socket.via}`) });
}

function heard(text) {
  if (at("keep").checked && String(text).startsWith(MINE)) {
    clearTimeout(again);
    again = setTimeout(say, AGAIN_MS);
  }
}

function say() {
  if (socket && !at("say").disabled) socket.emit("msg", at("text").value || at("text").placeholder);
}

function lost(which) {
  if (which !== socket) return;
  disconnect();
  again = setTimeout(connect, BACK_OFF_MS * (0.5 + Math.random()));
}

function disconnect() {
  clearTimeout(again);
  const leaving = socket;
  socket = undefined;
  leaving?.disconnect();
  at("say").disabled = true;
  show(at("state"), "echo_closed");
}

at("form").addEventListener("submit", (event) => { event.preventDefault(); say(); });
at("way").addEventListener("change", connect);
addEventListener("pagehide", disconnect);
addEventListener("pageshow", ({ persisted }) => persisted && connect());
onLanguage(() => socket && !at("say").disabled && showVia());
connect();
