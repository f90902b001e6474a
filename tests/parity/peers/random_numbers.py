"""The engine's counter-based random numbers (tensor/rng.h, layers/mixup.cpp), written again from their definition:
Philox 4x32-10 (Salmon et al. 2011), Box and Muller 1958, Marsaglia and Tsang 2000, Fisher and Yates."""

import math

import numpy as np

MASK = 0xFFFFFFFF


def philox(key, high, low):
    """Arrays or integers; four words of 32 bits."""
    low = np.asarray(low, dtype=np.uint64)
    c = [low & np.uint64(MASK), low >> np.uint64(32), np.full_like(low, high & MASK), np.full_like(low, high >> 32)]
    k0, k1 = key & MASK, key >> 32 & MASK
    for _ in range(10):
        p0, p1 = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        c = [
            (p1 >> np.uint64(32)) ^ c[1] ^ np.uint64(k0),
            p1 & np.uint64(MASK),
            (p0 >> np.uint64(32)) ^ c[3] ^ np.uint64(k1),
            p0 & np.uint64(MASK),
        ]
        k0, k1 = (k0 + 0x9E3779B9) & MASK, (k1 + 0xBB67AE85) & MASK
    return c


def dropout_mask(shape, rate, seed, step, stream):
    """0 or 1 / (1 - rate), in the order of a row-major [n, h, w, c]."""
    count = math.prod(shape)
    words = np.stack(philox(seed, (step << 32) + stream, np.arange(-(-count // 4))), axis=1).reshape(-1)[:count]
    uniform = (words >> np.uint64(8)).astype(np.float32) * np.float32(2**-24)
    return (uniform >= np.float32(rate)).reshape(shape) / (1 - float(np.float32(rate)))


class Rng:
    def __init__(self, seed, stream=0):
        self.seed, self.stream, self.position = seed, stream, 0

    def fork(self, purpose, index=0):
        h = 0xCBF29CE484222325 ^ self.stream  # FNV-1a
        for byte in purpose.encode():
            h = ((h ^ byte) * 0x100000001B3) & (2**64 - 1)
        words = philox(self.seed, h, index)
        return Rng(self.seed, int(words[0]) << 32 | int(words[1]))

    def next(self):
        words = philox(self.seed, self.stream, self.position)
        self.position += 1
        return int(words[0]) << 32 | int(words[1])

    def uniform(self):
        return (self.next() >> 11) * 2.0**-53

    def below(self, n):
        return self.next() * n >> 64

    def normal(self):
        radius = math.sqrt(-2 * math.log(1 - self.uniform()))
        return radius * math.cos(2 * math.pi * self.uniform())

    def gamma(self, shape):
        if shape < 1:
            larger = self.gamma(shape + 1)
            return larger * (1 - self.uniform()) ** (1 / shape)
        d = shape - 1 / 3
        c = 1 / math.sqrt(9 * d)
        while True:
            x = self.normal()
            v = (1 + c * x) ** 3
            if v > 0 and math.log(1 - self.uniform()) < 0.5 * x * x + d - d * v + d * math.log(v):
                return d * v

    def beta(self, a, b):
        x, y = self.gamma(a), self.gamma(b)
        return x / (x + y) if x + y else 0.5

    def shuffle(self, items):
        for i in range(len(items) - 1, 0, -1):
            j = self.below(i + 1)
            items[i], items[j] = items[j], items[i]


def mixup_plan(n, scheme, alpha, rng):
    """Rows (first, second, lambda): the author's two halves, or one Beta mix."""
    if scheme == "beta":
        partner = list(range(n))
        rng.shuffle(partner)
        return [(i, partner[i], np.float32(rng.beta(alpha, alpha))) for i in range(n)]
    rows = [(i, i, np.float32(1)) for i in range(n)]
    half = n // 2
    if scheme == "author":
        rows += [(i, half + i, np.float32(rng.beta(alpha, alpha))) for i in range(half)]
        rows += [(i, half + i, np.float32(rng.uniform())) for i in range(half)]
    return rows
