// What the commands write is opened from the disk: the report of a run, and the page of a simulated one.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, readFile, rm } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";

import { isAccessible } from "../axe.mjs";
import { OUT, row } from "../stage.mjs";

const COMMAND_MS_MAX = 60_000;
/// What was measured is not to be trusted on a machine this busy, which the report says.
const NOT_VALID = 3;
const LOAD = ["load", "--users", "20", "--duration", "2s", "--transport", "websocket,long-poll", "--out"];
const SIM = ["sim", "--seed", "42", "--html"];

export const files = [
  row("the report of a load run: no script, no request, readable in light, dark and on a phone", async (stage) => {
    const directory = path.join(OUT, "load");
    await racetrack(stage, [...LOAD, directory], [0, NOT_VALID]);
    const file = path.join(directory, "report.html");
    assert.doesNotMatch(await readFile(file, "utf8"), /<script/);
    await look(stage, file, "report");
  }),

  row("the page of a simulated run: no request, readable in light, dark and on a phone", async (stage) => {
    const file = path.join(OUT, "sim.html");
    await racetrack(stage, [...SIM, file], [0]);
    await look(stage, file, "sim");
  }),
];

async function racetrack({ binary }, args, good) {
  await rm(args.at(-1), { recursive: true, force: true });
  await mkdir(OUT, { recursive: true });
  const status = await new Promise((resolve) => {
    execFile(path.resolve(binary), args, { cwd: OUT, timeout: COMMAND_MS_MAX, killSignal: "SIGKILL" },
      (error) => resolve(error ? error.code ?? error.signal : 0));
  });
  assert.ok(good.includes(status), `${args.join(" ")}: ${status}`);
}

async function look(stage, file, name) {
  const sizes = { desktop: { width: 1280, height: 900 }, phone: { width: 390, height: 780 } };
  for (const colorScheme of ["light", "dark"]) {
    for (const [size, viewport] of Object.entries(sizes)) {
      const page = await stage.page({ origins: ["file:///"], colorScheme, viewport });
      const asked = [];
      page.on("request", (request) => asked.push(request.url()));
      const address = pathToFileURL(file).href;
      await page.goto(address);
      assert.deepEqual(asked, [address], "it asks for more than itself");
      const { scrollWidth, clientWidth } = await page.evaluate(() => {
        const { scrollWidth, clientWidth } = document.documentElement;
        return { scrollWidth, clientWidth };
      });
      assert.ok(scrollWidth <= clientWidth, `${scrollWidth} px in a window of ${clientWidth}`);
      assert.ok(await page.locator("svg").count() > 0, "there is no picture in it");
      await stage.picture(page, `${name}-${size}-${colorScheme}`);
      if (size === "desktop") await isAccessible(page, `${name} ${colorScheme}`);
    }
  }
}
