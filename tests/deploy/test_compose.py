"""deploy/compose: read by Docker's own tool, each service held to what is promised of it, each script run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cryptography import x509
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from runtime.mqtt_url import parse_url
from siaga.stack import postgres as embedded
from siaga.stack.ports import LOOPBACK
from storage.migrate import migrate
from tests import debian
from tests.deploy.files import DEPLOY, OF_BROKER, SETTINGS, documents, read, said, tool
from tests.servers import PASSWORD, Postgres, missing
from tests.stack import ROOT

FOLDER = DEPLOY / "compose"
SITE = "siaga.example.go.id"
# One-shots, and what has nobody to ask it.
NOT_ASKED = {"migrate", "reader", "proxy-folders", "backup", "doctor", "sync"}
ROOT_FOR_ITS_FOLDERS = {"proxy-folders"}
OPEN = {"8883", "80", "443"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """All of it as Docker reads it, with the profiles; its files beside, as there."""
    compose = debian.program("trixie", "usr/libexec/docker/cli-plugins/docker-compose")
    if compose is None:
        missing("docker compose", debian.CURE)
        raise AssertionError("unreachable")
    home = tmp_path_factory.mktemp("compose")
    env = {"SITE": SITE, "HOME": str(home), "PATH": os.environ["PATH"]}
    out = said(*compose, "-f", FOLDER / "compose.yaml", "--profile", "*", "config", env=env)
    (content,) = documents(out[out.index("name: ") :])
    assert isinstance(content, dict)
    return content


@pytest.fixture(scope="module")
def services(whole: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = whole["services"]
    return found


def test_docker_asks_for_a_name(tmp_path: Path) -> None:
    compose = debian.program("trixie", "usr/libexec/docker/cli-plugins/docker-compose")
    if compose is None:
        missing("docker compose", debian.CURE)
        return
    env = {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    done = subprocess.run(
        (*compose, "-f", FOLDER / "compose.yaml", "config"), env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "the name under which people find the pages" in done.stderr


def test_each_service_may_do_little(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "privileged" not in service, name
        root = service["user"].startswith("0:")
        assert root == (name in ROOT_FOR_ITS_FOLDERS), name
        limits = service["deploy"]["resources"]["limits"]
        assert {"cpus", "memory", "pids"} <= limits.keys(), name
        assert service["logging"]["options"]["max-size"], name


def test_each_service_is_asked_whether_it_is_well(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        check = service.get("healthcheck", {"disable": True})
        assert check.get("disable", False) == (name in NOT_ASKED), name


def test_images_are_named_with_a_version(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        assert re.search(r":v?\d+\.\d+\.\d+[\w.-]*$|@sha256:", service["image"]), name


def test_only_what_must_be_open_is(whole: dict[str, Any], services: dict[str, dict[str, Any]]) -> None:
    assert {port["published"] for service in services.values() for port in service.get("ports", ())} == OPEN
    inside = {name for name, network in whole["networks"].items() if network.get("internal")}
    assert inside == {"data", "watch", "broker", "web"}
    # What keeps the data, and what reads it, is on no way out; of ours the worker alone is, as it writes to people.
    for name in ("database", "api", "ingest", "prometheus", "grafana", "sync", "migrate", "reader"):
        assert set(services[name]["networks"]) <= inside, name


def test_secrets_are_files_that_prepare_makes(tmp_path: Path, whole: dict[str, Any]) -> None:
    wanted = {Path(secret["file"]).name for secret in whole["secrets"].values()}
    copy = tmp_path / "compose"
    shutil.copytree(
        FOLDER, copy, ignore=shutil.ignore_patterns("secrets", "certificates", "ca", ".env", "settings.env")
    )
    env = {"PATH": os.environ["PATH"], "SIAGA": f"{sys.executable} -m siaga", "PYTHONPATH": str(ROOT)}
    asked = subprocess.run([copy / "prepare.sh"], env=env, capture_output=True, text=True, check=False)
    assert asked.returncode == 1
    assert "SITE" in asked.stderr
    written = (copy / ".env").read_text()
    (copy / ".env").write_text(written.replace(SITE, "siaga.asahan.example"))

    said(copy / "prepare.sh", env=env)
    made = {file.name: file.read_text() for file in (copy / "secrets").iterdir()}
    assert set(made) == wanted
    assert (copy / "secrets").stat().st_mode & 0o777 == 0o700
    assert len(set(made.values())) == len(made)
    broker = parse_url(made["siaga_mqtt_url"])
    assert (broker.tls, broker.host, broker.password) == (True, "broker", made["broker_password"])
    certificate = x509.load_pem_x509_certificate((copy / "certificates" / "broker.pem").read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["broker", "siaga.asahan.example"]
    mounted = {
        Path(volume["source"]).name for volume in whole["services"]["broker"]["volumes"] if volume["type"] == "bind"
    }
    assert mounted - {"nats"} <= {file.name for file in (copy / "certificates").iterdir()}

    said(copy / "prepare.sh", env=env)
    assert made == {file.name: file.read_text() for file in (copy / "secrets").iterdir()}


def test_no_secret_is_in_the_environment(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        for variable, value in service.get("environment", {}).items():
            if re.search("PASSWORD|SECRET|KEY|TOKEN", variable) and not variable.endswith(("_FILE", "_DIR")):
                raise AssertionError(f"{name}: {variable}")
            assert "@" not in str(value), f"{name}: {variable}"


def test_what_our_parts_are_told_are_settings(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        for variable in service.get("environment", {}):
            if variable.startswith("SIAGA_"):
                assert variable in SETTINGS or variable.startswith(OF_BROKER), f"{name}: {variable}"
        for secret in service.get("secrets", ()):
            target = (secret.get("target") or secret["source"]).rpartition("/")[2].upper()
            assert not target.startswith("SIAGA_") or target in SETTINGS, f"{name}: {target}"


def test_the_proxy_is_the_one_that_is_believed(services: dict[str, dict[str, Any]]) -> None:
    address = services["proxy"]["networks"]["web"]["ipv4_address"]
    assert services["api"]["environment"]["SIAGA_TRUSTED_PROXIES"] == address
    assert (
        services["broker"]["networks"]["broker"]["ipv4_address"] == services["broker"]["environment"]["BROKER_ADDRESS"]
    )


def test_prometheus_asks_every_part(services: dict[str, dict[str, Any]], tmp_path: Path) -> None:
    for name in ("compose/prometheus.yml", "prometheus/siaga.rules.yml"):
        shutil.copy(DEPLOY / name, tmp_path)
    said(tool("promtool", "apt-get install prometheus"), "check", "config", tmp_path / "prometheus.yml")
    (here,) = documents(read("compose/prometheus.yml"))
    (usual,) = documents(read("prometheus/prometheus.yml"))
    hosts = [target.partition(":")[0] for each in jobs(here) for target in each["targets"]]
    assert hosts == [each["labels"]["part"] for each in jobs(usual)]
    for host in hosts:
        assert "watch" in services[host]["networks"], host


def jobs(config: dict[str, Any]) -> list[dict[str, Any]]:
    (job,) = config["scrape_configs"]
    found: list[dict[str, Any]] = job["static_configs"]
    return found


def test_shellcheck_finds_nothing() -> None:
    said(tool("shellcheck", "apt-get install shellcheck"), *FOLDER.glob("*.sh"), *(DEPLOY / "image").glob("*.sh"))


def test_the_scripts_of_the_database_make_what_each_may_use(postgres: Postgres, tmp_path: Path) -> None:
    """As images run them, but for names and places, and on PostgreSQL without TimescaleDB."""
    for name in ("database", "grafana_database"):
        (tmp_path / f"{name}_password").write_text(f"{PASSWORD}-{name}")
    (tmp_path / "postgres_password").write_text(PASSWORD)
    superuser = conninfo_to_dict(postgres.url())["user"]
    env = {"PATH": f"{embedded.programs()}:{os.environ['PATH']}", "PGHOST": LOOPBACK, "PGPORT": str(postgres.port)}
    env |= {"PGPASSWORD": PASSWORD, "PGUSER": str(superuser), "PGDATABASE": "composed"}
    changes = {
        "/run/secrets": str(tmp_path), "/reader.sql": str(DEPLOY / "postgres" / "reader.sql"),
        "--username postgres": f"--username {superuser}", "ROLE siaga LOGIN": "ROLE composed LOGIN",
        "DATABASE siaga OWNER siaga": "DATABASE composed OWNER composed", "connect siaga": "connect composed",
        "CREATE EXTENSION IF NOT EXISTS timescaledb": "SELECT",
    }  # fmt: skip

    def run(name: str) -> None:
        text = read(f"compose/{name}")
        for written, own in changes.items():
            text = text.replace(written, own)
        said("sh", "-c", text, env=env)

    def url(role: str, secret: str) -> str:
        return make_conninfo(postgres.url("composed"), user=role, password=(tmp_path / secret).read_text())

    try:
        run("database.sh")
        migrate(url("composed", "database_password"), lambda line: None)
        run("reader.sh")
        run("reader.sh")
        with psycopg.connect(url("siaga_grafana", "grafana_database_password")) as conn:
            assert conn.execute("SELECT count(*) FROM rollup_traffic_1h").fetchone() == (0,)
    finally:
        postgres.drop("composed")
