"""Streams that make a careless relay and a server disagree about where a command begins.

The servers really do execute the octets of some non-synchronising literals as commands, each server
others of them. Whatever is sent here, no byte of an argument may act as a command, the session must
stay in step or end, and the next session of the user must find a fresh connection.
"""

import pytest

from lib.fake import Fake, friendly, sign_in
from lib.imap import mask
from lib.process import wait_for

SMUGGLED = b"smug CREATE smuggled\r\n"
N = len(SMUGGLED)

# What stands before and after the smuggled octets; %d is their number.
STREAMS = {
    "noop": b"x NOOP {%d+}\r\n",
    "capability": b"x CAPABILITY {%d+}\r\n",
    "unselect": b"x UNSELECT {%d+}\r\n",
    "close": b"x CLOSE {%d+}\r\n",
    "namespace": b"x NAMESPACE {%d+}\r\n",
    "unknown": b"x XUNKNOWN {%d+}\r\n",
    "enable": b"x ENABLE {%d+}\r\n",
    "id": b"x ID {%d+}\r\n",
    "fetch": b"x FETCH 1 {%d+}\r\n",
    "uid-fetch": b"x UID FETCH 1 {%d+}\r\n",
    "store": b"x STORE 1 {%d+}\r\n",
    "compress": b"x COMPRESS {%d+}\r\n",
    "idle": b"x IDLE {%d+}\r\n",
    "logout": b"x LOGOUT {%d+}\r\n",
    "list": b'x LIST "" x {%d+}\r\n',
    "login": b"x LOGIN {%d+}\r\n",
    "authenticate": b"x AUTHENTICATE PLAIN {%d+}\r\n",
    "starttls": b"x STARTTLS {%d+}\r\n",
    "tag-only": b"x {%d+}\r\n",
    "no-tag": b"{%d+}\r\n",
    "atom": b"x CREATE x{%d+}\r\n",
    "open-quote": b'x CREATE "x{%d+}\r\n',
    "open-quote-space": b'x CREATE "x {%d+}\r\n',
    "after-quote": b'x CREATE "x"{%d+}\r\n',
    "list-atom": b'x LIST "" x{%d+}\r\n',
    "two-plus": b"x CREATE {%d++}\r\n",
    "minus": b"x CREATE {%d-}\r\n",
    "space-in": b"x CREATE {%d }\r\n",
    "space-before": b"x CREATE { %d+}\r\n",
    "plus-before": b"x CREATE {+%d}\r\n",
    "space-after": b"x CREATE {%d+} \r\n",
    "tab-after": b"x CREATE {%d+}\t\r\n",
    "zero-before": b"x NOOP {0%d+}\r\n",
    "zeros-before": b"x NOOP {00000000000000000000%d+}\r\n",
    "literal8": b"x CREATE ~{%d+}\r\n",
    "literal8-noop": b"x NOOP ~{%d+}\r\n",
    "text-after": b"x NOOP {%d+}x\r\n",
    "bare-lf": b"x NOOP {%d+}\n",
    "cr-cr-lf": b"x NOOP {%d+}\r\r\n",
    "nul": b"x NOOP\0 {%d+}\r\n",
    "cr-inside": b"x NOOP \r{%d+}\r\n",
    "tag-star": b"* NOOP {%d+}\r\n",
    "tag-plus": b"+ NOOP {%d+}\r\n",
    "in-parentheses": b"x FETCH 1 ({%d+}\r\n",
    "in-brackets": b"x FETCH 1 BODY[{%d+}\r\n",
    "long-line": b"x NOOP " + b"y" * 70000 + b" {%d+}\r\n",
}


def fresh(client):
    """What a new session shows of itself: the same bytes whoever used the connection before."""
    commands = ("CAPABILITY", "NOOP", "FETCH 1 FLAGS", "SELECT INBOX", "STORE 1 +FLAGS (\\Seen)",
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


def synchronous(client):
    """True when a command sent now is answered once and in order; False when the session ended."""
    try:
        client.send(b"z1 NOOP\r\nz2 NOOP\r\n")
        seen = b""
        while b"\nz2 " not in seen:
            seen += b"\n" + client.line()
    except (AssertionError, OSError):
        return False
    assert seen.count(b"\nz1 ") == 1 and seen.count(b"\nz2 ") == 1, seen
    return True


@pytest.mark.threads
@pytest.mark.parametrize("name", STREAMS)
def test_octets_of_a_literal_are_never_commands(mux_of, server, expected, name):
    stream = STREAMS[name] % N + SMUGGLED
    with mux_of(server).client("u15", server.users["u15"]) as client:
        client.cmd("SELECT INBOX").ok()
        client.send(stream + b"\r\n")
        client.send(b"DONE\r\n" if name == "idle" else b"")
        synchronous(client)
        everything = b"".join(data for way, data in client.log if way == "<")
        assert b"smug OK" not in everything, everything
    with server.client("u15") as direct:
        box = "INBOX.smuggled" if server.kind == "courier" else "smuggled"
        direct.cmd(f"SELECT {box}").no()
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
        try:
            line = client.response()
            assert not line.startswith(b"+"), line
        except AssertionError:
            return  # the connection ended: allowed
        synchronous(client)


def test_the_server_is_sent_synchronising_literals_only(make_proxy):
    with Fake(friendly) as server:
        proxy = make_proxy({"fake": server.where()})
        with proxy.client("u1", "secret") as client:
            for stream in STREAMS.values():
                try:
                    client.send(stream % N + SMUGGLED + b"\r\n")
                    client.pending(0.05)
                except OSError:
                    client = proxy.client("u1", "secret")
        received = server.received()
        assert b"+}\r\n" not in received and b"+}\n" not in received, received
        assert b"\nsmug" not in b"\n" + received, received


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
