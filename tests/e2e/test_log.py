"""What the log says, and what it must never say."""

import base64
import json

import pytest

from lib import accounts, process
from lib.fake import Fake, friendly, serve, sign_in
from lib.proxy import logfmt

pytestmark = pytest.mark.threads


def test_one_line_for_each_sign_in_and_each_end(mux, mail1):
    with mux.client("u1", mail1.users["u1"]) as client:
        client.cmd('LIST "" INBOX').ok()
        client.logout()
    end = mux.wait_event(msg="session end")
    mux.wait_event(msg="parked")
    with mux.client("u1", mail1.users["u1"]) as client:
        client.kill()
    mux.wait_event(msg="session end", count=2)
    begin, again = mux.events(msg="sign-in")
    for row in (begin, again):
        assert row["user"] == "u1" and row["backend"] == "mail1" and row["level"] == "info"
        assert row["client"].startswith("127.0.0.1") and "rule" in row and "ms" in row
    assert begin["connection"] == "new" and again["connection"] == "pooled"
    assert end["user"] == "u1" and end["reason"] == "logout"
    assert int(end["bytes_to_client"]) > 0 and int(end["bytes_to_server"]) > 0 and "ms" in end


def test_failed_sign_ins_are_told_with_their_reason(mux, mail1):
    with mux.client() as client:
        client.login("u1", "wrong").no()
    row = mux.wait_event(msg="sign-in failed")
    assert row["user"] == "u1" and row["reason"] == "auth-failed" and "wrong" not in str(row)


def test_unreachable_servers_are_told(make_proxy):
    proxy = make_proxy({"down": {"address": "127.0.0.1:1", "tls": "none"}})
    with proxy.client() as client:
        client.login("u1", "x").no("UNAVAILABLE")
    row = proxy.wait_event(msg="sign-in failed")
    assert row["reason"] == "server-connect" and row["backend"] == "down" and row["level"] == "warn"


@pytest.mark.parametrize("user", [
    b"a\r\nb", b"\x1b[31mred", b'quo"te', b"back\\slash", b"eq=ual user=root", b"\x00nul"[1:], b"\xff\xfe",
    b"\x7f\x9b", b"x" * 5000, b"%n%s"])
def test_hostile_bytes_are_escaped(mux, user):
    before = mux.mark()
    with mux.client() as client:
        client.send(b"a LOGIN {%d+}\r\n%s {6+}\r\nhidden\r\n" % (len(user), user))
        client.until("a")
    # What is no text is refused by the grammar, without a line.
    is_text = user.decode("utf-8", "ignore").encode() == user
    assert len(mux.events(since=before, msg="sign-in failed")) == is_text
    for raw in mux.lines[before:]:
        assert all(32 <= ord(c) < 127 for c in raw), raw
        assert len(raw) <= 2048 and "hidden" not in raw
        if " user=" in raw.replace("=ual user=", ""):
            assert logfmt(raw).get("user", "").startswith(user.decode("latin-1")[:50]), raw
            assert raw.count(" user=") == 1 + raw.count("=ual user=")


@pytest.mark.parametrize("level, lines", [("error", 1), ("warn", 2), ("info", 4)])
def test_level_and_the_ready_line_at_every_level(make_proxy, mail1, level, lines):
    proxy = make_proxy({"mail": mail1, "down": {"address": "127.0.0.1:1", "tls": "none"}},
                       users=[{"match": "u1", "backend": "mail"}, {"match": "*", "backend": "down"}],
                       log={"level": level})
    with proxy.client() as client:
        client.login("u2", "x").no("UNAVAILABLE")
        client.login("u1", mail1.users["u1"]).ok()
        client.logout()
    wanted = ["ready", "sign-in failed", "sign-in", "session end"]

    def told():
        return [row["msg"] for row in proxy.events() if row["msg"] in wanted]

    process.wait_for(lambda: len(told()) >= lines, "the lines")
    assert told() == wanted[:lines]


def test_json(make_proxy, mail1):
    proxy = make_proxy({"mail": mail1}, log={"format": "json"})
    with proxy.client() as client:
        client.send(b'a LOGIN "u\\"1\\\\" {3+}\r\n\x01\x02\x03\r\n')
        client.until("a")
        client.login("u1", mail1.users["u1"]).ok()
        client.logout()
    proxy.wait_line('"msg":"session end"')
    rows = [json.loads(line) for line in proxy.lines]
    assert any(row["msg"] == "sign-in" and row["user"] == "u1" for row in rows)
    assert any(row.get("user") == 'u"1\\' for row in rows)


@pytest.mark.parametrize("level", ["error", "debug"])
def test_no_secret_is_ever_logged(make_proxy, server, certificate, level):
    """All ways to sign in, right and wrong, at every level: no password in any form."""
    proxy = make_proxy({"mail": server}, log={"level": level})
    used = [f"guessed-{n}-secret" for n in range(3)]
    for user in ("u1", "u2", "alice@example.org"):
        password = server.users[user]
        used.append(password)
        for way in ("login", "authenticate_plain", "authenticate_login"):
            with proxy.client() as client:
                getattr(client, way)(user, password).ok()
                client.cmd("SELECT INBOX").ok()
                client.logout()
    with proxy.client() as client:
        if server.kind != "courier":
            client.login("u1", used[0]).no()
            client.authenticate_plain("u1", used[1]).no()
        client.send(b"x LOGIN u1 {17}\r\n")
        client.challenge()
        client.send(used[2].encode())
        client.kill()
    with proxy.client() as client:
        # In the wrong place, and in lines that are refused.
        client.send(f"{used[0]} LOGIN u1 {used[0]} {used[0]}\r\n")
        client.response()
        client.cmd(f"SELECT {used[1]}")
        client.send("y AUTHENTICATE PLAIN !" + base64.b64encode(used[1].encode()).decode() + "\r\n")
        client.pending()
    proxy.stop()
    text = proxy.text()
    for secret in used:
        for form in (secret, base64.b64encode(secret.encode()).decode(),
                     base64.b64encode(f"\0u1\0{secret}".encode()).decode(), secret.encode().hex()):
            assert form not in text, form


def test_no_secret_is_logged_when_the_server_echoes_it(make_proxy):
    def echo(peer):
        peer.send(b"* OK [CAPABILITY IMAP4rev1] ready\r\n")
        while True:
            line = peer.line()
            peer.send(line.split()[0] + b" NO I do not like " + line)

    with Fake(echo) as server:
        proxy = make_proxy({"fake": server.where()}, log={"level": "debug"})
        with proxy.client() as client:
            client.login("u1", "echoed-secret").no()
            assert "echoed-secret" not in "".join(str(row) for row in client.log[-1:])
        proxy.stop()
        assert "echoed-secret" not in proxy.text()


def test_map_file_and_configuration_secrets_are_not_logged(make_proxy, mail1):
    proxy = make_proxy({"mail": mail1}, log={"level": "debug"})
    proxy.client("u1", accounts.ALL["u1"]).logout()
    proxy.reload()
    proxy.stop()
    assert accounts.ALL["u1"] not in proxy.text()


def test_the_end_tells_why_a_connection_was_not_kept(make_proxy):
    with Fake(lambda peer: (sign_in(peer), serve(peer)), friendly) as server:
        proxy = make_proxy({"fake": server.where()})
        with proxy.client("u1", "secret") as client:
            client.cmd("ENABLE QRESYNC").ok()
            client.logout()
        row = proxy.wait_event(msg="session end")
        assert row["kept"] in ("yes", "no")
        assert row["kept"] == "yes" or row["why_not"]
