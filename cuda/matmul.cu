// The matrix product: chooses cores, tile, and whether to split k; then the sum of the parts (memory bound, 4 bytes per
// part and element of C) and separate activations (memory bound, one element read and written).
#include <algorithm>

#include "cuda/elementwise.cuh"
#include "cuda/matmul.h"
#include "cuda/matmul_tile.cuh"
#include "cuda/types.h"

namespace avs::cuda {
namespace {

template <typename T>
__global__ void sum_splits_kernel(int64_t splits, const float* __restrict__ parts, Output out) {
  const int64_t fours = (out.n + 3) / 4, part = out.m * out.n;
  for (int64_t item = first_item(); item < out.m * fours; item += item_stride()) {
    const int64_t row = item / fours, column = item % fours * 4;
    const float* from = parts + row * out.n + column;
    Pack<float, 4> sums{};
    for (int64_t s = 0; s < splits; ++s, from += part) {
      Pack<float, 4> more{};
      if (out.n % 4 == 0) {
        more = load_pack<4>(from);
      } else {
#pragma unroll
        for (int j = 0; j < 4; ++j)
          if (column + j < out.n) more.at[j] = from[j];
      }
#pragma unroll
      for (int j = 0; j < 4; ++j) sums.at[j] += more.at[j];
    }
    finish<T>(out, row, column, sums);
  }
}

struct Relu {
  __device__ float operator()(float x) const { return x < 0.0f ? 0.0f : x; }
};
struct Gelu {
  __device__ float operator()(float x) const { return x * normcdff(x); }
};

struct Choice {
  bool large;
  int64_t splits, depth_per_split;
};

// The large tile reads less memory per flop; it is used if most of it lies inside C and there is work for every
// multiprocessor. k is split if a single wave of tiles would leave multiprocessors idle; parts are long enough to pay
// for writing and reading C once more.
Choice choose(const MatMul& product, int64_t multiprocessors) {
  constexpr int64_t kMinDepth = 256;
  const auto tiles = [&](int64_t side) { return blocks_for(product.m, side) * blocks_for(product.n, side); };
  const auto area = [&](int64_t side) { return tiles(side) * side * side; };
  const int64_t most = std::max<int64_t>(1, product.k / kMinDepth);
  const bool fits = 4 * area(kLargeTile) <= 5 * area(kSmallTile);
  const bool large = fits && tiles(kLargeTile) * most >= multiprocessors;
  const int64_t tile_count = tiles(large ? kLargeTile : kSmallTile);
  int64_t wanted = tile_count < multiprocessors ? std::min(most, blocks_for(2 * multiprocessors, tile_count)) : 1;
  wanted = std::max(wanted, blocks_for(product.k, int64_t{1} << 30));  // kernels count depth in 32 bits
  const int64_t depth = std::max(kDeepestTile, blocks_for(blocks_for(product.k, wanted), kDeepestTile) * kDeepestTile);
  return {large, std::max<int64_t>(1, blocks_for(product.k, depth)), depth};
}

template <typename T>
bool runs_on_tensor_cores(const MatMul& product, Device device) {
  if (sizeof(T) != 2 || product.cores == Cores::Cuda) return false;
  return dtype_of<T>() == DType::F16 || facts(device).compiled_for >= 80;
}

template <typename T>
Operand<T> operand(const Tensor& x, Along along, int64_t lines, int64_t depth, bool on_tensor_cores) {
  const int64_t row = along == Along::Depth ? depth : lines;
  const T* const data = x.data<T>();
  const bool vector = on_tensor_cores ? packs<8>(row, data) : packs<4>(row, data);
  return {.data = data, .lines = lines, .stride = row, .step = 0, .vector = vector};
}

template <typename T>
void run(const MatMul& product, const Tensor& a, const Tensor& b, const Output& out, Device device) {
  const Along along_a = product.a == Order::Plain ? Along::Depth : Along::Lines;
  const Along along_b = product.b == Order::Plain ? Along::Lines : Along::Depth;
  const Choice choice = choose(product, facts(device).multiprocessors);
  const bool on_tensor_cores = runs_on_tensor_cores<T>(product, device);
  Product<T> launched{.a = operand<T>(a, along_a, product.m, product.k, on_tensor_cores),
                      .b = operand<T>(b, along_b, product.n, product.k, on_tensor_cores),
                      .out = out,
                      .depth = product.k,
                      .depth_per_split = static_cast<int>(choice.depth_per_split),
                      .tiles_b = 0};  // with_tile() sets this and the steps
  Tensor parts;
  if (choice.splits > 1) {
    parts = Tensor::empty({choice.splits, product.m, product.n}, DType::F32, device);
    launched.out = {.c = parts.data<float>(),
                    .pre = nullptr,
                    .bias = nullptr,
                    .m = product.m,
                    .n = product.n,
                    .activation = Activation::None,
                    .narrow = false,
                    .vector = product.n % 4 == 0};
  }
  const Launching how{device, choice.large, choice.splits};
  if constexpr (sizeof(T) == 2)
    on_tensor_cores ? launch_on_tensor_cores(launched, along_a, along_b, how)
                    : launch_on_cuda_cores(launched, along_a, along_b, how);
  else
    launch_on_cuda_cores(launched, along_a, along_b, how);
  if (choice.splits > 1)
    launch("sum_splits_kernel", sum_splits_kernel<T>, over(product.m * blocks_for(product.n, 4), device), device,
           choice.splits, parts.data<float>(), out);
}

bool writes_fours(int64_t n, const Tensor& x) {
  return n % 4 == 0 && reinterpret_cast<uintptr_t>(x.raw()) % (4 * size_of(x.dtype())) == 0;
}

}  // namespace

void matmul(const MatMul& product, const Tensor& a, const Tensor& b, const Tensor& bias, Tensor& c, Tensor* pre) {
  AVS_CHECK(ShapeError,
            a.dtype() == b.dtype() && (c.dtype() == a.dtype() || c.dtype() == DType::F32) &&
                (pre == nullptr || pre->dtype() == c.dtype()),
            "matmul: ", a.dtype(), " times ", b.dtype(), " into ", c.dtype(),
            "; expected two of one type, into it or f32");
  const Output out{.c = c.raw(),
                   .pre = pre == nullptr ? nullptr : pre->raw(),
                   .bias = bias.defined() ? bias.data<float>() : nullptr,
                   .m = product.m,
                   .n = product.n,
                   .activation = product.activation,
                   .narrow = c.dtype() != DType::F32,
                   .vector = writes_fours(product.n, c) && (pre == nullptr || writes_fours(product.n, *pre))};
  for_floating("matmul", a.dtype(), [&]<typename T>() { run<T>(product, a, b, out, c.device()); });
}

void activate(Activation activation, const Tensor& x, Tensor& y) {
  for_floating("activate", x.dtype(), [&]<typename T>() {
    if (activation == Activation::Gelu)
      map_elements("activate", x.size(), x.device(), Gelu{}, y.data<T>(), x.data<T>());
    if (activation == Activation::Relu)
      map_elements("activate", x.size(), x.device(), Relu{}, y.data<T>(), x.data<T>());
  });
}

}  // namespace avs::cuda
