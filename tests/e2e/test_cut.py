"""A client dies at every byte of a session; whoever signs in next sees a fresh session."""

import pytest

from lib.leak import Names, mask
from lib.mail import message

# A session with everything that can be open: pipelined fetches, both kinds of literal, IDLE, a
# selected mailbox, ENABLE, sign-in itself.
DATA = message(1, 300)
SESSION = (b'a LOGIN u16 "%s"\r\nb SELECT INBOX\r\nc FETCH 1:3 BODY.PEEK[]\r\nd UID FETCH 1:* FLAGS\r\n'
           b"e APPEND %s {%d+}\r\n%s\r\nf SEARCH ALL\r\ng LIST \"\" {1+}\r\n*\r\nh IDLE\r\nDONE\r\n"
           b"i STORE 1 +FLAGS (\\Seen)\r\nj ENABLE QRESYNC\r\nk NOOP\r\nl LOGOUT\r\n")

# NAMESPACE first: a session that has no server connection yet is answered by the proxy.
FRESH = ("NAMESPACE", "NOOP", "FETCH 1 FLAGS", "SELECT INBOX", "FETCH 1 (FLAGS)", "UNSELECT", "UNSELECT", "NOOP")


def fresh(client):
    return [mask(client.cmd(line).raw) for line in FRESH]


def prepare(server):
    """The user's mailboxes, and what a fresh session shows of them."""
    side = Names(server).side
    server.fill("u16", 3, size=2000)
    with server.client("u16") as client:
        client.cmd(f"CREATE {side}")
        # Dovecot's mailbox, not the connection, remembers that somebody wanted QRESYNC.
        if client.cmd("SELECT INBOX (CONDSTORE)").status != "OK":
            client.cmd("SELECT INBOX").ok()
        client.cmd("STORE 1 +FLAGS (\\Seen)").ok()
    with server.client("u16") as client:
        return side, fresh(client)


def cut_everywhere(proxy, server, leave):
    side, expected = prepare(server)
    password = server.users["u16"]
    stream = SESSION % (password.encode(), side.encode(), len(DATA), DATA)
    # Every offset of the commands; inside the long literal a few stand for all.
    inside = range(stream.index(DATA) + 10, stream.index(DATA) + len(DATA) - 10)
    offsets = [cut for cut in range(1, len(stream) + 1) if cut not in inside or cut % 50 == 0]
    for cut in offsets:
        victim = proxy.client()
        victim.send(stream[:cut])
        if cut % 3 == 0:
            victim.pending(0.002)  # sometimes the answers are under way, sometimes not
        getattr(victim, leave)()
        with proxy.client("u16", password) as client:
            got = fresh(client)
            client.send(b"z LOGOUT\r\n")
            client.until("z").ok()
            victim.close()
        assert got == expected, f"after a cut at {cut}: {stream[:cut][-60:]!r}"


@pytest.mark.parametrize("leave", ["kill", "close", "shut"])
def test_S7_client_killed_at_every_byte_and_the_next_session_is_fresh(make_proxy, server, leave):
    cut_everywhere(make_proxy({"mail": server}, workers=1), server, leave)


@pytest.mark.parametrize("leave", ["kill", "close", "shut"])
def test_S7_the_same_with_several_workers(make_proxy, mail1, leave):
    cut_everywhere(make_proxy({"mail": mail1}, workers=4), mail1, leave)
