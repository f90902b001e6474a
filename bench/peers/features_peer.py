"""The sound front ends of librosa, PyTorch and gammatone on a 10-s stereo clip at 32 kHz, on one thread.

  features_peer.py [--seconds 2]

Prints one JSON object: seconds per clip (median) under NAME/LIBRARY.
"""
import argparse
import json
import os
import statistics
import time

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[variable] = "1"

import librosa
import numpy as np
import torch
from gammatone import fftweight

RATE, FFT, WINDOW, HOP, BANDS = 32000, 4096, 2560, 448, 128


def clip():
    return np.random.default_rng(1).standard_normal((2, 10 * RATE)).astype(np.float32) * 0.1


def works(sound):
    torch.set_num_threads(1)
    filters = librosa.filters.mel(sr=RATE, n_fft=FFT, n_mels=BANDS, fmin=10)
    torch_filters, torch_sound = torch.from_numpy(filters), torch.from_numpy(sound)
    window = torch.hann_window(WINDOW)
    mel = librosa.feature.melspectrogram(y=sound, sr=RATE, n_fft=FFT, win_length=WINDOW, hop_length=HOP, n_mels=BANDS, fmin=10)

    def librosa_mel():
        power = np.abs(librosa.stft(sound, n_fft=FFT, win_length=WINDOW, hop_length=HOP)) ** 2
        return np.log(np.einsum("bf,cft->cbt", filters, power, optimize=True) + 1e-8)

    def torch_mel():
        spectrum = torch.stft(torch_sound, FFT, HOP, WINDOW, window, pad_mode="constant", return_complex=True)
        return torch.log(torch.matmul(torch_filters, spectrum.real**2 + spectrum.imag**2) + 1e-8)

    def gammatone_gam():
        return [fftweight.fft_gtgram(channel, RATE, WINDOW / RATE, HOP / RATE, BANDS, 10) for channel in sound]

    def librosa_cqt():
        return np.log(np.abs(librosa.cqt(sound, sr=RATE, hop_length=HOP, fmin=9.8, n_bins=BANDS)) + 1e-8)

    def librosa_delta():
        return librosa.feature.delta(mel), librosa.feature.delta(mel, order=2)

    return {"mel/10s librosa": librosa_mel, "mel/10s PyTorch": torch_mel, "gam/10s gammatone": gammatone_gam,
            "cqt/10s librosa": librosa_cqt, "delta/10s librosa": librosa_delta}


def median_seconds(work, seconds):
    work()
    times = []
    while sum(times) < seconds or len(times) < 3:
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=2)
    seconds = parser.parse_args().seconds
    print(json.dumps({name: median_seconds(work, seconds) for name, work in works(clip()).items()}))


if __name__ == "__main__":
    main()
