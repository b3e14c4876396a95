"""Bars as SVG: one picture for a workload, readable on a white and on a dark page."""

import html
import statistics

WIDTH, LEFT, BAR, GAP, TOP = 720, 170, 18, 8, 58
OURS, THEIRS, SPREAD, TEXT = "#0a7f5a", "#8aa0b4", "#40566b", "#6b7785"


def svg(workload, endpoints, shown):
    """The main figure of each endpoint, lowest first; a thin line from the lowest to the highest."""
    rows = []
    for name, repeats in endpoints.items():
        values = [one[workload.main] for one in repeats]
        rows.append((statistics.median(values), min(values), max(values), name))
    rows.sort()
    height = TOP + len(rows) * (BAR + GAP) + 10
    # One endpoint that is far off must not press the others together: its bar is cut, and says so.
    longest = max(row[0] for row in rows)
    middle = statistics.median(row[0] for row in rows)
    scale = (WIDTH - LEFT - 90) / (min(longest, 6 * middle) or 1)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
           f'font-family="sans-serif" font-size="13" fill="{TEXT}">',
           f'<text x="0" y="18" font-size="16" font-weight="bold">{html.escape(workload.title)}</text>',
           f'<text x="0" y="38">{html.escape(workload.unit)}; less is better</text>']
    for number, (value, low, high, name) in enumerate(rows):
        y = TOP + number * (BAR + GAP)
        length = min(value * scale, WIDTH - LEFT - 90)
        colour = OURS if name.startswith("imapmux") else THEIRS
        text = shown(value) + (" (cut)" if value * scale > length + 1 else "")
        is_whole = high * scale <= WIDTH - LEFT - 90
        end = high * scale if is_whole else length
        out += [f'<text x="{LEFT - 8}" y="{y + 14}" text-anchor="end">{html.escape(name)}</text>',
                f'<rect x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" fill="{colour}"/>',
                f'<text x="{LEFT + max(length, end) + 6:.1f}" y="{y + 14}">{text}</text>']
        if is_whole:
            out.append(f'<line x1="{LEFT + low * scale:.1f}" x2="{LEFT + high * scale:.1f}" '
                       f'y1="{y + BAR / 2}" y2="{y + BAR / 2}" stroke="{SPREAD}" stroke-width="2"/>')
    return "\n".join([*out, "</svg>"]) + "\n"
