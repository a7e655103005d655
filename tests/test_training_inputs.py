"""What training begins from, takes and refuses."""

import shutil
import sys

import pytest
import torch
import training_data
from training_data import SHORT, STEPS, assert_same, losses, weights, write_moving

from spikesim.errors import InputFileError, InvalidValueError, OutputError
from spikesim_datasets.layouts import shards_to_layout
from ssdm_models import checkpoints
from ssdm_models.bsn import BSN
from ssdm_models.ldn import LDN
from ssdm_models.training import TrainingError, train, train_stage
from ssdm_models.training.state import load_state

data, taught, run = training_data.data, training_data.taught, training_data.run


# Beginning from a checkpoint


def test_a_stage_begins_from_a_checkpoint(data, run, tmp_path):
    torch.manual_seed(3)
    checkpoints.save(tmp_path / "begun.safetensors", LDN())
    rate = {"learning_rate": 1e-12, "epochs": 1}
    train_stage("ldn", data, run, init={"ldn": tmp_path / "begun.safetensors"}, **rate, **SHORT)
    assert_same(run / "ldn.safetensors", tmp_path / "begun.safetensors", 1e-9)


def test_a_stage_begins_from_what_the_authors_released(data, run, shared):
    path = shared / "weights" / "DeblurNet_100.pth"
    train_stage("ldn", data, run, init={"ldn": path}, learning_rate=1e-12, epochs=1, **SHORT)
    released = dict(checkpoints.load_released(path, "ldn").named_parameters())
    for name, value in weights(run / "ldn.safetensors").items():
        torch.testing.assert_close(value, released[name], rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("network", "message"),
    [(BSN(), "holds the BSN of the stage 'bsn', not the LDN of 'ldn'"), (LDN(7), "with length=7, not 21")],
)
def test_a_checkpoint_of_another_network(data, run, tmp_path, network, message):
    checkpoints.save(tmp_path / "other.safetensors", network)
    with pytest.raises(InputFileError, match=message):
        train_stage("ldn", data, run, init={"ldn": tmp_path / "other.safetensors"}, epochs=1, **SHORT)


# Folders in the released layout


def test_a_released_layout_trains_as_the_shards_it_was_made_of(data, taught, tmp_path):
    shards_to_layout(data, tmp_path / "layout")
    for ground_truth in (tmp_path / "layout").glob("*/sharp_data"):
        shutil.rmtree(ground_truth)
    train_stage("sr", tmp_path / "layout", tmp_path / "run", epochs=1, **SHORT)
    assert_same(tmp_path / "run" / "sr.safetensors", taught / "sr.safetensors")


def test_a_layout_without_a_description_trains(data, tmp_path):
    """As the authors' own data, or a recording."""
    shards_to_layout(data, tmp_path / "layout")
    (tmp_path / "layout" / "spikesim.json").unlink()
    for ground_truth in (tmp_path / "layout").glob("*/sharp_data"):
        shutil.rmtree(ground_truth)
    assert train_stage("sr", tmp_path / "layout", tmp_path / "run", epochs=1, **SHORT).checkpoint is not None


def test_spikes_that_are_not_a_quarter_of_their_image(data, tmp_path):
    shards_to_layout(data, tmp_path / "layout")
    for stream in (tmp_path / "layout").rglob("*.dat"):
        stream.write_bytes(stream.read_bytes()[:-7])
    with pytest.raises(InputFileError, match=r"\.dat"):
        train_stage("sr", tmp_path / "layout", tmp_path / "run", epochs=1, **SHORT)


# What is refused


def test_another_configuration_is_refused_until_it_may_replace(data, taught, tmp_path):
    run = tmp_path / "run"
    train_stage("bsn", data, run, epochs=1, **SHORT)
    with pytest.raises(OutputError, match=r"another training of the stage bsn \(epochs 1, not 2\).*--overwrite"):
        train_stage("bsn", data, run, epochs=2, **SHORT)
    assert_same(run / "bsn.safetensors", taught / "bsn.safetensors")
    train_stage("bsn", data, run, epochs=2, overwrite=True, **SHORT)
    assert len(losses(run, "bsn")) == 2


def test_two_trainings_in_one_folder(data, tmp_path):
    def again(progress):
        with pytest.raises(OutputError, match=r"is being written by `.*wait for it, or choose another folder"):
            train_stage("sr", data, tmp_path, epochs=1, **SHORT)

    assert train_stage("bsn", data, tmp_path, epochs=1, on_step=again, **SHORT).checkpoint is not None
    assert train_stage("sr", data, tmp_path, epochs=1, **SHORT).checkpoint is not None


def test_a_folder_that_cannot_be_written(data, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"cannot write to .*file"):
        train_stage("sr", data, tmp_path / "file" / "run", epochs=1, **SHORT)


def test_what_a_stage_does_not_use_is_not_its_configuration(data, taught):
    (result,) = train(data, taught, ["bsn"], epochs=1, **{**SHORT, "perceptual": "ms-ssim"})
    assert result.kept


def test_another_teacher_and_other_samples_are_another_training(data, run, tmp_path):
    train_stage("ldn", data, run, epochs=1, **SHORT)
    torch.manual_seed(9)
    checkpoints.save(run / "bsn.safetensors", BSN())
    with pytest.raises(OutputError, match="other networks: bsn"):
        train_stage("ldn", data, run, epochs=1, **SHORT)
    write_moving(tmp_path / "other", {"train/c": 2})
    train_stage("sr", data, tmp_path / "run2", epochs=1, **SHORT)
    with pytest.raises(OutputError, match="other data: samples"):
        train_stage("sr", tmp_path / "other", tmp_path / "run2", epochs=1, **SHORT)


def test_networks_that_nothing_is_known_of_are_not_replaced(data, run):
    with pytest.raises(OutputError, match="nothing says how it was trained"):
        train(data, run, epochs=1, **SHORT)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"v_th": (1, 3)}, InvalidValueError, "no spikes of threshold 3 in the split 'train'; it has 1, 2"),
        ({"split": "test"}, InvalidValueError, "no samples of the split 'test'; it has train"),
        ({"crop": 128}, InvalidValueError, "crop 128 is larger than the images"),
        ({"crop": 40}, InvalidValueError, "crop must be a positive multiple of 32"),
    ],
)
def test_datasets_that_do_not_have_what_is_wanted(data, tmp_path, options, error, message):
    with pytest.raises(error, match=message):
        train(data, tmp_path / "run", epochs=1, **{**SHORT, **options})
    assert not (tmp_path / "run").exists()


def test_no_dataset(tmp_path):
    with pytest.raises(InputFileError, match="there is no dataset"):
        train(tmp_path / "nowhere", tmp_path / "run", **SHORT)


def test_a_student_without_a_teacher(data, tmp_path):
    with pytest.raises(InputFileError, match=r"bsn.safetensors, which is missing; train the stage bsn first"):
        train_stage("ldn", data, tmp_path, **SHORT)


def test_a_perceptual_loss_that_cannot_be_had_is_missed_before_the_first_step(data, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "lpips", None)
    with pytest.raises(ImportError, match="choose a loss without weights, such as ms-ssim"):
        train(data, tmp_path / "run", epochs=1, **{**SHORT, "perceptual": "lpips"})
    assert not (tmp_path / "run").exists()


def test_losses_that_are_no_numbers_stop_the_training(data, tmp_path):
    with pytest.raises(
        TrainingError, match=r"loss of stage sr is (nan|inf) at step (\d+).*train/[ab] window"
    ) as caught:
        train_stage("sr", data, tmp_path, epochs=3, learning_rate=1e30, schedule="constant", **SHORT)
    failed = load_state(tmp_path / "sr" / "failed.pt")
    assert f"at step {failed.steps} " in str(caught.value)
    assert not (tmp_path / "sr.safetensors").exists()


def test_a_full_disk_leaves_the_last_state(data, taught, tmp_path, monkeypatch):
    import errno

    from ssdm_models.training import state

    whole, calls = state.atomic_path, []

    def full(path):
        calls.append(path)
        if len(calls) > 1:
            raise OutputError(f"cannot write {path}: [Errno {errno.ENOSPC}] no space")
        return whole(path)

    monkeypatch.setattr(state, "atomic_path", full)
    options = {**SHORT, "batch": 5}
    with pytest.raises(OutputError, match="no space"):
        train_stage("bsn", data, tmp_path, epochs=3, **options)
    assert load_state(tmp_path / "bsn" / "state.pt").steps == 1
    monkeypatch.undo()
    train_stage("bsn", data, tmp_path, epochs=3, **options)
    train_stage("bsn", data, tmp_path / "whole", epochs=3, **options)
    assert_same(tmp_path / "bsn.safetensors", tmp_path / "whole" / "bsn.safetensors")


@pytest.mark.parametrize(("file", "message"), [("state.pt", "is damaged .* remove it"), ("config.json", "is damaged")])
def test_damaged_records(data, tmp_path, file, message):
    def stop(progress):
        if progress.steps == STEPS + 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_stage("bsn", data, tmp_path, epochs=2, on_step=stop, **SHORT)
    path = tmp_path / "bsn" / file
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputFileError, match=message):
        train_stage("bsn", data, tmp_path, epochs=2, **SHORT)


def test_a_damaged_sample_is_named_without_a_trace_of_the_process_that_read_it(data, tmp_path):
    root = tmp_path / "data"
    write_moving(root, {f"train/{letter}": 1 for letter in "abcdefgh"})  # more than are read ahead

    def damage(progress):
        for path in (root / "train").iterdir():
            path.unlink()

    with pytest.raises(InputFileError, match=r"^cannot read [^\n]*[a-h]\.000\.h5: No such file or directory$"):
        train_stage("bsn", root, tmp_path / "run", epochs=1, on_step=damage, **{**SHORT, "batch": 1, "workers": 1})
