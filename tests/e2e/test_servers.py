"""What real servers do, as the rules of the pool and of the relay know it. No proxy here: when one of
these fails, a server does otherwise than it did, and the rule has to be thought over."""

import base64

import pytest

from lib.imap import Closed
from lib.leak import Names
from lib.mail import message

USER = "u13"


@pytest.fixture
def client(server):
    """Five messages in INBOX, which is selected."""
    server.fill(USER, 5)
    with server.client(USER) as client:
        client.cmd("SELECT INBOX").ok()
        yield client


def by(server, dovecot, cyrus, courier):
    return {"dovecot": dovecot, "cyrus": cyrus, "courier": courier}[server.kind]


def replies(client, stream, last):
    """All responses up to the tagged one with the tag `last`."""
    client.send(stream)
    return client.until(last).lines


# leaving a mailbox


@pytest.mark.parametrize("leave, is_expunged", [
    (["CLOSE"], True), (["UNSELECT"], False), (["EXAMINE INBOX", "CLOSE"], False), (['SELECT ""'], False),
    (["SELECT INBOX"], False), (["LOGOUT"], False), ([], False)], ids=str)
def test_close_alone_expunges(server, client, leave, is_expunged):
    client.cmd("STORE 2 +FLAGS (\\Deleted)").ok()
    for command in leave:
        client.cmd(command)
    client.close()
    with server.client(USER) as other:
        left = b"* 4 EXISTS\r\n" if is_expunged else b"* 5 EXISTS\r\n"
        assert left in other.cmd("SELECT INBOX").ok().untagged


def test_unselect(server, client):
    """Courier has none; without a mailbox it is an error."""
    assert client.cmd("UNSELECT").status == by(server, "OK", "OK", "NO")
    if server.kind != "courier":
        client.cmd("UNSELECT").bad()


def is_selected(client):
    return client.cmd("FETCH 1 FLAGS").status == "OK"


def test_a_select_that_fails_leaves_the_mailbox_and_one_that_is_bad_perhaps(server, client):
    client.cmd("SELECT nonexistent").no()
    assert not is_selected(client)
    client.cmd("SELECT INBOX").ok()
    client.cmd("SELECT").bad()
    assert is_selected(client) == by(server, False, True, False)
    client.cmd("SELECT INBOX").ok()
    assert client.cmd("SELECT INBOX (X").status == by(server, "BAD", "BAD", "NO")
    assert is_selected(client) == by(server, True, True, False)


def test_who_tells_that_the_mailbox_is_left(server, client):
    reply = client.cmd("SELECT INBOX").ok()
    assert len(reply.find("* OK [CLOSED]")) == by(server, 1, 1, 0)


def test_a_mailbox_deleted_under_a_session(server, client):
    """The session ends, with or without a word; Courier does not notice."""
    if server.kind == "courier":
        return
    client.cmd("CREATE doomed").ok()
    client.cmd("SELECT doomed").ok()
    with server.client(USER) as other:
        other.cmd("DELETE doomed").ok()
    client.send("x NOOP\r\n")
    assert client.rest().startswith(b"* BYE") == (server.kind == "dovecot")


# what is enabled


def test_a_second_enable(server):
    """Only the first is sure to be answered: a reused connection's ENABLED is the proxy's own."""
    known = by(server, "CONDSTORE", "CONDSTORE", "UTF8=ACCEPT")
    with server.client(USER) as client:
        told = [b"".join(client.cmd(f"ENABLE {known}").ok().find("ENABLED")) for _ in range(2)]
    assert known.encode() in told[0]
    assert (known.encode() in told[1]) == by(server, True, False, True)


def test_courier_lists_what_is_enabled_whatever_is_asked_for(server):
    with server.client(USER) as client:
        client.cmd("ENABLE UTF8=ACCEPT").ok()
        told = b"".join(client.cmd("ENABLE XUNKNOWN").ok().find("ENABLED"))
    assert (b"UTF8=ACCEPT" in told) == by(server, False, False, True)


def test_notify_none_does_not_undo_notify(server, client):
    """STATUS of other mailboxes ends with it; but Dovecot says nothing of the selected one any more."""
    box = Names(server).side
    client.cmd(f"CREATE {box}")
    reply = client.cmd("NOTIFY SET (PERSONAL (MessageNew MessageExpunge))")
    assert reply.status == by(server, "OK", "BAD", "NO")
    if reply.status != "OK":
        return
    client.cmd("UNSELECT").ok()
    with server.client(USER) as other:
        other.append(message(1), box).ok()
        assert b"* STATUS side " in client.line()
        client.cmd("NOTIFY NONE").ok()
        other.append(message(2), box).ok()
        assert client.cmd("NOOP").ok().untagged == []
        client.cmd("SELECT INBOX").ok()
        other.append(message(3)).ok()
        assert client.cmd("NOOP").ok().untagged == []
    assert client.cmd("EXPUNGE").ok().untagged == []


def test_search_results_and_updates_end_with_the_mailbox(server, client):
    saved = client.cmd("SEARCH RETURN (SAVE) ALL")
    assert saved.status == by(server, "OK", "BAD", "NO")
    if saved.status != "OK":
        return
    assert len(client.cmd("FETCH $ UID").ok().untagged) == 5
    client.cmd("SEARCH RETURN (UPDATE) ALL").ok()
    with server.client(USER) as other:
        other.append(message(6)).ok()
        assert client.cmd("NOOP").ok().find("ADDTO")
        client.cmd("UNSELECT").ok()
        client.cmd("SELECT INBOX").ok()
        assert client.cmd("FETCH $ UID").ok().untagged == []
        other.append(message(7)).ok()
        assert client.cmd("NOOP").ok().find("EXISTS") and not client.cmd("NOOP").find("ADDTO")


# errors


def errors_until_closed(client, most):
    for count in range(most):
        try:
            client.cmd("FETCH")
        except (Closed, OSError):
            return count
    return None


def test_errors_in_a_row_end_a_session_and_an_ok_between_them_does_not(server, client):
    limit = by(server, 20, None, 9)
    for _ in range(3):
        assert errors_until_closed(client, (limit or 20) - 1) is None
        client.cmd("NOOP").ok()
    assert errors_until_closed(client, 60) == limit


def test_answers_that_end_like_a_literal(server, client):
    if server.kind == "cyrus":
        assert replies(client, "x FETCH 1 {9}\r\n", "x") == [b"x BAD Invalid Fetch attribute {9}\r\n"]
        assert replies(client, "x COMPRESS {7}\r\n", "x") == [b"x NO Unknown COMPRESS algorithm: {7}\r\n"]
    elif server.kind == "dovecot":
        client.cmd('CREATE "x{5}"')
        line, = client.cmd('LIST "" "x{5}"').ok().untagged
        assert line == b'* LIST (\\HasNoChildren) "/" "x{5}"\r\n'
        client.cmd('DELETE "x{5}"').ok()


def test_answers_to_what_is_no_command(server, client):
    """Two replies to one command, a reply to a tag that was no tag, a "+" that nobody waits for."""
    last = b"\r\nz NOOP\r\n"
    seen = replies(client, b"x APPEND INBOX {-1}" + last, "z")
    assert any(line.startswith(b"-1} BAD") for line in seen) == by(server, True, False, False)
    seen = replies(client, b'x SETQUOTA "q" (STORAGE 10)' + last, "z")
    assert (b"* BAD Invalid tag\r\n" in seen) == by(server, False, True, False)
    seen = replies(client, b"* NOOP" + last, "z")
    assert seen[0].startswith(b"* OK") == by(server, False, False, True)
    seen = replies(client, b"+ NOOP" + last, "z")
    assert seen[0].startswith(b"+ OK") == by(server, False, True, True)
    seen = replies(client, b"x ENABLE (" + last, "z")
    assert (seen[0] == b"\r\n") == by(server, False, True, False)
    seen = replies(client, b'x LIST "" {5}x' + last, "z")
    assert seen[0].startswith(b"+ ") == by(server, True, False, False)


def test_idle_with_an_argument(server, client):
    """It begins when "+" comes, not when the command is seen."""
    client.send("x IDLE X\r\n")
    assert client.response().startswith(by(server, b"+ ", b"x BAD", b"x NO"))


def test_done_in_lower_case_glued_to_the_next_command(client):
    client.idle()
    client.send("done\r\nz NOOP\r\n")
    client.until("z").ok()


def test_a_name_is_cut_at_nul(server):
    """Dovecot signs in somebody else than a pool would take the client for."""
    secret = server.users[USER].encode()
    with server.client() as client:
        client.send(b"x LOGIN {%d+}\r\n%s\0x {%d+}\r\n%s\r\n" % (
            len(USER) + 2, USER.encode(), len(secret), secret))
        assert client.until("x").status == by(server, "OK", "BAD", "NO")


def test_commands_behind_authenticate_in_one_packet(server):
    """Courier loses them, Cyrus reads the packet's beginning once more: nothing is sent behind it."""
    secret = base64.b64encode(f"\0{USER}\0{server.users[USER]}".encode()).decode()
    with server.client() as client:
        client.send(f"x AUTHENTICATE PLAIN {secret}\r\ny NOOP\r\nw NOOP\r\n")
        client.until("x").ok()
        client.send("z NOOP\r\n")
        assert client.response().startswith(by(server, b"y OK", b"x BAD", b"z OK"))


def test_cyrus_lists_logindisabled_behind_the_sign_in(server):
    with server.client(USER) as client:
        assert ("LOGINDISABLED" in client.capabilities()) == (server.kind == "cyrus")


# Commands behind which a server does not read the octets of a literal that it did not ask for: it takes
# them for commands. Courier does so behind all: it has no such literals.
NOT_READ_BY = {
    "NOOP ": "dovecot", "CAPABILITY ": "dovecot", "UNSELECT ": "dovecot", "CLOSE ": "dovecot",
    "NAMESPACE ": "dovecot", "XUNKNOWN ": "dovecot", "LOGIN ": "dovecot", "STARTTLS ": "dovecot",
    "AUTHENTICATE PLAIN ": "dovecot cyrus", "COMPRESS ": "dovecot cyrus", "CREATE ~": "dovecot cyrus",
    "CREATE x": "dovecot cyrus", 'CREATE "x': "dovecot cyrus", "ENABLE ": "cyrus", "ID ": "cyrus",
    "FETCH 1 ": "cyrus", "UID FETCH 1 ": "cyrus", "STORE 1 ": "cyrus", 'LIST "" x ': "cyrus",
    "CREATE ": "", "SEARCH TEXT ": "",
}


@pytest.mark.parametrize("command", NOT_READ_BY)
def test_octets_that_are_taken_for_commands(server, client, command):
    octets = b"smug NOOP\r\n"
    client.send(f"x {command}{{{len(octets)}+}}\r\n".encode() + octets + b"\r\nz NOOP\r\n")
    told = client.until("z").lines
    is_taken = any(line.startswith(b"smug OK") for line in told)
    assert is_taken == (server.kind == "courier" or server.kind in NOT_READ_BY[command]), told
