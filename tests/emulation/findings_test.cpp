// Proves that the emulation finds faults. Kernels of cuda/ pass in every order; each copy with a planted fault ends in
// a finding that names the fault, kernel, line, block and thread.
#include "cuda/api.h"
#include "tensor/ops/cast.h"
#include "tests/emulation/gpu.h"
#include "tests/emulation/machine.h"
#include "tests/emulation/planted/planted.h"
#include "tests/op_case.h"

namespace avs::cuda {
namespace {

enum class Copy : uint8_t { Sound, Planted };

// Runs the kernel or its faulty copy on inputs that trigger the fault.
struct Fault {
  const char* name;
  const char* file;     // the file with the fault, which the finding must name
  const char* finding;  // the finding's text, a regular expression
  void (*run)(Copy copy);
};

Tensor random_on_gpu(const Shape& shape, uint64_t seed, DType dtype = DType::F32) {
  return random_tensor(shape, seed, dtype, kGpu);
}

constexpr int64_t kRows = 20, kColumns = 92;

using LayerNormBackward = decltype(layer_norm_backward);
void run_layer_norm_backward(LayerNormBackward* backward) {
  const Shape shape{kRows, kColumns};
  LayerNormGradients gradients{Tensor::empty(shape, DType::F32, kGpu), Tensor::empty({kColumns}, DType::F32, kGpu),
                               Tensor::empty({kColumns}, DType::F32, kGpu)};
  backward(random_on_gpu(shape, 1), random_on_gpu({kColumns}, 2), random_on_gpu({kRows}, 3), random_on_gpu({kRows}, 4),
           random_on_gpu(shape, 5), gradients);
}

void run_layer_norm(decltype(layer_norm)* forward) {
  const Shape shape{kRows, kColumns};
  LayerNormResult result{Tensor::empty(shape, DType::F32, kGpu), Tensor::empty({kRows}, DType::F32, kGpu),
                         Tensor::empty({kRows}, DType::F32, kGpu)};
  forward(random_on_gpu(shape, 1), random_on_gpu({kColumns}, 2), random_on_gpu({kColumns}, 3), 1e-6f, result);
}

void run_softmax_kl_backward(decltype(softmax_kl_backward)* backward) {
  const Shape shape{kRows, 10};  // 10 classes: 22 lanes of a warp have no class, but take part in its sums
  Tensor dlogits = Tensor::empty(shape, DType::F32, kGpu);
  backward(random_on_gpu(shape, 1), random_on_gpu(shape, 2), 1e-7f, random_on_gpu({1}, 3), dlogits);
}

void run_halve_rate(decltype(halve_rate)* halve) {
  Tensor halved = Tensor::empty({50, 2}, DType::F32, kGpu);
  halve(random_on_gpu({100, 2}, 1), random_on_gpu({9}, 2), halved);
}

void run_stft(decltype(stft)* transform) {  // frame 3000 begins at sample 3000 * 2^20, past the end: zeros
  Tensor spectra = Tensor::empty({2, 16, 2}, DType::F32, kGpu);
  transform(random_on_gpu({32, 2}, 1), Tensor(),
            {.fft_size = 16, .window_size = 16, .hop = int64_t{1} << 20, .first = 3000, .count = 2}, spectra);
}

void run_sum_squares(decltype(sum_squares)* sum) {
  Tensor y = Tensor::empty({1}, DType::F32, kGpu);
  sum(random_on_gpu({kRows, kColumns}, 1), y);
}

void run_find_non_finite(decltype(find_non_finite)* find) {
  Vector values(600, 1.0);
  values[1] = values[599] = NAN;  // two blocks find one
  Tensor first = Tensor::zeros({8}, DType::U8, kGpu);
  find(to_tensor(values, {600}, kGpu), first);
}

void run_mixup(decltype(mixup)* mix) {  // rows of 77 floats are not aligned
  Tensor y = Tensor::empty({2, 77}, DType::F32, kGpu);
  const std::vector<int32_t> first{0, 1}, second{1, 0};
  mix(random_on_gpu({2, 77}, 1),
      {Tensor::from({2}, first, kGpu), Tensor::from({2}, second, kGpu), to_tensor({0.3, 0.6}, {2}, kGpu)}, y);
}

// A tile of A, [64, 32], times a tile of B, [32, 64].
void run_product(decltype(launch_on_tensor_cores<f16>)* launch_product) {
  constexpr int64_t kLines = 64, kDepth = 32;
  const Tensor a = random_on_gpu({kLines, kDepth}, 1, DType::F16), b = random_on_gpu({kDepth, kLines}, 2, DType::F16);
  Tensor c = Tensor::empty({kLines, kLines}, DType::F32, kGpu);
  launch_product({.a = {.data = a.data<f16>(), .lines = kLines, .stride = kDepth, .step = 0, .vector = true},
                  .b = {.data = b.data<f16>(), .lines = kLines, .stride = kLines, .step = 0, .vector = true},
                  .out = {.c = c.raw(),
                          .pre = nullptr,
                          .bias = nullptr,
                          .m = kLines,
                          .n = kLines,
                          .activation = Activation::None,
                          .narrow = false,
                          .vector = true},
                  .depth = kDepth,
                  .depth_per_split = kDepth,
                  .tiles_b = 0},
                 Along::Depth, Along::Lines, {kGpu, false, 1});
}

#define AVS_PLANTED(run, function, copy) \
  [](Copy c) { run(c == Copy::Sound ? static_cast<decltype(&function)>(function) : planted::copy::function); }
#define AVS_PLANTED_PRODUCT(copy)                                                                             \
  [](Copy c) {                                                                                                \
    run_product(c == Copy::Sound ? launch_on_tensor_cores<f16> : planted::copy::launch_on_tensor_cores<f16>); \
  }

const Fault kFaults[] = {
    {"a removed barrier", "layer_norm.cu",
     "a race: thread|reads uninitialised",  // the second if the reader runs first
     AVS_PLANTED(run_layer_norm_backward, layer_norm_backward, removed_barrier)},
    {"a dropped guard", "spectrogram.cu", "writes 4 bytes out of bounds",
     AVS_PLANTED(run_halve_rate, halve_rate, dropped_guard)},
    {"an off-by-one tail", "reduce.cu", "reads 4 bytes out of bounds, 0 bytes past the end of a tensor",
     AVS_PLANTED(run_sum_squares, sum_squares, off_by_one)},
    {"a mask that does not name the lane itself", "layer_norm.cu", "mask",
     AVS_PLANTED(run_layer_norm, layer_norm, wrong_mask)},
    {"a mask that names lanes that do not come", "device.cuh", "divergent flow",
     AVS_PLANTED(run_softmax_kl_backward, softmax_kl_backward, missing_lanes)},
    {"a misaligned load", "device.cuh", "misaligned access", AVS_PLANTED(run_mixup, mixup, misaligned_load)},
    {"a missing initialisation", "layer_norm.cu", "reads uninitialised shared memory",
     AVS_PLANTED(run_layer_norm_backward, layer_norm_backward, missing_initialisation)},
    {"a race between blocks", "reduce.cu", "a race: thread",
     AVS_PLANTED(run_find_non_finite, find_non_finite, race_between_blocks)},
    {"an overflow of a 32-bit index", "spectrogram.cu", "signed overflow in a multiplication",
     AVS_PLANTED(run_stft, stft, overflow)},
    {"two barriers in two branches", "layer_norm.cu", "divergent flow",
     AVS_PLANTED(run_layer_norm_backward, layer_norm_backward, divergent_barrier)},
    {"WMMA: no barrier between a store and the lanes that read it", "mma.h", "a race: thread",
     AVS_PLANTED_PRODUCT(wmma_barrier)},
    {"WMMA: an address that is no multiple of 32 bytes", "matmul_tensor_cores.cu",
     "does not begin at a multiple of 32 bytes", AVS_PLANTED_PRODUCT(wmma_alignment)},
    {"WMMA: a leading dimension that is no multiple of 8 halves", "matmul_tensor_cores.cu",
     "leading dimension that is no multiple of 16", AVS_PLANTED_PRODUCT(wmma_leading_dimension)},
    {"WMMA: lanes with different addresses", "matmul_tensor_cores.cu", "lanes of a warp that disagree",
     AVS_PLANTED_PRODUCT(wmma_agreement)},
    {"WMMA: sums that nobody set to zero", "matmul_tensor_cores.cu", "a WMMA fragment of which nothing was loaded",
     AVS_PLANTED_PRODUCT(wmma_filling)},
};

constexpr emulation::Order kOrders[] = {emulation::Order::Forward, emulation::Order::Reverse,
                                        emulation::Order::Shuffled};

class Findings : public testing::Test {
 protected:
  void TearDown() override { emulation::set_order(emulation::Order::Forward); }
};

TEST_F(Findings, NoneInOurKernelsInAnyOrder) {
  for (const Fault& fault : kFaults)
    for (const auto order : kOrders) {
      SCOPED_TRACE(str(fault.name, ", order ", static_cast<int>(order)));
      emulation::set_order(order, 5);
      EXPECT_NO_THROW(fault.run(Copy::Sound));
    }
}

TEST_F(Findings, NameEveryFaultPlantedInACopyOfOurKernels) {
  for (const Fault& fault : kFaults)
    for (const auto order : kOrders) {
      SCOPED_TRACE(str(fault.name, ", order ", static_cast<int>(order)));
      emulation::set_order(order, 5);
      const std::string found = error_of<emulation::Finding>([&] { fault.run(Copy::Planted); });
      EXPECT_THAT(found, testing::ContainsRegex(fault.finding));
      EXPECT_THAT(found,
                  testing::MatchesRegex("kernel \\w+, .*" + std::string(fault.file) + ":[0-9]+.*thread \\([0-9].*"));
      EXPECT_THAT(found, testing::HasSubstr("block ("));
      EXPECT_THAT(found, testing::Not(testing::HasSubstr(" /"))) << "places are told from the project's root";
    }
}

TEST_F(Findings, AreNotLostBehindThem) {  // the device works after a finding
  error_of<emulation::Finding>([&] { kFaults[0].run(Copy::Planted); });
  Tensor y = Tensor::empty({1}, DType::F32, kGpu);
  sum_squares(to_tensor({3, 4}, {2}, kGpu), y);
  EXPECT_EQ(to_double(y)[0], 25.0);
}

TEST_F(Findings, SayThatATensorWasGivenBack) {
  Tensor gone = Tensor::zeros({kRows, kColumns}, DType::F32, kGpu), y = Tensor::empty({1}, DType::F32, kGpu);
  const Tensor alias = Tensor(gone);
  const float* const data = alias.data<float>();
  EXPECT_NE(data, nullptr);
  cuda::context(kGpu).deallocate(gone.raw(), gone.bytes());
  EXPECT_THAT(error_of<emulation::Finding>([&] { sum_squares(alias, y); }), testing::HasSubstr("was given back"));
  (void)cuda::context(kGpu).allocate(gone.bytes());  // the handle frees it a second time
}

}  // namespace
}  // namespace avs::cuda
