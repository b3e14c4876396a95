"""Bad input in every mechanism: one clear NO or BAD, nothing for the server, nobody else harmed."""

import base64
import threading

import pytest

from lib.fake import Fake, serve, sign_in
from lib.imap import Client
from lib.process import wait_for
from lib.proxy import Proxy
from lib.sasl import SaslDovecot, Scram, b64, jwt, scram, xoauth2
from lib.sasl import sign_in as token_sign_in

MECHANISMS = ["PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER", "SCRAM-SHA-1", "SCRAM-SHA-256"]
GREETING = b"* OK [CAPABILITY IMAP4rev1 SASL-IR ID %s] fake\r\n" % b" ".join(
    b"AUTH=" + name.encode() for name in MECHANISMS)
LISTENERS = {"plain": {"mechanisms": MECHANISMS}}

# Lines that are wrong in whatever mechanism. "=" is nothing at all, and only an initial response.
LINES = {
    "no-base64": b"!!!!",
    "no-padding": b"dTE",
    "only-padding": b"====",
    "padding-inside": b"dT=E",
    "bits-behind": b"dTF=",
    "two-words": b"dTE= dTE=",
    "text-behind": b"dTE=x",
    "nul-byte": b"dT\0E=",
    "eight-bit": b"\xc3\xa4\xc3\xb6",
    "literal": b"{4}",
    "literal-plus": b"{4+}",
    "quoted": b'"dTE="',
    "command": b"z9 NOOP",
    "nul": base64.b64encode(b"\0\0\0\0\0"),
    "utf-8": base64.b64encode(b"\xff\xfe\xff\xfe"),
}
# Messages that are base64, and not what the mechanism wants.
MESSAGES = {
    "PLAIN": [b"", b"u1", b"\0u1", b"\0u1\0", b"\0\0p", b"\0u1\0p\0x", b"\0u\xff\0p", b"\0u1\0\xc0\x80",
              b"\xff\0u1\0p", b"\0u1\0" + b"x" * 6000],
    "LOGIN": [b"u\0", b"u\xff"],
    "XOAUTH2": [b"", b"\1", b"user=u1", b"user=u1\1auth=Bearer t", b"user=u1\1auth=Bearer t\1",
                b"user=u1\1\1", b"user=u1\1auth=Basic t\1\1", b"user=\1auth=Bearer t\1\1",
                b"user=u1\1auth=\1\1", b"user=u1\1user=u2\1auth=Bearer t\1\1",
                b"user=u1\1auth=Bearer t\1auth=Bearer t\1\1", b"user=u\xff\1auth=Bearer t\1\1",
                b"user=u\0\1auth=Bearer t\1\1", b"user=u1\1auth=Bearer t\0\1\1",
                b"user=u1\1auth=Bearer t\1\1x", b"user=u1\1auth=Bearer " + b"t" * 6000 + b"\1\1"],
    "OAUTHBEARER": [b"", b"\1", b"n,,\1auth=Bearer t\1\1", b"n,a=u1,\1\1", b"n,a=u1,\1auth=Bearer t\1",
                    b"n,a=u1\1auth=Bearer t\1\1", b"n,a=u=1,\1auth=Bearer t\1\1",
                    b"p=tls-unique,a=u1,\1auth=Bearer t\1\1", b"n,a=u\0,\1auth=Bearer t\1\1",
                    b"n,a=\xff,\1auth=Bearer t\1\1", b"n,a=u1,\1user=u2\1auth=Bearer t\1\1"],
    "SCRAM": [b"", b"n,,", b"n,,n=u1", b"n,,r=x", b"n,,n=,r=x", b"n,,r=x,n=u1", b"n,,n=u1,r=",
              b"n,,m=x,n=u1,r=x", b"n,,n=u=1,r=x", b"n,,n=u\xff,r=x", b"n,,n=u\0,r=x",
              b"p=tls-exporter,,n=u1,r=x", b"n,,n=u1,r=x,n=u2", b"n=u1,r=x",
              b"n,,n=u1,r=" + b"x" * 6000],
}


def messages(mechanism):
    return MESSAGES["SCRAM" if mechanism.startswith("SCRAM") else mechanism]


def forever(peer):
    """A server that knows the mechanisms and is never asked."""
    sign_in(peer, GREETING)
    serve(peer)


@pytest.fixture(scope="module", name="server")
def counting_server():
    with Fake(forever) as server:
        yield server


@pytest.fixture(scope="module", name="mux")
def one_proxy(server):
    with Proxy({"fake": server}, listeners=LISTENERS) as proxy:
        yield proxy


@pytest.fixture(name="quiet")
def nothing_is_forwarded(mux, server):
    """Around each test: a session of somebody else lives on, and no server hears of a sign-in."""
    with mux.client("bystander", "password") as other:
        other.cmd('LIST "" x').ok()
        heard = server.received().count(b"AUTHENTICATE")
        yield
        assert server.received().count(b"AUTHENTICATE") == heard
        assert b"LOGIN" not in server.received()
        other.cmd('LIST "" x').ok()
        other.logout()


def refused(client, tag):
    """Exactly one line, tagged NO or BAD; then the dialogue goes on."""
    line = client.line()
    assert line.split(b" ")[:2] in ([tag.encode(), b"NO"], [tag.encode(), b"BAD"]), line
    reply = client.cmd("NOOP").ok()
    assert reply.untagged == []


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_lines_that_are_no_response(mux, mechanism):
    for line in LINES.values():
        with mux.client() as client:
            tag = client.start(f"AUTHENTICATE {mechanism} ".encode() + line)
            if b"\0" in line or line.startswith(b"{4+}"):
                client.send("1234\r\n" if b"{" in line else "")
            refused(client, tag)
        with mux.client() as client:
            tag = client.start(f"AUTHENTICATE {mechanism}")
            client.challenge()
            client.send(line + b"\r\n")
            refused(client, tag)


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_messages_that_are_none(mux, mechanism):
    for message in messages(mechanism):
        with mux.client() as client:
            tag = client.start(f"AUTHENTICATE {mechanism} " + (b64(message) or "="))
            refused(client, tag)
        with mux.client() as client:
            tag = client.start(f"AUTHENTICATE {mechanism}")
            client.challenge()
            client.send(b64(message) + "\r\n")
            refused(client, tag)


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_cancelled_or_too_long(mux, mechanism):
    with mux.client() as client:
        for _ in range(8):
            tag = client.start(f"AUTHENTICATE {mechanism}")
            client.challenge()
            client.send("*\r\n")
            assert client.line().split(b" ")[:2] == [tag.encode(), b"BAD"]
            tag = client.start(f"AUTHENTICATE {mechanism} *")
            assert client.line().split(b" ")[:2] == [tag.encode(), b"BAD"]
    with mux.client() as client:
        tag = client.start(f"AUTHENTICATE {mechanism} " + "QUFB" * 3100)
        refused(client, tag)
    with mux.client() as client:
        client.start(f"AUTHENTICATE {mechanism}")
        client.challenge()
        client.send("QUFB" * 3100 + "\r\n")
        assert client.rest() in (b"", b"* BYE Command line too long\r\n")


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("answers", [
    (b"*",), (b"!!",), (b"=", b"cA=="), (b"dTE=", b"*"), (b"dTE=", b"!!"), (b"dTE=", b""), (b"", b"cA=="),
    (b"dTE=", b"="), (b"dTE=", b"cAA="), (b"dTE=", b"/w=="), (b"dQA=",), (b"dTE=", b"a2 NOOP")])
def test_LOGIN_in_two_steps(mux, answers):
    with mux.client() as client:
        tag = client.start("AUTHENTICATE LOGIN")
        for answer in answers:
            client.challenge()
            client.send(answer + b"\r\n")
        refused(client, tag)


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("word", [
    "", "X", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "CRAM-MD5", "DIGEST-MD5", "GSSAPI", "EXTERNAL",
    "ANONYMOUS", "NTLM", "PLAIN,LOGIN", "A" * 5000, '"PLAIN"', "PLAI", "PLAINX"])
def test_mechanisms_that_are_none_of_ours(mux, word):
    with mux.client() as client:
        refused(client, client.start(f"AUTHENTICATE {word} dTE="))
        refused(client, client.start(f"AUTHENTICATE {word}"))
    with mux.client() as client:
        assert not any(name.endswith("-PLUS") for name in client.capabilities())


def asking(peer):
    """A server in the middle of an exchange; it hears what comes then."""
    peer.send(GREETING)
    while b"AUTHENTICATE" not in (line := peer.line()):
        peer.send(line.split(b" ")[0] + b" OK done\r\n")
    peer.send(b"+ cj14LHM9eCxpPTQwOTY=\r\n")
    peer.until_eof()


@pytest.mark.parametrize("mechanism", ["XOAUTH2", "SCRAM-SHA-1", "SCRAM-SHA-256"])
def test_what_is_no_answer_does_not_reach_the_server(make_proxy, mechanism):
    first = xoauth2("u1", "t") if mechanism == "XOAUTH2" else Scram(mechanism, "u1", "p").first()
    bad = [*(line for line in LINES.values() if line not in (LINES["nul"], LINES["utf-8"])), b"*", b"="]
    with Fake(asking) as server:
        proxy = make_proxy({"fake": server}, listeners=LISTENERS, pool={"spares": 0})
        for line in bad:
            with proxy.client() as client:
                tag = client.start(f"AUTHENTICATE {mechanism} {first}")
                client.challenge()
                client.send(line + b"\r\n")
                refused(client, tag)
        asked = [peer for peer in server.peers if b"AUTHENTICATE" in peer.received]
        assert len(asked) == len(bad)
        for peer in asked:
            wait_for(lambda it=peer: it.sock.fileno() < 0, "the exchange has ended there, too")
            assert peer.received.endswith(first.encode() + b"\r\n"), bytes(peer.received)


def test_a_server_that_misbehaves_in_the_exchange(make_proxy):
    """Its lines go to a client: only base64 does."""
    for script in (b"+ no base64\r\n", b"+ dTE\r\n", b"%s OK [CAPABILITY IMAP4rev1] too soon\r\n",
                   b"* BYE bye\r\n", b"+ " + b"QUFB" * 5000 + b"\r\n", b""):
        def play(peer, line=script):
            peer.send(GREETING)
            while b"AUTHENTICATE" not in (command := peer.line()):
                peer.send(command.split(b" ")[0] + b" OK done\r\n")
            peer.send(line % command.split(b" ")[0] if b"%s" in line else line)

        with Fake(play) as server:
            proxy = make_proxy({"fake": server}, listeners=LISTENERS, pool={"spares": 0})
            with proxy.client() as client:
                one = Scram("SCRAM-SHA-256", "u1", "p")
                reply = client.cmd(f"AUTHENTICATE SCRAM-SHA-256 {one.first()}")
                assert reply.no("UNAVAILABLE").untagged == []
                client.cmd("NOOP").ok()


def test_S10_broken_exchanges_fail_nobody_elses_sign_in(make_proxy, certificate):
    server = SaslDovecot(*certificate).start()
    proxy = make_proxy({"mail": server}, listeners=LISTENERS)
    stop, failures = threading.Event(), []

    def torment(number):
        streams = [f"x AUTHENTICATE {name} {b64(message)}\r\n".encode()
                   for name in MECHANISMS for message in messages(name)[:6]]
        streams += [b"x AUTHENTICATE %s\r\n%s\r\n" % (name.encode(), line)
                    for name in MECHANISMS for line in LINES.values()]
        while not stop.is_set():
            try:
                with Client(proxy.address()) as client:
                    for stream in streams[number::7][:4]:
                        client.send(stream)
                    one = Scram("SCRAM-SHA-256", "u2", "wrong")
                    client.send(f"y AUTHENTICATE SCRAM-SHA-256 {one.first()}\r\n")
                    client.linger(0.01)
                    if number % 2:
                        client.send("*\r\n")
                        client.linger(0.01)
                    else:
                        client.kill()
            except (OSError, AssertionError):
                pass
            number += 1

    threads = [threading.Thread(target=torment, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    try:
        for number in range(60):
            with proxy.client() as client:
                if number % 3 == 0:
                    reply = client.login("u1", server.users["u1"])
                elif number % 3 == 1:
                    reply = token_sign_in(client, "OAUTHBEARER", "u1", jwt("u1"))[1]
                else:
                    reply = scram(client, "SCRAM-SHA-256", "u1", server.users["u1"])
                if reply.status != "OK":
                    failures.append(reply)
                client.logout()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        server.remove()
    assert failures == []
