"""The report of a cohort: one HTML file that needs nothing else, with distributions, outliers and doubtful cases."""

from __future__ import annotations

import base64
import html
import math
import os
from typing import Any, Optional

import numpy as np

from ._cohort_case import SEPARATOR, Row, Settings

# What is drawn, in words.
SHOWN = {
    "volume_ml": "Volume (mL)",
    "expected_dice": "Expected Dice",
    "mean_hu": "Mean density (HU)",
    "std_hu": "Standard deviation (HU)",
    "components": "Connected parts",
    "total_seconds": "Seconds per case",
}
# Where a case that is far from the others is worth a look.
WATCHED = ("volume_ml", "mean_hu", "std_hu", "expected_dice")
# Deviations of the median, each scaled to be a standard deviation of a normal distribution.
FAR = 3.5
# Fewer cases have no distribution to be far from.
ENOUGH = 8
BARS = 24

STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.5 system-ui, sans-serif; color: #1d2530; background: #f5f6f8; margin: 0; }
main { max-width: 1060px; margin: 0 auto; padding: 28px 20px 60px; }
h1 { font-size: 26px; margin: 0 0 4px; } h2 { font-size: 18px; margin: 36px 0 10px; }
p { margin: 4px 0 10px; } .quiet { color: #667080; font-size: 13px; }
.numbers { display: flex; flex-wrap: wrap; gap: 12px; margin: 18px 0 0; }
.numbers div { background: #fff; border: 1px solid #e1e4ea; border-radius: 8px; padding: 10px 18px; min-width: 96px; }
.numbers b { display: block; font-size: 24px; font-weight: 600; } .numbers .bad b { color: #b3261e; }
.numbers .odd b { color: #b26a00; }
.plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(310px, 1fr)); gap: 14px; }
figure { margin: 0; background: #fff; border: 1px solid #e1e4ea; border-radius: 8px; padding: 12px 14px; }
figcaption { font-weight: 600; font-size: 14px; } figcaption span { font-weight: 400; color: #667080; font-size: 12px; }
table { border-collapse: collapse; width: 100%; background: #fff; border: 1px solid #e1e4ea; font-size: 14px; }
th, td { text-align: left; padding: 6px 10px; border-bottom: 1px solid #edeff3; vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.cases { display: grid; grid-template-columns: repeat(auto-fill, minmax(480px, 1fr)); gap: 14px; }
.cases img { width: 100%; display: block; background: #000; margin: 8px 0; border-radius: 4px; }
code { overflow-wrap: anywhere; }
@media (max-width: 540px) { .cases { grid-template-columns: 1fr; } }
"""


def make(settings: Settings, rows: list[Row], missing: int, pictures: int) -> str:
    """The HTML. missing: cases without a row yet; pictures: of how many doubtful cases there are pictures at most."""
    whole = [row for row in rows if row["status"] == "done"]
    broken = [row for row in rows if row["status"] != "done"]
    doubtful = sorted((row for row in whole if row["doubtful"]), key=lambda row: (row["expected_dice"], row["name"]))
    far = outliers(whole)
    parts = [
        "<h1>Cohort</h1>",
        f"<p class=quiet>{_text(settings.out)} · ggpfn {_text(_only(rows, 'version'))} · model "
        f"{_text(settings.model_sha256[:12])} · {_text(_only(whole, 'device'))}, {_text(_only(whole, 'precision'))}"
        " · for research, not for clinical use</p>",
        "<div class=numbers>",
        _number(len(rows) + missing, "cases"),
        _number(len(whole), "done"),
        _number(len(broken), "failed", "bad"),
        _number(missing, "not done yet", "odd") if missing else "",
        _number(len(doubtful), "doubtful", "odd"),
        _number(len(far), "outliers", "odd"),
        "</div>",
        "<h2>Distributions</h2>",
        f"<div class=plots>{''.join(_plot(whole, key, name) for key, name in SHOWN.items())}</div>",
        _warnings(whole),
        _outliers(far),
        _broken(broken),
        _doubtful(settings, doubtful, pictures),
        _far_pictures(settings, far, doubtful[:pictures], pictures),
    ]
    return (
        '<!doctype html>\n<html lang=en>\n<meta charset="utf-8">\n'
        '<meta name=viewport content="width=device-width, initial-scale=1">\n'
        f"<title>Cohort of {len(rows) + missing} cases</title>\n<style>{STYLE}</style>\n<main>\n"
        + "\n".join(part for part in parts if part)
        + "\n</main>\n</html>\n"
    )


def outliers(rows: list[Row]) -> list[tuple[Row, list[str]]]:
    """The cases that are far from the others, with what is far; the farthest first."""
    found: dict[str, tuple[float, Row, list[str]]] = {}
    for key in WATCHED:
        known = [(row, float(row[key])) for row in rows if row.get(key) is not None]
        if len(known) < ENOUGH:
            continue
        values = np.array([value for _, value in known])
        middle = float(np.median(values))
        spread = 1.4826 * float(np.median(np.abs(values - middle)))
        if spread <= 0:
            continue
        for row, value in known:
            distance = abs(value - middle) / spread
            if distance > FAR:
                before, _, reasons = found.get(row["name"], (0.0, row, []))
                reason = f"{SHOWN[key]}: {value:.4g}, the median is {middle:.4g}"
                found[row["name"]] = (max(before, distance), row, [*reasons, reason])
    ordered = sorted(found.values(), key=lambda one: (-one[0], one[1]["name"]))
    return [(row, reasons) for _, row, reasons in ordered]


def _plot(rows: list[Row], key: str, name: str) -> str:
    values = np.array([row[key] for row in rows if row.get(key) is not None], float)
    if not values.size:
        return f"<figure><figcaption>{name}</figcaption><p class=quiet>no values</p></figure>"
    low, high = float(values.min()), float(values.max())
    if key == "expected_dice":
        low, high = 0.0, 1.0
    elif low == high:
        low, high = low - 0.5, high + 0.5
    counts, edges = np.histogram(values, BARS, (low, high))
    width, height = 300, 110
    step, top = width / BARS, max(int(counts.max()), 1)
    bars = "".join(
        f'<rect x="{index * step + 0.5:.1f}" y="{height - height * count / top:.1f}" width="{step - 1:.1f}" '
        f'height="{height * count / top:.1f}"><title>{edges[index]:.4g} to {edges[index + 1]:.4g}: {count}</title>'
        "</rect>"
        for index, count in enumerate(counts)
        if count
    )
    median = float(np.median(values))
    at = width * (median - low) / (high - low)
    return (
        f"<figure><figcaption>{name} <span>median {median:.4g}, 90 % from {np.quantile(values, 0.05):.4g} to "
        f"{np.quantile(values, 0.95):.4g}</span></figcaption>"
        f'<svg viewBox="0 -6 {width} {height + 24}" width="100%" role="img" aria-label="{name}">'
        f'<g fill="#4a7ebb">{bars}</g><line x1="0" x2="{width}" y1="{height}" y2="{height}" stroke="#b9c0cc"/>'
        f'<line x1="{at:.1f}" x2="{at:.1f}" y1="-6" y2="{height}" stroke="#b26a00" stroke-dasharray="3 3"/>'
        f'<g font-size="11" fill="#667080"><text x="0" y="{height + 14}">{low:.4g}</text>'
        f'<text x="{width}" y="{height + 14}" text-anchor="end">{high:.4g}</text></g></svg></figure>'
    )


def _warnings(rows: list[Row]) -> str:
    counts: dict[str, int] = {}
    for row in rows:
        for kind in (row["warnings"] or "").split("; "):
            if kind:
                counts[kind] = counts.get(kind, 0) + 1
    if not counts:
        return ""
    lines = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    cells = "".join(f"<tr><td>{_text(kind)}<td class=n>{count}</tr>" for kind, count in lines)
    return f"<h2>Warnings</h2><table><tr><th>warning<th class=n>cases</tr>{cells}</table>"


def _outliers(far: list[tuple[Row, list[str]]]) -> str:
    if not far:
        return ""
    cells = "".join(f"<tr><td>{_text(row['name'])}<td>{'<br>'.join(map(_text, why))}</tr>" for row, why in far)
    return (
        f"<h2>Outliers</h2><p class=quiet>Farther from the median than {FAR} robust standard deviations. Not wrong for "
        f"that: worth a look.</p><table><tr><th>case<th>what</tr>{cells}</table>"
    )


def _broken(rows: list[Row]) -> str:
    if not rows:
        return ""
    cells = "".join(
        f"<tr><td>{_text(row['name'])}<td>{_text(row['error'])}<td class=n>{row['attempts']}</tr>" for row in rows
    )
    return f"<h2>Failed</h2><table><tr><th>case<th>why<th class=n>attempts</tr>{cells}</table>"


def _doubtful(settings: Settings, rows: list[Row], pictures: int) -> str:
    if not rows:
        return ""
    more = f" The {pictures} with the lowest expected Dice; all are in cases.csv." if len(rows) > pictures else ""
    return (
        "<h2>Doubtful</h2><p class=quiet>A person should look before these are used. Axial, coronal and sagittal slice "
        f"where the mask is largest.{more}</p>" + _cards(settings, rows[:pictures])
    )


def _far_pictures(settings: Settings, far: list[tuple[Row, list[str]]], shown: list[Row], pictures: int) -> str:
    there = {row["name"] for row in shown}
    rows = [row for row, _ in far if row["name"] not in there][:pictures]
    return f"<h2>Outliers in pictures</h2>{_cards(settings, rows)}" if rows else ""


def _cards(settings: Settings, rows: list[Row]) -> str:
    return f"<div class=cases>{''.join(_card(settings, row) for row in rows)}</div>"


def _card(settings: Settings, row: Row) -> str:
    try:
        with open(settings.picture(row["name"]), "rb") as file:
            data = base64.b64encode(file.read()).decode()
        picture = f'<img alt="slices of {_text(row["name"])}" src="data:image/png;base64,{data}">'
    except OSError:
        picture = "<p class=quiet>no picture</p>"
    said = "<br>".join(_text(text[:1].upper() + text[1:]) for text in (row["warning_texts"] or "").split(SEPARATOR))
    return (
        f"<figure><figcaption>{_text(row['name'])} <span>expected Dice {row['expected_dice']:.2f} · "
        f"{_rounded(row['volume_ml'])} mL · {_rounded(row['mean_hu'])} HU</span></figcaption>{picture}"
        f"<p class=quiet>{said}<br><code>{_text(os.path.relpath(row['input'], settings.out))}</code></p></figure>"
    )


def _number(count: int, name: str, kind: str = "") -> str:
    return f'<div class="{kind if count else ""}"><b>{count}</b>{name}</div>'


def _rounded(value: Optional[float]) -> str:
    return "-" if value is None or math.isnan(value) else f"{value:.1f}"


def _only(rows: list[Row], key: str) -> str:
    """The values of a column, each once."""
    return ", ".join(sorted({str(row[key]) for row in rows if row.get(key)}))


def _text(value: Any) -> str:
    return html.escape(str(value))
