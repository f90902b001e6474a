// Every kind of convolution in a training step of the three networks, at its real batch size: InceptionV3@224 and the
// dense ones of ConvNeXt-Tiny@224 at 16 images, residual-inception at 8 spectrograms of 128x704. linear_bench has
// ConvNeXt's pointwise layers, depthwise_layer_norm_bench its depthwise ones. On a GPU: one shape per kind of filter,
// in f32 and bf16, through cuDNN or, with AVS_CUDNN=0 in the environment, our own kernels.
#include "bench/bench.h"
#include "tensor/cpu/conv2d.h"
#include "tensor/ops/cast.h"

namespace avs {
namespace {

struct Layer {
  const char* name;
  Shape x, w;
  Conv2dSpec spec;
};

Layer same(const char* name, int64_t n, int64_t h, int64_t w, int64_t c, int64_t k, int64_t r, int64_t s) {
  return {name, {n, h, w, c}, {k, r, s, c}, {.padding = Padding::same(r, s)}};
}
Layer strided(const char* name, int64_t n, int64_t h, int64_t c, int64_t k, int64_t r, int64_t stride) {
  return {name, {n, h, h, c}, {k, r, r, c}, {.stride_h = stride, .stride_w = stride}};
}

std::vector<Layer> layers() {
  std::vector<Layer> all = {
      strided("inception/stem_3x3s2", 16, 224, 3, 32, 3, 2),      strided("inception/stem_3x3", 16, 111, 32, 32, 3, 1),
      same("inception/stem_3x3same", 16, 109, 109, 32, 64, 3, 3), same("inception/stem_1x1", 16, 54, 54, 64, 80, 1, 1),
      strided("inception/stem_3x3b", 16, 54, 80, 192, 3, 1),      same("inception/a_1x1", 16, 25, 25, 256, 64, 1, 1),
      same("inception/a_5x5", 16, 25, 25, 48, 64, 5, 5),          same("inception/a_3x3", 16, 25, 25, 64, 96, 3, 3),
      same("inception/a_3x3b", 16, 25, 25, 96, 96, 3, 3),         strided("inception/b_3x3s2", 16, 25, 288, 384, 3, 2),
      same("inception/c_1x1", 16, 12, 12, 768, 192, 1, 1),        same("inception/c_1x7", 16, 12, 12, 160, 160, 1, 7),
      same("inception/c_7x1", 16, 12, 12, 192, 192, 7, 1),        strided("inception/d_3x3s2", 16, 12, 192, 320, 3, 2),
      same("inception/e_1x1", 16, 5, 5, 1280, 320, 1, 1),         same("inception/e_1x3", 16, 5, 5, 384, 384, 1, 3),
      same("inception/e_3x3", 16, 5, 5, 448, 384, 3, 3),          strided("convnext/patches", 16, 224, 3, 96, 4, 4),
      strided("convnext/down1", 16, 56, 96, 192, 2, 2),           strided("convnext/down3", 16, 14, 384, 768, 2, 2),
  };
  int64_t h = 128, w = 704, before = 6;
  for (const int64_t width : {64, 128, 256, 512, 1024}) {
    static std::vector<std::string> names;  // the library keeps pointers to the names
    names.reserve(64);
    const auto name = [&](const char* kind, int64_t c) {
      return names.emplace_back(str("residual/", width, "_", kind, "_from", c)).c_str();
    };
    all.push_back(same(name("skip1x1", before), 8, h, w, before, width, 1, 1));
    for (const int64_t c : {before, width}) {
      const int64_t k = width / 4;
      all.push_back(same(name("1x1", c), 8, h, w, c, k, 1, 1));
      all.push_back(same(name("3x3", c), 8, h, w, c, k, 3, 3));
      all.push_back(same(name("1x4", c), 8, h, w, c, k, 1, 4));
      all.push_back(same(name("4x1", c), 8, h, w, c, k, 4, 1));
    }
    before = width;
    h /= 2;
    w /= 2;
  }
  for (Layer& layer : all) {
    layer.x = bench::extents(layer.x);
    layer.w = bench::extents(layer.w);
  }
  return all;
}

void bench_layer(benchmark::State& state, const Layer& layer, cpu::ConvDirection direction, Device device,
                 DType dtype) {
  const Shape y = ops::conv2d_shape(layer.x, layer.w, layer.spec);
  const Tensor x = ops::cast(bench::random_tensor(layer.x, device), dtype), w = bench::random_tensor(layer.w, device),
               dy = ops::cast(bench::random_tensor(y, device), dtype);
  bench::run(state, device, [&] {
    switch (direction) {
      case cpu::ConvDirection::Forward: return ops::conv2d(x, w, {}, layer.spec);
      case cpu::ConvDirection::BackwardInput: return ops::conv2d_backward_input(layer.x, w, dy, layer.spec);
      case cpu::ConvDirection::BackwardFilter: return ops::conv2d_backward_filter(x, layer.w, dy, layer.spec);
    }
    return Tensor();
  });
  const double products = static_cast<double>(y.size()) * static_cast<double>(layer.w[1] * layer.w[2] * layer.w[3]);
  bench::report_flops(state, 2 * products, device, dtype);
  if (!device.is_cuda()) state.SetLabel(cpu::conv2d_implementation(layer.x, layer.w, layer.spec, direction));
}

// A GPU runs a selection: timing cuDNN's engines for all shapes would take longer than all of first_contact.sh.
bool is_for_gpus(const std::string& name) {
  for (const char* one : {"inception/stem_3x3same", "inception/a_5x5", "inception/c_7x1", "inception/e_1x1",
                          "convnext/down1", "residual/256_3x3_from256", "residual/256_1x4_from256"})
    if (name == one) return true;
  return false;
}

// conv2d/LAYER/DIRECTION, and on a GPU …/device:1/bf16
void add(const Layer& layer, const char* direction_name, cpu::ConvDirection direction, Device device, DType dtype) {
  const std::string suffix = device.is_cuda() ? str("/device:1/", dtype) : std::string();
  benchmark::RegisterBenchmark(str("conv2d/", layer.name, "/", direction_name, suffix).c_str(),
                               [=](benchmark::State& state) { bench_layer(state, layer, direction, device, dtype); })
      ->UseManualTime()
      ->Unit(benchmark::kMillisecond);
}

const bool registered = [] {
  const std::pair<const char*, cpu::ConvDirection> directions[] = {
      {"forward", cpu::ConvDirection::Forward},
      {"backward_input", cpu::ConvDirection::BackwardInput},
      {"backward_filter", cpu::ConvDirection::BackwardFilter}};
  for (const Layer& layer : layers())
    for (const auto& [name, direction] : directions)
      for (const int64_t argument : bench::devices())
        for (const DType dtype : {DType::F32, DType::BF16})
          if (argument == 0 ? dtype == DType::F32 : is_for_gpus(layer.name))
            add(layer, name, direction, bench::device_of(argument), dtype);
  return true;
}();

}  // namespace
}  // namespace avs
