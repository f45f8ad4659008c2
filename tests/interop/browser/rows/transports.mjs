// Each transport that the page offers: chosen by hand in the middle of a conversation, really used, kept
// across a reload, and taken up again when its connections are cut.

import assert from "node:assert/strict";

import { Person, texts } from "../person.mjs";
import { row } from "../stage.mjs";
import { Relay } from "../server.mjs";

/// What a browser says of a connection that is cut under it, and of a poll that it repeats where the
/// server has closed the connection for that.
const CUT = [
  /Failed to load resource: net::ERR_/,
  /WebSocket connection to .* failed/,
  /status of 400 .*transport=polling&sid=/,
];

/// By what the page asks the server for, each transport is known.
const WAYS = {
  "Short polling": /\/api\/events\?after=\d+$/,
  "Long polling": /\/api\/events\?after=\d+&wait_ms=\d+$/,
  "SSE": /\/api\/stream\?after=\d+$/,
  "WebSocket": /^ws:.*\/api\/ws\?after=\d+$/,
  "Socket.IO": /^ws:.*\/socket\.io\/\?EIO=4&transport=websocket$/,
  "Socket.IO polling": /\/socket\.io\/\?EIO=4&transport=polling&sid=/,
};

export const transports = [
  row("chat: the page offers these six transports and no other", async (stage) => {
    const ann = await Person.arrive(stage);
    const offered = await ann.page.getByLabel("Transport", { exact: true }).locator("option").allTextContents();
    assert.deepEqual(offered, Object.keys(WAYS));
  }),
  row("chat over Socket.IO polling: what was in an answer that was lost behind the page's back is not", repeated),
  ...Object.keys(WAYS).map((name) =>
    row(`chat over ${name}: chosen by hand, used, kept, and taken up when it is cut`, (stage) => tour(stage, name))),
];

/// Browsers repeat a request whose connection was cut before anything came back, without a word.
async function repeated(stage) {
  const [ann, bob] = await Person.couple(stage);
  await bob.choose("Socket.IO polling");
  await bob.isTold("Transport changed: Socket.IO polling");
  await bob.connected();
  const lost = loseAnswer(bob.page, "[Partner]lost");
  await ann.say("by the poll that was parked already");
  await bob.has({ theirs: ["by the poll that was parked already"] });
  await ann.say("lost");
  await lost;
  await ann.say("behind");
  await bob.has({ theirs: ["by the poll that was parked already", "lost", "behind"] });
  assert.equal(await chosen(bob), "Socket.IO polling");
}

/// Lets the page never see the first answer to a poll that has these words in it; resolves when that
/// answer is lost. The poll is repeated, as the browser would do it.
function loseAnswer(page, words) {
  return new Promise((resolve) => {
    let isLost = false;
    const poll = async (route) => {
      if (isLost || route.request().method() !== "GET") return route.continue();
      const answer = await route.fetch({ timeout: 0 });
      if (!(await answer.text()).includes(words)) return route.fulfill({ response: answer });
      isLost = true;
      resolve();
      return route.continue();
    };
    // A page that is closed meanwhile needs no answer.
    page.route(/transport=polling&sid=/, (route) => poll(route).catch(() => {}));
  });
}

async function tour(stage, name) {
  const relay = await Relay.to(stage.server);
  stage.onEnd(() => relay.close());
  const [ann, bob] = await Person.couple(stage, [{}, { relay, allowed: CUT }]);
  // The usual one is on already, and must be seen to be chosen.
  if (name === "WebSocket") await bob.choose("Long polling");
  const used = asked(bob.page, WAYS[name]);
  await bob.choose(name);
  await bob.isTold(`Transport changed: ${name}`);
  await used;
  await bob.connected();
  const said = { ann: [], bob: [] };
  await talk(ann, bob, said, "by hand");

  const usedAgain = asked(bob.page, WAYS[name]);
  await bob.page.reload();
  await usedAgain;
  await bob.connected();
  await talk(ann, bob, said, "after a reload");

  for (const n of [1, 2, 3]) {
    const [under, behind] = [`Ann under cut ${n}`, `Ann behind cut ${n}`];
    await ann.say(under);
    relay.cut();
    await Promise.all([ann.say(behind), bob.say(`Bob behind cut ${n}`)]);
    said.ann.push(under, behind);
    said.bob.push(`Bob behind cut ${n}`);
    // What was said behind the cut has come over a connection that was made anew.
    await bob.has({ mine: said.bob, theirs: said.ann });
  }
  await talk(ann, bob, said, "after the cuts");
  assert.equal(await chosen(bob), name, "the page has fallen back to something else");
}

/// Both say something, and have everything that was said before.
async function talk(ann, bob, said, when) {
  const [hers, his] = [texts(`Ann ${when}`, 3), texts(`Bob ${when}`, 3)];
  said.ann.push(...hers);
  said.bob.push(...his);
  await Promise.all([ann.say(...hers), bob.say(...his)]);
  await bob.has({ mine: said.bob, theirs: said.ann });
  await ann.has({ mine: said.ann, theirs: said.bob });
}

/// Resolves when the page asks for such an address.
function asked(page, pattern) {
  const socket = page.waitForEvent("websocket", { predicate: (socket) => pattern.test(socket.url()) });
  const request = page.waitForRequest(pattern);
  socket.catch(() => {});
  request.catch(() => {});
  return Promise.any([socket, request]);
}

function chosen({ page }) {
  return page.getByLabel("Transport", { exact: true }).locator("option:checked").textContent();
}
