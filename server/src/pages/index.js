// The front page: how many people are here, every few seconds while somebody looks.

import { ask, pause } from "/pages/http.js";
import { onLanguage, people, word } from "/pages/page.js";

const EVERY_MS = 10_000;

const strip = document.getElementById("live");
/// How many, or the word for why that is not known.
let online = "index_online_unknown";
let looking = new AbortController();

onLanguage(show);
document.addEventListener("visibilitychange", () => looking.abort());

for (;;) {
  if (!document.hidden) await count();
  looking = new AbortController();
  await pause(EVERY_MS, looking.signal);
}

async function count() {
  try {
    const response = await ask("GET", "/pages/online");
    ({ online } = await response.json());
  } catch {
    online = "index_online_away";
  }
  show();
}

function show() {
  strip.textContent = typeof online === "string" ? word(online) : people(online);
}
