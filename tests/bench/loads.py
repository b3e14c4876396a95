"""The bench's own programs: the stub server and the load generator."""

import contextlib
import os
import subprocess
import threading

import procs
from lib import process

BUILD = os.path.join(process.TOP, "build", "bench")
PATIENCE = 120  # seconds until a load that hangs is given up


def put_first(pid):
    """What the process does waits for no other: it stands for another machine, and measures this one.
    Where that is not allowed it has to wait like all."""
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(pid, os.SCHED_RR, os.sched_param(1))


class Stub:
    """A fast IMAP server; also answers nginx, whose users live at auth_port (0: here)."""

    def __init__(self, cert, key, signin_ms=0, auth_port=0):
        self.process = process.spawn(
            [os.path.join(BUILD, "stub"), "--cert", cert, "--key", key, "--signin-ms", str(signin_ms),
             "--auth-port", str(auth_port)],
            stdout=subprocess.PIPE, text=True)
        ports = dict(self.process.stdout.readline().split() for _ in range(3))
        self.plain, self.tls, self.http = (int(ports[name]) for name in ("plain", "tls", "http"))

    def put_first(self):
        put_first(self.process.pid)

    def stop(self):
        process.stop(self.process)


class Failed(Exception):
    """The load did not get through; says why."""


class Load:
    """A run of the generator. After start() it is at "ready"; work() lets it run to "done"."""

    def __init__(self, kind, endpoint, *commands, **options):
        argv = [os.path.join(BUILD, "load"), kind]
        for name, value in options.items():
            name = "--" + name.replace("_", "-")
            argv += [name] if value is True else [name, str(value)]
        argv += ["--tls"] if endpoint.is_tls else []
        self.argv = argv + [str(endpoint.port), *commands]
        self.process = self.watch = None

    def start(self):
        self.process = process.spawn(self.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     stderr=subprocess.PIPE, text=True)
        self.watch = threading.Timer(PATIENCE, self.process.kill)
        self.watch.start()
        self._expect("ready")
        return self

    def put_first(self):
        put_first(self.process.pid)

    def go(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def wait_done(self):
        self._expect("done")

    def _expect(self, word):
        line = self.process.stdout.readline().strip()
        if line != word:
            self.process.kill()
            said = self.process.communicate()[1].strip()
            raise Failed(said or f"no {word!r} within {PATIENCE} s")

    def result(self):
        """Lets it end; its figures: name -> number, and ("latency", name) -> percentiles in us."""
        out, said = self.process.communicate("\n")
        if self.process.returncode != 0:
            raise Failed(said.strip())
        figures = {}
        for line in out.splitlines():
            fields = line.split("\t")
            if fields[0] == "latency":
                names = ("count", "mean", "p50", "p90", "p99", "max")
                figures["latency", fields[1]] = dict(zip(names, map(float, fields[2:])))
            else:
                figures[fields[0]] = float(fields[1])
        return figures

    def close(self):
        """Always: also when it has failed."""
        if self.process:
            self.watch.cancel()
            self.process.kill()
            process.stop(self.process)
            for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
                pipe.close()


def measured(load, endpoint):
    """Runs a load; its figures, and with "cpu" the seconds that the endpoint's processes took."""
    try:
        load.start()
        before = procs.settled_cpu(endpoint.pids())
        load.go()
        load.wait_done()
        after = procs.settled_cpu(endpoint.pids())
        figures = load.result()
    finally:
        load.close()
    figures["cpu"] = after - before
    return figures
