"""A scripted server, for faults that no real server commits on request.

A script is a function that gets the accepted connection and plays one side with expect() and send().
Each connection takes the next script; the last one serves all that follow. A script that fails makes
check() fail; what was received is kept, so that a test can assert that no credential came.
"""

import contextlib
import re
import socket
import ssl
import struct
import threading

from .process import SOON, wait_for


class Peer:
    """The scripted end of one connection."""

    def __init__(self, sock):
        self.sock = sock
        # Parked connections are silent for longer than any single step of a test takes.
        self.sock.settimeout(SOON * 5)
        self.received = bytearray()
        self._unread = bytearray()
        self.matched = None

    def send(self, data):
        self.sock.sendall(data.encode() if isinstance(data, str) else data)

    def expect(self, pattern):
        """Waits for a line that matches the regular expression; returns the match."""
        line = self.line()
        self.matched = re.match(pattern.encode() if isinstance(pattern, str) else pattern, line,
                                re.I | re.S)
        assert self.matched, f"expected {pattern!r}, got {line!r}"
        return self.matched

    def line(self):
        while b"\n" not in self._unread:
            self._fill()
        return self._take(self._unread.index(b"\n") + 1)

    def _fill(self):
        data = self.sock.recv(1 << 18)
        if not data:
            raise EOFError(f"closed; unread: {bytes(self._unread)!r}")
        self.received += data
        self._unread += data

    def _take(self, count):
        data = bytes(self._unread[:count])
        del self._unread[:count]
        return data

    def exactly(self, count):
        while len(self._unread) < count:
            self._fill()
        return self._take(count)

    def reply(self, text):
        """A tagged reply to the command that expect() matched; its tag is the first word."""
        self.send(self.matched.string.split(b" ", 1)[0] + b" " + text.encode() + b"\r\n")

    def starttls(self, context):
        self.sock = context.wrap_socket(self.sock, server_side=True)
        self._unread.clear()

    def until_eof(self):
        """Reads until the other side leaves."""
        with contextlib.suppress(OSError, ssl.SSLError):
            while (data := self.sock.recv(1 << 18)):
                self.received += data

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


class Fake:
    """Listens on a free port of loopback and plays one script per connection."""

    def __init__(self, *scripts, context=None):
        """`context`: an SSLContext for implicit TLS."""
        self.scripts, self.context = list(scripts), context
        self.peers, self.errors, self._threads = [], [], []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def where(self, **more):
        return {"address": f"127.0.0.1:{self.port}", "tls": "none", **more}

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            script = self.scripts[min(len(self.peers), len(self.scripts) - 1)]
            peer = Peer(sock)
            self.peers.append(peer)
            thread = threading.Thread(target=self._play, args=(script, peer), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _play(self, script, peer):
        try:
            if self.context:
                peer.sock = self.context.wrap_socket(peer.sock, server_side=True)
            script(peer)
        except (EOFError, OSError, AssertionError) as error:
            self.errors.append(error)
        finally:
            with contextlib.suppress(OSError):
                peer.sock.close()

    def received(self):
        """All bytes of all connections."""
        return b"".join(bytes(peer.received) for peer in list(self.peers))

    def connections(self):
        return len(self.peers)

    def check(self):
        assert not self.errors, self.errors

    def wait_connections(self, count):
        wait_for(lambda: len(self.peers) >= count, f"{count} connections")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join(5)  # it may be at one that has come in just now
        self.listener.close()
        for peer in self.peers:
            with contextlib.suppress(OSError):
                peer.sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)


GREETING = b"* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN IDLE UNSELECT ENABLE] fake ready\r\n"
POST = b"IMAP4rev1 IDLE UNSELECT ENABLE UIDPLUS"


def sign_in(peer, greeting=GREETING, capabilities=POST):
    """A friendly server's half of a sign-in, whichever way the proxy signs in."""
    peer.send(greeting)
    while True:
        line = peer.line()
        tag, _, rest = line.partition(b" ")
        word = rest.split(None, 1)[0].upper()
        if word == b"CAPABILITY":
            peer.send(b"* CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN\r\n" + tag + b" OK done\r\n")
        elif word == b"ID":
            peer.send(b"* ID NIL\r\n" + tag + b" OK done\r\n")
        elif word == b"AUTHENTICATE" and len(rest.split()) == 2:
            peer.send(b"+ \r\n")
            peer.line()
            break
        elif word == b"LOGIN":
            while (found := re.search(rb"\{(\d+)\}\r\n$", line)):
                peer.send(b"+ go\r\n")
                peer.exactly(int(found[1]))
                line = peer.line()
            break
        else:
            assert word == b"AUTHENTICATE", line
            break
    peer.send(tag + b" OK [CAPABILITY " + capabilities + b"] signed in\r\n")


def serve(peer, answers=None, quiet=()):
    """After sign_in: answers every command with OK (or with answers[WORD], a function of peer and
    tag) until the connection ends. Commands named in `quiet` get no answer at all."""
    answers = answers or {}
    while True:
        try:
            line = peer.line()
        except (EOFError, OSError):
            return
        tag, _, rest = line.partition(b" ")
        word = rest.split(None, 1)[0].upper().decode() if rest.split() else ""
        if word in quiet:
            continue
        if word in answers:
            answers[word](peer, tag)
        elif word == "SELECT" or word == "EXAMINE":
            peer.send(b"* 3 EXISTS\r\n* 0 RECENT\r\n* FLAGS ()\r\n* OK [UIDVALIDITY 1] ok\r\n"
                      + tag + b" OK [READ-WRITE] selected\r\n")
        elif word == "LOGOUT":
            peer.send(b"* BYE bye\r\n" + tag + b" OK bye\r\n")
            return
        else:
            peer.send(tag + b" OK done\r\n")


def friendly(peer):
    """A whole friendly server."""
    sign_in(peer)
    serve(peer)
