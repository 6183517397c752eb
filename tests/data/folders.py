"""Data sets as others lay them out, made small in a folder."""

import io
import json

import tensorflow_datasets as tfds
from array_record.python.array_record_module import ArrayRecordWriter
from PIL import Image


def jpeg(grey: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (12, 10), (grey, grey, grey)).save(buffer, "JPEG")
    return buffer.getvalue()


def write(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content))
    return folder


def read(source):
    return [
        (record.image_id, record.captions, *record.images)
        for record in map(source.__getitem__, range(len(source)))
    ]


F = tfds.features
TEXTS = F.Sequence(F.Text())


def write_tfds(
    folder, features, examples, *, name="made", split="train", file_format="array_record"
):
    """A prepared data set as TFDS itself lays it out."""
    folder.mkdir(parents=True)
    identity = tfds.core.dataset_info.DatasetIdentity(
        name=name, version=tfds.core.Version("1.0.0"), data_dir=str(folder), module_name=""
    )
    features = F.FeaturesDict(features)
    info = tfds.core.DatasetInfo(builder=identity, features=features)
    info.set_file_format(file_format)
    template = tfds.core.ShardedFileTemplate(
        data_dir=folder, dataset_name=name, split=split, filetype_suffix=file_format
    )
    half = len(examples) // 2
    writers = [
        ArrayRecordWriter(
            str(template.sharded_filepath(shard_index=i, num_shards=2)), "group_size:1"
        )
        for i in range(2)
    ]
    for number, example in enumerate(examples):
        writers[number >= half].write(features.serialize_example(example))
    for writer in writers:
        writer.close()
    lengths = [half, len(examples) - half]
    info.set_splits(
        tfds.core.splits.SplitDict(
            [
                tfds.core.SplitInfo(
                    name=split, shard_lengths=lengths, num_bytes=9, filename_template=template
                )
            ]
        )
    )
    info.write_to_directory(folder)
    return folder
