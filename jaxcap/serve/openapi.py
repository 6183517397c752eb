"""The description of the API for programs, in OpenAPI 3.1."""

import math
from collections.abc import Mapping
from typing import Any

import jaxcap
from jaxcap.serve.limits import FIELD, Limits
from jaxcap.serve.schemas import SCHEMAS, TEXT, Json, called, many, thing
from jaxcap.serve.settings import Setting, settings

TYPES = {int: "integer", float: "number", bool: "boolean", str: "string"}
BASE64 = {"type": "string", "contentEncoding": "base64"}
FILE = {"type": "string", "contentMediaType": "application/octet-stream"}
OPEN = {
    "401": "unauthorized: the server wants a token, and this is none or another.",
    "403": "forbidden: a page of another site asks, or the server does not go by that name.",
}
REFUSALS = {
    "400": "bad_request: the body is broken.",
    **OPEN,
    "413": "too_large: an image or the request has too many bytes.",
    "415": "unsupported_media: neither multipart/form-data nor application/json.",
    "422": "bad_setting or too_many_images; of a single image also bad_image, too_many_pixels.",
    "429": "busy: too much is asked for at once. Retry-After has the seconds to wait.",
    "500": "internal: a mistake of the server.",
    "503": "warming_up or draining. Retry-After has the seconds to wait.",
    "504": "timeout: there was no answer in time.",
}


def document(limits: Limits, usual: Mapping[str, Any]) -> Json:
    """The OpenAPI document of a server with these limits and usual settings."""
    given = {name: _schema(each, usual.get(name)) for name, each in settings(limits).items()}
    images = {"minItems": 1, "maxItems": limits.images}
    texts = many({**TEXT, "maxLength": FIELD}, minItems=1, maxItems=limits.texts)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "jaxcap",
            "summary": "Captions of photographs.",
            "version": jaxcap.__version__,
            "license": {"name": "Apache License 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": {
            "/v1/caption": _post(
                "Captions of images. One that cannot be read does not spoil its neighbours.",
                "Captions",
                thing("A form.", {"image": many(FILE, **images), **given}, tuple(given)),
                thing("JSON.", {"images": many(BASE64, **images), **given}, tuple(given)),
            ),
            "/v1/score": _post(
                "The natural log of the probability of each text, its end included, for an image.",
                "Scores",
                thing("A form.", {"image": FILE, "text": texts}),
                thing("JSON.", {"image": BASE64, "texts": texts}),
            ),
            "/v1/info": _get("What captioner this is, its defaults and limits.", "Info", OPEN),
            "/healthz": _get("Whether the process lives.", "Status", {}),
            "/readyz": {
                "get": {
                    "summary": "Whether captions may be asked for.",
                    "responses": {
                        "200": _answer("They may.", called("Status")),
                        "503": _answer("Not now.", called("Status")),
                    },
                }
            },
            "/metrics": {
                "get": {
                    "summary": "Numbers for Prometheus.",
                    "security": [{}, {"token": []}],
                    "responses": {
                        "200": _answer("In its text format.", TEXT, "text/plain"),
                        "401": _answer(OPEN["401"], called("Error")),
                    },
                }
            },
        },
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _schema(setting: Setting, usual: Any) -> Json:
    bounds = {"minimum": setting.least, "maximum": setting.most}
    known = {name: bound for name, bound in bounds.items() if math.isfinite(bound)}
    if usual is not None:
        known["default"] = usual
    return {"type": [TYPES[setting.kind], "null"], "description": setting.about, **known}


def _answer(about: str, schema: Json, media: str = "application/json") -> Json:
    return {"description": about, "content": {media: {"schema": schema}}}


def _get(summary: str, answer: str, refusals: dict[str, str]) -> Json:
    responses = {"200": _answer(summary, called(answer)), **_refused(refusals)}
    return {"get": {"summary": summary, "security": [{}, {"token": []}], "responses": responses}}


def _post(summary: str, answer: str, form: Json, json: Json) -> Json:
    return {
        "post": {
            "summary": summary,
            "security": [{}, {"token": []}],
            "requestBody": {
                "required": True,
                "content": {
                    "multipart/form-data": {"schema": form},
                    "application/json": {"schema": json},
                },
            },
            "responses": {"200": _answer(summary, called(answer)), **_refused(REFUSALS)},
        }
    }


def _refused(refusals: dict[str, str]) -> Json:
    return {status: _answer(about, called("Error")) for status, about in refusals.items()}
