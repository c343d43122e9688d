"""The picture in docs/architecture.md is that of the code: every module stands in it, and every import goes down."""

import re
from collections.abc import Iterator

import grimp
import pytest

from tests.paths import ROOT

PACKAGES = ("arena", "ratings", "training", "common")
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
PICTURE = re.findall(r"^```mermaid\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)[0]
GRAPH = grimp.build_graph(*PACKAGES)


def drawn_layers(package: str) -> list[set[str]]:
    """Return the boxes of a package, the highest first."""
    (drawn,) = re.findall(rf"^  subgraph {package}\n(.*?)^  end", PICTURE, re.MULTILINE | re.DOTALL)
    return [set(box.split(" · ")) for box in re.findall(r'\["([^"]+)"\]', drawn)]


def part(module: str) -> str:
    """Return the folder or module below its package that a module belongs to."""
    return [*module.split("."), "__init__"][1]


def imports() -> Iterator[tuple[str, str]]:
    """Yield every module with each module that it imports directly."""
    for module in GRAPH.modules:
        for imported in GRAPH.find_modules_directly_imported_by(module):
            yield module, imported


@pytest.mark.parametrize("package", PACKAGES)
def test_every_folder_and_module_stands_in_the_picture_once(package: str) -> None:
    drawn = [name for box in drawn_layers(package) for name in box]
    there = {part(module) for module in GRAPH.modules if module.split(".")[0] == package}
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


def test_boxes_are_joined_from_the_highest_to_the_lowest() -> None:
    for package, letter in zip(PACKAGES, "artc", strict=True):
        (drawn,) = re.findall(rf"^  subgraph {package}\n(.*?)^  end", PICTURE, re.MULTILINE | re.DOTALL)
        last = len(drawn_layers(package))
        without_labels = re.sub(r'\["[^"]+"\]', "", drawn)
        joined = [line.split(" --> ") for line in without_labels.split("\n") if line.strip()]
        steps = [(one.strip(), other.strip()) for line in joined for one, other in zip(line, line[1:], strict=False)]
        assert steps == [(f"{letter}{n}", f"{letter}{n + 1}") for n in range(1, last)]
