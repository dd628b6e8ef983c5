"""HTML that is safe by construction: what is not our own markup is escaped where it is put in. No script, one style sheet."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from html import escape
from typing import Final
from unicodedata import category

from services.platform.printable import printable

#: Elements that have no end.
_VOID: Final = frozenset({"meta"})

STYLE: Final = """
:root { color-scheme: light dark; --page: #fff; --ink: #1c1f24; --soft: #5a616b; --line: #ccd2da; --band: #f3f5f8;
  --met: #9b1b30; --possible: #8a5200; --watch: #1d5f8a; }
@media (prefers-color-scheme: dark) { :root { --page: #14171b; --ink: #e8ebef; --soft: #a3abb6; --line: #3a414b;
  --band: #1d2229; --met: #ff8d9d; --possible: #f2b14c; --watch: #7cc4ef; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 64rem; background: var(--page); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: break-word; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: .5rem 0; }
h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1rem 0 .25rem; }
.soft { color: var(--soft); }
.lead { font-size: 1.1rem; }
.met, .possible, .watch { font-weight: 700; }
.met { color: var(--met); } .possible { color: var(--possible); } .watch { color: var(--watch); }
bdi { white-space: pre-wrap; overflow-wrap: anywhere; }
ul { padding-left: 1.25rem; }
dl { display: grid; grid-template-columns: minmax(8rem, max-content) 1fr; gap: .15rem 1rem; margin: .25rem 0; }
dt { color: var(--soft); } dd { margin: 0; }
dl dl { grid-template-columns: minmax(5rem, max-content) 1fr; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem .35rem 0; border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; }
td p, td ul, td dl { margin: 0 0 .25rem; }
details { background: var(--band); padding: .25rem .6rem; margin: .25rem 0; }
summary { cursor: pointer; }
@media (max-width: 45rem) {
  table, tbody, tr, td { display: block; width: 100%; } thead { display: none; }
  tr { border-bottom: 2px solid var(--line); padding: .5rem 0; } td { border: 0; padding: .1rem 0; }
  td[data-name]::before { content: attr(data-name) ": "; color: var(--soft); }
  dl, dl dl { grid-template-columns: 1fr; gap: 0; } dd { margin: 0 0 .35rem 1rem; }
}
@media print {
  :root { color-scheme: light; --page: #fff; --ink: #000; --soft: #444; --line: #999; --band: #fff; --met: #000;
    --possible: #000; --watch: #000; }
  body { max-width: none; padding: 0; font-size: 10pt; } details:not([open]) { display: none; }
  tr, li { break-inside: avoid; } h2, h3 { break-after: avoid; }
}
"""
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
#: Nothing is loaded, run, framed or sent anywhere; the one style sheet is named by its hash.
HEADERS: Final = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class Html(str):
    """Markup of our own. Everything else is text."""

    __slots__ = ()


Child = str | Iterable[str]


def tag(name: str, *children: Child, **attributes: str) -> Html:
    """An element. An underscore in an attribute's name is a hyphen, one at its end is left out (``class_``)."""
    named = "".join(f' {key.rstrip("_").replace("_", "-")}="{_text(value)}"' for key, value in attributes.items())
    if name in _VOID:
        return Html(f"<{name}{named}>")
    return Html(f"<{name}{named}>{joined(*children)}</{name}>")


def joined(*children: Child) -> Html:
    """One after the other."""
    return Html("".join(_markup(child) for child in children))


def quoted(text: str) -> Html:
    """What somebody else has written: its direction of writing is its own, and nothing in it steers the page."""
    return tag("bdi", text)


def table(columns: tuple[str, ...], rows: Iterable[Iterable[Child]]) -> Html:
    """A table; on a narrow screen each cell names its column."""
    head = tag("tr", [tag("th", column, scope="col") for column in columns])
    body = [
        tag("tr", [tag("td", cell, data_name=column) for column, cell in zip(columns, row, strict=True)])
        for row in rows
    ]
    return tag("table", tag("thead", head), tag("tbody", body))


def bullets(items: Iterable[Child]) -> Html:
    """A list."""
    return tag("ul", [tag("li", item) for item in items])


def facts(pairs: Iterable[tuple[str, Child]]) -> Html:
    """Names and what they are."""
    return tag("dl", [joined(tag("dt", name), tag("dd", value)) for name, value in pairs])


def page(title: str, *body: Child) -> str:
    """The whole document."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name_="robots", content="noindex, nofollow"),
        tag("title", f"{title} – Toxwatch"),
        tag("style", Html(STYLE)),
    )
    return "<!doctype html>\n" + tag("html", head, tag("body", *body), lang="en") + "\n"


def _markup(child: Child) -> str:
    if isinstance(child, Html):
        return child
    if isinstance(child, str):
        return _text(child)
    return "".join(_markup(each) for each in child)


def _text(text: str) -> str:
    """Escaped. Line breaks and every kind of space stay; what steers the eye, such as a change of direction, is spelt out."""
    if not text.isprintable():
        text = "".join(c if c == "\n" or category(c) == "Zs" else printable(c) for c in text)
    return escape(text, quote=True)
