"""Whether a subject pattern can keep us waiting: a structural look at it, before the first id is held against it.

Python tries one way of matching after the other. Where an id can be matched in two ways again and again, as by `([0-9]+)*`, an
id of forty characters that does not fit takes longer than the trial. So a pattern is taken where no beginning of an id can be
matched in two ways that lead to the same place: then the work grows with the length of the id alone. Otherwise the ways are
counted, as if every character fitted everywhere, and a pattern that may have too many is refused.

The pattern becomes its position automaton (Glushkov): a state for each character that it names, a step wherever one may follow
the other, as often as there are ways to get there without a character between.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, Final

#: An id is no longer than this (`SubjectId`).
ID_CHARS_MAX: Final = 40
WAYS_MAX: Final = 20_000
#: A repetition that would need more states is looked at as one without end.
STATES_MAX: Final = 150

_ASCII: Final = [chr(number) for number in range(128)]
#: Characters on which the classes of regular expressions disagree, beside ASCII.
_OTHERS: Final = list("éß\u017f\u212aΩªⅣ²٣中\u2028\xa0")

Test = Callable[[str], bool]


class SlowPattern(ValueError):  # noqa: N818 - reads better where it is caught
    """Matching by this pattern may take for ever: a sentence for its author."""


def check_pattern(pattern: str) -> None:
    """Raise :class:`SlowPattern` where matching may take too long, ``re.error`` where it is no pattern."""
    compiled = re.compile(pattern)
    automaton = _Automaton(_alphabet(pattern), bool(compiled.flags & re.IGNORECASE))
    whole = automaton.part(parser.parse(pattern))
    for checked in (whole, *automaton.apart):
        if automaton.may_be_ambiguous(checked) and automaton.ways(checked) > WAYS_MAX:
            raise SlowPattern(
                f"{pattern!r} can match one id in so many ways that an id which does not fit may take for ever; write it so "
                "that each id fits in one way only, such as [0-9]+ instead of ([0-9]+)*"
            )


@dataclass(slots=True)
class _PatternPart:
    """A part of the pattern: where it may begin and end, and in how many ways it matches nothing at all."""

    empty: int = 0
    first: Counter[int] = field(default_factory=Counter)
    last: Counter[int] = field(default_factory=Counter)


class _Automaton:
    """States, numbered from 0, with the characters of each, and the ways from one to the other."""

    def __init__(self, alphabet: Sequence[str], ignores_case: bool) -> None:
        self.apart: list[_PatternPart] = []
        self._alphabet = alphabet
        self._ignores_case = ignores_case
        self._characters: list[frozenset[str]] = []
        self._follow: list[Counter[int]] = []

    def part(self, items: Iterable[Any]) -> _PatternPart:
        """The states of a sequence."""
        whole = _PatternPart(empty=1)
        for code, argument in items:
            whole = self._behind(whole, self._item(code, argument))
        return whole

    def may_be_ambiguous(self, part: _PatternPart) -> bool:
        """Whether one beginning of an id may lead to one state in two ways."""
        if any(ways > 1 for ways in part.first.values()) or any(
            ways > 1 for follow in self._follow for ways in follow.values()
        ):
            return True
        seen: set[tuple[int, int]] = set()
        waiting = [pair for onward in (part.first, *self._follow) for pair in self._pairs(onward, onward)]
        while waiting:
            pair = waiting.pop()
            if pair in seen:
                continue
            seen.add(pair)
            one, other = self._follow[pair[0]], self._follow[pair[1]]
            if one.keys() & other.keys():
                return True
            waiting.extend(self._pairs(one, other))
        return False

    def ways(self, part: _PatternPart) -> int:
        """In how many ways ids may be gone through at most, as if every character fitted everywhere."""
        reached: Counter[int] = Counter(part.first)
        most = total = sum(reached.values())
        for _ in range(ID_CHARS_MAX):
            onward: Counter[int] = Counter()
            for state, ways in reached.items():
                for following, steps in self._follow[state].items():
                    onward[following] += ways * steps
            reached = onward
            most = sum(reached.values())
            total += most
            if total > WAYS_MAX:
                break
        return total

    def _pairs(self, one: Iterable[int], other: Iterable[int]) -> Iterator[tuple[int, int]]:
        for left in one:
            for right in other:
                if left != right and self._characters[left] & self._characters[right]:
                    yield min(left, right), max(left, right)

    def _item(self, code: Any, argument: Any) -> _PatternPart:
        if code in (op.LITERAL, op.NOT_LITERAL, op.ANY, op.IN):
            return self._state(_test(code, argument, self._ignores_case))
        if code is op.AT:
            return _PatternPart(empty=1)
        if code is op.SUBPATTERN:
            return self.part(argument[3])
        if code is op.ATOMIC_GROUP:
            return self.part(argument)
        if code is op.BRANCH:
            return self._either([self.part(branch) for branch in argument[1]])
        if code in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
            return self._repeated(*argument)
        if code in (op.ASSERT, op.ASSERT_NOT):
            self.apart.append(self.part(argument[1]))
            return _PatternPart(empty=1)
        raise SlowPattern("it refers back to what was matched before, and nobody can tell how long that takes")

    def _state(self, fits: Test) -> _PatternPart:
        number = len(self._follow)
        if number > 2 * STATES_MAX:
            raise SlowPattern(f"it is too long: ids have {ID_CHARS_MAX} characters at most")
        self._characters.append(frozenset(filter(fits, self._alphabet)))
        self._follow.append(Counter())
        return _PatternPart(first=Counter([number]), last=Counter([number]))

    def _behind(self, one: _PatternPart, other: _PatternPart) -> _PatternPart:
        self._joined(one.last, other.first)
        first = one.first + _times(other.first, one.empty)
        last = other.last + _times(one.last, other.empty)
        return _PatternPart(one.empty * other.empty, first, last)

    def _either(self, parts: Sequence[_PatternPart]) -> _PatternPart:
        whole = _PatternPart()
        for one in parts:
            whole = _PatternPart(whole.empty + one.empty, whole.first + one.first, whole.last + one.last)
        return whole

    def _repeated(self, least: int, most: Any, items: Any) -> _PatternPart:
        size = max(1, _size(items))
        if most is op.MAXREPEAT or (int(most) + 1) * size > STATES_MAX - len(self._follow):
            return self._without_end(int(least), items, size)
        whole = _PatternPart(empty=1)
        # From behind, each inside the one before it: a{1,3} is a(a(a)?)?, or the same would be matched in several ways.
        for number in range(int(most), 0, -1):
            whole = self._behind(self.part(items), whole)
            if number > least:
                whole.empty += 1
        return whole

    def _without_end(self, least: int, items: Any, size: int) -> _PatternPart:
        whole = _PatternPart(empty=1)
        if (least + 1) * size <= STATES_MAX - len(self._follow):
            for _ in range(least - 1):
                whole = self._behind(whole, self.part(items))
        again = self.part(items)
        self._joined(again.last, again.first)
        return self._behind(whole, _PatternPart(again.empty + (least == 0), again.first, again.last))

    def _joined(self, last: Counter[int], first: Counter[int]) -> None:
        for state, ways in last.items():
            self._follow[state] += _times(first, ways)


def _times(states: Counter[int], ways: int) -> Counter[int]:
    return Counter({state: count * ways for state, count in states.items() if ways})


def _size(items: Iterable[Any]) -> int:
    """How many states a sequence has, at most."""
    total = 0
    for code, argument in items:
        if code is op.SUBPATTERN:
            total += _size(argument[3])
        elif code is op.ATOMIC_GROUP:
            total += _size(argument)
        elif code is op.BRANCH:
            total += sum(_size(branch) for branch in argument[1])
        elif code in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
            least, most, inner = argument
            total += _size(inner) * (int(least) + 1 if most is op.MAXREPEAT else int(most))
        else:
            total += 1
    return total


def _test(code: Any, argument: Any, ignores_case: bool) -> Test:
    """Whether a character fits, as the expression itself would say."""
    if code is op.ANY:
        return lambda _: True
    members = [(code, argument)] if code is not op.IN else argument
    flags = re.IGNORECASE if ignores_case else 0
    fits: list[Test] = [_member(one, value, flags) for one, value in members if one is not op.NEGATE]
    if any(one is op.NEGATE for one, _ in members):
        return lambda character: not any(test(character) for test in fits)
    return lambda character: any(test(character) for test in fits)


def _member(code: Any, value: Any, flags: int) -> Test:
    if code in (op.LITERAL, op.NOT_LITERAL):
        within = f"[{re.escape(chr(value))}]"
        compiled = re.compile(within, flags)
        return lambda character: (compiled.fullmatch(character) is not None) is (code is op.LITERAL)
    if code is op.RANGE:
        compiled = re.compile(f"[{re.escape(chr(value[0]))}-{re.escape(chr(value[1]))}]", flags)
    else:
        compiled = re.compile(_CATEGORIES[value])
    return lambda character: compiled.fullmatch(character) is not None


_CATEGORIES: Final = {
    op.CATEGORY_DIGIT: r"\d",
    op.CATEGORY_NOT_DIGIT: r"\D",
    op.CATEGORY_SPACE: r"\s",
    op.CATEGORY_NOT_SPACE: r"\S",
    op.CATEGORY_WORD: r"\w",
    op.CATEGORY_NOT_WORD: r"\W",
}


def _alphabet(pattern: str) -> list[str]:
    """Enough characters to tell every class of the pattern from the others: those that it names, and their neighbours."""
    named = {
        chr(number) for one in pattern for number in (ord(one) - 1, ord(one), ord(one) + 1) if 0 < number < 0x110000
    }
    return sorted({*_ASCII, *_OTHERS, *named, *(one.swapcase() for one in named if len(one.swapcase()) == 1)})
