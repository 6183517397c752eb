"""The table of systems: what is compared is what it says, before hours are spent on it."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "flickr8k_systems.py"
spec = spec_from_file_location("flickr8k_systems", SCRIPT)
systems = module_from_spec(spec)
spec.loader.exec_module(systems)
TRANSFORMER = systems.on_flickr8k(systems.SYSTEMS["Transformer"], "DIR")


@pytest.mark.parametrize("name", systems.SYSTEMS)
def test_systems_differ_behind_the_encoder_alone(name):
    system = systems.SYSTEMS[name]
    config = systems.on_flickr8k(system, "DIR")
    for part in ("data", "tokenizer", "optim", "search", "eval", "steps", "batch_size", "seed"):
        assert config[part] == TRANSFORMER[part]
    assert config.model.encoder == TRANSFORMER.model.encoder
    file, _, arg = system.config.partition(":")
    theirs = systems.config_of(file, "DIR" if file == "flickr8k" else arg).model
    for setting in ("name", "fusion", "cell", "depth", "looks", "hard", "starts", "gated"):
        said = system.model.get("decoder", {}).get(setting, theirs.decoder.get(setting))
        assert config.model.decoder.get(setting) == said
    assert 2e6 < systems.trained(config, 2543) < 1e7
