"""Sound and pictures: librosa, gammatone and soxr on noise and real recordings, PyAV on a drawn and on real clips."""

import os
import pathlib
import sys
from fractions import Fraction

import av
import librosa
import numpy as np
import soundfile
import soxr

from cases import Case, Precision, in_both_precisions

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.append(str(ROOT / "tests/golden/audio"))
import make_golden  # the calls of librosa and gammatone

LIBROSA, GAMMATONE = f"librosa {librosa.__version__}", "gammatone 1.0.3"
# Our filter banks omit weights below 1e-6 of a band's peak (audio/gammatone.h); the peers keep them. In bins with a
# millionth of the peak power the logarithm multiplies that difference by hundreds before the deltas.
POWER_FLOOR, DELTAS_FLOOR = 1e-5, 5e-4
SPECTROGRAMS = {  # make_golden's name: row, peer, ours
    "mel": ("MEL, GAM", LIBROSA, {"spectrogram": "mel"}),
    "gam": ("MEL, GAM", GAMMATONE, {"spectrogram": "gam"}),
    "cqt12": ("CQT", LIBROSA, {"spectrogram": "cqt", "range": "full"}),
    "cqt24": ("CQT", LIBROSA, {"spectrogram": "cqt", "range": "author"}),
}


def data_folder():
    """Real recordings and clips, which a checkout need not have."""
    folder = pathlib.Path(os.environ.get("AVS_DATA", ROOT / "../shared/data"))
    return folder if folder.is_dir() else None


def deltas_of(power):
    log = np.log(power + 1e-8)
    return np.concatenate([librosa.feature.delta(log, width=9, order=o, axis=1) for o in (1, 2)], axis=-1)


def spectrogram_cases(name, signal_of, most):
    """signal_of(case): the clip, [320000, 2]. A case of power and, in a row of its own, one of deltas."""
    for what, (row, peer, spec) in SPECTROGRAMS.items():
        power_case, deltas_case = (
            Case(f"{kind}/{what} of {name}", r, "spectrogram", p, dict(spec))
            for kind, r, p in (("spectrogram", row, peer), ("deltas", "deltas", LIBROSA))
        )
        signal = signal_of(power_case)
        power = make_golden.both(signal, make_golden.TRANSFORMS[what], Precision.real)
        power_case.expect("power", power, POWER_FLOOR, most)
        yield power_case
        signal = signal_of(deltas_case)
        power = make_golden.both(signal, make_golden.TRANSFORMS[what], Precision.real)
        deltas_case.expect("deltas", deltas_of(power), DELTAS_FLOOR, most)
        yield deltas_case


def name_file(spec, key, path, data, golden):
    """Golden files name what lies in the test data, which is elsewhere on another machine."""
    spec[key] = str(path.relative_to(data)) if golden else str(path.resolve())
    if golden:
        spec["from_test_data"] = True


def sound_cases(most, data, golden):
    yield from spectrogram_cases("noise", lambda case: case.draw("x", (320000, 2), 0.3), most)
    if data is None:
        return
    for path in sorted((data / "tau_wavs").glob("*.wav")):

        def recording(case, path=path):
            name_file(case.spec, "recording", path, data, golden)
            sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
            return soxr.resample(sound, rate, make_golden.RATE, quality="VHQ")[: 10 * make_golden.RATE]

        yield from spectrogram_cases(path.stem, recording, 600 if golden else most)


def resample_cases(most):
    for rate in (48000, 44100):
        case = Case(f"resample/{rate}", "resampling", "resample", f"soxr {soxr.__version__}", {"rate": rate})
        x = case.draw("x", (rate, 2), 0.5)
        # 90 dB of signal to difference
        case.expect("y", soxr.resample(x, rate, 32000, quality="VHQ"), 10 ** (-90 / 20), most)
        yield case


# ---- pictures ----


def draw_video(path):
    """Three seconds of moving colours and a counter of stripes, at 12.5 pictures a second, in H.264 with B-pictures."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=Fraction(25, 2))
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        stream.options = {"crf": "26", "bf": "2", "g": "20"}
        v, u = np.mgrid[0:96, 0:160]
        for k in range(38):
            turn = 2 * np.pi * k / 38
            picture = np.stack(
                [
                    127 + 120 * np.sin(u / 25 + turn),
                    127 + 120 * np.sin(v / 17 - 2 * turn),
                    255 * (((u + 7 * k) // 20) % 2),
                ],
                axis=-1,
            )
            frame = av.VideoFrame.from_ndarray(picture.astype(np.uint8), format="rgb24")
            for packet in stream.encode(frame):
                out.mux(packet)
        for packet in stream.encode():
            out.mux(packet)


def matrix_of(frame):
    named = {1: "bt709", 4: "fcc", 7: "smpte240m", 9: "bt2020", 10: "bt2020"}
    if frame.colorspace == 2:  # unnamed
        return "bt709" if frame.width >= 1280 or frame.height > 576 else "bt601"
    return named.get(int(frame.colorspace), "bt601")


def scaled(frame, size):
    """ffmpeg's accurate scaling, by its own filter."""
    graph = av.filter.Graph()
    full = frame.color_range == 2 or frame.format.name.startswith("yuvj")
    chain = [
        graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base),
        graph.add(
            "scale",
            f"{size}:{size}:flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"
            f":in_color_matrix={matrix_of(frame)}:in_range={'full' if full else 'limited'}",
        ),
        graph.add("format", "rgb24"),
        graph.add("buffersink"),
    ]
    graph.link_nodes(*chain).configure()
    graph.push(frame)
    return graph.pull().to_ndarray()


def frames_case(name, path, most, size=224, **named):
    """Frame k is what is on screen at (k + 1/2) / 2 s; time counts from the file's start."""
    spec = {"frames_per_second": 2.0, "max_seconds": 10.0, "image_size": size, **named}
    case = Case(f"frames/{name}", "frames", "frames", f"PyAV {av.__version__}", spec)
    shown, ends = [], 0
    with av.open(str(path)) as file:
        start = (file.start_time or 0) / av.time_base
        stream = file.streams.video[0]
        decoded = sorted(
            ((float(f.pts * f.time_base) - start, f) for f in file.decode(stream)), key=lambda pair: pair[0]
        )
        step = 1 / float(stream.average_rate)
        ends = min(decoded[-1][0] + step, spec["max_seconds"])
        times = [(k + 0.5) / 2 for k in range(int(2 * spec["max_seconds"])) if (k + 0.5) / 2 < ends] or [0.25]
        for t in times:
            on_screen = [f for at, f in decoded if at <= t + 1e-9] or [decoded[0][1]]
            shown.append(scaled(on_screen[-1], size))
    case.expect("seconds", times, 0)
    case.expect("pixels", np.stack(shown), 2.0, most, measure="mean")
    return case


REAL_CLIPS = ("example.mp4", "chaplin.mp4", "big_buck_bunny_432_433.webm")


def cases(form, folder):
    golden = form == "golden"
    most = 1500 if golden else None
    data = data_folder()
    if golden and data is None:
        raise SystemExit("golden parity: no recordings and clips; set AVS_DATA")
    yield from in_both_precisions(lambda: sound_cases(most, data, golden))
    yield from resample_cases(most)
    draw_video(folder / "clip.mp4")
    yield frames_case("drawn clip", folder / "clip.mp4", 6000 if golden else None, size=64, video="clip.mp4")
    if data is not None:
        for name in REAL_CLIPS:
            spec = {}
            name_file(spec, "video", data / "clips" / name, data, golden)
            yield frames_case(name, data / "clips" / name, 6000 if golden else None, **spec)
