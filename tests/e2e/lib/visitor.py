"""One random session: valid and hostile commands, cut off at a random point, every byte judged.

What it does follows from (seed, number) alone, except where it answers what other sessions do to the
same mailboxes. As long as it behaves, it knows what it must be answered; once it has sent something
hostile, it only knows what it must never see: marks of others, tags of others, a tag twice.
"""

import random
import re
import socket
import ssl
import struct

from .imap import LITERAL, Closed
from .marked import BODY, MARK

# A session's own word, in its tags, mailboxes and messages; a tag is this and "t" and a number.
NONCE = re.compile(rb"x\d{5}y[0-9a-f]{6}")
TAGGED = re.compile(rb"(x\d{5}y[0-9a-f]{6})t\d+")
KIND = re.compile(rb"\* (?:\d+ )?([A-Za-z]+)")
DATA = {b"SEARCH", b"ESEARCH", b"SORT", b"LIST", b"STATUS", b"CAPABILITY", b"NAMESPACE", b"ENABLED", b"ID"}
IN_MAILBOX = {b"FETCH", b"EXISTS", b"RECENT", b"EXPUNGE", b"VANISHED", b"FLAGS"}


class Wrong(AssertionError):
    """The proxy has shown this session what it must not see, or not what it must."""


class Over(Exception):
    """The session has ended: cut off by itself, refused for want of a connection, or as hostile."""


class Command:
    """What is sent, and what is to be said about the answer when the whole batch has been answered."""

    def __init__(self, text, check=None, status=("OK",), asks=(), attaches=True, needs=None):
        self.text = text if isinstance(text, bytes) else text.encode()
        self.check, self.status, self.attaches, self.needs = check, status, attaches, needs
        self.asks = {word.encode() for word in asks}
        self.tag = self.reply = self.before = None
        self.selects = self.about = None  # a Box: that it selects; that it asks for
        self.is_examine = self.deselects = False
        self.enables = None  # "ENABLE", or "CONDSTORE" by using it
        self.on_no = None  # called when it was refused

    @property
    def answer(self):
        return self.reply[len(self.tag) + 1:].split(b" ")[0].decode()


class Visitor:
    """`world`: see test_random; `client`: a connection without sign-in, greeting read."""

    def __init__(self, world, number):
        self.world, self.number = world, number
        self.chance = random.Random(f"{world.seed}/{number}")
        self.user = self.chance.choices(world.users, world.weights)[0]
        self.boxes = world.mail.boxes[self.user]
        self.nonce = b"x%05dy%06x" % (number, self.chance.randrange(1 << 24))
        self.count = self.sent = 0
        self.tags = set()
        self.loose = set()  # tags of hostile lines: answered once, or not at all
        self.waiting = {}  # tag to Command
        self.box, self.candidates = None, ()  # selected; those that responses may be about
        self.read_only = False
        self.exists = None
        self.told = set()  # what the server said is enabled
        self.condstore = False  # None: perhaps
        self.qresync = False
        self.is_wild = self.is_leaving = self.was_selected = False
        self.batch, self.lines, self.saved, self.client = (), [], (False, False), None
        # Where it is cut off, if at all: at which piece that it sends.
        self.cut = self.chance.choice([0, 0, 0, self.chance.randint(1, 4), self.chance.randint(1, 30)])

    # bytes

    def tag(self):
        self.count += 1
        tag = self.nonce + b"t%d" % self.count
        self.tags.add(tag)
        return tag

    def put(self, data):
        self.sent += 1
        part = len(data)
        if self.sent == self.cut:
            part = self.chance.choice([0, self.chance.randrange(len(data) + 1), len(data)])
        try:
            self.client.send(data[:part])
        except OSError as error:
            self.ended(error)
        if self.sent == self.cut:
            self.leave()

    def ended(self, error):
        """The proxy has closed."""
        if not (self.is_wild or self.is_leaving or self.world.is_disturbed(self.user)):
            raise Wrong(f"closed by the proxy: {error!r}") from None
        raise Over("closed")

    def get(self):
        try:
            line = self.client.response()
        except TimeoutError:
            raise Wrong(f"no answer to {[c.text[:200] for c in self.waiting.values()]}") from None
        except (Closed, OSError) as error:
            self.ended(error)
        self.judge(line)
        return line

    def leave(self):
        """Goes away without a word, in one of the ways to do so."""
        way = self.chance.choice(["close", "reset", "shut"])
        if way == "reset":
            self.client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif way == "shut" and not isinstance(self.client.sock, ssl.SSLSocket):
            try:
                self.client.shut()
                self.is_wild = True
                while True:
                    self.judge(self.client.response())
            except TimeoutError:
                raise Wrong("a half-closed session is not ended") from None
            except (Closed, OSError):
                pass
        self.client.close()
        raise Over(way)

    # what may be seen at all

    def judge(self, whole):
        """What holds for every response, whatever was asked."""
        text, rest = b"", whole
        while (end := rest.find(b"\n")) >= 0 and (header := LITERAL.search(rest[:end + 1])) and \
                rest[:2] != b"+ ":
            text += rest[:end + 1]
            rest = rest[end + 1 + int(header[1]):]
        text += rest
        for user, box, key in MARK.findall(whole):
            if user.decode() != self.user:
                raise Wrong(f"a mark of {user.decode()}: {whole[:2000]!r}")
            name = key.decode()
            if not self.is_wild and not any(name in one.data for one in self.candidates):
                raise Wrong(f"{user}/{box}/{key} is not of {[b.name for b in self.candidates]}: "
                            f"{whole[:2000]!r}")
        for other in TAGGED.findall(whole):
            if other != self.nonce:
                raise Wrong(f"a tag of another session: {whole[:2000]!r}")
        kind = KIND.match(text)
        kind = kind[1].upper() if kind else b""
        for other in NONCE.findall(text):
            owner = self.world.owners.get(other)
            # NOTIFY tells of all mailboxes of the user.
            is_told = kind in (b"FETCH", b"LIST") or (kind == b"STATUS" and self.is_wild)
            if other != self.nonce and (owner != self.user or not is_told):
                raise Wrong(f"a word of a session of {owner}: {whole[:2000]!r}")

    def on_untagged(self, line):
        """A response of a session that behaves."""
        kind = KIND.match(line)
        kind = kind[1].upper() if kind else b""
        asked = set().union(*(command.asks for command in self.batch)) if self.batch else set()
        if kind == b"BYE":
            if not (self.is_leaving or self.world.is_disturbed(self.user)):
                raise Wrong(f"BYE: {line!r}")
        elif kind in DATA:
            if kind not in asked:
                raise Wrong(f"nobody asked: {line!r}")
        elif kind in IN_MAILBOX:
            if not self.candidates:
                raise Wrong(f"of a mailbox, and none is selected: {line!r}")
            self.on_mailbox(kind, line)
        elif line.startswith(b"* BAD [CLIENTBUG] ") and len(self.batch) > 1:
            pass  # Dovecot does not like all that is pipelined, and does it all the same
        elif kind not in (b"OK", b"NO"):
            raise Wrong(f"what is this: {line!r}")

    def on_mailbox(self, kind, line):
        number = int(line.split()[1]) if line.split()[1].isdigit() else 0
        is_changing = any(one.selects and one.reply is None for one in self.batch)
        if self.box is None and not is_changing:
            raise Wrong(f"of a mailbox that is no longer selected: {line!r}")
        is_static = all(box.is_static for box in self.candidates)
        if kind == b"EXISTS":
            if not is_changing and (number < self.exists or (is_static and number != self.exists)):
                raise Wrong(f"{self.exists} messages, and then {line!r}")
            self.exists = number
        elif kind in (b"EXPUNGE", b"VANISHED"):
            is_earlier = line.startswith(b"* VANISHED (EARLIER)")
            if is_static and not is_earlier:
                raise Wrong(f"who removed that: {line!r}")
            if self.qresync is not None and (kind == b"VANISHED") != self.qresync:
                raise Wrong(f"QRESYNC is {self.qresync}: {line!r}")
            if self.exists is not None and not is_earlier and not is_changing:
                self.exists -= 1 if kind == b"EXPUNGE" else uids_in(line.split()[2])
        elif kind == b"FETCH":
            if b"MODSEQ (" in line and self.condstore is False:
                raise Wrong(f"CONDSTORE is not enabled: {line[:300]!r}")
            if not is_changing and number > self.exists:
                raise Wrong(f"{self.exists} messages, and {line[:300]!r}")
            self.on_body(line)

    def on_body(self, line):
        body = BODY.search(line)
        if not body:
            return
        data = line[body.end():body.end() + int(body[1])]
        uid = re.search(rb"UID (\d+)", line[:body.start()] + line[body.end() + int(body[1]):])
        wrong = [box.has(int(uid[1]) if uid else None, data) for box in self.candidates]
        if None not in wrong:
            raise Wrong(f"{wrong}: {line[:2000]!r}")

    # a batch of commands

    def run(self, *commands):
        """Sends commands in one piece and reads all their answers; returns the untagged responses."""
        self.begin(commands)
        self.put(b"".join(one.tag + b" " + one.text + b"\r\n" for one in commands))
        return self.finish()

    def begin(self, commands):
        self.batch = commands
        for one in commands:
            one.tag = self.tag()
            self.waiting[one.tag] = one
            about = one.selects or one.about
            one.before = about.before() if about else None
        chosen = [one.selects for one in commands if one.selects]
        self.candidates = tuple(box for box in (self.box, *chosen) if box)
        # Then it has a connection, and keeps it.
        self.was_selected = self.box is not None and not any(one.deselects for one in commands)
        self.lines = []
        self.saved = self.condstore, self.qresync
        if any(one.enables for one in commands):
            self.condstore = self.condstore or None
        if any(one.enables == "ENABLE" for one in commands):
            self.qresync = self.qresync or None

    def go_on(self):
        """Reads up to a "+" (True) or to the answer to the first command."""
        while self.batch[0].reply is None:
            line = self.get()
            if line.startswith(b"+"):
                return True
            self.on_line(line)
        return False

    def dialogue(self, one, *pieces):
        """A command whose next piece is sent when the "+" for it has come."""
        self.begin([one])
        self.put(one.tag + b" " + one.text + b"\r\n")
        for piece in pieces:
            if not self.go_on():
                break
            self.put(piece)
        return self.finish()

    def on_line(self, line):
        if line.startswith(b"* "):
            if not self.is_wild:
                self.on_untagged(line)
            self.lines.append(line)
        else:
            self.on_tagged(line)

    def finish(self):
        while self.waiting:
            line = self.get()
            if not line.startswith(b"+"):
                self.on_line(line)
            elif not self.is_wild:
                raise Wrong(f"nobody waits for {line!r}")
        if not self.is_wild:
            for one in self.batch:
                self.conclude(one)
        lines, self.batch = self.lines, ()
        self.candidates = (self.box,) if self.box else ()
        return lines

    def on_tagged(self, line):
        tag = line.split(b" ", 1)[0]
        if tag in self.loose:
            self.loose.remove(tag)
            return
        if tag not in self.tags:
            raise Wrong(f"not a tag of mine: {line!r}")
        one = self.waiting.pop(tag, None)
        if one is None:
            raise Wrong(f"a second answer: {line!r}")
        one.reply = line
        if one.selects and not self.is_wild:
            self.on_selected(one)
        elif one.deselects and one.answer == "OK":
            self.box = None

    def on_selected(self, one):
        """At once, as what follows is about the other mailbox."""
        self.box = one.selects if one.answer == "OK" else None
        self.read_only = one.is_examine
        if self.box is None:
            # Refused for want of a connection, it has not been seen by the server.
            if one.reply.find(b" NO [LIMIT] ") > 0 and self.was_selected:
                raise Wrong(f"a connection is there, and {one.reply!r}")
            self.exists = None
            return
        low, high = one.selects.bounds(one.before)
        if self.exists is None or not low <= self.exists <= high:
            raise Wrong(f"{self.exists} messages in {one.selects.name}, {low} to {high} expected")

    def conclude(self, one):
        answer = one.answer
        if answer == "NO" and b" NO [LIMIT] " in one.reply:
            self.world.note("limit")
            if self.was_selected and not one.selects:
                raise Wrong(f"a connection is there, and {one.reply!r}")
            if not one.attaches:
                raise Wrong(f"needs no connection: {one.reply!r}")
            if one.enables:
                self.condstore, self.qresync = self.saved
            if one.on_no:
                one.on_no()
            return
        if one.needs is not None and one.needs.answer != "OK":
            return
        if answer != "OK" and one.on_no:
            one.on_no()
        if answer not in one.status:
            if one.attaches and self.world.is_disturbed(self.user):
                raise Over("disturbed")
            raise Wrong(f"{one.status} expected: {one.text[:300]!r} {one.reply!r}")
        if one.check and (answer == "OK" or one.status == ("BAD",)):
            one.check(self.lines, one)

    def need(self, condition, what, lines):
        if not condition:
            raise Wrong(f"{what}: {[line[:300] for line in lines]!r}")


def uids_in(text):
    """How many there are in a set."""
    return sum(int(part.split(b":")[-1]) - int(part.split(b":")[0]) + 1 for part in text.strip().split(b","))
