"""Who the client is, told from hop to hop by the ID command (SECURITY.md S20): what a server that trusts us
writes into its log, what is taken from whom, and what ends a circle of proxies."""

import re
import ssl

import pytest

from lib import process
from lib.dovecot import Dovecot
from lib.fake import Fake, serve, sign_in
from lib.process import wait_for
from lib.proxy import command, render

SECRET = "a password"
GREETING = b"* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN ID] fake ready\r\n"
SPEAKS = ('"x-originating-ip" "192.0.2.7" "x-originating-port" "55012" "x-connected-ip" "198.51.100.9" '
          '"x-connected-port" "993" "x-session-id" "front-17" "x-proxy-ttl" "5" '
          '"x-forward-tenant" "blue" "x-other" "1"')


def script(peer):
    sign_in(peer, GREETING)
    serve(peer)


def pairs(line):
    """The list of an ID command as a dict."""
    items = re.findall(r'"((?:[^"\\]|\\.)*)"', line.decode())
    return {items[i]: re.sub(r"\\(.)", r"\1", items[i + 1]) for i in range(0, len(items), 2)}


def told(fake, count=1):
    """The pairs of the last of `count` ID commands that the scripted server got."""
    def find():
        return re.findall(rb"^mux\d+ (?:ID|id) (\(.*\))\r$", fake.received(), re.M)
    wait_for(lambda: len(find()) >= count, "an ID at the server")
    found = find()
    assert len(found) == count, found
    return pairs(found[-1])


@pytest.fixture(scope="module")
def trusting(certificate):
    """A Dovecot that believes what we say."""
    server = Dovecot(*certificate, trusted="127.0.0.0/8").start()
    yield server
    server.remove()


@pytest.fixture
def fake():
    with Fake(script) as server:
        yield server


def say(client, text):
    client.cmd(f"ID ({text})").ok()
    return client


def test_a_clients_own_words_are_passed_on(make_proxy, fake):
    proxy = make_proxy({"fake": fake.where()})
    with proxy.client() as client:
        say(client, '"name" "Thunder\\"bird\\\\" "version" "115.0" "os" NIL "vendor" {5+}\r\nmoz-a')
        say(client, '"name" "second"')
        client.login("u1", SECRET).ok()
    got = told(fake)
    assert got["name"] == 'Thunder"bird\\' and got["version"] == "115.0" and got["vendor"] == "moz-a"
    assert "os" not in got
    assert got["x-originating-ip"] == "127.0.0.1" and got["x-proxy-ttl"] == "7"
    assert got["x-connected-port"] == str(proxy.ports["plain"])


def test_S20_claims_of_strangers_are_dropped(make_proxy, fake):
    proxy = make_proxy({"fake": fake.where()})
    with proxy.client() as client:
        say(client, SPEAKS.replace('"x-proxy-ttl" "5" ', "") + ' "X-Forward-Evil" "1" "name" "liar"')
        client.login("u1", SECRET).ok()
    event = proxy.wait_event(msg="sign-in")
    assert event["client"] == "127.0.0.1" and "via" not in event and "front_session" not in event
    got = told(fake)
    assert got["name"] == "liar" and got["x-originating-ip"] == "127.0.0.1"
    assert got["x-session-id"] == event["session"] and got["x-proxy-ttl"] == "7"
    assert not {key for key in got if "forward" in key.lower() or "other" in key}


@pytest.mark.threads
@pytest.mark.parametrize("workers", [1, 2])
def test_who_is_trusted_speaks_for_his_client(make_proxy, fake, workers):
    proxy = make_proxy({"fake": fake.where()}, listeners={"plain": {"trusted": ["127.0.0.0/8"]}},
                       workers=workers)
    for n in range(1, 5):
        with proxy.client() as client:
            say(client, '"name" "webmail" ' + SPEAKS)
            client.login(f"u{n}", SECRET).ok()
            client.logout()
        got = told(fake, n)
        assert got == {
            "x-session-id": "front-17", "x-originating-ip": "192.0.2.7", "x-originating-port": "55012",
            "x-connected-ip": "198.51.100.9", "x-connected-port": "993", "name": "webmail",
            "x-forward-tenant": "blue", "x-proxy-ttl": "4"}
    proxy.wait_event(msg="sign-in", count=4)
    for event in proxy.events(msg="sign-in"):
        assert event["client"] == "192.0.2.7" and event["via"] == "127.0.0.1"
        assert event["front_session"] == "front-17"


def test_a_header_names_who_is_trusted(make_proxy, fake):
    """The webmail stands behind a balancer: its own address is in the PROXY header."""
    proxy = make_proxy({"fake": fake.where()}, listeners={
        "plain": {"proxy_protocol": True, "trusted": ["127.0.0.1", "10.1.0.0/16"]}})
    visits = (("10.1.2.3", "192.0.2.7"), ("10.2.2.3", "10.2.2.3"))
    for count, (source, seen) in enumerate(visits, 1):
        header = f"PROXY TCP4 {source} 198.51.100.9 55012 993\r\n".encode()
        with proxy.client(header=header) as client:
            say(client, '"x-originating-ip" "192.0.2.7"')
            client.login("u1", SECRET).ok()
            client.logout()
        event = proxy.wait_event(msg="sign-in", count=count)
        assert event["client"] == seen and event["via"] == "127.0.0.1"


def test_unix_socket_may_be_trusted(make_proxy, fake):
    proxy = make_proxy({"fake": fake.where()}, kinds=("unix",),
                       listeners={"unix": {"trusted": ["unix"]}})
    with proxy.client() as client:
        client.login("u1", SECRET).ok()
    first = told(fake)
    # A unix socket has no address that a server could check.
    assert not {"x-originating-ip", "x-originating-port", "x-connected-ip"} & set(first)
    with proxy.client() as client:
        say(client, '"x-originating-ip" "2001:DB8::7"')
        client.login("u2", SECRET).ok()
    assert told(fake, 2)["x-originating-ip"] == "2001:db8::7"
    assert proxy.wait_event(msg="sign-in", user="u2")["client"] == "2001:db8::7"


@pytest.mark.parametrize("address", ["6.6.6", "localhost", "", "unix", "1.2.3.4 ", "::1%lo"])
def test_what_is_no_address_changes_nothing(make_proxy, fake, address):
    proxy = make_proxy({"fake": fake.where()}, listeners={"plain": {"trusted": ["127.0.0.1"]}})
    with proxy.client() as client:
        say(client, f'"x-originating-ip" "{address}" "x-originating-port" "99999"')
        client.login("u1", SECRET).ok()
    assert proxy.wait_event(msg="sign-in")["client"] == "127.0.0.1"
    assert told(fake)["x-originating-ip"] == "127.0.0.1"


def test_limits_count_the_address_that_is_named(make_proxy, fake):
    proxy = make_proxy({"fake": fake.where()}, listeners={"plain": {"trusted": ["127.0.0.1"]}},
                       limits={"clients_per_ip": 2}, pool={"max_per_user": 0})
    clients = []
    for n in range(5):
        client = say(proxy.client(), f'"x-originating-ip" "192.0.2.{n // 2}"')
        client.login(f"u{n + 1}", SECRET).ok()
        clients.append(client)
    with proxy.client() as client:
        say(client, '"x-originating-ip" "192.0.2.0"')
        client.send(b"a LOGIN u9 x\r\n")
        assert client.line().startswith(b"* BYE [LIMIT]")
        client.closed()
    proxy.wait_event(client="192.0.2.0", reason="limit-per-ip")
    clients.pop(0).logout()

    def has_room():
        with proxy.client() as client:
            say(client, '"x-originating-ip" "192.0.2.0"')
            client.send(b"a LOGIN u9 x\r\n")
            return client.line().startswith(b"a OK")
    wait_for(has_room, "room for the address")
    for client in clients:
        client.close()


def test_what_came_before_starttls_is_forgotten(make_proxy, fake, certificate, tls):
    proxy = make_proxy({"fake": fake.where()}, kinds=("starttls",), certificate=certificate,
                       listeners={"starttls": {"trusted": ["127.0.0.1"]}})
    with proxy.client() as client:
        say(client, '"name" "before" ' + SPEAKS)
        client.starttls(tls)
        say(client, '"name" "after"')
        client.login("u1", SECRET).ok()
    got = told(fake)
    assert got["name"] == "after" and got["x-originating-ip"] == "127.0.0.1"


def test_an_identity_that_was_used_before_starttls(make_proxy, fake, certificate, tls):
    """A refused sign-in has used what the client said in clear; what it says inside TLS replaces that, and
    nobody else's word counts for who says nothing."""
    proxy = make_proxy({"fake": fake.where()}, kinds=("starttls",), certificate=certificate,
                       users=[{"match": "u*", "backend": "fake"}], limits={"auth_delay": "0s"},
                       listeners={"starttls": {"trusted": ["127.0.0.1"], "insecure": True}})
    with proxy.client() as client:
        say(client, '"name" "before" ' + SPEAKS)
        client.login("nobody", "wrong").no("AUTHENTICATIONFAILED")
        client.starttls(tls)
        say(client, '"name" "after" "x-originating-ip" "192.0.2.8"')
        client.login("u1", SECRET).ok()
    got = told(fake)
    assert got["name"] == "after" and got["x-originating-ip"] == "192.0.2.8"
    connections = fake.connections()
    with proxy.client() as client:
        say(client, '"name" "before" ' + SPEAKS)
        client.login("nobody", "wrong").no("AUTHENTICATIONFAILED")
        client.starttls(tls)
        client.start(f'LOGIN u2 "{SECRET}"')
        client.closed()
    assert proxy.wait_event(msg="client end", reason="starttls-injected")
    assert fake.connections() == connections


def test_the_server_hears_it_inside_tls(make_proxy, ca, certificate):
    """Dovecot's own proxy says it before STARTTLS, in clear."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    clear = []

    def secured(peer):
        peer.send(b"* OK [CAPABILITY IMAP4rev1 STARTTLS SASL-IR AUTH=PLAIN ID] ready\r\n")
        peer.expect(r"\S+ STARTTLS")
        peer.reply("OK go")
        clear.append(bytes(peer.received))
        peer.starttls(context)
        peer.expect(r"\S+ CAPABILITY")
        peer.send("* CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN ID\r\n")
        peer.reply("OK done")
        peer.expect(r"\S+ ID ")
        peer.reply("OK done")
        peer.expect(r"\S+ AUTHENTICATE")
        peer.reply("OK [CAPABILITY IMAP4rev1 IDLE] signed in")
        serve(peer)

    with Fake(secured) as server:
        proxy = make_proxy({"fake": server.where(tls="starttls", ca=ca.ca, server_name="localhost")})
        with proxy.client("u1", SECRET):
            server.check()
        assert b"127.0.0.1" not in clear[0]


def test_forwarded_fields(make_proxy, fake):
    proxy = make_proxy({"fake": {**fake.where(), "forward": [
        "tenant=blue \"1\"", "domain=%d", "who=%u/%n/100%%", "empty="]}})
    with proxy.client() as client:
        say(client, '"name" "x"')
        client.login('alice@example.org', SECRET).ok()
    got = told(fake)
    assert got["x-forward-tenant"] == 'blue "1"' and got["x-forward-domain"] == "example.org"
    assert got["x-forward-who"] == "alice@example.org/alice/100%" and got["name"] == "x"
    assert "x-forward-empty" not in got


@pytest.mark.parametrize("pair, words", [
    ("tenant", "must be name=value"),
    ("=x", "a name has 1 to 20 characters"),
    ("t" * 21 + "=x", "a name has 1 to 20 characters"),
    ("a b=x", "a name has letters, digits, _ and -"),
    ("a=\u00e9", "only printable ASCII"),
    ("a=%x", "behind % stands one of u n d %"),
    ("a=$1", "$ and a digit need a rule with regex"),
    ("a=" + "x" * 257, "at most 256"),
])
def test_forwarded_fields_are_checked(tmp_path, pair, words):
    conf = tmp_path / "imapmux.conf"
    conf.write_text(render({
        "listeners": [{"address": "127.0.0.1:10143"}],
        "backends": [{"name": "m", "address": "127.0.0.1:143", "forward": [pair]}],
        "users": [{"match": "*", "backend": "m"}]}), encoding="utf-8")
    status, _, told_what = command("check", "-c", str(conf))
    assert status == 2 and words in told_what and "backends.forward" in told_what


# Circles.

@pytest.mark.parametrize("ttl, left", [("9", "7"), ("7", "6"), ("2", "1"), ("1", None), ("0", None),
                                       ("x", "7"), ("", "7"), ("-1", "7"), ("99999999999999999999", "7")])
def test_ttl_is_counted_down(make_proxy, fake, ttl, left):
    """Also a stranger's: he can only shorten his own way."""
    proxy = make_proxy({"fake": fake.where()})
    with proxy.client() as client:
        say(client, f'"x-proxy-ttl" "{ttl}"')
        reply = client.login("u1", SECRET)
        if left:
            reply.ok()
            assert told(fake)["x-proxy-ttl"] == left
            return
        reply.no("UNAVAILABLE")
        assert "circle" in reply.text
    assert proxy.wait_event(msg="sign-in failed")["reason"] == "proxy-loop"
    assert fake.connections() == 0


@pytest.mark.threads
@pytest.mark.parametrize("workers", [1, 2])
def test_a_proxy_before_itself_notices(make_proxy, workers):
    """With the usual limits of a user his connections end it sooner, also in a refusal."""
    port = process.free_port()
    proxy = make_proxy({"me": {"address": f"127.0.0.1:{port}"}}, workers=workers,
                       listeners={"plain": {"address": f"127.0.0.1:{port}"}},
                       pool={"max_per_user": 40})
    proxy.ports["plain"] = port
    with proxy.client() as client:
        client.login("u1", SECRET).no("UNAVAILABLE")
        client.cmd("NOOP").ok()
    proxy.wait_event(msg="sign-in failed", reason="proxy-loop")
    assert len(proxy.events(msg="sign-in failed")) <= 8


# Real servers.

def test_dovecot_believes_the_whole_way(make_proxy, trusting):
    """Client, imapmux, imapmux, Dovecot: the last one's log has the first one's address."""
    inner = make_proxy({"mail": trusting}, listeners={"plain": {"trusted": ["127.0.0.1"]}})
    outer = make_proxy({"inner": {"address": f"127.0.0.1:{inner.ports['plain']}"}})
    mark = trusting.mark()
    with outer.client(source=("127.0.0.77", 0)) as client:
        client.login("u3", trusting.users["u3"]).ok()
        port = client.sock.getsockname()[1]
        client.logout()
    event = outer.wait_event(msg="sign-in")
    line, = trusting.logins("u3", mark)
    assert f"rip=127.0.0.77 rport={port}" in line.replace(",", "")
    assert f"lport={outer.ports['plain']}" in line and f"session=<{event['session']}>" in line
    assert inner.wait_event(msg="sign-in")["client"] == "127.0.0.77"
    assert inner.wait_event(msg="sign-in")["front_session"] == event["session"]


@pytest.mark.parametrize("tls_to_server", ["none", "starttls", "implicit"])
def test_dovecot_sees_the_client_in_each_kind_of_connection(make_proxy, trusting, ca, tls_to_server):
    port = trusting.tls if tls_to_server == "implicit" else trusting.plain
    proxy = make_proxy({"mail": {"address": f"127.0.0.1:{port}", "tls": tls_to_server, "ca": ca.ca,
                                 "server_name": "localhost"}})
    mark = trusting.mark()
    with proxy.client(source=("127.0.0.78", 0)) as client:
        say(client, '"name" "Thunderbird"')
        client.login("u4", trusting.users["u4"]).ok()
        client.logout()
    line, = trusting.logins("u4", mark)
    assert "rip=127.0.0.78" in line
    assert ("TLS" in line) == (tls_to_server != "none")


def test_dovecots_sign_in_gets_the_forwarded_fields(make_proxy, certificate):
    server = Dovecot(*certificate, trusted="127.0.0.0/8", extra="auth_debug = yes\n").start()
    try:
        proxy = make_proxy({"mail": {**server.where(), "forward": ["tenant=blue", "who=%u"]}})
        with proxy.client("u1", server.users["u1"]) as client:
            client.logout()
        line = r"passdb out: OK.*user=u1\tforward_tenant=blue\tforward_who=u1"
        wait_for(lambda: re.search(line, server.text()), "Dovecot writes its log")
    finally:
        server.remove()


def test_every_server_takes_it_quietly(server, make_proxy):
    proxy = make_proxy({"mail": {**server.where(), "forward": ["tenant=blue"]}})
    with proxy.client() as client:
        say(client, '"name" "Thunderbird" "version" "115.0"')
        client.login("u1", server.users["u1"]).ok()
        client.cmd("SELECT INBOX").ok()
        client.logout()
    assert not [event for event in proxy.events() if event.get("level") in ("error", "warn")
                and event["msg"] != "few open files allowed"]
