"""Makes tests/models/weights/golden.zip: tiny networks built and saved by the libraries, and their outputs for a picture.

Every channel count is 8 (our width multiplier 0.01), parameters and statistics are random and non-trivial. For each
file F there is a tensor F in expected.safetensors: the pooled features, or the logits if the file has a classifier.

    ./run golden weights
"""
import importlib.metadata
import os
import sys
import tempfile
import zipfile

os.environ["KERAS_BACKEND"] = "jax"
import h5py
import keras
import numpy as np
import timm
import torch
import torchvision
from keras.src.applications import convnext as keras_convnext
from keras.src.applications import inception_v3 as keras_inception
from keras.src.legacy.saving import legacy_h5_format
from safetensors.numpy import save_file as save_arrays
from safetensors.torch import save_file as save_tensors
from torchvision.models import inception as tv_inception

CLASSES, CHANNELS, SIZE = 5, 8, 96
out = tempfile.mkdtemp()
random = np.random.default_rng(5)
picture = random.integers(0, 256, (1, SIZE, SIZE, 3)).astype("float32")
expected = {"x": picture}


def path(name):
    return os.path.join(out, name)


def draw(name, shape):
    if "var" in name and "variable" not in name:
        return random.uniform(0.5, 1.5, shape)
    if len(shape) > 1 and max(shape) < np.prod(shape):
        return random.normal(size=shape) * np.sqrt(2 / (np.prod(shape) / CHANNELS))
    if any(word in name for word in ("gamma", "scale", "weight", "variable")):
        return random.uniform(0.3, 1.5, shape)
    return random.normal(size=shape) * 0.1


def randomise_keras(model):
    for w in model.weights:
        w.assign(draw(w.path, w.shape).astype("float32"))


def randomise_torch(model):
    with torch.no_grad():
        for name, p in list(model.named_parameters()) + list(model.named_buffers()):
            p.copy_(torch.tensor(7) if p.dtype == torch.int64 else torch.from_numpy(draw(name, tuple(p.shape)).astype("float32")))


def save_legacy(model, name):
    with h5py.File(path(name), "w") as f:
        legacy_h5_format.save_weights_to_hdf5_group(f, model)


def save_legacy_split(model, name):
    """Splits names that do not fit into an object header, as Keras does, and compresses every array in chunks."""
    limit, legacy_h5_format.HDF5_OBJECT_HEADER_LIMIT = legacy_h5_format.HDF5_OBJECT_HEADER_LIMIT, 900
    save_legacy(model, name)
    legacy_h5_format.HDF5_OBJECT_HEADER_LIMIT = limit
    with h5py.File(path(name), "r+") as f:
        assert "layer_names1" in f.attrs
        arrays = []
        f.visititems(lambda key, item: arrays.append(key) if isinstance(item, h5py.Dataset) else None)
        for key in arrays:
            values = f[key][...]
            del f[key]
            f.create_dataset(key, data=values, chunks=True, compression="gzip", shuffle=True)


def without_names(source, name):
    """The files of Keras 3 before it stored layer names."""
    with h5py.File(path(source)) as a, h5py.File(path(name), "w") as b:
        def copy(key, item):
            if isinstance(item, h5py.Dataset):
                b[key] = item[...]
        a.visititems(copy)


def keras_files():
    plain = keras_inception.conv2d_bn
    keras_inception.conv2d_bn = lambda x, filters, *a, **k: plain(x, CHANNELS, *a, **k)
    keras.utils.clear_session()
    keras.layers.Conv2D(1, 1)  # layer numbers start above zero, as in a longer session
    model = keras.applications.InceptionV3(weights=None, include_top=False, pooling="avg", input_shape=(SIZE, SIZE, 3))
    randomise_keras(model)
    y = np.asarray(model(picture / 127.5 - 1))
    save_legacy(model, "inception_keras_legacy.h5")
    save_legacy_split(model, "inception_keras_legacy_split.h5")
    model.save_weights(path("inception_keras3.weights.h5"))
    without_names("inception_keras3.weights.h5", "inception_keras3_no_names.weights.h5")
    for name in ("inception_keras_legacy.h5", "inception_keras_legacy_split.h5", "inception_keras3.weights.h5",
                 "inception_keras3_no_names.weights.h5"):
        expected[name] = y

    for top in (False, True):
        keras.utils.clear_session()
        model = keras_convnext.ConvNeXt(
            depths=[3, 3, 9, 3], projection_dims=[CHANNELS] * 4, default_size=SIZE, name="convnext_tiny", weights=None,
            include_top=top, pooling=None if top else "avg", classes=CLASSES, input_shape=(SIZE, SIZE, 3),
            classifier_activation=None)
        randomise_keras(model)
        y = np.asarray(model(picture))
        if top:
            save_legacy(model, "convnext_keras_legacy_top.h5")
            model.save(path("convnext_keras3_top.keras"))
            model.save_weights(path("full.weights.h5"))
            without_names("full.weights.h5", "convnext_keras3_top_no_names.weights.h5")
            os.remove(path("full.weights.h5"))
            for name in ("convnext_keras_legacy_top.h5", "convnext_keras3_top.keras", "convnext_keras3_top_no_names.weights.h5"):
                expected[name] = y
        else:
            save_legacy(model, "convnext_keras_legacy.h5")
            expected["convnext_keras_legacy.h5"] = y


class NarrowConv(torch.nn.Module):
    """torchvision's BasicConv2d with 8 output channels for any input."""

    def __init__(self, in_channels, out_channels, **kwargs):
        super().__init__()
        self.conv = torch.nn.LazyConv2d(CHANNELS, bias=False, **kwargs)
        self.bn = torch.nn.BatchNorm2d(CHANNELS, eps=0.001)

    def forward(self, x):
        return torch.nn.functional.relu(self.bn(self.conv(x)), inplace=True)


def torch_files():
    normal = (torch.from_numpy(picture) / 255 - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor([0.229, 0.224, 0.225])
    normal = normal.permute(0, 3, 1, 2).contiguous()

    model = tv_inception.Inception3(
        num_classes=CLASSES, aux_logits=True, transform_input=True, init_weights=False,
        inception_blocks=[NarrowConv, tv_inception.InceptionA, tv_inception.InceptionB, tv_inception.InceptionC,
                          tv_inception.InceptionD, tv_inception.InceptionE, tv_inception.InceptionAux])
    for block in model.modules():
        for name, child in list(block.named_children()):
            if isinstance(child, tv_inception.BasicConv2d):
                setattr(block, name, NarrowConv(0, 0, **{k: getattr(child.conv, k) for k in ("kernel_size", "stride", "padding")}))
    model.fc = torch.nn.LazyLinear(CLASSES)
    model.AuxLogits.fc = torch.nn.LazyLinear(CLASSES)
    model.train()
    model(torch.zeros(2, 3, 299, 299))
    randomise_torch(model)
    model.eval()
    pooled = {}
    model.avgpool.register_forward_hook(lambda m, i, o: pooled.update(y=o.flatten(1).numpy().copy()))
    with torch.no_grad():
        y = model(normal).numpy()
        model.transform_input = False
        model(normal)
        expected["inception_torch_imagenet_input.pool"] = pooled["y"]
        model.transform_input = True
    state = model.state_dict()
    torch.save({"epoch": 3, "state_dict": {"module." + k: v for k, v in state.items()}}, path("inception_torch.pth"))
    expected["inception_torch.pth"] = y
    torch.save(state, path("inception_torch_legacy.pth"), _use_new_zipfile_serialization=False)
    without_aux = {k: v for k, v in state.items() if not k.startswith("AuxLogits.")}
    assert without_aux.keys() == timm.create_model("inception_v3", pretrained=False, aux_logits=False).state_dict().keys()
    save_tensors(without_aux, path("inception_timm.safetensors"))
    for name in ("inception_torch_legacy.pth", "inception_timm.safetensors"):
        expected[name] = y

    model = timm.create_model("convnext_tiny", pretrained=False, dims=(CHANNELS,) * 4, num_classes=CLASSES)
    randomise_torch(model)
    model.eval()
    with torch.no_grad():
        y = model(normal).numpy()
    state = model.state_dict()
    save_tensors(state, path("convnext_timm.safetensors"))
    torch.save(state, path("convnext_timm_legacy.pth"), _use_new_zipfile_serialization=False)
    save_tensors({k: v.bfloat16() for k, v in state.items()}, path("convnext_timm_bf16.safetensors"))
    torch.save({k: v.half() for k, v in state.items()}, path("convnext_timm_f16.pt"))
    save_tensors({k: v.half() for k, v in state.items()}, path("convnext_timm_f16.safetensors"))
    for name in ("convnext_timm.safetensors", "convnext_timm_legacy.pth", "convnext_timm_bf16.safetensors",
                 "convnext_timm_f16.pt", "convnext_timm_f16.safetensors"):
        expected[name] = y

    from torchvision.models.convnext import CNBlockConfig, ConvNeXt
    c = CHANNELS
    model = ConvNeXt([CNBlockConfig(c, c, 3), CNBlockConfig(c, c, 3), CNBlockConfig(c, c, 9), CNBlockConfig(c, None, 3)],
                     num_classes=CLASSES)
    randomise_torch(model)
    model.eval()
    with torch.no_grad():
        expected["convnext_torchvision.pth"] = model(normal).numpy()
    torch.save({"model": model.state_dict(), "epoch": 300}, path("convnext_torchvision.pth"))

    try:
        from transformers import ConvNextConfig, ConvNextForImageClassification
        model = ConvNextForImageClassification(ConvNextConfig(hidden_sizes=[c] * 4, depths=[3, 3, 9, 3], num_labels=CLASSES))
        randomise_torch(model)
        model.eval()
        with torch.no_grad():
            expected["convnext_transformers.safetensors"] = model(normal).logits.numpy()
        save_tensors(model.state_dict(), path("convnext_transformers.safetensors"))
    except ImportError:
        print("transformers is not installed: its file is left as it is", file=sys.stderr)


def repacked(source, name, change):
    """Copies a Keras file after change(file); the copy has no unused space."""
    with h5py.File(path(source)) as a, h5py.File(path(name), "w") as b:
        for key, value in a.attrs.items():
            b.attrs[key] = value
        for key in a:
            a.copy(key, b)
        change(b)


def more_keras_files():
    """Called last, so that the other files do not change."""
    keras.utils.clear_session()
    model = keras.applications.InceptionV3(weights=None, include_top=True, classes=CLASSES, input_shape=(SIZE, SIZE, 3),
                                           classifier_activation=None)
    randomise_keras(model)
    y = np.asarray(model(picture / 127.5 - 1))
    save_legacy(model, "inception_keras_legacy_top.h5")
    model.save(path("inception_keras_whole_model.h5"))
    model.save(path("inception_keras3_top.keras"))
    for name in ("inception_keras_legacy_top.h5", "inception_keras_whole_model.h5", "inception_keras3_top.keras"):
        expected[name] = y

    # ConvNeXt as published without top: the last norm keeps its initial values. Some files lack it.
    keras.utils.clear_session()
    model = keras_convnext.ConvNeXt(
        depths=[3, 3, 9, 3], projection_dims=[CHANNELS] * 4, default_size=SIZE, name="convnext_tiny", weights=None,
        include_top=False, pooling="avg", input_shape=(SIZE, SIZE, 3))
    randomise_keras(model)
    norm = model.layers[-1]
    norm.gamma.assign(np.ones(CHANNELS))
    norm.beta.assign(np.zeros(CHANNELS))
    y = np.asarray(model(picture))
    save_legacy(model, "convnext_keras_plain_norm.h5")

    def leave_the_norm_out(f):
        text = lambda n: n.decode() if isinstance(n, bytes) else str(n)
        f.attrs["layer_names"] = [n for n in f.attrs["layer_names"] if text(n) != norm.name]
        del f[norm.name]

    def as_hwc1(f):
        kernels = []
        f.visititems(lambda key, item: kernels.append(key) if getattr(item, "shape", ()) == (7, 7, 1, CHANNELS) else None)
        assert len(kernels) == 18
        for key in kernels:
            values = f[key][...].transpose(0, 1, 3, 2)
            del f[key]
            f[key] = values

    repacked("convnext_keras_plain_norm.h5", "convnext_keras_no_norm.h5", leave_the_norm_out)
    repacked("convnext_keras_plain_norm.h5", "convnext_keras_hwc1.h5", as_hwc1)
    for name in ("convnext_keras_plain_norm.h5", "convnext_keras_no_norm.h5", "convnext_keras_hwc1.h5"):
        expected[name] = y


keras_files()
torch_files()
more_keras_files()
packages = ("keras", "torch", "torchvision", "timm", "transformers", "jax", "h5py", "safetensors")
versions = {name: importlib.metadata.version(name) for name in packages}
save_arrays({k: np.ascontiguousarray(v, "float32") for k, v in expected.items()}, path("expected.safetensors"), versions)
with zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
    for name in sorted(os.listdir(out)):
        with open(path(name), "rb") as f:  # fixed date: equal files give an equal archive
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), f.read(), zipfile.ZIP_DEFLATED, 9)
