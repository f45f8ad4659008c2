// Clients that begin by polling, behind a proxy that breaks their WebSocket: they go on polling as if they had
// never tried. One connection, none lost, every message answered.

import { setTimeout as sleep } from "node:timers/promises";

import { Breaker, MANNERS } from "./breaker.mjs";
import { KINDS } from "./kinds/index.mjs";
import { Person } from "./person.mjs";
import { PATIENT } from "./server.mjs";

/// What is said each way, and the pause between two of it: together longer than an attempt may take.
const MESSAGES = 10;
const PAUSE_MS = 500;
const LIMITS = { ...PATIENT, "upgrade-ms-max": 2_000 };

const upgrading = KINDS.filter(({ upgrades }) => upgrades);
const partner = KINDS.find(({ family }) => family === "websocket");

export const UPGRADES = upgrading.flatMap((kind) =>
  MANNERS.map((manner) => ({
    who: kind.name,
    what: `behind a proxy that breaks WebSockets: ${manner}`,
    run: (start, done) => start(LIMITS, (server) => poll(server, kind, manner)).then(() => done("poll")),
  })),
);

async function poll(server, kind, manner) {
  const breaker = await Breaker.to(server.address, manner);
  const ann = await Person.arrive("ann", kind, breaker);
  const bob = await Person.arrive("bob", partner, server);
  try {
    await Promise.all([ann.meets(), bob.meets()]);
    for (let nth = 0; nth < MESSAGES; nth += 1) {
      await Promise.all([ann.says(`ann ${nth}`), bob.says(`bob ${nth}`)]);
      await Promise.all([ann.hears(`bob ${nth}`), bob.hears(`ann ${nth}`)]);
      await sleep(PAUSE_MS);
    }
    await ann.isEchoed();
    await ann.goesBy("polling");
    ann.hasConnected(1);
    if (breaker.broken === 0) throw new Error(`${ann} has not tried a WebSocket`);
    await ann.leaves();
    await ann.isOver();
    await bob.isLeft("left");
    await bob.leaves();
    await bob.isOver();
  } finally {
    ann.end();
    bob.end();
    breaker.close();
  }
}
