"""`python -m siaga` and the `siaga` command."""

from __future__ import annotations

from siaga.cli import app


def main() -> None:
    app(prog_name="siaga")


if __name__ == "__main__":
    main()
