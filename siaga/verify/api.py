"""Asks the API what it shows of the truth's devices. A refusal is a difference, named by its address."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import httpx

from devices.kind import Kind
from siaga.verify import answers, unnamed
from siaga.verify.report import EPOCH, ApiTally, Finding
from siaga.verify.window import Window
from storage.as_json import time_text
from storage.audit import Alert, Rows, Transition

TIMEOUT_S = 60.0
HOUR_US, WEEK_US = 3_600_000_000, 7 * 86_400_000_000
# An address is not endless, and SIAGA_METRICS_MAX bounds an answer; its default is 100,000 buckets.
DEVICES_MAX, BUCKETS_MAX = 50, 20_000


class _RefusedError(Exception):
    """The API did not answer as it should."""


class Api:
    """A client and what came of asking it."""

    def __init__(self, url: str, key: str) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        self._client = httpx.Client(base_url=url.rstrip("/"), headers=headers, timeout=TIMEOUT_S)
        self.findings: list[Finding] = []
        self._latest = self._alerts = self._hours = self._missing_of = 0

    @property
    def tally(self) -> ApiTally:
        return ApiTally(self._latest, self._alerts, self._hours, self._missing_of)

    def close(self) -> None:
        self._client.close()

    def compare_latest(self, kind: Kind, devices: Sequence[str], newest: Rows) -> None:
        self._asking(answers.latest(kind, devices, newest, self._of(devices, answers.LATEST, kind=kind.name)))
        self._latest += len(newest)

    def compare_alerts(
        self, kind: Kind, devices: Sequence[str], stored: Mapping[int, Alert], transitions: Sequence[Transition]
    ) -> None:
        listed = self._of(devices, answers.ALERTS, kind=kind.name, state="all", historical="any")
        self._asking(answers.alerts(stored, listed))
        by_alert: dict[int, list[Transition]] = {number: [] for number in stored}
        for each in transitions:
            by_alert[each.alert_id].append(each)
        self._asking(
            finding
            for number, alert in stored.items()
            for finding in answers.history(alert, by_alert[number], self._get(f"{answers.ALERTS}/{number}", {}))
        )
        self._alerts += len(stored)

    def compare_hours(
        self, kind: Kind, devices: Sequence[str], stored: Mapping[str, Mapping[int, int]], window: Window
    ) -> None:
        """stored: how many readings by device and hour (µs), of the hours that touch the window."""
        since = window.since_us // HOUR_US
        until = window.until_us // HOUR_US + 1
        at_once = max(1, min(DEVICES_MAX, BUCKETS_MAX // (until - since + 2)))
        query = {
            "bucket": "1h", "metric": kind.primary,
            "from": _time(since * HOUR_US), "to": _time(until * HOUR_US),
        }  # fmt: skip
        path = f"/api/v1/metrics/{kind.name}"
        for first in range(0, len(devices), at_once):
            some = devices[first : first + at_once]
            items = self._items(path, query | {"device": ",".join(some)})
            self._asking(answers.hours(kind, some, stored, items))
        self._hours += sum(map(len, stored.values()))

    def compare_missing(self, numbers: Mapping[str, unnamed.Numbers], window: Window) -> None:
        """Ranges of missing numbers: of every device of which some are, and of some others."""
        whole = [device_id for device_id, of in numbers.items() if of.whole]
        left_out = frozenset(whole[DEVICES_MAX:])
        for device_id, of in numbers.items():
            if device_id not in left_out:
                self._asking(unnamed.compare(device_id, of, self._missing(device_id, window)))
                self._missing_of += 1

    def _missing(self, device_id: str, window: Window) -> Iterator[dict[str, Any]]:
        """A week at a time, as SIAGA_LEDGER_DAYS_MAX bounds an answer."""
        for since_us in range(window.since_us, window.until_us + 1, WEEK_US):
            until_us = min(since_us + WEEK_US, window.until_us + 1)
            span = {"from": _time(since_us), "to": _time(until_us)}
            yield from self._get(unnamed.MISSING, {"device": device_id, **span})["items"]

    def _asking(self, findings: Iterator[Finding]) -> None:
        try:
            self.findings += findings
        except _RefusedError as error:
            self.findings.append(Finding("refused", "API", "", None, str(error)))

    def _of(self, devices: Sequence[str], path: str, **query: str) -> Iterator[dict[str, Any]]:
        """Items of these devices; one by one where that asks for less than all of the kind."""
        if len(devices) <= DEVICES_MAX:
            for device_id in devices:
                yield from self._items(path, query | {"device": device_id})
            return
        chosen = frozenset(devices)
        yield from (item for item in self._items(path, query) if item["device_id"] in chosen)

    def _items(self, path: str, query: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        """All pages of a collection."""
        cursor: dict[str, str] = {}
        while True:
            page = self._get(path, {**query, **cursor})
            yield from page["items"]
            if page["next_cursor"] is None:
                return
            cursor = {"cursor": page["next_cursor"]}

    def _get(self, path: str, query: Mapping[str, str]) -> dict[str, Any]:
        try:
            answer = self._client.get(path, params=dict(query))
            answer.raise_for_status()
            found: dict[str, Any] = answer.json()
        except httpx.HTTPStatusError as error:
            raise _RefusedError(f"GET {path}: {error.response.status_code} {error.response.text[:200]}") from None
        except (httpx.HTTPError, ValueError) as error:
            raise _RefusedError(f"GET {path}: {type(error).__name__}: {error}") from None
        return found


def _time(at_us: int) -> str:
    return time_text(EPOCH + timedelta(microseconds=at_us))
