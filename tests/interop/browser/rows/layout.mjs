// How the pages look: on a phone, on a desk, in the dark, in both languages. What a program can see of
// it is checked, and pictures are left for people.

import assert from "node:assert/strict";

import { Person } from "../person.mjs";
import { row } from "../stage.mjs";

const PATHS = { index: "/", chat: "/chat", echo: "/echo", longpolling: "/longpolling.html" };
const PHONES = { narrow: { width: 320, height: 568 }, usual: { width: 390, height: 780 } };
const LANGUAGES = { en: "en-US", ko: "ko-KR" };
const LONG = `https://example.org/${"a".repeat(200)} and a sentence that goes on for more than a line, as they do`;

const phone = (size, language) => ({
  viewport: PHONES[size], locale: LANGUAGES[language], isMobile: true, hasTouch: true, deviceScaleFactor: 2,
});

export const layout = [
  ...Object.keys(LANGUAGES).map((language) =>
    row(`phone (${language}): no page scrolls sideways, nothing lies upon anything else`, async (stage) => {
      for (const size of Object.keys(PHONES)) {
        for (const [name, path] of Object.entries(PATHS)) {
          const page = await stage.page(phone(size, language));
          await open(page, stage.server.url + path);
          await fits(page, `${path} at ${PHONES[size].width}`);
          await stage.picture(page, `${name}-phone-${size}-${language}`);
          await stage.close(page);
        }
      }
    })),

  row("phone: a conversation with long words fits, and so do its ends", async (stage) => {
    for (const size of Object.keys(PHONES)) {
      const [ann, bob] = await Person.couple(stage, [phone(size, "en"), {}]);
      await fits(ann.page, "just met");
      await bob.say("hi", LONG, "안녕하세요, 반갑습니다");
      await ann.say("hello", LONG, "ok");
      await ann.has({ mine: ["hello", LONG, "ok"], theirs: ["hi", LONG, "안녕하세요, 반갑습니다"] });
      await fits(ann.page, `talking at ${PHONES[size].width}`);
      await stage.picture(ann.page, `chat-phone-${size}-talking`);
      await ann.field.fill("a line\n".repeat(30));
      await fits(ann.page, "writing much");
      await ann.field.fill("x".repeat(4_100));
      await ann.page.getByText("4 bytes too long").waitFor();
      await fits(ann.page, "writing too much");
      await stage.picture(ann.page, `chat-phone-${size}-too-long`);
      await bob.button("Leave").click();
      await ann.isTold("The stranger has left.");
      await ann.button("Leave").click();
      await ann.isTold("You have left.");
      await fits(ann.page, "left");
      await stage.picture(ann.page, `chat-phone-${size}-left`);
      for (const { page } of [ann, bob]) await stage.close(page);
    }
  }),

  row("phone: what can be tapped is large enough", async (stage) => {
    for (const path of Object.values(PATHS)) {
      const page = await stage.page(phone("usual", "en"));
      await open(page, stage.server.url + path);
      const small = await page.evaluate(() => {
        const targets = [...document.querySelectorAll("button, select, input[type=text], textarea, a.main")];
        return targets.filter((one) => one.checkVisibility()).map((one) => {
          const { width, height } = one.getBoundingClientRect();
          return { name: one.id || one.textContent, width, height };
        }).filter(({ width, height }) => width < 44 || height < 36);
      });
      assert.deepEqual(small, [], path);
      await stage.close(page);
    }
  }),

  ...["light", "dark"].map((colorScheme) =>
    row(`${colorScheme}: every page has the colours that were asked for`, async (stage) => {
      for (const [name, path] of Object.entries(PATHS)) {
        const page = await stage.page({ colorScheme });
        await open(page, stage.server.url + path);
        const [paper, ink] = await page.evaluate(() => {
          const lightness = (colour) => {
            const [red, green, blue] = colour.match(/\d+/g).map(Number);
            return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255;
          };
          const { backgroundColor, color } = getComputedStyle(document.documentElement);
          return [lightness(backgroundColor), lightness(color)];
        });
        assert.ok(colorScheme === "dark" ? paper < 0.2 && ink > 0.7 : paper > 0.9 && ink < 0.2, `${path}: ${paper}, ${ink}`);
        await stage.picture(page, `${name}-${colorScheme}`);
      }
      const [ann, bob] = await Person.couple(stage, [{ colorScheme }, {}]);
      await bob.say("is it dark where you are?");
      await ann.say("it is as I like it");
      await ann.has({ mine: ["it is as I like it"], theirs: ["is it dark where you are?"] });
      await stage.picture(ann.page, `chat-${colorScheme}-talking`);
    })),
];

async function open(page, url) {
  await page.goto(url);
  await page.locator("html[data-ready]").waitFor();
  // The picture of a page whose words are still coming shows nothing.
  await page.evaluate(() => Promise.all(document.getAnimations().map((one) => one.finished.catch(() => {}))).then(() => document.fonts.ready));
}

/// Nothing wider than the window, no two things in one place, no words cut off.
async function fits(page, when) {
  const faults = await page.evaluate(() => {
    const faults = [];
    const { scrollWidth, clientWidth } = document.documentElement;
    if (scrollWidth > clientWidth) faults.push(`${scrollWidth} px in a window of ${clientWidth}`);
    const describe = (one) => `${one.tagName.toLowerCase()}${one.id && `#${one.id}`} "${one.textContent.trim().slice(0, 20)}"`;

    const things = [...document.querySelectorAll(
      "button, select, input, textarea, a, h1, h2, h3, p, kbd, .bubble, .dot, svg",
    )].filter((one) => one.checkVisibility({ visibilityProperty: true })
      && !one.matches(".unseen, .unseen *, .skip, .newer, .newer *"));
    const boxes = things.map((one) => [one, visible(one)]).filter(([, box]) => box);
    const main = document.querySelector("main");
    const { paddingRight } = getComputedStyle(main);
    const edge = main.getBoundingClientRect().right - parseFloat(paddingRight);
    for (const [n, [one, box]] of boxes.entries()) {
      // A button without a frame is aligned by its words.
      if (main.contains(one) && !one.matches(".quiet") && box.right > edge + 1) faults.push(`${describe(one)} sticks out of the column`);
      if (box.right > clientWidth + 1 || box.left < -1) faults.push(`${describe(one)} sticks out`);
      for (const [other, its] of boxes.slice(n + 1)) {
        if (one.contains(other) || other.contains(one)) continue;
        const width = Math.min(box.right, its.right) - Math.max(box.left, its.left);
        const height = Math.min(box.bottom, its.bottom) - Math.max(box.top, its.top);
        if (width > 1 && height > 1) faults.push(`${describe(one)} lies upon ${describe(other)}`);
      }
    }
    for (const one of document.querySelectorAll("button, select, .company, .connection, .online")) {
      if (one.checkVisibility() && one.scrollWidth > one.clientWidth + 1) faults.push(`${describe(one)} is cut off`);
    }
    // A word that stands alone is on one line, and is not taken apart to fit.
    for (const one of document.querySelectorAll("label span, button, h1, h2, h3, option")) {
      const words = one.textContent.trim();
      if (one.matches(".unseen") || /\s/.test(words) || !one.checkVisibility()) continue;
      const range = document.createRange();
      range.selectNodeContents(one);
      if (new Set([...range.getClientRects()].map(({ top }) => Math.round(top))).size > 1) faults.push(`${describe(one)} is taken apart`);
    }
    return faults;

    /// The part of it that can be seen: what scrolls within something is hidden outside of that.
    function visible(one) {
      const { left, right, top, bottom } = one.getBoundingClientRect();
      const box = { left, right, top, bottom };
      for (let around = one.parentElement; around && around !== document.body; around = around.parentElement) {
        if (!/auto|scroll|hidden/.test(getComputedStyle(around).overflowY)) continue;
        const edge = around.getBoundingClientRect();
        box.top = Math.max(box.top, edge.top);
        box.bottom = Math.min(box.bottom, edge.bottom);
      }
      return box.right - box.left > 0 && box.bottom - box.top > 0 ? box : undefined;
    }
  });
  assert.deepEqual(faults, [], when);
}
