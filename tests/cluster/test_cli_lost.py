# SPDX-License-Identifier: Apache-2.0
"""What a command says while the coordinator is away: "lost" when it goes, "back" when that has been said and it is there again."""
import contextlib
import signal

import pytest

import peer
from cluster import wait_for
from peer import Peer

LOST, BACK = "lost", "back"


def said(process):
    """The words about the coordinator, in their order."""
    lines = process.peek().stderr.splitlines()
    return [LOST if "lost the coordinator" in line else BACK for line in lines if "coordinator" in line]


def welcome(p, epoch, lease_ms):
    p.hear(peer.HELLO)
    p.say(peer.WELCOME, {1: 1, 2: epoch, 6: lease_ms // 4, 7: lease_ms})


@contextlib.contextmanager
def asking(sandbox, *command, lease_ms):
    """A command that has asked a scripted coordinator something, and is interrupted in the end."""
    with Peer(sandbox.endpoint, listen=True) as p:
        process = sandbox.start(*command, "--connect-timeout", "60s")
        welcome(p, 7, lease_ms)
        p.hear(peer.ASK)
        yield p, process
        process.signal(signal.SIGINT)
        assert process.result().status == 130


@pytest.mark.parametrize("command", [["wait", "1f"], ["call", "echo"], ["jobs"]], ids=" ".join)
def test_each_loss_has_its_return(sandbox, command):
    with asking(sandbox, *command, lease_ms=100) as (p, process):
        for n in (1, 2):
            wait_for(lambda: said(process) == [LOST, BACK] * (n - 1) + [LOST], what="it is lost")
            welcome(p, 7, 100)
            p.hear(peer.ASK)
            wait_for(lambda: said(process)[:2 * n] == [LOST, BACK] * n, what="it is back")


def test_a_successor_that_was_not_waited_for(sandbox):
    """It took over within the lease: nothing was lost, so nothing is back."""
    with asking(sandbox, "wait", "1f", lease_ms=60000) as (p, process):
        p.say(peer.WHO, {1: 8})
        welcome(p, 8, 60000)
        p.hear(peer.ASK)
        assert said(process) == []


def test_one_that_asks_who_and_goes(sandbox):
    with asking(sandbox, "wait", "1f", lease_ms=400) as (p, process):
        p.say(peer.WHO, {1: 8})
        wait_for(lambda: said(process) == [LOST], what="it is lost")
        welcome(p, 8, 60000)
        p.hear(peer.ASK)
        assert said(process) == [LOST, BACK]
