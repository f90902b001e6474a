// Modules: a named tree of parameters and buffers. A parameter's path ("mixed0.branch1x1.0.conv.weight") is its key in
// checkpoints, its key in the optimizer's state and its name in errors.
//
// A Layer is a module with one activation in and one out. A parent builds its children in place (child<Conv2d>(…)) and
// never copies or moves them, so references to children stay valid.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "autograd/variable.h"
#include "autograd/watch.h"
#include "layers/init.h"
#include "tensor/no_copy.h"
#include "tensor/rng.h"

namespace avs {

enum class Decay : uint8_t { Yes, No };  // is the parameter part of the L2 term? biases and norm parameters are not

struct Parameter {
  std::string path;
  Variable variable;
  Decay decay = Decay::Yes;
  Init init = {};                   // the rule by which initialize() draws the values
  double learning_rate_factor = 1;  // multiplies the optimizer's rate; read when a ParameterArena is made
};

struct Buffer {  // running statistics: saved, not trained
  std::string path;
  Tensor value;
};

class Module : NoCopy {
 public:
  virtual ~Module() = default;

  std::vector<Parameter*> parameters();  // declaration order, depth first
  std::vector<Buffer*> buffers();
  int64_t parameter_count();                         // trainable values
  const std::string& path() const { return path_; }  // empty for the root
  void set_path(const std::string& path);            // path of this module; children follow

  enum class Mode : uint8_t { Training, Inference };
  void train() { set_mode(Mode::Training); }
  void eval() { set_mode(Mode::Inference); }
  bool training() const { return mode_ == Mode::Training; }

  // Moves parameters and buffers to a device. Must be called before an optimizer's arena is made of them.
  void to(Device device);

  // Freezes the subtree: its parameters get no gradients and its BatchNorm running statistics do not change.
  void freeze();
  bool frozen() const { return frozen_; }
  // Freezes the children in declaration order, up to and including the one at `path`. Returns false and freezes nothing
  // if no child has that path.
  bool freeze_children_through(const std::string& path);

 protected:
  // Builds a child in place. Its path is this module's path, a dot, and the name.
  template <typename M, typename... Args>
  M& child(const std::string& name, Args&&... args) {
    auto owned = std::make_unique<M>(std::forward<Args>(args)...);
    M& reference = *owned;
    adopt(name, std::move(owned));
    return reference;
  }
  Parameter& param(const std::string& name, Tensor initial, Decay decay = Decay::Yes);
  // initialize() draws the values; until then a constant has its value and everything else is zero.
  Parameter& param(const std::string& name, const Shape& shape, Init init, Decay decay = Decay::Yes);
  Buffer& buffer(const std::string& name, Tensor initial);

  // Called when mode or freezing changes: layers update what they derive from parameters (folded weights).
  virtual void mode_changed() {}
  // Called after the parameters moved: layers move what else they keep on the device (constants, random state).
  virtual void moved(Device) {}

 private:
  struct Member {  // exactly one is set; one list keeps the declaration order
    std::string name;
    std::unique_ptr<Parameter> parameter;
    std::unique_ptr<Buffer> buffer;
    std::unique_ptr<Module> module;
  };
  void adopt(const std::string& name, std::unique_ptr<Module> module);
  void set_mode(Mode mode);
  std::string path_of(const std::string& name) const { return path_.empty() ? name : path_ + "." + name; }

  std::string path_;
  std::vector<Member> members_;
  Mode mode_ = Mode::Training;
  bool frozen_ = false;
};

class Layer : public Module {
 public:
  // Runs forward(); an error from inside also names this layer's path and input shape.
  Variable operator()(const Variable& x);

 protected:
  virtual Variable forward(const Variable& x) = 0;

  // Runs f() as this layer, for a layer with a second forward function (a BatchNorm that also adds a residual).
  template <typename F>
  auto as_layer(const Shape& input, F&& f) {
    const LayerScope scope(path());
    try {
      return f();
    } catch (Error& error) {
      error.add_context(str("in layer '", path(), "' with input ", input));
      throw;
    }
  }
};

}  // namespace avs
