"""The part of docs/performance.md that `python -m bench storage --write` writes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parents[2] / "docs" / "performance.md"
BEGIN, END = "<!-- table: python -m bench storage --write -->\n", "<!-- end of table -->\n"
TIMES_BAR, WIDTH_BAR = 20.0, 1 / 3
SHOWN = ("reading_streetlight", "rollup_streetlight_5m", "rollup_streetlight_1h", "reading_water_level")


def write(result: Mapping[str, Any]) -> None:
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END, 1)[1]
    PAGE.write_text(f"{before}{BEGIN}{rendered(result)}{END}{after}", encoding="utf-8")


def rendered(result: Mapping[str, Any]) -> str:
    """As Markdown."""
    return "\n".join([_title(result), "", *_questions(result), "", *_sizes(result), "", *_flavours(result), ""])


def _title(result: Mapping[str, Any]) -> str:
    return (
        f"{datetime.now(UTC):%d %B %Y}: {result['devices']:,} devices, {result['days']} days, {result['readings']:,} "
        f"readings; the narrow table holds {result['narrow_devices']:,} of the devices."
    )


def _questions(result: Mapping[str, Any]) -> list[str]:
    rows = [
        "| question, ms warm (cold) | Siaga | bar | raw readings | times | narrow | rows |",
        "|---|---|---|---|---|---|---|",
    ]
    for each in result["questions"]:
        ours, raw = each["ours"], each.get("raw")
        times = raw["warm_ms"] / ours["warm_ms"] if raw else None
        rows.append(
            f"| {each['name']} | {_ms(ours)} | {_bar(ours['warm_ms'], each['bar_ms'])} | {_ms(raw)} | "
            f"{_times(times, each['bar_ms'])} | {_ms(each.get('narrow'))} | {ours['rows']:,} |"
        )
    return rows


def _sizes(result: Mapping[str, Any]) -> list[str]:
    found = result["sizes"]
    rows = ["| on disk, with indexes | rows | bytes a row |", "|---|---|---|"]
    rows += [
        f"| `{name}` | {each['rows']:,} | {each['bytes_a_row']:,.0f} |"
        for name, each in found.items()
        if name != "narrow"
    ]
    if "narrow" in found:
        narrow, wide = found["narrow"], _wide(found)
        rows.append(f"| narrow, of the same devices | {narrow['rows']:,} values | {narrow['bytes_a_row']:,.0f} |")
        share = wide / narrow["bytes_a_reading"]
        told = f"A reading takes {wide:,.0f} bytes wide and {narrow['bytes_a_reading']:,.0f} narrow: {share:.2f} of it"
        rows += ["", f"{told} (bar {WIDTH_BAR:.2f}: {'reached' if share <= WIDTH_BAR else 'missed'})."]
    return rows


def _flavours(result: Mapping[str, Any]) -> list[str]:
    names = " | ".join(f"`{name}`" for name in SHOWN)
    rows = [f"| bytes a row by flavour | {names} |", "|---" * (1 + len(SHOWN)) + "|"]
    for name, tables in result["flavours"].items():
        cells = " | ".join(f"{tables[table]['bytes_a_row']:,.0f}" for table in SHOWN)
        rows.append(f"| {name} | {cells} |")
    return rows


def _wide(found: Mapping[str, Any]) -> float:
    wide = [each for name, each in found.items() if name.startswith("reading_")]
    return float(sum(each["bytes"] for each in wide) / sum(each["rows"] for each in wide))


def _ms(took: Mapping[str, Any] | None) -> str:
    return f"{took['warm_ms']:,.1f} ({took['cold_ms']:,.0f})" if took else ""


def _bar(ms: float, bar_ms: float | None) -> str:
    return "" if bar_ms is None else f"{bar_ms:,.0f}: {'reached' if ms < bar_ms else 'missed'}"


def _times(times: float | None, bar_ms: float | None) -> str:
    if times is None:
        return ""
    told = f"{times:,.1f}" if times < 100 else f"{times:,.0f}"
    return told if bar_ms is None else f"{told} (bar 20: {'reached' if times >= TIMES_BAR else 'missed'})"
