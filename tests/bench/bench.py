"""Measures imapmux beside its peers.

bench.py BINARY [--quick] [--only WORD,...] [--peers WORD,...] [--repeats N] [--scale X]
                [--before BINARY] [--out FOLDER]

The quick bench leaves out slow peers and some workloads, unless they are named.

All endpoints of a workload are up at the same time and take turns, so that what else the machine does
meets all of them. CPU time is that of all of a proxy's processes; wall-clock figures mean something
only on a machine that has nothing else to do.
"""

import argparse
import os
import shutil
import signal
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "e2e")]

import peers  # noqa: E402  (the path must be set first)
import plot  # noqa: E402
import report  # noqa: E402
import workloads  # noqa: E402
from lib import process  # noqa: E402
from loads import Failed  # noqa: E402


def is_wanted(name, words):
    return not words or any(word.lower() in name.lower() for word in words.split(","))


class Bench:
    def __init__(self, options):
        self.options = options
        self.results = report.Results()
        self.folder = process.private_dir("bench")
        peers.Imapmux.binary = os.path.abspath(options.binary)
        if options.before:
            peers.ImapmuxBefore.binary = os.path.abspath(options.before)

    def say(self, text):
        print(text, file=sys.stderr, flush=True)

    def kinds(self, workload):
        kinds = list(workload.endpoints)
        if self.options.before and peers.Imapmux in kinds:
            kinds.insert(kinds.index(peers.Imapmux) + 1, peers.ImapmuxBefore)
        return [kind for kind in kinds if is_wanted(kind.name, self.options.peers)
                and (kind.in_quick or self.options.peers or not self.options.quick)]

    def started(self, workload, kinds, place):
        endpoints = []
        for kind in kinds:
            endpoint = kind()
            try:
                endpoint.start(place)
                workload.prepare(endpoint)
                endpoints.append(endpoint)
            except (peers.Missing, Failed) as why:
                endpoint.stop()
                self.results.leave_out(workload, endpoint, why)
        return endpoints

    def measure(self, workload, endpoint):
        try:
            figures = workload.measure(endpoint)
        except Failed as why:
            self.results.leave_out(workload, endpoint, why)
            return False
        self.results.add(workload, endpoint, figures)
        return True

    def run_together(self, workload, place, repeats):
        endpoints = self.started(workload, self.kinds(workload), place)
        try:
            for number in range(repeats):
                # Each round begins with another one: nobody always follows the same neighbour.
                turn = number % max(1, len(endpoints))
                for endpoint in endpoints[turn:] + endpoints[:turn]:
                    if not self.measure(workload, endpoint):
                        endpoints = [one for one in endpoints if one is not endpoint]
                        endpoint.stop()
        finally:
            for endpoint in endpoints:
                endpoint.stop()

    def run_fresh(self, workload, place, repeats):
        for _ in range(repeats):
            for kind in self.kinds(workload):
                for endpoint in self.started(workload, [kind], place):
                    try:
                        self.measure(workload, endpoint)
                    finally:
                        endpoint.stop()

    def run(self, workload):
        began = time.monotonic()
        repeats = self.options.repeats or (
            workload.quick_repeats if self.options.quick else workload.repeats)
        with workload.place(self.folder) as place:
            (self.run_fresh if workload.is_fresh else self.run_together)(workload, place, repeats)
        self.say(f"{workload.name:20} {time.monotonic() - began:6.1f} s")
        print(report.table(self.results, workload), flush=True)

    def write(self):
        out = self.options.out
        os.makedirs(out, exist_ok=True)
        chosen = [kind for kind in workloads.ALL if kind.name in self.results.figures]
        with open(os.path.join(out, "results.tsv"), "w", encoding="utf-8") as file:
            file.write(self.results.tsv())
        with open(os.path.join(out, "results.md"), "w", encoding="utf-8") as file:
            file.write("\n".join(report.table(self.results, kind) for kind in chosen)
                       + "\n" + report.targets(self.results))
        for kind in chosen:
            with open(os.path.join(out, f"{kind.name}.svg"), "w", encoding="utf-8") as file:
                file.write(plot.svg(kind, self.results.figures[kind.name], report.shown))
        print(report.targets(self.results))
        for workload, endpoint, why in self.results.left_out:
            self.say(f"left out: {endpoint} from {workload}: {why}")
        self.say(f"tables, TSV and plots are in {out}")

    def finish(self):
        shutil.rmtree(self.folder, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary")
    parser.add_argument("--quick", action="store_true", help="five minutes for everything")
    parser.add_argument("--only", default="", help="workloads: parts of names, commas between")
    parser.add_argument("--peers", default="", help="endpoints: parts of names, commas between")
    parser.add_argument("--repeats", type=int, default=0)
    parser.add_argument("--scale", type=float, default=1.0, help="so many times the operations")
    parser.add_argument("--before", default="", help="another imapmux, measured beside")
    parser.add_argument("--out", default=os.path.join(process.TOP, "build", "bench", "results"))
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    workloads.allow_many_descriptors()
    bench = Bench(options)
    try:
        for kind in workloads.ALL:
            if is_wanted(kind.name, options.only) and (
                    kind.in_quick or options.only or not options.quick):
                bench.run(kind(options.quick, options.scale))
        bench.write()
    finally:
        bench.finish()


if __name__ == "__main__":
    main()
