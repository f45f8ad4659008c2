// curl, as a person at a terminal runs it.

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

/// Longer than any answer takes, so that no curl stays behind.
const LIFE_S = "60";
const ALWAYS = ["--silent", "--show-error", "--no-buffer", "--max-time", LIFE_S];
/// Behind the body, so that both come by one way.
const STATUS = "\\n%{http_code} %{content_type}";

/// Runs curl; `line` is given each line of the answer as soon as it is there. `done` is the whole
/// of it, and an error where no answer came.
export function curl(options, line = () => {}) {
  const child = spawn("curl", [...ALWAYS, "--write-out", STATUS, ...options], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  return { done: finish(child, line), kill: () => child.kill("SIGKILL") };
}

async function finish(child, line) {
  let complaint = "";
  child.stderr.on("data", (text) => (complaint += text));
  const ended = new Promise((resolve) => child.on("close", resolve));
  const lines = [];
  for await (const text of createInterface({ input: child.stdout })) {
    lines.push(text);
    line(text);
  }
  const code = await ended;
  if (code !== 0) throw new Error(complaint.trim() || `curl ended with ${code}`);
  const [status, ...contentType] = lines.pop().split(" ");
  return { status: Number(status), contentType: contentType.join(" "), body: lines.join("\n") };
}
