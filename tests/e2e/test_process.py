"""The process: start, the line that says ready, reload, drain, end, privileges, the command line."""

import contextlib
import json
import os
import pwd
import signal
import socket
import ssl
import stat
import subprocess
import threading

import pytest

from lib import process
from lib.imap import Client
from lib.mail import message
from lib.proxy import Proxy, binary, command

pytestmark = pytest.mark.threads

as_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can drop privileges")


def status_of(pid):
    """/proc/PID/status as a dict."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


def is_refused(address):
    return not process.accepts(address)


def exits(proxy, status=0):
    """Waits for the end that was asked for."""
    assert proxy.process.wait(process.SOON) == status, proxy.text()
    proxy.stop(status)


# start


@pytest.mark.parametrize("workers", [1, 4])
def test_ready_line_and_every_worker_serves(make_proxy, mail1, workers):
    proxy = make_proxy({"mail1": mail1}, workers=workers, kinds=("plain", "unix"))
    ready, = proxy.events(msg="ready")
    workers = proxy.settings["workers"]
    assert int(ready["workers"]) == workers
    assert ready["listeners"] == "2"
    assert int(ready["pid"]) == proxy.process.pid
    assert ready["version"]
    names = {open(f"/proc/{proxy.process.pid}/task/{task}/comm", encoding="utf-8").read().strip()
             for task in os.listdir(f"/proc/{proxy.process.pid}/task")}
    assert {f"imapmux-{number}" for number in range(workers)} <= names
    # The kernel spreads connections over the workers; every user has his own home among them.
    for user in ("u1", "u2", "u3", "u4", "u5"):
        for kind in proxy.kinds:
            for _ in range(3):
                with proxy.client(user, mail1.users[user], kind=kind) as client:
                    client.cmd("SELECT INBOX").ok()
                    client.logout()


def test_ready_line_as_json(make_proxy, mail1):
    proxy = Proxy({"mail1": mail1}, log={"level": "info", "format": "json"})
    try:
        proxy.start(ready=False)
        line = json.loads(proxy.wait_line('"msg":"ready"'))
        assert line["pid"] == proxy.process.pid
        proxy.process.terminate()
        exits(proxy)
    finally:
        proxy.remove()


def test_all_errors_of_a_configuration_are_told_and_nothing_is_served(mail1):
    proxy = Proxy({"mail1": mail1}, wrokers=3, pool={"max_idle": "many"},
                  users=[{"match": "*", "backend": "mail9"}])
    try:
        proxy.start(ready=False)
        exits(proxy, 2)
        for word in ("wrokers", "workers", "max_idle", "mail9"):
            assert proxy.has(word), proxy.text()
        assert all(line.startswith(proxy.conf + ":") for line in proxy.lines), proxy.text()
    finally:
        proxy.remove()


def test_a_port_in_use_is_told_with_its_line(make_proxy, mail1):
    proxy = make_proxy({"mail1": mail1}, kinds=("plain", "unix"), workers=4)
    proxy.stop()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        proxy.write(listeners=[*proxy.settings["listeners"], {"address": address, "tls": "none"}])
        proxy._spawn()
        exits(proxy, 1)
    told, = proxy.lines
    assert told.startswith(proxy.conf + ":") and address in told and "in use" in told
    assert not os.path.exists(proxy.ports["unix"])


# reload


def test_reload_changes_new_sessions_only(make_proxy, mail1):
    proxy = make_proxy({"mail1": mail1}, workers=4)
    with proxy.client("u1", mail1.users["u1"]) as before:
        assert "IDLE" in before.capabilities()
        mark = proxy.mark()
        line = proxy.reload(capabilities={"hide": ["IDLE"]})
        assert "msg=reloaded" in line and "generation=2" in line
        with proxy.client("u1", mail1.users["u1"]) as after:
            assert "IDLE" not in after.capabilities()
        assert "IDLE" in before.capabilities()
        before.cmd("SELECT INBOX").ok()
        assert not proxy.events(since=mark, level="error")


def test_a_broken_configuration_changes_nothing(make_proxy, mail1):
    proxy = make_proxy({"mail1": mail1}, workers=4)
    with proxy.client("u1", mail1.users["u1"]) as client:
        good = open(proxy.conf, encoding="utf-8").read()
        for broken in ("workers = ;", good + "polo = 1;\nlimits2 = 3;\n",
                       good.replace('backend = "mail1"', 'backend = "mail9"')):
            mark = proxy.mark()
            with open(proxy.conf, "w", encoding="utf-8") as file:
                file.write(broken)
            proxy.signal(signal.SIGHUP)
            failed = proxy.wait_event(since=mark, msg="reload failed")
            assert "generation 1" in failed["detail"]
            assert all(event["detail"].startswith(proxy.conf + ":")
                       for event in proxy.events(since=mark, msg="configuration error"))
        told = [event["detail"] for event in proxy.events(msg="configuration error")]
        assert any("polo" in line for line in told) and any("limits2" in line for line in told)
        client.cmd("SELECT INBOX").ok()
        with proxy.client("u2", mail1.users["u2"]) as other:
            other.cmd("NOOP").ok()
        with open(proxy.conf, "w", encoding="utf-8") as file:
            file.write(good)
        # What failed has not been counted.
        assert "generation=2" in proxy.reload()


def serial(address, context):
    with socket.create_connection(address, process.SOON) as sock:
        with context.wrap_socket(sock, server_hostname="localhost") as tls:
            return tls.getpeercert()["serialNumber"]


def test_reload_serves_renewed_certificates_and_sessions_live_on(make_proxy, mail1, ca, tls):
    pair = ca.issue("renewed", names=("localhost",))
    proxy = make_proxy({"mail1": mail1}, kinds=("tls", "starttls"), certificate=pair, workers=4)
    before = serial(proxy.address("tls"), tls)
    with proxy.client("u1", mail1.users["u1"], kind="tls", tls=tls) as client:
        ca.issue("renewed", names=("localhost",))
        assert serial(proxy.address("tls"), tls) == before
        proxy.reload()
        after = serial(proxy.address("tls"), tls)
        assert after != before
        client.cmd("SELECT INBOX").ok()
        with proxy.client(kind="starttls") as other:
            other.starttls(tls)
            assert other.sock.getpeercert()["serialNumber"] == after
        # A certificate that does not go with its key stops the reload, not the service.
        mark = proxy.mark()
        with open(pair[0], "w", encoding="utf-8") as file:
            file.write("nonsense\n")
        proxy.signal(signal.SIGHUP)
        proxy.wait_event(since=mark, msg="reload failed")
        assert serial(proxy.address("tls"), tls) == after
        client.cmd("NOOP").ok()


def test_listeners_come_and_go(make_proxy, mail1):
    proxy = make_proxy({"mail1": mail1}, kinds=("plain", "unix"), workers=4)
    plain, unix = proxy.settings["listeners"]
    port = process.free_port()
    more = {"address": f"127.0.0.1:{port}", "tls": "none"}
    with proxy.client("u1", mail1.users["u1"], kind="plain") as old:
        line = proxy.reload(listeners=[more, plain])
        assert "added=1" in line and "dropped=1" in line and "listeners=2" in line
        assert not os.path.exists(proxy.ports["unix"])
        for address in (("127.0.0.1", port), proxy.address("plain")):
            with Client(address) as client:
                client.login("u2", mail1.users["u2"]).ok()
                client.logout()
        # What came in by a listener does not need it any more.
        proxy.reload(listeners=[unix, more])
        process.wait_for(lambda: is_refused(proxy.address("plain")), "the port is closed")
        old.cmd("SELECT INBOX").ok()
        with Client(proxy.ports["unix"]) as client:
            client.login("u3", mail1.users["u3"]).ok()
            client.logout()
        old.logout()


def test_a_kept_listener_takes_its_new_mode(make_proxy, mail1, certificate, tls):
    """The address is the identity of a listener; what is offered there is the new file's."""
    proxy = make_proxy({"mail1": mail1}, kinds=("plain",), certificate=certificate, workers=4)
    address = proxy.settings["listeners"][0]["address"]
    with Client(proxy.address()) as client:
        assert "STARTTLS" not in client.capabilities()
    proxy.reload(listeners=[{"address": address, "tls": "implicit"}])
    with Client(proxy.address(), tls=tls) as client:
        client.login("u1", mail1.users["u1"]).ok()


def test_a_reload_that_cannot_bind_changes_nothing(make_proxy, mail1):
    proxy = make_proxy({"mail1": mail1}, workers=4)
    rows = proxy.settings["listeners"]
    free = process.free_port()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        mark = proxy.mark()
        proxy.write(listeners=[{"address": f"127.0.0.1:{free}", "tls": "none"},
                               {"address": f"127.0.0.1:{port}", "tls": "none"}],
                    capabilities={"hide": ["IDLE"]})
        proxy.signal(signal.SIGHUP)
        proxy.wait_event(since=mark, msg="reload failed")
    assert is_refused(("127.0.0.1", free))
    with proxy.client("u1", mail1.users["u1"]) as client:
        assert "IDLE" in client.capabilities()
    proxy.reload(listeners=rows)
    with proxy.client("u1", mail1.users["u1"]) as client:
        assert "IDLE" not in client.capabilities()


def test_settings_that_need_a_restart_are_named(make_proxy, mail1):
    proxy = make_proxy({"mail1": mail1}, workers=1)
    mark = proxy.mark()
    proxy.reload(workers=proxy.settings["workers"] + 1)
    assert any("workers" in event.get("detail", "")
               for event in proxy.events(since=mark, level="warn")), proxy.text()
    with proxy.client("u1", mail1.users["u1"]) as client:
        client.cmd("NOOP").ok()


def test_a_storm_of_reloads_under_load(make_proxy, mail1, certificate, tls):
    proxy = make_proxy({"mail1": mail1}, kinds=("tls", "plain"), certificate=certificate, workers=4)
    failures, stop = [], threading.Event()

    def visit(user, kind):
        try:
            while not stop.is_set():
                with proxy.client(user, mail1.users[user], kind=kind,
                                  tls=tls if kind == "tls" else None) as client:
                    client.cmd("SELECT INBOX").ok()
                    client.logout()
        except Exception as error:  # pylint: disable=broad-except
            failures.append(error)

    visitors = [threading.Thread(target=visit, args=(f"u{number}", kind))
                for number, kind in enumerate(["tls", "plain", "tls"], 1)]
    for visitor in visitors:
        visitor.start()
    for number in range(15):
        hide = ["SORT"] if number % 2 else []
        proxy.reload(capabilities={"hide": hide})
        # Those that come while one is under way are one.
        for _ in range(5):
            proxy.signal(signal.SIGHUP)
    stop.set()
    for visitor in visitors:
        visitor.join(process.SOON)
    assert not failures
    assert not proxy.events(level="error")


# end


def half_a_command(client):
    """The client owes a literal: a drain has to wait for it."""
    client.send(b"x APPEND INBOX {100}\r\n")
    client.challenge()
    client.send(b"From: ")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_idle_clients_are_told_and_the_process_ends(make_proxy, mail1, certificate, number):
    proxy = make_proxy({"mail1": mail1}, kinds=("plain", "unix", "tls"), workers=4,
                       certificate=certificate, limits={"drain_timeout": "1h"})
    with (proxy.client("u1", mail1.users["u1"]) as signed_in, proxy.client() as stranger,
          proxy.client("u2", mail1.users["u2"]) as idling,
          socket.create_connection(proxy.address("tls"), process.SOON) as silent):
        signed_in.cmd("SELECT INBOX").ok()
        idling.cmd("SELECT INBOX").ok()
        idling.idle()
        proxy.signal(number)
        for client in (signed_in, stranger, idling):
            assert client.rest().startswith(b"* BYE ")
        # Where the handshake has not begun, no byte may be said. (The worker may not even have accepted.)
        with contextlib.suppress(ConnectionResetError):
            assert silent.recv(100) == b""
    exits(proxy)
    assert proxy.events(msg="draining") and proxy.events(msg="stopped")
    assert is_refused(proxy.address("plain"))
    assert not os.path.exists(proxy.ports["unix"])


def test_drain_lets_a_command_come_to_its_end(make_proxy, mail1):
    mail1.fill("u4", 0)
    proxy = make_proxy({"mail1": mail1}, workers=4, limits={"drain_timeout": "1h"})
    data = message(1, 5000)
    with proxy.client("u4", mail1.users["u4"]) as client:
        client.send(b"x APPEND INBOX {%d}\r\n" % len(data))
        client.challenge()
        client.send(data[:1000])
        proxy.signal(signal.SIGTERM)
        proxy.wait_event(msg="draining")
        process.wait_for(lambda: is_refused(proxy.address()), "no new client is let in")
        assert proxy.process.poll() is None
        client.send(data[1000:] + b"\r\n")
        assert client.until("x").ok()
        assert client.rest().startswith(b"* BYE ")
    exits(proxy)


def test_drain_ends_after_its_time(make_proxy, mail1):
    proxy = make_proxy({"mail1": mail1}, workers=4, limits={"drain_timeout": "300ms"})
    with proxy.client("u1", mail1.users["u1"]) as client:
        half_a_command(client)
        proxy.signal(signal.SIGTERM)
        client.rest()
    exits(proxy)
    assert proxy.events(msg="stopping")


def test_a_second_term_ends_at_once(make_proxy, mail1):
    proxy = make_proxy({"mail1": mail1}, workers=4, limits={"drain_timeout": "1h"})
    with proxy.client("u1", mail1.users["u1"]) as client:
        half_a_command(client)
        proxy.signal(signal.SIGTERM)
        proxy.wait_event(msg="draining")
        # A reload is no way back.
        proxy.signal(signal.SIGHUP)
        proxy.wait_event(msg="reload refused")
        assert proxy.process.poll() is None
        proxy.signal(signal.SIGTERM)
        client.rest()
    exits(proxy)


def test_term_at_once_after_ready(make_proxy, mail1):
    for _ in range(5):
        proxy = make_proxy({"mail1": mail1}, workers=4)
        proxy.signal(signal.SIGTERM)
        exits(proxy)


@pytest.mark.parametrize("number", [signal.SIGPIPE, signal.SIGUSR1, signal.SIGUSR2])
def test_other_signals_do_not_end_it(make_proxy, mail1, number):
    proxy = make_proxy({"mail1": mail1})
    proxy.signal(number)
    with proxy.client("u1", mail1.users["u1"]) as client:
        client.cmd("NOOP").ok()


def test_a_stale_socket_file_is_replaced(make_proxy, mail1):
    proxy = make_proxy({"mail1": mail1}, kinds=("unix",))
    path = proxy.ports["unix"]
    proxy.process.kill()
    proxy.process.wait()
    assert stat.S_ISSOCK(os.stat(path).st_mode)
    proxy._spawn()
    proxy.wait_event(msg="ready")
    with proxy.client("u1", mail1.users["u1"]) as client:
        client.cmd("NOOP").ok()
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o666


# privileges


@as_root
def test_privileges_are_dropped_for_good(make_proxy, mail1):
    nobody = pwd.getpwnam("nobody")
    proxy = make_proxy({"mail1": mail1}, kinds=("plain", "unix"), workers=4, user="nobody")
    pid = proxy.process.pid
    # A file of a folder that nobody may not write to: it stays, and that is no failure.
    for task in os.listdir(f"/proc/{pid}/task"):
        status = status_of(f"{pid}/task/{task}")
        assert set(status["Uid"].split()) == {str(nobody.pw_uid)}
        assert set(status["Gid"].split()) == {str(nobody.pw_gid)}
        assert set(status["Groups"].split()) <= {str(nobody.pw_gid)}
        assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == 0
        assert status["NoNewPrivs"] == "1"
    with open(f"/proc/{pid}/limits", encoding="ascii") as file:
        core, = (line.split()[4:6] for line in file if line.startswith("Max core file size"))
    assert core == ["0", "0"]
    # Not dumpable: its files in /proc are root's.
    assert os.stat(f"/proc/{pid}/fd").st_uid == 0
    with proxy.client("u1", mail1.users["u1"]) as client:
        client.cmd("SELECT INBOX").ok()
        os.chmod(proxy.dir, 0o755)
        proxy.reload()
        client.logout()


@as_root
def test_a_key_that_only_root_reads_ends_the_reload_not_the_service(make_proxy, mail1, ca, tls):
    pair = ca.issue("rootonly", names=("localhost",))
    os.chmod(pair[1], 0o600)
    proxy = make_proxy({"mail1": mail1}, kinds=("tls",), certificate=pair, user="nobody")
    mark = proxy.mark()
    proxy.signal(signal.SIGHUP)
    proxy.wait_event(since=mark, msg="reload failed")
    assert any(pair[1] in event["detail"] and "denied" in event["detail"]
               for event in proxy.events(since=mark, msg="configuration error"))
    with proxy.client("u1", mail1.users["u1"], kind="tls", tls=tls) as client:
        client.cmd("NOOP").ok()


@as_root
@pytest.mark.parametrize("settings, status", [
    ({"user": "no-such-user"}, 2), ({"group": "no-such-group"}, 2), ({"user": "54321"}, 1),
], ids=["user", "group", "number-without-group"])
def test_who_cannot_be_is_no_start(mail1, settings, status):
    proxy = Proxy({"mail1": mail1}, kinds=("unix",), **settings)
    try:
        proxy.start(ready=False)
        exits(proxy, status)
        assert any(name in proxy.text() for name in settings.values())
        assert not os.path.exists(proxy.ports["unix"])
    finally:
        proxy.remove()


def test_the_log_never_goes_into_a_socket(make_proxy, mail1):
    """Started without standard streams, the first socket must not become number 2."""
    proxy = make_proxy({"mail1": mail1})
    proxy.stop()
    proxy.process = process.spawn(["/bin/sh", "-c", 'exec "$0" -c "$1" <&- >&- 2>&-',
                                   binary(), proxy.conf])
    process.wait_for(lambda: process.accepts(proxy.address()), "it accepts")
    with proxy.client("u1", mail1.users["u1"]) as client:
        client.cmd("NOOP").ok()
        client.logout()
    links = {os.readlink(f"/proc/{proxy.process.pid}/fd/{fd}") for fd in range(3)}
    assert links == {"/dev/null"}


# the command line


def test_help_and_version():
    status, out, err = command("--help")
    assert (status, err) == (0, "")
    for word in ("imapmux -c FILE", "check", "route", "HUP", "TERM", "imapmux.conf(5)"):
        assert word in out
    assert max(len(line) for line in out.splitlines()) < 80
    assert command("-h") == (status, out, err)
    status, out, err = command("--version")
    assert (status, err) == (0, "") and out.startswith("imapmux ") and out.count("\n") == 1


@pytest.mark.parametrize("argv, word", [
    ([], "-c FILE"),
    (["check"], "-c FILE"),
    (["-c"], "argument"),
    (["--nonsense"], "nonsense"),
    (["frobnicate", "-c", "x"], "frobnicate"),
    (["route", "-c", "x"], "user name"),
    (["check", "-c", "x", "more"], "more"),
    (["show", "-c", "x", "pools"], "cannot read x"),
    (["show", "-c", "x", "pool"], "pools"),
    (["kick"], "kick"),
    (["shutdown"], "shutdown"),
    (["-c", "/nonexistent/imapmux.conf"], "/nonexistent/imapmux.conf"),
], ids=lambda value: " ".join(value) or "nothing" if isinstance(value, list) else "")
def test_wrong_command_lines(argv, word):
    status, out, err = command(*argv)
    assert (status, out) == (2, "")
    assert word in err and len(err.splitlines()) <= 3


def test_a_configuration_cannot_be_a_folder_or_a_stream(tmp_path):
    for path in (str(tmp_path), "/dev/null/x"):
        done = subprocess.run([binary(), "-c", path], capture_output=True, timeout=60, check=False)
        assert done.returncode == 2 and done.stderr


def test_old_protocols_are_no_way_in(make_proxy, mail1, certificate, ca):
    """A reload that forbids TLS 1.2 holds for the next client."""
    proxy = make_proxy({"mail1": mail1}, kinds=("tls",), certificate=certificate)
    old = ca.client_context(maximum=ssl.TLSVersion.TLSv1_2)
    with proxy.client(kind="tls", tls=old):
        pass
    proxy.reload(tls={"min_version": "1.3"})
    with pytest.raises((ssl.SSLError, ConnectionError)):
        proxy.client(kind="tls", tls=old)
