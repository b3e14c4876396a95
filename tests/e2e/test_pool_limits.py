"""Limits on connections to servers: never exceeded, waited for, told honestly."""

import contextlib
import threading

import pytest

from lib.fake import Fake, serve, sign_in

pytestmark = pytest.mark.threads


class Counted:
    """A friendly server that knows how many connections it had at the same time."""

    def __init__(self):
        self.now = self.most = 0
        self.lock = threading.Lock()

    def __call__(self, peer):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            sign_in(peer)
            serve(peer)
        finally:
            with self.lock:
                self.now -= 1


@pytest.mark.parametrize("workers", [1, 3])
def test_max_connections_holds_for_all_workers(make_proxy, workers):
    counted = Counted()
    with Fake(counted) as fake:
        proxy = make_proxy({"m": fake.where(max_connections=3)}, workers=workers,
                           pool={"queue_timeout": "30s"})
        failures = []

        def visit(user):
            try:
                for _ in range(3):
                    with proxy.client(user, "secret") as client:
                        client.cmd("SELECT INBOX").ok()
                        client.logout()
            except AssertionError as error:
                failures.append(error)

        threads = [threading.Thread(target=visit, args=(f"user{n}",)) for n in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures
        assert counted.most <= 3


def test_max_per_user_is_waited_for(make_proxy, mail1):
    """The third client of a user waits for a place, another user does not wait."""
    proxy = make_proxy({"mail1": mail1}, pool={"max_per_user": 2, "queue_timeout": "30s"})
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(proxy.client("u1", mail1.users["u1"])) for _ in range(2)]
        for client in held:
            client.cmd("SELECT INBOX").ok()
        third = stack.enter_context(proxy.client())
        tag = third.start(f"LOGIN u1 {mail1.users['u1']}")
        with proxy.client("u2", mail1.users["u2"]) as other:
            other.cmd("SELECT INBOX").ok()
        held[0].logout()
        third.until(tag).ok()
        third.cmd("SELECT INBOX").ok()


def test_who_waited_too_long_is_told_so(make_proxy, mail1):
    proxy = make_proxy({"mail1": mail1}, pool={"max_per_user": 1, "queue_timeout": "300ms"})
    with proxy.client("u1", mail1.users["u1"]) as first:
        first.cmd("SELECT INBOX").ok()
        with proxy.client() as second:
            reply = second.login("u1", mail1.users["u1"])
            if reply.status == "OK":
                # Accepted by its proof: the connection is wanted only now.
                reply = second.cmd("SELECT INBOX")
            reply.no("LIMIT")
            mark = proxy.mark()
            first.logout()
            proxy.wait_event(mark, msg="parked")
            with proxy.client("u1", mail1.users["u1"]) as third:
                third.cmd("SELECT INBOX").ok()


def test_limit_of_the_server_itself(make_proxy):
    """Dovecot's mail_max_userip_connections is met by other proxies, too: what is parked makes room."""
    lock = threading.Lock()
    signed_in = set()

    def limited(peer):
        """One connection a user at a time."""
        peer.send(b"* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN UNSELECT ENABLE QRESYNC] ready\r\n")
        line = peer.line()
        while b"AUTHENTICATE" not in line:
            peer.send(line.split()[0] + b" OK done\r\n")
            line = peer.line()
        with lock:
            is_full = bool(signed_in)
            if not is_full:
                signed_in.add(peer)
        if is_full:
            peer.send(line.split()[0] + b" NO [LIMIT] Maximum number of connections exceeded\r\n")
            return
        peer.send(line.split()[0] + b" OK [CAPABILITY IMAP4rev1 UNSELECT ENABLE QRESYNC] in\r\n")

        def enable(peer, tag):
            peer.send(b"* ENABLED QRESYNC\r\n" + tag + b" OK done\r\n")

        serve(peer, {"ENABLE": enable})
        with lock:
            signed_in.discard(peer)

    with Fake(limited) as fake:
        proxy = make_proxy({"m": fake.where()})
        for n in range(4):
            with proxy.client("user", "secret") as client:
                if n % 2 == 0:
                    client.cmd("ENABLE QRESYNC").ok()
                else:
                    client.cmd("SELECT INBOX").ok()
                client.logout()
            proxy.wait_event(msg="session end", count=n + 1)
