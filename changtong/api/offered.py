"""The studies that the API offers: the program's own commands, as `offered.toml` says what of them.

Types, ranges, choices, defaults and English sentences are those of the commands; the table adds where inputs
may come from, where the result goes, and Chinese words.
"""

from __future__ import annotations

import functools
import inspect
import tomllib
import types
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from enum import Enum
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from changtong.errors import InputError, NotFoundError, Problem

MOST_OUTAGES = 5_000

ParameterType = Literal["text", "number", "integer", "boolean"]

MADE_BY_SERVER = frozenset({"output", "json", "language", "help"})
"""Options that every run has from the server."""

UNNAMED = frozenset({"folder", "file", "files"})
"""What commands call an input that is but a place; pages call it after what it is."""


@dataclass(frozen=True)
class Parameter:
    """A value that a study takes.

    Attributes
    ----------
    name : str
        As the command's option, with ``_``.
    type : str
    many : bool
        A list of values.
    required : bool
    least, most : float or None
    choices : tuple of str
        Empty: any text.
    default : object
    zh, en : str
        Its name.
    says_zh, says_en : str
    option : str
        As the command line takes it; empty: by its place.
    no_option : str
        What says no to a boolean that is yes by default.
    is_name : bool
        Whether it is an id of the program's, where the command line takes a file as well: letters, digits, -.
    """

    name: str
    type: ParameterType
    many: bool
    required: bool
    least: float | None
    most: float | None
    choices: tuple[str, ...]
    default: Any
    zh: str
    en: str
    says_zh: str
    says_en: str
    option: str = ""
    no_option: str = ""
    is_name: bool = False


@dataclass(frozen=True)
class Input:
    """Something of the data folder that a study is of.

    Attributes
    ----------
    name : str
    sources : tuple of str
        ``network``, ``log``, ``rows``, a kind of data sets, or ``run COMMAND`` with ``/FILE`` or ``/*``.
    many : bool
    required : bool
    zh, en, says_en : str
    option : str
        Empty: by its place.
    """

    name: str
    sources: tuple[str, ...]
    many: bool
    required: bool
    zh: str
    en: str
    says_en: str
    option: str = ""


@dataclass(frozen=True)
class Output:
    """Where a result goes.

    Attributes
    ----------
    option : str
        Empty: there are no files.
    names : mapping
        From the value of the parameter that chooses to the file's name, or ``folder``; only one if none does.
    by : str
        The parameter that chooses.
    keeps : mapping
        Options that name one more folder, and its name within the result.
    """

    option: str
    names: Mapping[str, str]
    by: str
    keeps: Mapping[str, str]


@dataclass(frozen=True)
class Offer:
    """A study with what it takes.

    Attributes
    ----------
    name : str
        The words of the command.
    zh, en, says_zh, says_en : str
    inputs : tuple of Input
    parameters : tuple of Parameter
    output : Output
    places : tuple of str
        Inputs and parameters that the command takes by their place, in order.
    speaks : bool
        Whether the command has ``--language``.
    signs : bool
        Whether the command has ``--by`` for who does it: who asked for the run.
    """

    name: str
    zh: str
    en: str
    says_zh: str
    says_en: str
    inputs: tuple[Input, ...]
    parameters: tuple[Parameter, ...]
    output: Output
    places: tuple[str, ...]
    speaks: bool
    signs: bool

    def described(self) -> dict[str, Any]:
        """Return it as the API tells it."""
        hidden = ("option", "no_option", "is_name")
        rows = {
            kind: [{k: v for k, v in asdict(one).items() if k not in hidden} for one in many]
            for kind, many in (("inputs", self.inputs), ("parameters", self.parameters))
        }
        words = {"zh": self.zh, "en": self.en, "says_zh": self.says_zh, "says_en": self.says_en}
        return {"name": self.name, "command": f"changtong {self.name}", **words, **rows}


@dataclass(frozen=True)
class Offers:
    """All that is offered.

    Attributes
    ----------
    studies : mapping
        From name to offer.
    problems : tuple of str
        Where table and commands do not agree; a test wants none.
    """

    studies: Mapping[str, Offer]
    problems: tuple[str, ...] = ()

    def get(self, name: str) -> Offer:
        """Return a study that is offered.

        Raises
        ------
        NotFoundError
        """
        if name in self.studies:
            return self.studies[name]
        near = get_close_matches(name, self.studies, n=1)
        hint = f" Did you mean {near[0]}?" if near else " GET /api/v1/studies lists them."
        raise NotFoundError(f"This study is not offered.{hint}")


def read_offers(root: Any) -> Offers:
    """Return what is offered of a program.

    Parameters
    ----------
    root : click or typer group
        With all its commands.
    """
    table, words = _table("offered.toml"), _table("offered_words.toml")
    studies, problems = {}, []
    commands = dict(leaves_of(root))
    for name, command in commands.items():
        said = table["study"].get(name)
        if said is None:
            if not any(part in table["not_offered"] for part in (name, name.split(" ")[0])):
                problems.append(f"{name}: neither offered nor said why not")
            continue
        reading = _Reading(name, command, said, table, words)
        studies[name] = reading.offer()
        problems += reading.problems
    problems += [f"{name}: there is no such command" for name in table["study"].keys() - commands.keys()]
    return Offers(studies, tuple(problems))


@functools.cache
def _table(name: str) -> dict[str, Any]:
    return tomllib.loads(files("changtong.api").joinpath(name).read_text("utf-8"))


def leaves_of(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """Give all commands of a program, each with all the words of its name.

    Parameters
    ----------
    group : click or typer group
    before : str
        Words before.
    """
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from leaves_of(command, f"{before}{name} ")
        else:
            yield f"{before}{name}", command


class _Reading:
    """One command, read beside its row of the table."""

    def __init__(self, name: str, command: Any, said: Mapping[str, Any], table: Any, words: Any) -> None:
        self.name, self.said, self.table, self.words = name, said, table, words
        self.says_en = inspect.cleandoc(command.help or command.short_help or "").split("\n\n")[0]
        self.hints = get_type_hints(inspect.unwrap(command.callback), include_extras=True)
        by_place = {_name(param) for param in command.params if not _long(param)}
        self.params = {
            str(param.name) if _long(param) and _name(param) in by_place else _name(param): param
            for param in command.params
        }
        self.problems: list[str] = []

    def offer(self) -> Offer:
        """Return the offer; what does not agree goes into `problems`."""
        output = self._output()
        inputs = tuple(self._input(name, sources) for name, sources in self._known("inputs"))
        keeps = [self._switch(name) for name in output.keeps]
        parameters = [self._parameter(self.params[name]) for name in self._names("parameters")] + keeps
        if "json" not in self.params:
            self.problems.append(f"{self.name}: has no --json")
        if output.by == "output":
            choices = tuple(output.names)
            parameters.append(
                Parameter(
                    "output",
                    "text",
                    False,
                    False,
                    None,
                    None,
                    choices,
                    choices[0],
                    *self._words("output"),
                    "Kind of file to write.",
                )  # fmt: skip
            )
        for name in self.params.keys() - self._told(output):
            self.problems.append(f"{self.name} --{name}: neither offered nor withheld")
        known = self._known("inputs")
        called = {self.params[name].name: one.name for (name, _), one in zip(known, inputs, strict=True)}
        places = [called.get(one.name, _name(one)) for one in self.params.values() if not _long(one)]
        return Offer(
            self.name, self.said["zh"], self.said["en"], self.said["says"], self.says_en, inputs,
            tuple(parameters), output, tuple(places), "language" in self.params,
            "by" in self.params and "by" not in {one.name for one in parameters},
        )  # fmt: skip

    def _told(self, output: Output) -> set[str]:
        withheld = {*self.table["withheld"], *self.said.get("withheld", {})}
        told = set(self._names("parameters")) | set(self._names("inputs")) | set(output.keeps)
        for name in told & MADE_BY_SERVER | (told & set(self.said.get("withheld", {}))):
            self.problems.append(f"{self.name} --{name}: told twice")
        return told | withheld | MADE_BY_SERVER | {output.option}

    def _names(self, part: str) -> list[str]:
        for name in self.said.get(part, ()):
            if name not in self.params:
                self.problems.append(f"{self.name} --{name}: the command has no such option")
        return [name for name in self.said.get(part, ()) if name in self.params]

    def _known(self, part: str) -> list[tuple[str, str]]:
        return [(name, self.said[part][name]) for name in self._names(part)]

    def _output(self) -> Output:
        told = self.said.get("output")
        keeps = {name: self.said["keeps"][name] for name in self._names("keeps")}
        if told is None:
            if "output" in self.params:
                self.problems.append(f"{self.name}: where its output goes is not said")
            return Output("", {}, "", keeps)
        if isinstance(told, str):
            return Output("output", {"": told}, "", keeps)
        if isinstance(told, list):
            return Output("output", {Path(name).suffix[1:]: name for name in told}, "output", keeps)
        if "option" in told:
            return Output(told["option"], {"": told["is"]}, "", keeps)
        names = {value: name for value, name in told.items() if value != "by"}
        return Output("output", names, told["by"], keeps)

    def _input(self, name: str, source: str) -> Input:
        param, told = self.params[name], self.table["sources"][source]
        _, many, _ = _typed(self.hints[param.name])
        called = source if name in UNNAMED else name
        own = self.words.get(f"{self.name}.{name}")
        zh, en = own[:2] if own else (told["zh"], told["en"])
        return Input(
            called, tuple(told["of"]), many or param.nargs == -1, bool(param.required), zh, en,
            param.help or "", _long(param),
        )  # fmt: skip

    def _switch(self, name: str) -> Parameter:
        param = self.params[name]
        return Parameter(
            name, "boolean", False, False, None, None, (), False, *self._words(name), param.help or ""
        )

    def _parameter(self, param: Any) -> Parameter:
        kind, many, info = _typed(self.hints[param.name])
        choices = tuple(str(one.value) for one in kind) if issubclass(kind, Enum) else ()
        choices = choices or tuple(self.words.get("choices", {}).get(f"{self.name}.{_name(param)}", ()))
        types_of: dict[type, ParameterType] = {bool: "boolean", int: "integer", float: "number"}
        default = param.default.value if isinstance(param.default, Enum) else param.default
        most = info.max if info.max is not None else self.table["most"].get(_name(param))
        of_type = types_of.get(kind, "text")
        if issubclass(kind, Path):
            self.problems.append(f"{self.name} --{_name(param)}: a path is no parameter")
        return Parameter(
            _name(param), of_type, many or param.nargs == -1, bool(param.required), info.min,
            most if of_type in ("integer", "number") else None, choices, default,
            *self._words(_name(param)), param.help or "", _long(param), _no(param),
            f"{self.name}.{_name(param)}" in self.words["names"]["only"],
        )  # fmt: skip

    def _words(self, name: str) -> tuple[str, str, str]:
        told = self.words.get(f"{self.name}.{name}", self.words.get(name))
        if told is None:
            self.problems.append(f"{self.name} --{name}: has no words")
            return name, name, name
        return told[0], told[1], told[2]


def _long(param: Any) -> str:
    """Return the option as it is written out; empty for what is taken by its place."""
    return next((str(one) for one in param.opts if str(one).startswith("--")), "")


def _no(param: Any) -> str:
    return next((str(one) for one in param.secondary_opts if str(one).startswith("--")), "")


def _name(param: Any) -> str:
    name = (_long(param)[2:] or str(param.name)).replace("-", "_")
    return "network" if name == "net" else name


def _typed(hint: Any) -> tuple[type, bool, Any]:
    """Return the type of one value, whether there are many, and what typer knows of it."""
    kind, info = get_args(hint)[:2]
    parts = [one for one in get_args(kind) if one is not type(None)]
    if get_origin(kind) in (Union, types.UnionType):
        kind = parts[0]
    many = get_origin(kind) is list
    return (get_args(kind)[0] if many else kind), many, info


def outage_problems(rows: list[Any]) -> Iterator[Problem]:
    """Tell of outages that could name a file; the rest is checked against the network when the run begins."""
    if len(rows) > MOST_OUTAGES:
        text = f"{MOST_OUTAGES:,} at most"
        yield Problem("out-of-range", f"{len(rows):,} rows.", "outages", expected=text)
        return
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            yield Problem("wrong-type", "This is no outage.", "outages", number, expected="an object")
        elif not isinstance(row.get("area"), dict | None):
            text = "The area is no GeoJSON."
            yield Problem("bad-area", text, "outages", number, "area", expected="a JSON object")


def check_outage_shapes(rows: list[Any]) -> None:
    """Refuse outages that could name a file.

    Raises
    ------
    InputError
        ``bad-area``: an area is GeoJSON itself here, never the name of a file; ``wrong-type``.
    """
    problems = list(outage_problems(rows))
    if problems:
        raise InputError(problems)
