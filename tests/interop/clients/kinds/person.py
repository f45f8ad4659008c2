"""One person with python-socketio's asyncio client, who does as told on standard input.

    person.py ADDRESS TRANSPORT[,TRANSPORT]

    [NUMBER, WHAT, BODY]        a line in: say, next, leave, ack; disconnect; transport
    ["answer", NUMBER, ANSWER]  a line out: what the server or the client says to that
    ["in"]                      the connection has a session
    ["event", EVENT]            an event of the mailbox
    ["failed", WHY]             the connection was refused

It ends with its input.
"""

import asyncio
import json
import sys
from contextlib import suppress

import aiohttp
import engineio.payload
import socketio
from socketio.exceptions import BadNamespaceError as NotConnected

# The client takes an answer to a poll with more packets for an attack, by default with more than
# 16, and would ask for the same ones for ever.
engineio.payload.Payload.max_decode_packets = 256

NAMESPACE = "/chat"
# The client gives up a connection whose namespace does not answer within a second, by default.
WAIT_S = 20


class Person:
    def __init__(self):
        # aiohttp repeats a GET whose connection was used before and is cut. A poll that is repeated
        # is another poll, and what the first one was answered would be lost without a word.
        used_once = aiohttp.TCPConnector(force_close=True)
        # Pauses are shorter than by default, because somebody waits.
        self.client = socketio.AsyncClient(
            http_session=aiohttp.ClientSession(connector=used_once),
            reconnection_delay=0.1,
            reconnection_delay_max=0.5,
            randomization_factor=0,
        )
        self.token = None
        self.after = 0
        self.unanswered = {}
        self.client.on("session", self.session, namespace=NAMESPACE)
        self.client.on("msg", self.hear, namespace=NAMESPACE)
        self.client.on("refused", self.refused, namespace=NAMESPACE)
        self.client.on("connect_error", self.not_let_in, namespace=NAMESPACE)

    async def run(self, address, transports):
        # Asked for whenever the client connects, so that it comes back to its session.
        auth = lambda: {"token": self.token, "after": self.after}
        await self.client.connect(
            address, auth=auth, transports=transports, namespaces=[NAMESPACE], wait_timeout=WAIT_S
        )
        loop = asyncio.get_running_loop()
        lines = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
        async for line in lines:
            number, what, *body = json.loads(line)
            await self.do(number, what, *body)
        await self.client.shutdown()

    async def do(self, number, what, body=None):
        if what == "say":
            self.unanswered[number] = body
            await self.say(number, body)
            return
        if what == "transport":
            tell("answer", number, self.client.transport())
            return
        if what == "disconnect":
            # The client closes a WebSocket before it has written that it disconnects.
            await self.client.call("leave", namespace=NAMESPACE)
            await self.client.disconnect()
        else:
            await self.emit(what, body)
        tell("answer", number, None)

    async def say(self, number, body):
        """Says it; the next words need not wait for the answer. Where the client has just lost its
        connection, it is said when the next one has a session."""

        def answered(answer):
            if self.unanswered.pop(number, None):
                tell("answer", number, answer)

        with suppress(NotConnected):
            await self.emit("say", body, callback=answered)

    async def emit(self, what, body, callback=None):
        await self.client.emit(what, body, namespace=NAMESPACE, callback=callback)

    async def session(self, opened):
        self.token = opened["token"]
        tell("in")
        # What was said into a connection that was about to be lost is lost with it. Whatever is said
        # again under the same id is said once.
        for number, body in list(self.unanswered.items()):
            await self.say(number, body)

    async def hear(self, words, event):
        self.after = event["seq"]
        tell("event", event)
        if event["type"] != "closing":
            with suppress(NotConnected):
                await self.emit("ack", {"seq": event["seq"]})

    async def refused(self, refusal):
        tell("failed", f"is refused: {refusal['problem']['detail']}")

    async def not_let_in(self, why):
        # What the network does is a text; what the server says is not.
        if not isinstance(why, str):
            tell("failed", f"is not let in: {why}")


async def main(address, transports):
    await Person().run(address, transports.split(","))


def tell(*what):
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
