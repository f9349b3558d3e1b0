"""Files that come with a request: read after the gate has let it in, never before."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from changtong.api.people import Serves
from changtong.errors import InputError, Problem

MOST_FILES = 10
MOST_FIELDS = 10


@dataclass(frozen=True)
class Upload:
    """A form with files.

    Attributes
    ----------
    texts : dict
        Field -> text.
    files : list of (name, content)
        Names without any folder.
    """

    texts: dict[str, str] = field(default_factory=dict)
    files: list[tuple[str, bytes]] = field(default_factory=list)

    def one_file(self) -> tuple[str, bytes]:
        """Return the one file there is.

        Raises
        ------
        InputError
            ``missing-value``.
        """
        if len(self.files) != 1:
            text, expected = f"There are {len(self.files)} files.", "one file, as multipart/form-data"
            raise InputError([Problem("missing-value", text, column="file", expected=expected)])
        return self.files[0]


async def upload_of(request: Request, serves: Serves) -> Upload:
    """Read a form, and let the virus scanner look at its files, where there is one.

    The framework would read the bodies of declared forms before it asks who sends them.
    """
    made = Upload()
    async with request.form(max_files=MOST_FILES, max_fields=MOST_FIELDS) as form:
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                made.files.append((_name(value), await value.read()))
            else:
                made.texts[name] = value
    if serves.scan is not None:
        # all at once, by number: two files may have one name
        named = {f"{number} {name}": content for number, (name, content) in enumerate(made.files, 1)}
        await run_in_threadpool(serves.scan.check, named)
    return made


def _name(file: UploadFile) -> str:
    return PurePath((file.filename or "file").replace("\\", "/").replace("\0", "")).name or "file"


Uploaded = Annotated[Upload, Depends(upload_of)]


def form_described(files: str, **texts: str) -> dict[str, Any]:
    """Return what OpenAPI says of a form.

    Parameters
    ----------
    files : str
        Of its files.
    texts : str
        Of each field.
    """
    properties: dict[str, Any] = {
        name: {"type": "string", "description": text} for name, text in texts.items()
    }
    properties["file"] = {"type": "string", "format": "binary", "description": files}
    schema = {"type": "object", "required": ["file"], "properties": properties}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}
