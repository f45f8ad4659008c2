// What two people do together, and with those who come after; the same for all clients.
//
// ann and dan have the client in question, bob and cyd that of the partner.

import { Person } from "./person.mjs";
import { IMPATIENT, PATIENT } from "./server.mjs";

/// What is said at a time: more than one packet, and less than a person may say in a second.
const BURST = 8;
/// What is hard to carry: other scripts, pairs of surrogates, everything that JSON escapes, and
/// the character that Engine.IO puts between packets.
const HARD = '안녕 😀 "\\" \n\t\u2028 \u001e';

/// Both stories, each at a server of its own; `done` is told of each chapter.
export async function tell(start, mine, theirs, done) {
  await start(PATIENT, (server) => together(server, mine, theirs, done));
  await start(IMPATIENT, (server) => alone(server, mine, theirs));
  done("vanish");
}

/// Where each chapter ends the next one begins.
async function together(server, mine, theirs, done) {
  await withPeople(server, async (arrive) => {
    const ann = await arrive("ann", mine);
    const bob = await arrive("bob", theirs);
    await meet(ann, bob);

    await talk(ann, bob);
    await ann.goesBy(mine.way);
    done("talk");

    await resume(ann, bob);
    await ann.goesBy(mine.way);
    done("resume");

    const cyd = await arrive("cyd", theirs);
    await skip(ann, bob, cyd);
    done("skip");

    await leave(ann, cyd);
    await meet(cyd, bob);
    const dan = await arrive("dan", mine);
    await dan.waits();
    await leave(cyd, bob);
    await meet(bob, dan);
    await part(dan, bob);
    done("leave");
  });
}

/// ann is gone without a word; bob is told when that is certain, and goes on with dan.
async function alone(server, mine, theirs) {
  await withPeople(server, async (arrive) => {
    const ann = await arrive("ann", mine);
    const bob = await arrive("bob", theirs);
    await meet(ann, bob);
    await ann.says("hello bob");
    await bob.hears("hello bob");
    ann.vanishes();
    await bob.isLeft("lost");
    const dan = await arrive("dan", mine);
    await meet(dan, bob);
    await part(dan, bob);
  });
}

async function withPeople(server, story) {
  const people = [];
  const arrive = async (name, kind) => {
    const person = await Person.arrive(name, kind, server);
    people.push(person);
    return person;
  };
  try {
    await story(arrive);
  } finally {
    for (const person of people) person.end();
  }
}

async function meet(one, other) {
  const [pair, same] = await Promise.all([one.meets(), other.meets()]);
  if (pair !== same) throw new Error(`${one} meets somebody else than ${other}`);
}

/// Both talk at once; each hears the other, and the own echo, in order.
async function talk(ann, bob) {
  const [hers, his] = [words("ann"), words("bob")];
  await Promise.all([ann.saysAll(hers), bob.saysAll(his), ann.hearsAll(his), bob.hearsAll(hers)]);
  await ann.isEchoed();
  await bob.isEchoed();
}

/// ann loses every connection in the middle of what bob says, and comes back: the conversation
/// goes on, nothing is lost and nothing is doubled.
async function resume(ann, bob) {
  const [before, meanwhile] = [words("before"), words("meanwhile")];
  const said = bob.saysAll(before);
  await ann.hears(before[0]);
  ann.cut();
  await said;
  await bob.saysAll(meanwhile);
  await ann.mend();
  await ann.hearsAll([...before.slice(1), ...meanwhile]);
  await ann.says("back");
  await bob.hears("back");
}

/// ann skips bob, who meets cyd and skips her; then ann meets cyd.
async function skip(ann, bob, cyd) {
  await cyd.waits();
  await ann.skips();
  await Promise.all([ann.isLeft("skipped"), bob.isLeft("skipped")]);
  await meet(bob, cyd);
  await ann.waits();
  await bob.skips();
  await Promise.all([bob.isLeft("skipped"), cyd.isLeft("skipped")]);
  await meet(ann, cyd);
  await ann.says("hello cyd");
  await cyd.hears("hello cyd");
  await cyd.says("hello ann");
  await ann.hears("hello ann");
  await bob.waits();
}

/// One asks for the end and is told of it, and so is the other.
async function leave(one, other) {
  await one.leaves();
  await one.isOver();
  await other.isLeft("left");
}

/// dan says goodbye and just goes, as people do.
async function part(dan, bob) {
  await bob.says("hello dan");
  await dan.hears("hello dan");
  dan.saysGoodbye("goodbye");
  await bob.hears("goodbye");
  await bob.isLeft("left");
  await bob.leaves();
  await bob.isOver();
}

function words(who) {
  return Array.from({ length: BURST }, (_, nth) => `${who} ${nth} ${HARD}`);
}
