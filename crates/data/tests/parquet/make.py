"""Makes the Parquet files of this folder, in the form of Hugging Face's data sets: python make.py (pyarrow 26, pillow 12).

Picture n is a PNG of 4x3 pixels in the colour (n, 100, 200).
"""

import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

here = Path(__file__).parent


def picture(number):
    """The bytes of a picture."""
    file = io.BytesIO()
    Image.new("RGB", (4, 3), (number, 100, 200)).save(file, "PNG")
    return file.getvalue()


def images(numbers):
    """The image column; None stands for no picture."""
    rows = [None if n is None else {"bytes": picture(n), "path": f"{n}.png"} for n in numbers]
    return pa.array(rows, pa.struct([("bytes", pa.binary()), ("path", pa.string())]))


def write(name, columns, features=None, **options):
    """Writes a file, with the metadata of Hugging Face's library if there are features."""
    table = pa.table(columns)
    if features:
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pq.write_table(table, here / name, **options)


animals = {"image": {"_type": "Image"}, "label": {"names": ["cat", "dog", "bird"], "_type": "ClassLabel"}}
labels = [n % 3 for n in range(40)]
# Two row groups, small pages, Snappy, as most sets have it.
write("train-00000-of-00002.parquet", {"image": images(range(40)), "label": pa.array(labels)}, animals,
      row_group_size=25, data_page_size=200, use_dictionary=False)
# The second part of the training set: a dictionary, pages of version 2, gzip; no picture in one row and no label in two.
write("train-00001-of-00002.parquet",
      {"image": images([40, None, 42, 43, 42]), "label": pa.array([0, 1, None, -1, 2])}, animals,
      data_page_version="2.0", compression="gzip")
write("test-00000-of-00001.parquet", {"image": images([50, 51]), "label": pa.array([2, 1])}, animals,
      compression="none")
# Names of columns that are known from the metadata only, and labels in 32 bits.
write("other-names.parquet", {"photo": images([1, 2]), "kind": pa.array([1, 0], pa.int32())},
      {"photo": {"_type": "Image"}, "kind": {"names": ["a", "b"], "_type": "ClassLabel"}})
# No metadata; classes in words; another column with numbers.
write("words.parquet",
      {"id": pa.array([7, 8, 9]), "image": images([1, 2, 3]), "label": pa.array(["dog", "cat", "dog"])})
write("zstandard.parquet", {"image": images([1, 2]), "label": pa.array([0, 1])}, compression="zstd")
write("no-pictures.parquet", {"number": pa.array([1.5]), "label": pa.array([0])})
write("lists.parquet", {"image": images([1]), "label": pa.array([[0, 1]])})
