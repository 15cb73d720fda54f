"""A YAML file as plain data with the line of every key.

``yaml.safe_load`` alone will not do: it drops lines, lets the second of two equal keys win, and follows aliases without
end. So PyYAML parses and resolves scalars, and the tree is walked here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from bailiwick.errors import PolicyError

__all__ = ["YamlFile", "read_yaml"]

_MAX_BYTES = 256 * 2**10
_MAX_NODES = 20_000
_MAX_DEPTH = 32
_MERGE = "tag:yaml.org,2002:merge"
_MAP, _SEQ = "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"


@dataclass(kw_only=True)
class YamlFile:
    """The data of a file, and the line of every dotted key; the key of the whole is the empty string."""

    file: Path
    data: Any = None
    lines: dict[str, int] = field(default_factory=dict[str, int])


def read_yaml(file: Path) -> YamlFile:
    """Read the one document in ``file``; anchors and merge keys work as in YAML 1.1.

    Raises PolicyError with file and line for what is no YAML, has a key twice, or unfolds into too much.
    """
    try:
        raw = file.read_bytes()
        if len(raw) > _MAX_BYTES:
            problem = f"the file has {len(raw)} bytes, more than {_MAX_BYTES}"
            raise PolicyError(problem, file=file, fix="make it smaller")
        text = raw.decode("utf-8")
    except OSError as error:
        raise PolicyError(
            f"it cannot be read: {error.strerror or error}", file=file, fix="make it a readable file"
        ) from error
    except UnicodeDecodeError as error:
        raise PolicyError(f"it is not UTF-8 text (byte {error.start})", file=file, fix="save it as UTF-8") from None
    loader: Any = None
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        read = YamlFile(file=file)
        if node is not None:
            read.data = _Walk(loader, read).value(node, "", 0)
        return read
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise PolicyError(
            f"this is not valid YAML: {error.problem or error}",
            file=file,
            line=mark.line + 1 if mark else None,
            fix="correct the line; values with : # { [ or * in them belong in quotes",
        ) from None
    except (yaml.YAMLError, RecursionError) as error:
        problem = str(error).splitlines()[0]
        raise PolicyError(f"this is not valid YAML: {problem}", file=file, fix="correct the file") from None
    finally:
        if loader is not None:
            loader.dispose()


class _Walk:
    def __init__(self, loader: Any, read: YamlFile) -> None:
        self._loader = loader
        self._read = read
        self._nodes = 0

    def value(self, node: yaml.Node, key: str, depth: int) -> Any:
        self._nodes += 1
        if self._nodes > _MAX_NODES or depth > _MAX_DEPTH:
            raise self._wrong(node, key, "the file unfolds into too much", "use fewer aliases and less nesting")
        # A key's own line was noted by its mapping; an item of a list has none but its value's.
        self._read.lines.setdefault(key, _line(node))
        match node:
            case yaml.MappingNode() if node.tag == _MAP:
                return self._mapping(node, key, depth)
            case yaml.SequenceNode() if node.tag == _SEQ:
                return [self.value(item, _join(key, n), depth + 1) for n, item in enumerate(node.value)]
            case yaml.ScalarNode():
                return self._scalar(node, key)
            case _:
                raise self._wrong(node, key, f"the tag {node.tag} is not known here", "remove the tag")

    def _mapping(self, node: yaml.MappingNode, key: str, depth: int) -> dict[str, Any]:
        own = dict[str, tuple[yaml.Node, yaml.Node]]()
        for name, name_node, item in self._pairs(node, key):
            if name in own:
                first = _line(own[name][0])
                raise self._wrong(
                    name_node, _join(key, name), f"the key is there twice (first on line {first})", "remove one of them"
                )
            own[name] = (name_node, item)
        merged = {name: pair for name, pair in self._merged(node, key, depth).items() if name not in own}
        made: dict[str, Any] = {}
        for name, (name_node, item) in {**own, **merged}.items():
            at = _join(key, name)
            self._read.lines[at] = _line(name_node)
            made[name] = self.value(item, at, depth + 1)
        return made

    def _pairs(self, node: yaml.MappingNode, key: str) -> Iterator[tuple[str, yaml.Node, yaml.Node]]:
        for name_node, item in node.value:
            if name_node.tag == _MERGE:
                continue
            name = self._scalar(name_node, key) if isinstance(name_node, yaml.ScalarNode) else None
            if not isinstance(name, str):
                shown = getattr(name_node, "value", "?")
                raise self._wrong(name_node, key, f"the key {shown!r} is no text", f'write it in quotes: "{shown}"')
            yield name, name_node, item

    def _merged(self, node: yaml.MappingNode, key: str, depth: int) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        """Keys that come in by ``<<``; of several sources the first that has a key gives it."""
        if depth > _MAX_DEPTH:
            raise self._wrong(node, key, "the merges have no end", "merge less deeply")
        found: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for name_node, item in node.value:
            if name_node.tag != _MERGE:
                continue
            sources = item.value if isinstance(item, yaml.SequenceNode) else [item]
            for source in sources:
                if not isinstance(source, yaml.MappingNode):
                    raise self._wrong(name_node, key, "<< needs a mapping", "merge an anchored mapping: <<: *name")
                self._nodes += len(source.value)
                if self._nodes > _MAX_NODES:
                    raise self._wrong(node, key, "the file unfolds into too much", "use fewer aliases")
                for name, at, value in self._pairs(source, key):
                    found.setdefault(name, (at, value))
                for name, pair in self._merged(source, key, depth + 1).items():
                    found.setdefault(name, pair)
        return found

    def _scalar(self, node: yaml.ScalarNode, key: str) -> Any:
        try:
            return self._loader.construct_object(node)
        except (ValueError, OverflowError, yaml.constructor.ConstructorError) as error:
            problem = getattr(error, "problem", None) or error
            raise self._wrong(node, key, f"the value cannot be read: {problem}", "write it in quotes") from None

    def _wrong(self, node: yaml.Node, key: str, message: str, fix: str) -> PolicyError:
        return PolicyError(message, file=self._read.file, line=_line(node), key=key or None, fix=fix)


def _line(node: yaml.Node) -> int:
    return node.start_mark.line + 1


def _join(key: str, part: object) -> str:
    return f"{key}.{part}" if key else str(part)
