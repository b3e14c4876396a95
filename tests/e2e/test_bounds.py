"""Nobody makes the proxy hold more than its bounds, and nobody waits for somebody else's sloth."""

import concurrent.futures
import socket
import threading
import time

import pytest

from lib.fake import Fake, GREETING, friendly, serve, sign_in
from lib.mail import message
from lib.process import SOON, wait_for
from lib.proxy import at_most


def slow_socket(client):
    client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)


def settled(measure, seconds=1.0):
    """A figure after it has stopped to grow."""
    last, end = measure(), time.monotonic() + 10
    while time.monotonic() < end:
        time.sleep(seconds)
        now = measure()
        if now == last:
            return now
        last = now
    return last


@pytest.mark.parametrize("kind", ["plain", "tls"])
def test_a_reader_that_stops_costs_the_high_water_mark_only(make_proxy, mail1, certificate, tls, kind):
    mail1.fill("u20", 1, size=20 << 20)
    proxy = make_proxy({"mail": mail1}, kinds=(kind,), certificate=certificate)
    options = {"tls": tls} if kind == "tls" else {}
    with proxy.client("u1", mail1.users["u1"], **options) as other:
        before = proxy.rss_kib()
        clients = []
        for _ in range(5):
            client = proxy.client("u20", mail1.users["u20"], **options)
            slow_socket(client)
            client.cmd("SELECT INBOX").ok()
            client.start("FETCH 1 BODY.PEEK[]")
            clients.append(client)
        after = settled(proxy.rss_kib)
        assert after - before < at_most(16 << 10), f"{before} -> {after} KiB for five stopped readers"
        other.cmd("NOOP").ok()
        # Nothing is lost for one that reads on.
        reply = clients[0].until("a3").ok()
        assert message(1, 20 << 20) in reply.raw
        for client in clients:
            client.kill()


def test_a_server_that_stops_reading_stops_the_client(make_proxy):
    stopped = threading.Event()

    def script(peer):
        peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        sign_in(peer)
        tag = peer.line().split()[0]
        peer.send(b"+ go\r\n")
        stopped.wait(SOON * 5)
        peer.exactly(20 << 20)
        peer.line()
        peer.send(tag + b" OK appended\r\n")
        serve(peer)

    with Fake(script) as server:
        proxy = make_proxy({"fake": server.where()})
        with proxy.client("u1", "secret") as client:
            before = proxy.rss_kib()
            client.send(b"a APPEND INBOX {%d}\r\n" % (20 << 20))
            client.challenge()
            sender = threading.Thread(target=client.sock.sendall, args=(b"x" * (20 << 20) + b"\r\n",))
            client.sock.settimeout(60)
            sender.start()
            after = settled(proxy.rss_kib)
            assert sender.is_alive(), "somebody swallowed 20 MB"
            assert after - before < at_most(8 << 10), f"{before} -> {after} KiB"
            stopped.set()
            sender.join()
            client.until("a").ok()


def test_a_client_that_pipelines_without_end_is_slowed_not_hoarded(make_proxy, mail1):
    mail1.fill("u20", 3, size=20000)
    proxy = make_proxy({"mail": mail1})
    with proxy.client("u20", mail1.users["u20"]) as client:
        slow_socket(client)
        client.cmd("SELECT INBOX").ok()
        before = proxy.rss_kib()
        lines = b"".join(b"p%d FETCH 1:3 BODY.PEEK[]\r\n" % n for n in range(20000))
        client.sock.settimeout(2)
        try:
            client.send(lines)
        except TimeoutError:
            pass
        assert settled(proxy.rss_kib) - before < at_most(8 << 10)
        client.kill()
    proxy.client("u20", mail1.users["u20"]).logout()


def test_one_long_transfer_does_not_delay_others(make_proxy, mail1):
    mail1.fill("u20", 1, size=20 << 20)
    proxy = make_proxy({"mail": mail1}, workers=1)
    with proxy.client("u1", mail1.users["u1"]) as other:
        stop = threading.Event()

        def load():
            with proxy.client("u20", mail1.users["u20"]) as client:
                client.cmd("SELECT INBOX").ok()
                while not stop.is_set():
                    client.cmd("FETCH 1 BODY.PEEK[]").ok()

        thread = threading.Thread(target=load)
        thread.start()
        try:
            for _ in range(50):
                other.cmd("NOOP").ok()
        finally:
            stop.set()
            thread.join()


def test_idle_timeout_of_a_session(make_proxy, mail1):
    proxy = make_proxy({"mail": mail1}, limits={"idle_timeout": "1s"})
    client = proxy.client("u1", mail1.users["u1"])
    assert b"* BYE" in client.rest()
    assert proxy.wait_event(msg="session end")["reason"] == "idle-timeout"


def test_S9_many_wrong_passwords_leave_the_victims_session_and_limits_alone(make_proxy, mail1):
    def script(peer):
        sign_in(peer)
        serve(peer)

    def strict(peer):

        peer.send(GREETING)
        line = peer.line()
        peer.send(line.split()[0] + b" NO wrong\r\n")
        peer.until_eof()

    with Fake(script, strict) as server:
        proxy = make_proxy({"fake": server.where()})
        proxy.client("u1", "right").logout()
        proxy.wait_event(msg="session end")
        before = proxy.rss_kib()

        def guess(stranger, number):
            with proxy.client() as client:
                for n in range(number):
                    client.login("u1", f"guess-{stranger}-{n}").no("AUTHENTICATIONFAILED")

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            guessing = [pool.submit(guess, stranger, 500) for stranger in range(20)]
            while not all(one.done() for one in guessing):
                with proxy.client("u1", "right") as victim, proxy.client("u1", "right") as again:
                    victim.cmd("NOOP").ok()
                    again.cmd("NOOP").ok()
                    again.logout()
                    victim.logout()
            for one in guessing:
                one.result()
        assert len(proxy.events(msg="sign-in failed")) == 10000
        signed_in = proxy.events(msg="sign-in")
        assert len(signed_in) > 3
        assert all(row["connection"] == "pooled" for row in signed_in[1:])
        assert proxy.rss_kib() - before < at_most(16 << 10)


def test_sessions_come_and_go_without_growing(make_proxy):
    with Fake(friendly) as server:
        proxy = make_proxy({"fake": server.where()})

        def round_of(count):
            for _ in range(count):
                with proxy.client("u1", "secret") as client:
                    client.cmd("SELECT INBOX").ok()
                    client.kill()
            return proxy.rss_kib()

        first = round_of(150)
        assert round_of(300) - first < at_most(2 << 10)


def test_memory_falls_back_after_a_flood_of_clients(make_proxy, mail1, certificate):
    proxy = make_proxy({"mail": mail1}, kinds=("plain", "tls"), certificate=certificate)
    clients = [proxy.client() for _ in range(300)]
    for client in clients:
        client.kill()
    wait_for(lambda: proxy.client("u1", mail1.users["u1"]).logout(), "service goes on")
