"""The curves: a point is the program of that point, and what is drawn is what was measured."""

import json
import sys

import jax
import pytest
from tiny_run import get_config

from jaxcap.partition import make_mesh

TINY = {"images": 2, "beams": 2, "tokens": 4, "layers": 1, "pixels": 32}


@pytest.fixture
def scaling(script):
    return script("scaling")


def test_each_point_is_measured_and_drawn(scaling, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(scaling, "MIDDLE", TINY)
    monkeypatch.setattr(scaling, "CURVES", {"beams": (1, 3), "layers": (1, 2)})
    monkeypatch.setattr(scaling, "run_path", lambda file: {"get_config": get_config})
    monkeypatch.setattr(sys, "argv", ["scaling", "--rounds", "1", "--out", str(tmp_path)])
    scaling.main()
    curves = json.loads((tmp_path / "scaling.json").read_text())["curves"]
    assert {what: list(of) for what, of in curves.items()} == {
        "train": ["layers"],
        "caption": ["beams", "layers"],
    }
    few, many = curves["caption"]["beams"].values()
    assert few["memory"] < many["memory"]
    assert len(capsys.readouterr().out.splitlines()) == 6
    assert (tmp_path / "scaling.svg").read_text().count("<path") > 20


def test_a_point_changes_what_it_says(scaling):
    point = {"images": 3, "beams": 2, "tokens": 5, "layers": 2, "pixels": 48}
    config = scaling.at(get_config(), point)
    mesh = make_mesh({}, jax.devices()[:1])
    step, search = (scaling.PROGRAMS[what][0](config, mesh) for what in ("train", "caption"))
    assert (3, 2, 5) in [leaf.shape for leaf in search.jaxpr.out_avals]
    state, batch = step.args_info[0]
    assert batch["image"].shape == (3, 1, 48, 48, 3)
    assert batch["tokens"].shape == (3, config.data.captions, 5)
    assert any("layers_1/" in name for name in state.trained)
