"""Settings: read from the environment, refused by name and limit, shown without secrets."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import SecretStr

from devices.topics import REGION
from runtime import settings as module
from runtime.settings import SettingError, Settings, describe, load, require

SECRETS = {
    "SIAGA_DATABASE_URL": "postgresql://siaga:Rahasia1@db/siaga",
    "SIAGA_MQTT_URL": "mqtt://siaga:Rahasia2@broker",
    "SIAGA_BROKER_MONITOR_URL": "mqtt://siaga:Rahasia5@broker",
    "SIAGA_API_KEY": "Rahasia3",
    "SIAGA_NOTIFY_URLS": "tgram://Rahasia4/1",
}


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith("SIAGA_")]:
        monkeypatch.delenv(name)


def refusal(monkeypatch: pytest.MonkeyPatch, **env: str) -> str:
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingError) as caught:
        load()
    return str(caught.value)


def test_without_an_environment_there_are_defaults() -> None:
    settings = load()
    assert settings.region == "12.09"
    assert settings.regions == ("+",)
    assert str(settings.zone) == "Asia/Jakarta"
    assert settings.database_url is None


def test_the_environment_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIAGA_API_PORT", "9000")
    monkeypatch.setenv("SIAGA_INGEST_REGIONS", "12.09, 31 ,,12.09.19")
    monkeypatch.setenv("SIAGA_LOG_LEVEL", "debug")
    monkeypatch.setenv("SIAGA_TIME_ZONE", "Asia/Jayapura")
    settings = load()
    assert settings.api_port == 9000
    assert settings.regions == ("12.09", "31", "12.09.19")
    assert settings.log_level == "DEBUG"
    assert str(settings.zone) == "Asia/Jayapura"


def test_files_of_a_folder_set_what_the_environment_does_not(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "siaga_database_url").write_text(SECRETS["SIAGA_DATABASE_URL"] + "\n")
    (tmp_path / "siaga_api_key").write_text("of the file")
    (tmp_path / "somebody_elses").write_text("x")
    monkeypatch.setenv("SIAGA_SECRETS_DIR", str(tmp_path))
    monkeypatch.setenv("SIAGA_API_KEY", "of the environment")
    settings = load()
    assert require(settings.database_url, "SIAGA_DATABASE_URL") == SECRETS["SIAGA_DATABASE_URL"]
    assert require(settings.api_key, "SIAGA_API_KEY") == "of the environment"


def test_a_folder_of_settings_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert "no folder" in refusal(monkeypatch, SIAGA_SECRETS_DIR=str(tmp_path / "none"))


def test_a_bad_value_in_a_file_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "siaga_api_port").write_text("many")
    assert refusal(monkeypatch, SIAGA_SECRETS_DIR=str(tmp_path)).startswith("SIAGA_API_PORT: ")


def test_what_is_not_ours_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_PORT", "many")
    monkeypatch.setenv("PORT", "1")
    assert load().api_port == 8800


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load().region = "31"


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("SIAGA_API_PORT", "65536", "65535"),
        ("SIAGA_API_PORT", "-1", "0"),
        ("SIAGA_API_PORT", "http", "integer"),
        ("SIAGA_INGEST_INFLIGHT", "65001", "65000"),
        ("SIAGA_INGEST_INFLIGHT", "99", "100"),
        ("SIAGA_BATCH_MAX", "0", "1"),
        ("SIAGA_LIVE_WINDOW_S", "86401", "86400"),
        ("SIAGA_LIVE_POLL_S", "0", "0.05"),
        ("SIAGA_TIME_ZONE", "Asia/Kisaran", "Asia/Jakarta"),
        ("SIAGA_TIME_ZONE", "../../etc/passwd", "Asia/Jakarta"),
        ("SIAGA_TIME_ZONE", "", "Asia/Jakarta"),
        ("SIAGA_REGION", "1209", "pattern"),
        ("SIAGA_REGION", "....", "pattern"),
        ("SIAGA_LOG_LEVEL", "LOUD", "'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
        ("SIAGA_INGEST_CLIENT_ID", "siaga.ingest", "pattern"),
        ("SIAGA_INGEST_REGIONS", "12.9", "12.09"),
        ("SIAGA_INGEST_REGIONS", "12.09,#", "'#'"),
        ("SIAGA_INGEST_REGIONS", " , ", "12.09"),
        ("SIAGA_NOTIFY_MIN_SEVERITY", "4", "3"),
    ],
)
def test_a_bad_value_is_refused_naming_variable_limit_and_value(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str
) -> None:
    message = refusal(monkeypatch, **{name: value})
    assert message.startswith(f"{name}: ")
    assert told in message
    assert repr(value) in message
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize(
    ("usual", "most"), [("KEY_DAYS", "KEY_DAYS_MAX"), ("COMMAND_TIMEOUT_S", "COMMAND_TIMEOUT_MAX_S")]
)
def test_what_is_given_unasked_is_no_more_than_may_be_asked_for(
    monkeypatch: pytest.MonkeyPatch, usual: str, most: str
) -> None:
    message = refusal(monkeypatch, **{f"SIAGA_{usual}": "50", f"SIAGA_{most}": "40"})
    assert message == f"SIAGA_{most}: Value error, Input should not be less than SIAGA_{usual}, 50 (got '40')"


def test_all_bad_values_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    message = refusal(monkeypatch, SIAGA_API_PORT="x", SIAGA_REGION="x", SIAGA_BATCH_MAX="x")
    assert {line.split(":")[0] for line in message.splitlines()} == {
        "SIAGA_API_PORT", "SIAGA_REGION", "SIAGA_BATCH_MAX",
    }  # fmt: skip


@pytest.mark.parametrize("code", ["12", "12.09", "12.09.19", "12.09.19.1001"])
def test_regions_follow_the_topic_grammar(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.setenv("SIAGA_REGION", code)
    monkeypatch.setenv("SIAGA_INGEST_REGIONS", code)
    assert load().region == code
    assert load().regions == (code,)


def test_the_grammar_is_one_and_the_same() -> None:
    """runtime may import nothing of ours, so it has a copy."""
    assert REGION.pattern == module.REGION


class TestListing:
    def test_hides_secrets(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in SECRETS.items():
            monkeypatch.setenv(name, value)
        settings = load()
        lines = {line.env: line for line in describe(settings)}
        assert {name for name, line in lines.items() if line.value == "***"} == set(SECRETS)
        assert "Rahasia" not in repr(list(lines.values()))
        assert "Rahasia" not in repr(settings)
        assert "Rahasia" not in str(settings.model_dump())

    def test_secrets_have_no_defaults(self) -> None:
        for name, field in Settings.model_fields.items():
            if "SecretStr" in str(field.annotation):
                assert field.default is None, name

    def test_what_is_not_set_is_empty(self) -> None:
        lines = {line.env: line for line in describe(load())}
        assert lines["SIAGA_DATABASE_URL"].value == ""
        assert lines["SIAGA_DATABASE_URL"].default == ""

    def test_shows_value_unit_and_default(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SIAGA_LIVE_WINDOW_S", "600")
        lines = {line.env: line for line in describe(load())}
        line = lines["SIAGA_LIVE_WINDOW_S"]
        assert (line.value, line.unit, line.default) == ("600", "s", "900")

    @pytest.mark.parametrize("name", Settings.model_fields)
    def test_every_setting_has_a_unit_and_says_what_it_does(self, name: str) -> None:
        (line,) = [line for line in describe(load()) if line.env == f"SIAGA_{name.upper()}"]
        assert line.unit
        assert len(line.text) > 10

    @pytest.mark.parametrize("name", Settings.model_fields)
    def test_every_number_has_limits(self, name: str) -> None:
        field = Settings.model_fields[name]
        if field.annotation in (int, float):
            limits = {type(note).__name__ for note in field.metadata}
            assert {"Ge", "Le"} <= limits, name


class TestRequire:
    def test_gives_the_text(self) -> None:
        assert require(SecretStr("mqtt://x"), "SIAGA_MQTT_URL") == "mqtt://x"

    def test_names_what_is_missing_and_the_cure(self) -> None:
        with pytest.raises(SettingError, match=r"SIAGA_MQTT_URL is not set.*siaga up"):
            require(None, "SIAGA_MQTT_URL")
