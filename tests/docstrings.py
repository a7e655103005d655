"""What docstrings of public names say, and where they say something else than the code."""

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from pkgutil import resolve_name
from types import ModuleType
from typing import Any, is_typeddict

from spikesim import errors

PAGES = sorted((Path(__file__).parents[1] / "docs" / "api").glob("*.md"))

_ENTRY = re.compile(r"^::: (?P<name>\S+)(?:\n    options:\n      members: \[(?P<members>[^]]+)\])?", re.MULTILINE)
_SECTION = re.compile(r"^(Args|Attributes|Returns|Yields|Raises|Source):\n((?: .*\n|\n)*)", re.MULTILINE)
_NAMED = re.compile(r"^    (\*{0,2}\w+(?:, \*{0,2}\w+)*):(?=\s)", re.MULTILINE)
_REFERENCE = re.compile(r"(?:\b[Ss]ee|\b[Aa]s for|\b[Aa]s of|\AAs) `([\w.]+)`")
_GROUP = re.compile(r"\(([^()]*(?:\([^()]*\)[^()]*)*)\)")
_LENGTH = re.compile(r"\S+(?: [+−] \S+)*|")
_LIKE = re.compile(r"shape|same size|scalar")
_ARRAY = re.compile(r"\bndarray\b|\bTensor\b")
_ERRORS = {name for name, found in vars(errors).items() if inspect.isclass(found) and issubclass(found, Exception)}
_CATCHING = {"ValueError", "Exception", "SpikesimError"}
_VERBS = {
    "Build", "Compare", "Convert", "Deblur", "Estimate", "Evaluate", "Fit", "Interpolate", "Load", "Make",
    "Measure", "Open", "Read", "Rebuild", "Render", "Simulate", "Synthesise", "Train", "Write",
}  # fmt: skip
"""Verbs that begin docstrings which say what is done and not what is given."""


@dataclass(frozen=True)
class Public:
    """A function, method or class that pages of the reference name.

    Attributes:
        name: What pages call it.
        found: What it is.
        owner: The class that a method is of.
    """

    name: str
    found: Any
    owner: type | None = None

    @property
    def docstring(self) -> str:
        return inspect.cleandoc(self.found.__doc__ or "")

    @property
    def is_class(self) -> bool:
        return inspect.isclass(self.found)


def entries(text: str) -> Iterator[tuple[str, Any]]:
    """What a page of the reference names: modules, classes, functions and values, by their names."""
    for entry in _ENTRY.finditer(text):
        members = re.split(r",\s*", entry["members"]) if entry["members"] else []
        for name in [f"{entry['name']}.{member}" for member in members] or [entry["name"]]:
            yield name, resolve_name(name)


def public(name: str, found: Any) -> Iterator[Public]:
    """The functions and classes that an entry stands for, with the public methods of classes."""
    if isinstance(found, ModuleType):
        names = getattr(found, "__all__", None) or [
            each
            for each, value in vars(found).items()
            if not each.startswith("_") and getattr(value, "__module__", None) == found.__name__
        ]
        for each in names:
            yield from public(f"{name}.{each}", getattr(found, each))
    elif inspect.isclass(found) and not issubclass(found, BaseException):
        yield Public(name, found)
        for each, value in vars(found).items():
            function = value.__func__ if isinstance(value, staticmethod | classmethod) else value
            if not each.startswith("_") and inspect.isfunction(function):
                yield Public(f"{name}.{each}", function, found)
    elif inspect.isfunction(found):
        yield Public(name, found)


def has_shape(text: str) -> bool:
    """Whether a text says the shape of an array: as (T, H, W), or in words."""
    groups = (group.split(",") for group in _GROUP.findall(text))
    return bool(_LIKE.search(text)) or any(
        len(group) > 1 and all(_LENGTH.fullmatch(length.strip()) for length in group) for group in groups
    )


def sections(docstring: str) -> dict[str, str]:
    """The sections of a docstring by their titles, and what stands before them as ``."""
    return {"": _SECTION.split(docstring + "\n")[0], **dict(_SECTION.findall(docstring + "\n"))}


def named(section: str) -> dict[str, str]:
    """What a section says of each name; of names that stand together it says the same."""
    found: dict[str, str] = {}
    parts = _NAMED.split(section)
    for names, text in zip(parts[1::2], parts[2::2], strict=True):
        found |= dict.fromkeys((name.lstrip("*") for name in names.split(", ")), " ".join(text.split()))
    return found


def parameters(each: Public) -> dict[str, str]:
    """The parameters of a callable, each with its annotation; none of a class that nobody makes."""
    if is_typeddict(each.found):
        return {name: str(kind) for name, kind in each.found.__annotations__.items()}
    if each.is_class and not _own_inits(each.found) and "__new__" not in vars(each.found):
        return {}
    found = inspect.signature(each.found).parameters.values()
    return {one.name: str(one.annotation) for one in found if one.name not in ("self", "cls")}


def _own_inits(kind: type) -> list[Any]:
    """What runs when a class of this project is made; protocols have none."""
    if getattr(kind, "_is_protocol", False):
        return []
    homes = [each for each in kind.__mro__ if each.__module__.startswith(("spikesim", "ssdm_models", "test"))]
    return [vars(each)[name] for each in homes for name in ("__init__", "__post_init__") if name in vars(each)]


def bases(each: Public) -> list[Public]:
    """What a method overrides, with a docstring."""
    if each.owner is None:
        return []
    name = each.found.__name__
    found = [(base, vars(base)[name]) for base in each.owner.__mro__[1:] if name in vars(base)]
    return [Public(f"{base.__name__}.{name}", value, base) for base, value in found if value.__doc__]


def references(each: Public, text: str, known: Mapping[str, Public]) -> tuple[list[Public], list[str]]:
    """What a text refers to, `see ...` or `as for ...`: what was found, and what does not exist."""
    found, nowhere = [], []
    for name in _REFERENCE.findall(text):
        there = [other for full, other in known.items() if full == name or full.endswith(f".{name}")]
        there += [Public(name, value) for value in _called(each, name)]
        found += [other for other in there if other.found is not each.found]
        if not there:
            nowhere.append(name)
    return found, nowhere


def _called(each: Public, name: str) -> Iterator[Any]:
    """What has a name: in the class of a method, or in a module of this project, whose own name may stand before it."""
    first, _, rest = name.partition(".")
    modules = [module for place, module in [*sys.modules.items()] if place.startswith(("spikesim", "ssdm_models"))]
    places = [(home, name) for home in (each.found, each.owner, *modules) if home is not None]
    places += [(module, rest) for module in modules if rest and module.__name__.rpartition(".")[2] == first]
    for home, words in places:
        for word in words.split("."):
            home = getattr(home, word, None)
        if home is not None:
            yield home


def raised(function: Any) -> set[str]:
    """The errors of ours that a function raises itself, or by a check of an argument."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(function))))
    found: set[str] = set()
    _collect(tree, found)
    return found


def _collect(node: ast.AST, found: set[str]) -> None:
    if isinstance(node, ast.Try) and any(_catches(handler) for handler in node.handlers):
        others: list[ast.AST] = [*node.handlers, *node.orelse, *node.finalbody]
        for other in others:
            _collect(other, found)
        return
    called = node.exc if isinstance(node, ast.Raise) else node
    if isinstance(called, ast.Call):
        name = getattr(called.func, "id", getattr(called.func, "attr", ""))
        if isinstance(node, ast.Raise) and name in _ERRORS:
            found.add(name)
        if name.startswith("require_") and name not in ("require_file", "require_extra"):
            found.add("InvalidValueError")
    for child in ast.iter_child_nodes(node):
        _collect(child, found)


def _catches(handler: ast.ExceptHandler) -> bool:
    return handler.type is None or bool(_CATCHING & {getattr(n, "id", "") for n in ast.walk(handler.type)})


def problems(each: Public, known: Mapping[str, Public]) -> list[str]:
    """What is wrong with a docstring.

    Args:
        each: What it is of.
        known: All public names, which docstrings may refer to.
    """
    said = sections(each.docstring)
    others, nowhere = references(each, each.docstring, known)
    overridden = bases(each)
    if not each.docstring and not overridden:
        return ["there is no docstring"]
    found = [f"it refers to `{name}`, which is nothing public" for name in nowhere]
    named_by = [*overridden, *references(each, said[""], known)[0]]
    return [*found, *_of_parameters(each, said, named_by, others), *_of_results(each, said, named_by, known)]


def _of_parameters(
    each: Public, said: Mapping[str, str], named_by: list[Public], others: list[Public]
) -> Iterator[str]:
    wanted = parameters(each)
    own = named(said.get("Args", ""))
    attributes = named(said.get("Attributes", "")) if each.is_class else {}
    elsewhere = {} if own else {name: text for other in named_by for name, text in _arguments(other).items()}
    for name, annotation in wanted.items():
        text = (own | attributes | elsewhere).get(name)
        if text is None:
            yield f"the parameter {name} is not described"
        elif _ARRAY.search(annotation) and not any(
            map(has_shape, [text, *(_arguments(other).get(name, "") for other in others)])
        ):
            yield f"the shape of {name} is not said"
    yield from (f"{name} is described and no parameter" for name in own if name not in wanted)
    yield from (f"{name} is described and no attribute" for name in attributes if not _has(each.found, name))


def _arguments(each: Public) -> dict[str, str]:
    said = sections(each.docstring)
    return named(said.get("Args", "")) | (named(said.get("Attributes", "")) if each.is_class else {})


def _has(kind: type, name: str) -> bool:
    """Whether objects of a class have an attribute: declared, or set by its code."""
    if any(name in vars(base) or name in getattr(base, "__annotations__", {}) for base in kind.__mro__):
        return True
    return re.search(rf"\bself\.{name}\b", inspect.getsource(kind)) is not None


def listed_errors(each: Public, known: Mapping[str, Public]) -> set[str]:
    """The errors that a docstring lists, or that of what it refers to or overrides."""
    others = [each, *bases(each), *references(each, each.docstring, known)[0]]
    return {name for other in others for name in named(sections(other.docstring).get("Raises", ""))}


def all_public() -> dict[str, Public]:
    """All that the pages of the reference name, by its name there."""
    found = [entry for page in PAGES for entry in entries(page.read_text("utf-8"))]
    return {each.name: each for entry in found for each in public(*entry)}


@cache
def errors_of(function: Any) -> set[str] | None:
    """The errors that the docstring of a callable lists; None where no page of the reference names it."""
    known = all_public()
    found = [each for each in known.values() if inspect.unwrap(each.found) is inspect.unwrap(_plain(function))]
    return set().union(*(listed_errors(each, known) for each in found)) if found else None


def _plain(function: Any) -> Any:
    return getattr(function, "__func__", function)


def _of_results(
    each: Public, said: Mapping[str, str], named_by: list[Public], known: Mapping[str, Public]
) -> Iterator[str]:
    functions = _own_inits(each.found) if each.is_class else [each.found]
    listed = listed_errors(each, known)
    for function in functions:
        if inspect.isfunction(function) and function.__code__.co_filename != "<string>":
            yield from (f"the error {name} is not described" for name in sorted(raised(function) - listed))
    if each.is_class:
        return
    annotation = str(inspect.signature(each.found).return_annotation)
    texts = [said[""], *(said.get(title, "") for title in ("Returns", "Yields"))]
    texts += [text for other in named_by for text in (other.docstring,)]
    if _ARRAY.search(annotation) and "Callable" not in annotation and not any(map(has_shape, texts)):
        yield "the shape of what it gives is not said"
    gives = annotation not in ("None", "<class 'inspect._empty'>")
    if gives and said[""].split(" ")[0] in _VERBS and not {"Returns", "Yields"} & said.keys():
        yield "what it gives is not described"
