#!/usr/bin/env python3
"""Makes the golden numbers of tests/audio: what librosa, detly/gammatone and soxr say about the same signals.

    python3 -m venv venv && venv/bin/pip install librosa==0.11.0 Gammatone==1.0.3 soxr==1.1.0 soundfile==0.14.0
    venv/bin/python tests/golden/audio/make_golden.py [--recordings DIR]

Signals: `synthetic`, computed by the same formula here and in tests/audio/support.h, and the recordings named below
from the data set TAU Urban Audio-Visual Scenes 2021 (Zenodo 4477542), of which only numbers are kept. Everything is
computed in double precision. A file NAME-WHAT.f32 is little-endian float32, row-major:

    mel, gam, cqt12, cqt24   [128 bands, 32 frames, 2 channels], before the log; every 22nd of the 704 frames from 7 on
    WHAT-deltas              [128 bands, 32 frames, 4]: delta left, right, delta-delta left, right of log(x + 1e-8)
    resampled-RATE           [2 x 1000 frames, 2 channels]: frames 0.. and 16000.. of 1 s resampled to 32 kHz

GAM: the package's fft_gtgram(window_time=0.08) would choose an FFT of 8192; ours is 4096, so its two halves (fft_weights
and specgram) are called with 4096. It pads nothing, so the centred frames are made by padding; one spare hop of padding
steps around its slip (the last column stays zero when (samples - window) % hop == 0).
"""
import argparse
import json
import pathlib

import gammatone.fftweight
import importlib.metadata
import librosa
import numpy as np
import soundfile
import soxr

RATE, HOP, FFT, WINDOW, BANDS = 32000, 448, 4096, 2560, 128
FRAMES = np.arange(7, 704, 22)  # from the 704 frames of a clip
RECORDINGS = ["airport-paris-9-402", "park-london-96-2689"]
here = pathlib.Path(__file__).resolve().parent


def noise(n, seed):
    """Uniform in [-1, 1): a hash of the sample's index (the finaliser of MurmurHash3)."""
    h = (np.arange(n, dtype=np.uint64) + np.uint64(seed) * np.uint64(0x9E3779B9)) & np.uint64(0xFFFFFFFF)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        h = ((h ^ (h >> np.uint64(shift))) * np.uint64(factor)) & np.uint64(0xFFFFFFFF)
    h ^= h >> np.uint64(16)
    return h.astype(np.float64) / 2**31 - 1


def synthetic(n, rate):
    """Left: a chirp over nine octaves in noise. Right: three slowly beating tones, a click a second, noise."""
    t = np.arange(n) / rate
    octaves = 9.0 / (n / rate)
    phase = 25.0 / (octaves * np.log(2)) * (np.exp2(octaves * t) - 1)
    left = 0.3 * np.sin(2 * np.pi * phase) + 0.05 * noise(n, 1)
    right = 0.05 * noise(n, 2)
    for hz, beat in ((55.0, 0.3), (440.0, 0.7), (3520.0, 1.1)):
        right += 0.15 * np.sin(2 * np.pi * hz * t) * (1 + np.sin(2 * np.pi * beat * t)) / 2
    right[:: rate] += 0.5
    return np.stack([left, right], axis=1).astype(np.float32)


def both(signal, transform, real=np.float64):
    """[bands, 704, 2] of a stereo signal; frames 5..708 of 715 stay."""
    return np.stack([transform(signal[:, c].astype(real)) for c in (0, 1)], axis=-1)[:, 5:-6]


def mel(x):
    return librosa.feature.melspectrogram(y=x, sr=RATE, n_fft=FFT, win_length=WINDOW, hop_length=HOP, n_mels=BANDS,
                                          fmin=10, fmax=16000, pad_mode="constant")


def gam(x):
    weights, _ = gammatone.fftweight.fft_weights(FFT, RATE, BANDS, 1, 10, RATE / 2, FFT // 2 + 1)
    padded = np.pad(x, (FFT // 2, FFT // 2 + HOP))
    return weights @ np.abs(gammatone.fftweight.specgram(padded, FFT, RATE, WINDOW, HOP))[:, :715] / FFT


def cqt(bands_per_octave, lowest_hz):
    return lambda x: np.abs(librosa.cqt(x, sr=RATE, hop_length=HOP, fmin=lowest_hz, n_bins=BANDS,
                                        bins_per_octave=bands_per_octave))


TRANSFORMS = {"mel": mel, "gam": gam, "cqt12": cqt(12, 9.8), "cqt24": cqt(24, 10.0)}


def save(name, array):
    np.ascontiguousarray(array, dtype="<f4").tofile(here / f"{name}.f32")
    return list(array.shape)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recordings", type=pathlib.Path, help="folder that holds the wav files")
    arguments = parser.parse_args()
    signals = {"synthetic": synthetic(10 * RATE, RATE)}
    if arguments.recordings:
        for stem in RECORDINGS:
            sound, rate = soundfile.read(arguments.recordings / f"{stem}.wav", dtype="float32", always_2d=True)
            signals[stem] = soxr.resample(sound, rate, RATE, quality="VHQ")[: 10 * RATE]
    shapes = {}
    for signal_name, signal in signals.items():
        for what, transform in TRANSFORMS.items():
            x = both(signal, transform)
            log = np.log(x + 1e-8)
            deltas = np.concatenate([librosa.feature.delta(log, width=9, order=o, axis=1) for o in (1, 2)], axis=-1)
            shapes[f"{signal_name}-{what}"] = save(f"{signal_name}-{what}", x[:, FRAMES])
            if signal_name != RECORDINGS[1]:
                shapes[f"{signal_name}-{what}-deltas"] = save(f"{signal_name}-{what}-deltas", deltas[:, FRAMES])
    for rate in (44100, 48000):
        y = soxr.resample(synthetic(rate, rate), rate, RATE, quality="VHQ")
        shapes[f"resampled-{rate}"] = save(f"resampled-{rate}", np.concatenate([y[:1000], y[16000:17000]]))
    versions = {p: importlib.metadata.version(p) for p in ("librosa", "Gammatone", "soxr", "numpy", "scipy", "soundfile")}
    text = {"versions": versions, "libsoxr": soxr.__libsoxr_version__, "frames": FRAMES.tolist(), "shapes": shapes}
    (here / "golden.json").write_text(json.dumps(text, indent=1) + "\n")


if __name__ == "__main__":
    main()
