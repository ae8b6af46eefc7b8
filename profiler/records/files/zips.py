"""What does a zip archive hold? Its directory is somebody else's, and is looked at before anything in it is read."""

from __future__ import annotations

import zipfile

from profiler.records.files.limits import UNPACKED, Budget
from profiler.records.files.reading import quoted

_LOCAL_HEADER = 30  # bytes before a record's name, its extra field and its content


def records(archive: zipfile.ZipFile, size_bytes: int) -> dict[str, zipfile.ZipInfo]:
    """A zip's records by name; raises `ValueError` where its directory is none that a writer makes.

    No name is there twice, no two records share bytes, and together they are no more than the file.
    """
    by_name: dict[str, zipfile.ZipInfo] = {}
    for record in archive.infolist():
        if record.filename in by_name:
            raise ValueError(f"{quoted(record.filename)} is in its zip directory twice")
        if record.flag_bits & 1:
            raise ValueError(f"{quoted(record.filename)} in it is encrypted")
        by_name[record.filename] = record
    claimed = sum(record.compress_size for record in by_name.values())
    if claimed > size_bytes:
        raise ValueError(f"its zip directory claims {claimed:,} bytes, and the file has {size_bytes:,}")
    end = 0
    for record in sorted(by_name.values(), key=lambda record: record.header_offset):
        if record.header_offset < end:
            raise ValueError(f"{quoted(record.filename)} in it lies over the record before it")
        end = record.header_offset + _LOCAL_HEADER + record.compress_size
    return by_name


def is_stored(record: zipfile.ZipInfo) -> bool:
    """Whether a record is there as it is, and not compressed."""
    return record.compress_type == zipfile.ZIP_STORED and record.compress_size == record.file_size


def unpacked(archive: zipfile.ZipFile, record: zipfile.ZipInfo, budget: Budget) -> bytes:
    """A record's content; raises `FileTooCostly`, or `ValueError` where it is damaged."""
    budget.charge(UNPACKED, record.file_size)
    try:
        with archive.open(record) as file:
            content = file.read(record.file_size + 1)
    except Exception as error:  # there is no end to what decompressors raise
        raise ValueError(f"{quoted(record.filename)} in it cannot be read ({type(error).__name__}: {error})") from None
    if len(content) != record.file_size:
        raise ValueError(f"{quoted(record.filename)} in it has another size than its zip directory says")
    return content
