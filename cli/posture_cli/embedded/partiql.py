"""Translates PartiQL SELECT statements to the Query and Scan requests that DynamoDB makes of them.

moto's own PartiQL knows neither the functions nor the operators of conditions. DynamoDB's
conditions and its PartiQL differ only in how names and values are written.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ql-reference.select.html
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

TOKEN = re.compile(
    r"""\s*(?:"(?P<quoted>(?:[^"]|"")+)" | '(?P<text>(?:[^']|'')*)' | (?P<number>-?\d+(?:\.\d+)?)
    | (?P<parameter>\?) | (?P<word>[A-Za-z_][\w-]*) | (?P<sign><=|>=|<>|!=|[=<>(),.*\[\]]))""",
    re.VERBOSE,
)
FUNCTIONS = frozenset({"begins_with", "contains", "attribute_type", "size"})
RANGES = frozenset({"=", "<", "<=", ">", ">=", "BETWEEN", "begins_with"})  # of a sort key

# The names of the partition and sort key of a table, or of one of its indexes.
KeysOf = Callable[[str, str | None], Sequence[str]]
Request = dict[str, Any]


class PartiqlError(ValueError):
    """A statement that is not a SELECT as DynamoDB takes it, or that this module does not know."""


def is_select(statement: str) -> bool:
    """Whether a statement reads."""
    return statement.lstrip().upper().startswith("SELECT")


def translate_select(
    statement: str, parameters: Sequence[Mapping[str, Any]], keys_of: KeysOf
) -> Request:
    """Translate a SELECT to the parameters of a Query, or of a Scan where no key is named.

    Args:
        statement: The statement.
        parameters: The values of its question marks.
        keys_of: Returns the keys of what it reads.

    Raises:
        PartiqlError: It cannot be translated.
    """
    return _Translation(statement, parameters).translate(keys_of)


class _Translation:
    def __init__(self, statement: str, parameters: Sequence[Mapping[str, Any]]) -> None:
        self._tokens = list(_split_into_tokens(statement))
        self._parameters = iter(parameters)
        self._at = 0
        self._names: dict[str, str] = {}
        self._values: dict[str, Any] = {}

    def translate(self, keys_of: KeysOf) -> Request:
        self._expect("SELECT")
        columns = self._read_columns()
        self._expect("FROM")
        table = self._read_name()
        index = self._read_name() if self._take(".") else None
        request: Request = {"TableName": table, **({"IndexName": index} if index else {})}
        keys = keys_of(table, index)
        if self._take("WHERE"):
            request |= self._split_conditions(self._read_conjuncts(), keys)
        if self._take("ORDER"):
            self._expect("BY")
            if self._read_name() != keys[-1]:
                raise PartiqlError("ORDER BY takes a key")
            request["ScanIndexForward"] = not self._take("DESC")
            self._take("ASC")
        if self._at < len(self._tokens):
            raise PartiqlError(f"unexpected {self._peek()[1]}")
        if columns:
            request["ProjectionExpression"] = ", ".join(columns)
        if self._names:
            request["ExpressionAttributeNames"] = self._names
        if self._values:
            request["ExpressionAttributeValues"] = self._values
        return request

    def _read_columns(self) -> list[str]:
        if self._take("*"):
            return []
        columns = [self._read_path()]
        while self._take(","):
            columns.append(self._read_path())
        return columns

    def _read_conjuncts(self) -> list[tuple[str, str, str]]:
        """Read what AND joins: the attribute, the operator and the whole condition of each."""
        conjuncts = [self._read_condition()]
        while self._take("AND"):
            conjuncts.append(self._read_condition())
        if self._peek()[1] == "OR":  # then no part is a condition of all rows
            parts = [" AND ".join(text for *_, text in conjuncts)]
            while self._take("OR"):
                parts.append(self._read_conjunction())
            return [("", "OR", " OR ".join(f"({part})" for part in parts))]
        return conjuncts

    def _read_conjunction(self) -> str:
        parts = [self._read_condition()[2]]
        while self._take("AND"):
            parts.append(self._read_condition()[2])
        return " AND ".join(parts)

    def _read_condition(self) -> tuple[str, str, str]:
        if self._take("NOT"):
            return "", "NOT", f"NOT ({self._read_condition()[2]})"
        if self._take("("):
            inner = " AND ".join(text for *_, text in self._read_conjuncts())
            self._expect(")")
            return "", "(", f"({inner})"
        kind, word = self._peek()
        if kind == "word" and word in FUNCTIONS:
            self._at += 1
            self._expect("(")
            first, name = self._at, self._read_path()
            attribute = self._tokens[first][1]
            if word == "size":
                self._expect(")")
                return "", word, self._read_comparison(f"size({name})")[1]
            self._expect(",")
            value = self._read_value()
            self._expect(")")
            return attribute, word, f"{word}({name}, {value})"
        attribute = word
        operator, text = self._read_comparison(self._read_path())
        return attribute, operator, text

    def _read_comparison(self, name: str) -> tuple[str, str]:
        if self._take("IS"):
            absent = "exists" if self._take("NOT") else "not_exists"
            self._expect("MISSING")
            return "IS", f"attribute_{absent}({name})"
        if self._take("BETWEEN"):
            low = self._read_value()
            self._expect("AND")
            return "BETWEEN", f"{name} BETWEEN {low} AND {self._read_value()}"
        if self._take("IN"):
            end = "]" if self._take("[") else ")"
            if end == ")":
                self._expect("(")
            values = [self._read_value()]
            while self._take(","):
                values.append(self._read_value())
            self._expect(end)
            return "IN", f"{name} IN ({', '.join(values)})"
        kind, sign = self._peek()
        if kind != "sign" or sign not in {"=", "<", "<=", ">", ">=", "<>", "!="}:
            raise PartiqlError(f"expected a comparison, got {sign or 'the end'}")
        self._at += 1
        return sign, f"{name} {'<>' if sign == '!=' else sign} {self._read_value()}"

    def _split_conditions(
        self, conjuncts: Sequence[tuple[str, str, str]], keys: Sequence[str]
    ) -> Request:
        """Split conditions into those on the key, if its partition is named, and the others."""
        partition, *sort = keys
        chosen = [it for it in conjuncts if it[:2] == (partition, "=")][:1]
        if chosen:
            chosen += [it for it in conjuncts if it[0] in sort and it[1] in RANGES][:1]
        left = [it[2] for it in conjuncts if it not in chosen]
        request: Request = {}
        if chosen:
            request["KeyConditionExpression"] = " AND ".join(text for *_, text in chosen)
        if left:
            request["FilterExpression"] = " AND ".join(left)
        return request

    def _read_path(self) -> str:
        parts = [self._name(self._read_name())]
        while self._take("."):
            parts.append(self._name(self._read_name()))
        return ".".join(parts)

    def _read_name(self) -> str:
        kind, text = self._peek()
        if kind not in {"quoted", "word"}:
            raise PartiqlError(f"expected a name, got {text or 'the end'}")
        self._at += 1
        return text

    def _read_value(self) -> str:
        kind, text = self._peek()
        if kind == "text":
            value: Any = {"S": text}
        elif kind == "number":
            value = {"N": text}
        elif kind == "parameter":
            value = next(self._parameters, None)
        elif kind == "word" and text.lower() in {"true", "false"}:
            value = {"BOOL": text.lower() == "true"}
        else:
            value = None
        if value is None:
            raise PartiqlError(f"expected a value, got {text or 'the end'}")
        self._at += 1
        alias = f":v{len(self._values)}"
        self._values[alias] = value
        return alias

    def _name(self, name: str) -> str:
        for alias, known in self._names.items():
            if known == name:
                return alias
        alias = f"#n{len(self._names)}"
        self._names[alias] = name
        return alias

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("", "")

    def _take(self, expected: str) -> bool:
        kind, text = self._peek()
        taken = kind in {"word", "sign"} and text.upper() == expected
        self._at += taken
        return taken

    def _expect(self, expected: str) -> None:
        if not self._take(expected):
            raise PartiqlError(f"expected {expected}, got {self._peek()[1] or 'the end'}")


def _split_into_tokens(statement: str) -> Sequence[tuple[str, str]]:
    tokens, at = [], 0
    text = statement.rstrip().rstrip(";").rstrip()
    while at < len(text):
        found = TOKEN.match(text, at)
        if not found or not found.lastgroup:
            raise PartiqlError(f"unexpected {text[at:].split()[0]}")
        kind = found.lastgroup
        value = found[kind]
        if kind == "quoted":
            value = value.replace('""', '"')
        elif kind == "text":
            value = value.replace("''", "'")
        tokens.append((kind, value))
        at = found.end()
    return tokens
