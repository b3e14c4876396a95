"""A real Courier-IMAP server, unpacked from Debian's packages, in a private directory on loopback."""

import os
import shutil

from . import process
from .dovecot import MAIL_UID
from .unpacked import AuthSocket, UnpackedServer

# Where libcourierauth looks for the daemon that knows the passwords. It takes no other path from
# anywhere; a private mount namespace would need rights that containers lack. So the server gets a
# copy of the library with the path replaced. In the file the path is two halves of 16 bytes that
# the code copies one over the end of the other: bytes 0 to 15 and 15 to 30.
SOCKET_PATH = b"/run/courier/authdaemon/socket\0"

# Debian's /etc/courier/imapd with its values; only IDLE looks once a second instead of once a
# minute (IMAP_IDLE_TIMEOUT), because nothing tells it of new mail here.
ENVIRONMENT = {
    "IMAP_CAPABILITY": "IMAP4rev1 UIDPLUS CHILDREN NAMESPACE THREAD=ORDEREDSUBJECT "
                       "THREAD=REFERENCES SORT QUOTA IDLE",
    "IMAP_KEYWORDS": "1", "IMAP_ACL": "1", "IMAP_PROXY": "0", "IMAP_PROXY_FOREIGN": "0",
    "IMAP_IDLE_TIMEOUT": "1", "IMAP_MAILBOX_SANITY_CHECK": "1", "IMAP_DISABLETHREADSORT": "0",
    "IMAP_CHECK_ALL_FOLDERS": "0", "IMAP_OBSOLETE_CLIENT": "0", "IMAP_USELOCKS": "0",
    "IMAP_ENHANCEDIDLE": "0", "IMAP_TRASHFOLDERNAME": "Trash", "IMAP_EMPTYTRASH": "Trash:7",
    "IMAP_MOVE_EXPUNGE_TO_TRASH": "0", "IMAP_TLS_REQUIRED": "0", "TLS_VERIFYPEER": "NONE",
    "MAILDIRPATH": "Maildir", "PATH": "/usr/bin:/bin",
}


def _halves(path):
    return path[:16] + path[15:]


def _padded(text, like):
    return text.encode().ljust(len(like), b"\0")


class Courier(UnpackedServer):
    """One server. Ports: `plain` (offers STARTTLS too) and `tls`."""

    kind = "courier"

    def __init__(self, cert, key, users=None):
        super().__init__(users)
        root = os.getuid() == 0
        self._uid, self._gid = (MAIL_UID, MAIL_UID) if root else (os.getuid(), os.getgid())
        self._pem = os.path.join(self.dir, "server.pem")
        with open(self._pem, "wb") as pem:
            for path in (key, cert):
                with open(path, "rb") as part:
                    shutil.copyfileobj(part, pem)
        os.chmod(self._pem, 0o644)
        socket_path = os.path.join(self.dir, "a")
        self._patch("usr/lib/libcourierauth.so.0", [
            (_halves(SOCKET_PATH), _halves(_padded(socket_path, SOCKET_PATH)))])
        # STARTTLS is done by a process that drops to this user, who exists only where it is installed.
        user = "nobody" if root else process.me()[0]
        self._patch("usr/lib/courier/courier/imaplogin", [
            (b"\0courier\0", _padded("\0" + user, b"\0courier\0"))])
        self._auth = AuthSocket(socket_path, self._authdaemon)
        self._tls_process = None

    def _patch(self, source, changes):
        """A copy of an unpacked file in our folder, strings replaced by ones of the same length."""
        with open(os.path.join(self.root, source), "rb") as file:
            data = file.read()
        for old, new in changes:
            assert data.count(old) == 1 and len(new) == len(old), (old, new)
            data = data.replace(old, new)
        copy = os.path.join(self.dir, os.path.basename(source))
        with open(copy, "wb") as file:
            file.write(data)
        os.chmod(copy, 0o755)

    def _authdaemon(self, connection):
        """Variables, "AUTH n", then n bytes: service, kind, user, password, a line each."""
        stream = connection.makefile("rb")
        while not (line := stream.readline()).startswith(b"AUTH "):
            if not line:
                return
        fields = stream.read(int(line.split()[1])).decode("utf-8", "replace").split("\n")
        _, kind, user, password = fields[:4]
        if kind != "login" or not self._check(user, password):
            connection.sendall(b"FAIL\n")
            return
        home = os.path.join(self.dir, user)
        for part in ("", "Maildir", "Maildir/cur", "Maildir/new", "Maildir/tmp"):
            folder = os.path.join(home, part)
            os.makedirs(folder, exist_ok=True)
            os.chown(folder, self._uid, self._gid)
        connection.sendall(f"UID={self._uid}\nGID={self._gid}\nHOME={home}\nADDRESS={user}\n"
                           f"NAME={user}\n.\n".encode())

    def erase(self, user, mailbox):
        """What DELETE does, but DELETE sleeps for two seconds."""
        folder = mailbox.removeprefix("INBOX")
        shutil.rmtree(os.path.join(self.dir, user, "Maildir", folder), ignore_errors=True)

    def start(self):
        for _ in range(5):
            self.plain, self.tls = process.free_port(), process.free_port()
            self.process = self._serve(self.plain)
            self._tls_process = self._serve(self.tls, implicit=True)
            process.wait_for(lambda: self._state() is not None, "courier accepts")
            if self._state():
                return self
            self.stop()
        with open(os.path.join(self.dir, "out"), encoding="utf-8") as out:
            raise AssertionError("courier does not start: " + out.read()[-2000:])

    def _state(self):
        """True: both ports accept; False: a process has ended; None: neither yet."""
        if self.process.poll() is not None or self._tls_process.poll() is not None:
            return False
        both = all(process.accepts(("127.0.0.1", port)) for port in (self.plain, self.tls))
        return True if both else None

    def _serve(self, port, implicit=False):
        """couriertcpd accepts and runs imaplogin, which runs imapd after sign-in."""
        couriertls = os.path.join(self.root, "usr/bin/couriertls")
        environment = {**ENVIRONMENT, "COURIERTLS": couriertls, "TLS_CERTFILE": self._pem,
                       "LD_LIBRARY_PATH": f"{self.dir}:{process.library_path(self.root)}"}
        environment["IMAP_TLS" if implicit else "IMAP_STARTTLS"] = "1" if implicit else "YES"
        environment["IMAP_CAPABILITY_TLS"] = environment["IMAP_CAPABILITY"] + " AUTH=PLAIN"
        login = [os.path.join(self.dir, "imaplogin"),
                 os.path.join(self.root, "usr/bin/imapd"), "Maildir"]
        with open(os.path.join(self.dir, "out"), "ab") as out:
            return process.spawn(
                [os.path.join(self.root, "usr/sbin/couriertcpd"), "-address=127.0.0.1",
                 "-maxprocs=500", "-maxperip=500", "-nodnslookup", "-noidentlookup", str(port),
                 *([couriertls, "-server", "-tcpd"] if implicit else []), *login],
                env=environment, stdout=out, stderr=out, cwd=self.dir)

    def stop(self):
        for one in (self.process, self._tls_process):
            if one:
                process.stop(one, timeout=2)
