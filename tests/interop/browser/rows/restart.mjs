// A server that ends under two people who talk, by SIGTERM and by SIGKILL, and a new process at its
// address: over each transport the conversation is over and is seen to be, a new one begins, and what
// was half-written for one is not sent in the other.

import assert from "node:assert/strict";

import { isAccessible } from "../axe.mjs";
import { Person, texts } from "../person.mjs";
import { row, until } from "../stage.mjs";

/// What a browser says of a server that is not there, that is about to end, and that has forgotten a session.
export const GONE = [
  /Failed to load resource: net::ERR_/,
  /WebSocket connection to .* failed/,
  /status of (401|503)/,
  /status of 400 .*transport=polling&sid=/,
];

/// How a server ends, and what people are told then. A shutdown waits until everybody has been told.
const ENDS = {
  SIGTERM: {
    options: ["--drain-ms-max", "10000", "--retry-after-ms", "200"],
    told: { en: "The server is shutting down, which ends this session.", ko: "서버가 종료되어 세션이 끝났습니다." },
    meanwhile: "Not in a conversation",
  },
  SIGKILL: {
    options: [],
    told: {
      en: "The server does not know this session any more: the server was restarted, the session expired, or another server has answered.",
      ko: "서버가 더 이상 이 세션을 알지 못합니다. 서버가 다시 시작되었거나, 세션이 만료되었거나, 다른 서버가 응답했습니다.",
    },
    meanwhile: "Connection interrupted",
  },
};
const HELD = {
  en: "You wrote this in the conversation before. Is it meant for the new one?",
  ko: "이전 대화에서 쓴 글입니다. 새 대화에서 보낼까요?",
};
const TRANSPORTS = ["Short polling", "Long polling", "SSE", "WebSocket", "Socket.IO", "Socket.IO polling"];

export const restart = TRANSPORTS.flatMap((name) => Object.keys(ENDS).map((signal) =>
  row(`chat over ${name}: ${signal} and a new server end the conversation, and hold what was half-written`,
    (stage) => restarted(stage, name, signal))));

async function restarted(stage, name, signal) {
  const { options, told, meanwhile } = ENDS[signal];
  stage.server = await stage.serve(options);
  const [ann, bob] = await Person.couple(stage, [{ allowed: GONE }, { allowed: GONE }]);
  for (const person of [ann, bob]) await use(person, name);
  const said = { ann: texts("from Ann", 2), bob: texts("from Bob", 2) };
  await Promise.all([ann.say(...said.ann), bob.say(...said.bob)]);
  await ann.has({ mine: said.ann, theirs: said.bob });
  await bob.has({ mine: said.bob, theirs: said.ann });
  await ann.page.getByText("2 people here").waitFor();
  await ann.field.fill("half a sentence for");
  await bob.field.fill("half an answer to");

  await stage.server.stop(signal);
  // Whatever the page shows while there is no server, it knows.
  await ann.page.locator("#partner").getByText(meanwhile).waitFor();
  assert.equal(await ann.page.getByText("people here").count(), 0);
  if (signal === "SIGTERM") assert.ok(await ann.button("Send").isDisabled());
  stage.server = await stage.serveAgain(stage.server);
  await Promise.all([ann.meets(), bob.meets()]);

  for (const person of [ann, bob]) await isOver(person, told.en, said.ann.length + said.bob.length);
  await ann.inKorean(async () => {
    await ann.page.getByRole("log").getByText(told.ko).waitFor();
    await ann.page.getByRole("group", { name: "끝난 대화" }).waitFor();
    await ann.page.getByText(HELD.ko).waitFor();
  });

  // What was half-written waits, and Enter sends none of it.
  assert.equal(await ann.field.inputValue(), "half a sentence for");
  await ann.page.getByText(HELD.en).waitFor();
  assert.ok(await ann.button("Send").isDisabled());
  await ann.field.press("End");
  await ann.page.keyboard.type(" somebody");
  await ann.field.press("Enter");
  await ann.page.getByText("Not sent: say first whether it is meant for the new conversation.").waitFor();
  await isAccessible(ann.page, "held back");
  await stage.picture(ann.page, `chat-held-${signal}`);
  await bob.button("Discard it").click();
  assert.equal(await bob.field.inputValue(), "");
  said.bob.push("I am new here");
  await bob.say("I am new here");
  await ann.has({ mine: said.ann, theirs: said.bob });
  await ann.button("Use it here").click();
  assert.equal(await ann.page.getByText(HELD.en).count(), 0);
  await ann.field.press("Enter");
  said.ann.push("half a sentence for somebody");
  await bob.has({ mine: said.bob, theirs: said.ann });
  await ann.has({ mine: said.ann, theirs: said.bob });
  const inTheNewOne = await ann.going.locator(".bubble .text").allTextContents();
  assert.deepEqual(inTheNewOne, ["I am new here", "half a sentence for somebody"]);
  await stage.picture(ann.page, `chat-restarted-${signal}`);
}

async function use(person, name) {
  if (name !== "WebSocket") {
    await person.choose(name);
    await person.isTold(`Transport changed: ${name}`);
  }
  await person.connected();
}

/// One conversation is over, which is said, is seen, and is told to who does not see; another has begun.
async function isOver(person, reason, messages) {
  // Who polls seldom hears of it later than the partner.
  await person.over.first().waitFor();
  await person.going.first().waitFor();
  assert.equal(await person.over.count(), 1);
  assert.equal(await person.going.count(), 1);
  await person.over.getByText("This conversation is over").waitFor();
  await person.over.getByText(reason).waitFor();
  assert.equal(await person.over.locator(".bubble").count(), messages);
  assert.equal(await person.going.locator(".bubble").count(), 0);
  await person.going.getByText("A new conversation begins. Say hello.").waitFor();
  await until(person.page, "what is over has other colours than what goes on", () => {
    const colour = (one, what) => getComputedStyle(one)[what];
    const [over, going] = document.querySelectorAll("#log .talk");
    const bubble = over.querySelector(".me .bubble");
    return colour(over, "color") !== colour(going, "color") && colour(bubble, "backgroundColor") === "rgba(0, 0, 0, 0)";
  });
}
