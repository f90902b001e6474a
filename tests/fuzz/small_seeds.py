"""Writes small seeds, because a fuzzer learns little from files of hundreds of kilobytes. Needs no libraries.

    small_seeds.py READER FOLDER
"""
import argparse
import collections
import io
import json
import os
import pathlib
import pickle
import struct
import sys
import zipfile

reader, folder = sys.argv[1:]


def write(name, data):
    with open(os.path.join(folder, name), "wb") as f:
        f.write(data)


def state_dict(view=b""):
    """{"w": a tensor of 2 x 3, "b": one of 3 in reverse}, protocol 2, as torch.save writes it."""
    def text(s):
        return b"X" + struct.pack("<I", len(s)) + s.encode()

    def tensor(key, first, shape, strides):
        numbers = lambda values: b"(" + b"".join(b"K" + bytes([v]) for v in values) + b"t"
        storage = b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text(key) + text("cpu") + b"K\x06" + view + b"tQ"
        return (b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"K" + bytes([first]) + numbers(shape)
                + numbers(strides) + b"\x89ccollections\nOrderedDict\n)RtR")
    return (b"\x80\x02ccollections\nOrderedDict\n)R(" + text("w") + tensor("0", 0, (2, 3), (3, 1))
            + text("b") + tensor("1", 1, (3,), (2,)) + b"u}" + text("_metadata") + b"}sb.")


if reader == "torch":
    numbers = struct.pack("<6f", *range(6))
    beside = {"args": argparse.Namespace(lr=1.0, out=pathlib.PurePosixPath("x")), "set": {1, 2}, "bytes": b"x", "counts": collections.Counter("aab")}
    for protocol in (2, 4):
        with zipfile.ZipFile(os.path.join(folder, f"beside_{protocol}.pth"), "w") as z:
            z.writestr("a/data.pkl", pickle.dumps(beside, protocol))
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", method) as z:
            for name, data in (("data.pkl", state_dict()), ("version", b"3\n"), ("byteorder", b"little"), ("data/0", numbers), ("data/1", numbers)):
                z.writestr("a/" + name, data)
        write(f"small_{method}.pth", packed.getvalue())
    magic = pickle.dumps(0x1950A86A20F9469CFC6C, 2)
    stream = magic + pickle.dumps(1001, 2) + pickle.dumps({"little_endian": True}, 2) + state_dict(b"N")
    stream += pickle.dumps(["0", "1"], 2) + 2 * (struct.pack("<Q", 6) + numbers)
    write("small_legacy.pth", stream)
if reader == "safetensors":
    for entries in ({}, {"__metadata__": None, "a": {"dtype": "BOOL", "shape": [1, 1, 1, 1, 1, 2], "data_offsets": [0, 2]}}, {"a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}},
                    {"__metadata__": {"k": "v"}, "a": {"dtype": "BF16", "shape": [], "data_offsets": [0, 2]}}):
        header = json.dumps(entries).encode()
        header += b" " * (-len(header) % 8)
        write(f"small_{len(header)}.safetensors", struct.pack("<Q", len(header)) + header + bytes(24 if "F32" in str(entries) else 2 if "a" in entries else 0))
