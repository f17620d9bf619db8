"""Read a request's body, JSON or a form with a file, within limits that hold while it arrives.

What a shopper uploads is held in memory only: Starlette's reader would put it into a file.
"""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from api.handlers.photo_intake import Upload
from api.schemas.problems import BodyTooLarge, MediaTypeUnknown
from indexer.errors import QueryError

Model = TypeVar("Model", bound=BaseModel)
BODY_S = 60.0  # 25 MB over a telephone's 4 Mbit/s; a slower one holds a place others wait for
OPTIONS_BYTES = 1_000_000  # of the JSON beside a photo


class _InMemory(MultiPartParser):
    def __init__(self, request: Request, body: bytes) -> None:
        super().__init__(
            request.headers, _once(body), max_files=2, max_fields=5, max_part_size=OPTIONS_BYTES
        )
        self.spool_max_size = len(body) + 1

    def close(self) -> None:
        """Close the files, also those of a form that breaks off."""
        for file in self._files_to_close_on_error:
            file.close()


async def read_body(request: Request, most_bytes: int) -> bytes:
    """Return the body. Raises BodyTooLarge: before it is read, if it declares its length."""
    length = request.headers.get("content-length", "0")
    if length.isdigit() and int(length) > most_bytes:
        raise BodyTooLarge(f"the request has {length} bytes; at most {most_bytes:,} are read")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > most_bytes:
                    raise BodyTooLarge(f"the request has over {most_bytes:,} bytes; send less")
    except TimeoutError:
        raise BodyTooLarge(f"the request took over {BODY_S:g} s to arrive; send less") from None
    return bytes(body)


async def read_json(request: Request, model: type[Model], most_bytes: int) -> Model:
    """Return a request that is JSON. Raises as `read_query`."""
    return (await read_query(request, model, most_bytes, file_field=None))[0]


async def read_query(
    request: Request, model: type[Model], most_bytes: int, file_field: str | None = "photo"
) -> tuple[Model, Upload | None]:
    """Return a request that is JSON, or a form with a file and its `options` as JSON.

    Raises BodyTooLarge, MediaTypeUnknown, QueryError, and pydantic's ValidationError.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        return model.model_validate_json(await read_body(request, most_bytes)), None
    if file_field is None or kind != "multipart/form-data":
        or_form = f", or multipart/form-data with the file as `{file_field}`" if file_field else ""
        raise MediaTypeUnknown(
            f"the content type is {kind or 'missing'}; send application/json{or_form}"
        )
    body = await read_body(request, most_bytes)
    parser = _InMemory(request, body)
    try:
        options, upload = await _fields(await parser.parse(), file_field)
    except (MultiPartException, KeyError, ValueError, AssertionError) as error:
        reason = getattr(error, "message", str(error))
        raise QueryError(f"the form cannot be read: {reason}") from error
    finally:
        parser.close()
    return model.model_validate_json(options), upload


async def _fields(form: FormData, file_field: str) -> tuple[str, Upload | None]:
    """Return a form's options and file. Raises QueryError for any other field."""
    upload, options = None, "{}"
    for name, value in form.multi_items():
        if name == file_field and isinstance(value, UploadFile) and upload is None:
            upload = Upload(value.filename or file_field, await value.read())
        elif name == "options" and isinstance(value, str):
            options = value
        elif name == file_field and isinstance(value, str):
            raise QueryError(
                f"`{file_field}` came as text; send it as a file, as curl does with "
                f"`-F {file_field}=@street.jpg`"
            )
        else:
            raise QueryError(
                f"the form has a field {name!r} that is not expected; send the file once as "
                f"`{file_field}`, and all else as JSON in `options`"
            )
    return options, upload


def body_schema(model: type[BaseModel], file_field: str | None = "photo") -> dict[str, Any]:
    """Return the OpenAPI description of what `read_query` reads; without a file, JSON only."""
    name = f"#/components/schemas/{model.__name__}"
    in_json: dict[str, Any] = {"application/json": {"schema": {"$ref": name}}}
    if file_field is None:
        return {"requestBody": {"required": True, "content": in_json}}
    form = {
        "type": "object",
        "properties": {
            file_field: {"type": "string", "format": "binary"},
            "options": {
                "type": "string",
                "contentMediaType": "application/json",
                "description": f"A {model.__name__} as JSON.",
            },
        },
        "required": [file_field],
    }
    content = in_json | {"multipart/form-data": {"schema": form}}
    return {"requestBody": {"required": True, "content": content}}


async def _once(body: bytes) -> AsyncGenerator[bytes, None]:
    yield body
