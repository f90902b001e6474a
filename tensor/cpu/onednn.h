// oneDNN behind one small class. This is the only header that includes dnnl.hpp.
//
// A Primitive is a compiled oneDNN operation together with the plain (row-major) layouts of our tensors. oneDNN chooses
// its own layout for an argument that is described as `any` (always for filters): run() then reorders inputs before and
// outputs after. Scratch memory comes from the CPU's arena, so that it is counted and reused. Primitives are cached by
// key: building one compiles machine code, which takes milliseconds.
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <oneapi/dnnl/dnnl.hpp>
#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace avs::cpu::onednn {

using Desc = dnnl::memory::desc;
using Dims = dnnl::memory::dims;

const dnnl::engine& engine();
dnnl::primitive_attr attributes();  // the caller provides scratch memory

Desc any(const Dims& dims);  // oneDNN chooses the layout
Desc strided(const Dims& dims, const Dims& strides);
Desc nhwc(const Dims& nchw);  // extents in oneDNN's order n, c, h, w; memory order as in our tensors

// A constant input in every layout that a primitive has needed so far.
struct KeptLayouts {
  std::mutex mutex;
  std::vector<std::pair<Desc, Tensor>> layouts;
};

class Primitive {
 public:
  enum class Role : uint8_t { Input, Output };
  struct Operand {
    int id;  // DNNL_ARG_SRC, ...
    Role role;
    Desc plain;  // memory layout of our tensor
  };
  struct Binding {
    int id;
    const void* data;             // outputs are written through it
    KeptLayouts* kept = nullptr;  // set for a constant input: it is reordered once, not at each run
  };

  Primitive(const dnnl::primitive_desc_base& description, dnnl::primitive primitive, std::vector<Operand> operands);

  void run(std::initializer_list<Binding> bindings) const;
  const std::string& implementation() const { return implementation_; }  // "brgconv:avx512_core"

 private:
  struct Argument {
    Operand operand;
    Desc wanted;            // the layout that the primitive uses
    dnnl::reorder reorder;  // null when wanted == plain
  };

  static dnnl::memory kept_layout(const Argument& argument, const dnnl::memory& plain, KeptLayouts& kept);

  dnnl::primitive primitive_;
  Desc scratchpad_;
  std::vector<Argument> arguments_;
  std::string implementation_;
};

// Returns the primitive for this key and the current thread count, and makes it on first use. The first number of a key
// is the operation. Throws DeviceError with `what` and oneDNN's message when the library refuses.
enum class Kind : int64_t { Forward, BackwardInput, BackwardFilter, MatMul };
std::shared_ptr<const Primitive> cached(const char* what, const std::vector<int64_t>& key,
                                        const std::function<Primitive()>& make);

}  // namespace avs::cpu::onednn
