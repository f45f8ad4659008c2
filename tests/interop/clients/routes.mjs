// curl at every route that docs/src/protocol.md names, and at every path of the OpenAPI description.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import { PATIENT } from "./server.mjs";
import { Terminal, json, kinds } from "./terminal.mjs";

/// What each is asked, by the name that the table there gives it.
const ASKED = {
  "POST /api/session": async (terminal) => {
    const { body } = await terminal.expect(201, "POST /api/session", "--include");
    const [, token] = /^set-cookie: racetrack_session=(\S+); Path=\/; HttpOnly/m.exec(body);
    // A cookie alone does not say that no page of another site has sent it.
    const cookie = ["--cookie", `racetrack_session=${token}`, "--header", "X-Requested-With: curl"];
    assert.deepEqual(kinds(await terminal.events(cookie, 0)), ["welcome", "waiting"]);
    await terminal.expect(204, "DELETE /api/session", ...cookie);
  },
  "GET /api/events?after=S": async (terminal) => {
    const ann = await terminal.open();
    assert.deepEqual(kinds(await terminal.events(ann, 0)), ["welcome", "waiting"]);
    assert.deepEqual(kinds(await terminal.events(ann, 1)), ["waiting"]);
    assert.deepEqual(kinds(await terminal.events(ann, 2)), []);
    await terminal.expect(409, "/api/events?after=99", ...ann);
    await terminal.expect(401, "/api/events?after=0");
  },
  "GET /api/events?after=S&wait_ms=30000": async (terminal) => {
    const ann = await terminal.open();
    const poll = (after) => terminal.events(ann, `${after}&wait_ms=30000`);
    const first = poll(2);
    await terminal.until('racetrack_readers{transport="long-poll"} 1');
    const second = poll(2);
    assert.deepEqual(await first, [], "a second poll ends the first");
    await terminal.open();
    assert.deepEqual(kinds(await second), ["paired"]);
  },
  "GET /api/stream?after=S": async (terminal) => {
    const ann = await terminal.open();
    assert.deepEqual(await stream(terminal, ["--include", ...ann]), [
      "id: 1 welcome",
      "id: 2 waiting",
    ]);
    const back = ["--header", "Last-Event-ID: 1", ...ann];
    assert.deepEqual(await stream(terminal, back), ["id: 2 waiting"]);
  },
  "POST /api/ack": async (terminal) => {
    const ann = await terminal.open();
    await terminal.expect(202, "POST /api/ack", ...ann, ...json({ seq: 1 }));
    await terminal.expect(409, "/api/events?after=0", ...ann);
    assert.deepEqual(kinds(await terminal.events(ann, 1)), ["waiting"]);
  },
  "POST /api/ticket": async (terminal) => {
    const ann = await terminal.open();
    const page = ["--header", `Origin: ${terminal.address}`];
    const { body } = await terminal.expect(200, "POST /api/ticket", ...ann, ...page);
    const { ticket } = JSON.parse(body);
    await terminal.expect(401, `/api/stream?ticket=${ticket}`);
    await terminal.expect(400, "POST /api/ticket", ...ann);
  },
  "GET /api/ws?after=S": async (terminal) => {
    const { body } = await terminal.expect(426, "/api/ws?after=0");
    assert.match(body, /WebSocket/);
  },
  "POST /api/messages": async (terminal) => {
    const { ann, bob, pair } = await terminal.couple();
    const say = (body) => [...ann, ...json(body)];
    const hello = { id: "1", text: "안녕 😀", pair };
    await terminal.expect(202, "POST /api/messages", ...say(hello));
    await terminal.expect(202, "POST /api/messages", ...say(hello));
    const heard = (await terminal.events(bob, 0)).filter(({ type }) => type === "message");
    assert.deepEqual(heard.map(({ text }) => text), ["안녕 😀"], "the same id is the same message");
    await terminal.expect(409, "POST /api/messages", ...say({ ...hello, id: "2", pair: pair + 1 }));
    await terminal.expect(400, "POST /api/messages", ...say({ text: "nameless" }));
  },
  "POST /api/next": async (terminal) => {
    const { ann, bob, pair } = await terminal.couple();
    await terminal.expect(202, "POST /api/next", ...ann, ...json({ pair: pair + 1 }));
    assert(!kinds(await terminal.events(bob, 0)).includes("partner_left"), "another conversation");
    await terminal.expect(202, "POST /api/next", ...ann);
    assert(kinds(await terminal.events(bob, 0)).includes("partner_left"), "this conversation");
  },
  "DELETE /api/session": async (terminal) => {
    const { ann, bob } = await terminal.couple();
    await terminal.expect(204, "DELETE /api/session", ...ann);
    assert.equal(kinds(await terminal.events(ann, 0)).at(-1), "closing");
    assert.deepEqual(kinds(await terminal.events(bob, 0)).slice(-2), ["partner_left", "waiting"]);
  },
  "/socket.io/": async (terminal) => {
    // The first packets of Engine.IO 4, and of 3, which counts them.
    const { body } = await terminal.expect(200, "/socket.io/?EIO=4&transport=polling");
    assert.match(body, /^0\{"sid":"[^"]+","upgrades":\["websocket"\]/);
    const old = await terminal.expect(200, "/socket.io/?EIO=3&transport=polling");
    assert.match(old.body, /^\d+:0\{"sid":"[^"]+","upgrades":\["websocket"\]/);
    const session = await socket(terminal, '40/chat,{"after":0}', /"session",\{"session":\d+/);
    await session.post("41/chat,");
  },
  "/api/openapi.json": async (terminal) => {
    const { body } = await terminal.expect(200, "/api/openapi.json");
    const { openapi, paths } = JSON.parse(body);
    assert.match(openapi, /^3\.1\./);
    const described = Object.entries(paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const asked = Object.keys(ASKED).map((route) => withMethod(route).split("?")[0]);
    assert.deepEqual(described.filter((route) => !asked.includes(route)), []);
  },
  "/healthz": async (terminal) => {
    assert.equal((await terminal.expect(200, "/healthz")).body, "ok\n");
  },
  "/readyz": async (terminal) => {
    assert.equal((await terminal.expect(200, "/readyz")).body, "ready\n");
  },
  "/metrics": async (terminal) => {
    const { body, contentType } = await terminal.expect(200, "/metrics");
    assert.match(contentType, /^application\/openmetrics-text/);
    assert.match(body, /^racetrack_sessions 0$/m);
    assert.match(body, /# EOF\n$/);
  },
  "/": page("/"),
  "/chat": page("/chat"),
  "/longpolling.html": page("/longpolling.html"),
  "/echo": async (terminal) => {
    await page("/echo")(terminal);
    const echo = await socket(terminal, "40/echo,", /40\/echo,/);
    await echo.post('42/echo,["msg","hello"]');
    await echo.until(/42\/echo,\["msg","Send from Server1/);
  },
  "/longpolling": async (terminal) => {
    await parked(terminal, "GET /longpolling");
    await parked(terminal, "POST /longpolling");
  },
  "POST /announce": async (terminal) => {
    await terminal.expect(202, "POST /announce", "--data", "nobody is there");
    await terminal.expect(400, "POST /announce", "--data", "");
  },
  "/hello": async (terminal) => {
    assert.equal((await terminal.expect(200, "/hello")).body, "Hello World\n");
  },
};

/// Rows for the table; the last one says whether the table names something else.
export const ROUTES = [
  ...Object.entries(ASKED).map(([route, look]) => ({ route, ask: (start) => at(start, look) })),
  { route: "nothing else in docs/src/protocol.md", ask: async () => compareWithTable() },
];

async function at(start, look) {
  await start(PATIENT, async (server) => {
    const terminal = new Terminal(server);
    await look(terminal);
    await terminal.leave();
  });
}

function withMethod(route) {
  return route.includes(" ") ? route : `GET ${route}`;
}

/// The first column of the table of requests; what stands there in braces is a body.
function compareWithTable() {
  const page = readFileSync(new URL("../../../docs/src/protocol.md", import.meta.url), "utf8");
  const [, table] = /^\| request \| answer \|\n\|[-|]+\n((?:\|.*\n)+)/m.exec(page);
  const cells = table.trim().split("\n").map((line) => line.split("|")[1]);
  const named = cells.flatMap((cell) => [...cell.matchAll(/`([^`{]+)`/g)].map(([, name]) => name));
  assert(named.length > 15, `the table names only ${named}`);
  assert.deepEqual(named.filter((route) => !(route in ASKED)), []);
}

/// A page, and everything that it loads.
function page(path) {
  return async (terminal) => {
    const { body, contentType } = await terminal.expect(200, path);
    assert.equal(contentType, "text/html; charset=utf-8");
    assert(/<title[^>]*>[^<]+<\/title>/.test(body), `${path} has no title`);
    const parts = [...body.matchAll(/(?:src|href)="(\/pages\/[^"]+)"/g)].map(([, part]) => part);
    assert(parts.length > 0, "a page has parts");
    for (const part of parts) await terminal.expect(200, part);
  };
}

/// The events of a stream, up to `waiting`.
async function stream(terminal, options) {
  const events = [];
  let id;
  await new Promise((resolve, reject) => {
    const running = terminal.begin("/api/stream?after=0", options, (line) => {
      if (line.startsWith("id: ")) id = line;
      if (line.startsWith("data: ")) events.push(`${id} ${JSON.parse(line.slice(6)).type}`);
      if (events.at(-1)?.endsWith("waiting")) {
        running.kill();
        resolve();
      }
    });
    running.done.catch(reject);
  });
  return events;
}

/// Parks a request and announces something to it.
async function parked(terminal, request) {
  const answer = terminal.expect(200, request);
  await terminal.until("racetrack_parked 1");
  await terminal.expect(202, "POST /announce", "--data", "여기요");
  assert.equal((await answer).body, "여기요\n");
}

/// Socket.IO by hand: connects with this packet, and reads up to what is expected.
async function socket(terminal, connect, expected) {
  const path = "/socket.io/?EIO=4&transport=polling";
  const { body } = await terminal.expect(200, path);
  const { sid } = JSON.parse(body.slice(1));
  const plain = ["--header", "Content-Type: text/plain", "--data"];
  const post = (packet) => terminal.expect(200, `POST ${path}&sid=${sid}`, ...plain, packet);
  const until = async (pattern) => {
    while (!pattern.test((await terminal.expect(200, `${path}&sid=${sid}`)).body));
  };
  await post(connect);
  await until(expected);
  return { post, until };
}
