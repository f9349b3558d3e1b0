"""From a checked request to the command that answers it: arguments for the program, never for a shell.

Values stand behind ``=`` or ``--``, so that none is read as an option; places are made from ids.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from changtong.api.input_places import InputPlaces
from changtong.api.offered import Input, Offer, Parameter

ASKED = "asked"
KEPT = "kept"
RESULT = "result"
"""Folders a run works in: what it was given, what it keeps beside its result, and the result."""


@dataclass(frozen=True)
class StudyCommand:
    """What is to be started.

    Attributes
    ----------
    arguments : list of str
        Of ``python -m changtong``; places are relative to the data folder.
    files : dict
        What is to be written first: from place to text.
    folders : list of str
        What must be there first.
    """

    arguments: list[str]
    files: dict[str, str]
    folders: list[str]


def study_command(offer: Offer, request: Mapping[str, Any], places: InputPlaces, run_id: str) -> StudyCommand:
    """Return the command of a run.

    Parameters
    ----------
    offer : Offer
    request : mapping
        As `checked_request` returned it, with ``language`` and ``by``, who asked for it.
    places : InputPlaces
    run_id : str

    Raises
    ------
    NotFoundError
        An input was taken away in the meantime.
    """
    making = _Making(offer, request, places, run_id)
    return making.command()


class _Making:
    """The parts of one command, put together."""

    def __init__(self, offer: Offer, request: Mapping[str, Any], places: InputPlaces, run_id: str) -> None:
        self.offer, self.request, self.places = offer, request, places
        self.work = Path("runs") / run_id
        self.files: dict[str, str] = {}

    def command(self) -> StudyCommand:
        """Return it whole."""
        options: list[str] = []
        placed: dict[str, list[str]] = {}
        for one in self.offer.inputs:
            values = self._input(one)
            if one.option:
                options += [f"{one.option}={value}" for value in values]
            else:
                placed[one.name] = values
        for parameter in self.offer.parameters:
            value = self.request["parameters"].get(parameter.name)
            if value is not None and not parameter.option:
                placed[parameter.name] = [_text(one) for one in _many(value)]
            elif value is not None:
                options += _option(parameter, value)
        options += self._output()
        if self.offer.speaks:
            options.append(f"--language={self.request['language']}")
        if self.offer.signs:
            options.append(f"--by={self.request['by']}")
        behind = [value for name in self.offer.places for value in placed.get(name, [])]
        arguments = [*self.offer.name.split(" "), *options, "--json", "--", *behind]
        folders = [self.work / KEPT] + ([] if self._is_folder else [self.work / RESULT])
        return StudyCommand(arguments, self.files, [str(one) for one in folders])

    def _input(self, one: Input) -> list[str]:
        value = self.request.get(one.name)
        if value is None or value == []:
            return []
        if "rows" in one.sources and isinstance(value, list):
            place = str(self.work / ASKED / f"{one.name}.json")
            self.files[place] = json.dumps(value, ensure_ascii=False)
            return [place]
        found = self.places.places(one, value)
        return [str(path.relative_to(self.places.folder.path)) for path in found]

    @property
    def _file(self) -> str:
        """The name of the file that is asked for, or ``folder``; empty: there is none."""
        output = self.offer.output
        if not output.option:
            return ""
        chosen = str(self.request["parameters"].get(output.by))
        return output.names.get(chosen) or next(iter(output.names.values()))

    @property
    def _is_folder(self) -> bool:
        return self._file in ("", "folder")

    def _output(self) -> Iterator[str]:
        output = self.offer.output
        if output.option:
            place = self.work / RESULT if self._is_folder else self.work / RESULT / self._file
            yield f"--{output.option}={place}"
        for name, folder in output.keeps.items():
            if self.request["parameters"].get(name):
                yield f"--{name.replace('_', '-')}={self.work / KEPT / folder}"


def _option(parameter: Parameter, value: Any) -> list[str]:
    if parameter.type == "boolean":
        if value:
            return [parameter.option]
        return [parameter.no_option] if parameter.no_option else []
    return [f"{parameter.option}={_text(one)}" for one in _many(value)]


def _many(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _text(value: Any) -> str:
    return repr(value) if isinstance(value, float) else str(value)
