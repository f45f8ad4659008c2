// A real browser against a real server, a new one for each row: everything that a person can do on its
// pages, and the original programs' pages. It knows the pages by what a person finds on them.
//
//   node check.mjs BINARY [WORD...]    BINARY is racetrack; with words, only rows with all of them
//
// Prints one line a row, and exits with 1 when one of them failed. Pictures go to target/browser/.

import { chromium } from "playwright-core";

import { accessibility } from "./rows/accessibility.mjs";
import { echo } from "./rows/echo.mjs";
import { files } from "./rows/files.mjs";
import { keyboard } from "./rows/keyboard.mjs";
import { layout } from "./rows/layout.mjs";
import { meeting } from "./rows/meeting.mjs";
import { native } from "./rows/native.mjs";
import { original } from "./rows/original.mjs";
import { transports } from "./rows/transports.mjs";
import { Stage } from "./stage.mjs";

const BROWSER = process.env.CHROMIUM ?? "/usr/bin/chromium";
/// Everything takes four minutes on two cores, and twice as much when they are busy.
const RUN_MS_MAX = 900_000;
const ROW_MS_MAX = 120_000;

const [binary, ...words] = process.argv.slice(2);
if (!binary) {
  console.error("usage: node check.mjs BINARY [WORD...]");
  process.exit(2);
}
const rows = [
  meeting, transports, keyboard, layout, accessibility, native, echo, original, files,
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
for (const { name, run } of rows) {
  const began = performance.now();
  const stage = new Stage({ binary, browser });
  const tried = inTime(stage.open().then(() => run(stage)));
  const failure = await tried.then(() => stage.end(), (error) => stage.end(error));
  const seconds = (performance.now() - began) / 1_000;
  results.push({ name, failure, seconds });
  console.log(line(results.at(-1)));
  if (failure) console.log(indented(failure.stack ?? String(failure)));
}
await browser.close();
console.log(`\n${results.map(line).join("\n")}`);
finish(rows.length > 0 && results.every(({ failure }) => !failure) ? 0 : 1);

function finish(status) {
  const failed = results.filter(({ failure }) => failure).length;
  console.log(`\n${results.length - failed} passed, ${failed} failed`);
  // The server and the browser are ended with this process, however it ends.
  process.exit(status);
}

function inTime(done) {
  const late = new Promise((_, reject) => {
    const error = new Error(`not done after ${ROW_MS_MAX / 1_000} s`);
    setTimeout(reject, ROW_MS_MAX, error).unref();
  });
  return Promise.race([done, late]);
}

function line({ name, failure, seconds }) {
  return `${failure ? "FAILED" : "ok    "}  ${seconds.toFixed(1).padStart(5)} s  ${name}`;
}

function indented(text) {
  return text.replace(/^/gm, "          ");
}
