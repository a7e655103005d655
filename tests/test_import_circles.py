"""No module imports one that imports it, directly or by others, at its head or inside a function."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HOMES = {"spikesim": ROOT / "spikesim"}


def sources(package: str) -> dict[str, str]:
    """The source of every module of a package by its full name."""
    home = HOMES[package]
    return {
        ".".join((package, *path.relative_to(home).with_suffix("").parts)).removesuffix(".__init__"): path.read_text()
        for path in home.rglob("*.py")
    }


def imported(source: str, modules: set[str]) -> set[str]:
    """The modules among these that a source imports; those for the type checker alone do not count."""

    def visit(node: ast.AST) -> Iterator[str]:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            return
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            # What is imported from a package may be a module of it, which does not need the package's other modules.
            below = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in modules else str(node.module) for name in below)
        for child in ast.iter_child_nodes(node):
            yield from visit(child)

    return set(visit(ast.parse(source))) & modules


def circles(texts: dict[str, str]) -> list[list[str]]:
    """Chains of modules each of which imports the next, and the last the first."""
    graph = {name: imported(text, set(texts)) - {name} for name, text in texts.items()}
    found, finished = [], set()

    def follow(name: str, chain: list[str]) -> None:
        if name in chain:
            found.append(chain[chain.index(name) :])
        elif name not in finished:
            for other in sorted(graph[name]):
                follow(other, [*chain, name])
            finished.add(name)

    for name in sorted(graph):
        follow(name, [])
    return found


@pytest.mark.parametrize("package", HOMES)
def test_modules_do_not_import_each_other(package: str) -> None:
    texts = sources(package)
    assert len(texts) > 10
    assert circles(texts) == []


@pytest.mark.parametrize(
    ("planted", "circle"),
    [
        ({"p.a": "from p import b", "p.b": "import p.a"}, [["p.a", "p.b"]]),
        ({"p.a": "from p.b import x", "p.b": "def f():\n    import p.c", "p.c": "import p.a"}, [["p.a", "p.b", "p.c"]]),
        ({"p.a": "from p.b import x", "p.b": "if TYPE_CHECKING:\n    from p.a import y"}, []),
        ({"p": "from p.a import x", "p.a": "from p.b import x", "p.b": ""}, []),
    ],
)  # fmt: skip
def test_a_planted_circle_is_found(planted: dict[str, str], circle: list[list[str]]) -> None:
    assert circles(planted) == circle
