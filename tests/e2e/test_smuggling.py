"""Streams that make a careless relay and a server disagree about where a command begins.

The servers really do execute the octets of some non-synchronising literals as commands, each server
others of them. Two kinds of streams: where a literal is a literal, not a byte of it may act as a
command; where it only looks like one, the line is refused, and what follows is a command like any
other. In both the session stays in step or ends, and the next one finds a fresh connection.
"""

import pytest

from lib.fake import Fake, friendly, sign_in
from lib.nasty import LITERALS, NO_LITERALS
from lib.process import wait_for

SMUGGLED = b"smug CREATE smuggled\r\n"
N = len(SMUGGLED)


def smuggled(bench):
    """A command that would leave its mark."""
    return f"smug CREATE {bench.names.smuggled}\r\n".encode()


def is_made(bench):
    """Whether the smuggled command was executed; undoes it."""
    box = bench.names.smuggled
    made = bench.other.cmd(f"STATUS {box} (MESSAGES)").status == "OK"
    if made:
        bench.erase(box)
    return made


def play(bench, header):
    """A session with this header, the octets and two more commands; what it was told."""
    octets = smuggled(bench)
    end = b"\r\nDONE\r\n" if header.startswith(b"x IDLE") else b"\r\n"
    bench.play(["SELECT INBOX", header % len(octets) + octets + end])
    return bench.seen


@pytest.mark.threads
@pytest.mark.parametrize("name", LITERALS)
def test_octets_of_a_literal_are_never_commands(bench, name):
    seen = play(bench, LITERALS[name])
    assert b"smug " not in seen, seen
    assert not is_made(bench)
    bench.assert_next_is_fresh()


@pytest.mark.threads
@pytest.mark.parametrize("name", NO_LITERALS)
def test_what_only_looks_like_a_literal_leaves_the_session_in_step(bench, name):
    """Executed as the client's own command or not at all; but seen and accounted for."""
    seen = play(bench, NO_LITERALS[name])
    assert seen.count(b"\nsmug ") <= 1, seen
    assert is_made(bench) == (b"\nsmug OK" in seen), seen
    bench.assert_next_is_fresh()


SIZES = [str(size) for size in (2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 10**22)]


@pytest.mark.parametrize("size", [*SIZES, "-1", "+", "", "1 1", "0x10"])
def test_impossible_literal_sizes(bench, size):
    """Refused, and the next line is a command; or asked for (Dovecot: any 63 bits), and none is."""
    def step(client, _):
        client.send(f"x APPEND INBOX {{{size}}}\r\n")
        told.append(client.response())
        client.send(smuggled(bench))
        if not told[0].startswith(b"+"):
            client.until("smug")

    told = []
    bench.play([step], leave="kill")
    assert told[0].startswith((b"+", b"x NO", b"x BAD", b"* BYE")), told
    assert not (is_made(bench) and told[0].startswith(b"+"))
    bench.assert_next_is_fresh()


@pytest.mark.parametrize("size", SIZES)
def test_impossible_sizes_of_literals_that_are_not_asked_for(bench, size):
    """Their octets are sent anyway, so the session goes on behind them, or it ends."""
    def step(client, _):
        client.send(f"x APPEND INBOX {{{size}+}}\r\n".encode() + smuggled(bench))
        client.shut()
        client.rest()

    bench.play([step])
    assert not is_made(bench) or int(size) >= 2**64  # which is no number of octets
    bench.assert_next_is_fresh()


def test_the_server_is_sent_synchronising_literals_only(make_proxy):
    with Fake(friendly) as server:
        proxy = make_proxy({"fake": server.where()})
        with proxy.client("u1", "secret") as client:
            for stream in LITERALS.values():
                try:
                    client.send(stream % N + SMUGGLED + b"\r\n")
                    client.pending(0.05)
                except OSError:
                    client = proxy.client("u1", "secret")
        received = server.received()
        assert b"+}\r\n" not in received and b"smug" not in received, received


@pytest.mark.parametrize("tag", [b"", b"*", b"+", b"a(b", b"a)b", b"a{b", b"a%b", b"a*b", b'a"b',
                                 b"a\\b", b"a\x01b", b"a\x7fb", b"a\xc3\xa9", b"t" * 101])
def test_odd_tags_are_refused_and_harm_nothing(bench, tag):
    with bench.client() as client:
        client.send(tag + b" NOOP\r\n")
        assert b"BAD" in client.response()
        client.cmd("NOOP").ok()
        client.logout()


def test_a_tag_in_flight_is_refused_a_second_time(bench):
    with bench.client() as client:
        client.cmd("SELECT INBOX").ok()
        tag = client.idle()
        client.send(f"DONE\r\n{tag} NOOP\r\nafter NOOP\r\n")
        lines = []
        while not lines or not lines[-1].startswith(b"after "):
            lines.append(client.response())
        client.logout()


def test_a_refused_literal_is_drained_not_executed(make_proxy):
    """The server says NO instead of "+": the client's octets are on their way already."""
    def script(peer):
        sign_in(peer)
        while True:
            line = peer.line()
            tag = line.split(b" ", 1)[0]
            peer.send(tag + (b" NO refused\r\n" if b"{" in line else b" OK done\r\n"))

    with Fake(script) as server:
        proxy = make_proxy({"fake": server.where()})
        with proxy.client("u1", "secret") as client:
            for size in (0, 1, 5, 4096, 70000):
                data = b"smug NOOP\r\n" * (size // 11 + 1)
                data = data[:size]
                client.send(b"x APPEND INBOX {%d+}\r\n" % size + data + b"\r\ny NOOP\r\n")
                client.until("x").no()
                client.until("y").ok()
        wait_for(lambda: server.received().count(b"y NOOP") == 5, "all commands arrived")
        assert b"smug" not in server.received()
