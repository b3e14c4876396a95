"""What Cyrus and Courier have in common: they run from folders they were not built for, and both
ask a socket whether a password is right. The tests answer there, so accounts are a Python dict,
passwords change at once, and every question the server asked is known."""

import os
import socket
import subprocess
import threading

from . import accounts, process
from .imap import Client
from .mail import message

_FETCH = os.path.join(os.path.dirname(__file__), "fetch_servers.sh")


def root_of(kind):
    """The folder with the unpacked packages of `cyrus` or `courier`; downloads them once."""
    subprocess.run([_FETCH, process.SERVERS], check=True, timeout=300)
    return os.path.join(process.SERVERS, kind, "root")


class AuthSocket:
    """A unix stream socket; `answer(connection)` is called in a thread for each connection."""

    def __init__(self, path, answer):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.bind(path)
        os.chmod(path, 0o777)
        self.sock.listen(128)
        self._answer = answer
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            try:
                connection, _ = self.sock.accept()
            except OSError:
                return
            threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection):
        with connection:
            connection.settimeout(process.SOON)
            try:
                self._answer(connection)
            except OSError:
                pass

    def close(self):
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()


class UnpackedServer:
    """The part of the interface of dovecot.Dovecot that most tests need."""

    kind = None
    is_synced = False  # waits for the disk at each change

    def __init__(self, users=None):
        self.users = dict(users or {**accounts.PLAIN, **accounts.DOMAINS})
        self.dir = process.private_dir(self.kind, in_memory=self.is_synced)
        self.root = root_of(self.kind)
        self.asked = []  # (user, password was right) of every sign-in the server saw
        self.process = None
        self.plain = self.tls = None

    def _check(self, user, password):
        right = self.users.get(user) == password
        self.asked.append((user, right))
        return right

    def set_password(self, user, password):
        self.users[user] = password

    def mark(self):
        return len(self.asked)

    def logins(self, user, mark=0):
        return [one for one in self.asked[mark:] if one == (user, True)]

    def failures(self, mark=0):
        return [one for one in self.asked[mark:] if not one[1]]

    def client(self, user=None, tls=None, **options):
        client = Client(("127.0.0.1", self.tls if tls else self.plain), tls=tls, **options)
        if user:
            client.login(user, self.users[user]).ok()
        return client

    def fill(self, user, count, mailbox="INBOX", size=0):
        """Leaves exactly `count` messages without flags in a mailbox."""
        with self.client(user) as client:
            client.cmd(f"CREATE {mailbox}")
            client.cmd(f"SELECT {mailbox}").ok()
            client.cmd("STORE 1:* +FLAGS.SILENT (\\Deleted)")
            client.cmd("EXPUNGE").ok()
            for number in range(1, count + 1):
                client.append(message(number, size), mailbox).ok()
            client.logout()

    def where(self):
        return {"address": f"127.0.0.1:{self.plain}", "tls": "none"}

    def remove(self):
        self.stop()
        process.remove_dir(self.dir)
