"""The configuration as a file: reading it, saying in one line what is wrong with it, and writing the commented example."""

from __future__ import annotations

import difflib
import json
import textwrap
import tomllib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import msgspec
from msgspec import inspect

from ringback.server.config.config import DEFAULT_LISTEN, DEFAULT_TLS_LISTEN, IN_MEMORY, Config, default_data_folder
from ringback.server.config.fault import ConfigError, shown
from ringback.server.config.place import line_of

_SHAPE = cast("inspect.StructType", inspect.type_info(Config))


def read_config(file: Path | None = None, options: Mapping[str, Any] | None = None, *, only: Collection[str] = ()) -> Config:
    """The configuration of `file` (TOML), with `options` (keys as in the file) put over it: the command line's.

    Where nobody says what to listen on, TLS is among it if there is a certificate. Paths of the file are relative to its folder. Without
    `data` anywhere the default folder is taken; ":memory:" becomes None.
    With `only`, other keys and tables than those are not even looked at.
    Raises `ConfigError`, one line that names the file, the key and what is allowed.
    """
    options = dict(options or {})
    text = _text(file) if file is not None else ""
    raw = {key: value for key, value in _parsed(text, file).items() if not only or key in only}
    folder = file.parent if file is not None else Path()
    merged: dict[str, Any] = {**raw}
    for key, value in options.items():
        if isinstance(value, dict):
            table = merged.get(key, {})
            value = {**table, **value} if isinstance(table, dict) else table
        merged[key] = value
    if "listen" not in merged and merged.get("tls"):
        merged["listen"] = [DEFAULT_LISTEN, DEFAULT_TLS_LISTEN]
    merged.setdefault("data", str(default_data_folder()))
    if merged["data"] == IN_MEMORY:
        merged["data"] = None
    try:
        config = msgspec.convert(merged, Config, dec_hook=_path)
    except msgspec.ValidationError as error:
        key, reason = _explain(error, merged)
        raise ConfigError(reason, *_origin(key, file, text, options)) from None
    data = _beside(config.data, folder if "data" in raw and "data" not in options else Path())
    trace_file = _beside(config.trace.file, Path() if "file" in options.get("trace", {}) else folder)
    trace = msgspec.structs.replace(config.trace, file=trace_file)
    tls = config.tls.beside(folder, frozenset(options.get("tls", ())))
    control = msgspec.structs.replace(config.control, socket=_beside(config.control.socket, folder))
    log = msgspec.structs.replace(config.log, file=_beside(config.log.file, folder), security=_beside(config.log.security, folder))
    routing = _beside(config.routing, folder)
    websocket = msgspec.structs.replace(config.websocket, admission=_beside(config.websocket.admission, folder))
    return msgspec.structs.replace(config, data=data, routing=routing, trace=trace, control=control, log=log, tls=tls, websocket=websocket)


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", origin=str(file)) from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"not UTF-8 (at line {line}); TOML is written in UTF-8", origin=str(file)) from None


def _parsed(text: str, file: Path | None) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # not only TOMLDecodeError: a number may have 5,000 digits
        raise ConfigError(f"no valid TOML: {error}", origin=str(file)) from None


def _beside(path: Path | None, folder: Path) -> Path | None:
    return None if path is None else folder / path.expanduser()


def _path(kind: type, value: object) -> object:
    if kind is Path and isinstance(value, str) and value and "\0" not in value:
        return Path(value)
    raise ValueError("no path")


def _origin(key: str, file: Path | None, text: str, options: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """The key and where it stands: `--listen` on the command line, else file and line."""
    top, _, rest = key.partition(".")
    bare = top.partition("[")[0]
    if bare in options and (not isinstance(options[bare], dict) or rest in options[bare]):
        return "--" + {"domains": "domain", "trace": "trace-file", "tls": f"tls-{rest}"}.get(bare, bare), None
    if bare == "auth" and file is None:
        return "--auth", None
    if file is None:
        return key or None, None
    line = line_of(key, text)
    return key or None, str(file) if line is None else f"{file}:{line}"


def _explain(error: msgspec.ValidationError, raw: Mapping[str, Any]) -> tuple[str, str]:
    """The key (`registrar.min_expires`, "" for the whole) and the sentence."""
    message, _, path = str(error).partition(" - at `$")
    key = path.rstrip("`").replace("[...]", ".*").lstrip(".")
    if isinstance(error.__cause__, ConfigError):
        # A table of many knows its own keys, but not which of the many it is.
        own = error.__cause__.key or ""
        if ".*" in key:
            return f"{_with_names(key, raw)}.{own}", error.__cause__.reason
        return key + own[len(key.partition("[")[0]) :] if "[" in key else own, error.__cause__.reason
    if "unknown field" in message:
        name = message.partition("`")[2].rpartition("`")[0]
        known = [field.name for field in cast("inspect.StructType", _type_at(key)).fields]
        near = difflib.get_close_matches(name, known, 1)
        advice = f"did you mean {near[0]}?" if near else "allowed are " + ", ".join(known)
        name = name if name.isprintable() else repr(name)
        return f"{_with_names(key, raw)}.{name}" if key else name, f"no such key; {advice}"
    return _with_names(key, raw), f"must be {_allowed(_type_at(key))}, is {shown(_value_at(raw, key))}"


def _with_names(key: str, raw: Mapping[str, Any]) -> str:
    """The key as the file has it: `domain.*.mode` is `domain."example.org".mode` where that is the table at fault."""
    top, star, rest = key.partition(".*")
    if star and isinstance(kind := cast("inspect.DictType", _type_at(top)).value_type, inspect.StructType):
        return f"{top}.{json.dumps(_name_at_fault(raw[top], kind))}{rest}"
    return key


def _name_at_fault(tables: Mapping[str, Any], kind: inspect.StructType) -> str:
    """The first of several tables that is no such struct, since the error does not say which."""
    for name, table in tables.items():
        try:
            msgspec.convert(table, kind.cls)
        except msgspec.ValidationError:
            return name
    return "*"


def _steps(key: str) -> Iterator[str | int]:
    """`trace.file` → "trace", "file"; `listen[2]` → "listen", 2; "" → nothing; `aliases.*` is any key of that table."""
    for part in key.split(".") if key else ():
        name, bracket, index = part.partition("[")
        yield name
        if bracket:
            yield int(index.rstrip("]"))


def _value_at(raw: Any, key: str) -> Any:
    for step in _steps(key):
        if step == "*" and isinstance(kind := cast("inspect.DictType", _type_at(key.partition(".*")[0])).value_type, inspect.StructType):
            raw = raw[_name_at_fault(raw, kind)]
            continue
        if step == "*":
            # Nothing says which key it is: the first that is no text or list stands for them.
            return next((value for value in raw.values() if not isinstance(value, str | list)), raw)
        raw = raw[step]
    return raw


def _type_at(key: str) -> inspect.Type:
    kind: inspect.Type = _SHAPE
    for step in _steps(key):
        if isinstance(kind, inspect.DictType):
            kind = kind.value_type
        elif isinstance(step, int):
            kind = cast("inspect.ListType", kind).item_type
        else:
            kind = next(field.type for field in cast("inspect.StructType", kind).fields if field.name == step)
        kind = _bare(kind)
    return kind


def _bare(kind: inspect.Type) -> inspect.Type:
    """The type inside its description and inside `… | None`."""
    while isinstance(kind, inspect.Metadata):
        kind = kind.type
    if isinstance(kind, inspect.UnionType):
        return next(_bare(one) for one in kind.types if not isinstance(one, inspect.NoneType))
    return kind


def _allowed(kind: inspect.Type) -> str:
    match kind:
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType():
            return f"a whole number from {kind.ge} to {kind.le}"
        case inspect.FloatType(gt=None):
            return f"a number from {kind.ge:g} to {kind.le:g}"
        case inspect.FloatType():
            return f"a number above {kind.gt:g}, at most {kind.le:g}"
        case inspect.LiteralType():
            return " or ".join(f'"{value}"' for value in sorted(map(str, kind.values), reverse=True))
        case inspect.ListType(item_type=item) if isinstance(_bare(item), inspect.StructType):
            return "tables, each under a line [[…]]"
        case inspect.ListType():
            return 'a list of texts, such as ["…"]'
        case inspect.DictType(value_type=item) if isinstance(_bare(item), inspect.StructType):
            return "tables, each under a line such as [….name]"
        case inspect.DictType():
            return "a table"
        case inspect.StructType():
            return "a table with the keys " + ", ".join(field.name for field in kind.fields)
        case inspect.CustomType():
            return "a path, as text"
        case _:
            return "text"


def example_config() -> str:
    """A configuration file with every key, its meaning and its default, all commented out."""
    lines = [
        "# The configuration of `ringback serve` (TOML). No key has to be there but auth; each is shown with the value it has",
        "# when left out, or with an example where there is none. Remove the # to change one.",
        "",
    ]
    lines += _keys(_SHAPE)
    for field in _SHAPE.fields:
        kind = _bare(field.type)
        if isinstance(kind, inspect.StructType):
            lines += [f"[{field.name}]  # {kind.cls.__doc__}", "", *_keys(kind)]
        elif isinstance(kind, inspect.ListType) and isinstance(item := _bare(kind.item_type), inspect.StructType):
            # A table that may stand there many times has no default: it is shown as a whole that is commented out.
            lines += [*_wrapped(str(item.cls.__doc__)), f"# [[{field.name}]]", "", *_keys(item)]
        elif isinstance(kind, inspect.DictType) and isinstance(item := _bare(kind.value_type), inspect.StructType):
            name = (cast("inspect.Metadata", field.type).extra_json_schema or {})["examples"][0]
            lines += [*_wrapped(str(item.cls.__doc__)), f"[{field.name}]", f"# [{field.name}.{json.dumps(name)}]", "", *_keys(item)]
        elif isinstance(kind, inspect.DictType):
            schema = cast("inspect.Metadata", field.type).extra_json_schema or {}
            lines += [*_wrapped(schema["description"]), f"[{field.name}]"]
            lines += [f"# {json.dumps(key)} = {json.dumps(value)}" for key, value in schema["examples"][0].items()]
            lines.append("")
    return "\n".join(lines)


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 100, initial_indent="# ", subsequent_indent="# ")


def _keys(shape: inspect.StructType) -> Iterator[str]:
    for field in shape.fields:
        if not isinstance(field.type, inspect.Metadata) or isinstance(_bare(field.type), inspect.DictType):
            continue
        schema = field.type.extra_json_schema or {}
        default = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
        value = schema["examples"][0] if "examples" in schema else default
        yield from _wrapped(schema["description"])
        yield f"# {field.name} = {_written(value)}"
        yield ""


def _written(value: object) -> str:
    """A value as TOML has it: JSON but for inline tables."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_written(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_written, value)) + "]"
    return json.dumps(value, ensure_ascii=False)
