"""The report as a page with pictures, drawn as inline SVG: no script, nothing from elsewhere, all text escaped."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

from training.evaluation.curves import NONE, Bin, Point
from training.evaluation.report import Row

_STYLE = """
:root { color-scheme: light dark; --ink: light-dark(#1b1b1b, #ececec); --paper: light-dark(#fffdf8, #17181a);
  --line: light-dark(#8a8a8a, #8f8f8f); --mark: light-dark(#0b5cad, #8cc4ff); --bad: light-dark(#a11b1b, #ff9d94); }
body { max-width: 64rem; margin: 2rem auto; padding: 0 1rem; font: 1rem/1.5 system-ui, sans-serif;
  color: var(--ink); background: var(--paper); }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: .9rem; }
caption { text-align: left; font-weight: 600; padding: .6rem 0 .3rem; }
th, td { text-align: left; padding: .2rem .8rem .2rem 0; border-top: 1px solid var(--line); vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
td.missed { color: var(--bad); font-weight: 600; } td.ours { font-weight: 600; }
.small { display: flex; flex-wrap: wrap; gap: 1rem; } figure { margin: 0; } figcaption { font-size: .85rem; }
svg text { fill: var(--ink); font: 10px system-ui, sans-serif; }
svg .frame { fill: none; stroke: var(--line); } svg .curve { fill: none; stroke: var(--mark); stroke-width: 2; }
svg .dot { fill: var(--mark); } svg .even { stroke: var(--line); stroke-dasharray: 3 3; }
"""
_ERRORS = 120
_SIZE = 150


class Error(NamedTuple):
    """A sentence whose types were not read as they are."""

    text: str
    gold: Sequence[str]
    found: Sequence[str]
    confidence: float


class Pictures(NamedTuple):
    """What is drawn of one set."""

    types: Sequence[tuple[str, int, float, float, float]]
    confusion: Mapping[tuple[str, str], int]
    curves: Mapping[str, Sequence[Point]]
    reliability: Sequence[Bin]
    errors: Sequence[Error]


def render(head: str, tables: Mapping[str, Sequence[Row]], pictures: Mapping[str, Pictures]) -> str:
    """Return the whole page."""
    sets = "".join(_set(name, rows, pictures[name]) for name, rows in tables.items())
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Dépêche: how good it reads</title><style>{_STYLE}</style></head><body><main>"
        f"<h1>How good it reads</h1><p>{escape(head)}</p>{sets}</main></body></html>\n"
    )


def _set(name: str, rows: Sequence[Row], pictures: Pictures) -> str:
    return (
        f"<section><h2>{escape(name)}</h2>{_table(rows)}{_types(pictures.types)}{_confusion(pictures.confusion)}"
        f"<h3>Precision and recall by threshold</h3><div class=small>{_curves(pictures)}</div>"
        f"<h3>Confidence against truth</h3>{_reliability(pictures.reliability)}{_errors(pictures.errors)}</section>"
    )


def _table(rows: Sequence[Row]) -> str:
    peers = list(dict.fromkeys(peer for row in rows for peer in row.peers))
    heads = "".join(f'<th scope="col" class=n>{escape(p)}</th>' for p in ("ours", *peers, "target"))
    lines = []
    for row in rows:
        theirs = "".join(f"<td class=n>{escape(row.peers.get(peer, ''))}</td>" for peer in peers)
        css = "n missed" if _missed(row) else "n ours"
        note = " (missed)" if _missed(row) else ""
        lines.append(
            f'<tr><th scope="row">{escape(row.measure)}</th><td class="{css}">{escape(row.ours)}{note}</td>{theirs}'
            f"<td class=n>{escape(row.target)}</td></tr>"
        )
    return (
        '<div class=scroll tabindex="0"><table><caption>Scores beside peers, same sentences, same run</caption>'
        f'<thead><tr><th scope="col">measure</th>{heads}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'
    )


def _missed(row: Row) -> bool:
    if not row.target:
        return False
    sign, aim = row.target.split()
    return float(row.ours) > float(aim) if sign == "≤" else float(row.ours) < float(aim)


def _types(types: Sequence[tuple[str, int, float, float, float]]) -> str:
    lines = "".join(
        f'<tr><th scope="row">{escape(kind)}</th><td class=n>{cases}</td><td class=n>{p:.2f}</td>'
        f"<td class=n>{r:.2f}</td><td class=n>{f1:.2f}</td></tr>"
        for kind, cases, p, r, f1 in types
    )
    return (
        "<table><caption>By event type</caption><thead><tr><th>type</th><th class=n>cases</th>"
        "<th class=n>precision</th><th class=n>recall</th><th class=n>F1</th></tr></thead>"
        f"<tbody>{lines}</tbody></table>"
    )


def _confusion(counts: Mapping[tuple[str, str], int]) -> str:
    kinds = [*sorted({kind for pair in counts for kind in pair} - {NONE}), NONE]
    most = max((n for (gold, found), n in counts.items() if gold != found), default=1)
    cell, left, top = 26, 90, 80
    parts = []
    for y, gold in enumerate(kinds):
        parts.append(f'<text x="{left - 6}" y="{top + y * cell + 17}" text-anchor="end">{escape(gold)}</text>')
        x_label = left + y * cell + 16
        parts.append(
            f'<text x="{x_label}" y="{top - 6}" transform="rotate(-55 {x_label} {top - 6})">{escape(gold)}</text>'
        )
        for x, found in enumerate(kinds):
            n = counts.get((gold, found), 0)
            if not n:
                continue
            colour = "var(--mark)" if gold == found else "var(--bad)"
            strength = 0.35 if gold == found else 0.1 + 0.8 * n / most
            at_x, at_y = left + x * cell, top + y * cell
            parts.append(
                f'<rect x="{at_x}" y="{at_y}" width="{cell - 2}" height="{cell - 2}" fill="{colour}" '
                f'fill-opacity="{strength:.2f}"><title>{escape(gold)} read as {escape(found)}: {n}</title></rect>'
                f'<text x="{at_x + cell / 2 - 1}" y="{at_y + 16}" text-anchor="middle">{n}</text>'
            )
    width, height = left + len(kinds) * cell + 60, top + len(kinds) * cell
    return (
        '<h3>Which type is taken for which</h3><div class=scroll tabindex="0"><figure>'
        f'<svg width="{width}" height="{height}" role="img" aria-label="Confusion of event types">'
        f"{''.join(parts)}</svg>"
        "<figcaption>Rows: what the text says. Columns: what was read. The last of each is “no event”.</figcaption>"
        "</figure></div>"
    )


def _curves(pictures: Pictures) -> str:
    figures = []
    for kind, cases, *_ in pictures.types:
        points, named = pictures.curves.get(kind, ()), escape(kind)
        line = " ".join(f"{20 + p.recall * _SIZE:.1f},{10 + (1 - p.precision) * _SIZE:.1f}" for p in points)
        figures.append(
            f'<figure><svg width="{_SIZE + 30}" height="{_SIZE + 30}" role="img" aria-label="{named}: precision">'
            f'<rect class=frame x="20" y="10" width="{_SIZE}" height="{_SIZE}"/><polyline class=curve points="{line}"/>'
            f'<text x="20" y="{_SIZE + 24}">recall</text><text x="2" y="22">P</text></svg>'
            f"<figcaption>{named}, {cases} case{'s' if cases != 1 else ''}</figcaption></figure>"
        )
    return "".join(figures)


def _reliability(bins: Sequence[Bin]) -> str:
    size = 2 * _SIZE
    dots = "".join(
        f'<circle class=dot cx="{30 + b.confidence * size:.1f}" cy="{10 + (1 - b.right) * size:.1f}" '
        f'r="{3 + min(12.0, b.size**0.5 / 2):.1f}">'
        f"<title>confidence {b.confidence:.2f}: {b.right:.2f} right of {b.size}</title></circle>"
        for b in bins
    )
    return (
        f'<figure><svg width="{size + 50}" height="{size + 40}" role="img" aria-label="Confidence against share right">'
        f'<rect class=frame x="30" y="10" width="{size}" height="{size}"/>'
        f'<line class=even x1="30" y1="{size + 10}" x2="{size + 30}" y2="10"/>{dots}'
        f'<text x="30" y="{size + 26}">confidence of an event</text></svg>'
        "<figcaption>On the dotted line a confidence is exactly the share that is right.</figcaption></figure>"
    )


def _errors(errors: Sequence[Error]) -> str:
    lines = "".join(
        f"<tr><td>{escape(e.text)}</td><td>{escape(', '.join(e.gold)) or '–'}</td>"
        f"<td>{escape(', '.join(e.found)) or '–'}</td><td class=n>{e.confidence:.2f}</td></tr>"
        for e in errors[:_ERRORS]
    )
    return (
        '<div class=scroll tabindex="0"><table>'
        f"<caption>The {min(_ERRORS, len(errors))} surest mistakes of {len(errors)} "
        "sentences read otherwise than they are</caption><thead><tr><th>sentence</th><th>is</th><th>read as</th>"
        f"<th class=n>confidence</th></tr></thead><tbody>{lines}</tbody></table></div>"
    )
