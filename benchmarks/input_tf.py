"""Batches of photographs by tf.data, for benchmarks/input.py; prints the seconds of an image.

TensorFlow is not among jaxcap's dependencies, so this runs in a Python of its own:

TF_PYTHON benchmarks/input_tf.py FOLDER SIDE SHARE BATCH WARM COUNT CORES
"""

import os
import sys
import time
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
folder, (side, batch, warm, count, cores) = sys.argv[1], map(int, sys.argv[2:3] + sys.argv[4:])
share = float(sys.argv[3])
if cores == 1 and hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, set(list(os.sched_getaffinity(0))[:1]))

import tensorflow as tf  # noqa: E402 (after the settings above, which it reads once)


def pixels(path: tf.Tensor) -> tf.Tensor:
    """A random part of a photograph; only that part of the JPEG is decoded."""
    data = tf.io.read_file(path)
    height, width = tf.unstack(tf.io.extract_jpeg_shape(data)[:2])
    length = tf.sqrt(tf.random.uniform([], share, 1.0))
    high, wide = (
        tf.cast(tf.round(length * tf.cast(n, tf.float32)), tf.int32) for n in (height, width)
    )
    top = tf.random.uniform([], 0, height - high + 1, tf.int32)
    left = tf.random.uniform([], 0, width - wide + 1, tf.int32)
    part = tf.image.decode_and_crop_jpeg(data, tf.stack([top, left, high, wide]), channels=3)
    square = tf.image.resize(part, (side, side), "bicubic", antialias=True)
    return tf.saturate_cast(tf.round(square), tf.uint8)


paths = sorted(str(path) for path in Path(folder).glob("*.jpg"))
parallel = 1 if cores == 1 else tf.data.AUTOTUNE
data = tf.data.Dataset.from_tensor_slices(paths).shuffle(len(paths)).repeat()
data = data.map(pixels, num_parallel_calls=parallel).batch(batch).prefetch(parallel)
if cores == 1:
    options = tf.data.Options()
    options.threading.private_threadpool_size = 1
    data = data.with_options(options)
iterator = iter(data)
for _ in range(warm):
    next(iterator)
clock = time.process_time if cores == 1 else time.perf_counter
begin = clock()
for _ in range(count):
    next(iterator)
print((clock() - begin) / count / batch)
