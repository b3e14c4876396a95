"""Streams that make a careless relay and a server disagree about where a command begins.

The servers really do execute the octets of some non-synchronising literals as commands, each server
others of them. Two kinds of streams: where a literal is a literal, not a byte of it may act as a
command; where it only looks like one, the line is refused, and what follows is a command like any
other. In both the session stays in step or ends, and the next one finds a fresh connection.
"""

import pytest

from lib.fake import Fake, friendly, sign_in
from lib.imap import Closed, mask
from lib.nasty import LITERALS, NO_LITERALS
from lib.process import wait_for

SMUGGLED = b"smug CREATE smuggled\r\n"
N = len(SMUGGLED)


def fresh(client):
    """What a new session shows of itself: the same bytes whoever used the connection before."""
    # NAMESPACE: a session that has no server connection yet is answered by the proxy.
    commands = ("CAPABILITY", "NAMESPACE", "NOOP", "FETCH 1 FLAGS", "SELECT INBOX", "STORE 1 +FLAGS (\\Seen)",
                "STORE 1 -FLAGS (\\Seen)", "CLOSE", "NOOP")
    return [mask(client.cmd(command).raw) for command in commands]


@pytest.fixture(scope="module")
def expected(server):
    """A fresh session's bytes, and a mailbox for it; CAPABILITY is the proxy's own text."""
    server.fill("u15", 1)
    with server.client("u15") as client:
        fresh(client)  # takes \Recent away
    with server.client("u15") as client:
        lines = fresh(client)
        client.logout()
    return lines[1:]


def after(client):
    """What comes up to the end of two more commands, each answered once and in order; or what came
    until the session ended."""
    seen = b"\r\n"
    try:
        client.send(b"z1 NOOP\r\nz2 NOOP\r\n")
        while b"\nz2 " not in seen:
            seen += client.line()
        assert seen.count(b"\nz1 ") == 1 and seen.index(b"\nz1 ") < seen.index(b"\nz2 "), seen
    except (Closed, OSError):
        pass
    return seen


def play(proxy, server, stream):
    with proxy.client("u15", server.users["u15"]) as client:
        client.cmd("SELECT INBOX").ok()
        client.send(stream + SMUGGLED + b"\r\n")
        if stream.startswith(b"x IDLE"):
            client.send(b"DONE\r\n")
        return after(client)


def is_made(server):
    """Whether the smuggled command was executed; undoes it."""
    box = "INBOX.smuggled" if server.kind == "courier" else "smuggled"
    with server.client("u15") as direct:
        return direct.cmd(f"DELETE {box}").status == "OK"


@pytest.mark.threads
@pytest.mark.parametrize("name", LITERALS)
def test_octets_of_a_literal_are_never_commands(mux_of, server, expected, name):
    seen = play(mux_of(server), server, LITERALS[name] % N)
    assert b"smug " not in seen, seen
    assert not is_made(server)
    with mux_of(server).client("u15", server.users["u15"]) as client:
        assert fresh(client)[1:] == expected
        client.logout()


@pytest.mark.threads
@pytest.mark.parametrize("name", NO_LITERALS)
def test_what_only_looks_like_a_literal_leaves_the_session_in_step(mux_of, server, expected, name):
    seen = play(mux_of(server), server, NO_LITERALS[name] % N)
    # Executed as the client's own command or not at all; but seen and accounted for.
    assert seen.count(b"\nsmug ") <= 1, seen
    assert b"\nsmug OK" in seen or not is_made(server) or server.kind == "courier", seen
    is_made(server)
    with mux_of(server).client("u15", server.users["u15"]) as client:
        assert fresh(client)[1:] == expected
        client.logout()


@pytest.fixture(scope="module")
def mux_of(module_proxies):
    """One proxy for each server: what the streams leave behind is the next test's inheritance."""
    return lambda server: module_proxies(server)


@pytest.mark.parametrize("header", [
    "{4294967295}", "{4294967296}", "{9223372036854775807}", "{9223372036854775808}",
    "{18446744073709551615}", "{18446744073709551616}", "{99999999999999999999999}", "{-1}", "{+}",
    "{}", "{1 1}", "{0x10}"])
@pytest.mark.parametrize("plus", ["", "+"])
def test_impossible_literal_sizes_are_refused(mux_of, server, header, plus):
    header = header[:-1] + plus + "}"
    with mux_of(server).client("u16", server.users["u16"]) as client:
        client.send(f"x APPEND INBOX {header}\r\n")
        # Refused with or without an end; or the server takes it (Dovecot: any 63 bits), then all
        # that comes is literal. Never a command.
        client.send(b"smug NOOP\r\n")
        seen = client.pending(0.3)
        assert seen.count(b"smug ") <= 1, seen
        assert b"smug" not in seen or b"x BAD" in seen or b"x NO" in seen, seen
        client.kill()
    with mux_of(server).client("u16", server.users["u16"]) as client:
        assert client.cmd("NOOP").ok().untagged == []


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
def test_odd_tags_are_refused_and_harm_nothing(mux_of, server, tag):
    with mux_of(server).client("u16", server.users["u16"]) as client:
        client.send(tag + b" NOOP\r\n")
        assert b"BAD" in client.response()
        client.cmd("NOOP").ok()
        client.logout()


def test_a_tag_in_flight_is_refused_a_second_time(mux_of, server):
    with mux_of(server).client("u16", server.users["u16"]) as client:
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
