// A server of files and nothing else: where the pages of another origin come from.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import path from "node:path";

const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8" };

/// Serves these files, each by its name; gives where, and how to end it.
export async function serveFiles(files) {
  const server = createServer(async ({ url }, response) => {
    const name = new URL(url, "http://localhost").pathname.slice(1);
    const file = files[name];
    if (!file) return response.writeHead(404).end();
    response.setHeader("Content-Type", TYPES[path.extname(name)]);
    response.end(await readFile(file));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { url: `http://127.0.0.1:${server.address().port}`, close };
}
