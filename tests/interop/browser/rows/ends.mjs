// The other ways in which a conversation, a session or an attempt ends: each is told as what it is, in both
// languages, and is tried again only where that may help.

import assert from "node:assert/strict";

import { Person } from "../person.mjs";
import { row } from "../stage.mjs";
import { Relay } from "../server.mjs";
import { GONE } from "./restart.mjs";

const UNKNOWN = /^The server does not know this session any more/;
const CUT = [/Failed to load resource: net::ERR_/, /WebSocket connection to .* failed/];

/// What `POST /api/session` may answer, and what the page says while it waits.
const WAITS = [
  [503, "full", "Server full; waiting…", "접속자가 많아 대기 중…"],
  [503, "draining", "Server shutting down; waiting…", "서버 종료 중, 기다리는 중…"],
  [429, "too-many-connections", "Too many connections from your address; waiting…", "같은 주소의 연결이 너무 많아 대기 중…"],
  [429, "too-many-sessions", "Too many sessions from your address; waiting…", "같은 주소의 세션이 너무 많아 대기 중…"],
  [429, "too-fast", "Too many requests; waiting…", "요청이 너무 많아 대기 중…"],
  [502, undefined, "The server does not answer; retrying…", "서버 응답 없음, 재시도 중…"],
];

export const ends = [
  row("chat: what was written for one partner is held back from the next, and a message that missed one can be sent to the next", async (stage) => {
    const [ann, bob] = await Person.couple(stage);
    await ann.say("hello Bob");
    await bob.has({ theirs: ["hello Bob"] });
    await ann.field.fill("a question for Bob");
    await bob.button("Leave").click();
    await ann.isTold("The stranger has left.");
    await ann.over.getByText("This conversation is over").waitFor();
    assert.ok(await ann.button("Send").isDisabled());
    await ann.field.press("Enter");
    await ann.page.getByText("Nobody is there yet; your message stays here.").waitFor();
    const cyd = await Person.arrive(stage);
    await cyd.start();
    await Promise.all([ann.meets(), cyd.meets()]);
    await ann.page.getByText("You wrote this in the conversation before.").waitFor();
    await ann.field.press("Enter");
    // Who empties the field begins anew.
    await ann.field.fill("");
    await ann.say("hello Cyd");
    await cyd.has({ theirs: ["hello Cyd"] });
    assert.deepEqual(await ann.going.locator(".me .text").allTextContents(), ["hello Cyd"]);
    // Going on oneself is no other thing.
    await ann.field.fill("a question for Cyd");
    await bob.start();
    await bob.waits();
    await ann.button("Next person").click();
    // Who was left meets somebody first.
    await Promise.all([ann.waits(), bob.meets(), cyd.meets()]);
    const dan = await Person.arrive(stage);
    await dan.start();
    await Promise.all([ann.meets(), dan.meets()]);
    await ann.page.getByText("You wrote this in the conversation before.").waitFor();
    await ann.button("Discard it").click();
    assert.equal(await ann.over.count(), 2);
  }),

  row("chat: a message that no server has confirmed may have arrived, and can be sent in the new conversation", async (stage) => {
    const relay = await Relay.to(stage.server);
    stage.onEnd(() => relay.close());
    const [ann, bob] = await Person.couple(stage, [{ relay, allowed: GONE }, { allowed: GONE }]);
    relay.block();
    await ann.say("did you get this?");
    await ann.page.getByText("not confirmed yet").waitFor({ state: "attached" });
    await stage.server.stop("SIGKILL");
    stage.server = await stage.serveAgain(stage.server);
    relay.isBlocked = false;
    await Promise.all([ann.meets(), bob.meets()]);
    await ann.over.getByText("it may or may not have arrived").waitFor();
    await ann.inKorean(() => ann.page.getByText("도착했는지 알 수 없습니다").waitFor());
    await ann.button("Send in the new conversation").click();
    await bob.has({ theirs: ["did you get this?"] });
    assert.equal(await ann.button("Send in the new conversation").count(), 0);
  }),

  row("chat: a session that has expired is told as that, and not replaced unasked", async (stage) => {
    stage.server = await stage.serve(["--resume-window-ms", "4000"]);
    const relay = await Relay.to(stage.server);
    stage.onEnd(() => relay.close());
    const [ann, bob] = await Person.couple(stage, [{ relay, allowed: CUT }, {}]);
    await ann.field.fill("half");
    relay.block();
    await bob.isTold("The stranger's connection was lost.");
    relay.isBlocked = false;
    await ann.page.evaluate(() => dispatchEvent(new Event("online")));
    await ann.isTold("Your session has expired: the server heard nothing from this page for too long.");
    await ann.inKorean(() => ann.isTold("세션이 만료되었습니다. 서버가 오랫동안 이 페이지의 응답을 받지 못했습니다."));
    await ann.over.waitFor();
    assert.ok(await ann.field.isDisabled());
    await ann.button("Start again").click();
    await Promise.all([ann.meets(), bob.meets()]);
    await ann.page.getByText("You wrote this in the conversation before.").waitFor();
  }),

  row("chat: who is superseded is told so, stays away, and can come back", async (stage) => {
    const [ann, bob] = await Person.couple(stage);
    const copy = await ann.page.context().newPage();
    const kept = await ann.page.evaluate(() => sessionStorage.getItem("racetrack.conversation"));
    const { token, cursor } = JSON.parse(kept);
    await copy.request.get(`${stage.server.url}/api/events?after=${cursor}`, { headers: { Authorization: `Bearer ${token}` } });
    await ann.isTold("Another connection has taken over this session, for example in another tab.");
    await ann.isConnectedAs("Taken over by another connection");
    await ann.page.locator("#partner").getByText("Not in a conversation").waitFor();
    await ann.inKorean(() => ann.isTold("다른 탭 등 다른 연결이 이 세션을 이어받았습니다."));
    assert.ok(await ann.field.isDisabled());
    assert.ok(await ann.button("Send").isDisabled());
    // It is not over: whoever took it over goes on, or this page does.
    assert.equal(await ann.over.count(), 0);
    await ann.button("Go on here").click();
    await ann.connected();
    await ann.say("back");
    await bob.has({ theirs: ["back"] });
  }),

  row("chat: a full server, and each other refusal that passes, is told as what it is and asked again", async (stage) => {
    stage.server = await stage.serve(["--sessions-max", "2", "--retry-after-ms", "300"]);
    const [ann] = await Person.couple(stage);
    const cyd = await Person.arrive(stage, { allowed: [/status of (503|429|502)/] });
    await cyd.start();
    await cyd.isConnectedAs("Server full; waiting…");
    await ann.button("Leave").click();
    // The place is free when the session has been forgotten, as long after its end as it could be resumed.
    for (const [status, type, en, ko] of WAITS) {
      await answer(cyd.page, status, type);
      await cyd.isConnectedAs(en);
      await cyd.inKorean(() => cyd.isConnectedAs(ko));
    }
    await cyd.page.unroute("**/api/session");
    await cyd.meets();
  }),

  row("chat: a refusal that will not change is told with its reason, and not asked again", async (stage) => {
    const ann = await Person.arrive(stage, { allowed: [/status of 403/] });
    let asked = 0;
    ann.page.on("request", (request) => { asked += request.url().endsWith("/api/session"); });
    await answer(ann.page, 403, "origin", "The origin is not allowed");
    await ann.start();
    await ann.isTold("The server refuses this page: 403 The origin is not allowed");
    await ann.inKorean(() => ann.isTold("서버가 이 페이지의 접속을 거부했습니다: 403 The origin is not allowed"));
    await ann.page.unroute("**/api/session");
    await ann.button("Start again").click();
    await ann.waits();
    assert.equal(asked, 2);
  }),

  row("chat: two servers that do not know each other's sessions are told as what they are, and not asked for ever", async (stage) => {
    const other = await stage.serve(["--allowed-origins", stage.server.url]);
    const ann = await Person.arrive(stage, { allowed: GONE });
    let opened = 0;
    await ann.page.route("**/api/session", async (route) => {
      opened += 1;
      await route.fulfill({ response: await route.fetch({ url: `${other.url}/api/session` }) });
    });
    await ann.start();
    await ann.isTold(UNKNOWN);
    await ann.isTold("New sessions are lost as soon as they begin, so this page has stopped trying.");
    assert.equal(opened, 6);
    await ann.button("Start again").waitFor();
  }),

  row("chat: after many attempts in vain there is a button, and a server that is back is found by it", async (stage) => {
    const ann = await Person.arrive(stage, { allowed: GONE });
    await ann.page.clock.install();
    await ann.visit();
    await ann.start();
    await ann.waits();
    await ann.connected();
    await stage.server.stop("SIGKILL");
    const stopped = ann.button("Try again");
    for (let n = 0; n < 1_000 && !(await stopped.isVisible()); n += 1) await ann.page.clock.runFor(1_000);
    await ann.isTold("This page could not connect for several minutes and has stopped trying.");
    stage.server = await stage.serveAgain(stage.server);
    await stopped.click();
    await ann.isTold(UNKNOWN);
    await ann.page.clock.runFor(10_000);
    await ann.waits();
  }),

  row("chat: nobody is paired with a page that is not looked at", async (stage) => {
    const [ann, bob] = await Person.couple(stage, [{ allowed: GONE }, { allowed: GONE }]);
    await look(ann.page, false);
    await stage.server.stop("SIGKILL");
    stage.server = await stage.serveAgain(stage.server);
    await ann.isTold(UNKNOWN);
    await bob.waits();
    await ann.page.waitForFunction(() => document.title.startsWith("• "));
    assert.equal(await online(stage), 1);
    await look(ann.page, true);
    await Promise.all([ann.meets(), bob.meets()]);
    assert.equal(await ann.page.title(), "Random chat · racetrack");
    await look(ann.page, false);
    await bob.say("one", "two");
    await ann.page.waitForFunction(() => document.title.startsWith("(2) "));
  }),

  row("phone: Enter begins a new line, the button sends, and no key is named", async (stage) => {
    const phone = { viewport: { width: 390, height: 780 }, isMobile: true, hasTouch: true };
    const [ann, bob] = await Person.couple(stage, [phone, {}]);
    assert.equal(await ann.page.getByText(/Enter sends/).isVisible(), false);
    assert.equal(await ann.page.getByText("Esc", { exact: true }).isVisible(), false);
    assert.equal(await bob.page.getByText(/Enter sends/).isVisible(), true);
    assert.equal(await ann.field.getAttribute("enterkeyhint"), "enter");
    await ann.field.press("a");
    await ann.field.press("Enter");
    await ann.field.press("b");
    await ann.button("Send").tap();
    await bob.has({ theirs: ["a\nb"] });
  }),

  row("a person who goes where nothing is finds a page, and a program finds problem details", async (stage) => {
    const page = await stage.page({ allowed: [/status of (404|401|426)/] });
    for (const [path, status] of [["/chat/", 404], ["/nothing-here", 404], ["/api/events", 401], ["/api/ws", 426]]) {
      const answer = await page.goto(stage.server.url + path);
      assert.equal(answer.status(), status, path);
      await page.getByRole("heading", { name: String(status) }).waitFor();
      await page.getByRole("link", { name: "랜덤 채팅" }).waitFor();
      const { type } = await (await page.request.get(stage.server.url + path)).json();
      assert.match(type, /^\/problems\//);
    }
    await page.goto(`${stage.server.url}/nothing-here`);
    await page.getByText("이 주소에는 아무것도 없습니다.").waitFor();
    await stage.picture(page, "not-found");
    await page.getByRole("link", { name: "Front page" }).click();
    await page.getByRole("heading", { name: "One conversation, six transports" }).waitFor();
  }),

  row("a link may name the language, which is remembered until the button is pressed", async (stage) => {
    const page = await stage.page();
    await page.goto(`${stage.server.url}/?lang=ko`);
    await page.getByRole("link", { name: "대화 시작하기" }).click();
    await page.getByRole("button", { name: "시작", exact: true }).waitFor();
    await page.goto(`${stage.server.url}/chat?lang=en-GB`);
    await page.getByRole("button", { name: "Start", exact: true }).waitFor();
    await page.getByRole("button", { name: "한국어" }).click();
    await page.reload();
    await page.getByRole("button", { name: "시작", exact: true }).waitFor();
    await page.goto(`${stage.server.url}/chat?lang=__proto__`);
    await page.getByRole("button", { name: "시작", exact: true }).waitFor();
  }),

  row("/, /echo and /longpolling.html: say what they know while there is no server, and go on when it is back", async (stage) => {
    const [index, echo, parked] = await Promise.all([0, 1, 2].map(() => stage.page({ allowed: GONE })));
    await index.goto(stage.server.url);
    await index.getByText("0 people here").waitFor();
    await echo.goto(`${stage.server.url}/echo`);
    await echo.getByRole("status").getByText("Connected over WebSocket").waitFor();
    await parked.goto(`${stage.server.url}/longpolling.html`);
    await parked.getByText("Requests without an answer yet: 1").waitFor();
    await stage.server.stop("SIGKILL");
    // It asks when it is looked at again.
    await look(index, true);
    await index.getByText("The server does not answer.").waitFor();
    assert.equal(await index.getByText("people here").count(), 0);
    await echo.getByRole("status").getByText("Not connected").waitFor();
    assert.ok(await echo.getByRole("button", { name: "Say it" }).isDisabled());
    await parked.getByText("asking again in 2.0 s").first().waitFor();
    await parked.getByText("Requests without an answer yet: 0").waitFor();
    stage.server = await stage.serveAgain(stage.server);
    await look(index, true);
    await index.getByText("0 people here").waitFor();
    await echo.getByRole("status").getByText("Connected over WebSocket").waitFor();
    await parked.getByText("Requests without an answer yet: 1").waitFor();
  }),
];

/// Answers for the server when the page wants a session.
async function answer(page, status, type, title = "refused") {
  const problem = { type: `/problems/${type}`, title, status, detail: "" };
  await page.unroute("**/api/session");
  await page.route("**/api/session", (route) => route.fulfill({
    status,
    headers: { "Retry-After": "1" },
    ...(type ? { contentType: "application/problem+json", body: JSON.stringify(problem) }
      : { contentType: "text/html", body: "<h1>Bad Gateway</h1>" }),
  }));
}

/// A browser without a window shows every page, so it is told otherwise.
async function look(page, isSeen) {
  await page.evaluate((isSeen) => {
    Object.defineProperty(document, "hidden", { value: !isSeen, configurable: true });
    document.dispatchEvent(new Event("visibilitychange"));
  }, isSeen);
}

async function online({ server }) {
  const { online } = await (await fetch(`${server.url}/pages/online`)).json();
  return online;
}
