"""Three NATS nodes with deploy/cluster/nats/node.conf, on loopback, with TLS as between machines."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

import httpx

from siaga.stack import broker
from siaga.stack.ports import LOOPBACK
from tests.certificate import certificate
from tests.servers import DEPLOY, PASSWORD, Server, free_port
from tests.stack import until

CONFIG = DEPLOY / "cluster" / "nats" / "node.conf"
SIZE = 3


class Node(Server):
    """One of them; its place in the cluster is in the environment, as on a machine of its own."""

    def __init__(self, folder: Path, name: str, env: dict[str, str]) -> None:
        folder.mkdir(parents=True)
        self.name, self.port, self.monitor_port = name, int(env["SIAGA_BROKER_PORT"]), free_port()
        own = {
            "SIAGA_BROKER_NAME": json.dumps(name),
            "SIAGA_BROKER_STORE": json.dumps(str(folder)),
            "SIAGA_BROKER_MONITOR_PORT": str(self.monitor_port),
        }
        super().__init__(
            (str(broker.program()), "-c", str(CONFIG)), {**os.environ, **env, **own}, folder, self._listens
        )

    def is_current(self) -> bool:
        """Whether it knows who leads the cluster and holds all that the others have."""
        found = self.asked("jsz").get("meta_cluster") or {}
        return bool(found.get("leader")) and found.get("cluster_size") == SIZE and self._is_healthy()

    def asked(self, what: str) -> dict[str, Any]:
        answer: dict[str, Any] = httpx.get(f"http://{LOOPBACK}:{self.monitor_port}/{what}", timeout=10).json()
        return answer

    def _is_healthy(self) -> bool:
        return bool(self.asked("healthz").get("status") == "ok")

    def _listens(self) -> bool:
        try:
            socket.create_connection((LOOPBACK, self.monitor_port), 1).close()
        except OSError:
            return False
        return True


class Nodes:
    """The cluster. env: what a client of it needs to believe its certificates."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        made, key = certificate(folder)
        self.env = {"SSL_CERT_FILE": str(made)}
        routes = [free_port() for _ in range(SIZE)]
        self.nodes = [
            Node(
                folder / f"nats-{number + 1}",
                f"nats-{number + 1}",
                {
                    "SIAGA_BROKER_HOST": json.dumps(LOOPBACK),
                    "SIAGA_BROKER_PORT": str(free_port()),
                    "SIAGA_BROKER_ROUTE_HOST": json.dumps(LOOPBACK),
                    "SIAGA_BROKER_ROUTE_PORT": str(routes[number]),
                    "SIAGA_BROKER_ROUTES": json.dumps(
                        [f"nats://{LOOPBACK}:{port}" for port in routes if port != routes[number]]
                    ),
                    "SIAGA_BROKER_CERT": json.dumps(str(made)),
                    "SIAGA_BROKER_KEY": json.dumps(str(key)),
                    "SIAGA_BROKER_CA": json.dumps(str(made)),
                    "SIAGA_BROKER_USER": json.dumps(broker.USER),
                    "SIAGA_BROKER_PASSWORD": json.dumps(PASSWORD),
                    "SIAGA_BROKER_MAX_FILE": "2GB",
                },
            )
            for number in range(SIZE)
        ]

    def start(self) -> None:
        for node in self.nodes:
            node.start()
        self.until_whole()

    def until_whole(self) -> None:
        until(lambda: all(node.is_current() for node in self.nodes), "three nodes are one cluster", 90)

    def stop(self) -> None:
        for node in self.nodes:
            node.stop()

    def url(self, first: int = 0) -> str:
        """All nodes, beginning with this one."""
        places = [f"{LOOPBACK}:{self.nodes[(first + n) % SIZE].port}" for n in range(SIZE)]
        return f"mqtts://{broker.USER}:{PASSWORD}@{','.join(places)}"
