"""The picture in docs/architecture.md is that of the code: every module stands in it, and every import goes down."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise

import pytest

from tests.paths import ROOT

PACKAGES = ("arena", "ratings", "training", "common")
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
PICTURE = re.findall(r"^```mermaid\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)[0]
SUBGRAPHS = dict(re.findall(r"^  subgraph (\w+)\n(.*?)^  end", PICTURE, re.MULTILINE | re.DOTALL))


def drawn_layers(package: str) -> list[set[str]]:
    """Return the boxes of a package, the highest first."""
    return [set(box.split(" · ")) for box in re.findall(r'\["([^"]+)"\]', SUBGRAPHS[package])]


def part(module: str) -> str:
    """Return the folder or module below its package that a module belongs to."""
    return [*module.split("."), "__init__"][1]


@cache
def modules() -> dict[str, ast.Module]:
    """Return every module's tree by its name."""
    paths = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in paths]
    return {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in zip(names, paths, strict=True)}


@cache
def imports() -> list[tuple[str, str]]:
    """Return every module with each of our modules that it imports, in functions too."""
    return list(find_imports())


def find_imports() -> Iterator[tuple[str, str]]:
    for module, tree in modules().items():
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
            for name in names:
                full = f"{node.module}.{name}" if isinstance(node, ast.ImportFrom) else name
                imported = full if full in modules() else full.rpartition(".")[0]
                if imported in modules():
                    yield module, imported


@pytest.mark.parametrize("package", PACKAGES)
def test_every_folder_and_module_stands_in_the_picture_once(package: str) -> None:
    drawn = [name for box in drawn_layers(package) for name in box]
    there = {part(module) for module in modules() if module.split(".")[0] == package}
    assert sorted(set(drawn) | {"__init__"}) == sorted(there)
    assert len(drawn) == len(set(drawn))


@pytest.mark.parametrize("package", PACKAGES)
def test_every_import_within_a_package_goes_down_the_picture(package: str) -> None:
    level = {name: row for row, box in enumerate(drawn_layers(package)) for name in box}
    for module, imported in imports():
        if module.split(".")[0] == imported.split(".")[0] == package and part(module) != part(imported):
            assert level[part(module)] < level[part(imported)], f"{module} imports {imported}"


def test_the_arrows_between_packages_are_all_that_crosses() -> None:
    drawn = set(re.findall(rf"^  ({'|'.join(PACKAGES)}) --> (\w+)$", PICTURE, re.MULTILINE))
    crossing = {(module.split(".")[0], imported.split(".")[0]) for module, imported in imports()}
    assert drawn == {(one, other) for one, other in crossing if one != other}


@pytest.mark.parametrize("package", PACKAGES)
def test_boxes_are_joined_from_the_highest_to_the_lowest(package: str) -> None:
    boxes = re.findall(r"(\w+)\[", SUBGRAPHS[package])
    lines = re.sub(r'\["[^"]+"\]', "", SUBGRAPHS[package]).split("\n")
    assert [step for line in lines for step in pairwise(line.split()[::2])] == list(pairwise(boxes))
