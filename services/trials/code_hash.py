"""The hash of what Python code does: comments, docstrings, layout and the names of files leave it as it is.

So a comment or a moved module puts no other rules in force, and nobody is judged again for it.
"""

from __future__ import annotations

import ast
import hashlib
from typing import Any, Final

#: Packages whose modules we may move: which name is imported counts, from which of our modules does not.
OURS: Final = ("events", "projections", "services")


def hash_of_code(source: str | bytes) -> str:
    """SHA-256 of the parsed code, as hexadecimal digits. The same for every version of Python that parses it alike."""
    return hashlib.sha256(repr(_plain(ast.parse(source))).encode()).hexdigest()


def _plain(node: Any) -> Any:
    """The tree as tuples. Fields that are empty are left out: later versions of Python have more of them."""
    if isinstance(node, list):
        return [_plain(item) for item in node]
    if not isinstance(node, ast.AST):
        return node
    fields = [(name, _plain(value)) for name, value in ast.iter_fields(node) if value is not None and value != []]
    if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in OURS:
        fields = [(name, value) for name, value in fields if name != "module"]
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and _is_text(node.body[:1]):
        fields = [(name, value[1:] if name == "body" else value) for name, value in fields]
    return (type(node).__name__, *fields)


def _is_text(body: list[ast.stmt]) -> bool:
    """Whether a body begins with a docstring."""
    return (
        len(body) == 1
        and isinstance(body[0], ast.Expr)
        and isinstance(body[0].value, ast.Constant)
        and isinstance(body[0].value.value, str)
    )
