// The front page and the pages of the classic demos, as people use them.

import assert from "node:assert/strict";

import { row, until } from "../stage.mjs";

const WAYS = {
  "WebSocket": "Connected over WebSocket",
  "HTTP long-polling": "Connected over HTTP long-polling",
  "Polling, then WebSocket": "Connected over WebSocket",
};

export const echo = [
  ...Object.entries(WAYS).map(([name, connected]) =>
    row(`/echo over ${name}: one answer is the speaker's, the other is everybody's`, async (stage) => {
      const [speaker, other] = [await stage.page(), await stage.page()];
      for (const page of [other, speaker]) {
        await page.goto(`${stage.server.url}/echo`);
        await page.getByLabel("Over").selectOption({ label: name });
        await page.getByRole("status").getByText(connected).waitFor();
      }
      await speaker.getByLabel("What to say").fill("hello");
      await speaker.getByRole("button", { name: "Say it" }).click();
      await speaker.getByText(/"msg","Send from Server1/).waitFor();
      await speaker.getByText(/"msg","Send from Server2/).waitFor();
      await other.getByText(/"msg","Send from Server2/).waitFor();
      assert.doesNotMatch(await wire(other), /Server1/);
      assert.match(await wire(speaker), /42\/echo,\["msg","hello"\]/);
    })),

  row("/echo: a way that is left at any moment of its beginning leaves without a complaint", async (stage) => {
    const page = await stage.page();
    await page.goto(`${stage.server.url}/echo`);
    const over = page.getByLabel("Over");
    for (let round = 0; round < 20; round++) {
      for (const label of Object.keys(WAYS)) {
        await over.selectOption({ label });
        await page.waitForTimeout(round);
      }
    }
    await page.getByRole("status").getByText("Connected over WebSocket").waitFor();
  }),

  row("/longpolling.html: an announcement reaches everybody who is parked, and they ask again", async (stage) => {
    const [announcing, parked] = [await stage.page(), await stage.page()];
    for (const page of [announcing, parked]) {
      await page.goto(`${stage.server.url}/longpolling.html`);
      await page.getByText("Requests without an answer yet: 1").waitFor();
    }
    await parked.getByRole("button", { name: "One more request" }).click();
    await parked.getByText("Requests without an answer yet: 2").waitFor();
    for (const text of ["Lunch is ready", "점심이 식었습니다"]) {
      // A request is parked when the server has it, which the page cannot know.
      await until(announcing, "all requests are parked", async (count) => {
        const figures = await (await fetch("/metrics")).text();
        return new RegExp(`^racetrack_\\w*parked\\w* ${count}$`, "m").test(figures);
      }, text === "Lunch is ready" ? 3 : 2);
      await announcing.getByLabel("Announcement").fill(text);
      await announcing.getByRole("button", { name: "Announce" }).click();
      for (const page of [announcing, parked]) {
        await page.getByText(`200 ${JSON.stringify(`${text}\n`)}`).first().waitFor();
        await page.getByText("Requests without an answer yet: 1").waitFor();
      }
    }
    await parked.getByRole("button", { name: "Stop" }).click();
    await parked.getByText("Requests without an answer yet: 0").waitFor();
    await parked.getByRole("button", { name: "Ask for the delayed hello" }).click();
    await parked.getByText('200 "Hello World\\n"').waitFor();
  }),

  row("/: counts the people, speaks two languages, and every link leads somewhere", async (stage) => {
    const page = await stage.page();
    await page.goto(stage.server.url);
    await page.getByText(/^\d+ (person|people) here$/).waitFor();
    await page.getByRole("button", { name: "한국어" }).click();
    await page.getByRole("heading", { name: "메시지가 전해지는 방법" }).waitFor();
    assert.equal(await page.locator("html").getAttribute("lang"), "ko");
    await page.reload();
    await page.getByRole("button", { name: "English" }).click();
    await page.getByRole("heading", { name: "How a message reaches you" }).waitFor();
    const links = await page.locator("a[href]").evaluateAll((all) => all.map((one) => one.href));
    assert.ok(links.length >= 7, links);
    for (const link of links) assert.equal((await page.request.get(link)).status(), 200, link);
  }),
];

/// What went over the wire, as the page shows it.
function wire(page) {
  return page.locator("#wire").textContent();
}
