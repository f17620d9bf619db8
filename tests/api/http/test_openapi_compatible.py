"""The OpenAPI document means what that of version 0.1.0 meant, but for the differences listed here.

References are followed; names of components, descriptions, examples, titles and the order of
alternatives do not count.
"""

import json
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from api.app import create_app
from indexer.settings import Settings

BEFORE = Path(__file__).parents[2] / "data" / "openapi-0.1.0.json"
PROSE = {"title", "description", "summary", "example", "examples", "tags"}

NEW_SLOTS = ("shoes", "bag", "headwear")
NEW_SLOT = "a slot more that may be asked for; those of 0.1.0 still may"
SAME_STATUS = "the answer is described now, and is the one that it was"
# A pattern of where the documents differ -> why a program written for 0.1.0 does not mind.
ALLOWED: Mapping[str, str] = {
    "paths.*.operationId": "names for generated clients; requests and answers are the same",
    "*.properties.category_confidence*": "answers have one more field",
    "*.properties.people*": "answers have one more field",
    "*.properties.person*": "answers have one more field; requests may have one, or not",
    "paths./healthz.get.responses.200.content.application/json.schema*": SAME_STATUS,
    **{f'paths.*.properties.garment.anyOf.*.enum."{slot}"': NEW_SLOT for slot in NEW_SLOTS},
    **{f'paths.*/complete.*slot*.items.enum."{slot}"': NEW_SLOT for slot in NEW_SLOTS},
    "paths.*/complete.*slot*.maxItems": "all slots may be asked for: seven, four before",
    "paths./readyz.get.responses.200.content.application/json.schema*": SAME_STATUS,
}


def test_the_document_means_what_it_meant(tmp_path: Path) -> None:
    before = _meaning(json.loads(BEFORE.read_text("utf-8")))
    now = _meaning(create_app(Settings(home=tmp_path)).openapi())
    differing = {
        where: (before.get(where, "absent"), now.get(where, "absent"))
        for where in before.keys() | now.keys()
        if before.get(where, "absent") != now.get(where, "absent")
    }
    unknown = {
        where: values
        for where, values in differing.items()
        if not any(fnmatchcase(where, pattern) for pattern in ALLOWED)
    }
    assert not unknown
    unused = [each for each in ALLOWED if not any(fnmatchcase(where, each) for where in differing)]
    assert not unused, "no difference needs these patterns"


OPERATIONS = """
search detect similar alternatives complete completePhoto outfit sendEvents sendDefaultEvents
putItems changeItems deleteItems listItems getItem changeItem deleteItem startImport getJob
getJobErrors listCatalogues stats facets getPicture health ready metrics
"""


def test_operations_have_names_that_a_generated_client_would_want(tmp_path: Path) -> None:
    paths = create_app(Settings(home=tmp_path)).openapi()["paths"]
    named = [operation["operationId"] for path in paths.values() for operation in path.values()]
    assert sorted(named) == sorted(OPERATIONS.split())


def test_a_change_of_meaning_is_seen() -> None:
    document = json.loads(BEFORE.read_text("utf-8"))
    before = _meaning(document)
    document["components"]["schemas"]["Item"]["properties"]["brand"] = {"type": "string"}
    changed = {where for where, value in _meaning(document).items() if before.get(where) != value}
    assert changed
    assert all(".brand" in where for where in changed)


def _meaning(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the document says, by where it says it: `paths./v1/detect.post...` -> value."""
    schemas = document["components"]["schemas"]
    security = document["components"].get("securitySchemes", {})
    told = {"paths": document["paths"], "security": security}
    return dict(_leaves(_plain(told, schemas)))


def _plain(value: Any, schemas: Mapping[str, Any], are_fields: bool = False) -> Any:
    """Return a part of the document: references followed, lists keyed, prose left out.

    `are_fields`: the names are those of a request's or answer's fields, which may be `title` too.
    """
    if isinstance(value, list):
        plain = [_plain(each, schemas) for each in value]
        if all(isinstance(each, dict) and {"name", "in"} <= each.keys() for each in plain):
            return {f"{each['in']} {each['name']}": each for each in plain}  # parameters
        return {_key(each): each for each in plain}  # in no order
    if not isinstance(value, dict):
        return value
    if "$ref" in value:
        return _plain(schemas[value["$ref"].rpartition("/")[2]], schemas)
    kept = {name: each for name, each in value.items() if are_fields or name not in PROSE}
    if kept.get("additionalProperties") is True:  # what leaving it out means
        del kept["additionalProperties"]
    return {
        name: _plain(each, schemas, name == "properties" and not are_fields)
        for name, each in kept.items()
    }


def _key(alternative: Any) -> str:
    """Name one of several alternatives; a list of words stays itself when it grows."""
    if isinstance(alternative, dict) and "enum" in alternative:
        return f"{alternative.get('type')} of a list"
    return json.dumps(alternative, sort_keys=True)


def _leaves(value: Any, where: str = "") -> Iterator[tuple[str, Any]]:
    if not isinstance(value, dict) or not value:
        yield where, value
        return
    for name, each in value.items():
        yield from _leaves(each, f"{where}.{name}" if where else name)
