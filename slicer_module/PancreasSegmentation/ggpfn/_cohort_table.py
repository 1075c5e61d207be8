"""The table of a cohort: a row for each case, as CSV, and as Parquet where pyarrow is there."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable
from typing import Any

from . import _files
from ._cohort_case import Row

# In the order of the columns; others, such as the volumes of a model's other labels, come behind.
TEXT = ("name", "status", "input", "series", "mask", "error", "error_kind", "warnings", "warning_texts")
NUMBERS = (
    "volume_ml", "expected_dice", "mean_hu", "std_hu", "threshold",
    "centroid_x", "centroid_y", "centroid_z", "box_mm_i", "box_mm_j", "box_mm_k",
    "spacing_i", "spacing_j", "spacing_k", "weight_axial", "weight_sagittal", "weight_coronal",
)  # fmt: skip
COUNTS = (
    "voxels", "components", "box_start_i", "box_start_j", "box_start_k", "box_size_i", "box_size_j", "box_size_k",
    "size_i", "size_j", "size_k", "mask_bytes",
)  # fmt: skip
HASHES = ("input_sha256", "model_sha256", "mask_sha256")
SECONDS = (
    "total_seconds", "network_seconds", "hash_seconds", "start_seconds", "read_seconds", "segment_seconds",
    "write_seconds",
)  # fmt: skip
# What differs from run to run though the result is the same.
OF_THE_RUN = (*SECONDS, "attempts", "worker", "input_stamp")
HIDDEN = ("fingerprint", "input_stamp")
TYPES = {
    **dict.fromkeys(TEXT, "string"),
    "doubtful": "bool",
    **dict.fromkeys(NUMBERS, "float64"),
    **dict.fromkeys(COUNTS, "int64"),
    **dict.fromkeys(HASHES, "string"),
    **dict.fromkeys(("device", "precision", "version", "worker"), "string"),
    "attempts": "int64",
    **dict.fromkeys(SECONDS, "float64"),
}


def write(out: str, read: Callable[[], list[Row]]) -> list[Row]:
    """Writes cases.csv, and cases.parquet where pyarrow is there, of the rows that `read` gives; the rows.

    Several processes may do this at once, each when its part is done. Each reads the rows again when its table is
    there, and writes another one if there are more: so the last table has them all.
    """
    rows = read()
    while True:
        columns = columns_of(rows)
        _files.write(os.path.join(out, "cases.csv"), csv_of(rows, columns))
        parquet = parquet_of(rows, columns)
        if parquet is not None:
            _files.write(os.path.join(out, "cases.parquet"), parquet)
        newest = read()
        if newest == rows:
            return rows
        rows = newest


def columns_of(rows: list[Row]) -> dict[str, str]:
    """The type of each column, by its name."""
    columns = dict(TYPES)
    for row in rows:
        for name, value in row.items():
            if name not in columns and name not in HIDDEN:
                columns[name] = "float64" if isinstance(value, float) else "string"
    return columns


def csv_of(rows: list[Row], columns: dict[str, str]) -> bytes:
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(columns)
    for row in rows:
        table.writerow([_cell(row.get(name)) for name in columns])
    return text.getvalue().encode("utf-8")


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else value


def parquet_of(rows: list[Row], columns: dict[str, str]) -> Any:
    """The bytes of a Parquet file; None without pyarrow."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        return None
    types = {"string": pyarrow.string(), "bool": pyarrow.bool_()}
    types.update(float64=pyarrow.float64(), int64=pyarrow.int64())
    arrays = [pyarrow.array([row.get(name) for row in rows], types[kind]) for name, kind in columns.items()]
    data = pyarrow.BufferOutputStream()
    pyarrow.parquet.write_table(pyarrow.table(arrays, names=list(columns)), data)
    return data.getvalue().to_pybytes()
