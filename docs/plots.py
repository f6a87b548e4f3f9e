"""Draws docs/img/{streetlight,water_level,traffic}.png and the tables of docs/plausibility.md: `python docs/plots.py`.

Everything is simulated with seed 1 and for the same dates: pictures and tables come out the same every time. Needs the
extra `plots` (matplotlib).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import matplotlib as mpl
from figures import streetlight, traffic, water_level
from figures.shared import Row
from matplotlib.figure import Figure

HERE = Path(__file__).parent
PAGE = HERE / "plausibility.md"
STYLE = {
    "font.size": 10.5, "axes.grid": True, "grid.alpha": 0.3, "axes.titlesize": 11.5, "axes.titleweight": "bold",
    "axes.titlelocation": "left", "legend.framealpha": 0.85, "legend.fontsize": 9,
}  # fmt: skip
# In inches of 100 pixels.
PICTURES = {
    "streetlight": (streetlight.draw, (16, 11)),
    "water_level": (water_level.draw, (16, 13)),
    "traffic": (traffic.draw, (16, 11)),
}


def main() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for name, (draw, size) in PICTURES.items():
        with mpl.rc_context(STYLE):
            figure = Figure(figsize=size, layout="constrained")
            page = _with_table(page, name, draw(figure))
            # No version of the program that drew it: the file changes only when the picture does.
            figure.savefig(HERE / "img" / f"{name}.png", dpi=100, metadata={"Software": None})
    PAGE.write_text(page, encoding="utf-8")


def _with_table(page: str, name: str, rows: Iterable[Row]) -> str:
    """The page with this table between its markers."""
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    lines = (("figure", "published", "simulated"), ("---",) * 3, *rows)
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return page[: page.index(begin)] + f"{begin}\n\n{table}\n\n" + page[page.index(end) :]


if __name__ == "__main__":
    main()
