"""`siaga rules`: wiring only, as siaga/cli.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from siaga.terminal import give_up, print_table, read_settings

rules_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)

RuleFile = Annotated[
    Path | None, typer.Option("--file", help="Rules that replace or join those in force.", dir_okay=False)
]


@rules_app.command("check")
def check_files(
    files: Annotated[list[Path] | None, typer.Argument(metavar="[FILE]...", help="Rule files.", dir_okay=False)] = None,
) -> None:
    """Check the shipped rules and those of files; tells file, rule and field. Ends with 1 if anything is wrong."""
    from alerts.rule import RuleError, shipped
    from siaga.rules_test import read_rules

    wrong = 0
    for file in [None, *(files or [])]:
        try:
            found = shipped() if file is None else read_rules(file)
        except (RuleError, OSError) as error:
            typer.echo(str(error), err=True)
            wrong += 1
            continue
        off = sum(not rule.enabled for rule in found)
        disabled = f", {off} of them disabled" if off else ""
        typer.echo(f"{file or 'shipped'}: {len(found)} rules{disabled}, nothing wrong")
    raise typer.Exit(1 if wrong else 0)


@rules_app.command("test")
def play_timelines(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Timelines (docs/rules.md).", dir_okay=False)],
    rule_file: RuleFile = None,
) -> None:
    """Play timelines of readings through the engine and compare what happens. Ends with 1 on any difference."""
    from alerts.rule import RuleError, shipped
    from alerts.rules_set import replaced
    from siaga.rules_test import TimelineError, differences, read_rules, read_timeline

    try:
        rules = replaced(shipped(), read_rules(rule_file)) if rule_file else shipped()
        found = {file: differences(read_timeline(file), rules) for file in files}
    except (RuleError, TimelineError, OSError) as error:
        give_up(error)
    for file, lines in found.items():
        typer.echo(f"{file}: {'as expected' if not lines else f'{len(lines)} differences'}")
        for line in lines:
            typer.echo(f"  {line}")
    raise typer.Exit(1 if any(found.values()) else 0)


@rules_app.command("dry-run")
def dry_run(
    since: Annotated[str, typer.Option("--from", help="From this time on: RFC 3339 with an offset, or 30d, 6h ago.")],
    until: Annotated[str | None, typer.Option("--to", help="Before this time. [now]")] = None,
    rule_file: RuleFile = None,
    rule: Annotated[list[str] | None, typer.Option(help="Only rules of this id; repeatable. [those of --file]")] = None,
    device: Annotated[list[str] | None, typer.Option(help="Only this device; repeatable.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Tell what rules would have made of the readings that are stored, beside those in force."""
    import psycopg

    from alerts.rule import RuleError
    from runtime.settings import SettingError
    from siaga.rules_dry_run import DryRunError, Options, as_plain, lines, moment, run
    from siaga.rules_test import read_rules

    settings = read_settings()
    try:
        options = Options(
            since=moment("--from", since),
            until=moment("--to", until) if until else None,
            candidates=read_rules(rule_file) if rule_file else (),
            ids=tuple(rule or ()),
            devices=tuple(device) if device else None,
        )
        found = run(options, settings)
    except psycopg.errors.UndefinedTable:
        give_up(DryRunError("the database has no tables yet; run `siaga migrate`"))
    except (DryRunError, RuleError, SettingError, OSError, psycopg.Error) as error:
        give_up(error)
    if as_json:
        typer.echo(json.dumps(as_plain(found), indent=2, ensure_ascii=False))
        return
    typer.echo("\n".join(lines(found)))
    top = (found.candidate or found.current).top
    if top:
        typer.echo()
        rows = [(each.rule, each.device_id, f"{each.alerts}", f"{each.transitions}") for each in top]
        print_table(("rule", "device", "alerts", "transitions"), rows)


@rules_app.command("advise")
def advise(
    since: Annotated[str, typer.Option("--from", help="From this time on: RFC 3339 with an offset, or 7d, 6h ago.")] = (
        "7d"
    ),
    until: Annotated[str | None, typer.Option("--to", help="Before this time. [now]")] = None,
    most: Annotated[int, typer.Option(min=1, help="Rules on devices at most.")] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, each with the whole proposed rule.")] = False,
) -> None:
    """Tell what chatters or comes too often, and which delay or deadband would have spared most of it."""
    import psycopg

    from runtime.settings import SettingError
    from siaga.rules_advise import Options, as_plain, lines, run
    from siaga.rules_dry_run import DryRunError, moment

    settings = read_settings()
    try:
        found = run(Options(moment("--from", since), moment("--to", until) if until else None, most), settings)
    except psycopg.errors.UndefinedTable:
        give_up(DryRunError("the database has no tables yet; run `siaga migrate`"))
    except (DryRunError, SettingError, OSError, psycopg.Error) as error:
        give_up(error)
    if as_json:
        typer.echo(json.dumps(as_plain(found), indent=2, ensure_ascii=False))
    else:
        typer.echo("\n".join(lines(found)))
