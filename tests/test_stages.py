"""Declarations of stages: what is refused of them, and that their names cost nothing."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import toy_stage
from golden_weights import rebuilt

from spikesim.errors import InputFileError, InvalidValueError
from ssdm_models import checkpoints
from ssdm_models.ldn import LDN
from ssdm_models.released import load_released, slots
from ssdm_models.stages import STAGES
from ssdm_models.stages.stage_spec import ReleasedFile, StageSpec
from ssdm_models.teacher import Teacher
from ssdm_models.trained_networks import load_deblurring

toy = toy_stage.toy


PUBLISHED = ("spkdeblurnet", "red", "trmd", "refid", "levs", "motion_etr", "bit", "bitpp", "dasr", "san")
OURS = ("bsn", "sr", "ldn", "multi_exposure", "adaptation")


def test_the_stages_of_the_paper_are_declared_in_order() -> None:
    assert STAGES.default == ("bsn", "sr", "ldn")
    assert tuple(STAGES) == (*OURS, *PUBLISHED)
    assert [(spec.name, spec.network.__name__, spec.teachers) for spec in map(STAGES.find, OURS)] == [
        ("bsn", "BSN", ()), ("sr", "EDSR", ()), ("ldn", "LDN", ("bsn", "sr")), ("multi_exposure", "MultiExposure", ()),
        ("adaptation", "MultiExposure", ()),
    ]  # fmt: skip
    for name, spec in STAGES.items():
        assert (spec.name, spec.file) == (name, f"{name}.safetensors")
        assert spec.arguments_of(spec.network()).keys() == set(spec.arguments)
    assert [STAGES.of_task(task) for task in ("denoising", "super-resolution", "deblurring")] == [
        ("bsn",), ("sr",), ("ldn", "multi_exposure", "adaptation", *(name for name in PUBLISHED if name != "dasr")),
    ]  # fmt: skip
    assert STAGES.of_task("upsampling") == ("dasr",)


def test_a_stage_is_registered_once_and_taken_out(toy: StageSpec) -> None:
    assert tuple(STAGES) == (*OURS, *PUBLISHED, "toy")
    assert STAGES.default == ("bsn", "sr", "ldn")
    assert STAGES.of_task("deblurring")[-1] == "toy"
    for again in (toy, replace(toy, name="ldn"), replace(toy, name="all")):
        with pytest.raises(InvalidValueError, match=f"there is a stage '{again.name}' already; give this one another"):
            STAGES.register(again)
    with pytest.raises(InvalidValueError, match="files of the kind 'edsr' are those of the stage 'sr'; give this one"):
        STAGES.register(replace(toy, name="other", released=ReleasedFile("edsr", {})))
    assert tuple(STAGES) == (*OURS, *PUBLISHED, "toy")
    with pytest.raises(
        InvalidValueError, match=r"stage must be one of bsn, sr, ldn, multi_exposure, adaptation, .*, toy, got 'gan'"
    ):
        STAGES.unregister("gan")


def doubled(network: toy_stage.Toy) -> None:
    network.layer.bias.data.mul_(2)


def no_teacher() -> Teacher:
    raise AssertionError


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "two words"}, "name must be a word"),
        ({"task": "seeing"}, "task must be one of 'denoising'"),
        ({"task": "denoising"}, "deblurs if and only if it is a DeblurringNetwork"),
        ({"network": torch.nn.Identity}, "deblurs if and only if it is a DeblurringNetwork"),
        ({"paper": {"epochs": 1}}, "paper must have epochs and learning_rate"),
        ({"release": {"epoch": 1}}, "paper, release and small must hold settings of StageConfig"),
        ({"fixed_arguments": ("depth",)}, "fixed_arguments must be arguments"),
        ({"old_arguments": {"depth": "length"}}, "old_arguments must be old names of arguments"),
        ({"teachers": ("bsn",)}, "teachers and make_teacher go together"),
        ({"make_teacher": no_teacher}, "teachers and make_teacher go together"),
        ({"grows_from": "bsn"}, "grows_from and grow go together"),
        ({"grow": doubled}, "grows_from and grow go together"),
        ({"own_settings": ("seed",)}, "own_settings must be of perceptual, reblur, precompute_teacher"),
        ({"own_settings": ("precompute_teacher",)}, "precompute_teacher needs teachers"),
        ({"own_settings": ("precompute_teacher",), "teachers": ("sr",), "make_teacher": no_teacher}, "exclude each"),
    ],
)
def test_declarations_that_contradict_themselves(changes: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidValueError, match=message):
        replace(toy_stage.SPEC, **changes)  # type: ignore[arg-type]


def released(path: Path, network: torch.nn.Module, kind: str) -> Path:
    torch.save(rebuilt({slot.released[0]: slot.shape for slot in slots(network, kind)}, "ldn", {}), path)
    return path


def test_released_files_are_told_apart_by_the_names_in_them(tmp_path: Path) -> None:
    spec = replace(toy_stage.SPEC, released=ReleasedFile("theirs", {"layer": "conv.0"}, (4.0,), doubled))
    STAGES.register(spec)
    try:
        path = released(tmp_path / "toy.pth", toy_stage.Toy(), "theirs")
        held = torch.load(path, weights_only=True)
        assert held.keys() == {"conv.0.weight", "conv.0.bias"}
        trained = load_deblurring(path)
        assert (trained.spec, trained.v_th, trained.loss) == (spec, (4.0,), "")
        assert torch.equal(trained.network.get_parameter("layer.bias"), 2 * held["conv.0.bias"])
        assert isinstance(load_deblurring(released(tmp_path / "ldn.pth", LDN(), "ldn")).network, LDN)
        assert load_deblurring(tmp_path / "ldn.pth").v_th == (1.0,)
        with pytest.raises(InvalidValueError, match="kind must be one of 'bsn', 'edsr', 'ldn', 'theirs', got 'toy'"):
            load_released({}, "toy")
    finally:
        STAGES.unregister("toy")


def test_a_stage_whose_authors_released_nothing(toy: StageSpec, tmp_path: Path) -> None:
    path = released(tmp_path / "ldn.pth", LDN(), "ldn")
    with pytest.raises(
        InputFileError, match="no checkpoint of spikesim, and files that others released of the stage toy"
    ):
        checkpoints.load_any(path, ["toy"])


def test_one_class_of_two_stages_is_kept_as_it_is_said(toy: StageSpec, tmp_path: Path) -> None:
    twin = replace(toy, name="twin", label="Twin")
    STAGES.register(twin)
    try:
        path = tmp_path / "a.safetensors"
        with pytest.raises(InvalidValueError, match="the stages toy, twin all train a Toy; say which it is"):
            checkpoints.save(path, toy_stage.Toy())
        for name in ("toy", "twin"):
            assert checkpoints.save(path, toy_stage.Toy(), stage=name).stage == name
            assert checkpoints.load_any(path, STAGES.of_task("deblurring")).spec.name == name
        with pytest.raises(InvalidValueError, match="a checkpoint holds one of LDN of 'ldn', got Toy; unwrap"):
            checkpoints.save(path, toy_stage.Toy(), stage="ldn")
    finally:
        STAGES.unregister("twin")


@pytest.mark.parametrize(
    "code",
    [
        "from ssdm_models.stages import STAGES\n"
        "assert list(STAGES)[:5] == ['bsn', 'sr', 'ldn', 'multi_exposure', 'adaptation']",
        "from spikesim_cli.main import cli\ntry:\n    cli(['train-ssdm', '--help'])\nexcept SystemExit:\n    pass",
    ],
    ids=["names", "help"],
)
def test_names_of_stages_are_known_without_torch(code: str) -> None:
    listing = f"{code}\nimport sys; print('loaded', 'torch' in sys.modules, 'numpy' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", listing], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "loaded False False"
    seen = listing.replace("import sys;", "from ssdm_models.stages import STAGES; STAGES['sr']; import sys;")
    result = subprocess.run([sys.executable, "-c", seen], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "loaded True True"  # the check sees what is loaded
