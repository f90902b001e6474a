"""One training step or inference of the same networks in PyTorch: channels_last, Adam, KL divergence of soft labels.

  step_peer.py train vis-inc:16 aud-mel:8 [--seconds 5] [--threads 2] [--how eager|compile|graph] [--device cuda [--bf16]]

Prints a JSON line for each: seconds per step (median of those made in --seconds, after three to warm up), samples/s and
how many. Inputs lie on the device. graph: the whole step as one CUDA graph, as this engine makes its own.
"""
import argparse
import json
import statistics
import time

import torch
import torchvision
from torch import nn


class Inception(nn.Module):
    """1x1, 3x3, 1x4 and 4x1 convolutions side by side: the block of models/residual_inception.h."""

    def __init__(self, c_in, c_out):
        super().__init__()
        kernels = [(1, 1), (3, 3), (1, 4), (4, 1)]
        self.branches = nn.ModuleList(nn.Conv2d(c_in, c_out // 4, k, padding="same") for k in kernels)

    def forward(self, x):
        return torch.cat([branch(x) for branch in self.branches], dim=1)


class Stage(nn.Module):
    def __init__(self, c_in, c_out, dropout):
        super().__init__()
        self.main = nn.Sequential(Inception(c_in, c_out), nn.BatchNorm2d(c_out), nn.ReLU(inplace=True),
                                  Inception(c_out, c_out), nn.BatchNorm2d(c_out))
        self.shortcut = nn.Sequential(nn.Conv2d(c_in, c_out, 1), nn.BatchNorm2d(c_out))
        self.end = nn.Sequential(nn.ReLU(inplace=True), nn.AvgPool2d(2), nn.Dropout(dropout))

    def forward(self, x):
        return self.end(self.main(x) + self.shortcut(x))


def head(features, classes=10):
    return nn.Sequential(nn.Linear(features, 1024), nn.ReLU(inplace=True), nn.Dropout(0.2), nn.Linear(1024, classes))


def residual_inception():
    widths = [6, 64, 128, 256, 512, 1024]
    stages = [Stage(widths[i], widths[i + 1], 0.1 + 0.025 * i) for i in range(5)]
    return nn.Sequential(nn.BatchNorm2d(6), *stages, nn.AdaptiveAvgPool2d(1), nn.Flatten(), head(1024))


def inception_v3():
    net = torchvision.models.inception_v3(weights=None, aux_logits=False, init_weights=False)
    net.fc = head(2048)
    return net


def convnext_tiny():
    net = torchvision.models.convnext_tiny(weights=None)
    net.classifier[2] = head(768)
    return net


NETS = {"vis-inc": (inception_v3, (3, 224, 224)), "vis-conv": (convnext_tiny, (3, 224, 224)),
        "aud-mel": (residual_inception, (6, 128, 704))}


def make_step(mode, model, batch, how, device, bf16):
    build, shape = NETS[model]
    torch.manual_seed(1)
    net = build().to(device, memory_format=torch.channels_last)
    x = torch.randn(batch, *shape).to(device, memory_format=torch.channels_last)
    compute = torch.compile(net) if how == "compile" else net

    def run(inputs):
        # A graph must not cache casts of weights that an autocast outside of it made.
        with torch.autocast(device, torch.bfloat16, enabled=bf16, cache_enabled=how != "graph"):
            return compute(inputs).float()

    if mode == "infer":
        net.eval()

        def infer():
            with torch.inference_mode():
                return run(x)

        return infer
    net.train()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-4, eps=1e-7, weight_decay=1e-4, capturable=how == "graph")
    targets = torch.full((batch, 10), 0.01, device=device)
    targets[:, 0], targets[:, 1] = 0.6, 0.32

    def train():
        optimizer.zero_grad(set_to_none=how != "graph")
        loss = nn.functional.kl_div(torch.log_softmax(run(x), dim=1), targets, reduction="batchmean")
        loss.backward()
        optimizer.step()
        return loss

    if how != "graph":
        return lambda: train().item()
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            train()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        loss = train()

    def replay():
        graph.replay()
        return loss.item()

    return replay


def measure(step, device, seconds):
    for _ in range(3):
        step()
    times = []
    while sum(times) < seconds or len(times) < 3:
        start = time.perf_counter()
        step()
        if device == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return statistics.median(times), len(times)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("mode", choices=["train", "infer"])
    parser.add_argument("networks", nargs="+", metavar="MODEL:BATCH")
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--how", choices=["eager", "compile", "graph"], default="eager")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--bf16", action="store_true", help="autocast: activations in bf16, weights in f32")
    arguments = parser.parse_args()
    if arguments.how == "graph" and (arguments.device != "cuda" or arguments.mode != "train"):
        parser.error("--how graph is for training on a GPU")
    torch.set_num_threads(arguments.threads)
    for network in arguments.networks:
        model, batch = network.split(":")
        step = make_step(arguments.mode, model, int(batch), arguments.how, arguments.device, arguments.bf16)
        seconds, steps = measure(step, arguments.device, arguments.seconds)
        print(json.dumps({"name": f"{arguments.mode}/{model}/{batch}", "how": arguments.how, "seconds": seconds,
                          "samples/s": int(batch) / seconds, "steps": steps, "torch": torch.__version__}), flush=True)
        del step


if __name__ == "__main__":
    main()
