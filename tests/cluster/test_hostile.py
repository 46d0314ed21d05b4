# SPDX-License-Identifier: Apache-2.0
"""Whatever comes in from outside is refused or dropped, and counted; nobody else notices."""
import contextlib
import os
import random
import socket
import struct

import msgpack
import pytest

import peer
from cluster import Cluster, free_tcp_endpoint, wait_for
from peer import Peer


@pytest.fixture(scope="module")
def c():
    """One cluster on a port; what one test does to it must not be seen in the next."""
    with contextlib.closing(Cluster(workers=1, endpoint=free_tcp_endpoint())) as cluster:
        yield cluster


def counter(c, name):
    return c.ok("status", "--json").json[name]


def still_serves(c):
    assert c.ok("call", "echo", "--args", '{"a": [1]}').stdout == '{"a": [1]}\n'


def test_random_bytes_on_the_port(c):
    host, port = c.endpoint.removeprefix("tcp://").rsplit(":", 1)
    noise = random.Random(7)
    zmtp = b"\xff\0\0\0\0\0\0\0\1\x7f\3\0NULL" + bytes(48)  # a good greeting, then noise
    for opening in (b"", b"GET / HTTP/1.1\r\n\r\n", zmtp):
        for length in (1, 64, 70000):
            with socket.create_connection((host, int(port))) as s:
                with contextlib.suppress(ConnectionError):
                    s.sendall(opening + noise.randbytes(length))
    still_serves(c)


@pytest.mark.parametrize("frames", [
    [b""], [b"\xc1"], [b"\x81"], [b"\xdd\xff\xff\xff\xff"], [b"\x91" * 100], [msgpack.packb({0: 99})],
    [msgpack.packb({1: 2})], [msgpack.packb([1])], [msgpack.packb({0: 1, 2: b"no text"})],
    [msgpack.packb({0: 1}), b""], [msgpack.packb({0: 1})] + [b"x"] * 5,
    [msgpack.packb({0: 1, 2: "\x1b[31m"})],
], ids=str)
def test_malformed_messages_are_counted(c, frames):
    before = counter(c, "malformed")
    with Peer(c.endpoint) as p:
        p.say_frames(*frames)
        assert p.hear()[0] == peer.WHO
        assert counter(c, "malformed") == before + 1
        assert p.hello()[0] == peer.WELCOME  # and it may still become a good one
    still_serves(c)


def test_a_known_peer_that_sends_nonsense_loses_its_session(c):
    with Peer(c.endpoint) as p:
        assert p.hello()[0] == peer.WELCOME
        p.say_frames(b"\xc1")
        _, fields, _ = p.hear(peer.REFUSED)
        assert fields[2] == peer.EMALFORMED and 1 not in fields
        p.say(peer.HEARTBEAT)
        assert p.hear()[0] == peer.WHO
    still_serves(c)


def test_message_over_the_size_limit(c):
    with Peer(c.endpoint) as p:
        assert p.hello()[0] == peer.WELCOME
        p.say_frames(msgpack.packb({0: peer.CALL, 1: 1, 2: "echo"}), b"", bytes(17 << 20))
        still_serves(c)


def test_protocol_ranges_that_do_not_meet(c):
    with Peer(c.endpoint) as p:
        kind, fields, _ = p.hello(k4=7, k5=9, k6="99.1")
        assert kind == peer.REFUSED and fields[2] == peer.EVERSION
        assert "99.1" in fields[3] and fields[4] == 1 and fields[6] in fields[3], fields


def test_second_worker_of_one_name(c):
    name = c.workers()[0]["worker"]
    with Peer(c.endpoint) as p:
        kind, fields, _ = p.hello(peer.WORKER, name)
        assert kind == peer.REFUSED and fields[2] == peer.ENAMETAKEN and name in fields[3], fields
    assert [row["worker"] for row in c.workers()] == [name]
    started = c.start("seedcore-worker", "--connect", c.endpoint, "--processes", 1, "--name", "w")
    assert started.result(30).status == 1
    assert "w" in started.peek().stderr and "taken" in started.peek().stderr
    still_serves(c)


def test_result_of_a_run_that_was_never_given(c):
    before = counter(c, "unknown_results")
    with Peer(c.endpoint) as p:
        assert p.hello(peer.WORKER, "stranger")[0] == peer.WELCOME
        p.say(peer.READY)
        record = struct.pack("<IIHHBBH", 0, 1, 1, 0, 0, 0, 0)
        p.say(peer.RESULTS, {1: 1, 2: os.urandom(16), 3: [1, 2], 4: 5}, (record, b"1"))
        p.hear(peer.RESULTS_ACK)
        assert counter(c, "unknown_results") == before + 1
        p.say(peer.RESULTS, {1: 2, 2: os.urandom(16), 3: [1, 2], 4: 5}, (record, b"12"))  # lengths that do not add up
        assert p.hear(peer.REFUSED)[1][2] == peer.EMALFORMED
    wait_for(lambda: len(c.workers()) == 1, what="the stranger is gone")
    still_serves(c)


def test_worker_that_takes_tasks_and_says_nothing(c):
    job = None
    with Peer(c.endpoint) as p:
        assert p.hello(peer.WORKER, "silent", k14=[{1: "sleep", 3: 0}])[0] == peer.WELCOME
        p.say(peer.READY)
        # More than the real worker is given of a handler that nobody has measured yet.
        job = c.ok("submit", "sleep", "--array", "0-999", "--args", '{"ms": 1, "n": "$index"}', "--json").json["job"]
        p.hear(peer.RUN)
    c.ok("wait", job)
    rows = c.ok("results", job).rows
    assert [row["index"] for row in rows] == list(range(1000))
    assert all(row["status"] == "done" and row["attempt"] == 1 for row in rows)


def test_client_against_a_coordinator_of_another_version(sandbox):
    endpoint = f"ipc://{sandbox.folder}/other"
    with Peer(endpoint, listen=True) as p:
        status = sandbox.start("status", "--endpoint", endpoint)
        p.hear(peer.HELLO)
        p.say(peer.REFUSED, {2: peer.EVERSION, 3: "this coordinator (42.0) speaks protocol 7 to 9", 4: 7, 5: 9, 6: "42.0"})
        result = status.result()
        assert result.status == 1 and "42.0" in result.stderr
        version = sandbox.ok("version", "--json").json["version"]
        assert version in result.stderr, repr(result)
