// Every client with partners on every kind of transport, and curl at every route:
//
//   node main.mjs COMMAND...    COMMAND starts the server: `racetrack serve`, or `racetrack-server`
//
// Prints a table, and ends with 1 where anything failed. With INTEROP_ROWS=TEXT only the rows that
// have that text in them are tried.

import { CURL, KINDS, partnersOf } from "./kinds/index.mjs";
import { ROUTES } from "./routes.mjs";
import { Server } from "./server.mjs";
import { tell } from "./story.mjs";
import { print } from "./table.mjs";
import { UPGRADES } from "./upgrades.mjs";

/// The whole run, in milliseconds.
const RUN_MS_MAX = 600_000;
/// Rows at a time: most of a row is waiting.
const AT_ONCE = 6;

const command = process.argv.slice(2);
if (command.length === 0) {
  console.error("usage: node main.mjs COMMAND..., as target/release/racetrack serve");
  process.exit(2);
}

/// One line of the table.
class Row {
  done = [];
  failure = "it did not come to its end in time";

  constructor(who, what, run) {
    [this.who, this.what, this.run] = [who, what, run];
  }

  async fill() {
    this.firstFailure = this.isTried ? this.failure : undefined;
    [this.isTried, this.done] = [true, []];
    try {
      await this.run(withServer, (what) => this.done.push(what));
      this.failure = undefined;
    } catch (error) {
      this.failure = error.message;
    }
  }
}

/// A new server, which has forgotten everybody afterwards.
async function withServer(limits, use) {
  const server = await Server.start(command, limits);
  try {
    await use(server);
    await server.isEmpty();
    await server.stop();
  } finally {
    server.kill();
  }
}

const chats = KINDS.flatMap((mine) =>
  partnersOf(mine).map((theirs) => {
    const run = (start, done) => tell(start, mine, theirs, done);
    return new Row(mine.name, `with ${theirs.name}`, run);
  }),
);
const requests = ROUTES.map(({ route, ask }) => {
  const run = (start, done) => ask(start).then(() => done("ask"));
  return new Row(CURL, route, run);
});
const upgrades = UPGRADES.map(({ who, what, run }) => new Row(who, what, run));
const wanted = process.env.INTEROP_ROWS ?? "";
const rows = [...chats, ...upgrades, ...requests].filter(({ who, what }) => `${who}, ${what}`.includes(wanted));
if (rows.length === 0) {
  console.error(`no row has ${JSON.stringify(wanted)} in it`);
  process.exit(2);
}

setTimeout(end, RUN_MS_MAX).unref();
const waiting = [...rows];
const fillNext = async () => {
  for (let row = waiting.shift(); row; row = waiting.shift()) await row.fill();
};
await Promise.all(Array.from({ length: AT_ONCE }, fillNext));
// A machine that is too busy lets a client miss its time. Whoever failed is tried once more, alone, and
// the table says so.
for (const row of rows.filter(({ failure }) => failure)) await row.fill();
end();

/// Whatever still runs ends with this process, or soon after.
function end() {
  print(rows);
  process.exit(rows.some(({ failure }) => failure) ? 1 : 0);
}
