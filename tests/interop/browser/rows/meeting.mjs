// Meeting, talking, coming back, going away.

import assert from "node:assert/strict";

import { Person, texts } from "../person.mjs";
import { row } from "../stage.mjs";

export const meeting = [
  row("chat: two pages meet and talk in both directions, in order", async (stage) => {
    const [ann, bob] = await Person.couple(stage);
    const [hers, his] = [texts("from Ann", 15), texts("from Bob", 15)];
    await Promise.all([ann.say(...hers), bob.say(...his)]);
    await ann.has({ mine: hers, theirs: his });
    await bob.has({ mine: his, theirs: hers });
    await ann.page.getByText("2 people here").waitFor();
    await stage.picture(ann.page, "chat-desktop");
  }),

  row("chat: who reloads in the middle goes on, nothing is lost and nothing shown twice", async (stage) => {
    const [ann, bob] = await Person.couple(stage);
    const [before, during, after] = ["before", "during", "after"].map((name) => texts(name, 8));
    const his = ["I reload now", "I am back"];
    await bob.say(his[0]);
    await ann.say(...before);
    await bob.has({ mine: his.slice(0, 1), theirs: before });
    await Promise.all([bob.page.reload(), ann.say(...during)]);
    await bob.meets();
    await bob.connected();
    await bob.say(his[1]);
    await ann.say(...after);
    const hers = [...before, ...during, ...after];
    await bob.has({ mine: his, theirs: hers });
    await ann.has({ mine: hers, theirs: his });
    const words = await bob.messages("word");
    assert.equal(words.filter((word) => word === "Somebody is here. Say hello.").length, 1);
  }),

  row("chat: who looks at another page meanwhile finds everything on coming back", async (stage) => {
    const [ann, bob] = await Person.couple(stage);
    await bob.page.getByRole("link", { name: "racetrack" }).click();
    await bob.page.getByText("2 people here").first().waitFor();
    const missed = texts("while you were away", 5);
    await ann.say(...missed);
    await ann.has({ mine: missed });
    await bob.page.goBack();
    await bob.has({ theirs: missed });
    await bob.say("here again");
    await ann.has({ mine: missed, theirs: ["here again"] });
  }),

  row("chat: who closes the page is missed; the other is told, and meets a third", async (stage) => {
    const [ann, bob] = await Person.couple(stage);
    await bob.say("I close the page");
    await ann.has({ theirs: ["I close the page"] });
    await bob.page.close();
    await ann.isTold("The stranger's connection was lost.");
    await ann.waits();
    const cyd = await Person.arrive(stage);
    await cyd.start();
    await Promise.all([ann.meets(), cyd.meets()]);
    await ann.say("hello Cyd");
    await cyd.say("hello Ann");
    await cyd.has({ mine: ["hello Ann"], theirs: ["hello Cyd"] });
    await ann.has({ mine: ["hello Cyd"], theirs: ["I close the page", "hello Ann"] });
  }),

  row("chat: who leaves is missed at once, and can start again; who is left for another meets them first", async (stage) => {
    const [ann, bob] = await Person.couple(stage);
    await bob.button("Leave").click();
    await ann.isTold("The stranger has left.");
    await bob.isTold("You have left.");
    await bob.start();
    await Promise.all([ann.meets(), bob.meets()]);
    await bob.say("it is me again");
    await ann.has({ theirs: ["it is me again"] });
    const cyd = await Person.arrive(stage);
    await cyd.start();
    await cyd.waits();
    await ann.button("Next person").click();
    await ann.isTold("You skipped to the next person.");
    await bob.isTold("The stranger skipped to the next person.");
    // Who was left is the first to meet somebody.
    await Promise.all([bob.meets(), cyd.meets()]);
    await ann.waits();
    await bob.say("not for Ann");
    await cyd.has({ theirs: ["not for Ann"] });
    await ann.has({ theirs: ["it is me again"] });
  }),

  row("chat: two tabs of one browser are two people, and a third finds what was typed too early", async (stage) => {
    const ann = await Person.arrive(stage);
    await ann.start();
    await ann.waits();
    await ann.say("is anybody there?");
    await ann.page.getByText("Nobody is there yet; your message stays here.").waitFor();
    const other = await ann.page.context().newPage();
    const bob = new Person(other, ann.url);
    await bob.visit();
    await bob.start();
    await Promise.all([ann.meets(), bob.meets()]);
    await ann.field.press("Enter");
    await bob.has({ theirs: ["is anybody there?"] });
  }),
];
