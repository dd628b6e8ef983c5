"""Where a source file can be changed in a small way that changes what it does: one operator, bound, constant or word."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final, NamedTuple

_COMPARED: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_COMPUTED: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
}
_CALLED: Final = {"min": "max", "max": "min", "any": "all", "all": "any"}


class Mutant(NamedTuple):
    """One change: what stands at ``start`` to ``end`` (offsets in characters) becomes ``after``."""

    line: int
    start: int
    end: int
    before: str
    after: str

    @property
    def name(self) -> str:
        """What it is called in a report: the same for the same change of the same line."""
        return f"{self.line}: {_short(self.before)} -> {_short(self.after)}"

    def applied(self, source: str) -> str:
        """The file with the change in it."""
        return source[: self.start] + self.after + source[self.end :]


def mutants(source: str) -> list[Mutant]:
    """Every small change of one file, in the order of the file."""
    tree = ast.parse(source)
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line.encode()))
    raw = source.encode()
    found: list[Mutant] = []
    for node in _changeable(tree):
        changed = _changed(node)
        if changed is None:
            continue
        start, end = (
            starts[node.lineno - 1] + node.col_offset,
            starts[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0),
        )
        chars = len(raw[:start].decode()), len(raw[:end].decode())
        before, after = source[chars[0] : chars[1]], f"({ast.unparse(changed)})"
        found.append(Mutant(node.lineno, *chars, before, after))
    return sorted(found, key=lambda one: (one.start, one.end))


def _changeable(node: ast.AST) -> Iterator[ast.expr]:
    """The expressions that run: no annotations, no docstrings, no text, no defaults of a declaration."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return
    skipped: set[int] = set()
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        skipped = {id(node.returns), id(node.args), *(id(one) for one in node.decorator_list)}
    elif isinstance(node, ast.ClassDef):
        skipped = {id(one) for one in node.decorator_list}
    elif isinstance(node, ast.AnnAssign):
        skipped = {id(node.annotation)}
    elif isinstance(node, ast.JoinedStr | ast.Import | ast.ImportFrom | ast.Assert | ast.Raise):
        return
    if isinstance(node, ast.Compare | ast.BoolOp | ast.BinOp | ast.UnaryOp | ast.Call | ast.Constant):
        yield node
    for child in ast.iter_child_nodes(node):
        if id(child) not in skipped:
            yield from _changeable(child)


def _changed(node: ast.expr) -> ast.expr | None:
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in _COMPARED:
        return ast.Compare(node.left, [_COMPARED[type(node.ops[0])]()], node.comparators)
    if isinstance(node, ast.BoolOp):
        return ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return node.operand
    if isinstance(node, ast.BinOp) and type(node.op) in _COMPUTED and not _is_text(node):
        return ast.BinOp(node.left, _COMPUTED[type(node.op)](), node.right)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _CALLED:
        return ast.Call(ast.Name(_CALLED[node.func.id]), node.args, node.keywords)
    if isinstance(node, ast.Constant) and isinstance(node.value, bool):
        return ast.Constant(not node.value)
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return ast.Constant(node.value + 1)
    return None


def _is_text(node: ast.BinOp) -> bool:
    """Whether it joins texts or lists: a minus there would only fail."""
    sides = (node.left, node.right)
    return any(isinstance(side, ast.JoinedStr | ast.List | ast.Tuple | ast.ListComp) for side in sides) or any(
        isinstance(side, ast.Constant) and isinstance(side.value, str) for side in sides
    )


def _short(text: str) -> str:
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= 70 else one_line[:67] + "..."
