"""The admin socket of a proxy."""

import json
import socket

from . import process


class Admin:
    """A connection to the admin socket, as a program would make it."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(process.SOON)
        self.sock.connect(path)
        self._in = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, line):
        self.sock.sendall(line if isinstance(line, bytes) else line.encode())

    def answer(self):
        """The next document; None at the end."""
        while b"\n" not in self._in:
            try:
                data = self.sock.recv(1 << 16)
            except ConnectionResetError:
                data = b""
            if not data:
                assert not self._in, self._in
                return None
            self._in += data
        line, self._in = self._in.split(b"\n", 1)
        return json.loads(line)

    def ask(self, line):
        self.send(line + "\n")
        return self.answer()
