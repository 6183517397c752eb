"""The shapes of answers, in JSON Schema, for the description of the API."""

from typing import Any

from jaxcap.serve.errors import STATUS
from jaxcap.serve.looks import SIDE

Json = dict[str, Any]

TEXT: Json = {"type": "string"}
NUMBER: Json = {"type": "number"}
COUNT: Json = {"type": "integer", "minimum": 0}


def thing(about: str, fields: Json, optional: tuple[str, ...] = ()) -> Json:
    """An object with these fields; all but the optional ones are always there."""
    return {
        "type": "object",
        "description": about,
        "properties": fields,
        "required": [name for name in fields if name not in optional],
    }


def many(items: Json, **more: Any) -> Json:
    """A list."""
    return {"type": "array", "items": items, **more}


def maybe(schema: Json) -> Json:
    """What a schema says, or null."""
    return {"anyOf": [schema, {"type": "null"}]}


def called(name: str) -> Json:
    """One of `SCHEMAS`."""
    return {"$ref": f"#/components/schemas/{name}"}


_ROW = many({"type": "integer", "minimum": 0, "maximum": 255}, minItems=SIDE, maxItems=SIDE)

SCHEMAS: dict[str, Json] = {
    "Error": thing(
        "Why there is no answer.",
        {
            "error": thing(
                "For programs a code, for people a sentence.",
                {"code": {"type": "string", "enum": sorted(STATUS)}, "message": TEXT},
            )
        },
    ),
    "Status": thing(
        "How the server is; of the warm-up how many programs are done.",
        {
            "status": {"type": "string", "enum": ["ok", "ready", "warming_up", "draining"]},
            "done": COUNT,
            "total": COUNT,
        },
        optional=("done", "total"),
    ),
    "Caption": thing(
        "score is log-probability / length ** length_penalty.", {"text": TEXT, "score": NUMBER}
    ),
    "Word": thing(
        "A word, or a part of one, of the best caption.",
        {
            "word": TEXT,
            "logprob": {**NUMBER, "description": "The natural log of its probability."},
            "map": {
                **maybe(many(_ROW, minItems=SIDE, maxItems=SIDE)),
                "description": "Where the model looked, in rows; the brightest place is 255.",
            },
        },
    ),
    "Found": thing(
        "The captions of an image, best first.",
        {
            "captions": many(called("Caption")),
            "words": many(called("Word")),
            "shown": many(
                NUMBER,
                minItems=4,
                maxItems=4,
                description="What the model saw of the upright image, and the maps cover: left, "
                "top, right and bottom in shares of its sides.",
            ),
        },
        optional=("words", "shown"),
    ),
    "Captions": thing(
        "A result for each image, in their order.",
        {"results": many({"anyOf": [called("Found"), called("Error")]})},
    ),
    "Scores": thing("One for each text, in their order.", {"logprobs": many(NUMBER)}),
    "Info": thing(
        "The captioner, what it does when nothing else is asked for, and what may be asked for.",
        {
            "name": TEXT,
            "architecture": TEXT,
            "parameters": COUNT,
            "step": COUNT,
            "license": maybe(TEXT),
            "looks": {"type": "boolean", "description": "Whether words come with maps."},
            "vocabulary": COUNT,
            "defaults": {"type": "object"},
            "limits": {"type": "object", "additionalProperties": COUNT},
        },
    ),
}
