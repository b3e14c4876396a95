"""A model of the mail of many users, each message bearing the mark of its owner and its mailbox.

Sessions run at the same time and are killed in the middle of a command, so the model keeps bounds: what
must be there and what may be there. What it says is true at every moment at which nobody holds the lock.
"""

import collections
import re
import threading

MARK = re.compile(rb"mark<([^/<>\r\n]*)/([^/<>\r\n]*)/([^<>\r\n]*)>")

# What a careless relay takes for the protocol, in every message.
TRAP = (b"* 9999 EXISTS\r\n* 1 EXPUNGE\r\n+ go ahead\r\na1 OK done {12}\r\n* BYE {3+}\r\n"
        b'he said "hi {5} (({3}\r\nPx0000000000000000.1 OK done\r\n.\r\n')


def message(user, box, key, size=0):
    """A message that says on each line whose it is; the numbers show where one is lost."""
    mark = f"mark<{user}/{box}/{key}>".encode()
    text = b"".join((b"From: ", user.encode(), b"@example.org\r\nSubject: ", mark, b"\r\nX-Mark: ", mark,
                     b"\r\nMessage-ID: <", key.encode(), b"@example.org>\r\n\r\n", TRAP))
    lines = max(1, (size - len(text)) // (len(mark) + 8))
    return text + b"".join(b"%s %05d\r\n" % (mark, number) for number in range(lines))


def difference(right, wrong):
    """Where two messages begin to differ, in words."""
    at = next((n for n, (a, b) in enumerate(zip(right, wrong)) if a != b), min(len(right), len(wrong)))
    return (f"not the bytes of the message: {len(wrong)} of {len(right)}, from {at} on "
            f"{wrong[at - 20:at + 200]!r} in the place of {right[at - 20:at + 60]!r}")


class Box:
    """A mailbox of a user. `is_static`: no message ever comes or goes.

    A message that is copied is the same in two mailboxes, so a key has a number of copies, or rather
    two: `low` are there in any case, `high` may be.
    """

    def __init__(self, user, key, is_static, prefix=""):
        self.user, self.key, self.is_static = user, key, is_static
        self.name = key if key == "INBOX" else prefix + key
        self.uidvalidity = None
        self.low, self.high = collections.Counter(), collections.Counter()
        self.data = {}  # key to the message's bytes
        self.keys = {}  # uid to key, as far as it is known
        self._lock = threading.Lock()
        self._started = self._done = self._failed = self._leaving = self._gone = 0

    def begin(self, key, data):
        """A message is about to be on its way into the mailbox."""
        with self._lock:
            self._started += 1
            self.high[key] += 1
            self.data[key] = data

    def confirm(self, key, uid=None):
        """The server has said OK: it is there."""
        with self._lock:
            self._done += 1
            self.low[key] += 1
            if uid is not None:
                assert uid not in self.keys, (self.user, self.key, uid, key, self.keys[uid])
                self.keys[uid] = key

    def fail(self, key):
        """The server has said NO: it is not."""
        with self._lock:
            self._failed += 1
            self.high[key] -= 1

    def leave(self, key):
        """A message that is there is about to be removed."""
        with self._lock:
            self._leaving += 1
            self.low[key] -= 1

    def gone(self, key):
        with self._lock:
            self._gone += 1
            self.high[key] -= 1

    def before(self):
        """The moment before a question; to be given to bounds() after its answer."""
        with self._lock:
            return self._done, self._gone

    def bounds(self, before):
        """Least and greatest number of messages that the answer may tell."""
        done, gone = before
        with self._lock:
            return done - self._leaving, self._started - self._failed - gone

    def count(self):
        assert self.is_static
        return self._done

    def has(self, uid, data):
        """What is wrong with this message being in the mailbox; None: nothing."""
        found = MARK.search(data)
        if not found:
            return "no mark"
        key = found[3].decode()
        with self._lock:
            if key not in self.data:
                return "a message that was never put there"
            if self.data[key] != data:
                return difference(self.data[key], data)
            if self.keys.get(uid, key) != key:
                return f"this is the UID of {self.keys[uid]}"
        return None

    def check(self, found):
        """Asserts that the mailbox holds what it must and nothing else; `found`: (uid, data) pairs."""
        seen = collections.Counter()
        for uid, data in found:
            wrong = self.has(uid, data)
            assert wrong is None, f"{self.user}/{self.key} uid {uid}: {wrong}: {data[:300]!r}"
            seen[MARK.search(data)[3].decode()] += 1
        for key in set(self.data) | set(seen):
            assert self.low[key] <= seen[key] <= self.high[key], (
                f"{self.user}/{self.key}: {key} is there {seen[key]} times, "
                f"{self.low[key]} to {self.high[key]} expected")


# Name and is_static. `keep` is where messages are marked as deleted and nobody expunges.
LAYOUT = (("INBOX", True), ("alpha", True), ("keep", True), ("flow", False), ("copies", False))
BIG = 120_000  # more than the proxy drains for a client that has left


class Mail:
    """All users' mailboxes before one server, filled by a direct connection."""

    def __init__(self, server, users, prefixes=None):
        """`prefixes`: where a user's mailboxes are, if not at the top."""
        self.server = server
        self.prefixes = {user: (prefixes or {}).get(user, "") for user in users}
        self.boxes = {user: {} for user in users}
        work = [threading.Thread(target=self._fill, args=(number, user))
                for number, user in enumerate(users, start=1)]
        for thread in work:
            thread.start()
        for thread in work:
            thread.join()
        assert all(len(boxes) == len(LAYOUT) for boxes in self.boxes.values()), "not filled"

    def _fill(self, number, user):
        # The count of messages is the user's own, as far as it goes.
        counts = {"INBOX": 1 + number % 4, "alpha": number, "keep": 3, "flow": 2, "copies": 0}
        with self.server.client(user) as client:
            if self.prefixes[user]:
                client.cmd(f"CREATE {self.prefixes[user][:-1]}").ok()
            for name, is_static in LAYOUT:
                box = Box(user, name, is_static, self.prefixes[user])
                if name != "INBOX":
                    client.cmd(f"CREATE {box.name}").ok()
                for uid in range(1, counts[name] + 1):
                    key = f"{name}-i{uid}"
                    data = message(user, name, key, BIG if name == "alpha" and uid == 1 else 0)
                    box.begin(key, data)
                    reply = client.append(data, box.name).ok()
                    assert re.search(rb"APPENDUID \d+ %d\]" % uid, reply.raw), reply.raw
                    box.confirm(key, uid)
                # \Recent is taken here, so that nobody else finds it.
                reply = client.cmd(f"SELECT {box.name}").ok()
                box.uidvalidity = int(re.search(rb"UIDVALIDITY (\d+)", reply.raw)[1])
                self.boxes[user][name] = box
            client.logout()

    def check(self, passing):
        """Asserts that every mailbox of everybody holds what the model says, and that there are no
        mailboxes but these and some of those whose names begin with `passing`."""
        for user, boxes in self.boxes.items():
            with self.server.client(user) as client:
                named = {box.name for box in boxes.values()}
                listed = {line.split()[-1].decode() for line in client.cmd('LIST "" *').ok().find("LIST")}
                if not self.prefixes[user]:
                    assert named <= listed, (user, listed)
                    assert all(name.startswith(passing) for name in listed - named), (user, listed)
                for box in boxes.values():
                    client.cmd(f"EXAMINE {box.name}").ok()
                    box.check(bodies(client.cmd("UID FETCH 1:* (UID BODY.PEEK[])").ok().untagged))
                client.logout()


BODY = re.compile(rb"BODY\[\] \{(\d+)\}\r\n")


def bodies(lines):
    """(uid, data) of each FETCH response with a body."""
    found = []
    for line in lines:
        if (body := BODY.search(line)):
            uid = re.search(rb"UID (\d+)", line[:body.start()] + line[body.end() + int(body[1]):])
            found.append((int(uid[1]), line[body.end():body.end() + int(body[1])]))
    return found
