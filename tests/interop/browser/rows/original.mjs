// The pages of the programs that this one grew out of: jQuery, Socket.IO 1 and 2 (Engine.IO 3), and a
// server that speaks in sentences. They come from another origin, which the server is told of.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

import { Person } from "../person.mjs";
import { row, until } from "../stage.mjs";
import { serveFiles } from "../static.mjs";

const { resolve } = createRequire(import.meta.url);
/// The polling of Socket.IO 1 encodes letters other than ASCII as no other version does, and does not say
/// that it is version 1.
const CLIENTS = {
  "1.7 over WebSocket": ["socket.io-client-1", "websocket"],
  "2.5": ["socket.io-client-2"],
  "2.5 over polling": ["socket.io-client-2", "polling"],
};

export const original = [
  ...Object.entries(CLIENTS).map(([version, [client, transports]]) =>
    row(`original chat, Socket.IO ${version}: two meet, talk, one goes, and the other meets somebody of today`, async (stage) => {
      const open = await pages(stage, "chat", { client, transports });
      const [ann, bob] = [await open(), await open()];
      for (const page of [ann, bob]) {
        await shows(page, /^서버에 접속되었습니다\.\d{4}-/);
        await shows(page, "[상대방과 연결되었습니다.]");
      }
      const said = ["안녕하세요", "반갑습니다 😀", "hello"];
      for (const text of said) await say(ann, text);
      for (const text of said) await shows(bob, `[상대방]${text}`);
      await say(bob, "네 🙂");
      await shows(bob, "[나]네 🙂");
      await shows(ann, "[상대방]네 🙂");
      const heard = (await bob.locator("li").allTextContents()).filter((line) => line.startsWith("[상대방]"));
      assert.deepEqual(heard, said.map((text) => `[상대방]${text}`));
      await shows(ann, /^\[전체공지\]현재 접속 인원은 총 \d+명입니다\.$/);

      await bob.close();
      await shows(ann, "상대방이 접속을 종료합니다.");
      const cyd = await Person.arrive(stage);
      await cyd.start();
      await cyd.meets();
      await cyd.say("from a page of today");
      await shows(ann, "[상대방]from a page of today");
      await say(ann, "from a page of then");
      await cyd.has({ mine: ["from a page of today"], theirs: ["from a page of then"] });
    })),

  ...Object.entries(CLIENTS).map(([version, [client, transports]]) =>
    row(`original echo, Socket.IO ${version}: is answered twice, answers both, and is held back when it grows`, async (stage) => {
      const open = await pages(stage, "echo", { client, transports });
      const [one, other] = [await open(), await open()];
      for (const page of [one, other]) {
        await shows(page, /^Send from Server1\d{4}-/);
        await shows(page, /^Send from Server2\d{4}-/);
      }
      await shows(one, "refused: /problems/too-fast");
      // And it still goes on.
      const seen = await one.getByText("Send from Server1").count();
      await until(one, "it goes on", (seen) =>
        [...document.querySelectorAll("li")].filter((line) => line.textContent.startsWith("Send from Server1")).length > seen, seen);
    })),

  row("original long polling: shows each announcement, and End/ when there is none in time", async (stage) => {
    const open = await pages(stage, "longpolling", { options: ["--poll-wait-ms-max", "1000"] });
    const page = await open();
    await shows(page, /^End\/\s*$/);
    for (const text of ["점심 준비됐어요", "lunch is over"]) {
      // Who is between two requests misses it; so it is said until it has been heard.
      const heard = shows(page, new RegExp(`^${text}\\s*$`)).then(() => true);
      const again = async () => {
        await page.request.post(`${stage.server.url}/announce`, { data: text });
        return Promise.race([heard, nextAnswer(page)]);
      };
      while (await again() !== true);
    }
  }),

  row("Socket.IO 0.9, which is older than Engine.IO, is told that there is nothing", async (stage) => {
    const { request } = await stage.page();
    // What its clients ask first.
    const answer = await request.get(`${stage.server.url}/socket.io/1/?t=1`);
    assert.equal(answer.status(), 404);
    assert.equal((await answer.json()).type, "/problems/not-found");
  }),
];

/// A way to open one of the pages: on an origin of its own, against a server that knows of it.
async function pages(stage, name, { client, transports, options = [] }) {
  const files = await serveFiles({
    [`${name}.html`]: fileURLToPath(new URL(`../original/${name}.html`, import.meta.url)),
    "jquery.js": resolve("jquery/dist/jquery.js"),
    ...(client && { "socket.io.js": resolve(`${client}/dist/socket.io.js`) }),
  });
  stage.onEnd(() => files.close());
  stage.server = await stage.serve(["--allowed-origins", files.url, ...options]);
  return async () => {
    const page = await stage.page({ origins: [files.url, stage.server.url] });
    const query = [stage.server.url, ...(transports ? [transports] : [])].join("&");
    await page.goto(`${files.url}/${name}.html?${query}`);
    return page;
  };
}

/// Resolves when one more answer of the server is there.
function nextAnswer(page) {
  return page.waitForResponse((response) => response.url().includes("/longpolling?")).then(() => false);
}

async function say(page, text) {
  await page.getByLabel("메시지").fill(text);
  await page.getByRole("button", { name: "보내기" }).click();
}

async function shows(page, text) {
  await page.locator("#log").getByText(text, { exact: true }).first().waitFor();
}
