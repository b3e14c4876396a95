"""Parked connections: when the next sign-in is served from one, and when it must not be. What a session
could leave to the next one is the matter of test_leaks.py."""

import threading
import time

import pytest

from lib.dovecot import Dovecot
from lib.fake import Fake, POST, friendly, serve, sign_in
from lib.process import SOON, wait_for


def sessions(proxy, server, user, count=2, work=None):
    """`count` sessions one after the other."""
    for _ in range(count):
        proxy.session(user, server.users[user], work)


@pytest.mark.threads
def test_logout_parks_and_the_next_sign_in_asks_no_server(module_proxies, server):
    proxy, mark = module_proxies(server), server.mark()
    sessions(proxy, server, "u1", 5)
    assert len(server.logins("u1", mark)) == 1


def test_parking_never_expunges(module_proxies, server):
    server.fill("u3", 5)
    proxy = module_proxies(server)

    def delete(client):
        client.cmd("SELECT INBOX").ok()
        client.cmd("STORE 1:3 +FLAGS (\\Deleted)").ok()

    sessions(proxy, server, "u3", 2, delete)
    for leave in ("close", "kill", "shut"):
        client = proxy.client("u3", server.users["u3"])
        delete(client)
        before = len(proxy.events(msg="session end"))
        getattr(client, leave)()
        proxy.wait_event(msg="session end", count=before + 1)
    with server.client("u3") as direct:
        assert b"* 5 EXISTS\r\n" in direct.cmd("SELECT INBOX").ok().untagged


@pytest.mark.threads
def test_wrong_password_is_asked_at_the_server_on_a_connection_of_its_own(module_proxies, server):
    guesses = ["", "x", server.users["u5"] + "x", server.users["u5"][:-1]]
    if server.kind == "courier":
        del guesses[2:]  # it makes each wrong password wait for five seconds
    proxy, mark = module_proxies(server), server.mark()
    sessions(proxy, server, "u5", 1)
    for guess in guesses:
        with proxy.client() as client:
            client.login("u5", guess).no("AUTHENTICATIONFAILED")
    # An empty password is no server's business. Dovecot writes of a failure when the connection has ended.
    wait_for(lambda: len(server.failures(mark)) >= len(guesses) - 1, "the server has judged the others")
    sessions(proxy, server, "u5", 1)
    assert len(server.logins("u5", mark)) == 1


def test_S8_the_same_password_of_another_user_opens_nothing(make_proxy, certificate):
    server = Dovecot(*certificate, users={"a": "same", "ab": "same", "a b": "same", "A": "other"}).start()
    try:
        proxy = make_proxy({"mail": server})
        server.fill("a", 1)
        sessions(proxy, server, "a", 1)
        for user in ("ab", "a b"):
            mark = server.mark()
            with proxy.client(user, "same") as client:
                assert b"* 0 EXISTS\r\n" in client.cmd("SELECT INBOX").ok().untagged
                client.logout()
            assert len(server.logins(user, mark)) == 1
        with proxy.client() as client:
            client.login("A", "same").no()
    finally:
        server.remove()


def test_two_sessions_at_once_have_two_connections(mux, mail1):
    mark = mail1.mark()
    with mux.client("u6", mail1.users["u6"]) as one, mux.client("u6", mail1.users["u6"]) as two:
        one.cmd("SELECT INBOX").ok()
        two.cmd("FETCH 1 FLAGS").bad()
        two.cmd("SELECT INBOX").ok()
        wait_for(lambda: mail1.sessions("u6") == 2, "the server has two sessions")
        one.logout()
        two.logout()
    assert len(mail1.logins("u6", mark)) == 2


def test_idle_timeout_closes_a_parked_connection(make_proxy, mail1):
    proxy = make_proxy({"mail": mail1}, pool={"idle_timeout": "1s"})
    sessions(proxy, mail1, "u7", 1)
    wait_for(lambda: mail1.sessions("u7") == 0, "the server loses the parked connection")
    mark = mail1.mark()
    sessions(proxy, mail1, "u7", 1)
    assert len(mail1.logins("u7", mark)) == 1


def test_max_lifetime_ends_reuse(make_proxy, mail1):
    proxy = make_proxy({"mail": mail1}, pool={"max_lifetime": "2s"})
    mark = mail1.mark()

    def again():
        sessions(proxy, mail1, "u8", 1)
        return len(mail1.logins("u8", mark)) >= 2

    wait_for(again, "a connection is too old to be used again", interval=0.2)


def test_max_idle_per_user_bounds_what_is_parked(make_proxy, mail1):
    proxy = make_proxy({"mail": mail1}, pool={"max_idle_per_user": 2})
    clients = [proxy.client("u9", mail1.users["u9"]) for _ in range(5)]
    for client in clients:
        client.cmd("SELECT INBOX").ok()  # each holds a server connection of its own
    for client in clients:
        client.logout()
    # All five have been parked, and that was one too many three times.
    proxy.wait_event(msg="parked", count=5)
    proxy.wait_event(msg="server connection closed", reason="pool-full", count=3)
    wait_for(lambda: mail1.sessions("u9") == 2, "two of five stay")
    assert len(proxy.events(msg="server connection closed")) == 3


def test_max_idle_bounds_what_all_users_park(make_proxy, mail1):
    proxy = make_proxy({"mail": mail1}, pool={"max_idle": 3})
    users = [f"u{n}" for n in range(13, 21)]
    for user in users:
        sessions(proxy, mail1, user, 1)
    wait_for(lambda: sum(mail1.sessions(user) for user in users) <= 3, "three stay")


def test_pool_switched_off_signs_in_each_time(make_proxy, mail1):
    proxy = make_proxy({"mail": mail1}, pool={"enabled": False})
    mark = mail1.mark()
    sessions(proxy, mail1, "u10", 3)
    assert len(mail1.logins("u10", mark)) == 3
    wait_for(lambda: mail1.sessions("u10") == 0, "nothing stays")


@pytest.mark.threads
def test_a_kicked_parked_connection_is_dropped_and_the_next_sign_in_works(mux, mail1):
    sessions(mux, mail1, "u11", 1)
    mail1.kick("u11")
    wait_for(lambda: mail1.sessions("u11") == 0, "kicked")
    mux.wait_event(msg="server connection closed", state="parked")
    mark = mail1.mark()
    sessions(mux, mail1, "u11", 2)
    assert len(mail1.logins("u11", mark)) == 1


def test_a_kick_in_a_session_is_passed_on_and_nothing_is_parked(mux, mail1):
    with mux.client("u12", mail1.users["u12"]) as client:
        client.cmd("SELECT INBOX").ok()
        tag = client.idle()
        assert tag
        mail1.kick("u12")
        rest = client.rest()
        assert rest.startswith(b"* BYE"), rest
    mark = mail1.mark()
    sessions(mux, mail1, "u12", 1)
    assert len(mail1.logins("u12", mark)) == 1


def test_a_restarted_server_costs_parked_connections_only(make_proxy, certificate):
    server = Dovecot(*certificate).start()
    try:
        proxy = make_proxy({"mail": server})
        sessions(proxy, server, "u1", 2)
        server.stop()
        proxy.wait_event(msg="server connection closed", state="parked")
        with proxy.client() as client:
            client.login("u1", server.users["u1"]).no("UNAVAILABLE")
            server.resume()
            client.login("u1", server.users["u1"]).ok()
            client.cmd("SELECT INBOX").ok()
            client.logout()
    finally:
        server.remove()


def test_check_after_asks_a_connection_that_rested_long(make_proxy):
    """NOOP before lending; the client's sign-in is not lost when the connection turns out dead."""
    def dies_at_noop(peer):
        sign_in(peer)
        noops = 0
        while True:
            line = peer.line()
            tag, _, word = line.strip().partition(b" ")
            if word.upper().startswith(b"NOOP"):
                noops += 1
                if noops == 2:  # the first is the barrier of parking
                    return
            peer.send(tag + b" OK done\r\n")

    with Fake(dies_at_noop, friendly) as server:
        proxy = make_proxy({"fake": server.where()}, pool={"check_after": "100ms"})
        proxy.session("u1", "secret")
        proxy.wait_event(msg="parked")
        rested = time.monotonic() + 0.1
        wait_for(lambda: time.monotonic() > rested, "check_after is over")
        with proxy.client("u1", "secret") as client:
            reply = client.cmd("NAMESPACE").ok()
            assert reply.untagged == []
            client.logout()
        assert server.connections() == 2


def nothing(client):
    """For a script that knows the barrier only."""
    del client


@pytest.mark.parametrize("unasked", [
    b"* OK still here\r\n", b"* 5 EXISTS\r\n", b"* BYE idle\r\n", b"x", b"* CAPABILITY IMAP4rev1\r\n",
    b"+ \r\n", b"a1 OK late\r\n"])
def test_anything_said_on_a_parked_connection_drops_it(make_proxy, unasked):
    is_parked = threading.Event()

    def talks(peer):
        sign_in(peer)
        tag = peer.line().split(b" ")[0]  # the barrier
        peer.send(tag + b" OK done\r\n")
        assert is_parked.wait(SOON)
        peer.send(unasked)
        peer.until_eof()

    with Fake(talks, friendly) as server:
        proxy = make_proxy({"fake": server.where()})
        proxy.session("u1", "secret", nothing)
        proxy.wait_event(msg="parked")
        is_parked.set()
        proxy.wait_event(msg="server connection closed", state="parked")
        with proxy.client("u1", "secret") as client:
            assert client.cmd('LIST "" INBOX').ok().untagged == []
        assert server.connections() == 2


@pytest.mark.parametrize("answer", [b"%s NO no\r\n", b"%s BAD bad\r\n", b"* BYE x\r\n", b"other OK done\r\n",
                                    b"%s OK done\r\nmore", b""])
def test_a_barrier_that_is_not_passed_cleanly_parks_nothing(make_proxy, answer):
    def odd(peer):
        sign_in(peer)
        tag = peer.line().split(b" ")[0]
        peer.send(answer % tag if b"%s" in answer else answer)
        if not answer:
            return
        peer.until_eof()

    with Fake(odd, friendly) as server:
        proxy = make_proxy({"fake": server.where()})
        proxy.session("u1", "secret", nothing)
        wait_for(lambda: server.peers and b"\r\n" in server.peers[0].received, "barrier")
        proxy.wait_event(msg="session end")
        wait_for(lambda: not server._threads[0].is_alive(), "closed")
        with proxy.client("u1", "secret") as client:
            assert client.cmd('LIST "" INBOX').ok().untagged == []
        assert server.connections() == 2


def test_a_parked_connection_serves_the_capabilities_of_its_sign_in_again(make_proxy):
    def script(word):
        def play(peer):
            sign_in(peer, capabilities=POST + word)
            serve(peer)
        return play

    with Fake(script(b" XFIRST"), script(b" XSECOND")) as server:
        proxy = make_proxy({"fake": server.where()})
        for count in range(1, 4):
            with proxy.client() as client:
                reply = client.login("u1", "secret").ok()
                assert "XFIRST" in reply.text and "XSECOND" not in reply.text
                client.cmd("NAMESPACE").ok()
                client.logout()
            proxy.wait_event(msg="parked", count=count)


def test_credentials_are_proved_anew_after_credential_ttl(make_proxy, mail1):
    proxy = make_proxy({"mail": mail1}, pool={"credential_ttl": "1s"})
    mark = mail1.mark()

    def proved():
        sessions(proxy, mail1, "u13", 1)
        return len(mail1.logins("u13", mark)) >= 2

    wait_for(proved, "the server is asked again", interval=0.2)


def test_a_limit_of_the_server_is_met_by_giving_up_a_parked_connection(make_proxy, certificate, tls):
    """mail_max_userip_connections counts parked ones too: the proxy must not lock its users out."""
    server = Dovecot(*certificate, userip=2).start()
    try:
        proxy = make_proxy({"mail": server}, kinds=("plain", "tls"), certificate=certificate)
        one, two = (proxy.client("u1", server.users["u1"]) for _ in range(2))
        one.cmd("SELECT INBOX").ok()
        two.cmd("SELECT INBOX").ok()
        one.logout()
        two.logout()
        # What was proved in clear does not answer inside TLS: a third connection is needed.
        wait_for(lambda: server.sessions("u1") == 2, "two parked")
        with proxy.client(kind="tls", tls=tls) as client:
            client.login("u1", server.users["u1"]).ok()
            client.logout()
    finally:
        server.remove()
