"""Pages of text for people: our security policy forbids scripts and styles that are not files, and they need none."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape

CODE = re.compile(r"`([^`]+)`")


def html_page(title: str, parts: Iterable[str]) -> str:
    """A whole page with this title as its heading; the parts are HTML."""
    head = [
        '<!doctype html><html lang="en"><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title><main><h1>{escape(title)}</h1>",
    ]
    return "\n".join([*head, *parts, "</main></html>"])


def said(text: str) -> str:
    """Text as HTML; what stands in backticks is code."""
    return CODE.sub(r"<code>\1</code>", escape(text))
