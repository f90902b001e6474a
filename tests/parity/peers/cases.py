"""Files of cases: inputs and what a peer computes from them, for tests/parity/check/case.h to read."""

import contextlib
import hashlib
import json
import math

import numpy as np
import torch
from safetensors.numpy import save_file

# Rounding to f32 has an error of at most U. FLOOR is the tolerance if single precision happens to be exact: sixteen
# roundings, for an op. A network has a hundred layers in a row, whose roundings add up like a random walk.
U = 2**-24
FLOOR = 16 * U
NETWORK_FLOOR = FLOOR * 10


class Precision:
    """The type in which peers compute."""

    real = np.float64


torch.set_default_dtype(torch.float64)


@contextlib.contextmanager
def single_precision(by_onednn=True):
    Precision.real = np.float32
    torch.set_default_dtype(torch.float32)
    try:
        with torch.backends.mkldnn.flags(enabled=by_onednn):
            yield
    finally:
        Precision.real = np.float64
        torch.set_default_dtype(torch.float64)


def in_both_precisions(make, exact=None):
    """make() yields cases, which learn how far the same computation in single precision is off: by oneDNN and without.
    exact: what it yielded already in double precision."""
    exact = exact or list(make())
    for by_onednn in (True, False):
        with single_precision(by_onednn):
            for case, single in zip(exact, make(), strict=True):
                case.learn_from(single)
    for case in exact:
        case.answers.clear()
    return exact


def noise(count, seed):
    """Uniform in [-1, 1): a hash of the index (the finaliser of MurmurHash3), as draw() in check/case.cpp."""
    word = np.uint64(0xFFFFFFFF)
    h = (np.arange(count, dtype=np.uint64) + np.uint64(seed * 0x9E3779B9 & 0xFFFFFFFF)) & word
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        h = ((h ^ (h >> np.uint64(shift))) * np.uint64(factor)) & word
    h ^= h >> np.uint64(16)
    return h.astype(np.float64) / 2**31 - 1


def drawn(shape, seed, scale, shift):
    """Rounded to f32, whatever the type, so that both sides begin with equal numbers."""
    values = shift + scale * noise(math.prod(shape), seed)
    return values.astype(np.float32).astype(Precision.real).reshape(shape)


def rounded(value):
    """Three digits: metadata stay small."""
    return float(f"{value:.3g}")


def root_mean_square(values):
    return float(np.sqrt(np.mean(np.square(values))))


def seed_of(text):
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little")


class Case:
    """One case in the making: draw() its inputs, compute, expect() the answers."""

    def __init__(self, name, row, kind, peer, spec, attempt=0):
        """attempt: another one draws other numbers."""
        self.name, self.row, self.kind, self.peer, self.spec, self.attempt = name, row, kind, peer, spec, attempt
        self.inputs, self.expected, self.tensors, self.answers = {}, {}, {}, {}

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
        return values.astype(kind).astype(np.int64 if kind is np.int32 else Precision.real)

    def expect(self, name, values, floor, most=None, measure=None):
        """At most `most` values are kept, evenly spread; the stride is odd so that it meets every channel. The scale is
        that of the whole answer: the few that are kept may all lie near zero."""
        values = np.array(values, dtype=np.float64).reshape(-1)  # a copy: torch reuses its memory
        stride = 1
        if most is not None and values.size > most:
            stride = -(-values.size // most) | 1
        self.answers[name] = values
        self.expected[name] = {"stride": stride, "floor": rounded(floor)}
        if measure is not None:
            self.expected[name]["measure"] = measure
        else:
            self.expected[name] |= {"scale": rounded(root_mean_square(values)), "single": 0.0}
        self.tensors[f"out/{self.name}/{name}"] = values[::stride]

    def learn_from(self, single):
        """single: this case in single precision. An answer may be as wrong as the worst of its kind (infer/…, grad/…):
        a value at a ReLU's kink that rounding carries across changes every gradient before it."""
        errors = {}
        for name, values in self.answers.items():
            if "single" in self.expected[name]:
                norm = float(np.linalg.norm(values)) or 1.0
                kind = name.split("/")[0]
                error = float(np.linalg.norm(single.answers[name] - values)) / norm
                errors[kind] = max(errors.get(kind, 0.0), error)
        for name, how in self.expected.items():
            if "single" in how:
                how["single"] = max(how["single"], rounded(errors[name.split("/")[0]]))

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
    # One metadata entry: safetensors writes several in any order, but the same numbers must give the same file.
    text = json.dumps({'versions': versions, 'cases': [case.json() for case in cases]}, separators=(',', ':'))
    save_file(tensors, str(path), metadata={'parity': text})
