"""`siaga doctor`: wiring only, as siaga/cli.py."""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from siaga.terminal import read_settings


def show_doctor(as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False) -> None:
    """Examine this installation: broker, database, clocks, disk, retention, certificates, lag, and what is dangerous.

    Says what to do about each finding and changes nothing. Ends with 1 on any problem; with 0 where all is well, or
    there are warnings only. Give it the environment of the parts; for a `siaga up`: eval "$(siaga env)".
    """
    from siaga.doctor.main import examine
    from siaga.doctor.show import lines

    found = examine(read_settings())
    if as_json:
        typer.echo(json.dumps([each._asdict() for each in found], indent=2, ensure_ascii=False))
    else:
        for line in lines(found, sys.stdout.isatty()):
            typer.echo(line, color=True)
    raise typer.Exit(int(any(each.state == "problem" for each in found)))
