"""A cluster of different servers: what a client is told before sign-in and after it, and how the proxy
gets to know."""

import json
import socket
import subprocess
import time

import pytest

from lib import dovecot, process
from lib.fake import Fake, friendly, serve, sign_in
from lib.imap import Client
from lib.proxy import binary

pytestmark = pytest.mark.threads

OWN = {"IMAP4rev1", "LITERAL+", "SASL-IR", "ID"}
# Short, so that a test need not wait; the brake of a failing server is the proxy's own.
OFTEN = {"probe": "200ms"}
CLUSTER = {"groups": [{"name": "cluster", "backends": ["a", "b"]}],
           "users": [{"match": "u1", "backend": "a"}, {"match": "u2", "backend": "b"},
                     {"match": "*", "group": "cluster"}]}


def greeted(proxy):
    """The words of the greeting, AUTH= left out."""
    def said_twice():
        with proxy.client() as client:
            words = client.greeting.split(b"[CAPABILITY ", 1)[1].split(b"]", 1)[0]
            # Asked, it says the same, if it has learnt nothing meanwhile.
            asked = client.cmd("CAPABILITY").ok().untagged
            return words.decode().split() if asked == [b"* CAPABILITY " + words + b"\r\n"] else None
    words = process.wait_for(said_twice, "the greeting and CAPABILITY say the same")
    assert len(words) == len(set(words)), words
    assert "AUTH=PLAIN" in words and "AUTH=LOGIN" in words, words
    return {word for word in words if not word.startswith("AUTH=")}


def listed(client):
    """The words of the list after sign-in."""
    line, = client.cmd("CAPABILITY").ok().untagged
    return set(line.decode().split()[2:])


def said(where):
    """What a server offers itself, to who comes without a proxy."""
    host, port = where["address"].rsplit(":", 1)
    with Client((host, int(port))) as client:
        line, = client.cmd("CAPABILITY").ok().untagged
    return set(line.decode().split()[2:])


def backends(proxy):
    out = subprocess.run([binary(), "show", "-s", proxy.settings["admin"]["socket"], "backends", "--json"],
                         capture_output=True, text=True, check=True, timeout=process.SOON)
    return {row["name"]: row for row in json.loads(out.stdout)["backends"]}


def test_before_sign_in_what_all_have_after_it_what_ones_own_server_has(
        make_proxy, certificate, courier, tmp_path):
    mail = dovecot.Dovecot(*certificate).start()
    try:
        proxy = make_proxy({"a": mail, "b": courier}, capabilities=OFTEN, **CLUSTER,
                           admin={"socket": str(tmp_path / "s")})
        process.wait_for(lambda: all(row["reachable"] for row in backends(proxy).values()),
                         "both are known")
        dovecot_has, courier_has = said(mail.where()), said(courier.where())
        assert "IDLE" in dovecot_has & courier_has
        assert {"SORT", "NAMESPACE"} < courier_has - dovecot_has
        common = {word for word in dovecot_has & courier_has
                  if not word.startswith("AUTH=") and word != "STARTTLS"}
        assert greeted(proxy) == OWN | common
        rows = backends(proxy)
        assert set(rows["a"]["offers"]) == dovecot_has and set(rows["b"]["offers"]) == courier_has
        # After sign-in: one's own server's, and nothing of what was said before is gone.
        with proxy.client("u1", mail.users["u1"]) as client:
            mine = listed(client)
            assert {"QRESYNC", "MOVE"} < mine and "ACL2=UNION" not in mine
            assert greeted(proxy) <= mine
        with proxy.client("u2", courier.users["u2"]) as client:
            mine = listed(client)
            assert {"SORT", "ACL2=UNION"} < mine and not {"QRESYNC", "MOVE"} & mine
            assert greeted(proxy) <= mine
        # A server goes: what is left is what the other one has. It comes back.
        mail.stop()
        process.wait_for(lambda: backends(proxy)["a"]["reachable"] is False, "it is missed")
        assert {"SORT", "NAMESPACE"} < greeted(proxy)
        assert set(backends(proxy)["a"]["offers"]) == dovecot_has
        mail.resume()
        # The brake of a failing server may be at a quarter of a minute by now.
        process.wait_for(lambda: "SORT" not in greeted(proxy), "it is seen again",
                         timeout=3 * process.SOON)
    finally:
        mail.remove()


def test_a_server_that_nobody_is_sent_to_does_not_count(make_proxy):
    def bare(peer):
        peer.send(b"* OK [CAPABILITY IMAP4rev1] bare\r\n")
        peer.until_eof()

    with Fake(friendly) as server, Fake(bare) as other:
        proxy = make_proxy({"a": server.where(), "b": other.where()}, capabilities=OFTEN)
        process.wait_for(lambda: "UNSELECT" in greeted(proxy), "the first is known")
        other.wait_connections(2)
        assert "UNSELECT" in greeted(proxy)


def test_nothing_is_offered_before_anything_is_known(make_proxy):
    with Fake(friendly) as server:
        proxy = make_proxy({"fake": server.where()})
        assert greeted(proxy) == OWN
        proxy.client("u1", "x").logout()
        # What a sign-in has shown counts, too.
        assert greeted(proxy) == OWN | {"IDLE", "UNSELECT", "ENABLE"}
        assert server.connections() == 1


def test_workers_probe_together_not_each(make_proxy):
    with Fake(friendly) as server:
        start = time.monotonic()
        proxy = make_proxy({"fake": server.where()}, workers=4, capabilities={"probe": "500ms"})
        server.wait_connections(4)
        # Three periods at least lie between four probes of all workers.
        assert time.monotonic() - start > 1.4
        process.wait_for(lambda: "UNSELECT" in greeted(proxy), "the server is known")
        for _ in range(8):  # whichever worker it is
            assert "UNSELECT" in greeted(proxy)
        proxy.stop()
        process.wait_for(lambda: server.received().count(b"LOGOUT") >= 3, "the probes have said goodbye")


def test_a_failing_server_is_not_stormed(make_proxy):
    # Nobody listens: each try fails at once, and does not go on while others begin.
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        where = {"address": f"127.0.0.1:{silent.getsockname()[1]}", "tls": "none"}
        start = time.monotonic()
        proxy = make_proxy({"fake": where}, capabilities={"probe": "1ms"}, workers=1)
        proxy.wait_event(msg="server connection closed", count=3)
        # After 1 and 2 seconds: not the period, which is a thousandth of it.
        assert time.monotonic() - start > 2.9
        proxy.stop()


def test_the_log_tells_when_a_server_goes_away_and_comes_back(make_proxy):
    def silent(peer):
        peer.reset()

    with Fake(friendly) as server:
        where = server.where()
        proxy = make_proxy({"fake": where}, capabilities=OFTEN, workers=2)
        process.wait_for(lambda: "ENABLE" in greeted(proxy), "the server is known")
        assert not proxy.events(msg="server unreachable")
        server.scripts = [silent]
        event = proxy.wait_event(msg="server unreachable")
        assert event["level"] == "warn" and event["backend"] == "fake" and event["reason"]
        server.scripts = [friendly]
        event = proxy.wait_event(msg="server reachable again")
        assert event["level"] == "info" and event["backend"] == "fake"
        assert len(proxy.events(msg="server unreachable")) == 1
        proxy.stop()
    dead = make_proxy({"dead": {"address": f"127.0.0.1:{process.free_port()}"}}, capabilities=OFTEN)
    event = dead.wait_event(msg="server unreachable")
    assert event["reason"] == "server-connect" and "Connection refused" in event["detail"]


def test_a_hidden_word_stays_hidden(make_proxy):
    with Fake(friendly) as server:
        proxy = make_proxy({"fake": server.where()}, capabilities={**OFTEN, "hide": ["UNSELECT"]})
        process.wait_for(lambda: "ENABLE" in greeted(proxy), "the server is known")
        assert "UNSELECT" not in greeted(proxy)


def offering(words):
    def script(peer):
        sign_in(peer, greeting=b"* OK [CAPABILITY IMAP4rev1 SASL-IR " + words + b"] ready\r\n")
        serve(peer)
    return script


def mechanisms(proxy):
    with proxy.client() as client:
        return {word for word in client.capabilities() if word.startswith("AUTH=")}


def test_tokens_only_where_all_servers_take_them(make_proxy):
    """Passwords the proxy can sign in with everywhere; the rest is what the servers say."""
    asked = {"mechanisms": ["PLAIN", "XOAUTH2", "OAUTHBEARER", "SCRAM-SHA-256", "SCRAM-SHA-1"]}
    with Fake(offering(b"AUTH=PLAIN AUTH=XOAUTH2 AUTH=SCRAM-SHA-256 AUTH=SCRAM-SHA-256-PLUS")) as a, \
            Fake(offering(b"AUTH=XOAUTH2 AUTH=OAUTHBEARER")) as b:
        proxy = make_proxy({"a": a.where(), "b": b.where()}, capabilities=OFTEN, **CLUSTER,
                           listeners={"plain": asked})
        process.wait_for(lambda: mechanisms(proxy) == {"AUTH=PLAIN", "AUTH=XOAUTH2"}, "both are known")
        with proxy.client() as client:
            client.cmd("AUTHENTICATE OAUTHBEARER bixhPXUxLAFhdXRoPUJlYXJlciB0AQE=").no("CANNOT")
            client.login("u1", "x").ok()
        # The other one goes: what the first one takes is left.
        b.__exit__()
        process.wait_for(lambda: mechanisms(proxy) == {"AUTH=PLAIN", "AUTH=XOAUTH2", "AUTH=SCRAM-SHA-256"},
                         "the second is missed")
