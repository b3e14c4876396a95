"""What pooling did wrong elsewhere (up-imapproxy 1.2.8 before Dovecot), each with its proof that
nothing of one session reaches another here."""

import base64
import statistics
import time

import pytest

from lib.fake import Fake, friendly
from lib.imap import codes
from lib.process import wait_for

pytestmark = pytest.mark.threads


def pooled(proxy, server, user, mark):
    """Asserts that the sessions since the mark needed one sign-in at the server: the first one's."""
    assert len(server.logins(user, mark)) == 1, proxy.text()


def sign_in(mux, server, user):
    return mux.client(user, server.users[user])


def assert_fresh(client):
    """A command that is answered here, one that goes to the server: nothing but their answers."""
    reply = client.cmd("NOOP").ok()
    assert reply.untagged == [], reply.raw
    reply = client.cmd('LIST "" INBOX').ok()
    assert len(reply.untagged) == 1 and reply.find("* LIST "), reply.raw
    client.logout()


@pytest.mark.parametrize("sticky", ["ENABLE QRESYNC", "SELECT INBOX (CONDSTORE)", "FETCH 1 (MODSEQ)"])
def test_L1_enabled_extensions_do_not_reach_the_next_session(mux, mail1, sticky):
    mail1.fill("u1", 3)
    with sign_in(mux, mail1, "u1") as first:
        if "SELECT" not in sticky and "ENABLE" not in sticky:
            first.cmd("SELECT INBOX").ok()
        first.cmd(sticky)
        first.logout()
    with sign_in(mux, mail1, "u1") as second:
        reply = second.cmd("SELECT INBOX").ok()
        reply = second.cmd("STORE 2 +FLAGS (\\Deleted)").ok()
        assert reply.untagged == [b"* 2 FETCH (FLAGS (\\Deleted \\Recent))\r\n"] or \
            reply.untagged == [b"* 2 FETCH (FLAGS (\\Deleted))\r\n"], reply.raw
        reply = second.cmd("EXPUNGE").ok()
        assert reply.untagged == [b"* 2 EXPUNGE\r\n"], reply.raw
        second.logout()


@pytest.mark.parametrize("leave", ["logout", "close", "kill"])
def test_L2_selected_mailbox_does_not_reach_the_next_session(mux, mail1, leave):
    mail1.fill("u1", 2)
    first = sign_in(mux, mail1, "u1")
    first.cmd("SELECT INBOX").ok()
    getattr(first, leave)()
    mux.wait_event(msg="session end")
    with sign_in(mux, mail1, "u1") as second:
        second.cmd("FETCH 1 (FLAGS)").bad()
        second.cmd("SELECT INBOX").ok()
        second.logout()


@pytest.mark.parametrize("leave", ["close", "kill", "shut"])
def test_L3_answers_of_a_client_that_left_do_not_reach_the_next_session(mux, mail1, leave):
    mail1.fill("u1", 30, size=20000)
    first = sign_in(mux, mail1, "u1")
    first.cmd("SELECT INBOX").ok()
    first.send(b"".join(b"f%d FETCH %d BODY[]\r\n" % (n, n) for n in range(1, 31)))
    getattr(first, leave)()
    with sign_in(mux, mail1, "u1") as second:
        assert_fresh(second)


@pytest.mark.parametrize("leave", ["close", "kill", "shut"])
def test_L4_half_a_literal_does_not_eat_the_next_session(mux, mail1, leave):
    first = sign_in(mux, mail1, "u1")
    tag = first.start("APPEND INBOX {500}")
    first.challenge()
    first.send(b"twenty bytes of it  ")
    assert tag
    getattr(first, leave)()
    with sign_in(mux, mail1, "u1") as second:
        assert_fresh(second)


def test_L5_a_changed_password_ends_the_old_one_within_the_time_of_proof(make_proxy, mail1):
    proxy = make_proxy({"mail1": mail1}, pool={"credential_ttl": "2s"})
    old = mail1.users["u5"]
    proxy.session("u5", old)
    mail1.set_password("u5", "changed")
    try:
        # Every hit on the parked connection: none of them may prolong the proof's time.
        def refused():
            with proxy.client() as client:
                return client.login("u5", old).status == "NO"

        wait_for(refused, "the old password is refused", interval=0.2)
        with proxy.client() as client:
            client.login("u5", "changed").ok()
            client.logout()
    finally:
        mail1.set_password("u5", old)


def test_L5_the_new_password_works_at_once_and_ends_the_old_one(mux, mail1):
    old = mail1.users["u6"]
    mux.session("u6", old)
    mail1.set_password("u6", "changed")
    try:
        mux.session("u6", "changed")
        with mux.client() as client:
            client.login("u6", old).no("AUTHENTICATIONFAILED")
            client.login("u6", "changed").ok()
    finally:
        mail1.set_password("u6", old)


def test_L6_wrong_passwords_leave_the_parked_connection_alone(mux, mail1):
    mark = mail1.mark()
    mux.session("u7", mail1.users["u7"])
    for attempt in range(8):
        with mux.client() as stranger:
            stranger.login("u7", f"guess-{attempt}").no("AUTHENTICATIONFAILED")
    # Each guess was the server's to refuse, so that its own brute-force counters see it. It tells of them
    # when their connections have ended.
    wait_for(lambda: len(mail1.failures(mark)) >= 8, "Dovecot tells of the guesses")
    assert len(mail1.failures(mark)) == 8
    with sign_in(mux, mail1, "u7") as victim:
        victim.cmd("SELECT INBOX").ok()
        victim.logout()
    pooled(mux, mail1, "u7", mark)


@pytest.mark.parametrize("name", [
    b"u1 pw1\r\nZZ01 CAPABILITY\r\nA9 NOOP", b'u1" "x"\r\nZZ01 NOOP', b"u1\nZZ01 NOOP\n",
    b"{3}\r\nZZ01 NOOP", b"u1 {5+}\r\nZZ01 NOOP", b"\\", b'"', b"u1\x80\xff", b"u1\t", b""])
def test_L7_S5_no_name_or_password_becomes_a_second_command(make_proxy, name):
    with Fake(friendly) as server:
        proxy = make_proxy({"fake": server.where()})
        for user, secret in ((name, b"secret"), (b"u1", name)):
            with proxy.client() as client:
                client.send(b"x AUTHENTICATE LOGIN\r\n")
                client.challenge()
                client.send(base64.b64encode(user) + b"\r\n")
                if client.response().startswith(b"+"):
                    client.send(base64.b64encode(secret) + b"\r\n")
                    client.until(b"x")
                client.send(b"y NOOP\r\n")
                client.until(b"y")
        server.check()
        for peer in server.peers:
            # What the server understood as commands: nothing that began inside a name.
            assert b"\nZZ01" not in b"\n" + _without_literals(peer.received)


def _without_literals(stream):
    """The command lines of a stream, its literals taken out."""
    out = b""
    while (at := stream.find(b"}\r\n")) >= 0:
        start = stream.rfind(b"{", 0, at)
        digits = stream[start + 1:at].rstrip(b"+")
        size = int(digits) if digits.isdigit() else 0
        out += stream[:at + 3]
        stream = stream[at + 3 + size:]
    return out + stream


def test_L7_a_real_server_sees_one_odd_name_and_no_command(mux, mail1):
    name = b"u1 pw1\r\nZZ01 CAPABILITY\r\nA9 NOOP"
    mark = mail1.mark()
    with mux.client() as client:
        tag = client.start("AUTHENTICATE LOGIN")
        client.challenge()
        client.send(base64.b64encode(name) + b"\r\n")
        client.challenge()
        client.send(base64.b64encode(b"secret") + b"\r\n")
        client.until(tag).no()
        assert client.pending() == b""
        client.login("u1", mail1.users["u1"]).ok()
    assert not [line for line in mail1.since(mark) if "user=<u1>, method" in line
                and "Login" not in line], "the injected sign-in was tried"


def test_L8_a_pooled_sign_in_is_faster_than_the_server_itself(mux, mail1):
    def median(door):
        times = []
        for count in range(1, 16):
            with door.client() as client:
                client.cmd("CAPABILITY").ok()
                start = time.perf_counter()
                client.login("u8", mail1.users["u8"]).ok()
                times.append(time.perf_counter() - start)
                client.logout()
            if door is mux and count == 1:
                mux.wait_event(msg="parked")
        return statistics.median(times)

    mark = mail1.mark()
    pool, direct = median(mux), median(mail1)
    assert len(mail1.logins("u8", mark)) == 16
    assert pool < direct, f"pooled {pool * 1000:.2f} ms, direct {direct * 1000:.2f} ms"


def test_L9_capabilities_are_the_same_wherever_they_are_told(mux, mail1):
    with mux.client() as client:
        before = codes(client.greeting)
        assert before == client.capabilities()
        assert {"IMAP4rev1", "SASL-IR", "AUTH=PLAIN", "AUTH=LOGIN", "LITERAL+", "ID"} <= before
        assert not {"STARTTLS", "LOGINDISABLED", "XIMAPPROXY"} & before
        # To a client that asked before, the server tells the new ones in a line of their own.
        line, = client.login("u9", mail1.users["u9"]).ok().find("* CAPABILITY")
        fresh = set(line.decode().split()[2:])
        assert fresh == client.capabilities()
        client.logout()
    mux.wait_event(msg="parked")
    mark = mail1.mark()
    with mux.client() as client:
        assert codes(client.login("u9", mail1.users["u9"]).ok().tagged) == fresh
        assert client.capabilities() == fresh
    assert mail1.logins("u9", mark) == []
    with mail1.client("u9") as direct:
        told = direct.capabilities()
    gone = {"LOGIN-REFERRALS", "MAILBOX-REFERRALS", "URLAUTH", "URL-PARTIAL", "UNAUTHENTICATE",
            "COMPRESS=DEFLATE", "STARTTLS", "LOGINDISABLED", "SASL-IR", "LITERAL+", "LITERAL-", "ID"}
    assert told - gone == fresh - gone
    assert not [name for name in fresh if name.startswith("AUTH=")]
    assert not {"LOGIN-REFERRALS", "COMPRESS=DEFLATE", "STARTTLS", "LOGINDISABLED",
                "UNAUTHENTICATE"} & fresh
