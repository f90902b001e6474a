// oneDNN behind one small class. This is the only header that includes dnnl.hpp.
//
// A Primitive is a compiled oneDNN operation together with the plain (row-major) layouts in which our tensors meet it.
// oneDNN is free to choose its own layout for an argument that was described as `any` (filters, always): run() then
// reorders an input on the way in and an output on the way out. Scratch memory comes from the CPU's arena, so that it
// is counted and reused. Primitives are cached by key: building one compiles machine code and takes milliseconds.
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
dnnl::primitive_attr attributes();  // scratch memory is ours to give

Desc any(const Dims& dims);  // oneDNN chooses the layout
Desc strided(const Dims& dims, const Dims& strides);
Desc nhwc(const Dims& nchw);  // extents in oneDNN's order n, c, h, w; memory as our tensors

// An input that never changes, in every layout that a primitive asked for so far.
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
    Desc plain;  // how our tensor lies in memory
  };
  struct Binding {
    int id;
    const void* data;             // outputs are written through it
    KeptLayouts* kept = nullptr;  // reorder this input once, not at each run
  };

  Primitive(const dnnl::primitive_desc_base& description, dnnl::primitive primitive, std::vector<Operand> operands);

  void run(std::initializer_list<Binding> bindings) const;
  const std::string& implementation() const { return implementation_; }  // "brgconv:avx512_core"

 private:
  struct Argument {
    Operand operand;
    Desc wanted;            // the layout the primitive works in
    dnnl::reorder reorder;  // null when wanted == plain
  };

  static dnnl::memory kept_layout(const Argument& argument, const dnnl::memory& plain, KeptLayouts& kept);

  dnnl::primitive primitive_;
  Desc scratchpad_;
  std::vector<Argument> arguments_;
  std::string implementation_;
};

// The primitive of this key and the present thread count, made on first use. The first number of a key names the
// operation. Throws DeviceError with oneDNN's words and `what` when the library refuses.
enum class Kind : int64_t { Forward, BackwardInput, BackwardFilter, MatMul };
std::shared_ptr<const Primitive> cached(const char* what, const std::vector<int64_t>& key,
                                        const std::function<Primitive()>& make);

}  // namespace avs::cpu::onednn
