#include "tensor/cpu/onednn.h"

#include <algorithm>
#include <map>
#include <unordered_map>

#include "tensor/parallel.h"

namespace avs::cpu::onednn {
namespace {

// One stream per host thread: threads must not share a stream, and making one is cheap.
dnnl::stream& stream() {
  thread_local dnnl::stream of_this_thread(engine());
  return of_this_thread;
}

}  // namespace

const dnnl::engine& engine() {
  static const dnnl::engine the_engine(dnnl::engine::kind::cpu, 0);
  return the_engine;
}

dnnl::primitive_attr attributes() {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attr;
}

Desc any(const Dims& dims) { return {dims, dnnl::memory::data_type::f32, dnnl::memory::format_tag::any}; }
Desc strided(const Dims& dims, const Dims& strides) { return {dims, dnnl::memory::data_type::f32, strides}; }
Desc nhwc(const Dims& nchw) { return {nchw, dnnl::memory::data_type::f32, dnnl::memory::format_tag::nhwc}; }

Primitive::Primitive(const dnnl::primitive_desc_base& description, dnnl::primitive primitive,
                     std::vector<Operand> operands)
    : primitive_(std::move(primitive)),
      scratchpad_(description.scratchpad_desc()),
      implementation_(description.impl_info_str()) {
  for (Operand& operand : operands) {
    Argument argument{operand, description.query_md(dnnl::query::exec_arg_md, operand.id), {}};
    if (argument.wanted != operand.plain) {
      const bool in = operand.role == Role::Input;
      argument.reorder =
          dnnl::reorder(dnnl::reorder::primitive_desc(engine(), in ? operand.plain : argument.wanted, engine(),
                                                      in ? argument.wanted : operand.plain, attributes()));
    }
    arguments_.push_back(std::move(argument));
  }
}

dnnl::memory Primitive::kept_layout(const Argument& argument, const dnnl::memory& plain, KeptLayouts& kept) {
  const std::lock_guard lock(kept.mutex);
  for (auto& [desc, data] : kept.layouts)
    if (desc == argument.wanted) return dnnl::memory(desc, engine(), data.raw());
  Tensor data = Tensor::empty({static_cast<int64_t>(argument.wanted.get_size())}, DType::U8);
  const dnnl::memory own(argument.wanted, engine(), data.raw());
  argument.reorder.execute(stream(), {{DNNL_ARG_FROM, plain}, {DNNL_ARG_TO, own}});
  stream().wait();
  kept.layouts.emplace_back(argument.wanted, data);
  return own;
}

void Primitive::run(std::initializer_list<Binding> bindings) const {
  try {
    std::vector<std::unique_ptr<Storage>> scratch;  // alive until the stream has finished
    const auto scratch_memory = [&](const Desc& desc) {
      scratch.push_back(std::make_unique<Storage>(kCpu, desc.get_size()));
      return dnnl::memory(desc, engine(), scratch.back()->data());
    };
    std::unordered_map<int, dnnl::memory> arguments;
    std::vector<std::function<void()>> afterwards;
    if (scratchpad_.get_size() > 0) arguments.emplace(DNNL_ARG_SCRATCHPAD, scratch_memory(scratchpad_));

    for (const Binding& binding : bindings) {
      const auto argument = std::find_if(arguments_.begin(), arguments_.end(),
                                         [&](const Argument& a) { return a.operand.id == binding.id; });
      AVS_CHECK(DeviceError, argument != arguments_.end(), "oneDNN: argument ", binding.id, " was not described");
      const dnnl::memory plain(argument->operand.plain, engine(), const_cast<void*>(binding.data));
      if (!argument->reorder) {
        arguments.emplace(binding.id, plain);
        continue;
      }
      if (binding.kept != nullptr) {
        arguments.emplace(binding.id, kept_layout(*argument, plain, *binding.kept));
        continue;
      }
      const dnnl::memory own = scratch_memory(argument->wanted);
      arguments.emplace(binding.id, own);
      const bool in = argument->operand.role == Role::Input;
      const std::unordered_map<int, dnnl::memory> moved = {{DNNL_ARG_FROM, in ? plain : own},
                                                           {DNNL_ARG_TO, in ? own : plain}};
      const auto reorder = [moved, &step = argument->reorder] { step.execute(stream(), moved); };
      in ? reorder() : afterwards.push_back(reorder);
    }
    primitive_.execute(stream(), arguments);
    for (const auto& reorder : afterwards) reorder();
    stream().wait();
  } catch (const dnnl::error& error) {
    throw DeviceError(str("oneDNN: ", error.what(), " (", implementation_, ")"));
  }
}

std::shared_ptr<const Primitive> cached(const char* what, const std::vector<int64_t>& key,
                                        const std::function<Primitive()>& make) {
  static std::mutex mutex;
  static auto* const cache = new std::map<std::vector<int64_t>, std::shared_ptr<const Primitive>>;
  constexpr size_t kMost = 2000;  // a network has at most a few hundred; images of many sizes must not fill memory

  std::vector<int64_t> full = key;
  full.push_back(thread_count());
  const std::lock_guard lock(mutex);
  if (const auto found = cache->find(full); found != cache->end()) return found->second;
  if (cache->size() >= kMost) cache->clear();
  try {
    return (*cache)[full] = std::make_shared<const Primitive>(make());
  } catch (const dnnl::error& error) {
    cache->erase(full);
    throw DeviceError(str(what, ": oneDNN: ", error.what()));
  }
}

}  // namespace avs::cpu::onednn
