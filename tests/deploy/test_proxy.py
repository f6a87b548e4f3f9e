"""deploy/compose/Caddyfile: a real Caddy before the real API, with TLS."""

from __future__ import annotations

import re
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from runtime.settings import Settings
from siaga.stack.ports import LOOPBACK
from storage import keys
from storage.connect import connect
from tests.deploy.files import DEPLOY, read, said, tool
from tests.servers import Postgres, free_port
from tests.serving import serving
from tests.stack import until

CADDYFILE = DEPLOY / "compose" / "Caddyfile"
SITE, GRAFANA_SITE = "siaga.example.go.id", "grafana.siaga.example.go.id"
CURE = "apt-get install caddy"
KEY = "of-an-admin-in-a-test"


def environment(folder: Path, **more: str) -> dict[str, str]:
    home = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    return {**home, "SITE": SITE, "GRAFANA_SITE": GRAFANA_SITE, "PATH": "/usr/sbin:/usr/bin:/bin", **more}


@pytest.mark.parametrize("tls", ["", "tls internal"])
def test_caddy_reads_it(tmp_path: Path, tls: str) -> None:
    told = said(
        tool("caddy", CURE),
        "validate",
        "--config",
        CADDYFILE,
        "--adapter",
        "caddyfile",
        env=environment(tmp_path, TLS=tls),
    )
    assert "Valid configuration" in told


def test_it_is_written_as_caddy_writes_it() -> None:
    done = subprocess.run(
        (tool("caddy", CURE), "fmt", "--diff", CADDYFILE), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


class Proxy(NamedTuple):
    api: str
    http: int
    https: int
    trust: ssl.SSLContext

    def ask(self, path: str, site: str = SITE, **headers: str) -> httpx.Response:
        """As a browser of that site: the name is in TLS and in Host."""
        with httpx.Client(verify=self.trust, timeout=30) as client:
            return client.get(
                f"https://{LOOPBACK}:{self.https}{path}", headers={"Host": site, **headers},
                extensions={"sni_hostname": site},
            )  # fmt: skip


@pytest.fixture(scope="module")
def proxy(postgres: Postgres, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("caddy")
    program = tool("caddy", CURE)
    ports = {name: free_port() for name in ("8080", "8443", "8081")}
    url = postgres.create("proxied", template)
    with connect(url, "test") as conn:
        keys.ensure_admin_key(conn, KEY)
    with serving(Settings(database_url=url, trusted_proxies=LOOPBACK, live_poll_s=0.05)) as api:
        text = read("compose/Caddyfile")
        for port, own in ports.items():
            text = re.sub(rf"\b{port}\b", str(own), text)
        config = folder / "Caddyfile"
        # Without the word it would put its authority into the machine's own trust.
        config.write_text(text.replace("admin off", "admin off\n\tskip_install_trust"))
        env = environment(
            folder, TLS="tls internal", API=api.removeprefix("http://"), GRAFANA=api.removeprefix("http://")
        )
        log = (folder / "log").open("wb")
        process = subprocess.Popen((program, "run", "--config", config, "--adapter", "caddyfile"), env=env, stderr=log)
        try:
            until(lambda: listens(ports["8081"]), "Caddy listens")
            authority = folder / "caddy" / "pki" / "authorities" / "local" / "root.crt"
            until(authority.exists, "Caddy has an authority")
            yield Proxy(api, ports["8080"], ports["8443"], ssl.create_default_context(cafile=str(authority)))
        finally:
            process.terminate()
            process.wait()
            log.close()
    postgres.drop("proxied")


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0


def test_it_answers_with_tls_and_says_that_it_is_to_stay_so(proxy: Proxy) -> None:
    answer = until(lambda: proxy.ask("/healthz"), "the certificate is made")
    assert answer.json() == {"status": "ok"}
    # Siaga's own: it believes that it was asked by https.
    assert answer.headers.get_list("strict-transport-security") == ["max-age=31536000"]
    assert "alt-svc" not in answer.headers
    assert proxy.ask("/", GRAFANA_SITE).headers["strict-transport-security"] == "max-age=31536000"


def test_plain_http_is_sent_on(proxy: Proxy) -> None:
    answer = httpx.get(f"http://{LOOPBACK}:{proxy.http}/healthz", headers={"Host": SITE})
    assert (answer.status_code, answer.headers["location"]) == (308, f"https://{SITE}/healthz")


def test_metrics_stay_inside(proxy: Proxy) -> None:
    assert proxy.ask("/metrics").status_code == 404


def test_what_a_client_says_of_itself_is_not_believed(proxy: Proxy) -> None:
    """The number of a request is the proxy's; X-Forwarded-Proto, taken over, would leave out the header above."""
    answer = proxy.ask(
        "/healthz", **{"X-Request-Id": "mine", "X-Forwarded-Proto": "http", "X-Forwarded-For": "192.0.2.7"}
    )
    assert re.fullmatch(r"[0-9a-f-]{36}", answer.headers["x-request-id"])
    assert "strict-transport-security" in answer.headers


def test_the_live_stream_is_not_kept_back_and_ends_with_its_reader(proxy: Proxy) -> None:
    """Its first bytes are here while it is still open."""
    headers = {"Host": SITE, "Authorization": f"Bearer {KEY}"}
    url = f"https://{LOOPBACK}:{proxy.https}/api/v1/stream"
    with (
        httpx.Client(verify=proxy.trust, timeout=30) as client,
        client.stream("GET", url, headers=headers, extensions={"sni_hostname": SITE}) as answer,
    ):
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert next(answer.iter_bytes())

    def nobody_reads() -> bool:
        return "\nsiaga_api_live_clients 0.0\n" in httpx.get(f"{proxy.api}/metrics").text

    until(nobody_reads, "the API is told that the reader has left")
