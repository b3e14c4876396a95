"""Connections that wait before sign-in: opened ahead, or left by one user for the next."""

import contextlib
import re
import socket
import threading

import pytest

from lib.cyrus import Cyrus
from lib.dovecot import Dovecot
from lib.fake import Fake, friendly
from lib.process import wait_for


def has_greeted(proxy):
    """What the server offers before sign-in is passed on once it has been heard."""
    with proxy.client() as client:
        return b" UNSELECT" in client.greeting


def test_a_first_sign_in_uses_a_spare(make_proxy):
    with Fake(friendly) as fake:
        # Each worker keeps spares of its own.
        proxy = make_proxy({"m": fake.where()}, pool={"spares": 2}, workers=1)
        fake.wait_connections(2)
        wait_for(lambda: has_greeted(proxy), "one of them is ready")
        assert fake.received() == b""
        with proxy.client("alice", "secret") as client:
            client.cmd("SELECT INBOX").ok()
            assert b"alice" not in fake.received()  # base64, by AUTHENTICATE
            assert sum(b"AUTHENTICATE" in peer.received for peer in fake.peers[:2]) == 1
            fake.wait_connections(3)
            client.logout()
        assert fake.connections() == 3


def test_spares_of_a_server_that_is_down_harm_nobody(make_proxy):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    proxy = make_proxy({"m": {"address": f"127.0.0.1:{port}", "tls": "none"}},
                       pool={"spares": 4})
    with proxy.client() as client:
        client.login("alice", "secret").no("UNAVAILABLE")


def test_the_server_knows_whose_spare_it_was(make_proxy, certificate):
    server = Dovecot(*certificate, trusted="127.0.0.0/8").start()
    try:
        proxy = make_proxy({"mail1": server}, pool={"spares": 1})
        mark = server.mark()
        with proxy.client("u1", server.users["u1"], source=("127.0.0.77", 0)) as client:
            client.cmd("SELECT INBOX").ok()
        assert "rip=127.0.0.77" in server.logins("u1", mark)[0]
    finally:
        server.remove()


def pump(source, sink):
    with contextlib.suppress(OSError):
        while (data := source.recv(65536)):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def forwarder(server):
    """A script of the fake server: everything goes to the real one. Its connections are counted."""

    def play(peer):
        with socket.create_connection(("127.0.0.1", server.plain)) as upstream:
            peer.sock.settimeout(None)
            there = threading.Thread(target=pump, args=(peer.sock, upstream), daemon=True)
            there.start()
            pump(upstream, peer.sock)
            there.join(5)

    return play


@pytest.fixture(scope="module")
def bosses(certificate):
    """A Cyrus whose users are administrators: to others it does not list UNAUTHENTICATE."""
    users = {"boss1": "secret-1", "boss2": "secret-2", "worker": "secret-3"}
    server = Cyrus(*certificate, users=users, admins="boss1 boss2").start()
    for count, user in enumerate(("boss1", "boss2"), start=2):
        with server.client(user) as client:
            client.cmd(f"CREATE user/{user}")
        server.fill(user, count)
    yield server
    server.remove()


def messages(client):
    reply = client.cmd("SELECT INBOX").ok()
    return int(re.search(rb"\* (\d+) EXISTS", reply.raw)[1])


def test_one_connection_serves_user_after_user(make_proxy, bosses):
    with Fake(forwarder(bosses)) as counted:
        # What one user leaves is for those who live on the same worker.
        proxy = make_proxy({"cyrus": counted.where(unauthenticate=True)},
                           log={"level": "debug"}, workers=1)
        asked = bosses.mark()
        visits = ["boss1", "boss2", "boss2", "boss1", "boss2"]
        for number, user in enumerate(visits, start=1):
            with proxy.client(user, bosses.users[user]) as client:
                if number == 1:
                    client.cmd("ENABLE QRESYNC").ok()
                assert messages(client) == (2 if user == "boss1" else 3)
                reply = client.cmd("STORE 1 +FLAGS (\\Deleted)").ok()
                # MODSEQ comes where CONDSTORE is enabled, and only there.
                assert (b"MODSEQ" in reply.raw) == (number == 1), reply.raw
                mark = proxy.mark()
                client.logout()
            proxy.wait_event(mark, msg="left by its user")
        assert counted.connections() == 1
        # The server itself has judged each of them.
        assert len(bosses.asked) - asked == len(visits)
        # A wrong password on such a connection is a wrong password.
        with proxy.client() as client:
            client.login("boss1", "secret-2").no("AUTHENTICATIONFAILED")
            client.login("boss1", "secret-1").ok()
            assert messages(client) == 2
            client.logout()


def test_who_is_no_administrator_is_parked_as_usual(make_proxy, bosses):
    with bosses.client("boss1") as client:
        client.cmd("CREATE user/worker")
    with Fake(forwarder(bosses)) as counted:
        proxy = make_proxy({"cyrus": counted.where(unauthenticate=True)},
                           log={"level": "debug"})
        for _ in range(3):
            with proxy.client("worker", bosses.users["worker"]) as client:
                messages(client)
                mark = proxy.mark()
                client.logout()
            proxy.wait_event(mark, msg="parked")
        assert counted.connections() == 1
        assert not proxy.events(msg="left by its user")


def test_clients_cannot_unauthenticate(make_proxy, bosses):
    with Fake(forwarder(bosses)) as counted:
        proxy = make_proxy({"cyrus": counted.where(unauthenticate=True)})
        with proxy.client("boss1", bosses.users["boss1"]) as client:
            assert b"UNAUTHENTICATE" not in client.cmd("CAPABILITY").ok().raw
            client.cmd("UNAUTHENTICATE").bad()
            messages(client)
        wait_for(lambda: proxy.events(msg="session end"), "the session has ended")
