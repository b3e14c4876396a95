"""Real client programs through the proxy: imaplib, mbsync, curl."""

import imaplib
import os
import re
import shutil
import subprocess

import pytest

from lib.dovecot import Dovecot
from lib.mail import message


@pytest.fixture
def proxy(make_proxy, mail1, certificate):
    return make_proxy({"mail": mail1}, kinds=("tls", "starttls", "plain"), certificate=certificate)


@pytest.mark.parametrize("kind", ["tls", "starttls", "plain"])
def test_imaplib(proxy, mail1, ca, kind):
    mail1.fill("u18", 0)
    host, port = proxy.address(kind)
    context = ca.client_context()
    if kind == "tls":
        client = imaplib.IMAP4_SSL("localhost", port, ssl_context=context)
    else:
        client = imaplib.IMAP4("localhost" if kind == "starttls" else host, port)
        if kind == "starttls":
            client.starttls(context)
    if kind == "tls":
        client.authenticate("PLAIN", lambda _: b"\0u18\0" + mail1.users["u18"].encode())
    else:
        client.login("u18", mail1.users["u18"])
    data = message(7, 5000)
    assert client.append("INBOX", r"(\Flagged)", None, data)[0] == "OK"
    assert client.select("INBOX") == ("OK", [b"1"])
    assert client.search(None, "FLAGGED") == ("OK", [b"1"])
    assert client.fetch("1", "(RFC822)")[1][0][1] == data
    assert client.store("1", "+FLAGS", r"(\Deleted)")[0] == "OK"
    assert client.expunge() == ("OK", [b"1"])
    assert client.list()[0] == "OK"
    assert client.unselect()[0] == "OK"
    assert client.logout()[0] == "BYE"


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_curl(proxy, mail1, ca, tmp_path):
    mail1.fill("u18", 2)
    upload = tmp_path / "mail.eml"
    upload.write_bytes(message(3))

    def curl(kind, path, *more):
        scheme = "imaps" if kind == "tls" else "imap"
        return subprocess.run(
            ["curl", "-sS", "--max-time", "30", "--cacert", ca.ca, "--ssl-reqd", "-u",
             f"u18:{mail1.users['u18']}", f"{scheme}://localhost:{proxy.ports[kind]}/{path}", *more],
            check=True, capture_output=True).stdout

    for kind in ("tls", "starttls"):
        assert curl(kind, "INBOX;MAILINDEX=1") == message(1)
        assert b"INBOX" in curl(kind, "")
    curl("tls", "INBOX", "-T", str(upload))
    assert b"EXISTS" in curl("tls", "", "-X", "EXAMINE INBOX")
    assert curl("starttls", "INBOX;MAILINDEX=3") == message(3)
    status = subprocess.run(["curl", "-sS", "--cacert", ca.ca, "-u", "u18:wrong",
                             f"imaps://localhost:{proxy.ports['tls']}/"], capture_output=True, check=False)
    assert status.returncode == 67  # "login denied"


MBSYNCRC = """
IMAPAccount far
Host localhost
Port {port}
User u19
Pass {password}
SSLType {ssl}
CertificateFile {ca}
AuthMechs {mechanism}

IMAPStore far
Account far

MaildirStore near
Path {dir}/mail/
Inbox {dir}/mail/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Expunge Both
SyncState {dir}/state/
CopyArrivalDate no
"""


class Mbsync:
    """A user's maildir on this side, with the changes that both sides make between runs."""

    def __init__(self, folder, port, password, ca, ssl, mechanism):
        self.dir = folder
        for name in ("mail", "state"):
            os.makedirs(os.path.join(folder, name))
        self.rc = os.path.join(folder, "mbsyncrc")
        with open(self.rc, "w", encoding="ascii") as file:
            file.write(MBSYNCRC.format(port=port, password=password, ca=ca, dir=folder, ssl=ssl,
                                       mechanism=mechanism))

    def run(self):
        done = subprocess.run(["mbsync", "-q", "-c", self.rc, "-a"], capture_output=True, text=True,
                              timeout=60, check=False)
        assert done.returncode == 0, done.stderr + done.stdout

    def files(self, box="INBOX"):
        for part in ("cur", "new"):
            folder = os.path.join(self.dir, "mail", box, part)
            for name in sorted(os.listdir(folder) if os.path.isdir(folder) else ()):
                yield os.path.join(folder, name)

    def view(self):
        """Messages and flags by mailbox, without the names mbsync gives files."""
        found = {}
        for box in sorted(os.listdir(os.path.join(self.dir, "mail"))):
            rows = []
            for path in self.files(box):
                with open(path, "rb") as file:
                    text = re.sub(rb"X-TUID: .*\r?\n", b"", file.read())
                flags = path.rpartition(":2,")[2] if ":2," in path else ""
                rows.append((text.replace(b"\r\n", b"\n"), "".join(sorted(flags))))
            found[box] = sorted(rows)
        return found

    def add(self, data, box="INBOX"):
        folder = os.path.join(self.dir, "mail", box, "new")
        with open(os.path.join(folder, f"{len(data)}.local"), "wb") as file:
            file.write(data.replace(b"\r\n", b"\n"))

    def flag(self, number, flags):
        path = list(self.files())[number]
        base = os.path.basename(path).split(":2,")[0]
        os.rename(path, os.path.join(self.dir, "mail", "INBOX", "cur", base + ":2," + flags))


def story(server, client):
    """Both sides change between the runs; returns what both see at the end."""
    server.fill("u19", 5)
    with server.client("u19") as far:
        far.cmd("DELETE work")
    server.fill("u19", 2, "work", size=30000)
    client.run()
    with server.client("u19") as far:
        far.cmd("SELECT INBOX").ok()
        far.cmd("STORE 1 +FLAGS (\\Seen \\Answered)").ok()
        far.cmd("STORE 2 +FLAGS (\\Deleted)").ok()
        far.cmd("EXPUNGE").ok()
        far.append(message(8)).ok()
    by_subject = sorted(client.files(), key=lambda path: open(path, "rb").read())
    client.flag(list(client.files()).index(by_subject[2]), "FS")
    client.add(message(9, 2000))
    client.run()
    client.run()
    with server.client("u19") as far:
        far.cmd("SELECT INBOX").ok()
        rows = far.cmd("FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])").ok().raw
    rows = re.sub(rb"a\d+ OK.*", b"", rows.replace(b" \\Recent", b"").replace(b"\\Recent", b""))
    return client.view(), rows


@pytest.mark.skipif(not shutil.which("mbsync"), reason="mbsync is not installed")
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_mbsync_two_way_is_the_same_as_without_the_proxy(make_proxy, certificate, ca, tmp_path, mechanism):
    server = Dovecot(*certificate).start()
    try:
        password = server.users["u19"]
        straight = Mbsync(str(tmp_path / "direct"), server.tls, password, ca.ca, "IMAPS", mechanism)
        expected = story(server, straight)
        assert len(expected[0]["INBOX"]) == 6 and len(expected[0]["work"]) == 2
        proxy = make_proxy({"mail": server}, kinds=("tls",), certificate=certificate)
        through = Mbsync(str(tmp_path / "proxy"), proxy.ports["tls"], password, ca.ca, "IMAPS", mechanism)
        assert story(server, through) == expected
        assert proxy.events(msg="sign-in", user="u19")
    finally:
        server.remove()
