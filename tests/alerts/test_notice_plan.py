"""A notice plan: what it may say, and in which words it is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from alerts.notice_plan import TABLES, PlanError, parse, simple

EXAMPLE = Path(__file__).parents[2] / "deploy" / "notices.toml"
HEAD = """
[[channel]]
name = "chat"
url_env = "CHAT"
[[person]]
name = "Rudi"
channels = ["chat"]
[[team]]
name = "bpbd"
fallback = ["Rudi"]
"""
KNOWN = "cabinet, streetlight, traffic, water_level and installation"
ROUTE = '[[route]]\nname = "river"\nsteps = [{ to = ["Rudi"] }]\n'


def wrong(text: str) -> list[str]:
    with pytest.raises(PlanError) as refused:
        parse(text, "plan.toml")
    return str(refused.value).splitlines()


def test_the_shipped_example_is_a_plan() -> None:
    plan = parse(EXAMPLE.read_text("utf-8"), "notices.toml")
    assert plan.routes
    assert plan.teams


def test_one_number_is_for_all_but_the_worst() -> None:
    plan = parse(HEAD + ROUTE + "wait_s = 60\ninterval_s = [1, 2, 3, 4]\n", "plan.toml")
    assert plan.routes[0].wait_s == (60, 60, 60, 0)
    assert plan.routes[0].interval_s == (1, 2, 3, 4)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("x = ", "plan.toml: Invalid value (at end of document)"),
        ("[[rout]]\n",
         "plan.toml: rout: a plan holds tables [[channel]], [[person]], [[team]], [[route]] and nothing else"),
        ("[route]\n", "plan.toml: route: write each as a table [[route]]"),
        (HEAD + ROUTE + "wait_S = 1\n", "plan.toml: route 'river': wait_S: Extra inputs are not permitted"),
        (HEAD + ROUTE + "kinds = ['lamp']\n",
         f"plan.toml: route 'river': kinds: 'lamp' is unknown; known are {KNOWN}"),
        (HEAD + ROUTE + "wait_s = -1\n",
         "plan.toml: route 'river': wait_s: -1 is neither 0 to 604800 s nor a list of four, for severity 0 to 3"),
        (HEAD + ROUTE + "interval_s = [1, 2]\n",
         "plan.toml: route 'river': interval_s: Tuple should have at least 4 items after validation, not 2"),
        (HEAD + ROUTE + "repeat_s = 5\n", "plan.toml: route 'river': repeat_s: 0 (never), or at least 60 s"),
        (HEAD + ROUTE + "min_severity = 3\nmax_severity = 1\n",
         "plan.toml: route 'river': max_severity 1 is below min_severity 3"),
        (HEAD + ROUTE + 'quiet = { from = "22", until = "05:00" }\n',
         "plan.toml: route 'river': quiet.from: '22' is no time of day; write 22:00"),
        (HEAD + ROUTE + 'quiet = { from = "05:00", until = "05:00" }\n',
         "plan.toml: route 'river': quiet: from and until are the same time of day"),
        (HEAD + ROUTE.replace("{ to", "{ after_s = 9, to"),
         "plan.toml: route 'river': steps: the first step is told at once: its after_s is 0"),
        (HEAD + ROUTE.replace('}]', '}, { to = ["Rudi"] }]'),
         "plan.toml: route 'river': steps: after_s must rise from step to step"),
        (HEAD + ROUTE.replace("Rudi", "Sari"), "plan.toml: route 'river': steps.0.to: there is no [[person]] 'Sari'"),
        (HEAD + ROUTE.replace("Rudi", "duty:pu"),
         "plan.toml: route 'river': steps.0.to: 'duty:pu': there is no [[team]] of that name, with a fallback"),
        (HEAD + ROUTE + ROUTE, "plan.toml: route 'river' is there 2 times"),
        (HEAD + '[[person]]\nname = "Ani"\nchannels = ["mail"]\n',
         "plan.toml: person 'Ani': channels: there is no [[channel]] 'mail'"),
        (HEAD + '[[channel]]\nname = "mail"\n',
         "plan.toml: channel 'mail': needs one of url, url_env and url_file"),
        ('[[team]]\nname = "pu"\nfallback = ["Ani"]\n', "plan.toml: team 'pu': fallback: there is no [[person]] 'Ani'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_by_table_and_field(text: str, line: str) -> None:
    assert wrong(text) == [line]


def test_everything_wrong_is_told_at_once_and_no_secret_with_it() -> None:
    told = wrong('[[channel]]\nname = "a"\nurl = "tgram://geheim"\nurl_env = "X"\n[[person]]\nname = "b"\n')
    assert len(told) == 2
    assert "geheim" not in str(told)
    plan = parse('[[channel]]\nname = "a"\nurl = "tgram://geheim"\n', "x")
    assert "geheim" not in repr(plan)


def test_two_settings_make_a_plan_that_tells_everybody_at_once() -> None:
    plan = simple("tgram://token/chat mailto://a", 2)
    assert [each.name for each in plan.channels] == ["1 tgram", "2 mailto"]
    (route,) = plan.routes
    assert (route.min_severity, route.wait_s, route.interval_s, route.repeat_s) == (2, (0,) * 4, (0,) * 4, 0)
    assert simple(None, 2).routes == ()


def test_every_field_is_documented() -> None:
    page = (EXAMPLE.parents[1] / "docs" / "notices.md").read_text("utf-8")
    for name, (_, model) in TABLES.items():
        assert f"`[[{name}]]`" in page
        for field, info in model.model_fields.items():
            assert f"`{info.alias or field}`" in page, f"{name}.{field}"
