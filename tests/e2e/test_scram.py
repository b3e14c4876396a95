"""SCRAM, passed through unread to a real Dovecot: the proxy learns the user and never the password."""

import pytest

from lib.process import wait_for
from lib.sasl import SaslDovecot, Scram, b64, scram, unb64

MECHANISMS = ["SCRAM-SHA-1", "SCRAM-SHA-256"]
LISTENERS = {"plain": {"mechanisms": ["PLAIN", "LOGIN", *MECHANISMS]}}

pytestmark = pytest.mark.threads


@pytest.fixture(scope="module", name="server")
def scram_server(certificate):
    server = SaslDovecot(*certificate).start()
    yield server
    server.remove()


@pytest.fixture
def mux(make_proxy, server):
    return make_proxy({"mail": server}, listeners=LISTENERS)


def session(proxy, server, mechanism="SCRAM-SHA-256", user="u1"):
    """A whole session; returns its lines of the log: sign-in and end."""
    before = len(proxy.events(msg="sign-in"))
    with proxy.client() as client:
        scram(client, mechanism, user, server.users[user]).ok()
        client.cmd("SELECT INBOX").ok()
        client.logout()
    begin = proxy.wait_event(msg="sign-in", count=before + 1)
    return begin, proxy.wait_event(msg="session end", session=begin["session"])


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("initial", [True, False])
@pytest.mark.parametrize("flag", ["n", "y"])
def test_both_sides_prove_themselves(mux, server, mechanism, initial, flag):
    mark = server.mark()
    with mux.client() as client:
        assert f"AUTH={mechanism}" in client.capabilities()
        scram(client, mechanism, "u1", server.users["u1"], initial, flag=flag).ok()
        client.cmd("SELECT INBOX").ok()
        client.logout()
    assert mux.wait_event(msg="sign-in")["mechanism"] == mechanism
    line, = server.logins("u1", mark)
    assert f"method={mechanism}" in line


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_server_that_has_keys_only(make_proxy, certificate, mechanism):
    """It does not know the password itself, either."""
    server = SaslDovecot(*certificate, users={"u1": "secret-of-u1"}, scheme=mechanism).start()
    try:
        proxy = make_proxy({"mail": server}, listeners=LISTENERS)
        assert session(proxy, server, mechanism)[0]["mechanism"] == mechanism
    finally:
        server.remove()


@pytest.mark.parametrize("user", ["quo\"te", "j\u00fcrgen", "o'neill", "with space", "curly{5}"])
def test_odd_names_and_passwords(mux, server, user):
    assert session(mux, server, user=user)[1]["reason"] == "logout"


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_wrong_password(mux, server, mechanism):
    with mux.client() as client:
        for user in ("u1", "nobody"):
            scram(client, mechanism, user, "wrong").no("AUTHENTICATIONFAILED")
        refused = mux.wait_event(msg="sign-in failed", count=2)
        assert (refused["reason"], refused["mechanism"]) == ("auth-failed", mechanism)
        scram(client, mechanism, "u1", server.users["u1"]).ok()
        client.logout()
    assert not mux.has(server.users["u1"])


def test_nothing_of_it_is_pooled(mux, server):
    """What a client sends proves nothing to a proxy that compares it with what another one sent."""
    mark = server.mark()
    for _ in range(3):
        begin, end = session(mux, server)
        assert begin["connection"] == "new"
        assert (end["kept"], end["why_not"]) == ("no", "unproved")
    assert len(server.logins("u1", mark)) == 3
    # Nor does it end what a password has opened, nor is it served by it.
    mux.session("u1", server.users["u1"])
    mark = server.mark()
    session(mux, server)
    with mux.client() as client:
        scram(client, "SCRAM-SHA-256", "u1", "wrong").no()
    mux.session("u1", server.users["u1"])
    assert len(server.logins("u1", mark)) == 1


def test_a_client_first_that_was_heard_is_worth_nothing(mux, server):
    """Who has listened to one sign-in and says the same again, up to the last byte, is refused."""
    with mux.client() as client:
        one = Scram("SCRAM-SHA-256", "u1", server.users["u1"])
        tag = client.start(f"AUTHENTICATE SCRAM-SHA-256 {one.first()}")
        final = one.final(unb64(client.challenge()))
        client.send(final + "\r\n")
        one.check(unb64(client.challenge()))
        client.send("\r\n")
        client.until(tag).ok()
        with mux.client() as thief:
            tag = thief.start(f"AUTHENTICATE SCRAM-SHA-256 {one.first()}")
            thief.challenge()
            thief.send(final + "\r\n")
            thief.until(tag).no("AUTHENTICATIONFAILED")
        client.cmd("NOOP").ok()


def test_a_session_keeps_its_connection(make_proxy, server):
    proxy = make_proxy({"mail": server}, listeners=LISTENERS,
                       pool={"max_per_user": 1, "queue_timeout": "1s"})
    with proxy.client() as client:
        scram(client, "SCRAM-SHA-256", "u1", server.users["u1"]).ok()
        with proxy.client() as other:
            other.login("u1", server.users["u1"]).no("LIMIT")
        client.cmd("SELECT INBOX").ok()
        client.logout()


def test_a_spare_serves_it(make_proxy, server):
    proxy = make_proxy({"mail": server}, listeners=LISTENERS, pool={"spares": 1}, workers=1)
    mark = server.mark()
    for _ in range(5):
        session(proxy, server)
    assert len(server.logins("u1", mark)) == 5


def test_a_name_that_a_rule_rewrites_is_refused(make_proxy, server):
    proxy = make_proxy({"mail": server}, listeners=LISTENERS, users=[
        {"match": "*@example.org", "backend": "mail", "login": "%n"}, {"match": "*", "backend": "mail"}])
    mark = server.mark()
    with proxy.client() as client:
        scram(client, "SCRAM-SHA-256", "u1@example.org", server.users["u1"]).no("AUTHENTICATIONFAILED")
        refused = proxy.wait_event(msg="sign-in failed")
        assert refused["reason"] == "login-rewritten"
        scram(client, "SCRAM-SHA-256", "u1", server.users["u1"]).ok()
    assert server.failures(mark) == []


def test_a_server_without_it(make_proxy, mail1):
    proxy = make_proxy({"mail": mail1}, listeners=LISTENERS)
    with proxy.client() as client:
        one = Scram("SCRAM-SHA-256", "u1", "x")
        client.cmd(f"AUTHENTICATE SCRAM-SHA-256 {one.first()}").no("CANNOT")
        assert proxy.wait_event(msg="sign-in failed")["reason"] == "mechanism-not-offered"
        client.login("u1", mail1.users["u1"]).ok()


def test_no_channel_binding_crosses_a_proxy(mux):
    with mux.client() as client:
        for name in MECHANISMS:
            assert f"AUTH={name}-PLUS" not in client.capabilities()
            client.cmd(f"AUTHENTICATE {name}-PLUS").no("CANNOT")
            client.cmd(f"AUTHENTICATE {name} {b64('p=tls-unique,,n=u1,r=abc')}").no("CANNOT")


@pytest.mark.parametrize("step", [1, 2])
@pytest.mark.parametrize("end", ["cancel", "leave", "nonsense"])
def test_an_exchange_that_is_broken_off(mux, server, step, end):
    mark = server.mark()
    with mux.client() as client:
        one = Scram("SCRAM-SHA-256", "u1", server.users["u1"])
        tag = client.start(f"AUTHENTICATE SCRAM-SHA-256 {one.first()}")
        if step == 2:
            client.send(one.final(unb64(client.challenge())) + "\r\n")
        client.challenge()
        if end == "leave":
            client.kill()
        else:
            client.send("*\r\n" if end == "cancel" else "no base64\r\n")
            client.until(tag).bad()
            assert mux.wait_event(msg="sign-in failed")["reason"] == "auth-cancelled"
            scram(client, "SCRAM-SHA-256", "u1", server.users["u1"]).ok()
    session(mux, server)
    # Dovecot signs in with the last proof, before it has heard that the client has understood its own.
    assert len(server.logins("u1", mark)) <= 2


def test_many_exchanges_at_once(mux, server):
    """Each client's lines reach its own server connection."""
    clients, ones = [], []
    for number in range(1, 16):
        client = mux.client()
        user = f"u{number}"
        one = Scram(MECHANISMS[number % 2], user, server.users[user])
        client.start(f"AUTHENTICATE {MECHANISMS[number % 2]} {one.first()}")
        clients.append(client)
        ones.append(one)
    for client, one in reversed(list(zip(clients, ones))):
        client.send(one.final(unb64(client.challenge())) + "\r\n")
    for client, one in zip(clients, ones):
        one.check(unb64(client.challenge()))
        client.send("\r\n")
    for client in clients:
        client.until("a1").ok()
    mux.wait_event(msg="sign-in", count=15)
    users = {row["user"] for row in mux.events(msg="sign-in")}
    assert users == {f"u{number}" for number in range(1, 16)}
    for client in clients:
        client.close()
    wait_for(lambda: len(mux.events(msg="session end")) == 15, "all sessions have ended")
