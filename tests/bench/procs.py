"""What a process and all its descendants cost: CPU time and memory, from /proc."""

import os
import time


def tree(roots):
    """The pids of these processes and of everything below them."""
    children = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", encoding="ascii", errors="replace") as file:
                    parent = int(file.read().rpartition(")")[2].split()[1])
            except OSError:
                continue
            children.setdefault(parent, []).append(int(name))
    found, rest = [], list(roots)
    while rest:
        pid = rest.pop()
        found.append(pid)
        rest += children.get(pid, [])
    return found


def _own_cpu(pid):
    # The clock of another process's CPU time (all its threads, also those that have ended), in
    # nanoseconds, where /proc counts hundredths of a second: clock_getcpuclockid(3).
    return time.clock_gettime((~pid << 3) | 2)


def _reaped_cpu(pid):
    """Of children that have ended and were waited for."""
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def cpu(roots):
    """Seconds of CPU time, user and system."""
    total = 0.0
    for pid in tree(roots):
        try:
            total += _own_cpu(pid) + _reaped_cpu(pid)
        except OSError:
            pass
    return total


def settled_cpu(roots, patience=1.0):
    """The same when the processes have come to rest: what a session leaves behind is its cost too."""
    end = time.monotonic() + patience
    last = cpu(roots)
    while time.monotonic() < end:
        time.sleep(0.03)
        now = cpu(roots)
        if now - last < 0.0005:
            return now
        last = now
    return last


def pss(roots):
    """Bytes of memory; a page that several processes share counts once in all."""
    total = 0
    for pid in tree(roots):
        try:
            with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
                for line in file:
                    if line.startswith("Pss:"):
                        total += int(line.split()[1]) * 1024
        except OSError:
            pass
    return total


def threads(roots):
    """CPU seconds of each thread that lives, by its id."""
    seconds = {}
    for pid in tree(roots):
        try:
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as file:
                    seconds[int(task)] = int(file.read().split()[0]) / 1e9
        except OSError:
            pass
    return seconds
