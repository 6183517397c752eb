"""A captioner as one file, which needs no jaxcap: `load` reads it, `jaxcap.export.write` makes it.

A script reads it with jax and flatbuffers alone:

    import io, json, zipfile
    import jax, numpy as np
    from jax import export

    with zipfile.ZipFile("captioner.stablehlo") as file:
        frame, caption = (export.deserialize(bytearray(file.read(p))) for p in ("frame", "caption"))
        weights = dict(np.load(io.BytesIO(file.read("weights.npz"))))
        words = json.loads(file.read("words.json"))

    photos = np.load("photos.npy")  # uint8 [B, height, width, 3]
    squares = jax.jit(frame.call)(photos, np.array(photos.shape[1:3], np.int32))
    found = jax.jit(caption.call)(weights, squares, np.arange(len(photos), dtype=np.int32))
    for ids in np.asarray(found["tokens"][:, 0]):  # the best caption of each; scores, logps
        ids = [id for id in ids if words["next"][id] is not None]
        said = (words["next" if place else "first"][id] for place, id in enumerate(ids))
        print("".join(said).encode("utf-8", "surrogateescape").decode("utf-8", "replace").strip())
"""

from jaxcap.export.loaded import Exported, Said, load

__all__ = ["Exported", "Said", "load"]
