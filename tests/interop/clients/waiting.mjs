// Nobody waits for ever, and nobody waits for a time: only for something to happen.

/// Longer than anything takes that is waited for, in milliseconds.
const PATIENCE_MS = 60_000;

/// What comes of it, unless that takes too long; `what()` says then what has not happened.
export async function within(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    const tell = () => reject(new Error(`after ${PATIENCE_MS / 1_000} s still not: ${what()}`));
    timer = setTimeout(tell, PATIENCE_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
