// Why a session ended or could not begin, as far as the server's answer tells it. A reason is the
// end of a word's name: `line_ended_..` for a session that is over, `phase_..` for what is waited
// for. It decides nothing else.

const SUPERSEDED = "/problems/superseded";
const TOO_FAST = "/problems/too-fast";

/// Problems after which a session cannot go on.
const ENDS = {
  "/problems/no-session": "unknown",
  "/problems/closed": "closed",
  "/problems/cursor": "cursor",
};

/// Problems that may be gone at the next attempt.
const PASSES = {
  "/problems/full": "full",
  "/problems/draining": "draining",
  "/problems/too-many-connections": "many_connections",
  "/problems/too-many-sessions": "many_sessions",
  [TOO_FAST]: "too_fast",
};

/// Statuses that a server or a proxy answers with for a while: Request Timeout, Too Early.
const PASSING = [408, 425];
const TOO_MANY_REQUESTS = 429;
const SERVER_ERROR = 500;

/// Why the session is over; undefined when it is not.
export function endOf(problem) {
  return ENDS[problem?.type];
}

/// What is waited for before the next attempt; undefined when the next attempt would be refused too.
export function waitsFor(problem) {
  if (!problem) return "unreachable";
  const { type, status } = problem;
  if (type in PASSES) return PASSES[type];
  if (status === TOO_MANY_REQUESTS) return "too_fast";
  return PASSING.includes(status) || status >= SERVER_ERROR ? "unreachable" : undefined;
}

/// True when another connection reads the session now.
export function isSuperseded(problem) {
  return problem?.type === SUPERSEDED;
}

/// True when a command came too soon after others; the session goes on.
export function isTooFast(problem) {
  return problem?.type === TOO_FAST;
}
