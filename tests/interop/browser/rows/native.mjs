// The browser's own EventSource and WebSocket, used by a page that is not ours but of the server's origin.

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";

import { texts } from "../person.mjs";
import { Relay } from "../server.mjs";
import { row, until } from "../stage.mjs";
import { serveFiles } from "../static.mjs";

/// A text of the server without a script; for a text, browsers ask for an icon by themselves.
const TEXT = "/healthz";
const CUT = [/net::ERR_/, /WebSocket connection to .* failed/, /favicon\.ico/];
const BLANK = fileURLToPath(new URL("../blank.html", import.meta.url));

export const native = [
  row("EventSource and WebSocket: they meet, talk in order, and both resume when they are cut", async (stage) => {
    const relay = await Relay.to(stage.server);
    stage.onEnd(() => relay.close());
    const [streaming, socket] = await Promise.all([1, 2].map(() =>
      stage.page({ origins: [relay.url], allowed: CUT })));
    for (const page of [streaming, socket]) await page.goto(relay.url + TEXT);
    await streaming.evaluate(stream);
    await has(streaming, (heard) => heard.some(({ type }) => type === "waiting"));
    await socket.evaluate(talk);
    for (const page of [streaming, socket]) {
      await has(page, (heard) => heard.some(({ type }) => type === "paired"));
    }

    const [hers, his] = [texts("over the stream", 10), texts("over the socket", 10)];
    await Promise.all([say(streaming, hers), say(socket, his)]);
    await hears(streaming, hers, his);
    await hears(socket, his, hers);

    // The stream is taken up by the browser itself, the socket by the page with its cursor.
    relay.cut();
    const [more, moreOfHis] = [texts("from behind the cut", 5), texts("after the cut", 5)];
    await Promise.all([say(streaming, more), say(socket, moreOfHis)]);
    await hears(streaming, [...hers, ...more], [...his, ...moreOfHis]);
    await hears(socket, [...his, ...moreOfHis], [...hers, ...more]);
    assert.equal(await streaming.evaluate(() => window.opened), 2, "the stream was not opened again");
    assert.equal(await socket.evaluate(() => window.opened), 2, "the socket was not opened again");

    await streaming.evaluate(() => fetch("/api/session", { method: "DELETE" }));
    await has(streaming, (heard) => heard.at(-1).type === "closing");
    await has(socket, (heard) => heard.some(({ type, reason }) => type === "partner_left" && reason === "left"));
  }),

  row("a page of another origin is turned away by WebSocket, POST and Socket.IO, unless it is listed", async (stage) => {
    const files = await serveFiles({ "blank.html": BLANK });
    stage.onEnd(() => files.close());
    const listing = await stage.serve(["--allowed-origins", files.url]);
    const stranger = await stage.page({
      origins: [files.url, stage.server.url, listing.url],
      allowed: [/403/, /CORS policy/, ...CUT],
    });
    await stranger.goto(`${files.url}/blank.html`);
    const all = (answer) => ({ websocket: answer, socketio: answer, post: answer, poll: answer });
    assert.deepEqual(await stranger.evaluate(tryAll, stage.server.url), all("refused"));
    assert.deepEqual(await stranger.evaluate(tryAll, listing.url), all("accepted"));
  }),
];

/// In the page: what becomes of each way to a server.
async function tryAll(server) {
  const opens = (address) => new Promise((resolve) => {
    const socket = new WebSocket(address.replace("http", "ws"));
    socket.onopen = () => resolve("accepted");
    socket.onerror = () => resolve("refused");
  });
  const isRead = (address, options) => fetch(address, options).then(() => "accepted", () => "refused");
  return {
    websocket: await opens(`${server}/api/ws`),
    socketio: await opens(`${server}/socket.io/?EIO=4&transport=websocket`),
    post: await isRead(`${server}/api/session`, { method: "POST" }),
    poll: await isRead(`${server}/socket.io/?EIO=4&transport=polling`),
  };
}

/// In the page: a session of a cookie, read by an EventSource; commands go by requests.
async function stream() {
  window.heard = [];
  window.opened = 0;
  await fetch("/api/session", { method: "POST" });
  const source = new EventSource("/api/stream");
  source.onopen = () => { window.opened += 1; };
  source.onmessage = ({ data, lastEventId }) => {
    const event = JSON.parse(data);
    if (String(event.seq) !== lastEventId) throw new Error(`${lastEventId} is not ${event.seq}`);
    window.heard.push(event);
    if (event.type === "closing") source.close();
  };
  window.say = async (message) => {
    for (;;) {
      const options = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(message) };
      // A request that was cut is repeated; its name makes sure that it counts once.
      const answer = await fetch("/api/messages", options).catch(() => undefined);
      if (answer?.status === 202) return;
      if (answer) throw new Error(`${answer.status}`);
    }
  };
}

/// In the page: a session of a cookie over a WebSocket that is opened again with the cursor.
function talk() {
  window.heard = [];
  window.opened = 0;
  const waiting = new Map();
  let socket;
  const open = () => {
    const after = window.heard.at(-1)?.seq;
    socket = new WebSocket(`ws://${location.host}/api/ws${after === undefined ? "" : `?after=${after}`}`);
    socket.onmessage = ({ data }) => {
      const frame = JSON.parse(data);
      if (frame.type === "refused") throw new Error(frame.problem.detail);
      if (frame.type === "opened") {
        window.opened += 1;
        for (const message of waiting.values()) socket.send(JSON.stringify({ type: "say", ...message }));
        return;
      }
      window.heard.push(frame);
      if (frame.from === "me") waiting.delete(frame.id);
    };
    socket.onclose = open;
  };
  open();
  window.say = (message) => {
    waiting.set(message.id, message);
    if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ type: "say", ...message }));
  };
}

async function say(page, list) {
  await page.evaluate(async (list) => {
    const { pair } = window.heard.findLast(({ type }) => type === "paired");
    for (const text of list) await window.say({ id: text, text, pair });
  }, list);
}

/// Everything that both have said, each once and in its order, and no gap between the events.
async function hears(page, mine, theirs) {
  await has(page, (heard, count) => heard.filter(({ type }) => type === "message").length >= count, mine.length + theirs.length);
  const heard = await page.evaluate(() => window.heard);
  const said = (who) => heard.filter(({ from }) => from === who).map(({ text }) => text);
  assert.deepEqual([said("me"), said("partner")], [mine, theirs]);
  assert.deepEqual(heard.map(({ seq }) => seq), heard.map((_, n) => n + 1));
}

async function has(page, test, argument) {
  await until(page, `it has heard: ${test}`, ([test, argument]) => (0, eval)(`(${test})`)(window.heard, argument), [String(test), argument]);
}
