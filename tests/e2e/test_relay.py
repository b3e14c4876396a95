"""A signed-in session passes unchanged in both directions, whatever the server can do."""

import pytest

from lib.dovecot import Dovecot
from lib.imap import mask
from lib.mail import message

# Commands that any server answers; {box} is a mailbox of its own, emptied before each run.
COMMON = [
    "NAMESPACE", 'LIST "" %', 'LSUB "" *', "SUBSCRIBE {box}", "UNSUBSCRIBE {box}",
    "STATUS {box} (MESSAGES UIDNEXT UNSEEN RECENT)", "SELECT {box}",
    "FETCH 1:* (FLAGS RFC822.SIZE ENVELOPE)", "FETCH 1 BODYSTRUCTURE",
    "FETCH 2 (BODY.PEEK[HEADER.FIELDS (SUBJECT FROM)] BODY.PEEK[TEXT])",
    "FETCH 3 BODY.PEEK[]<0.1024>", "FETCH 3 BODY.PEEK[]<100000.10>", "UID FETCH 1:* (UID FLAGS)",
    "STORE 1 +FLAGS (\\Seen)", "STORE 1:3 FLAGS.SILENT (\\Flagged)", "SEARCH ALL",
    'SEARCH SUBJECT "odd"', "UID SEARCH FLAGGED", "COPY 1 {box}", "NOOP", "CHECK",
    "STORE 2 +FLAGS (\\Deleted)", "EXPUNGE", "FETCH 99 FLAGS", "NOSUCHCOMMAND", "FETCH",
    "SELECT {box}.none", "EXAMINE {box}", "CLOSE", "NOOP",
]

# What only some of them can; each answers the rest in its own way, which must pass as well.
EXTENSIONS = [
    "SELECT {box}", "SORT (REVERSE SUBJECT) UTF-8 ALL", "THREAD REFERENCES UTF-8 ALL",
    "SEARCH RETURN (MIN MAX COUNT ALL) ALL", "SEARCH RETURN (SAVE) ALL", "FETCH $ UID",
    "FETCH 1 BINARY.PEEK[1]", "FETCH 1 BINARY.SIZE[1]", "MOVE 1 {box}", "UID EXPUNGE 1:2",
    'LIST "" * RETURN (STATUS (MESSAGES))', "GETQUOTAROOT {box}", "MYRIGHTS {box}",
    "FETCH 1 PREVIEW", "FETCH 1 SAVEDATE", "ENABLE CONDSTORE", "FETCH 1:* (FLAGS) (CHANGEDSINCE 1)",
    "STORE 1 (UNCHANGEDSINCE 1) +FLAGS (\\Answered)", "STATUS {box} (HIGHESTMODSEQ)",
    "ENABLE QRESYNC", "SELECT {box} (QRESYNC (1 1 1:10))", "ENABLE UTF8=ACCEPT", "UNSELECT",
    "UNSELECT", 'NOTIFY SET (SELECTED (MessageNew MessageExpunge))', "NOTIFY NONE",
    'SETMETADATA {box} (/private/comment "x")', 'GETMETADATA {box} /private/comment',
]

ODD_SUBJECT = (b'Subject: odd "quoted" {5} (\\ \xc3\xa9 * 1 EXPUNGE\r\nFrom: "a\\"b {9}" <x@y>\r\n'
               b"Message-ID: <odd@example.org>\r\nDate: Mon, 03 Mar 2025 10:00:00 +0000\r\n\r\n"
               b"x1 OK done\r\n)\r\n* BYE\r\n{3}\r\n")


def box_of(server):
    return "INBOX.relay" if server.kind == "courier" else "relay"


def prepare(server, user):
    """The same three messages in a new mailbox."""
    box = box_of(server)
    with server.client(user) as client:
        client.cmd(f"DELETE {box}")
        client.cmd(f"CREATE {box}").ok()
        for data in (message(1), ODD_SUBJECT, message(3, 5000)):
            client.append(data, box).ok()
        client.logout()
    return box


def transcript(client, box, script):
    """Every response to the script, masked where two equal sessions differ."""
    return [mask(client.cmd(command.replace("{box}", box)).raw) for command in script]


@pytest.mark.threads
@pytest.mark.parametrize("script", [COMMON, EXTENSIONS], ids=["common", "extensions"])
def test_a_session_is_the_same_byte_for_byte(make_proxy, server, script):
    proxy = make_proxy({"mail": server})
    box = prepare(server, "u10")
    with server.client("u10") as direct:
        expected = transcript(direct, box, script)
    prepare(server, "u10")
    with proxy.client("u10", server.users["u10"]) as client:
        got = transcript(client, box, script)
    for command, want, have in zip(script, expected, got):
        assert have == want, command


@pytest.mark.threads
def test_two_clients_see_each_others_flags_expunges_and_new_mail(door):
    door.server.fill("u11", 3)
    with door.client("u11") as one, door.client("u11") as two:
        one.cmd("SELECT INBOX").ok()
        two.cmd("SELECT INBOX").ok()
        one.cmd("STORE 2 +FLAGS (\\Answered)").ok()
        line, = two.cmd("NOOP").ok().find(" FETCH ")
        assert line.startswith(b"* 2 FETCH ") and b"\\Answered" in line
        tag = two.idle()
        one.append(message(4)).ok()
        line = two.response()
        while b" EXISTS" not in line:
            line = two.response()
        assert line == b"* 4 EXISTS\r\n"
        two.done(tag).ok()
        one.cmd("STORE 1 +FLAGS.SILENT (\\Deleted)").ok()
        one.cmd("EXPUNGE").ok()
        assert b"* 1 EXPUNGE\r\n" in two.cmd("NOOP").ok().untagged
        one.cmd("LOGOUT").ok()
        two.cmd("LOGOUT").ok()


def test_partial_fetch_returns_exactly_the_piece(door):
    door.server.fill("u12", 1, size=3000)
    whole = message(1, 3000)
    with door.client("u12") as client:
        client.cmd("SELECT INBOX").ok()
        for start, size in ((0, 1024), (1024, 1024), (2990, 100), (99999, 10)):
            part = whole[start:start + size]
            reply = client.cmd(f"FETCH 1 BODY.PEEK[]<{start}.{size}>").ok()
            literal = b"BODY[]<%d> {%d}\r\n" % (start, len(part)) + part
            # An empty piece is "" before Cyrus and Courier, {0} before Dovecot.
            assert literal in reply.raw or (part == b"" and b'<%d> ""' % start in reply.raw), reply


@pytest.fixture(scope="module", params=["dovecot", "cyrus"])
def sharing(request, certificate, cyrus):
    """(server, name of u2's mailbox "team" for others). Courier shares by files of the operator."""
    if request.param == "cyrus":
        yield cyrus, '"Other Users/u2/team"'
        return
    dovecot = Dovecot(*certificate, shared=True).start()
    yield dovecot, "shared/u2/team"
    dovecot.remove()


def test_shared_mailbox_by_acl(make_proxy, sharing):
    server, name = sharing
    proxy = make_proxy({"mail": server})
    with proxy.client("u2", server.users["u2"]) as owner:
        owner.cmd("CREATE team")
        owner.cmd("SETACL team u1 lrs").ok()
        owner.append(message(1), "team").ok()
        with proxy.client("u1", server.users["u1"]) as guest:
            reply = guest.cmd(f"SELECT {name}").ok()
            assert b"* 1 EXISTS\r\n" in reply.untagged
            assert message(1) in guest.cmd("FETCH 1 BODY.PEEK[]").ok().raw
            guest.append(message(2), name).no()
            owner.append(message(3), "team").ok()
            assert b"* 2 EXISTS\r\n" in guest.cmd("NOOP").ok().untagged
            guest.logout()
        owner.cmd("SETACL team u1 \"\"").ok()
        with proxy.client("u1", server.users["u1"]) as guest:
            reply = guest.cmd(f"SELECT {name}")
            # Dovecot keeps the rights it read for half a minute in each connection, pooled or not.
            assert server.kind == "dovecot" or reply.status == "NO"
            guest.logout()
        with proxy.client("u3", server.users["u3"]) as stranger:
            stranger.cmd(f"SELECT {name}").no()


def test_pipelined_commands_are_answered_once_each(door):
    door.server.fill("u13", 5)
    with door.client("u13") as client:
        client.cmd("SELECT INBOX").ok()
        client.send(b"p1 FETCH 1:5 BODY.PEEK[]\r\np2 NOOP\r\np3 FETCH 2 FLAGS\r\np4 SEARCH ALL\r\n"
                    b"p5 STATUS INBOX (MESSAGES)\r\n")
        # Servers may finish them in another order: what counts is that each finishes once.
        left = {b"p1", b"p2", b"p3", b"p4", b"p5"}
        while left:
            tag = client.response().split(b" ", 1)[0]
            if tag != b"*":
                left.remove(tag)
        client.logout()


@pytest.mark.parametrize("plus", ["", "+"], ids=["synchronising", "non-synchronising"])
def test_literals_in_any_argument(door, plus):
    with door.client("u14") as client:
        if plus and door.server.kind == "courier" and not door.proxy:
            client.send(b"q CREATE {5+}\r\n")
            client.until("q").bad()  # it has no LITERAL+; the proxy adds it
            return
        box = box_of(door.server).encode() + b"-lit"
        client.cmd(b"DELETE " + box)
        for verb in (b"CREATE ", b"SELECT ", b"EXAMINE ", b"DELETE "):
            tag = client.tag().encode()
            header = b"{%d%s}\r\n" % (len(box), plus.encode())
            client.send(tag + b" " + verb + header)
            if not plus:
                client.challenge()
            client.send(box + b"\r\n")
            client.until(tag).ok()
            if verb == b"EXAMINE ":
                client.cmd("CLOSE").ok()
        client.logout()


def test_done_in_lower_case_and_glued_to_the_next_command(door):
    with door.client("u14") as client:
        client.cmd("SELECT INBOX").ok()
        tag = client.idle()
        client.send("done\r\nq NOOP\r\nr NOOP\r\n")
        client.until(tag).ok()
        client.until("q").ok()
        client.until("r").ok()
        client.logout()


def refused_by_courier(door, *commands):
    """What it has not, it refuses when it comes from the proxy, and the session goes on; without LITERAL+ it
    could not even be told."""
    with door.client("u14") as client:
        for command in commands if door.proxy else ():
            client.send(b"r " + command)
            client.until("r").no()
        assert not {"MULTIAPPEND", "CATENATE", "BINARY"} & client.capabilities()


def test_append_of_several_messages_and_of_pieces(door):
    one, two = message(1), message(2, 70000)
    several = (b"APPEND INBOX {%d+}\r\n" % len(one) + one
               + b" (\\Seen) {%d+}\r\n" % len(two) + two + b"\r\n")
    pieces = b"APPEND INBOX CATENATE (TEXT {%d+}\r\n" % len(one) + one + b" TEXT {3+}\r\nend)\r\n"
    if door.server.kind == "courier":
        refused_by_courier(door, several, pieces)
        return
    door.server.fill("u14", 0)
    with door.client("u14") as client:
        client.send(b"m " + several)
        client.until("m").ok()
        client.send(b"c " + pieces)
        client.until("c").ok()
        client.cmd("SELECT INBOX").ok()
        raw = client.cmd("FETCH 1:* (FLAGS BODY.PEEK[])").ok().raw
        for data in (one, two, one + b"end"):
            assert b"{%d}\r\n" % len(data) + data in raw
        client.logout()


def test_binary_literals_hold_any_byte(door):
    part = bytes(range(256)) * 4
    head = (b"Subject: binary\r\nMIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\n"
            b"Content-Transfer-Encoding: binary\r\n\r\n")
    append = b"APPEND INBOX ~{%d+}\r\n" % len(head + part) + head + part + b"\r\n"
    if door.server.kind == "courier":
        refused_by_courier(door, append)
        return
    door.server.fill("u14", 0)
    with door.client("u14") as client:
        client.send(b"b " + append)
        client.until("b").ok()
        client.cmd("SELECT INBOX").ok()
        tag = client.start("FETCH 1 BINARY.PEEK[1]")
        raw = b""
        while not raw.endswith(part + b")\r\n"):
            raw += client.line()
        client.until(tag).ok()
        client.logout()
