# SPDX-License-Identifier: Apache-2.0
"""A peer that says whatever a test tells it to: the protocol by hand, to be wrong on purpose. Keys are those of
docs/protocol.md."""
import random
import time

import msgpack
import zmq

HELLO, WHO, WELCOME, REFUSED, READY, HEARTBEAT, BYE = range(1, 8)
OPEN, CHUNK, COMMIT, ACK = 10, 11, 12, 13
RUN, RESULTS, RESULTS_ACK, PROGRESS = 20, 21, 22, 26
CALL, REPLY = 30, 31
ASK = 40
STOP = 61
CLIENT, WORKER, SUPERVISOR = 1, 2, 3
EVERSION, ENAMETAKEN, EMALFORMED = -5001, -5008, -5000


class Peer:
    """A DEALER on an endpoint, or (listen=True) a ROUTER with one peer."""

    def __init__(self, endpoint, listen=False):
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.ROUTER if listen else zmq.DEALER)
        self.socket.linger = 0
        self.is_router, self.other = listen, None
        (self.socket.bind if listen else self.socket.connect)(endpoint)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        self.context.term()

    def say_frames(self, *frames):
        self.socket.send_multipart([self.other, *frames] if self.is_router else list(frames))

    def say(self, kind, fields=None, payload=()):
        self.say_frames(msgpack.packb({0: kind, **(fields or {})}), *payload)

    def hear(self, kind=None, timeout=10):
        """The next message (of this kind) as (kind, fields, payload frames)."""
        deadline = time.monotonic() + timeout
        while True:
            left = deadline - time.monotonic()
            assert left > 0 and self.socket.poll(left * 1000), f"heard no message {kind} within {timeout} s"
            frames = self.socket.recv_multipart()
            if self.is_router:
                self.other, frames = frames[0], frames[1:]
            fields = msgpack.unpackb(frames[0], strict_map_key=False)
            if kind in (None, fields[0]):
                return fields[0], fields, frames[1:]

    def hello(self, role=CLIENT, name="scripted", **changes):
        fields = {1: role, 2: name, 3: random.getrandbits(63) | 1, 4: 1, 5: 1, 6: "0", 7: "elsewhere", 8: 1}
        if role == WORKER:
            fields |= {10: 256, 11: 1, 12: 100, 13: 1 << 20, 14: [{1: "scripted", 3: 0}]}
        fields |= {int(key.lstrip("k")): value for key, value in changes.items()}
        self.say(HELLO, fields)
        return self.hear()
