"""The admin socket: what it shows is what was done, what it does is done, and nobody else is let in."""

import contextlib
import json
import os
import pwd
import re
import socket
import stat
import subprocess
import sys

import pytest

from lib import process
from lib.admin import Admin
from lib.dovecot import Dovecot
from lib.proxy import Proxy, command

pytestmark = pytest.mark.threads

as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")

BYE = b"* BYE [UNAVAILABLE] Session ended by the administrator\r\n"


def start(make_proxy, backends, workers=4, **settings):
    """A proxy with an admin socket in a folder of its own; `path` is where."""
    folder = process.private_dir("admin")
    path = os.path.join(folder, "admin.sock")
    proxy = make_proxy(backends, workers=workers, admin={"socket": path, "http": ""}, **settings)
    proxy.path = path
    return proxy


@pytest.fixture(params=[1, 4], ids=["one-worker", "four-workers"])
def mux(request, make_proxy, mail1):
    proxy = start(make_proxy, {"mail1": mail1}, request.param)
    yield proxy
    process.remove_dir(os.path.dirname(proxy.path))


@pytest.fixture
def mux4(make_proxy, mail1):
    proxy = start(make_proxy, {"mail1": mail1})
    yield proxy
    process.remove_dir(os.path.dirname(proxy.path))


def show(proxy, what):
    with Admin(proxy.path) as admin:
        return admin.ask(f"show {what}")[what]


def settled(proxy, what, condition):
    """Rows once they are as they should be: a connection is parked a moment after the LOGOUT."""
    return process.wait_for(lambda: condition(rows := show(proxy, what)) and rows or None,
                            f"show {what}")


def table(text):
    """Rows of a table as dicts; columns are where their titles are."""
    lines = text.splitlines()
    titles = re.split(r"  +", lines[0].strip())
    return [dict(zip(titles, re.split(r"  +", line.strip()))) for line in lines[1:]]


def run(proxy, *words):
    """The command line; asserts that it went well."""
    status, out, err = command(*words, "-s", proxy.path)
    assert (status, err) == (0, ""), (status, out, err)
    return out


@contextlib.contextmanager
def scene(proxy, server):
    """Two sessions (one with a mailbox), one stranger, one parked connection."""
    with proxy.client("u3", server.users["u3"]) as gone:
        gone.logout()
    with (proxy.client("u1", server.users["u1"]) as one,
          proxy.client("with space", server.users["with space"]) as two,
          proxy.client() as stranger):
        one.cmd("SELECT INBOX").ok()
        two.cmd("SELECT INBOX").ok()
        stranger.cmd("NOOP")
        settled(proxy, "pools", lambda rows: rows[0]["parked"] == 1)
        settled(proxy, "stats", lambda stats: stats["clients"] == 3)
        yield one, two, stranger


# show


def test_nothing_yet(mux):
    row, = show(mux, "pools")
    assert row["backend"] == "mail1" and row["hit_rate"] is None and row["classes"] == []
    assert all(row[key] == 0 for key in ("active", "waiting", "parked", "signing_in", "cleaning",
                                         "hits", "misses", "longest_wait_ms"))
    for what in ("clients", "sessions", "users"):
        assert show(mux, what) == []
        assert run(mux, "show", what) == f"no {what}\n"
    row, = show(mux, "backends")
    assert row["health"] == "unknown" and row["last_failure"] is None


def test_pools(mux, mail1):
    with scene(mux, mail1):
        row, = show(mux, "pools")
        assert row["active"] == 2 and row["parked"] == 1 and row["misses"] == 3
        assert row["classes"] == [{"enabled": "", "parked": 1}]
        assert row["hits"] == 0 and row["hit_rate"] == 0
        shown, = table(run(mux, "show", "pools"))
        assert shown["BACKEND"] == "mail1" and shown["ACTIVE"] == "2" and shown["PARKED"] == "1"
        assert shown["HIT RATE"] == "0%" and shown["PARKED BY CLASS"] == "1 clean"
        with mux.client("u3", mail1.users["u3"]) as again:
            again.cmd("SELECT INBOX").ok()
            row, = show(mux, "pools")
            assert row["active"] == 3 and row["parked"] == 0 and row["hits"] == 1
            assert row["hit_rate"] == 0.25


def test_who_waits(make_proxy, mail1):
    proxy = start(make_proxy, {"mail1": mail1}, pool={"max_per_user": 1, "queue_timeout": "1h"})
    with proxy.client("u6", mail1.users["u6"]) as one, proxy.client() as two:
        one.cmd("SELECT INBOX").ok()
        two.login("u6", mail1.users["u6"]).ok()
        tag = two.start("SELECT INBOX")
        row, = settled(proxy, "pools", lambda rows: rows[0]["longest_wait_ms"] > 100)
        assert row["waiting"] == 1 and row["active"] == 1
        attached = sorted(row["attached"] for row in show(proxy, "sessions"))
        assert attached == [False, True]
        shown, = table(run(proxy, "show", "pools"))
        assert shown["WAITING"] == "1" and shown["LONGEST WAIT"] != "0"
        one.logout()
        two.until(tag).ok()
        row, = show(proxy, "pools")
        assert row["waiting"] == 0 and row["longest_wait_ms"] == 0
    process.remove_dir(os.path.dirname(proxy.path))


def test_spares(make_proxy, mail1):
    proxy = start(make_proxy, {"mail1": mail1}, workers=2, pool={"spares": 4})
    settled(proxy, "pools", lambda rows: rows[0]["spare"] == 4)
    shown, = table(run(proxy, "show", "pools"))
    assert (shown["SPARE"], shown["PARKED"], shown["PARKED BY CLASS"]) == ("4", "0", "-")
    with proxy.client("u1", mail1.users["u1"]) as client:
        client.cmd("SELECT INBOX").ok()  # it holds its connection for as long as that takes
        settled(proxy, "pools", lambda rows: rows[0]["active"] == 1 and rows[0]["spare"] == 4)
        counters = show(proxy, "stats")["counters"]
        assert (counters["pool_spares_used"], counters["pool_spares_opened"]) == (1, 5)
    process.remove_dir(os.path.dirname(proxy.path))


def test_parked_by_class(mux, mail1):
    with mux.client("u4", mail1.users["u4"]) as client:
        client.cmd("ENABLE CONDSTORE").ok()
        client.cmd("SELECT INBOX").ok()
        client.logout()
    with mux.client("u5", mail1.users["u5"]) as client:
        client.logout()

    def is_sorted_out(rows):
        return rows[0]["active"] == 0 and rows[0]["cleaning"] == 0

    row, = settled(mux, "pools", is_sorted_out)
    assert sum(kind["parked"] for kind in row["classes"]) == row["parked"]
    assert {"enabled": "", "parked": 1} in row["classes"]


def test_clients_behind_a_balancer(make_proxy, mail1):
    """The address is the client's, whoever brought him; who still owes his header is none yet."""
    proxy = start(make_proxy, {"mail1": mail1},
                  listeners={"plain": {"proxy_protocol": True, "trusted": ["127.0.0.1"]}})
    header = b"PROXY TCP4 192.0.2.7 198.51.100.9 55012 993\r\n"
    with proxy.client(header=header) as client, proxy.client(greet=False):
        client.login("u1", mail1.users["u1"]).ok()
        row, = show(proxy, "clients")
        assert (row["address"], row["port"], row["user"]) == ("192.0.2.7", "55012", "u1")
    process.wait_for(lambda: not show(proxy, "clients"), "they are gone")
    process.remove_dir(os.path.dirname(proxy.path))


def test_clients(mux, mail1):
    with scene(mux, mail1) as (one, _, stranger):
        rows = {row["port"]: row for row in show(mux, "clients")}
        assert len(rows) == 3
        first = rows[str(one.sock.getsockname()[1])]
        assert first["state"] == "linked" and first["user"] == "u1" and first["tls"] == "none"
        assert first["address"] == "127.0.0.1" and 0 <= first["worker"] < 4
        assert first["listener"] == mux.settings["listeners"][0]["address"]
        last = rows[str(stranger.sock.getsockname()[1])]
        assert last["state"] == "preauth" and last["user"] is None
        ages = [row["age_ms"] for row in show(mux, "clients")]
        assert ages == sorted(ages, reverse=True)
        shown = table(run(mux, "show", "clients"))
        assert {row["ID"] for row in shown} == {row["id"] for row in rows.values()}
        assert {row["USER"] for row in shown} == {"u1", "with space", "-"}
    process.wait_for(lambda: not show(mux, "clients"), "they are gone")


def test_sessions(mux, mail1):
    with scene(mux, mail1):
        with mux.client("u3", mail1.users["u3"]) as again:
            again.cmd("SELECT INBOX").ok()
            rows = {row["user"]: row for row in show(mux, "sessions")}
            assert set(rows) == {"u1", "u3", "with space"}
            for row in rows.values():
                assert row["backend"] == "mail1" and row["attached"] is True
                assert row["login"] == row["user"] and row["idle_ms"] <= row["age_ms"]
                # SELECT and its answer.
                assert row["bytes_to_server"] > 10 and row["bytes_to_client"] > 100
            assert rows["u1"]["connection"] == "new" and rows["u3"]["connection"] == "pooled"
            # The log calls them by the same id.
            assert {row["id"] for row in rows.values()} <= {
                event["session"] for event in mux.events(msg="sign-in")}
            shown = {row["USER"]: row for row in table(run(mux, "show", "sessions"))}
            assert shown["u3"]["CONNECTION"] == "pooled" and shown["u1"]["ATTACHED"] == "yes"


def test_users(mux, mail1):
    with scene(mux, mail1), mux.client("u1", mail1.users["u1"]) as other:
        other.cmd("SELECT INBOX").ok()
        rows = {row["login"]: row for row in show(mux, "users")}
        assert {login: (row["sessions"], row["attached"], row["connections"], row["parked"])
                for login, row in rows.items()} == {
            "u1": (2, 2, 2, 0), "with space": (1, 1, 1, 0), "u3": (0, 0, 1, 1)}
        assert rows["u3"]["user"] is None and rows["u1"]["user"] == "u1"
        assert all(row["backend"] == "mail1" for row in rows.values())
        shown = {row["LOGIN"]: row for row in table(run(mux, "show", "users"))}
        assert shown["u1"]["SESSIONS"] == "2" and shown["u3"]["PARKED"] == "1"


def test_backends_and_their_health(make_proxy, mail1):
    dead = {"address": f"127.0.0.1:{process.free_port()}", "tls": "none"}
    proxy = start(make_proxy, {"mail1": mail1, "mail2": dead},
                  users=[{"match": "u9", "backend": "mail2"}, {"match": "*", "backend": "mail1"}])
    with scene(proxy, mail1), proxy.client() as unlucky:
        assert unlucky.login("u9", "x").status == "NO"
        good, bad = show(proxy, "backends")
        assert good["name"] == "mail1" and good["health"] == "ok" and good["failures"] == 0
        assert good["connections"] == 3 and good["active"] == 2 and good["parked"] == 1
        assert good["address"] == f"127.0.0.1:{mail1.plain}" and good["tls"] == "none"
        assert bad["name"] == "mail2" and bad["health"] == "failing" and bad["failures"] == 1
        assert bad["last_failure"] == "server-connect" and bad["last_failure_ms"] >= 0
        assert bad["connections"] == 0
        first, second = table(run(proxy, "show", "backends"))
        assert first["HEALTH"] == "ok" and second["HEALTH"] == "failing"
        assert second["WHEN"].endswith(" ago")
    process.remove_dir(os.path.dirname(proxy.path))


def test_stats(mux, mail1):
    with scene(mux, mail1):
        stats = show(mux, "stats")
        assert stats["clients"] == 3 and len(stats["workers"]) == mux.settings["workers"]
        counters = stats["counters"]
        assert counters["signins_ok"] == 3 and counters["clients_accepted"] == 4
        assert counters["pool_parked"] == 1 and counters["backend_dials"] == 3
        for name, total in counters.items():
            assert sum(worker[name] for worker in stats["workers"]) == total
        rows = {row["NAME"]: row for row in table(run(mux, "show", "stats"))}
        assert set(counters) < set(rows) and rows["signins_ok"]["VALUE"] == "3"
        assert rows["signins_ok"]["MEANING"]


def test_config_follows_a_reload(mux4):
    settings = {row["key"]: row for row in show(mux4, "config")}
    assert settings["pool.idle_timeout"] == {
        "key": "pool.idle_timeout", "value": "5m", "default": True}
    assert settings["backends[0].name"]["value"] == "mail1"
    assert settings["users[0].match"]["value"] == "*"
    assert settings["admin.socket"]["value"] == mux4.path
    mux4.reload(pool={"idle_timeout": "90s"})
    settings = {row["key"]: row for row in show(mux4, "config")}
    assert settings["pool.idle_timeout"] == {
        "key": "pool.idle_timeout", "value": "90s", "default": False}
    assert re.search(r"^pool\.idle_timeout +\* +90s$", run(mux4, "show", "config"), re.M)
    assert show(mux4, "version")["generation"] == 2


def test_version(mux4):
    version = show(mux4, "version")
    assert version["pid"] == mux4.process.pid and version["workers"] == mux4.settings["workers"]
    assert version["config"] == mux4.conf
    assert version["version"] == mux4.events(msg="ready")[0]["version"]
    assert f"version: {version['version']}\n" in run(mux4, "show", "version")


def test_json_is_the_document(mux4):
    document = json.loads(run(mux4, "show", "pools", "--json"))
    assert document["pools"][0]["backend"] == "mail1"
    # Options may stand anywhere, and the configuration knows the socket, too.
    status, out, err = command("--json", "-c", mux4.conf, "show", "version")
    assert status == 0 and err == "" and json.loads(out)["version"]["pid"] == mux4.process.pid


def test_hostile_names_draw_nothing(make_proxy, mail1):
    proxy = start(make_proxy, {"mail1": mail1}, workers=1, limits={"auth_delay": "1h"})
    with proxy.client() as client:
        client.send(b'a LOGIN {13+}\r\n\x1b[2Jroot\xc2\x9b1mx \"x\"\r\n')
        process.wait_for(lambda: any(row["user"] for row in show(proxy, "clients")), "it is seen")
        out = run(proxy, "show", "clients")
        assert "\x1b" not in out and "\x9b" not in out and "\\x1b[2Jroot" in out
    process.remove_dir(os.path.dirname(proxy.path))


# kick


def test_kick_a_user(mux, mail1):
    with scene(mux, mail1) as (one, two, _):
        with mux.client("u1", mail1.users["u1"]) as more:
            more.cmd("SELECT INBOX").ok()
            assert run(mux, "kick", "U1") == "2 sessions ended\n"
            for client in (one, more):
                assert client.rest() == BYE
            assert mux.wait_event(msg="session end", reason="kicked", count=2)
            kicked, = mux.events(msg="kicked")
            assert kicked["who"] == "U1" and kicked["sessions"] == "2"
            assert kicked["uid"] == str(os.getuid())
        two.cmd("NOOP").ok()
        assert run(mux, "kick", "with space") == "1 session ended\n"
        assert two.rest() == BYE
        status, out, err = command("kick", "u1", "-s", mux.path)
        assert status == 1 and out == "" and "no session" in err


def test_kick_one_session(mux, mail1):
    with scene(mux, mail1) as (one, _, stranger):
        with mux.client("u1", mail1.users["u1"]) as more:
            more.cmd("NOOP").ok()
            port = str(one.sock.getsockname()[1])
            ids = {row["port"]: row["id"] for row in show(mux, "clients")}
            run(mux, "kick", ids[port])
            assert one.rest() == BYE
            more.cmd("NOOP").ok()
        # Who has not signed in is known by his id only.
        run(mux, "kick", ids[str(stranger.sock.getsockname()[1])])
        assert stranger.rest() == BYE


# flush


def test_flush_closes_what_is_parked(mux, mail1):
    with scene(mux, mail1) as (one, _, _):
        assert run(mux, "flush", "-", "u9") == "0 parked connections closed, 0 credentials forgotten\n"
        mark = mail1.mark()
        assert run(mux, "flush") == "1 parked connection closed, 3 credentials forgotten\n"
        process.wait_for(lambda: any("(u3)" in line and "Logged out" in line
                                     for line in mail1.since(mark)), "Dovecot sees a LOGOUT")
        settled(mux, "pools", lambda rows: rows[0]["parked"] == 0)
        one.cmd("NOOP").ok()


def test_flush_of_one_backend_or_user(make_proxy, mail1, mail2):
    proxy = start(make_proxy, {"mail1": mail1, "mail2": mail2},
                  users=[{"match": "u2", "backend": "mail2"}, {"match": "*", "backend": "mail1"}])
    for user in ("u1", "u2", "u3", "u4"):
        with proxy.client(user, mail1.users[user]) as client:
            client.logout()

    def parked():
        return [row["parked"] for row in show(proxy, "pools")]

    process.wait_for(lambda: parked() == [3, 1], "all are parked")
    assert run(proxy, "flush", "mail2") == "1 parked connection closed, 1 credential forgotten\n"
    assert parked() == [3, 0]
    assert run(proxy, "flush", "mail1", "u3") == "1 parked connection closed, 1 credential forgotten\n"
    assert run(proxy, "flush", "-", "u4") == "1 parked connection closed, 1 credential forgotten\n"
    assert parked() == [1, 0]
    assert [row["login"] for row in show(proxy, "users")] == ["u1"]
    status, _, err = command("flush", "mail3", "-s", proxy.path)
    assert status == 1 and "no backend" in err
    process.remove_dir(os.path.dirname(proxy.path))


@pytest.mark.parametrize("words", [["-", "u5"], ["-", "U5@Example.Org"], ["mail1", "u5"], ["mail1"], []])
def test_after_a_flush_the_old_password_is_no_good(make_proxy, certificate, words):
    """As an operator does whose user's password was stolen: change it, flush, and it opens nothing."""
    server = Dovecot(*certificate).start()
    try:
        proxy = start(make_proxy, {"mail1": server}, users=[
            {"match": "*@example.org", "backend": "mail1", "login": "%n"},
            {"match": "*", "backend": "mail1"}])
        old, new, user = server.users["u5"], "new-pass", "u5@example.org"
        proxy.session(user, old)
        with proxy.client(user, old) as held:
            held.cmd("SELECT INBOX").ok()
            server.set_password("u5", new)
            # Proved not long ago: until the flush it is still good, as credential_ttl says.
            with proxy.client(user, old) as client:
                client.logout()
            assert run(proxy, "flush", *words).endswith("1 credential forgotten\n")
            with proxy.client() as client:
                client.login(user, old).no("AUTHENTICATIONFAILED")
                client.login(user, new).ok()
                client.cmd("SELECT INBOX").ok()
            # The session that is in a mailbox goes on; what it holds is not parked.
            held.cmd("NOOP").ok()
            held.logout()
        assert proxy.wait_event(msg="session end", why_not="purged")
        process.remove_dir(os.path.dirname(proxy.path))
    finally:
        server.remove()


# who is let in


def test_only_the_owner_may_use_the_file(mux4):
    assert stat.S_IMODE(os.stat(mux4.path).st_mode) == 0o600
    assert os.stat(mux4.path).st_uid == os.getuid()


ASK = """
import socket, sys
sock = socket.socket(socket.AF_UNIX)
sock.settimeout(20)
sock.connect(sys.argv[1])
try:
    sock.sendall(b"show version\\n")
except BrokenPipeError:
    pass
sys.stdout.write(sock.recv(65536).decode())
"""


def ask_as(user, path):
    who = pwd.getpwnam(user)
    done = subprocess.run([sys.executable, "-c", ASK, path], capture_output=True, text=True,
                          timeout=process.SOON, user=who.pw_uid, group=who.pw_gid,
                          extra_groups=[], check=False, cwd="/")
    return done.stdout


@as_root
def test_a_foreign_user_is_refused_even_where_he_reaches_the_socket(mux4):
    assert ask_as("nobody", mux4.path) == ""
    os.chmod(mux4.path, 0o666)
    assert "not allowed" in json.loads(ask_as("nobody", mux4.path))["error"]
    refused = mux4.wait_event(msg="admin connection refused")
    assert refused["detail"] == f"uid {pwd.getpwnam('nobody').pw_uid}"
    # He has used up nothing.
    for _ in range(20):
        ask_as("nobody", mux4.path)
    assert show(mux4, "version")


@as_root
def test_root_and_the_user_that_it_runs_as_are_let_in(make_proxy, mail1):
    proxy = start(make_proxy, {"mail1": mail1}, user="nobody")
    assert os.stat(proxy.path).st_uid == pwd.getpwnam("nobody").pw_uid
    assert json.loads(ask_as("nobody", proxy.path))["version"]
    assert show(proxy, "version")
    os.chmod(proxy.path, 0o666)
    assert "not allowed" in json.loads(ask_as("daemon", proxy.path))["error"]
    process.remove_dir(os.path.dirname(proxy.path))


# what comes in


def test_several_requests_in_turn(mux4):
    with Admin(mux4.path) as admin:
        for _ in range(3):
            assert admin.ask("show version")["version"]
            assert admin.ask("show pools")["pools"]
        # All at once, the last one in two pieces.
        admin.send("show version\nshow pools\r\n\nnonsense\nshow ses")
        assert list(admin.answer()) == ["version"]
        assert list(admin.answer()) == ["pools"]
        assert "empty" in admin.answer()["error"]
        assert "no such command" in admin.answer()["error"]
        admin.send("sions\n")
        assert admin.answer() == {"sessions": []}


def test_a_half_closed_connection_gets_its_answers(mux4):
    with Admin(mux4.path) as admin:
        admin.send("show pools\nshow version\n")
        admin.sock.shutdown(socket.SHUT_WR)
        assert admin.answer()["pools"] and admin.answer()["version"]
        assert admin.answer() is None


@pytest.mark.parametrize("line", [b"\0\n", b"\xff\xfe\n", b"\x1b[2J\n", b'"\n', b"kick\n",
                                  b'kick ""\n', b"show\n", b"GET / HTTP/1.1\r\n",
                                  b'{"show":"pools"}\n', b"kick \xff\n"])
def test_garbage_is_answered(mux4, line):
    with Admin(mux4.path) as admin:
        admin.send(line)
        answer = admin.answer()
        assert list(answer) == ["error"] or answer == {"kicked": 0}
        assert admin.ask("show version")["version"]["pid"] == mux4.process.pid


def test_an_overlong_line_ends_the_connection(mux4):
    with Admin(mux4.path) as admin:
        assert "too long" in admin.ask("kick " + "x" * 4092)["error"]
        assert admin.ask("kick " + "x" * 4091) == {"kicked": 0}
    with Admin(mux4.path) as admin:
        admin.send(b"x" * 5000)
        assert "too long" in admin.answer()["error"]
        assert admin.answer() is None
    with Admin(mux4.path) as admin:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for _ in range(1000):
                admin.send(b"x" * 65536)
    assert show(mux4, "version")


def test_sixteen_connections_and_no_more(mux4):
    with contextlib.ExitStack() as stack:
        many = [stack.enter_context(Admin(mux4.path)) for _ in range(20)]
        answers = []
        for admin in many:
            with contextlib.suppress(BrokenPipeError):
                admin.send("show pools\n")
            answers.append(admin.answer())
        assert sum("pools" in answer for answer in answers) == 16
        assert sum("too many" in answer.get("error", "") for answer in answers) == 4
    process.wait_for(lambda: "version" in (ask_once(mux4, "show version") or {}), "room again")


def ask_once(proxy, line):
    with Admin(proxy.path) as admin:
        try:
            return admin.ask(line)
        except BrokenPipeError:
            return None


def test_silence_is_not_waited_for(mux4):
    with Admin(mux4.path) as silent, Admin(mux4.path) as slow:
        slow.send("show ver")
        assert silent.answer() is None
        with contextlib.suppress(AssertionError):
            assert slow.answer() is None
    assert show(mux4, "version")


def test_who_leaves_before_his_answer_harms_nobody(mux4, mail1):
    with scene(mux4, mail1) as (one, _, _):
        for _ in range(50):
            # More at once than are let in: some are turned away.
            with Admin(mux4.path) as admin, contextlib.suppress(BrokenPipeError):
                admin.send("show clients\nshow users\nshow pools\n")
        one.cmd("NOOP").ok()
        row, = process.wait_for(lambda: (ask_once(mux4, "show pools") or {}).get("pools"),
                                "there is room again")
        assert row["active"] == 2


# the socket's life


def test_the_socket_goes_with_the_process(mux4):
    with Admin(mux4.path) as admin:
        assert admin.ask("show version")
        mux4.stop()
        assert admin.answer() is None
    assert not os.path.exists(mux4.path)
    status, out, err = command("show", "pools", "-s", mux4.path)
    assert status == 1 and out == "" and "is imapmux running?" in err and mux4.path in err


def test_it_answers_while_it_drains(make_proxy, mail1):
    proxy = start(make_proxy, {"mail1": mail1}, limits={"drain_timeout": "1h"})
    with proxy.client("u1", mail1.users["u1"]) as client:
        client.send(b"x APPEND INBOX {100}\r\n")
        client.challenge()
        proxy.process.terminate()
        proxy.wait_event(msg="draining")
        # The other workers have ended, or are about to.
        for _ in range(20):
            row, = show(proxy, "sessions")
            assert row["user"] == "u1"
            assert show(proxy, "pools")[0]["active"] == 1
        assert run(proxy, "kick", "u1") == "1 session ended\n"
    proxy.stop()
    process.remove_dir(os.path.dirname(proxy.path))


def test_a_reload_moves_it(mux4):
    other = mux4.path + "2"
    with Admin(mux4.path) as before:
        assert "msg=reloaded" in mux4.reload(admin={"socket": other})
        assert not os.path.exists(mux4.path) and os.path.exists(other)
        assert before.ask("show version")["version"]["generation"] == 2
        first, mux4.path = mux4.path, other
        assert show(mux4, "version")["generation"] == 2
        mux4.reload(admin={"socket": ""})
        assert not os.path.exists(other)
        assert before.ask("show version")["version"]["generation"] == 3
        mux4.reload(admin={"socket": first})
        mux4.path = first
        mux4.reload()
        assert show(mux4, "version")["generation"] == 5


def test_a_path_that_cannot_be_is_an_error(make_proxy, mail1):
    proxy = Proxy({"mail1": mail1}, admin={"socket": "/no/such/folder/admin.sock"})
    try:
        proxy.start(ready=False)
        assert proxy.process.wait(process.SOON) == 1
        proxy.wait_line("admin.socket: cannot listen on /no/such/folder/admin.sock")
    finally:
        proxy.remove()
    proxy = start(make_proxy, {"mail1": mail1})
    proxy.write(admin={"socket": "/no/such/folder/admin.sock"})
    mark = proxy.mark()
    proxy.signal(1)
    proxy.wait_event(since=mark, msg="reload failed")
    assert show(proxy, "version")["generation"] == 1
    process.remove_dir(os.path.dirname(proxy.path))


def test_a_socket_in_use_is_an_error_and_stays(mux4, mail1):
    proxy = Proxy({"mail1": mail1}, admin={"socket": mux4.path})
    try:
        proxy.start(ready=False)
        assert proxy.process.wait(process.SOON) == 1
        proxy.wait_line("admin.socket: cannot listen on .*somebody listens there")
    finally:
        proxy.remove()
    assert show(mux4, "version")["pid"] == mux4.process.pid


def test_without_a_folder_at_the_default_path_it_does_without(make_proxy, mail1):
    if os.path.exists("/run/imapmux"):
        pytest.skip("this machine has the folder")
    proxy = make_proxy({"mail1": mail1}, admin={"socket": "/run/imapmux/admin.sock"})
    warning, = proxy.events(msg="no admin socket")
    assert warning["level"] == "warn" and "/run/imapmux/admin.sock" in warning["detail"]
    with proxy.client("u1", mail1.users["u1"]) as client:
        client.cmd("NOOP").ok()
    assert "msg=reloaded" in proxy.reload()


# the command line


@pytest.mark.parametrize("words, said", [
    (["show"], "what to show is missing"),
    (["show", "pool"], 'did you mean "pools"'),
    (["show", "pools", "now"], "one word too many: now"),
    (["kick"], "missing behind: kick"),
    (["flush", "a", "b", "c"], "one word too many: c"),
    (["kick", "a\nb"], "control characters"),
    (["kick", ""], "a name is empty"),
    (["flush", ""], "a name is empty"),
    (["flush", "mail1", ""], "a name is empty"),
    (["show", "pools", "-c", "/no/such/file"], "/no/such/file"),
], ids=lambda value: "-".join(value)[:20] if isinstance(value, list) else "")
def test_usage_errors(mux4, words, said):
    where = [] if "-c" in words else ["-s", mux4.path]
    status, out, err = command(*words, *where)
    assert status == 2 and out == "" and said in err, (status, out, err)


def test_a_configuration_without_socket_says_so(mux):
    mux.write(admin={"socket": ""})
    status, out, err = command("show", "pools", "-c", mux.conf)
    assert status == 2 and out == "" and "switched off" in err
