"""Files of cases: inputs and what a peer computes from them, for tests/parity/check/case.h to read."""

import hashlib
import json
import math

import numpy as np
from safetensors.numpy import save_file


def noise(count, seed):
    """Uniform in [-1, 1): a hash of the index (the finaliser of MurmurHash3), as draw() in check/case.cpp."""
    word = np.uint64(0xFFFFFFFF)
    h = (np.arange(count, dtype=np.uint64) + np.uint64(seed * 0x9E3779B9 & 0xFFFFFFFF)) & word
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        h = ((h ^ (h >> np.uint64(shift))) * np.uint64(factor)) & word
    h ^= h >> np.uint64(16)
    return h.astype(np.float64) / 2**31 - 1


def drawn(shape, seed, scale, shift):
    """f64, but rounded to f32, so that both sides begin with equal numbers."""
    values = shift + scale * noise(math.prod(shape), seed)
    return values.astype(np.float32).astype(np.float64).reshape(shape)


def seed_of(text):
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little")


class Case:
    """One case in the making: draw() its inputs, compute, expect() the answers."""

    def __init__(self, name, row, kind, peer, spec, attempt=0):
        """attempt: another one draws other numbers."""
        self.name, self.row, self.kind, self.peer, self.spec, self.attempt = name, row, kind, peer, spec, attempt
        self.inputs, self.expected, self.tensors = {}, {}, {}

    def draw(self, name, shape, scale=1.0, shift=0.0):
        seed = seed_of(f"{self.name}/{name}" + (f"/{self.attempt}" if self.attempt else ""))
        self.inputs[name] = {"shape": list(shape), "seed": seed, "scale": float(scale), "shift": float(shift)}
        return drawn(shape, seed, scale, shift)

    def store(self, name, values):
        """An input that no formula draws. Integers travel as i32, the rest as f32."""
        values = np.asarray(values)
        kind = np.int32 if values.dtype.kind in "iu" else np.float32
        self.inputs[name] = "stored"
        self.tensors[f"in/{self.name}/{name}"] = np.ascontiguousarray(values.astype(kind))
        return values.astype(kind).astype(np.int64 if kind is np.int32 else np.float64)

    def expect(self, name, values, tolerance, most=None, measure=()):
        """At most `most` values are kept, evenly spread; the stride is odd so that it meets every channel."""
        values = np.asarray(values, dtype=np.float64).reshape(-1)
        stride = 1
        if most is not None and values.size > most:
            stride = -(-values.size // most) | 1
        self.expected[name] = [stride, tolerance, *measure]
        self.tensors[f"out/{self.name}/{name}"] = np.array(values[::stride])  # a copy: torch reuses its memory

    def json(self):
        return {
            "name": self.name,
            "row": self.row,
            "kind": self.kind,
            "peer": self.peer,
            "spec": self.spec,
            "inputs": self.inputs,
            "expected": self.expected,
        }


def save(path, cases, versions, narrow):
    """narrow: answers as f32, which is what the reader makes of them anyway, in half the space."""
    tensors = {}
    for case in cases:
        for name, values in case.tensors.items():
            tensors[name] = values.astype(np.float32) if narrow and values.dtype == np.float64 else values
    # One entry: safetensors writes several in any order, and the same numbers shall give the same file.
    text = json.dumps({'versions': versions, 'cases': [case.json() for case in cases]}, separators=(',', ':'))
    save_file(tensors, str(path), metadata={'parity': text})
