"""Medians with their spread, as tables, TSV and a verdict for each target."""

import statistics

DIRECT = "direct"


def shown(value):
    digits = 0 if abs(value) >= 1000 else 1 if abs(value) >= 10 else 2
    return f"{value:.{digits}f}"


class Results:
    """Figures by workload, endpoint, repeat."""

    def __init__(self):
        self.figures = {}  # workload name -> endpoint name -> [{figure: number}]
        self.left_out = []

    def add(self, workload, endpoint, figures):
        self.figures.setdefault(workload.name, {}).setdefault(endpoint.name, []).append(figures)

    def leave_out(self, workload, endpoint, why):
        why = " ".join(str(why).split())[-200:]
        self.left_out.append((workload.name, endpoint.name, why))

    def median(self, workload, endpoint, figure):
        repeats = self.figures.get(workload, {}).get(endpoint, [])
        return statistics.median(one[figure] for one in repeats) if repeats else None

    def ratio(self, workload, one, other, figure):
        """The median over repeats of the ratio within a repeat: what the machine did to both at the
        time cancels out."""
        pairs = list(zip(self.figures.get(workload, {}).get(one, []),
                         self.figures.get(workload, {}).get(other, [])))
        ratios = [a[figure] / b[figure] for a, b in pairs if b[figure]]
        return statistics.median(ratios) if ratios else None

    def tsv(self):
        lines = ["workload\tendpoint\trepeat\tfigure\tvalue"]
        for workload, endpoints in self.figures.items():
            for endpoint, repeats in endpoints.items():
                for number, figures in enumerate(repeats, 1):
                    lines += [f"{workload}\t{endpoint}\t{number}\t{figure}\t{value:.6g}"
                              for figure, value in figures.items()]
        return "\n".join(lines) + "\n"


def table(results, workload):
    """A workload's table in Markdown: median, and (lowest .. highest) of the main figure."""
    endpoints = results.figures.get(workload.name)
    if not endpoints:
        return ""
    names = list(next(iter(endpoints.values()))[0])
    rows = [["", *names]]
    for endpoint, repeats in endpoints.items():
        row = [endpoint]
        for name in names:
            values = [one[name] for one in repeats]
            cell = shown(statistics.median(values))
            if name == workload.main and len(values) > 1:
                cell += f" ({shown(min(values))} .. {shown(max(values))})"
            row.append(cell)
        rows.append(row)
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |"
             for row in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    runs = max(len(repeats) for repeats in endpoints.values())
    return f"## {workload.title}\n\nMedian of {runs}, {workload.unit}.\n\n" + "\n".join(lines) + "\n"


# workload, figure, imapmux's endpoint, the other, at most
TARGETS = (
    ("signin-ecdsa", "cpu_us", "imapmux", "nginx mail", 0.8),
    ("signin-ecdsa", "cpu_us", "imapmux", "haproxy", 1.05),
    ("signin-ecdsa", "cpu_us", "imapmux", "hitch", 1.05),
    ("signin-resumed", "cpu_us", "imapmux", "nginx mail", 0.8),
    ("page-20ms", "p50_ms", "imapmux", DIRECT, 0.15),
    ("page-dovecot-sha512", "p50_ms", "imapmux", "direct TLS", 0.35),
    ("page-dovecot-sha512", "p99_ms", "imapmux", "direct TLS", 0.35),
    ("page-dovecot-plain", "p50_ms", "imapmux", "direct TLS", 0.7),
    ("page-dovecot-plain", "p99_ms", "imapmux", "direct TLS", 0.7),
    ("noop", "cpu_us", "imapmux", "haproxy", 1.0),
    ("noop", "cpu_us", "imapmux", "nginx mail", 1.0),
    ("fetch-64k", "cpu_us_mb", "imapmux", "haproxy", 1.0),
    ("fetch-64k", "cpu_us_mb", "imapmux", "nginx mail", 0.5),
    ("fetch-1m", "cpu_us_mb", "imapmux", "haproxy", 1.0),
    ("fetch-1m", "cpu_us_mb", "imapmux", "nginx mail", 0.5),
    ("fetch-16m", "cpu_us_mb", "imapmux", "haproxy", 1.0),
    ("fetch-16m", "cpu_us_mb", "imapmux", "nginx mail", 0.7),
    ("idle-8000", "pss_kib", "imapmux", "haproxy", 1.0),
    ("storm", "p99_ms", "imapmux", "nginx mail", 0.5),
    ("growth-signin", "cpu_us", "imapmux 100,000", "imapmux 100", 1.1),
    ("growth-noop", "cpu_us", "imapmux 100,000", "imapmux 100", 1.1),
    ("workers", "cpu_us", "imapmux", "imapmux 1 worker", 1.1),
)

# workload, figure, imapmux's endpoint, at most
BOUNDS = (
    ("hit", "ratio", "imapmux", 1.5),
    ("hit", "ratio", "imapmux plain", 1.5),
    ("idle-8000", "pss_kib", "imapmux", 15.0),
)


def targets(results):
    """What was promised, and what came out, in Markdown."""
    lines = []
    for workload, figure, one, other, most in TARGETS:
        ratio = results.ratio(workload, one, other, figure)
        if ratio is not None:
            lines.append(f"| {workload} {figure} | {one} / {other} | {most} | {ratio:.2f} | "
                         f"{'met' if ratio <= most else 'NOT MET'} |")
    for workload, figure, one, most in BOUNDS:
        value = results.median(workload, one, figure)
        if value is not None:
            lines.append(f"| {workload} {figure} | {one} | {most} | {shown(value)} | "
                         f"{'met' if value <= most else 'NOT MET'} |")
    if not lines:
        return ""
    return ("## Targets\n\n| figure | of | at most | is | |\n|---|---|---|---|---|\n"
            + "\n".join(lines) + "\n")
