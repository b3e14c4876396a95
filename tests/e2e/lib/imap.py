"""A raw IMAP client: every byte as it came, a deadline on every read.

Tests of a proxy must see what a friendly library hides: the order of lines, stray bytes, what
arrives after the tagged reply. So this client parses only enough to know where a response ends.
"""

import base64
import re
import socket
import ssl
import struct

from .process import SOON

LITERAL = re.compile(rb"\{(\d+)\}\r\n$")
STATUS = re.compile(rb"^\* (OK|NO|BAD|BYE|PREAUTH)\b", re.I)


class Closed(AssertionError):
    """The peer closed the connection where a response was due."""


class Reply:
    """All responses of one command; `lines` are whole responses with their literals."""

    def __init__(self, tag, lines):
        self.tag, self.lines = tag, lines
        self.tagged = lines[-1]
        self.untagged = lines[:-1]
        self.raw = b"".join(lines)
        rest = self.tagged[len(tag) + 1:]
        self.status = rest.split(b" ", 1)[0].rstrip(b"\r\n").decode("latin-1").upper()
        self.text = rest.split(b" ", 1)[-1].rstrip(b"\r\n").decode("utf-8", "replace")

    def __repr__(self):
        return f"Reply({self.raw!r})"

    def ok(self):
        assert self.status == "OK", self.raw
        return self

    def no(self, code=None):
        assert self.status == "NO", self.raw
        assert code is None or self.text.startswith(f"[{code}"), self.raw
        return self

    def bad(self):
        assert self.status == "BAD", self.raw
        return self

    def find(self, word):
        """The untagged responses with this word in their first line."""
        word = word.encode() if isinstance(word, str) else word
        return [line for line in self.untagged if word in line.split(b"\r\n", 1)[0]]


class Client:
    """One connection. `log` keeps everything sent and received, as (">" or "<", bytes)."""

    def __init__(self, address, tls=None, name="localhost", timeout=SOON, greet=True, source=None,
                 header=b""):
        """`address`: (host, port) or a unix socket's path. `tls`: an SSLContext for implicit TLS.
        `header`: goes before everything else, together with what follows where something does."""
        self.log = []
        self._count = 0
        self._in = bytearray()
        self.timeout = timeout
        if isinstance(address, str):
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.sock.settimeout(timeout)
            self.sock.connect(address)
        else:
            self.sock = socket.create_connection(address, timeout, source_address=source)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if header:
            self.sock.send(header, socket.MSG_MORE if tls else 0)
        if tls:
            self.sock = tls.wrap_socket(self.sock, server_hostname=name)
        self.greeting = self.response() if greet else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # bytes

    def send(self, data):
        data = data.encode() if isinstance(data, str) else data
        self.log.append((">", data))
        self.sock.sendall(data)

    def _fill(self):
        data = self.sock.recv(1 << 18)
        if not data:
            raise Closed(f"connection closed; unread: {bytes(self._in)!r}")
        self.log.append(("<", data))
        self._in += data

    def line(self):
        """One line with its CRLF."""
        seen = 0
        while (end := self._in.find(b"\n", seen)) < 0:
            seen = len(self._in)
            self._fill()
        return self._take(end + 1)

    def exactly(self, count):
        while len(self._in) < count:
            self._fill()
        return self._take(count)

    def _take(self, count):
        data = bytes(self._in[:count])
        del self._in[:count]
        return data

    def response(self):
        """One response with all its literals. A status line has none, whatever it ends in."""
        line = self.line()
        whole = [line]
        if not line.startswith(b"* ") or STATUS.match(line):
            return line
        while (header := LITERAL.search(line)):
            whole.append(self.exactly(int(header.group(1))))
            line = self.line()
            whole.append(line)
        return b"".join(whole)

    def until(self, tag):
        """Reads responses up to the tagged one."""
        tag = tag.encode() if isinstance(tag, str) else tag
        lines = []
        while True:
            line = self.response()
            lines.append(line)
            if line.startswith(tag + b" "):
                return Reply(tag, lines)

    def linger(self, seconds):
        """Receives for a moment; nothing of it is taken."""
        self.sock.settimeout(seconds)
        try:
            while True:
                self._fill()
        except (TimeoutError, ssl.SSLWantReadError, Closed, ConnectionError, ssl.SSLError):
            pass
        finally:
            self.sock.settimeout(self.timeout)

    def pending(self, seconds=0.3):
        """What arrives (or has arrived) unasked within a moment; b"" is the good answer."""
        self.linger(seconds)
        return self._take(len(self._in))

    def rest(self):
        """Everything up to the end of the stream."""
        try:
            while True:
                self._fill()
        except (Closed, ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
            pass
        return self._take(len(self._in))

    def closed(self):
        """Asserts that the peer closes without another byte."""
        left = self.rest()
        assert left == b"", left

    # commands

    def tag(self):
        self._count += 1
        return f"a{self._count}"

    def restart_tags(self, count):
        """As on a connection that has had so many commands."""
        self._count = count

    def start(self, command):
        """Sends a command and returns its tag; str or bytes without the line end."""
        tag = self.tag()
        command = command.encode() if isinstance(command, str) else command
        self.send(tag.encode() + b" " + command + b"\r\n")
        return tag

    def cmd(self, command):
        return self.until(self.start(command))

    def literal(self, before, data, after=b""):
        """A command with one synchronising literal."""
        tag = self.tag()
        before = before.encode() if isinstance(before, str) else before
        self.send(tag.encode() + b" " + before + b"{%d}\r\n" % len(data))
        line = self.response()
        while line.startswith(b"* "):
            line = self.response()
        if not line.startswith(b"+"):
            return Reply(tag.encode(), [line])
        self.send(data + after + b"\r\n")
        return self.until(tag)

    def login(self, user, password):
        return self.cmd(b"LOGIN " + astring(user) + b" " + astring(password))

    def authenticate_plain(self, user, password, authzid="", initial=True):
        data = base64.b64encode(f"{authzid}\0{user}\0{password}".encode()).decode()
        if initial:
            return self.cmd(f"AUTHENTICATE PLAIN {data}")
        tag = self.start("AUTHENTICATE PLAIN")
        self.challenge()
        self.send(data + "\r\n")
        return self.until(tag)

    def authenticate_login(self, user, password, initial=False):
        encode = [base64.b64encode(text.encode()).decode() for text in (user, password)]
        if initial:
            tag = self.start(f"AUTHENTICATE LOGIN {encode[0]}")
        else:
            tag = self.start("AUTHENTICATE LOGIN")
            self.challenge()
            self.send(encode[0] + "\r\n")
        line = self.response()
        if not line.startswith(b"+"):
            return Reply(tag.encode(), [line])
        self.send(encode[1] + "\r\n")
        return self.until(tag)

    def challenge(self):
        line = self.response()
        assert line.startswith(b"+"), line
        return line

    def append(self, data, mailbox="INBOX", flags=""):
        return self.literal(f"APPEND {mailbox} {flags + ' ' if flags else ''}", data)

    def idle(self):
        """Enters IDLE; returns the tag for done()."""
        tag = self.start("IDLE")
        self.challenge()
        return tag

    def done(self, tag):
        self.send("DONE\r\n")
        return self.until(tag)

    def logout(self):
        """LOGOUT, and the whole of what must follow: BYE, the tagged OK, the end."""
        reply = self.cmd("LOGOUT").ok()
        assert reply.find("* BYE"), reply.raw
        self.closed()
        self.close()
        return reply

    def starttls(self, context, name="localhost"):
        reply = self.cmd("STARTTLS").ok()
        assert not self._in, self._in
        self.sock = context.wrap_socket(self.sock, server_hostname=name)
        return reply

    def capabilities(self):
        """The set of an explicit CAPABILITY command."""
        line, = self.cmd("CAPABILITY").ok().find("* CAPABILITY")
        return set(line.decode().split()[2:])

    def shut(self):
        """Half-closes: FIN without waiting for anything."""
        self.sock.shutdown(socket.SHUT_WR)

    def kill(self):
        """Goes away rudely: RST, unread data lost."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self):
        self.sock.close()


def astring(value):
    """A quoted string, or a non-synchronising literal where quotes cannot hold it."""
    value = value.encode() if isinstance(value, str) else value
    if all(32 <= byte < 127 for byte in value):
        return b'"' + value.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
    return b"{%d+}\r\n" % len(value) + value


def codes(line):
    """The capabilities of a [CAPABILITY ...] code in a line, or None."""
    found = re.search(rb"\[CAPABILITY ([^\]]*)\]", line)
    return set(found.group(1).decode().split()) if found else None


# How long something took.
TOOK = (
    (rb"\(\d+\.\d+ \+ \d+\.\d+( \+ \d+\.\d+)? secs\)", b"(# secs)"),
    (rb"\(\d+\.\d+ secs?( \d+ calls)?\)", b"(# secs)"),
    (rb"in \d+\.\d+ secs\)", b"in # secs)"),
)
VOLATILE = (
    (rb"UIDVALIDITY \d+", b"UIDVALIDITY #"),
    (rb"HIGHESTMODSEQ \d+", b"HIGHESTMODSEQ #"),
    (rb"MODSEQ \(\d+\)", b"MODSEQ (#)"),
    (rb"APPENDUID \d+", b"APPENDUID #"),
    (rb"COPYUID \d+", b"COPYUID #"),
    *TOOK,
    (rb"MAILBOXID \([^)]*\)", b"MAILBOXID (#)"),
    (rb"SESSIONID=<[^>]*>", b"SESSIONID=#"),
    (rb'SAVEDATE "[^"]*"', b'SAVEDATE "#"'),
    (rb'INTERNALDATE "[^"]*"', b'INTERNALDATE "#"'),
)


def mask(data, volatile=VOLATILE):
    """Replaces what differs between two equal sessions, for byte-exact comparison of the rest."""
    for pattern, text in volatile:
        data = re.sub(pattern, text, data)
    return data
