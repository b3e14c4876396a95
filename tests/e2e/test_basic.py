"""The ordinary life of a client, the same with and without the proxy, before each real server."""

import pytest

from lib import accounts
from lib.mail import message

pytestmark = pytest.mark.threads


def test_sign_in_select_fetch_logout(door):
    door.server.fill("u1", 3)
    with door.client() as client:
        assert client.greeting.startswith(b"* OK ")
        client.login("u1", door.server.users["u1"]).ok()
        reply = client.cmd("SELECT INBOX").ok()
        assert reply.find("* 3 EXISTS")
        reply = client.cmd("FETCH 2 (FLAGS BODY.PEEK[])").ok()
        assert message(2) in reply.raw
        client.logout()


def test_wrong_password_is_refused_and_the_right_one_accepted_on_the_same_connection(door):
    with door.client() as client:
        client.login("u1", "wrong").no()
        client.login("u1", door.server.users["u1"]).ok()
        client.cmd("NOOP").ok()


def test_every_odd_name_and_password_signs_in(door):
    # Cyrus and Courier have users with plain names and with domains only.
    for user in {**accounts.ODD, **accounts.DOMAINS}.keys() & door.server.users.keys():
        with door.client(user) as client:
            client.cmd("SELECT INBOX").ok()
            client.logout()


@pytest.mark.parametrize("initial", [True, False], ids=["initial-response", "challenge"])
@pytest.mark.parametrize("mechanism", ["plain", "login"])
def test_sasl_sign_in(door, mechanism, initial):
    with door.client() as client:
        sign_in = getattr(client, f"authenticate_{mechanism}")
        if door.server.kind != "courier":  # which makes a wrong password wait for five seconds
            sign_in("u2", "wrong", initial=initial).no()
        sign_in("u2", door.server.users["u2"], initial=initial).ok()
        client.cmd("SELECT INBOX").ok()


def test_append_then_fetch_of_ten_megabytes_is_byte_exact(door):
    door.server.fill("u3", 0)
    data = message(1, 10 << 20)
    with door.client("u3") as client:
        client.append(data).ok()
        client.cmd("SELECT INBOX").ok()
        reply = client.cmd("FETCH 1 BODY.PEEK[]").ok()
        assert b"{%d}\r\n" % len(data) + data in reply.raw
        client.logout()
