"""Docker's API documents (Debian's docker-doc, Swagger 2.0) and the check of an answer against them."""
import datetime
import functools
import gzip
import os
import pathlib
import re
import subprocess

import yaml

from support import images, namespaces

INSTALLED = pathlib.Path("/usr/share/doc/docker-doc/api")


@functools.cache
def folder():
    """Where the documents lie. Machines that install packages without their documentation get the package's content."""
    if INSTALLED.is_dir():
        return INSTALLED
    cache = images.cache_dir() / "docker-doc"
    extracted = cache / "usr/share/doc/docker-doc/api"
    if not extracted.is_dir():
        cache.mkdir(exist_ok=True)
        # -o: apt's own user cannot write there.
        subprocess.run(["apt-get", "-o", "APT::Sandbox::User=root", "download", "docker-doc"], cwd=cache, check=True,
                       stdin=subprocess.DEVNULL, preexec_fn=namespaces.enter_host_network)
        package = next(cache.glob("docker-doc_*.deb"))
        subprocess.run(["dpkg-deb", "-x", package, cache], check=True)
    return extracted


class Document:
    """The API of one version."""

    def __init__(self, version):
        packed = folder() / f"v{version}.yaml.gz"
        text = gzip.decompress(packed.read_bytes()) if packed.exists() else packed.with_suffix("").read_bytes()
        self.version = version
        self.root = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        self.operations = {
            f"{method.upper()} {path}": operation
            for path, methods in self.root["paths"].items() for method, operation in methods.items()
        }

    def answer_schema(self, operation, status):
        """The schema of an answer, or None where it has no body. An undocumented status is an AssertionError."""
        responses = self.operations[operation]["responses"]
        response = responses.get(status, responses.get(str(status)))
        assert response is not None, f"{operation} answers {status}, documented are {sorted(map(str, responses))}"
        return response.get("schema")

    def errors(self, value, schema):
        """What is wrong with the value, a line each."""
        return list(self._errors(value, schema, ""))

    def _resolve(self, schema):
        while "$ref" in schema:
            target = self.root
            for part in schema["$ref"].removeprefix("#/").split("/"):
                target = target[part]
            schema = target
        return schema

    def _errors(self, value, schema, path):
        schema = self._resolve(schema)
        for part in schema.get("allOf", []):
            yield from self._errors(value, part, path)
        kind = schema.get("type") or ("object" if "properties" in schema else None)
        if isinstance(kind, list):  # ["string", "null"]
            if value is None and "null" in kind:
                return
            kind = next(each for each in kind if each != "null")
        if value is None and (schema.get("x-nullable") or kind in ("object", "array", None)):
            return  # Go prints an absent map or list as null, documented or not
        if kind and not _CHECKS[kind](value):
            yield f"{path or 'the answer'} is {_shown(value)}, not of type {kind}"
            return
        if value is not None and "enum" in schema and value not in schema["enum"]:
            yield f"{path} is {_shown(value)}, not one of {schema['enum']}"
        if isinstance(value, dict):
            yield from self._object_errors(value, schema, path)
        elif isinstance(value, list):
            for index, item in enumerate(value):
                yield from self._errors(item, schema.get("items", {}), f"{path}[{index}]")
        elif isinstance(value, str) and schema.get("format") in ("date-time", "dateTime") and not _is_time(value):
            yield f"{path} is {_shown(value)}, not a time of RFC 3339"
        elif isinstance(value, int) and not isinstance(value, bool) and schema.get("format") in _RANGES:
            if value not in _RANGES[schema["format"]]:
                yield f"{path} is {value}, beyond {schema['format']}"

    def _object_errors(self, value, schema, path):
        for name in schema.get("required", []):
            if name not in value:
                yield f"{path}.{name} is missing"
        properties, further = schema.get("properties", {}), schema.get("additionalProperties")
        for name, member in value.items():
            if name in properties:
                yield from self._errors(member, properties[name], f"{path}.{name}")
            elif isinstance(further, dict):
                yield from self._errors(member, further, f"{path}[{name!r}]")


_CHECKS = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
}
_RANGES = {
    "int8": range(-(2**7), 2**7), "int16": range(-(2**15), 2**15), "uint16": range(2**16),
    "int32": range(-(2**31), 2**31), "int64": range(-(2**63), 2**63), "uint64": range(2**64),
}


def _shown(value):
    text = repr(value)
    return text if len(text) < 80 else text[:77] + "..."


def _is_time(text):
    seconds = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", text)
    if not seconds:
        return False
    try:
        datetime.datetime.fromisoformat(seconds[1])
    except ValueError:
        return seconds[1].startswith("0000-")
    return True
