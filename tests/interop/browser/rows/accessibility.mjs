// No serious fault that axe-core knows of, in any state that a page can be in.

import { isAccessible } from "../axe.mjs";
import { Person } from "../person.mjs";
import { row } from "../stage.mjs";

const LANGUAGES = { en: "en-US", ko: "ko-KR" };
const schemes = ["light", "dark"];

export const accessibility = schemes.flatMap((colorScheme) => [
  ...["/", "/echo", "/longpolling.html"].map((path) =>
    row(`axe: ${path}, ${colorScheme}`, async (stage) => {
      for (const [language, locale] of Object.entries(LANGUAGES)) {
        const page = await stage.page({ colorScheme, locale });
        await page.goto(stage.server.url + path);
        await page.locator(`html[lang=${language}][data-ready]`).waitFor();
        if (path !== "/") await page.locator("#wire li").first().waitFor();
        await isAccessible(page, `${path} ${language}`);
      }
    })),

  row(`axe: /chat from the start to the end, ${colorScheme}`, async (stage) => {
    const ann = await Person.arrive(stage, { colorScheme });
    await ann.button("Start").waitFor();
    await isAccessible(ann.page, "before the start");
    await ann.start();
    await ann.waits();
    await isAccessible(ann.page, "waiting");
    const bob = await Person.arrive(stage);
    await bob.start();
    await ann.meets();
    await bob.say("hello");
    await ann.say("hello you");
    await ann.has({ mine: ["hello you"], theirs: ["hello"] });
    await isAccessible(ann.page, "talking");
    await ann.page.keyboard.press("Escape");
    await isAccessible(ann.page, "about to go on");
    await ann.field.fill("x".repeat(4_200));
    await isAccessible(ann.page, "too long");
    await refuse(ann);
    await isAccessible(ann.page, "refused");
    await ann.button("Leave").click();
    await ann.isTold("You have left.");
    await isAccessible(ann.page, "left");
  }),
]);

/// Says more at once than the server takes.
async function refuse(person) {
  await person.page.evaluate(() => {
    const field = document.getElementById("text");
    for (let n = 0; n < 150; n += 1) {
      field.value = `too much ${n}`;
      field.form.requestSubmit();
    }
  });
  await person.page.getByText("Too many messages at once.").first().waitFor();
}
