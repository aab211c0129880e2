"""Text → tokens, with nft's own lexical rules (scanner.l), and `define` already substituted."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace


class CannotRead(Exception):
    """The reader does not understand a line and will not guess."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(f"cannot read line {line}: {problem}")
        self.line = line
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Token:
    """One word, number, address, quoted string or punctuation mark."""

    kind: str
    """newline, string, v6, v4, time, number, word, mark or end."""
    text: str
    """Without quotes for a string."""
    line: int
    """1-based."""


MOST = 250_000
"""Tokens in one definition; and twenty times as many when all are put in."""
_TOKEN = re.compile(
    r"""
    (?P<space>[ \t\r]+ | \\\n) | (?P<comment>\#[^\n]*) | (?P<newline>\n)
  | "(?P<string>[^"\n]*)"
  | (?P<v6>[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*)
  | (?P<v4>\d{1,3}(?:\.\d{1,3}){3}) (?![\w.])
  | (?P<time>(?:\d+(?:ms|[dhms]))+) (?!\w)
  | (?P<number>0x[0-9A-Fa-f]+ | \d+) (?!\w)
  | (?P<word>[A-Za-z][A-Za-z0-9_./-]*)
  | (?P<mark>!=|==|<=|>=|[{}();,:=<>.*/@$|&+-])
    """,
    re.VERBOSE | re.ASCII,
)


def tokens(text: str) -> list[Token]:
    """All tokens, `$name` replaced by its definition. Raises CannotRead."""
    return _substituted(_scanned(text))


def _scanned(text: str) -> Iterator[Token]:
    at, line = 0, 1
    while at < len(text):
        found = _TOKEN.match(text, at)
        if not found:
            raise CannotRead(line, f"unexpected {text[at : at + 12].splitlines()[0]!r}")
        kind = found.lastgroup or ""
        if kind not in ("space", "comment"):
            yield Token(kind, found.group(kind), line)
        line += text.count("\n", at, found.end())
        at = found.end()
    yield Token("newline", "\n", line)
    yield Token("end", "end of file", line)


def _substituted(scanned: Iterator[Token]) -> list[Token]:
    result: list[Token] = []
    known: dict[str, list[Token]] = {}
    for token in scanned:
        if token.kind == "word" and token.text == "define":
            name = next(scanned)
            if name.kind != "word" or next(scanned).text != "=" or name.text in known:
                raise CannotRead(token.line, "expected `define NAME = VALUE`, each name once")
            known[name.text] = list(_definition(scanned, known))
        elif token.kind == "mark" and token.text == "$":
            result += _value(next(scanned), known)
            if len(result) > 20 * MOST:
                raise CannotRead(token.line, "definitions grow beyond all bounds")
        else:
            result.append(token)
    return result


def _definition(scanned: Iterator[Token], known: dict[str, list[Token]]) -> Iterator[Token]:
    depth = 0
    for token in scanned:
        if token.kind == "end" or depth < 0:
            raise CannotRead(token.line, "a definition whose braces do not match")
        if token.kind == "newline" and not depth:
            return
        if token.kind == "mark":
            depth += (token.text == "{") - (token.text == "}")
        if token.kind == "mark" and token.text == "$":
            yield from _value(next(scanned), known)
        else:
            yield token


def _value(name: Token, known: dict[str, list[Token]]) -> list[Token]:
    if name.text not in known:
        raise CannotRead(name.line, f"${name.text} is not defined")
    if len(known[name.text]) > MOST:
        raise CannotRead(name.line, "definitions grow beyond all bounds")
    return [replace(token, line=name.line) for token in known[name.text]]
