"""Few server connections for many clients: a session holds one only while it needs one."""

import random

import pytest

from lib.mail import message
from lib.process import wait_for

BOXES = 6


@pytest.fixture(scope="module")
def boxes(mail1):
    """Mailboxes box0 .. box5 of u17, with as many messages as their number says."""
    with mail1.client("u17") as client:
        for number in range(BOXES):
            client.cmd(f"CREATE box{number}")
            for _ in range(number):
                client.append(message(1), f"box{number}").ok()
        client.logout()


@pytest.fixture
def nobody_yet(mail1, boxes):
    """Dovecot forgets connections of u17 later than it closes them; then those of the test are all."""
    wait_for(lambda: mail1.sessions("u17") == 0, "those of earlier tests have gone")


@pytest.mark.threads
@pytest.mark.usefixtures("nobody_yet")
def test_a_hundred_clients_share_five_connections(make_proxy, mail1):
    """All poll STATUS at once, in any order; each gets the answers to its own questions."""
    proxy = make_proxy({"mail": mail1}, limits={"sessions_per_user": 200},
                       pool={"max_per_user": 5, "max_idle_per_user": 5, "queue_timeout": "60s"})
    password, chance = mail1.users["u17"], random.Random(17)
    mark = mail1.mark()
    clients = [proxy.client("u17", password) for _ in range(100)]
    try:
        most = 0
        for _ in range(8):
            asked = {}
            chance.shuffle(clients)
            for client in clients:
                number = chance.randrange(BOXES)
                asked[client] = (client.start(f"STATUS box{number} (MESSAGES)"), number)
            chance.shuffle(clients)
            for client in clients:
                tag, number = asked[client]
                reply = client.until(tag).ok()
                line, = reply.find("STATUS")
                assert f"MESSAGES {number})".encode() in line
                assert f"box{number} ".encode() in line
            most = max(most, mail1.sessions("u17"))
        assert 1 <= most <= 5
        assert len(mail1.logins("u17", mark)) <= 5
    finally:
        for client in clients:
            client.close()


def test_a_session_in_no_mailbox_gives_its_connection_back(make_proxy, mail1, boxes):
    """And takes one again for the next command, without the client noticing."""
    proxy = make_proxy({"mail": mail1})
    with proxy.client("u17", mail1.users["u17"]) as client:
        client.cmd("STATUS box2 (MESSAGES)").ok()
        proxy.wait_event(msg="parked")
        # Another session uses it meanwhile.
        mark = mail1.mark()
        with proxy.client("u17", mail1.users["u17"]) as other:
            other.cmd("SELECT box3").ok()
            other.logout()
        reply = client.cmd("STATUS box2 (MESSAGES)").ok()
        assert b"MESSAGES 2)" in reply.raw
        client.cmd("FETCH 1 FLAGS").bad()
        assert len(mail1.logins("u17", mark)) <= 1


def test_what_needs_no_server_is_answered_without_one(make_proxy, mail1, boxes):
    proxy = make_proxy({"mail": mail1})
    password = mail1.users["u17"]
    proxy.session("u17", password)
    with mail1.client("u17") as direct:
        listed = direct.capabilities()
        own_id = direct.cmd("ID NIL").ok().find("ID")
        assert own_id and b"NIL" not in own_id[0]
    mark = mail1.mark()
    with proxy.client("u17", password) as client:
        shown = client.capabilities()
        assert {"IMAP4rev1", "IDLE"} <= shown and shown - {"LITERAL+", "ID", "SASL-IR"} <= listed
        assert client.cmd("NOOP").ok().untagged == []
        assert client.cmd("ID NIL").ok().find("ID") == own_id
        for line in ("FETCH 1 FLAGS", "UID FETCH 1 FLAGS", "EXPUNGE", "CLOSE", "SEARCH ALL", "CHECK"):
            client.cmd(line).bad()
        client.done(client.idle())
        client.logout()
    assert mail1.logins("u17", mark) == []
    proxy.wait_event(msg="session end", kept="none")


@pytest.mark.parametrize("extension", ["CONDSTORE", "QRESYNC"])
def test_enabled_sessions_meet_only_their_own_kind(make_proxy, mail1, extension):
    """Parked by class: what one session enabled comes back to sessions that enable the same."""
    mail1.fill("u18", 3)
    proxy = make_proxy({"mail": mail1})
    password = mail1.users["u18"]

    def enabling(client):
        line, = client.cmd(f"ENABLE {extension}").ok().find("ENABLED")
        assert extension.encode() in line
        client.cmd("SELECT INBOX").ok()

    def plain(client):
        client.cmd("SELECT INBOX").ok()
        assert b"MODSEQ" not in client.cmd("STORE 1 +FLAGS (\\Seen)").raw
        assert b"MODSEQ" not in client.cmd("STORE 1 -FLAGS (\\Seen)").raw

    proxy.session("u18", password, enabling)
    proxy.session("u18", password, plain)
    mark = mail1.mark()
    for work in (enabling, plain, plain, enabling, enabling, plain):
        proxy.session("u18", password, work)
    # Both kinds are parked by now: nobody signs in any more.
    assert mail1.logins("u18", mark) == []


@pytest.mark.usefixtures("nobody_yet")
def test_a_waiting_session_is_served_when_another_leaves_its_mailbox(make_proxy, mail1):
    proxy = make_proxy({"mail": mail1}, pool={"max_per_user": 1, "queue_timeout": "30s"})
    password = mail1.users["u17"]
    with proxy.client("u17", password) as one, proxy.client("u17", password) as two:
        one.cmd("SELECT box1").ok()
        tag = two.start("STATUS box4 (MESSAGES)")
        assert two.pending(0.2) == b""
        one.cmd("UNSELECT").ok()
        assert b"MESSAGES 4)" in two.until(tag).ok().raw
        assert mail1.sessions("u17") <= 1
        one.logout()
        two.logout()


def test_who_waits_too_long_is_told_the_truth(make_proxy, mail1, boxes):
    proxy = make_proxy({"mail": mail1}, pool={"max_per_user": 1, "queue_timeout": "300ms"})
    password = mail1.users["u17"]
    with proxy.client("u17", password) as one, proxy.client("u17", password) as two:
        one.cmd("SELECT box1").ok()
        two.cmd("STATUS box4 (MESSAGES)").no("LIMIT")
        assert two.cmd("NOOP").ok()
        one.cmd("UNSELECT").ok()
        wait_for(lambda: two.cmd("STATUS box4 (MESSAGES)").status == "OK", "two is served")


def test_a_webmail_is_told_of_a_reused_connection_if_it_is_wanted(make_proxy, mail1):
    """Horde reads XPROXYREUSE and skips its start-up commands; up-imapproxy says it always."""
    password = mail1.users["u18"]
    told = make_proxy({"mail": mail1}, capabilities={"tell_reuse": True})
    silent = make_proxy({"mail": mail1})
    for proxy, expected in ((told, True), (silent, False)):
        with proxy.client() as client:
            assert (b"XIMAPPROXY" in client.greeting) == expected
            assert "XPROXYREUSE" not in client.login("u18", password).ok().text
            client.cmd("SELECT INBOX").ok()
            client.logout()
        proxy.wait_event(msg="parked")
        with proxy.client() as client:
            reply = client.login("u18", password).ok()
            assert (b" OK [XPROXYREUSE] " in reply.tagged) == expected
            assert b"CAPABILITY IMAP4rev1" in reply.raw
            assert ("XIMAPPROXY" in client.capabilities()) == expected
            client.logout()
