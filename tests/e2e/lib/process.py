"""Processes and ports of the tests: nothing outlives the test run, nothing uses a fixed port."""

import collections
import contextlib
import functools
import glob
import grp
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

TOP = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
SERVERS = os.path.join(TOP, "build", "servers")

# One deadline for "this must happen soon": generous, because the machine may be busy and a
# sanitizer build is slow. Nothing waits this long unless it fails.
SOON = float(os.environ.get("IMAPMUX_TEST_DEADLINE", "20"))


def wait_for(condition, what, timeout=SOON, interval=0.01):
    """Polls until condition() is true and returns its value; fails loudly after the deadline, with
    `what` (a text, or a function that makes one)."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"timed out after {timeout} s: {what() if callable(what) else what}")
        time.sleep(interval)


# Ports that were given out and perhaps not bound yet: the kernel may name one twice in a row.
_given = collections.deque(maxlen=500)


def free_port(family=socket.AF_INET):
    """A port that was free a moment ago, and that nobody was given lately; whoever binds it must be ready
    to try another."""
    while True:
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            sock.bind(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0))
            port = sock.getsockname()[1]
        if port not in _given:
            _given.append(port)
            return port


def accepts(address):
    """True when something accepts connections at (host, port) or at a unix socket's path."""
    family = socket.AF_UNIX if isinstance(address, str) else (
        socket.AF_INET6 if ":" in address[0] else socket.AF_INET)
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.settimeout(1)
        try:
            sock.connect(address)
        except OSError:
            return False
    return True


def _memory():
    """A folder in memory, if there is one with room, where programs may be."""
    if os.environ.get("IMAPMUX_TEST_KEEP") or not os.access("/dev/shm", os.W_OK):
        return None
    about = os.statvfs("/dev/shm")
    has_room = about.f_bavail * about.f_frsize >= 1 << 30
    return "/dev/shm" if has_room and not about.f_flag & os.ST_NOEXEC else None


def private_dir(name, in_memory=False):
    """A short path (a unix socket's name has 107 bytes) that servers' own users may enter. `in_memory`:
    rather not on a disk, for who waits for it at each step."""
    path = tempfile.mkdtemp(prefix=f"imx-{name}-", dir=in_memory and _memory() or "/tmp")
    os.chmod(path, 0o755)
    if not path.startswith("/tmp"):
        _tell_guardian("+", path)
    return path


def remove_dir(path):
    if os.environ.get("IMAPMUX_TEST_KEEP"):
        return
    shutil.rmtree(path, ignore_errors=True)
    if not path.startswith("/tmp"):
        _tell_guardian("-", path)


# Ends what is left when the test run is killed, and gives its memory back. Linux can send a signal at a
# parent's death too, but forgets it when the child changes its user, as Cyrus and Dovecot do.
_GUARDIAN = """
import os, shutil, sys
left = set()
for line in sys.stdin:
    sign, what = line.split()
    (left.add if sign == "+" else left.discard)(what)
folders = {what for what in left if what.startswith("/")}
for group in left - folders:
    try:
        os.killpg(int(group), 9)
    except ProcessLookupError:
        pass
for folder in folders:
    shutil.rmtree(folder, ignore_errors=True)
"""


@functools.lru_cache(maxsize=1)
def _guardian():
    """Its input ends when the test run does, however that ends."""
    return subprocess.Popen([sys.executable, "-S", "-c", _GUARDIAN], stdin=subprocess.PIPE,
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                            start_new_session=True, bufsize=0)


def _tell_guardian(sign, what):
    """`what`: a process group, or a folder."""
    _guardian().stdin.write(f"{sign} {what}\n".encode())


def spawn(argv, **options):
    """Starts a server as leader of its own process group, so that stop() reaches its children."""
    process = subprocess.Popen(argv, start_new_session=True,
                               **{"stdin": subprocess.DEVNULL, **options})
    _tell_guardian("+", process.pid)
    return process


def stop(process, timeout=10):
    """TERM, then after the deadline KILL for the whole group; returns the exit status."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            pass
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    _tell_guardian("-", process.pid)
    return process.wait(timeout)


def rss_kib(pid):
    """Resident memory of a process."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        for line in status:
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    return 0


def me():
    """(user, group) names of this process."""
    return pwd.getpwuid(os.getuid()).pw_name, grp.getgrgid(os.getgid()).gr_name


def give(path, user):
    """Gives a tree to a user when root runs the tests; otherwise it is ours already."""
    if os.getuid() != 0:
        return
    owner = pwd.getpwnam(user)
    for folder, _, files in os.walk(path):
        for name in [folder, *(os.path.join(folder, file) for file in files)]:
            os.chown(name, owner.pw_uid, owner.pw_gid)


def library_path(root):
    """Where the libraries of unpacked packages are."""
    return ":".join(os.path.join(root, part) for part in
                    ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu", "usr/lib"))


def _sockets(folder):
    """The inodes of a process's sockets."""
    with contextlib.suppress(OSError):
        links = [os.readlink(fd.path) for fd in os.scandir(folder)]
        return {link[8:-1] for link in links if link.startswith("socket:[")}
    return set()


def serving(client):
    """The processes that hold the other ends of TCP connections on loopback of the process `client`."""
    with open("/proc/net/tcp", encoding="ascii") as table:
        rows = [row.split() for row in table.read().splitlines()[1:]]
    ours = _sockets(f"/proc/{client}/fd")
    ends = {(row[2], row[1]) for row in rows if row[9] in ours and row[3] == "01"}
    theirs = {row[9] for row in rows if (row[1], row[2]) in ends}
    return {int(folder.split("/")[2]) for folder in glob.glob("/proc/[0-9]*/fd")
            if _sockets(folder) & theirs}
