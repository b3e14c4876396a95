"""Workers: a client is carried to its user's worker once, with all it has said."""

import threading

import pytest

from lib import process
from lib.imap import Client
from lib.process import wait_for
from lib.proxy import Proxy

pytestmark = pytest.mark.threads


@pytest.mark.parametrize("workers", [1, 4])
@pytest.mark.parametrize("kind", ["plain", "tls", "starttls"])
def test_users_are_served_whatever_worker_accepts_them(make_proxy, mail1, certificate, tls, workers, kind):
    """A signed-in stream is carried to its user's worker, TLS state and unread bytes with it."""
    proxy = make_proxy({"mail": mail1}, kinds=(kind,), certificate=certificate, workers=workers)

    def life(user):
        for _ in range(4):
            client = proxy.client(tls=tls if kind == "tls" else None)
            if kind == "starttls":
                client.starttls(tls)
            password = mail1.users[user]
            client.send(f'a LOGIN {user} "{password}"\r\nb SELECT INBOX\r\nc NOOP\r\nd LOGOUT\r\n')
            for tag in ("a", "b", "c", "d"):
                client.until(tag).ok()
            client.closed()
            client.close()
            done.append(user)

    done = []
    threads = [threading.Thread(target=life, args=(f"u{n}",)) for n in range(1, 13)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 48


@pytest.mark.parametrize("workers", [1, 4])
def test_a_user_has_one_home_and_one_pool_on_many_workers(make_proxy, mail1, workers):
    proxy = make_proxy({"mail": mail1}, workers=workers)
    mark = mail1.mark()
    for _ in range(20):
        proxy.session("u1", mail1.users["u1"], lambda client: client.cmd("NOOP").ok())
    assert len(mail1.logins("u1", mark)) == 1
    assert len({row["worker"] for row in proxy.events(msg="sign-in", user="u1")}) == 1


def test_parked_connections_are_closed_at_the_end(make_proxy, mail1):
    proxy = make_proxy({"mail": mail1})
    proxy.client("u17", mail1.users["u17"]).logout()
    wait_for(lambda: mail1.sessions("u17") == 1, "parked")
    proxy.stop()
    wait_for(lambda: mail1.sessions("u17") == 0, "closed")


def test_a_taken_port_is_told_and_nothing_runs(mux, mail1):
    other = Proxy({"mail": mail1}, kinds=())
    try:
        other.kinds = ()
        other.settings["listeners"] = []
        other._listeners = lambda: [{"address": f"127.0.0.1:{mux.ports['plain']}", "tls": "none"}]
        # SO_REUSEPORT must not let a second process take half of the first one's clients.
        other.start(ready=False)
        assert other.process.wait(process.SOON) != 0
        other._reader.join(5)
        assert "in use" in other.text(), other.text()
    finally:
        other.remove()


def test_many_sessions_at_once(make_proxy, mail1):
    """A smoke of several hundred signed-in sessions, all alive at the same time."""
    proxy = make_proxy({"mail": mail1}, workers=4,
                       limits={"sessions_per_user": 100})
    clients = []
    try:
        for n in range(200):
            user = f"u{n % 20 + 1}"
            clients.append(proxy.client(user, mail1.users[user]))
        for client in clients:
            client.tag_now = client.start("SELECT INBOX")
        for client in clients:
            client.until(client.tag_now).ok()
        for client in clients:
            client.logout()
    finally:
        for client in clients:
            client.close()


def test_listener_backlog_survives_a_burst(make_proxy, mail1):
    proxy = make_proxy({"mail": mail1}, workers=4)
    clients = [Client(proxy.address(), greet=False) for _ in range(300)]
    for client in clients:
        assert client.response().startswith(b"* OK")
    for client in clients:
        client.kill()
    with proxy.client("u1", mail1.users["u1"]) as client:
        client.cmd("NOOP").ok()
