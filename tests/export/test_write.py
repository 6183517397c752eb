"""What is written of a run, what is refused, and what a damaged file says of itself."""

import json
import shutil
import zipfile

import jax
import PIL
import pytest
from typer.testing import CliRunner

import jaxcap
from jaxcap import Captioner
from jaxcap.cli import app
from jaxcap.errors import UserError
from jaxcap.export import load
from jaxcap.export.loaded import CARD, FORMAT, FRAME
from jaxcap.export.write import export
from jaxcap.interop.slim import slim


def command(*words):
    return CliRunner().invoke(app, ["export", *map(str, words)])


def with_part(file, out, name, content):
    """A copy of an exported file with other content in one of its parts."""
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(out, "w") as new:
        for part in old.namelist():
            new.writestr(part, content if part == name else old.read(part))
    return out


def copy(run, folder, **data):
    """A copy of a run whose config has other data."""
    for part in ("tokenizer", "checkpoints"):
        shutil.copytree(run / part, folder / part)
    config = json.loads((run / "config.json").read_text())
    config["data"] |= data
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def test_the_command_writes_a_file_that_tells_what_it_is(tiny_run, tmp_path, unchecked):
    out = tmp_path / "captioner.stablehlo"
    out.write_text("an older one")
    result = command(tiny_run, out, "--beams", 2, "--max-length", 4, "--prefix", "a")
    assert result.exit_code == 0, result.output
    assert f"Written to {out}: step 3, beams=2,max_len=4" in result.stdout
    assert list(tmp_path.iterdir()) == [out]
    exported, run = load(out), Captioner.load(tiny_run)
    assert exported.platforms == ("cpu", "cuda", "tpu")
    assert exported.card == {
        "format": FORMAT,
        "run": tiny_run.name,
        "step": 3,
        "license": None,
        "frame": {"image_size": 32, "fit": "squeeze", "resize": 0, "resample": "bicubic"},
        "tokenizer": run.tokenizer.signature,
        "eos": run.tokenizer.eos,
        "prompt": "a",
        "given": 1,
        "search": "beams=2,max_len=4",
        "seed": 0,
        "platforms": ["cpu", "cuda", "tpu"],
        "jaxcap": jaxcap.__version__,
        "jax": jax.__version__,
        "pillow": PIL.__version__,
    }


def test_weights_are_stored_once(tiny_run, tiny_file):
    """And not as constants of the programs."""
    leaves = jax.tree.leaves(Captioner.load(tiny_run).variables)
    weights = sum(leaf.nbytes for leaf in leaves)
    with zipfile.ZipFile(tiny_file) as file:
        sizes = {info.filename: info.compress_size for info in file.infolist()}
    assert weights < sizes["weights.npz"] < weights + 600 * len(leaves)
    assert sum(sizes.values()) - sizes["weights.npz"] < 100_000


def test_the_license_is_that_of_the_run(tiny_run, tmp_path, unchecked):
    slim(tiny_run, tmp_path / "slim", license="CC0")
    assert export(tmp_path / "slim", tmp_path / "out")["license"] == "CC0"
    assert export(tiny_run, tmp_path / "out")["license"] is None


@pytest.mark.parametrize(
    ("data", "looks"),
    [
        ({"images": 2}, r"at 2 images together \(data.images\)"),
        ({"regions": 5}, r"at regions in boxes \(data.regions=5\)"),
        ({"features": 8, "regions": 5}, "at features of regions, and at no pixels"),
    ],
    ids=["two images", "regions", "features"],
)
def test_what_looks_at_more_than_a_photograph_is_refused(tiny_run, tmp_path, data, looks):
    run = copy(tiny_run, tmp_path / "run", **data)
    result = command(run, tmp_path / "out")
    assert result.exit_code == 2
    with pytest.raises(UserError, match=f"This captioner looks {looks}"):
        export(run, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--max-length", 99], "but the model knows 24"),
        (["--prefix", "never seen"], "has words that this captioner has never seen"),
    ],
    ids=["too long", "unknown prompt"],
)
def test_settings_out_of_range_are_refused(tiny_run, tmp_path, words, message):
    result = command(tiny_run, tmp_path / "out", *words)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.split())
    assert list(tmp_path.iterdir()) == []


def test_a_place_where_nothing_can_be_written(tiny_run, tmp_path, unchecked):
    for place in (tmp_path / "no" / "such" / "folder", tmp_path):
        with pytest.raises(UserError, match=r"cannot be written: |is a folder; name a file"):
            export(tiny_run, place)
    assert list(tmp_path.iterdir()) == []


def test_no_run(tmp_path):
    with pytest.raises(UserError, match="is not a run directory"):
        export(tmp_path, tmp_path / "out")


def test_a_file_cut_short_or_changed_anywhere_is_damaged(tiny_file, tmp_path):
    whole, file = tiny_file.read_bytes(), tmp_path / "damaged"
    for cut in (0, 1, 100, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:cut])
        with pytest.raises(UserError, match="is damaged, or no exported captioner"):
            load(file)
    with zipfile.ZipFile(tiny_file) as parts:  # in the midst of each
        for info in parts.infolist():
            place = info.header_offset + 30 + len(info.filename) + info.compress_size // 2
            file.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
            with pytest.raises(UserError, match="is damaged, or no exported captioner"):
                load(file)


def test_what_is_no_exported_captioner(tiny_file, tmp_path):
    with pytest.raises(UserError, match="cannot be read: No such file"):
        load(tmp_path / "none")
    other = tmp_path / "other.zip"
    with zipfile.ZipFile(other, "w") as file:
        file.writestr("notes.txt", "nothing")
    with pytest.raises(UserError, match=r"no exported captioner: .*card.json"):
        load(other)
    newer = with_part(tiny_file, tmp_path / "newer", CARD, '{"format": "captioner 9"}')
    with pytest.raises(UserError, match="has the format 'captioner 9', and this jaxcap reads"):
        load(newer)
    foreign = with_part(tiny_file, tmp_path / "foreign", FRAME, b"of a jax to come" * 9)
    with pytest.raises(UserError, match=f"written by jax {jax.__version__}, and jax .* cannot"):
        load(foreign)
