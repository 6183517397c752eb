"""What Transformers has no class for is refused in a sentence, and a failure leaves nothing."""

import json
import shutil

import pytest
from published import BERT, GPT2, SEES, SPEAKS, SWIN, UNEQUAL, made, publish

from jaxcap.errors import UserError
from jaxcap.interop import export as exporting
from jaxcap.interop import weight_files
from jaxcap.interop.convert import convert
from jaxcap.interop.export import export


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run that can be exported; not to be written to."""
    return made("siglip+gpt2", tmp_path_factory.mktemp("made") / "run").path


@pytest.fixture
def changed(run, tmp_path):
    """A copy of the run whose config has other settings."""

    def change(part, settings):
        config = json.loads((run / "config.json").read_text())
        config[part] |= settings
        shutil.copytree(run, tmp_path / "run")
        (tmp_path / "run" / "config.json").write_text(json.dumps(config))
        return tmp_path / "run"

    return change


ROBERTA = {**BERT, "first_position": 2}
LAYER = {"project": False, "depth": 1, "heads": 2, "mlp_width": 8, "norm": True}
REASONS = [
    ({"encoder": {"name": "efficientnet_lite"}}, "no class .* 'efficientnet_lite'; .* vit, deit"),
    (
        {"encoder": {"name": "resnet", "size": "18"}},
        "A resnet cannot be the encoder of .* gives a map",
    ),
    (
        {"encoder": {**SEES, "stem": "convs"}},
        "nearest is its siglip_vision_model: stem is 'convs', and there 'patches'",
    ),
    ({"encoder": {**SEES, "positions": []}}, r"positions is \(\), and there \('absolute',\)"),
    ({"encoder": {**SEES, "tokens": ["class"], "biases": "kv"}}, "its vit: biases is 'kv', .* ''"),
    ({"decoder": {**GPT2, "canon": 2}}, "its gpt2: canon is 2, and there 0"),
    ({"decoder": SPEAKS}, "scaled_words is True, and there False; vocab_bias is True, and there F"),
    ({"decoder": {**GPT2, "fusion": "prefix"}}, "fusion is 'prefix', and there 'cross'"),
    ({"decoder": {**BERT, "segments": 0}}, "its bert: segments is 0, and there 1"),
    ({"decoder": ROBERTA, "bridge": UNEQUAL}, r"first_position - 1 = 1; .* pads with 0"),
    ({"decoder": BERT}, "nothing else: bridge.project is False, and there True.$"),
    ({"bridge": {}}, "project is True, and there False; bridge.norm is True, and there False"),
    (
        {"stage": {"name": "bidirectional", "width": 8}},
        "stage.name is 'bidirectional', and there ''",
    ),
    (
        {"decoder": {"name": "recurrent", "width": 16}},
        "no class .* decoder 'recurrent'; it has one for gpt2",
    ),
    ({"encoder": {**SWIN, "window": 5}}, "last map has 4 x 4 cells, fewer than a window of 5"),
    ({"encoder": {"name": "discrete_vae", "width": 16}}, "no class .* encoder 'discrete_vae'"),
    ({"bridge": {**UNEQUAL, "geometry": True}}, "bridge.geometry is True, and there False"),
    ({"bridge": {**UNEQUAL, "pool": True}}, "bridge.pool is True, and there False"),
    ({"bridge": LAYER}, "bridge.norm is True, and there False; bridge.depth is 1, and there 0"),
]


@pytest.mark.parametrize(("model", "reason"), REASONS)
def test_what_transformers_has_no_class_for(model, reason, changed, tmp_path):
    run = changed("model", model)
    with pytest.raises(UserError, match=reason):
        export(run, tmp_path / "out")
    assert [file.name for file in tmp_path.iterdir()] == ["run"]


def test_the_best_of_several_samples(changed, tmp_path):
    run = changed("search", {"sample": True})
    with pytest.raises(UserError, match=r"draws 3 captions .* Set search.beams to 1"):
        export(run, tmp_path / "out")
    assert [file.name for file in tmp_path.iterdir()] == ["run"]


def test_what_is_no_run_or_has_no_such_checkpoint(run, tmp_path):
    with pytest.raises(UserError, match="is not a run directory"):
        export(tmp_path, tmp_path / "out")
    with pytest.raises(UserError, match=r"no checkpoint of step 7. It has those of 1"):
        export(run, tmp_path / "out", step=7)
    shutil.copytree(run, tmp_path / "run", ignore=shutil.ignore_patterns("checkpoints"))
    with pytest.raises(UserError, match="no finished checkpoint"):
        export(tmp_path / "run", tmp_path / "out")
    assert [file.name for file in tmp_path.iterdir()] == ["run"]


def test_a_place_where_something_is(run, tmp_path):
    file = tmp_path / "out" / "file"
    file.parent.mkdir()
    file.write_text("mine")
    for place, what in ((file.parent, "is not empty"), (file, "is a file")):
        with pytest.raises(UserError, match=f"{place} exists and {what}; name a new directory"):
            export(run, place)
    assert file.read_text() == "mine"


@pytest.mark.parametrize("there", [True, False], ids=["into an empty folder", "into a new one"])
def test_a_failure_in_mid_write_leaves_nothing(there, run, tmp_path, monkeypatch):
    out = tmp_path / "folder" / "out"
    out.parent.mkdir()
    if there:
        out.mkdir()

    def full(*_, **__):
        raise OSError("No space left on device")

    with monkeypatch.context() as failing:
        failing.setattr(weight_files, "save_file", full)
        with pytest.raises(UserError, match=r"weights cannot be written .* No space left"):
            export(run, out)
    with monkeypatch.context() as failing:
        failing.setattr(exporting, "model_card", full)
        with pytest.raises(OSError, match="No space left"):
            export(run, out)
    assert list(out.parent.iterdir()) == [out] * there
    export(run, out)
    assert {"config.json", "model.safetensors", "README.md"} < {file.name for file in out.iterdir()}
    assert list(out.parent.iterdir()) == [out]


@pytest.mark.parametrize(
    ("part", "settings", "reason"),
    [
        ("decoder", {"activation": "relu"}, r"activation is 'relu', and there 'gelu_tanh'\.$"),
        ("bridge", {"pool": True}, r"nothing else: bridge.pool is True, and there False\.$"),
        (
            "stage",
            {"name": "bidirectional", "width": 4},
            "stage.name is 'bidirectional', and there",
        ),
    ],
)
def test_an_import_that_became_another_network(part, settings, reason, tmp_path):
    publish("vit+gpt2", tmp_path / "source")
    convert(tmp_path / "source", tmp_path / "run")
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    config["model"][part] |= settings
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match=reason):
        export(tmp_path / "run", tmp_path / "out")


def test_groups_that_generate_has_no_longer(changed, tmp_path):
    run = changed("search", {"beams": 4, "groups": 2, "diversity": 0.5})
    with pytest.raises(UserError, match=r"has 2 diverse groups .* Set search.groups to 1"):
        export(run, tmp_path / "out")
