"""`siaga notices`: the plan is checked, a test message sent, dead letters are listed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from runtime.settings import Settings
from siaga.cli import app
from storage import keys
from tests.serving import serving
from tests.worker.conftest import Service

ROOT = Path(__file__).parents[2]


def siaga(*words: str | Path, **env: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["notices", *map(str, words)], env=env)
    return result.exit_code, result.output


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service()
    yield made
    made.close()


def test_the_example_is_checked() -> None:
    code, told = siaga("check", ROOT / "deploy" / "notices.toml")
    assert code == 0, told
    assert "notices.toml: 3 routes, 3 people, 3 channels, nothing wrong" in told
    assert "here: channel telegram-posko: url_env: TELEGRAM_POSKO_URL is not set" in told


def test_everything_wrong_is_told(tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text('[[person]]\nname = "Rudi"\n[[route]]\nname = "x"\n')
    for words, env in (((tmp_path / "plan.toml",), {}), ((), {"SIAGA_NOTICE_PLAN": str(tmp_path / "plan.toml")})):
        code, told = siaga("check", *words, **env)
        assert code == 1
        assert "plan.toml: person 'Rudi': channels: Field required" in told
        assert "plan.toml: route 'x': steps: Field required" in told


def test_a_test_message_and_what_the_service_said(service: Service) -> None:
    urls = {"SIAGA_NOTIFY_URLS": f"{service.url('geheim-token')} json://127.0.0.1:1/geheim-token"}
    code, told = siaga("test", "1 json", **urls)
    assert (code, told) == (0, "1 json: taken\n")
    assert service.taken[0]["title"] == "Pesan percobaan"
    code, told = siaga("test", "everybody", **urls)
    assert code == 1
    assert "1 json: taken" in told
    assert "2 json: " in told
    assert "geheim" not in told
    code, told = siaga("test", "nobody", **urls)
    assert (code, "it has 1 json, 2 json, everybody" in told) == (1, True)


def test_dead_letters_are_listed(database_url: str) -> None:
    """By the real API."""
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute("INSERT INTO api_key (name, digest, role) VALUES ('v', %s, 'viewer')", (keys.digest("viewer"),))
        conn.execute(
            "INSERT INTO delivery (made_at, who, channel, language, route, group_key, step, what, severity, title,"
            " body, gave_up, error) SELECT now(), 'Rudi', 'chat', 'id', 'r', '', 0, 'raised', 2, 'Buntu Pane ' || n,"
            " '', n > 1, 'no such chat' FROM generate_series(1, 3) AS t(n)"
        )
    with serving(Settings(database_url=database_url, access_log=False)) as url:
        env = {"SIAGA_API_URL": url, "SIAGA_API_KEY": "viewer"}
        code, told = siaga("dead", **env)
        assert code == 0, told
        assert [line.split()[0] for line in told.splitlines()] == ["id", "3", "2"]
        assert "no such chat" in told
        _, told = siaga("dead", "--json", "--limit", "1", **env)
        assert [each["title"] for each in json.loads(told)] == ["Buntu Pane 3"]
