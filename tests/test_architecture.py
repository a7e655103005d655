"""The house rules: who may import whom, what an import costs, and what a wheel installs."""

import ast
import shutil
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

OURS = ("spikesim", "spikesim_datasets", "ssdm_models", "spikesim_report", "spikesim_cli")
HOMES = {
    "spikesim": ROOT / "spikesim",
    "spikesim_datasets": ROOT / "datasets" / "spikesim_datasets",
    "ssdm_models": ROOT / "ssdm_models",
    "spikesim_report": ROOT / "cli" / "spikesim_report",
    "spikesim_cli": ROOT / "cli" / "spikesim_cli",
}
# Imports at the head of a module, and imports inside functions, that each package may have beside the standard library.
AT_HEAD = {
    "spikesim": {"spikesim", "numpy", "numba", "llvmlite"},
    "spikesim_datasets": {
        "spikesim", "spikesim_datasets", "numpy", "numba", "cv2", "imageio", "h5py", "hdf5plugin",
    },
    "ssdm_models": {
        "spikesim", "spikesim_datasets", "ssdm_models", "numpy", "torch", "safetensors", "skimage",
        "lightning_fabric",
    },
    "spikesim_report": {"spikesim", "spikesim_datasets", "ssdm_models", "spikesim_report", "numpy", "cv2"},
    "spikesim_cli": {"spikesim_cli", "spikesim.errors", "spikesim_report.words", "click", "rich"},
}  # fmt: skip
INSIDE = {
    "spikesim": {"h5py", "tomli_w"},
    "spikesim_datasets": set(),
    "ssdm_models": {"lpips", "pyiqa", "torchvision"},
    "spikesim_report": {"matplotlib", "jinja2", "tensorboard"},
    "spikesim_cli": {
        "spikesim", "spikesim_datasets", "ssdm_models", "spikesim_report", "numpy", "cv2", "h5py", "hdf5plugin",
    },
}  # fmt: skip
TORCH_AT_HEAD = (
    "spikesim/gpu/",
    "spikesim_datasets/torch_tools/",
    "spikesim_datasets/interpolation/networks/",
    "spikesim_datasets/samples.py",
)


# What lies under imageio, each in the one place that says why imageio does not do; what fetches from elsewhere; what
# computes without torch.
DIRECTLY = {
    "spikesim/notebook.py": {"PIL"},
    "spikesim_datasets/image_files.py": {"PIL"},
    "spikesim_datasets/videos/": {"av"},
    "spikesim_datasets/remote/transport.py": {"fsspec", "aiohttp", "botocore"},
    "ssdm_models/without_torch/": {"cv2"},
    "spikesim_datasets/cluster.py": {"distributed"},
    "spikesim_datasets/rerun_file.py": {"rerun"},
}


def imports(source: str) -> Iterator[tuple[str, bool]]:
    """Every module a source imports, and whether at its head; imports for the type checker alone do not count."""

    def visit(node: ast.AST, head: bool) -> Iterator[tuple[str, bool]]:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            return
        if isinstance(node, ast.Import):
            yield from ((alias.name, head) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "", head
        for child in ast.iter_child_nodes(node):
            yield from visit(child, head and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))

    yield from visit(ast.parse(source), True)


def forbidden(package: str, name: str, source: str) -> list[str]:
    """What a module of a package imports against the rules."""
    found = []
    for module, head in imports(source):
        allowed = AT_HEAD[package] | (set() if head else INSIDE[package])
        if f"{package}/{name}".startswith(TORCH_AT_HEAD):
            allowed = allowed | {"torch"}
        for place, under in DIRECTLY.items():
            if f"{package}/{name}".startswith(place):
                allowed = allowed | under
        parts = module.split(".")
        prefixes = {".".join(parts[: i + 1]) for i in range(len(parts))}
        if parts[0] not in sys.stdlib_module_names and not prefixes & allowed:
            found.append(module)
    return found


def modules() -> dict[str, Path]:
    """Every module of ours by its dotted name."""
    found = {}
    for package, home in HOMES.items():
        for path in sorted(home.rglob("*.py")):
            parts = path.relative_to(home).with_suffix("").parts
            found[".".join((package, *(part for part in parts if part != "__init__")))] = path
    return found


def arrows(sources: Mapping[str, str]) -> dict[str, set[str]]:
    """Which module imports which: also inside functions, and for the type checker alone.

    A package whose `__init__` gives out names of its modules is not meant where one of its own modules is.
    """
    found: dict[str, set[str]] = {}
    for module, source in sources.items():
        found[module] = set()
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Import):
                wanted = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                wanted = [
                    name if (name := f"{node.module}.{alias.name}") in sources else node.module or ""
                    for alias in node.names
                ]
            else:
                continue
            found[module] |= {name for name in wanted if name in sources and name != module}
    return found


def circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Groups of modules that import one another: strongly connected parts of the graph, by Tarjan's algorithm."""
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        order[module] = low[module] = len(order)
        stack.append(module)
        for other in sorted(graph[module]):
            if other not in order:
                visit(other)
                low[module] = min(low[module], low[other])
            elif other in stack:
                low[module] = min(low[module], order[other])
        if low[module] == order[module]:
            group = [stack.pop()]
            while group[-1] != module:
                group.append(stack.pop())
            if len(group) > 1:
                found.append(sorted(group))

    for module in sorted(graph):
        if module not in order:
            visit(module)
    return found


def test_no_modules_import_one_another() -> None:
    graph = arrows({name: path.read_text("utf-8") for name, path in modules().items()})
    assert len(graph) > 150
    assert sum(map(len, graph.values())) > len(graph)  # the check sees imports
    assert circles(graph) == []


@pytest.mark.parametrize(
    "back",
    ["from ours import a", "def f():\n    from ours.a import x", "if TYPE_CHECKING:\n    import ours.a"],
)
def test_a_planted_circle_is_found(back: str) -> None:
    sources = {"ours": "", "ours.a": "from ours.b import y", "ours.b": "import ours.c", "ours.c": back}
    assert circles(arrows(sources)) == [["ours.a", "ours.b", "ours.c"]]
    assert circles(arrows({**sources, "ours.c": ""})) == []


HEAVY = {"torch", "numba", "scipy", "cv2", "matplotlib", "av", "imageio", "skimage", "lightning_fabric", "PIL"}
"""Packages that take long to load, and that neither help nor a look at data needs."""

MOST_PARAMETERS = 8


def long_signatures(source: str) -> list[str]:
    """Functions of a source with more parameters than anybody can keep in mind; `self` and `cls` are none."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names = [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
            others = [a for a in (node.args.vararg, node.args.kwarg) if a is not None]
            if len(others) + sum(name not in ("self", "cls") for name in names) > MOST_PARAMETERS:
                found.append(node.name)
    return found


def test_no_function_but_a_kernel_has_many_parameters() -> None:
    places = [*modules().values(), *(ROOT / "benchmarks").glob("*.py")]
    found = {
        str(path.relative_to(ROOT)): names
        for path in places
        if "kernels" not in path.parts and (names := long_signatures(path.read_text("utf-8")))
    }
    assert not found


def test_a_planted_long_signature_is_found() -> None:
    assert long_signatures("def f(self, a, b, c, d, e, f, g, h): ...") == []
    assert long_signatures("def f(a, b, c, d, *, e, f, g, h, **i): ...") == ["f"]


# A kernel and its public function, a sensor on a processor and on a GPU, a command and what it calls: one operation in
# several homes, under one name.
TWIN_HOMES = ("kernels", "reference", "gpu", "commands")


def shared_names(places: Iterable[Path]) -> list[str]:
    """Names that modules in several folders have, where the folder does not say which is meant."""
    names = Counter(path.stem for path in places if not {path.stem, *path.parts} & {"__init__", *TWIN_HOMES})
    return sorted(name for name, times in names.items() if times > 1)


def shared_classes(sources: Mapping[str, str]) -> list[str]:
    """Names that classes of several packages have, but for the twins of the sensor in torch."""
    homes: dict[str, set[str]] = {}
    for module, source in sources.items():
        if not set(module.split(".")) & set(TWIN_HOMES):
            for node in ast.parse(source).body:
                if isinstance(node, ast.ClassDef):
                    homes.setdefault(node.name, set()).add(module.split(".")[0])
    return sorted(name for name, packages in homes.items() if len(packages) > 1)


def test_no_two_packages_have_a_class_of_one_name() -> None:
    assert shared_classes({name: path.read_text("utf-8") for name, path in modules().items()}) == []


def test_a_planted_second_class_is_found() -> None:
    sources = {"a.b": "class Scene: ...", "c.d": "class Scene: ...", "a.gpu.e": "class F: ...", "c.f": "class F: ..."}
    assert shared_classes(sources) == ["Scene"]


def test_no_two_modules_have_one_name() -> None:
    assert shared_names(path.relative_to(ROOT) for path in modules().values()) == []


def test_a_planted_second_name_is_found() -> None:
    places = [Path("a/light.py"), Path("b/c/light.py"), Path("b/kernels/dark.py"), Path("b/dark.py")]
    assert shared_names(places) == ["light"]


@pytest.mark.parametrize("package", OURS)
def test_packages_import_only_what_lies_above_them(package: str) -> None:
    home = HOMES[package]
    modules = sorted(home.rglob("*.py"))
    assert modules
    broken = {
        str(path.relative_to(ROOT)): bad
        for path in modules
        if (bad := forbidden(package, path.relative_to(home).as_posix(), path.read_text("utf-8")))
    }
    assert not broken


@pytest.mark.parametrize(
    ("package", "source"),
    [
        ("spikesim", "import cv2"),
        ("spikesim", "import h5py"),
        ("spikesim", "def f():\n    import torch"),
        ("spikesim", "from spikesim_datasets import shards"),
        ("spikesim_datasets", "import torch"),
        ("spikesim_datasets", "def f():\n    from ssdm_models import sdm"),
        ("spikesim_datasets", "from PIL import Image"),
        ("spikesim_datasets", "import av"),
        ("spikesim_datasets", "def f():\n    import fsspec"),
        ("ssdm_models", "import spikesim_cli"),
        ("ssdm_models", "import cv2"),
        ("spikesim_cli", "import numpy"),
        ("spikesim_cli", "from spikesim_datasets.build import build_clips"),
    ],
)
def test_a_planted_import_is_found(package: str, source: str) -> None:
    assert forbidden(package, "planted.py", source)


def test_the_reference_imports_no_kernel() -> None:
    sources = list((ROOT / "spikesim" / "reference").glob("*.py"))
    names = {module for path in sources for module, _ in imports(path.read_text("utf-8"))}
    assert "spikesim.noise.term" in names  # the check sees what is imported
    assert "numba" not in names
    assert not any("kernels" in name or "simulator" in name for name in names)


def loaded_after(code: str) -> set[str]:
    """Top-level modules that are loaded once a fresh interpreter has run some code."""
    listing = f"{code}\nimport sys; print(' '.join({{name.split('.')[0] for name in sys.modules}}))"
    result = subprocess.run([sys.executable, "-c", listing], capture_output=True, text=True, check=True)
    return set(result.stdout.splitlines()[-1].split())


def test_importing_the_sensor_is_light() -> None:
    assert not {"torch", "h5py", "cv2", "numba"} & loaded_after("import spikesim; spikesim.SpikeCamera()")
    assert "numba" in loaded_after("import spikesim; spikesim.simulate")  # the check sees what is loaded


def test_interpolators_load_torch_only_for_networks() -> None:
    code = "from spikesim_datasets.interpolation import make_interpolator; make_interpolator('flow')"
    assert "torch" not in loaded_after(code)


def test_local_datasets_load_nothing_that_fetches() -> None:
    code = "from spikesim_datasets.shards import open_dataset\n"
    code += "try:\n    open_dataset('/nowhere', 'train')\nexcept OSError:\n    pass"
    assert not {"fsspec", "s3fs", "aiohttp", "botocore", "asyncio"} & loaded_after(code)
    code += "\ntry:\n    open_dataset('http://127.0.0.1:1/a', 'train')\nexcept OSError:\n    pass"
    assert {"fsspec", "aiohttp"} <= loaded_after(code)  # the check sees what is loaded


def test_deblurring_can_do_without_torch() -> None:
    code = "import ssdm_models.recordings, ssdm_models.without_torch.opencv_deblurrer"
    assert not {"torch", "skimage"} & loaded_after(code)
    assert "torch" in loaded_after("import ssdm_models; ssdm_models.pretrained()")  # the check sees what is loaded


def test_help_loads_nothing_that_computes() -> None:
    code = "from spikesim_cli.main import cli\ntry:\n    cli(['--help'])\nexcept SystemExit:\n    pass"
    assert not {*HEAVY, "h5py", "numpy", "rich"} & loaded_after(code)


@pytest.mark.parametrize("kind", ["shard", "dataset"])
def test_looking_at_data_loads_nothing_that_computes(tmp_path: Path, kind: str) -> None:
    from shard_data import make_sample, write_shard

    write_shard(tmp_path / "train" / "a.000.h5", make_sample(key="train/a"))
    command = "from spikesim_cli.main import cli\ntry:\n    cli({})\nexcept SystemExit:\n    pass"
    place = tmp_path / "train" / "a.000.h5" if kind == "shard" else tmp_path
    loaded = loaded_after(command.format(["info", str(place), "--json"]))
    assert not HEAVY & loaded
    assert "h5py" in loaded  # it has been read
    viewed = loaded_after(command.format(["view", str(place), str(tmp_path / "a.png")]))
    assert {"numba", "cv2"} <= viewed  # the check sees what is loaded


def test_source_roots_are_no_packages() -> None:
    for name in ("datasets", "cli"):
        assert not (ROOT / name / "__init__.py").exists(), f"a wheel would install a top-level package {name}"


def test_a_wheel_installs_only_our_packages(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    # Built from a copy of what is there now: setuptools leaves build folders behind.
    copy = tmp_path / "source"
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listing.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, copy / name)
    subprocess.run([*command, "--wheel-dir", str(tmp_path), str(copy)], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == set(OURS)
    installed = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(installed)
    empty = tmp_path / "empty"
    empty.mkdir()
    code = f"import sys; sys.path.insert(0, {str(installed)!r}); from spikesim_cli.main import cli; cli(['--version'])"
    result = subprocess.run([sys.executable, "-I", "-c", code], cwd=empty, capture_output=True, text=True, check=True)
    assert "spikesim" in result.stdout
