"""The tests' own tools, where a fault would not show by itself."""

import os
import signal
import subprocess
import sys

import pytest

from lib import process

RUN = """
import signal, sys
sys.path.insert(0, sys.argv[1])
from lib import process
folder = process.private_dir("lib", in_memory=True)
print(folder, process.spawn(sys.argv[2:]).pid, process.spawn(sys.argv[2:]).pid, flush=True)
signal.pause()
"""


def is_running(pid):
    """False for a zombie, too: who inherits it may never ask for its status."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGTERM])
def test_no_server_outlives_a_killed_run(by):
    """Not even one that has changed its user, as Dovecot and Cyrus do."""
    server = ["sleep", "600"]
    if os.getuid() == 0:
        server = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *server]
    here = os.path.dirname(os.path.abspath(__file__))
    with subprocess.Popen([sys.executable, "-B", "-c", RUN, here, *server],
                          stdout=subprocess.PIPE) as run:
        folder, *servers = run.stdout.readline().decode().split()
        servers = [int(word) for word in servers]
        assert len(servers) == 2 and all(is_running(pid) for pid in servers)
        run.send_signal(by)
        run.wait()
        process.wait_for(lambda: not any(is_running(pid) for pid in servers), "the servers end")
        if not folder.startswith("/tmp"):
            process.wait_for(lambda: not os.path.exists(folder), "their memory is given back")
    process.remove_dir(folder)
