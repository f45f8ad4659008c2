// What a tab keeps of its conversation, so that a reload goes on where it was.
//
// sessionStorage is one tab's own, but a tab that is duplicated gets a copy of it. Two tabs are
// two people, so before a copy is used all other tabs are asked whether they hold that session.

const KEY = "racetrack.conversation";
const CHANNEL = "racetrack.sessions";
/// A tab that holds the session answers sooner.
const ANSWER_MS_MAX = 120;

export class Keeping {
  #channel = new BroadcastChannel(CHANNEL);
  #held;

  constructor() {
    this.#channel.onmessage = ({ data }) => {
      if (data.asked !== undefined && data.asked === this.#held) {
        this.#channel.postMessage({ held: data.asked });
      }
    };
  }

  keep(conversation) {
    this.#held = conversation.session;
    try {
      sessionStorage.setItem(KEY, JSON.stringify(conversation));
    } catch {
      // No room, or not allowed: the conversation goes on, and does not survive a reload.
    }
  }

  forget() {
    this.#held = undefined;
    sessionStorage.removeItem(KEY);
  }

  /// The conversation of this tab, if there is one and no other tab has it.
  async find() {
    const kept = read();
    if (!kept) return undefined;
    if (await this.#isHeldElsewhere(kept.session)) {
      sessionStorage.removeItem(KEY);
      return undefined;
    }
    this.#held = kept.session;
    return kept;
  }

  #isHeldElsewhere(session) {
    const ears = new BroadcastChannel(CHANNEL);
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), ANSWER_MS_MAX);
      ears.onmessage = ({ data }) => {
        if (data.held !== session) return;
        clearTimeout(timer);
        resolve(true);
      };
      this.#channel.postMessage({ asked: session });
    }).finally(() => ears.close());
  }
}

function read() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY));
  } catch {
    return undefined;
  }
}
