"""YAML in which a repeated key is an error; PyYAML itself would silently take the last."""

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's, if PyYAML was built with it; both read the same, and neither creates arbitrary objects."""


class YamlError(ValueError):
    """A file that is not YAML: one line with the file, its line number if known, and what is wrong."""


class UniqueKeys(Loader):  # type: ignore[misc]
    """A safe loader that refuses a key that occurs twice in one mapping."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Return the mapping.

        Raises:
            yaml.MarkedYAMLError: a key occurs twice, or is no single value.
        """
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                problem = "a list or a mapping cannot be a key"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            if key.value in seen:
                problem = f"the key {key.value!r} is written twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(key.value)
        mapping: dict[Hashable, Any] = super().construct_mapping(node, deep)
        return mapping


def read_yaml(path: Path, loader: Any = UniqueKeys) -> Any:
    """Return the tree of a file; loader is a subclass of UniqueKeys.

    Raises:
        FileNotFoundError: there is no such file.
        YamlError: it cannot be read, or is not YAML.
    """
    try:
        return yaml.load(path.read_text(encoding="utf-8"), loader)  # a safe loader
    except FileNotFoundError:
        raise
    except IsADirectoryError:
        raise YamlError(f"{path}: cannot be read: it is a folder") from None
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise YamlError(f"{path}{line}: not YAML: {error.problem}") from None
    except UnicodeDecodeError:
        raise YamlError(f"{path}: cannot be read: not UTF-8 text") from None
    except RecursionError:
        raise YamlError(f"{path}: nested too deeply") from None
    except OSError as error:
        raise YamlError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (ValueError, yaml.YAMLError) as error:
        raise YamlError(f"{path}: cannot be read as YAML: {' '.join(str(error).split())}") from None
