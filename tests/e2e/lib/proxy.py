"""The proxy under test: its configuration file, its process, its log."""

import fcntl
import functools
import os
import re
import select
import signal
import struct
import subprocess
import termios
import threading

from . import process
from .imap import Client

SANITIZERS = ("ERROR: AddressSanitizer", "runtime error:", "WARNING: ThreadSanitizer",
              "LeakSanitizer", "AddressSanitizer:DEADLYSIGNAL", "Assertion ")
PAIR = re.compile(r'([A-Za-z0-9_.-]+)=("(?:[^"\\]|\\.)*"|[^ ]*)')


def binary():
    return os.environ.get("IMAPMUX", os.path.join(process.TOP, "build", "imapmux"))


@functools.lru_cache
def is_sanitized(path, *by):
    """Whether the program was built with one of these sanitizers; without names: with any."""
    with open(path, "rb") as file:
        text = file.read()
    return any(f"__{name}_init".encode() in text for name in by or ("asan", "tsan"))


def at_most(kib):
    """A bound on memory, for the plain build. Sanitizers keep what is freed and shadow what is not:
    there only what grows without any bound is seen."""
    return kib * 16 if is_sanitized(binary()) else kib


def libconfig(value, indent=0):
    """A Python value in the form of the configuration file; a dict is a group, a list a list."""
    pad = "  " * indent
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        text = value.replace("\\", "\\\\").replace('"', '\\"')
        return '"' + text.replace("\n", "\\n") + '"'
    if isinstance(value, dict):
        rows = "".join(f"{pad}  {key} = {libconfig(item, indent + 1)};\n"
                       for key, item in value.items())
        return "{\n" + rows + pad + "}"
    items = (f"{pad}  {libconfig(item, indent + 1)}" for item in value)
    return "(\n" + ",\n".join(items) + f"\n{pad})" if value else "( )"


def render(settings):
    return "".join(f"{key} = {libconfig(value)};\n" for key, value in settings.items())


def merged(base, more):
    """`more` over `base`, group by group."""
    result = dict(base)
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(result.get(key), dict):
            value = merged(result[key], value)
        result[key] = value
    return result


def logfmt(line):
    """A line of the log as a dict, values unescaped."""
    fields = {}
    for key, value in PAIR.findall(line):
        if value.startswith('"'):
            value = re.sub(r"\\u([0-9a-f]{4})", lambda m: chr(int(m[1], 16)), value[1:-1])
            value = re.sub(r"\\(.)", r"\1", value)
        fields[key] = value
    return fields


class Proxy:
    """One running imapmux.

    `backends`: name to a dict of its configuration (or a server of the harness); `users`: the rules,
    by default everybody goes to the first backend. Other top-level groups by keyword. Listeners are
    named by kind: `plain`, `starttls`, `tls`, `unix`; each kind asked for gets a free port and is
    reached by connect(kind).
    """

    def __init__(self, backends, users=None, kinds=("plain",), certificate=None, listeners=None,
                 **settings):
        self.dir = process.private_dir("proxy")
        self.conf = os.path.join(self.dir, "imapmux.conf")
        self.kinds, self.ports = kinds, {}
        self.listeners = listeners or {}
        self._lines, self._new_line = [], threading.Condition()
        self.process = self._reader = None
        self._ended = False
        rows = []
        for name, backend in backends.items():
            where = backend if isinstance(backend, dict) else backend.where()
            rows.append({"name": name, **where})
        # A test that is about a number of workers names it; the others run with the run's own.
        workers = settings.pop("workers", int(os.environ.get("IMAPMUX_WORKERS", 1)))
        self.settings = merged({
            "workers": workers,
            "log": {"level": "debug", "format": "logfmt"},
            "backends": rows,
            "users": users or [{"match": "*", "backend": next(iter(backends))}],
            # A failed sign-in is slowed down for strangers, not for tests: those that prove the delay
            # set it.
            "limits": {"auth_delay": "0s", "auth_delay_max": "0s", "clients_per_ip": 10000},
            # Who has to wait for a connection gets one, however long the one before takes to close.
            "pool": {"queue_timeout": "15s"},
            # Scripted servers count their connections.
            "capabilities": {"probe": "0s"},
            "admin": {"socket": "", "http": ""},
        }, settings)
        if certificate:
            self.settings["tls"] = merged(
                {"certificate": certificate[0], "key": certificate[1]},
                self.settings.get("tls", {}))

    # life

    def _listeners(self):
        rows = []
        for kind in self.kinds:
            if kind == "unix":
                self.ports[kind] = os.path.join(self.dir, "imap.sock")
                row = {"address": f"unix:{self.ports[kind]}", "tls": "none", "mode": "0666"}
            else:
                self.ports[kind] = process.free_port()
                row = {"address": f"127.0.0.1:{self.ports[kind]}",
                       "tls": {"plain": "none", "tls": "implicit"}.get(kind, kind)}
            rows.append(merged(row, self.listeners.get(kind, {})))
        return rows

    def write(self, **settings):
        """Writes the configuration anew (for reload); listeners stay what they are."""
        self.settings = merged(self.settings, settings)
        # At once, as an editor does: a reload that is under way must not read half of it.
        with open(self.conf + ".new", "w", encoding="utf-8") as file:
            file.write(render(self.settings))
        os.replace(self.conf + ".new", self.conf)

    def start(self, ready=True):
        for _ in range(5):
            self.settings["listeners"] = self._listeners()
            self.write()
            self._spawn()
            if not ready:
                return self
            if self.wait_line(r"\bready\b", or_end=True):
                return self
            self.process.wait(process.SOON)
            # Somebody else took the port between our asking for it and the proxy's binding.
            if not self.has("in use"):
                break
        raise AssertionError("the proxy does not start:\n" + "\n".join(self.lines))

    def _spawn(self):
        self._lines.clear()
        self._ended, self._read_bytes = False, 0
        self.process = process.spawn([binary(), "-c", self.conf], stderr=subprocess.PIPE,
                                     stdout=subprocess.DEVNULL)
        self._reader = threading.Thread(target=self._read, args=(self.process.stderr,), daemon=True)
        self._reader.start()

    def _read(self, pipe):
        rest, data = b"", True
        while data:
            select.select([pipe], [], [])
            with self._new_line:
                data = os.read(pipe.fileno(), 65536)
                self._read_bytes += len(data)
                *whole, rest = (rest + data).split(b"\n") if data else (rest, b"")
                self._lines += [line.decode("utf-8", "replace") for line in whole if line]
                self._ended = not data
                self._new_line.notify_all()
        pipe.close()

    @property
    def lines(self):
        """What the proxy has logged until now. It logs before it answers (only the OK of a sign-in goes before its
        line): what is said of an answer that was heard is there, and what is not there was not written."""
        with self._new_line:
            if self.process is not None and not self._ended:
                unread = struct.unpack("i", fcntl.ioctl(self.process.stderr, termios.FIONREAD, b"\0" * 4))[0]
                until = self._read_bytes + unread
                self._new_line.wait_for(lambda: self._ended or self._read_bytes >= until, process.SOON)
            return list(self._lines)

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        try:
            if kind is None:
                self.stop()
            else:
                print("\n".join(self.lines[-40:]))
        finally:
            self.remove()

    def stop(self, status=0):
        """TERM (unless it has ended); asserts the exit status and that no sanitizer spoke."""
        if self.process.poll() is None:
            self.process.terminate()
        try:
            got = self.process.wait(process.SOON * 2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError("the proxy does not stop:\n" + self.text()[-3000:]) from None
        self._reader.join(5)
        self.check()
        assert got == status, f"exit status {got}:\n" + self.text()[-6000:]

    def check(self):
        """No sanitizer report and no failed assertion on stderr."""
        found = [line for line in self.lines if any(word in line for word in SANITIZERS)]
        assert not found, "\n".join(self.lines[-200:])

    def remove(self):
        if self.process:
            process.stop(self.process)
            self._reader.join(5)
        process.remove_dir(self.dir)

    def signal(self, number):
        self.process.send_signal(number)

    def reload(self, **settings):
        """Writes the changed configuration, sends HUP and waits for the line that tells."""
        before = self.mark()
        if settings:
            self.write(**settings)
        self.signal(signal.SIGHUP)
        # A file that is read meanwhile may have such a word in its name.
        return self.wait_line(r'msg"?[=:]"?reload(ed| failed| refused)', since=before)

    # clients

    def address(self, kind=None):
        kind = kind or self.kinds[0]
        port = self.ports[kind]
        return port if isinstance(port, str) else ("127.0.0.1", port)

    def client(self, user=None, password=None, kind=None, **options):
        """A connection; signed in with LOGIN when a user is named."""
        client = Client(self.address(kind), **options)
        if user is not None:
            client.login(user, password).ok()
        return client

    def session(self, user, password, work=None, **options):
        """A whole session: sign-in, `work(client)` or a small command, LOGOUT. Returns when its server
        connection is at rest, parked or closed, so that the next session finds what there is."""
        since = self.mark()
        with self.client(user, password, **options) as client:
            if work:
                work(client)
            else:
                client.cmd('LIST "" INBOX').ok()
            client.logout()
        end = self.wait_event(since, msg="session end")
        if end["kept"] == "no":
            return
        begin = self.events(since, msg="sign-in", session=end["session"])[0]
        if end["kept"] == "yes":
            # It is cleaned from now on, also where it was given back and taken again before.
            since += self.events(since).index(end)
        elif begin["connection"] == "pooled" and end["bytes_to_server"] == "0":
            return  # signed in from the pool without a word for the server: no connection was attached
        process.wait_for(lambda: self.events(since, msg="parked") or self.events(since, msg="not parked"),
                         "the server connection is at rest")

    # the log

    def text(self):
        return "\n".join(self.lines)

    def has(self, word):
        return any(word in line for line in self.lines)

    def events(self, since=0, **wanted):
        """The log's lines as dicts, those that have these values."""
        rows = [logfmt(line) for line in self.lines[since:]]
        return [row for row in rows if all(row.get(key) == value for key, value in wanted.items())]

    def wait_line(self, pattern, since=0, timeout=process.SOON, or_end=False):
        """The first line at or after `since` that matches; waits for it (or for the process's end)."""
        regex = re.compile(pattern)

        def find():
            return next((line for line in self._lines[since:] if regex.search(line)), None)

        with self._new_line:
            self._new_line.wait_for(lambda: find() or (or_end and self._ended), timeout)
            line = find()
        if or_end and self._ended:
            return None
        assert line, f"no line /{pattern}/ in:\n" + "\n".join(self.lines[since:][-30:])
        return line

    def wait_event(self, since=0, count=1, **wanted):
        """Waits for `count` log lines with these values; returns the last."""
        process.wait_for(lambda: len(self.events(since, **wanted)) >= count,
                         f"{count} log lines with {wanted}")
        return self.events(since, **wanted)[count - 1]

    def mark(self):
        """Where the lines begin that are still to come."""
        return len(self.lines)

    def rss_kib(self):
        return process.rss_kib(self.process.pid)


def command(*argv):
    """Runs another of the binary's commands; returns (status, stdout, stderr)."""
    done = subprocess.run([binary(), *argv], capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr
