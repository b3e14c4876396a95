"""Proof that a session leaves nothing to the next one that gets its server connection.

A fixed script runs twice, each time in a mailbox made for it: on a fresh connection straight to the
server, and in the session that follows a dirty one through the pool. The transcripts must be equal,
byte for byte.
"""

import os
import signal

from . import imap, process
from .admin import Admin
from .imap import Closed
from .mail import message
from .proxy import Proxy

USER = "u14"

# All that may differ. What is not the server's text is not in the script: the greeting, the answers to
# LOGIN, CAPABILITY, ID and LOGOUT are the proxy's own.
DIFFERS = (
    # The two runs have different mailboxes of the same name.
    (rb"UIDVALIDITY \d+", b"UIDVALIDITY #"),
    (rb"\[APPENDUID \d+", b"[APPENDUID #"),
    (rb"MAILBOXID \([^)]*\)", b"MAILBOXID (#)"),
    *imap.TOOK,
)


def mask(data):
    return imap.mask(data, DIFFERS)


class Names:
    """Mailboxes of one server. Courier has all of them below INBOX."""

    def __init__(self, server):
        prefix = "INBOX." if server.kind == "courier" else ""
        self.script, self.side = prefix + "script", prefix + "side"
        self.umlaut, self.braces = prefix + "Entw&APw-rfe", prefix + "x{5}"
        self.doomed, self.smuggled = prefix + "doomed", prefix + "smuggled"

    def put_into(self, command):
        for word in ("SCRIPT", "SIDE", "UMLAUT", "BRACES", "DOOMED", "SMUGGLED"):
            command = command.replace(word, getattr(self, word.lower()))
        return command


# NAMESPACE first: a session that has no server connection yet would be answered by the proxy.
BEGIN = ("NAMESPACE", "NOOP", "FETCH 1 FLAGS", "UNSELECT", 'LIST "" *', 'LSUB "" *',
         "STATUS SCRIPT (MESSAGES UIDNEXT UNSEEN)", "EXAMINE INBOX", "FETCH 1:* (UID FLAGS)",
         "SELECT SCRIPT", "SEARCH $", "FETCH 1:* (UID FLAGS RFC822.SIZE)",
         "FETCH 1 BODY.PEEK[HEADER.FIELDS (SUBJECT)]", "STORE 1 +FLAGS (\\Flagged)")
# Behind what somebody else has done meanwhile.
END = ("NOOP", "STORE 2 +FLAGS.SILENT (\\Deleted)", "UID SEARCH DELETED", "EXPUNGE", "IDLE",
       "STATUS SIDE (MESSAGES)", "SELECT nonexistent", "FETCH 1 FLAGS", "SELECT SCRIPT", "CLOSE", "NOOP")


def transcript(client, other, names):
    """(command, responses) of the script; `other` is a client of the same user."""
    rows = []

    def do(commands):
        for command in commands:
            if command == "IDLE":
                tag = client.start(command)
                raw = client.challenge() + client.done(tag).raw
            else:
                raw = client.cmd(names.put_into(command)).raw
            rows.append((command, mask(raw)))

    do(BEGIN)
    for box in (names.side, names.script):
        other.append(message(7), box).ok()
    do(END)
    return rows


def assert_equal(expected, got):
    assert len(expected) == len(got)
    for (command, want), (_, have) in zip(expected, got):
        assert have == want, command


def send_stream(client, stream):
    """Sends bytes and two commands. Returns what came up to the end of the second, each answered once
    and in order; or what came until the session ended."""
    seen = b"\r\n"
    try:
        client.send(stream + b"z1 NOOP\r\nz2 NOOP\r\n")
        while b"\nz2 " not in seen:
            seen += client.line()
    except (Closed, OSError):
        return seen
    assert seen.count(b"\nz1 ") == 1 and seen.index(b"\nz1 ") < seen.index(b"\nz2 "), seen
    return seen


class Bench:
    """A server, a proxy before it, and somebody who prepares the mailboxes behind its back."""

    def __init__(self, server, **proxy):
        self.server, self.names = server, Names(server)
        self.seen = b""  # of the last stream
        self._folder = process.private_dir("leak")
        self._path = os.path.join(self._folder, "admin.sock")
        self.proxy = Proxy({"mail": server}, admin={"socket": self._path, "http": ""}, **proxy).start()
        self.other = server.client(USER)
        for box in (self.names.script, self.names.side, self.names.umlaut):
            self.other.cmd(f"CREATE {box}")

    def close(self):
        self.other.close()
        try:
            self.proxy.stop()
        finally:
            self.proxy.remove()
            process.remove_dir(self._folder)

    # the state before

    def reset(self):
        """Nothing is parked; three messages without flags in INBOX."""
        with Admin(self._path) as admin:
            admin.ask("flush")
        self.at_rest()
        self.other.cmd("SELECT INBOX").ok()
        self.other.cmd("STORE 1:* +FLAGS.SILENT (\\Deleted)")
        self.other.cmd("EXPUNGE").ok()
        for number in range(1, 4):
            self.other.append(message(number)).ok()
        self._deselect(self.other)

    def erase(self, box):
        if self.server.kind == "courier":
            self.server.erase(USER, box)
        else:
            self.other.cmd(f'DELETE "{box}"')

    def end_of_server(self):
        """Kills the server's process at the other end of the only connection of the proxy."""
        def others():
            # Not those that are being closed, nor who has handed the connection on and still holds it.
            pids = process.serving(self.proxy.process.pid) - {os.getpid()}
            return pids if len(pids) == 1 else None

        pid, = process.wait_for(others, "one process serves it")
        os.kill(pid, signal.SIGKILL)

    def _deselect(self, client):
        """As a pool does that knows nothing of what else sticks to a connection."""
        if client.cmd("UNSELECT").status == "NO" and client.cmd("EXAMINE INBOX").status == "OK":
            client.cmd("CLOSE").ok()

    # the dirty session

    def client(self, **options):
        return self.proxy.client(USER, self.server.users[USER], **options)

    def play(self, steps, leave="logout", is_stranger=False, is_lent=False):
        """One session through the proxy; a stranger signs in himself. Returns the classes of what
        stays parked, "kept" for the clean one. is_lent: the session finds a parked connection."""
        self.reset()
        if is_lent:
            self.client().logout()
            self.at_rest()
        since = self.proxy.mark()
        client = self.proxy.client() if is_stranger else self.client()
        try:
            self._do(client, steps)
            if leave == "logout":
                client.logout()
            else:
                getattr(client, leave)()
        except (Closed, OSError) as error:
            assert not isinstance(error, TimeoutError), steps
        except BaseException:
            client.close()
            raise
        # Until then it may be at rest because what was sent last has not been read yet.
        process.wait_for(lambda: any(row.get("msg") in ("session end", "client end")
                                     for row in self.proxy.events(since)), "the session has ended")
        kept = self.at_rest()
        client.close()
        return kept

    def _do(self, client, steps):
        for step in steps:
            if callable(step):
                step(client, self)
            elif isinstance(step, bytes):
                self.seen = send_stream(client, step)
            else:
                client.cmd(self.names.put_into(step))

    def at_rest(self):
        """Waits until no session has a connection; returns the classes of those that are parked."""
        def pool():
            row, = admin.ask("show pools")["pools"]
            busy = sum(row[key] for key in ("active", "waiting", "signing_in", "cleaning"))
            return row if busy == 0 else None

        with Admin(self._path) as admin:
            row = process.wait_for(pool, "the pool is at rest", interval=0.001)
        return [kind["enabled"] or "kept" for kind in row["classes"] for _ in range(kind["parked"])]

    # the script

    def _remake(self):
        for box in (self.names.script, self.names.side):
            self.erase(box)
            self.other.cmd(f"CREATE {box}").ok()
        for number in range(1, 4):
            self.other.append(message(number), self.names.script).ok()

    def run(self, client):
        self._remake()
        return transcript(client, self.other, self.names)

    def fresh(self, first=None):
        """What a fresh connection straight to the server shows; and its reply to a command before."""
        with self.server.client(USER) as client:
            reply = client.cmd(first) if first else None
            return self.run(client), reply

    def next(self, first=None, **options):
        """What the next session shows."""
        with self.client(**options) as client:
            reply = client.cmd(first) if first else None
            rows = self.run(client)
            client.logout()
        return rows, reply

    def assert_next_is_fresh(self, **options):
        expected, _ = self.fresh()
        got, _ = self.next(**options)
        assert_equal(expected, got)

    def sticks(self, steps):
        """Whether the traces of these commands outlive the end of the mailbox, without any proxy."""
        self.reset()
        with self.server.client(USER) as client:
            try:
                self._do(client, steps)
                self._deselect(client)
                expected, _ = self.fresh()
                client.restart_tags(1)
                return self.run(client) != expected
            except (Closed, OSError) as error:
                assert not isinstance(error, TimeoutError), steps
                return True
