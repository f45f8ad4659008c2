// A real browser against a real server, a new one for each row: everything that a person can do on its
// pages, and the original programs' pages. It knows the pages by what a person finds on them.
//
//   node check.mjs BINARY [WORD...]    BINARY is racetrack; with words, only rows with all of them
//
// Prints one line a row, and exits with 1 when one of them failed. A machine that is too busy lets a page
// miss its time: whatever failed is tried once more, and the line says so. Pictures go to target/browser/.

import { chromium } from "playwright-core";

import { accessibility } from "./rows/accessibility.mjs";
import { echo } from "./rows/echo.mjs";
import { ends } from "./rows/ends.mjs";
import { files } from "./rows/files.mjs";
import { keyboard } from "./rows/keyboard.mjs";
import { layout } from "./rows/layout.mjs";
import { meeting } from "./rows/meeting.mjs";
import { native } from "./rows/native.mjs";
import { original } from "./rows/original.mjs";
import { restart } from "./rows/restart.mjs";
import { transports } from "./rows/transports.mjs";
import { Stage } from "./stage.mjs";

const BROWSER = process.env.CHROMIUM ?? "/usr/bin/chromium";
/// Everything takes six minutes on two cores, and twice as much when they are busy.
const RUN_MS_MAX = 1_200_000;
const ROW_MS_MAX = 120_000;

const [binary, ...words] = process.argv.slice(2);
if (!binary) {
  console.error("usage: node check.mjs BINARY [WORD...]");
  process.exit(2);
}
const rows = [
  meeting, transports, restart, ends, keyboard, layout, accessibility, native, echo, original, files,
].flat().filter(({ name }) => words.every((word) => name.includes(word)));
const results = [];

setTimeout(() => {
  console.error(`not done after ${RUN_MS_MAX / 1_000} s`);
  finish(1);
}, RUN_MS_MAX).unref();

const browser = await chromium.launch({
  executablePath: BROWSER,
  // There is no sandbox for root.
  args: process.getuid() === 0 ? ["--no-sandbox"] : [],
  handleSIGINT: false,
  handleSIGTERM: false,
});
process.on("SIGINT", () => finish(1));
process.on("SIGTERM", () => finish(1));
for (const row of rows) {
  const first = await play(row);
  results.push(first.failure ? { ...(await play(row)), isSecondTry: true } : first);
  console.log(line(results.at(-1)));
}
await browser.close();
finish(rows.length > 0 && results.every(({ failure }) => !failure) ? 0 : 1);

function finish(status) {
  const failed = results.filter(({ failure }) => failure);
  console.log(`\n${results.length - failed.length} passed, ${failed.length} failed`);
  for (const { name } of failed) console.log(`FAILED: ${name}`);
  // The server and the browser are ended with this process, however it ends.
  process.exit(status);
}

/// One row on a stage of its own; what was wrong is told at once.
async function play({ name, run }) {
  const began = performance.now();
  const stage = new Stage({ binary, browser });
  const tried = inTime(stage.open().then(() => run(stage)));
  const failure = await tried.then(() => stage.end(), (error) => stage.end(error));
  if (failure) console.log(`${name}:\n${indented(failure.stack ?? String(failure))}`);
  return { name, failure, seconds: (performance.now() - began) / 1_000 };
}

function inTime(done) {
  const late = new Promise((_, reject) => {
    const error = new Error(`not done after ${ROW_MS_MAX / 1_000} s`);
    setTimeout(reject, ROW_MS_MAX, error).unref();
  });
  return Promise.race([done, late]);
}

function line({ name, failure, seconds, isSecondTry }) {
  const tries = isSecondTry ? " (second try)" : "";
  return `${failure ? "FAILED" : "ok    "}  ${seconds.toFixed(1).padStart(5)} s  ${name}${tries}`;
}

function indented(text) {
  return text.replace(/^/gm, "          ");
}
