// The only file that includes cuDNN.
#include "cuda/cudnn_plans.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <unordered_map>

#include "cuda/opened_library.h"

#define CUDNN_FRONTEND_SKIP_JSON_LIB
#define NV_CUDNN_FRONTEND_DISABLE_LOGGING
#define NV_CUDNN_FRONTEND_USE_DYNAMIC_LOADING
#include <cudnn_frontend.h>

namespace fe = cudnn_frontend;

// The frontend looks cuDNN's functions up through this handle.
void* fe::cudnn_dlhandle = nullptr;

namespace avs::cuda::cudnn {

static void check_handle(cudnnStatus_t status, const char* what) {
  AVS_CHECK(DeviceError, status == CUDNN_STATUS_SUCCESS, "cuDNN: ", fe::detail::get_error_string(status), " (", what,
            ")");
}

// One cuDNN handle per device, never destroyed, usable on any stream. It has a name because Engines::State holds one.
struct Handle {
  cudnnHandle_t handle = nullptr;
  void* stream = nullptr;

  void bind(void* wanted) {
    if (stream == wanted) return;
    check_handle(fe::detail::set_stream(handle, static_cast<cudaStream_t>(wanted)), "binding a stream");
    stream = wanted;
  }
};

namespace {

constexpr size_t kOldestVersion = 90800;  // first version with graphs without a handle, and device descriptions

std::string open_library() {
  static const OpenedLibrary library("cuDNN", str("libcudnn.so.", CUDNN_MAJOR), "AVS_CUDNN_LIBRARY", AVS_CUDNN_FOLDER);
  if (!library.problem().empty()) return library.problem();
  fe::cudnn_dlhandle = library.handle();
  const size_t version = fe::detail::get_backend_version();
  if (version >= kOldestVersion) return {};
  fe::cudnn_dlhandle = nullptr;
  return str("cuDNN ", version / 10000, ".", version / 100 % 100, " is installed; 9.8 or newer is needed");
}

fe::DataType_t type_of(DType dtype) {
  return dtype == DType::F16    ? fe::DataType_t::HALF
         : dtype == DType::BF16 ? fe::DataType_t::BFLOAT16
                                : fe::DataType_t::FLOAT;
}

enum Uid : int64_t { kFirst = 1, kSecond, kBias, kResult };

// A tensor of logical extents n, c, h, w with memory order [n, h, w, c].
auto attributes(Uid uid, const Shape& s, DType dtype) {
  return fe::graph::Tensor_attributes()
      .set_uid(uid)
      .set_name(str("t", static_cast<int64_t>(uid)))
      .set_dim({s[0], s[3], s[1], s[2]})
      .set_stride({s[1] * s[2] * s[3], 1, s[2] * s[3], s[3]})
      .set_data_type(type_of(dtype));
}

void set_result(fe::graph::Tensor_attributes& tensor, const Shape& s, DType dtype) {
  tensor.set_output(true)
      .set_uid(kResult)
      .set_dim({s[0], s[3], s[1], s[2]})
      .set_stride({s[1] * s[2] * s[3], 1, s[2] * s[3], s[3]})
      .set_data_type(type_of(dtype));
}

template <typename Attributes>
Attributes convolution(const Conv2dSpec& spec) {
  const Padding& pad = spec.padding;
  return Attributes()
      .set_pre_padding({pad.top, pad.left})
      .set_post_padding({pad.bottom, pad.right})
      .set_stride({spec.stride_h, spec.stride_w})
      .set_dilation({1, 1});
}

std::shared_ptr<fe::graph::Graph> describe(const ConvGraph& g, DType intermediate) {
  auto graph = std::make_shared<fe::graph::Graph>();
  graph->set_io_data_type(type_of(g.dtype))
      .set_intermediate_data_type(type_of(intermediate))
      .set_compute_data_type(fe::DataType_t::FLOAT);
  if (g.direction == Direction::BackwardInput) {
    const auto w = graph->tensor(attributes(kFirst, g.w, g.dtype)),
               dy = graph->tensor(attributes(kSecond, g.y, g.dtype));
    set_result(*graph->conv_dgrad(dy, w, convolution<fe::graph::Conv_dgrad_attributes>(g.spec)), g.x, g.dtype);
    return graph;
  }
  const auto x = graph->tensor(attributes(kFirst, g.x, g.dtype));
  if (g.direction == Direction::BackwardFilter) {
    const auto dy = graph->tensor(attributes(kSecond, g.y, g.dtype));
    set_result(*graph->conv_wgrad(dy, x, convolution<fe::graph::Conv_wgrad_attributes>(g.spec)), g.w, g.dtype);
    return graph;
  }
  const auto w = graph->tensor(attributes(kSecond, g.w, g.dtype));
  auto y = graph->conv_fprop(x, w, convolution<fe::graph::Conv_fprop_attributes>(g.spec));
  if (g.bias) {
    const auto bias = graph->tensor(attributes(kBias, {1, 1, 1, g.w[0]}, g.dtype));
    y = graph->pointwise(y, bias, fe::graph::Pointwise_attributes().set_mode(fe::PointwiseMode_t::ADD));
  }
  if (g.relu) y = graph->pointwise(y, fe::graph::Pointwise_attributes().set_mode(fe::PointwiseMode_t::RELU_FWD));
  set_result(*y, g.y, g.dtype);
  return graph;
}

std::string message_of(fe::error_t error) {
  std::string message = error.get_message();
  if (const size_t line = message.find('\n'); line != std::string::npos) message.resize(line);
  return message;
}

Handle& handle_of(Device device) {
  static std::mutex mutex;
  static auto* const handles = new std::map<int, Handle>;
  const std::lock_guard lock(mutex);
  Handle& made = (*handles)[device.index];
  if (made.handle == nullptr) check_handle(fe::detail::create_handle(&made.handle), "making a handle");
  return made;
}

}  // namespace

std::string why_unavailable() {
  static const std::string reason = open_library();
  return reason;
}

int64_t library_version() {
  return why_unavailable().empty() ? static_cast<int64_t>(fe::detail::get_backend_version()) : 0;
}

// ---- engines ----

struct Engines::State {
  std::shared_ptr<fe::graph::Graph> graph;
  std::string text, problem;
  std::vector<std::string> names;
  std::vector<int64_t> numbers;  // engine numbers in the graph
  size_t compiled_before = 0;    // the number of engines that need no compilation
  Handle* here = nullptr;        // null: the device is not in this machine

  // Returns true if heuristics find an engine that keeps the rules. Values between the operations of a fused graph have
  // type `intermediate`, on which support depends.
  bool ask(const ConvGraph& g, const Rules& rules, DType intermediate,
           const std::shared_ptr<fe::DeviceProperties>& device) {
    graph = describe(g, intermediate);
    if (device != nullptr) graph->set_device_properties(device);
    auto error = graph->validate();
    if (error.is_good()) error = graph->build_operation_graph(here == nullptr ? nullptr : here->handle);
    if (error.is_good()) error = graph->create_execution_plans({fe::HeurMode_t::A, fe::HeurMode_t::FALLBACK});
    if (error.is_good()) {
      graph->deselect_numeric_notes(unwanted(g, rules)).deselect_workspace_greater_than(rules.most_workspace_bytes);
      error = graph->check_support();  // fails if no engine is left
    }
    if (error.is_bad()) problem = message_of(error);
    return error.is_good();
  }

  static std::vector<fe::NumericalNote_t> unwanted(const ConvGraph& g, const Rules& rules) {
    using Note = fe::NumericalNote_t;
    std::vector<Note> notes;
    if (rules.deterministic) notes.push_back(Note::NONDETERMINISTIC);
    notes.push_back(Note::REDUCED_PRECISION_REDUCTION);  // sums are f32
    const bool exact_f32 = g.dtype == DType::F32 && !rules.tensor_cores_in_f32;
    if (exact_f32)  // FFT and Winograd lose digits, too
      for (const Note note : {Note::TENSOR_CORE, Note::DOWN_CONVERT_INPUTS, Note::FFT, Note::WINOGRAD_TILE_6x6,
                              Note::WINOGRAD_TILE_13x13})
        notes.push_back(note);
    if (g.dtype != DType::F32)  // in 16 bits, exclude all transforms
      for (const Note note : {Note::FFT, Note::WINOGRAD}) notes.push_back(note);
    return notes;
  }

  void list() {
    std::vector<int64_t> later;
    for (int64_t i = 0; i < graph->get_execution_plan_count(); ++i) {
      std::vector<fe::BehaviorNote_t> notes;
      const bool known = graph->get_behavior_notes_for_plan_at_index(i, notes).is_good();
      const bool compiled =
          known && std::find(notes.begin(), notes.end(), fe::BehaviorNote_t::RUNTIME_COMPILATION) != notes.end();
      (compiled ? later : numbers).push_back(i);
    }
    compiled_before = numbers.size();
    numbers.insert(numbers.end(), later.begin(), later.end());
    for (const int64_t number : numbers) {
      names.emplace_back();
      if (graph->get_plan_name_at_index(number, names.back()).is_bad()) names.back() = str("engine ", number);
    }
  }

  // The frontend throws if a function of the library or the driver is missing: then there is no engine.
  void query(const ConvGraph& g, const Rules& rules, const std::shared_ptr<fe::DeviceProperties>& device) try {
    text = text_of(g);
    const bool fused = g.bias || g.relu;
    if (ask(g, rules, DType::F32, device) || (fused && g.dtype != DType::F32 && ask(g, rules, g.dtype, device))) {
      list();
      problem.clear();
    }
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    numbers.clear();
    names.clear();
    problem = error.what();
  }
};

// Calls the frontend and converts its exceptions to errors.
template <typename F>
fe::error_t guarded(F&& f) try {
  return f();
} catch (const std::exception& error) {
  return {fe::error_code_t::CUDNN_BACKEND_API_FAILED, error.what()};
}

Engines::Engines(const ConvGraph& graph, const Rules& rules, Device device) : state_(std::make_unique<State>()) {
  const std::string reason = why_unavailable();
  AVS_CHECK(DeviceError, reason.empty(), reason);
  state_->here = &handle_of(device);
  state_->query(graph, rules, nullptr);
}

Engines::Engines(const ConvGraph& graph, const Rules& rules, const std::string& device_description)
    : state_(std::make_unique<State>()) {
  const std::string reason = why_unavailable();
  AVS_CHECK(DeviceError, reason.empty(), reason);
  const auto properties = std::make_shared<fe::DeviceProperties>();
  const auto error = properties->deserialize({device_description.begin(), device_description.end()});
  AVS_CHECK(DeviceError, error.is_good(), "cuDNN does not accept the description of a device: ", message_of(error));
  state_->query(graph, rules, properties);
}

Engines::~Engines() = default;
Engines::Engines(Engines&&) noexcept = default;

const std::vector<std::string>& Engines::names() const { return state_->names; }
const std::string& Engines::problem() const { return state_->problem; }
bool Engines::compiled_at_run_time(size_t engine) const { return engine >= state_->compiled_before; }
bool Engines::build(size_t engine) {
  const auto error = guarded([&] { return state_->graph->build_plan_at_index(state_->numbers[engine]); });
  if (error.is_bad()) state_->problem = message_of(error);
  return error.is_good();
}
int64_t Engines::workspace_bytes(size_t engine) const {
  return state_->graph->get_workspace_size_plan_at_index(state_->numbers[engine]);
}

void Engines::run(size_t engine, const Operands& operands, void* workspace, void* stream) const {
  std::unordered_map<int64_t, void*> pointers = {{kFirst, const_cast<void*>(operands.first)},
                                                 {kSecond, const_cast<void*>(operands.second)},
                                                 {kResult, operands.result}};
  if (operands.bias != nullptr) pointers[kBias] = const_cast<void*>(operands.bias);
  state_->here->bind(stream);
  const auto error = guarded([&] {
    return state_->graph->execute_plan_at_index(state_->here->handle, pointers, workspace, state_->numbers[engine]);
  });
  AVS_CHECK(DeviceError, error.is_good(), "cuDNN: ", message_of(error), " in ", state_->text);
}

}  // namespace avs::cuda::cudnn
