"""XOAUTH2 and OAUTHBEARER, relayed to a real Dovecot that checks the tokens itself."""

import time

import pytest

from lib.imap import codes
from lib.process import wait_for
from lib.sasl import SaslDovecot, jwt, sign_in, xoauth2

MECHANISMS = ("XOAUTH2", "OAUTHBEARER")

pytestmark = pytest.mark.threads


@pytest.fixture(scope="module", name="server")
def token_server(certificate):
    server = SaslDovecot(*certificate).start()
    yield server
    server.remove()


@pytest.fixture
def mux(make_proxy, server):
    return make_proxy({"mail": server})


def session(proxy, user, token, mechanism="XOAUTH2"):
    """A whole session; returns its line of the log when its connection is at rest."""
    rest = len(proxy.events(msg="parked"))
    with proxy.client() as client:
        error, reply = sign_in(client, mechanism, user, token)
        reply.ok()
        assert error is None
        client.cmd('LIST "" INBOX').ok()
        client.logout()
    wait_for(lambda: len(proxy.events(msg="parked")) > rest, "its connection is parked")
    return proxy.events(msg="sign-in")[-1]


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("initial", [True, False])
def test_a_good_token_signs_in(mux, server, mechanism, initial):
    mark = server.mark()
    with mux.client() as client:
        assert f"AUTH={mechanism}" in codes(client.greeting)
        error, reply = sign_in(client, mechanism, "u1", jwt("u1"), initial)
        assert error is None
        assert "IDLE" in codes(reply.ok().tagged)
        client.cmd("SELECT INBOX").ok()
        client.logout()
    assert mux.wait_event(msg="sign-in")["mechanism"] == mechanism
    line, = server.logins("u1", mark)
    assert f"method={mechanism}" in line


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("token", [jwt("u1", -60), jwt("u2"), "opaque", jwt("u1", key=b"another")],
                         ids=["expired", "of-another", "opaque", "forged"])
def test_a_bad_token_is_told_as_the_server_tells_it(mux, server, mechanism, token):
    with server.client() as client:
        direct, _ = sign_in(client, mechanism, "u1", token)
    with mux.client() as client:
        error, reply = sign_in(client, mechanism, "u1", token)
        assert error == direct
        reply.no("AUTHENTICATIONFAILED")
        refused = mux.wait_event(msg="sign-in failed")
        assert (refused["reason"], refused["mechanism"]) == ("auth-failed", mechanism)
        # The same connection may try again.
        error, reply = sign_in(client, mechanism, "u1", jwt("u1"))
        assert error is None
        reply.ok()


def test_only_the_same_token_is_answered_from_the_pool(make_proxy, server):
    mux = make_proxy({"mail": server}, pool={"max_idle_per_user": 5})
    one, two = jwt("u1"), jwt("u1", 3000)
    assert session(mux, "u1", one)["connection"] == "new"
    assert session(mux, "u1", one)["connection"] == "pooled"
    assert session(mux, "u1", two)["connection"] == "new"
    # Nor does the other mechanism count, whose message is another one.
    assert session(mux, "u1", one, "OAUTHBEARER")["connection"] == "new"
    mark = server.mark()
    assert session(mux, "u1", two)["connection"] == "pooled"
    assert session(mux, "u1", one)["connection"] == "pooled"
    assert server.logins("u1", mark) == []


def test_no_token_is_answered_beyond_its_end(mux, server):
    for seconds in (4, 8, 16):  # a slow machine may need more
        end = int(time.time()) + seconds
        token = jwt("u1", exp=end)
        try:
            seen = [session(mux, "u1", token)["connection"] for _ in range(2)]
        except AssertionError:
            assert time.time() >= end
            continue
        if time.time() < end:
            break
    else:
        pytest.fail("two sessions take longer than a token lasts")
    assert seen == ["new", "pooled"]
    wait_for(lambda: time.time() >= end, "the token has ended")
    mark = mux.mark()
    with mux.client() as client:
        error, reply = sign_in(client, "XOAUTH2", "u1", token)
        # The server is asked, and takes it for as long as its clock says.
        if reply.status == "OK":
            assert mux.wait_event(mark, msg="sign-in")["connection"] == "new"
        else:
            assert error

    def refused():
        with mux.client() as client:
            return sign_in(client, "XOAUTH2", "u1", token)[1].status == "NO"

    wait_for(refused, "the server takes it no more")
    assert all(row["connection"] == "new" for row in mux.events(mark, msg="sign-in"))


def test_a_token_and_a_password_of_one_user_live_side_by_side(make_proxy, server):
    proxy = make_proxy({"mail": server}, pool={"purge_on_new_secret": True})
    token = jwt("u1")
    proxy.session("u1", server.users["u1"])
    session(proxy, "u1", token)
    mark = server.mark()
    proxy.session("u1", server.users["u1"])
    session(proxy, "u1", token)
    assert server.logins("u1", mark) == []


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_a_rewritten_login_is_the_name_in_the_message(make_proxy, server, mechanism):
    proxy = make_proxy({"mail": server}, users=[
        {"match": "*@example.org", "backend": "mail", "login": "%n"}])
    with proxy.client() as client:
        error, reply = sign_in(client, mechanism, "u1@example.org", jwt("u1"))
        assert error is None
        reply.ok()
        client.cmd("SELECT INBOX").ok()
        client.logout()
    # The token of somebody else stays that of somebody else.
    with proxy.client() as client:
        error, reply = sign_in(client, mechanism, "u2@example.org", jwt("u1"))
        assert error
        reply.no("AUTHENTICATIONFAILED")


def test_a_session_by_token_keeps_its_connection(make_proxy, server):
    """It may not be able to get another: the token may have ended."""
    proxy = make_proxy({"mail": server}, pool={"max_per_user": 1, "queue_timeout": "1s"})
    with proxy.client() as client:
        sign_in(client, "XOAUTH2", "u1", jwt("u1"))[1].ok()
        with proxy.client() as other:
            other.login("u1", server.users["u1"]).no("LIMIT")
        client.cmd("SELECT INBOX").ok()
        client.logout()
    proxy.reload(pool={"queue_timeout": "1m"})
    with proxy.client("u1", server.users["u1"]):
        with proxy.client() as other:
            # One by password gives it back when somebody waits.
            sign_in(other, "XOAUTH2", "u1", jwt("u1"))[1].ok()


def test_a_server_without_the_mechanism(make_proxy, mail1):
    mark = mail1.mark()
    proxy = make_proxy({"mail": mail1})
    with proxy.client() as client:
        for _ in range(3):
            client.cmd(f"AUTHENTICATE XOAUTH2 {xoauth2('u1', 'token')}").no("CANNOT")
        refused = proxy.wait_event(msg="sign-in failed")
        assert refused["reason"] == "mechanism-not-offered"
        assert refused["backend"] == "mail"
        client.login("u1", mail1.users["u1"]).ok()
        client.logout()
    assert mail1.failures(mark) == []


@pytest.mark.parametrize("end", ["cancel", "leave", "nonsense"])
def test_the_error_step_may_end_otherwise(make_proxy, server, end):
    mux = make_proxy({"mail": server}, limits={"auth_delay": "100ms", "auth_delay_max": "1s"})
    with mux.client() as client:
        tag = client.start(f"AUTHENTICATE XOAUTH2 {xoauth2('u1', 'bad')}")
        client.challenge()
        if end == "leave":
            client.kill()
        else:
            client.send("*\r\n" if end == "cancel" else "no base64\r\n")
            client.until(tag).bad()
            sign_in(client, "XOAUTH2", "u1", jwt("u1"))[1].ok()
    # He was refused, and knew it: whoever tries tokens like this is seen.
    refused = mux.wait_event(msg="sign-in failed")
    assert (refused["reason"], refused["user"]) == ("auth-failed", "u1")
    with mux.client() as client:
        sign_in(client, "XOAUTH2", "u1", "worse")[1].no("AUTHENTICATIONFAILED")
    assert int(mux.wait_event(msg="sign-in failed", count=2)["delay_ms"]) == 200
    with mux.client() as client:
        sign_in(client, "XOAUTH2", "u1", jwt("u1"))[1].ok()
