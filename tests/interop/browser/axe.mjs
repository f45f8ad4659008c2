// axe-core, asked in a page.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";

const SOURCE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const GRAVE = ["serious", "critical"];

/// Fails where somebody who sees, hears or moves less than others would be hindered.
export async function isAccessible(page, what) {
  await page.evaluate(SOURCE);
  const { violations, passes } = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
  assert.ok(passes.length > 10, `${what}: axe has looked at next to nothing`);
  const grave = violations.filter(({ impact }) => GRAVE.includes(impact));
  const told = grave.map(({ id, impact, nodes }) =>
    `${id} (${impact}): ${nodes.map(({ target, failureSummary }) => `${target}: ${failureSummary}`).join("; ")}`);
  assert.deepEqual(told, [], what);
}
