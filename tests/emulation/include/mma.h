// WMMA by definition, for the emulated warp: a fragment is 8 elements in each of 32 lanes, and the product of two is
// d[i][j] = c[i][j] + sum over k of a[i][k] * b[k][j]. CUDA does not define which lane holds which element; here each
// lane has eight scattered ones, so that no kernel can rely on a mapping. Violations of the documentation are findings:
// addresses that are no multiple of 32 bytes, leading dimensions that are no multiple of 16 bytes, lanes that disagree,
// a warp with missing lanes, a fragment that was not loaded. A warp's matrix operations do not order its memory
// accesses; __syncwarp() does.
#pragma once

#include <source_location>
#include <type_traits>

#include "tensor/dtype.h"
#include "tests/emulation/machine.h"

using __half = avs::f16;
using __nv_bfloat16 = avs::bf16;

namespace nvcuda::wmma {

struct matrix_a {};
struct matrix_b {};
struct accumulator {};
struct row_major {};
struct col_major {};
enum layout_t { mem_row_major, mem_col_major };

template <typename Use, int m, int n, int k, typename T, typename Layout = void>
struct fragment {
  static_assert(m == 16 && n == 16 && k == 16, "the emulation knows fragments of 16 x 16 x 16");
  static constexpr int num_elements = 8;
  using element_type = T;
  T x[num_elements];
  bool filled = false;
};

// The call's location, reported with a finding.
using Where = std::source_location;

namespace emulated {

using avs::emulation::broken_rule;
using avs::emulation::gather;

constexpr int kSide = 16, kEach = 8, kStride = 256;  // bytes between two lanes' deposits

struct Call {  // all lanes of a load or store must agree on it
  const void* matrix;
  unsigned leading;
  int layout;
};

// Not instrumented: deposits belong to the emulation.
[[gnu::no_sanitize("thread"), gnu::noinline]] inline bool lanes_agree(const Call& call, const Where& at) {
  const std::byte* const all = gather(&call, sizeof(call), at.file_name(), static_cast<int>(at.line()));
  for (int lane = 0; lane < 32; ++lane) {
    Call other;
    __builtin_memcpy(&other, all + lane * kStride, sizeof(other));
    if (other.matrix != call.matrix || other.leading != call.leading || other.layout != call.layout) return false;
  }
  return true;
}

template <typename T>
void check_call(const T* matrix, unsigned leading, int layout, const Where& at) {
  const auto rule = [&](bool kept, const char* what) {
    if (!kept) broken_rule(what, at.file_name(), static_cast<int>(at.line()));
  };
  rule(reinterpret_cast<uintptr_t>(matrix) % 32 == 0, "a WMMA matrix that does not begin at a multiple of 32 bytes");
  rule(leading * sizeof(T) % 16 == 0, "a WMMA leading dimension that is no multiple of 16 bytes");
  rule(leading >= kSide, "a WMMA leading dimension below 16");
  rule(avs::emulation::index().block_extent.count() % 32 == 0,
       "a WMMA operation in a block that is not of whole warps");
  rule(lanes_agree({matrix, leading, layout}, at), "lanes of a warp that disagree about a WMMA operation");
}

inline int lane() {
  const auto& i = avs::emulation::index();
  const unsigned linear = i.thread.x + i.block_extent.x * (i.thread.y + i.block_extent.y * i.thread.z);
  return static_cast<int>(linear % 32);
}

// The lane's i-th of the 16 x 16 elements. 37 is odd, so each element has exactly one lane.
constexpr int element_of(int lane, int i) { return (i * 32 + lane) * 37 % (kSide * kSide); }

inline int64_t offset_of(int lane, int i, unsigned leading, bool rows) {
  const int element = element_of(lane, i), row = element / kSide, column = element % kSide;
  return rows ? int64_t{row} * leading + column : int64_t{column} * leading + row;
}

// The warp's 16 x 16 elements as floats; this lane deposits its 8.
struct Matrices {
  float a[kSide * kSide], b[kSide * kSide];
};
struct Deposit {
  float a[kEach], b[kEach];
};
[[gnu::no_sanitize("thread"), gnu::noinline]] inline void exchange(const Deposit& mine, Matrices& all,
                                                                   const Where& at) {
  const std::byte* const deposits = gather(&mine, sizeof(mine), at.file_name(), static_cast<int>(at.line()));
  for (int l = 0; l < 32; ++l) {
    Deposit deposit;
    __builtin_memcpy(&deposit, deposits + l * kStride, sizeof(deposit));
    for (int i = 0; i < kEach; ++i) {
      all.a[element_of(l, i)] = deposit.a[i];
      all.b[element_of(l, i)] = deposit.b[i];
    }
  }
}

}  // namespace emulated

template <typename Use, typename T, typename Layout>
void load_matrix_sync(fragment<Use, 16, 16, 16, T, Layout>& to, const std::type_identity_t<T>* matrix, unsigned leading,
                      Where at = Where::current()) {
  constexpr bool rows = std::is_same_v<Layout, row_major>;
  emulated::check_call(matrix, leading, rows, at);
  const int lane = emulated::lane();
  for (int i = 0; i < 8; ++i) to.x[i] = matrix[emulated::offset_of(lane, i, leading, rows)];
  to.filled = true;
}

template <typename T>
void store_matrix_sync(T* matrix, const fragment<accumulator, 16, 16, 16, T>& from, unsigned leading, layout_t layout,
                       Where at = Where::current()) {
  emulated::check_call(matrix, leading, layout, at);
  if (!from.filled)
    emulated::broken_rule("a WMMA fragment of which nothing was loaded", at.file_name(), static_cast<int>(at.line()));
  const int lane = emulated::lane();
  for (int i = 0; i < 8; ++i) matrix[emulated::offset_of(lane, i, leading, layout == mem_row_major)] = from.x[i];
}

template <typename Use, typename T, typename Layout>
void fill_fragment(fragment<Use, 16, 16, 16, T, Layout>& to, std::type_identity_t<T> value) {
  for (T& x : to.x) x = value;
  to.filled = true;
}

template <typename T, typename LayoutA, typename LayoutB>
void mma_sync(fragment<accumulator, 16, 16, 16, float>& d, const fragment<matrix_a, 16, 16, 16, T, LayoutA>& a,
              const fragment<matrix_b, 16, 16, 16, T, LayoutB>& b, const fragment<accumulator, 16, 16, 16, float>& c,
              Where at = Where::current()) {
  if (!a.filled || !b.filled || !c.filled)
    emulated::broken_rule("a WMMA fragment of which nothing was loaded", at.file_name(), static_cast<int>(at.line()));
  emulated::Deposit mine;
  for (int i = 0; i < 8; ++i) {
    mine.a[i] = static_cast<float>(a.x[i]);
    mine.b[i] = static_cast<float>(b.x[i]);
  }
  emulated::Matrices all;
  emulated::exchange(mine, all, at);
  const int lane = emulated::lane();
  for (int i = 0; i < 8; ++i) {
    const int element = emulated::element_of(lane, i), row = element / 16, column = element % 16;
    float sum = c.x[i];
    for (int k = 0; k < 16; ++k) sum += all.a[row * 16 + k] * all.b[k * 16 + column];
    d.x[i] = sum;
  }
  d.filled = true;
}

}  // namespace nvcuda::wmma
