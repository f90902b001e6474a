#include "models/training/memory_plan.h"

#include <fmt/format.h>

#include <cmath>
#include <map>

#include "layers/optim/weight_average.h"
#include "models/training/captured_step.h"

namespace avs {
namespace {

enum Kind : size_t { kParameters, kGradients, kOptimizer, kActivations, kWorkspaces, kKinds };

Kind kind_of(const MemoryTrace::Item& item) {
  if (item.holder == "gradients") return kGradients;
  if (item.holder == "optimizer" || item.holder == "averaged weights") return kOptimizer;
  if (item.standing || item.holder == "parameters") return kParameters;
  if (item.made == Pass::Back) return item.gone && item.freed == Pass::Outside ? kGradients : kWorkspaces;
  return item.made == Pass::Onward && item.gone && item.freed == Pass::Onward ? kWorkspaces : kActivations;
}

// ---- what is measured ----

// Noise as loud as real inputs: a network that it drives to NaN ends the step early.
Tensor noise(const Backbone& model, int64_t n) {
  const Shape sample = model.input_shape();
  std::vector<float> values(static_cast<size_t>(n * sample.size()));
  Rng rng(n);
  for (float& v : values)
    v = static_cast<float>(is_sound(model.modality()) ? rng.normal() : std::floor(rng.uniform(0, 256)));
  return Tensor::from({n, sample[0], sample[1], sample[2]}, std::span<const float>(values));
}

Tensor some_labels(int64_t n, int64_t classes) {
  Tensor t = Tensor::zeros({n, classes});
  for (int64_t i = 0; i < n; ++i) t.data<float>()[i * classes + i % classes] = 1.0f;
  return t;
}

struct Step {
  Backbone& model;
  Adam& optimizer;
  StepPattern pattern;
  std::optional<CapturedStep> captured = {};  // keeps what a graph keeps until the next step

  bool as_graph() const { return pattern.as_graph && model.device().is_cuda(); }
  void run(int64_t n) {
    const Tensor x = noise(model, n), y = some_labels(n, model.options().classes);
    StepSettings settings;
    settings.learning_rate = 1e-7;
    settings.mixup.scheme = pattern.mixup;
    captured.reset();
    if (!as_graph()) {
      train_step(model, optimizer, x, y, settings);
      return;
    }
    captured.emplace(model, optimizer).start(x, y, settings);
    captured->finish();
  }
};

void run_inference(Backbone& model, int64_t n) {
  const NoGrad inference;
  const Tensor x = noise(model, n);
  model.eval();
  model.run(x);
}

}  // namespace

// ---- from two traces to a plan ----

namespace {

// Two tensors that are one in the step, at twice the batch.
bool may_be_one(const MemoryTrace::Item& small, const MemoryTrace::Item& large) {
  constexpr size_t kRounding = 4096;  // sizes that are cut into whole tiles
  return small.made == large.made && small.freed == large.freed && small.gone == large.gone &&
         small.standing == large.standing && small.bytes <= large.bytes && large.bytes <= 2 * small.bytes + kRounding &&
         small.holder == large.holder;
}

// For each tensor of the larger step the same one of the smaller, or -1. The two lists differ where a kernel wants
// scratch memory at one batch size only: the longest common subsequence.
std::vector<int64_t> counterparts(const std::vector<MemoryTrace::Item>& small,
                                  const std::vector<MemoryTrace::Item>& large) {
  const size_t n = small.size(), m = large.size();
  std::vector<uint16_t> longest((n + 1) * (m + 1), 0);  // for small[i ..] and large[j ..]
  const auto at = [&](size_t i, size_t j) -> uint16_t& { return longest[i * (m + 1) + j]; };
  for (size_t i = n; i-- > 0;)
    for (size_t j = m; j-- > 0;)
      at(i, j) = may_be_one(small[i], large[j]) ? static_cast<uint16_t>(at(i + 1, j + 1) + 1)
                                                : std::max(at(i + 1, j), at(i, j + 1));
  std::vector<int64_t> found(m, -1);
  for (size_t i = 0, j = 0; i < n && j < m;) {
    if (may_be_one(small[i], large[j]))
      found[j++] = static_cast<int64_t>(i++);
    else if (at(i + 1, j) >= at(i, j + 1))
      ++i;
    else
      ++j;
  }
  return found;
}

}  // namespace

MemoryPlan::Course MemoryPlan::joined(const MemoryTrace& small, const MemoryTrace& large, int64_t smallest) {
  Course course;
  const std::vector<int64_t> same = counterparts(small.items(), large.items());
  size_t alone = 0;
  for (size_t j = 0; j < large.items().size(); ++j) {
    const MemoryTrace::Item& item = large.items()[j];
    const auto b = static_cast<double>(item.bytes);
    const double a = same[j] < 0 ? b : static_cast<double>(small.items()[static_cast<size_t>(same[j])].bytes);
    const double per_sample = (b - a) / static_cast<double>(smallest);
    alone += same[j] < 0;
    course.items.push_back(
        {a - per_sample * static_cast<double>(smallest), per_sample, kind_of(item), item.holder, item.standing});
  }
  if (alone * 4 > large.items().size()) return {};  // two different steps
  course.events = large.events();
  return course;
}

size_t MemoryPlan::Course::peak(int64_t batch, Device device, MemoryNeed* need) const {
  std::vector<size_t> sizes;
  size_t live = 0, peak = 0, at = 0;  // at: so many events have passed
  for (const Item& item : items) {
    const double bytes = item.fixed + item.per_sample * static_cast<double>(batch);
    sizes.push_back(taken_bytes(device, static_cast<size_t>(std::max(0.0, std::round(bytes)))));
    if (item.standing) live += sizes.back();
  }
  peak = live;
  for (size_t i = 0; i < events.size(); ++i) {
    live = events[i].comes ? live + sizes[events[i].item] : live - sizes[events[i].item];
    if (live > peak) {
      peak = live;
      at = i + 1;
    }
  }
  if (need == nullptr) return peak;
  std::vector<bool> lives(items.size());
  for (size_t i = 0; i < items.size(); ++i) lives[i] = items[i].standing;
  for (size_t i = 0; i < at; ++i) lives[events[i].item] = events[i].comes;
  std::array<size_t, kKinds> sums{};
  std::map<std::string, size_t> activations;
  for (size_t i = 0; i < items.size(); ++i) {
    if (!lives[i]) continue;
    sums[items[i].kind] += sizes[i];
    if (items[i].kind == kActivations) activations[items[i].holder] += sizes[i];
  }
  need->parameters = sums[kParameters];
  need->gradients = sums[kGradients];
  need->optimizer = sums[kOptimizer];
  need->activations = sums[kActivations];
  need->workspaces = sums[kWorkspaces];
  size_t most = 0;
  for (const auto& [holder, bytes] : activations)
    if (bytes > most) {
      most = bytes;
      need->largest = str(holder, " ", as_size(bytes));
    }
  return peak;
}

MemoryPlan::MemoryPlan(Backbone& model, Adam& optimizer, const StepPattern& pattern, int64_t smallest)
    : device_(model.device()), as_graph_(pattern.as_graph && model.device().is_cuda()) {
  Step step{model, optimizer, pattern};
  const auto traced = [&](int64_t n, auto&& work) {
    work(n);  // makes what is kept, and tries out what a first call tries
    step.captured.reset();
    auto trace = std::make_unique<MemoryTrace>(device_);
    work(n);
    trace->stop();
    step.captured.reset();
    return trace;
  };
  const auto plan = [&](auto&& work) {
    for (const int64_t n : {smallest, 2 * smallest}) {
      const auto small = traced(n, work), large = traced(2 * n, work);
      if (Course course = joined(*small, *large, n); !course.items.empty()) return course;
    }
    throw Error(str("no memory plan: ", model.options().model, " asks for other tensors at every batch size"));
  };
  step_ = plan([&](int64_t n) { step.run(n); });
  inference_ = plan([&](int64_t n) {
    model.train();  // gives back what inference mode keeps
    run_inference(model, n);
  });
  model.train();
}

MemoryNeed MemoryPlan::at(int64_t batch) const {
  MemoryNeed need{.batch = batch};
  need.peak = step_.peak(batch, device_, &need);
  const size_t beside = inference_.peak(batch, device_);  // optimizer and gradients stand
  size_t standing = 0, of_training = 0;
  for (const Item& item : inference_.items) {
    if (!item.standing) continue;
    const size_t bytes = taken_bytes(device_, static_cast<size_t>(std::round(item.fixed)));
    standing += bytes;
    if (item.kind == kGradients || item.kind == kOptimizer) of_training += bytes;
  }
  need.inference = beside - of_training;
  need.training = as_graph_ ? need.peak + beside - standing : std::max(need.peak, beside);
  return need;
}

int64_t MemoryPlan::largest_batch(size_t bytes) const {
  int64_t fits = 0, too_large = 1;
  while (too_large < (int64_t{1} << 20) && at(too_large).training <= bytes) {
    fits = too_large;
    too_large *= 2;
  }
  while (too_large - fits > 1) {
    const int64_t between = (fits + too_large) / 2;
    (at(between).training <= bytes ? fits : too_large) = between;
  }
  return fits;
}

// ---- what fits ----

std::string what_would_fit(Backbone& model, Adam& optimizer, const StepPattern& pattern, int64_t batch,
                           bool recompute) {
  const size_t all = room(model.device()), usable = all / 10 * 9;  // the sum may fit where one piece does not
  const auto plan = [&]() -> std::optional<MemoryPlan> {
    for (const int64_t smallest : {2, 1}) try {
        return MemoryPlan(model, optimizer, pattern, smallest);
      } catch (const OutOfMemory&) {
        for (const Parameter* parameter : model.parameters()) parameter->variable.zero_grad();
      }
    return std::nullopt;
  };
  const auto told = [&](const std::optional<MemoryPlan>& memory) {
    const int64_t most = memory ? std::min(memory->largest_batch(usable), batch - 1) : 0;
    return str("--batch ", batch, " takes ", memory ? as_size(memory->at(batch).training) : "more",
               most > 0 ? str(", --batch ", most, " would fit") : ", not even --batch 1 would fit");
  };
  model.recompute_stages(recompute);
  std::string text = str("of ", as_size(all), " ", told(plan()));
  if (recompute) return text;
  model.recompute_stages(true);
  return str(text, "; with --recompute ", told(plan()));
}

// ---- networks of their own ----

namespace {

struct MadeRun {
  std::unique_ptr<Backbone> model;
  std::optional<ParameterArena> arena;
  std::optional<Adam> adam;
  std::optional<WeightAverage> average;

  explicit MadeRun(const PlannedRun& run) : model(make_backbone(run.network, FirstWeights::NotDrawn)) {
    place(*model, run.placement);
    model->recompute_stages(run.recompute);
    arena.emplace(*model);
    adam.emplace(*arena, AdamOptions{});
    if (run.averaged_weights) average.emplace(*arena, 0.99f);
  }
};

}  // namespace

MemoryPlan plan_memory(const PlannedRun& run) {
  MadeRun made(run);
  return {*made.model, *made.adam, run.pattern};
}

MeasuredPeaks measure_memory(const PlannedRun& run, int64_t batch) {
  MeasuredPeaks peaks;
  Context& on = context(run.placement.device);
  {
    MadeRun made(run);
    Step step{*made.model, *made.adam, run.pattern};
    step.run(batch);
    step.captured.reset();
    on.reset_peak();
    step.run(batch);
    peaks.step = on.memory().peak_bytes;
  }
  const auto network = make_backbone(run.network, FirstWeights::NotDrawn);
  place(*network, run.placement);
  run_inference(*network, batch);
  network->train();
  on.reset_peak();
  run_inference(*network, batch);
  peaks.inference = on.memory().peak_bytes;
  return peaks;
}

std::string table_of(const std::vector<MemoryNeed>& needs) {
  const auto mb = [](size_t bytes) { return static_cast<double>(bytes) / 1e6; };
  std::string text =
      fmt::format("{:>6} {:>11} {:>10} {:>10} {:>12} {:>11} {:>10} {:>10}  MB; most activations\n", "batch",
                  "parameters", "gradients", "optimizer", "activations", "workspaces", "peak", "inference");
  for (const MemoryNeed& n : needs)
    text += fmt::format("{:>6} {:>11.1f} {:>10.1f} {:>10.1f} {:>12.1f} {:>11.1f} {:>10.1f} {:>10.1f}  {}\n", n.batch,
                        mb(n.parameters), mb(n.gradients), mb(n.optimizer), mb(n.activations), mb(n.workspaces),
                        mb(n.peak), mb(n.inference), n.largest);
  return text;
}

}  // namespace avs
