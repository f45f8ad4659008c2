// The front page: how many people are here, every few seconds while somebody looks.

import { ask, pause } from "/pages/http.js";
import { onLanguage, people, word } from "/pages/page.js";

const EVERY_MS = 10_000;

const strip = document.getElementById("live");
let online;

onLanguage(() => {
  strip.textContent = online === undefined ? word("index_online_unknown") : people(online);
});

for (;;) {
  if (!document.hidden) await count();
  await pause(EVERY_MS);
}

async function count() {
  try {
    const response = await ask("GET", "/pages/online");
    ({ online } = await response.json());
    strip.textContent = people(online);
  } catch {
    // The server is away for a moment; the last count stands.
  }
}
