"""Files of region features in the layouts that people have, and what is wrong with others."""

import io
import pickle

import h5py
import numpy as np
import pytest

from jaxcap.data import regions as module
from jaxcap.data.frame import Frame
from jaxcap.data.image import ImageError
from jaxcap.data.pipeline import check_view
from jaxcap.data.regions import check_features, features_of, read_npz
from jaxcap.data.showing import Showing
from jaxcap.data.sources import open_source
from jaxcap.data.views import Regions
from jaxcap.errors import UserError

D = 3
FEATURES = np.arange(12, dtype=np.float32).reshape(4, D)
SHARES = np.float32([[0, 0, 1, 1], [0.25, 0.5, 0.5, 0.75], [0, 0, 0.5, 1], [0.5, 0, 1, 1]])
WIDTH, HEIGHT = 200, 100
PIXELS = SHARES * np.float32([WIDTH, HEIGHT, WIDTH, HEIGHT])
EVERYWHERE = np.tile(np.float32([0, 0, 1, 1]), (4, 1))
BOTTOM_UP = {  # bottom-up-attention.pytorch; the pickled dict beside them is not touched
    "x": FEATURES,
    "bbox": PIXELS,
    "num_bbox": 4,
    "image_h": HEIGHT,
    "image_w": WIDTH,
    "info": np.array({"objects_id": [1]}),
}


@pytest.mark.parametrize(
    ("arrays", "boxes"),
    [
        (BOTTOM_UP, SHARES),
        ({**BOTTOM_UP, "x": FEATURES.T}, SHARES),  # OpenVQA
        ({"feat": FEATURES}, EVERYWHERE),  # cocobu_att
        ({"z": FEATURES.astype(np.float16)}, EVERYWHERE),
        ({"features": FEATURES, "boxes": PIXELS, "img_w": [WIDTH], "img_h": [HEIGHT]}, SHARES),
        ({"features": FEATURES, "boxes": PIXELS, "image_size": [[HEIGHT, WIDTH]]}, SHARES),
        ({"features": FEATURES, "boxes": SHARES}, SHARES),
        ({"features": FEATURES, "boxes": SHARES * np.float32(1.0000001)}, SHARES),
        ({"features": FEATURES, "boxes": PIXELS}, EVERYWHERE),
        ({"features": FEATURES[:0], "boxes": PIXELS[:0]}, EVERYWHERE[:0]),
    ],
    ids=[
        "bottom-up",
        "transposed",
        "feat",
        "z",
        "img_w",
        "size",
        "shares",
        "rounded",
        "no-size",
        "none",
    ],
)
def test_npz_files_are_read(tmp_path, arrays, boxes):
    np.savez(tmp_path / "a.npz", **arrays)
    found = read_npz(tmp_path / "a.npz", D)
    np.testing.assert_array_equal(found.features, FEATURES[: len(boxes)])
    np.testing.assert_allclose(found.boxes, boxes, rtol=1e-6)
    assert found.features.dtype == found.boxes.dtype == np.float32


def test_an_image_is_found_by_its_path_or_else_by_its_name(tmp_path):
    (tmp_path / "p").mkdir()
    for name in ("p/a.npz", "a.npz", "b.npz", "1.25.npz"):
        np.savez(tmp_path / name, features=np.full((1, D), len(name)))
    expected = {"p/a.jpg": 7, "a.jpg": 5, "q/b.png": 5, "b": 5, "1.25": 8}
    for image_id, value in expected.items():
        assert (features_of(tmp_path, image_id, D).features == value).all()
    with pytest.raises(ImageError, match=r"No such file.*c\.npz"):
        features_of(tmp_path, "c.jpg", D)


@pytest.fixture(params=["flat", "groups"])
def hdf5(request, tmp_path):
    """M2's layout, or a group for each image."""
    between = {"flat": "_", "groups": "/"}[request.param]
    with h5py.File(tmp_path / "all.hdf5", "w") as file:
        for number in range(3):
            file[f"{number}{between}features"] = FEATURES + number
            file[f"{number}{between}boxes"] = PIXELS
        file[f"1{between}size"] = [[HEIGHT, WIDTH]]
        file[f"bad{between}features"] = np.zeros((4, D + 1))
    return tmp_path / "all.hdf5"


def test_hdf5_files_are_read(hdf5):
    for number, boxes in enumerate([EVERYWHERE, SHARES, EVERYWHERE]):
        found = features_of(check_features(hdf5), f"{number}.jpg", D)
        np.testing.assert_array_equal(found.features, FEATURES + number)
        np.testing.assert_allclose(found.boxes, boxes, rtol=1e-6)
    with pytest.raises(ImageError, match=r"no features in .*all\.hdf5"):
        features_of(hdf5, "3.jpg", D)
    with pytest.raises(ImageError, match=r"shape \[4, 4\]; expected \[N, 3\]"):
        features_of(hdf5, "bad", D)


def test_a_damaged_hdf5_file_costs_the_image_that_it_damages(hdf5):
    with h5py.File(hdf5, "a") as file:
        file.create_dataset("9_features", data=np.ones((4, D)), chunks=(4, D), compression="gzip")
        place = file["9_features"].id.get_chunk_info(0)
    data = bytearray(hdf5.read_bytes())
    data[place.byte_offset : place.byte_offset + place.size] = b"\xff" * place.size
    hdf5.write_bytes(data)
    module._open.cache_clear()
    with pytest.raises(ImageError, match="no features that can be read"):
        features_of(hdf5, "9", D)
    assert len(features_of(hdf5, "1", D).features) == 4


def npz(**arrays):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "that can be read"),
        (b"no zip", "that can be read"),
        (npz(features=FEATURES)[:-9], "that can be read"),
        (npz(features=FEATURES)[:60] + b"\xff" * 9 + npz(features=FEATURES)[69:], "can be read"),
        (npz(features=np.array({"a": 1})), "that can be read.*Object arrays"),
        (npz(boxes=PIXELS), "expected names: features, feat, x, z"),
        (npz(features=FEATURES[:, :2]), r"shape \[4, 2\]; expected \[N, 3\]"),
        (npz(features=FEATURES.reshape(2, 2, D)), r"shape \[2, 2, 3\]"),
        (npz(features=FEATURES, boxes=PIXELS[:3]), r"4 features, and boxes of the shape \[3, 4\]"),
        (npz(features=FEATURES, boxes=PIXELS, size=WIDTH), "that can be read"),
    ],
)
def test_a_bad_file_says_why(tmp_path, data, message):
    (tmp_path / "a.npz").write_bytes(data)
    with pytest.raises(ImageError, match=message):
        read_npz(tmp_path / "a.npz", D)


def test_a_wrong_place_is_told(tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r"no features of regions at .*none.*ending in \.h5"):
        check_features(tmp_path / "none")
    (tmp_path / "a.tsv").touch()
    with pytest.raises(UserError, match=r"Expected a folder of \.npz files"):
        check_features(tmp_path / "a.tsv")
    (tmp_path / "a.h5").write_bytes(b"no HDF5")
    with pytest.raises(UserError, match=r"a\.h5 cannot be read as an HDF5 file"):
        check_features(tmp_path / "a.h5")
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    with pytest.raises(UserError, match=r'pip install "jaxcap\[hdf5\]"'):
        check_features(tmp_path / "a.h5")


@pytest.fixture
def source(tmp_path):
    """Twelve records, none of whose photographs exists."""
    rows = "".join(f"{number}.jpg,x,train\n" for number in range(12))
    (tmp_path / "t.csv").write_text(f"image,caption,split\n{rows}")
    return open_source(f"csv:{tmp_path}/t.csv", "train")


def test_the_view_reads_no_photograph(source, tmp_path):
    np.savez(tmp_path / "1.npz", **BOTTOM_UP)
    view = Regions(source, Showing(Frame(8), regions=5, features=D), tmp_path)
    check_view(view, source)
    shown = pickle.loads(pickle.dumps(view))(1)
    np.testing.assert_array_equal(shown["features"][0, :4], FEATURES)
    np.testing.assert_allclose(shown["boxes"][0, :4], SHARES)
    assert shown["real"].tolist() == [[True] * 4 + [False]]
    assert shown["present"].tolist() == [True]
    assert {name: leaf.shape for name, leaf in view.blank().items()} == {
        name: leaf.shape for name, leaf in shown.items()
    }
    with pytest.raises(ImageError):
        view(0)
    (tmp_path / "1.npz").unlink()
    with pytest.raises(UserError, match=r"None of the first 10 .* 0\.jpg has no features"):
        check_view(view, source)


def test_a_record_of_several_images_has_the_features_of_each(tmp_path):
    np.savez(tmp_path / "a.npz", features=FEATURES)
    np.savez(tmp_path / "b+.npz", features=FEATURES + 1)
    rows = [
        '{"images": ["a.jpg", "q/a.jpg"], "caption": "x"}',
        '{"image": "b+.jpg", "caption": "x"}',
    ]
    (tmp_path / "t.jsonl").write_text("\n".join(rows))
    source = open_source(f"jsonl:{tmp_path}/t.jsonl", "all")
    showing = Showing(Frame(8), images=2, regions=4, features=D)
    shown = Regions(source, showing, tmp_path)(0)
    np.testing.assert_array_equal(shown["features"], np.stack([FEATURES, FEATURES]))
    assert shown["present"].tolist() == [True, True]
    alone = Regions(source, Showing(Frame(8), regions=4, features=D), tmp_path)(1)
    np.testing.assert_array_equal(alone["features"], [FEATURES + 1])
