"""The kinds of sensors, as their declarations say."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from api import shapes
from api.auth import Endpoints
from api.reply import encode, items_reply
from devices.diagnostics import WORDS
from devices.kind import DIAGNOSTICS, Attributes, Kind, Label, Metric
from devices.kinds import KINDS

ENDPOINTS = Endpoints("/api/v1")


@ENDPOINTS.get("/kinds", role="viewer", answer=shapes.Kinds)
async def list_kinds(request: Request) -> Response:
    """Every kind with its metrics, diagnostics and attributes."""
    return items_reply(request, ITEMS)


def _kind(kind: Kind) -> dict[str, Any]:
    return {
        "kind": kind.name,
        "label": _text(kind.label),
        "interval_s": kind.interval_s,
        "primary": kind.primary,
        "metrics": [_metric(metric) for metric in kind.metrics.values()],
        "diagnostics": [_diagnostic(name) for name in DIAGNOSTICS],
        "attributes": _attributes(kind.attributes),
        "groups": list(kind.groupings),
    }


def _metric(metric: Metric) -> dict[str, Any]:
    return {
        "name": metric.name,
        "unit": metric.unit,
        "unit_label": _text(metric.sign or Label(metric.unit, metric.unit)),
        "label": _text(metric.label),
        "decimals": metric.decimals,
        "rollup": metric.rollup,
        "low": metric.low,
        "high": metric.high,
        "derived": metric.derived,
    }


def _diagnostic(name: str) -> dict[str, Any]:
    words = WORDS[name]
    return {
        "name": name,
        "unit": words.unit,
        "unit_label": _text(words.sign),
        "label": _text(words.label),
        "decimals": words.decimals,
    }


def _attributes(model: type[Attributes]) -> list[dict[str, Any]]:
    schema = model.model_json_schema()
    required = schema.get("required", [])
    found = []
    for name, field in schema.get("properties", {}).items():
        # An optional field is `anyOf: [what it is, null]`.
        own = next((part for part in field.get("anyOf", []) if part.get("type") != "null"), field)
        found.append(
            {
                "name": name,
                "type": own.get("type", "string"),
                "format": own.get("format"),
                "required": name in required,
            }
        )
    return found


def _text(label: Label) -> dict[str, str]:
    return {"id": label.id, "en": label.en}


ITEMS = [encode(_kind(kind)) for kind in KINDS.values()]
