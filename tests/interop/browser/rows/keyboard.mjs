// A keyboard is enough, and one sees where one is.

import assert from "node:assert/strict";

import { Person } from "../person.mjs";
import { row, until } from "../stage.mjs";

/// Stops of the Tab key on one page at most.
const STOPS_MAX = 60;

export const keyboard = [
  row("chat: a whole conversation by keyboard alone", async (stage) => {
    const ann = await Person.arrive(stage);
    const { keyboard } = ann.page;
    await goTo(ann, "Start");
    await keyboard.press("Enter");
    await ann.waits();
    await isAt(ann, "Message");
    const bob = await Person.arrive(stage);
    await bob.start();
    await ann.meets();

    await keyboard.type("hello");
    await keyboard.press("Enter");
    await keyboard.type("two");
    await keyboard.press("Shift+Enter");
    await keyboard.type("lines");
    await keyboard.press("Enter");
    await ann.has({ mine: ["hello", "two\nlines"] });
    await bob.has({ theirs: ["hello", "two\nlines"] });

    await goTo(ann, "Transport", "Shift+Tab");
    await keyboard.press("ArrowDown");
    await ann.isTold("Transport changed: Socket.IO");
    await ann.connected();
    await goTo(ann, "Message");
    await keyboard.type("over another transport");
    await keyboard.press("Enter");
    await bob.has({ theirs: ["hello", "two\nlines", "over another transport"] });

    // Once asks, twice goes.
    await keyboard.press("Escape");
    await ann.button("Esc again: next person").waitFor();
    assert.equal(await ann.page.locator("#partner").getAttribute("data-partner"), "paired");
    const cyd = await Person.arrive(stage);
    await cyd.start();
    await cyd.waits();
    await keyboard.press("Escape");
    await ann.isTold("You skipped to the next person.");
    await Promise.all([bob.meets(), cyd.meets()]);
    await isAt(ann, "Message");
    const dan = await Person.arrive(stage);
    await dan.start();
    await Promise.all([ann.meets(), dan.meets()]);

    await goTo(ann, "Leave");
    await keyboard.press("Enter");
    await dan.isTold("The stranger has left.");
    await isAt(ann, "Start again");
    await keyboard.press("Enter");
    await ann.meets();
    await isAt(ann, "Message");
  }),

  row("chat: the language of an input method is not sent before it is done", async (stage) => {
    const [ann, bob] = await Person.couple(stage);
    await ann.field.focus();
    const session = await ann.page.context().newCDPSession(ann.page);
    const compose = (text) => session.send("Input.imeSetComposition", {
      text, selectionStart: text.length, selectionEnd: text.length,
    });
    await compose("하");
    await compose("한");
    // The key that ends the syllable, as browsers tell it while an input method is at work.
    await session.send("Input.dispatchKeyEvent", {
      type: "rawKeyDown", key: "Enter", code: "Enter", windowsVirtualKeyCode: 229,
    });
    await session.send("Input.insertText", { text: "한글" });
    assert.equal(await ann.field.inputValue(), "한글");
    await ann.page.keyboard.press("Enter");
    await bob.has({ theirs: ["한글"] });
    await ann.has({ mine: ["한글"] });
  }),

  ...["/", "/chat", "/echo", "/longpolling.html"].map((path) =>
    row(`${path}: every stop of the Tab key is seen, and the first leads to the content`, async (stage) => {
      const page = await stage.page();
      await page.goto(stage.server.url + path);
      await page.locator("html[data-ready]").waitFor();
      await page.keyboard.press("Tab");
      assert.equal((await focused(page)).name, "Skip to the content");
      const stops = new Set();
      for (let n = 0; n < STOPS_MAX; n += 1) {
        const { name, isSeen, where } = await focused(page);
        if (where === "BODY" || stops.has(where)) break;
        stops.add(where);
        assert.ok(isSeen, `one does not see that ${where} ${name} has the focus`);
        assert.ok(name, `${where} has no name`);
        await page.keyboard.press("Tab");
      }
      assert.ok(stops.size >= 4, `only ${stops.size} stops`);
      const reachable = await page.evaluate(() =>
        [...document.querySelectorAll("a[href], button, input, select, textarea")]
          .filter((one) => one.checkVisibility({ visibilityProperty: true }) && !one.disabled).length);
      // A log that scrolls is a stop too.
      assert.ok(stops.size >= reachable, `${reachable - stops.size} things cannot be reached`);
    })),
];

/// Presses Tab until this has the focus.
async function goTo({ page }, name, key = "Tab") {
  for (let n = 0; n < STOPS_MAX; n += 1) {
    if ((await focused(page)).name === name) return;
    await page.keyboard.press(key);
  }
  assert.fail(`${key} does not lead to ${name}`);
}

async function isAt({ page }, name) {
  await until(page, `the focus is at ${name}`, (name) => {
    const { activeElement: at } = document;
    return (at.labels?.[0]?.textContent ?? at.textContent).trim() === name;
  }, name);
}

/// What has the focus, by its name, and whether one sees that it has.
async function focused(page) {
  return page.evaluate(() => {
    const { activeElement: at } = document;
    const style = getComputedStyle(at);
    const box = at.getBoundingClientRect();
    const label = at.getAttribute("aria-label") ?? at.labels?.[0]?.textContent;
    const labelledBy = document.getElementById(at.getAttribute("aria-labelledby"))?.textContent;
    const text = [...at.childNodes].filter((node) => node.ariaHidden !== "true");
    const name = label ?? labelledBy ?? text.map((node) => node.textContent).join("");
    const isOutlined = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
    const isThere = box.bottom > 0 && box.right > 0 && box.top < innerHeight && box.left < innerWidth;
    const place = [...document.querySelectorAll("*")].indexOf(at);
    return { name: name.trim(), isSeen: isOutlined && isThere, where: at === document.body ? "BODY" : `${at.tagName}#${place}` };
  });
}
