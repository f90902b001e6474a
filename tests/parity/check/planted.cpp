#include "tests/parity/check/planted.h"

#include <algorithm>
#include <utility>

namespace avs::parity {
namespace {

// ---- parts of mistakes ----

// Swaps two equal middle axes of [a, b, c, d]: rows and columns.
Tensor with_middle_axes_swapped(const Tensor& x, int first) {
  Tensor y = x.clone();
  const Shape& shape = x.shape();
  const int64_t r = shape[first], s = shape[first + 1];
  int64_t outer = 1;
  for (int axis = 0; axis < first; ++axis) outer *= shape[axis];
  const int64_t inner = shape.size() / (outer * r * s);
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t i = 0; i < r; ++i)
      for (int64_t j = 0; j < s; ++j)
        std::copy_n(x.data<float>() + ((o * r + j) * s + i) * inner, inner,
                    y.data<float>() + ((o * r + i) * s + j) * inner);
  return y;
}

bool swap_axes(Tensor& x, int first) {
  const Shape& shape = x.shape();
  if (shape[first] != shape[first + 1] || shape[first] == 1) return false;
  x = with_middle_axes_swapped(x, first);
  return true;
}

bool set(Json& spec, const char* key, const Json& value) {
  if (spec.contains(key) && spec.at(key) == value) return false;
  spec[key] = value;
  return true;
}

bool flip(Json& spec, const char* key, const char* one, const char* other) {
  if (!spec.contains(key)) return false;
  spec[key] = spec.at(key) == one ? other : one;
  return true;
}

bool is_op(const Case& c, const char* prefix) {
  return c.kind == "op" && c.spec.at("op").get<std::string>().starts_with(prefix);
}

// Returns every parameter or buffer whose name has this ending.
std::vector<std::string> inputs_ending(const Case& c, const std::string& ending) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : c.inputs)
    if (name.ends_with(ending)) names.push_back(name);
  return names;
}

bool exchange(Case& c, const std::string& one, const std::string& other) {
  const auto names = inputs_ending(c, one);
  for (const std::string& name : names)
    std::swap(c.inputs.at(name), c.inputs.at(name.substr(0, name.size() - one.size()) + other));
  return !names.empty();
}

bool of(const Case& c, const char* model) {
  return c.spec.contains("backbone") && c.spec.at("backbone").at("model").get<std::string>().starts_with(model);
}

// ---- the list ----

std::vector<Mistake> of_ops() {
  const std::string row = "ops";
  return {
      {"filter rows and columns exchanged", row, "conv2d reads filters [k, s, r, c]",
       [](Case& c) { return is_op(c, "conv2d") && swap_axes(c.inputs.at("w"), 1); }},
      {"depthwise filter exchanged", row, "depthwise filters read as [s, r, c]",
       [](Case& c) { return is_op(c, "depthwise") && swap_axes(c.inputs.at("w"), 0); }},
      {"padding on the wrong side", row, "an even filter's extra padding goes above and to the left",
       [](Case& c) {
         if (!c.spec.contains("padding")) return false;
         const auto p = c.spec.at("padding").get<std::vector<int64_t>>();
         c.spec["padding"] = {p[1], p[0], p[3], p[2]};
         return p[0] != p[1] || p[2] != p[3];
       }},
      {"missed transpose", row, "a square weight read as [in, out]",
       [](Case& c) { return is_op(c, "linear") && swap_axes(c.inputs.at("w"), 0); }},
      {"another epsilon", row, "normalisations with ten times their epsilon",
       [](Case& c) {
         if (!c.spec.contains("epsilon")) return false;
         c.spec["epsilon"] = 10 * c.spec.at("epsilon").get<double>();
         return true;
       }},
      {"padding averaged in", row, "average pools count padding where they should not, and the reverse",
       [](Case& c) {
         return is_op(c, "avg_pool2d") && c.spec.at("padding") != Json({0, 0, 0, 0}) &&
                flip(c.spec, "counting", "counted", "ignored");
       }},
      {"momentum the other way round", row, "Keras' 0.99 taken for PyTorch's momentum",
       [](Case& c) {
         return is_op(c, "batch_norm") && c.spec.contains("new_value_weight") &&
                set(c.spec, "new_value_weight", 1 - c.spec.at("new_value_weight").get<double>());
       }},
      {"another dropout stream", row, "the mask of another layer",
       [](Case& c) { return is_op(c, "dropout") && set(c.spec, "stream", c.spec.at("stream").get<int>() + 1); }},
      {"no clipping", "KL with clipping", "probabilities and labels as they are",
       [](Case& c) { return is_op(c, "softmax_kl") && set(c.spec, "clip", 1e-30); }},
  };
}

std::vector<Mistake> of_networks() {
  const std::string row = "networks";
  return {
      {"padding averaged in, in InceptionV3", row, "Keras' average pools for torchvision's, and the reverse",
       [](Case& c) { return of(c, "vis-inc") && flip(c.spec["backbone"], "pool_padding", "counted", "ignored"); }},
      {"mean and variance exchanged", row, "running statistics in the order of another library",
       [](Case& c) { return exchange(c, ".running_mean", ".running_variance"); }},
      {"gamma and beta exchanged", row, "BatchNorm's parameters in the order of another library",
       [](Case& c) { return exchange(c, ".gamma", ".beta"); }},
      {"one filter exchanged", row, "rows and columns of one 3x3 or 7x7 filter of the whole network",
       [](Case& c) {
         for (auto& [name, tensor] : c.inputs) {
           const bool depthwise = name.ends_with("depthwise.weight");
           if (name.ends_with(".weight") && tensor.shape().rank() >= 3 && swap_axes(tensor, depthwise ? 0 : 1))
             return true;
         }
         return false;
       }},
      {"pixels in the order blue, green, red", row, "a picture's channels reversed",
       [](Case& c) {
         if (!of(c, "vis-")) return false;
         float* const x = c.inputs.at("x").data<float>();
         for (int64_t i = 0; i < c.inputs.at("x").size(); i += 3) std::swap(x[i], x[i + 2]);
         return true;
       }},
  };
}

std::vector<Mistake> of_steps() {
  const std::string row = "ten steps";
  return {
      {"the other epsilon", row, "Adam's epsilon in Keras' form for PyTorch's, and the reverse",
       [](Case& c) { return flip(c.spec.at("adam"), "placement", "hat", "corrected"); }},
      {"no L2", row, "the penalty left out of the gradient", [](Case& c) { return set(c.spec.at("adam"), "l2", 0); }},
      {"statistics that follow faster", row, "BatchNorm's running statistics with PyTorch's default momentum",
       [](Case& c) { return !of(c, "vis-conv") && set(c.spec.at("backbone"), "batch_norm_new_value_weight", 0.1); }},
      {"no mixup", row, "training on the batch as it is", [](Case& c) { return set(c.spec, "mixup", "none"); }},
      {"dropout of another run", row, "masks and mixup drawn from another seed",
       [](Case& c) { return set(c.spec, "seed", c.spec.at("seed").get<int>() + 1); }},
  };
}

std::vector<Mistake> of_rules() {
  return {
      {"off by one step", "schedules", "a schedule one step longer",
       [](Case& c) { return set(c.spec, "total_steps", c.spec.at("total_steps").get<int>() + 1); }},
      {"no warm-up", "schedules", "cosine from the start",
       [](Case& c) { return c.spec.at("schedule") == "cosine" && set(c.spec, "warm_fraction", 0.0); }},
      {"another decay", "moving average", "0.9 for 0.999 and the like",
       [](Case& c) { return set(c.spec, "decay", c.spec.at("decay").get<double>() * 0.9); }},
      {"another alpha", "mixup", "lambda ~ Beta(1, 1) for Beta(0.4, 0.4)",
       [](Case& c) { return set(c.spec, "alpha", 1.0); }},
      {"another seed", "mixup", "partners and lambdas of another seed",
       [](Case& c) { return set(c.spec, "seed", c.spec.at("seed").get<int>() + 1); }},
      {"the other epsilon, one step", "Adam", "epsilon in Keras' form for PyTorch's, and the reverse",
       [](Case& c) { return flip(c.spec, "placement", "hat", "corrected"); }},
      {"the step miscounted", "Adam", "the bias correction of the step after",
       [](Case& c) { return set(c.spec, "t", c.spec.at("t").get<int>() + 1); }},
  };
}

// Swaps the two channels of each pair.
void exchange_pairs(Tensor& x) {
  for (int64_t i = 0; i + 1 < x.size(); i += 2) std::swap(x.data<float>()[i], x.data<float>()[i + 1]);
}

// Delays x [frames, channels].
void delay_by(int64_t frames, Tensor& x) {
  const int64_t values = frames * x.shape()[1];
  std::rotate(x.data<float>(), x.data<float>() + (x.size() - values), x.data<float>() + x.size());
}
void delay_one_sample(Tensor& x) { delay_by(1, x); }
void delay_two_milliseconds(Tensor& x) { delay_by(64, x); }  // at 32 kHz

bool on_drawn_sound(Case& c, void (*spoil)(Tensor&)) {
  if (!c.inputs.contains("x")) return false;
  spoil(c.inputs.at("x"));
  return true;
}

std::vector<Mistake> of_sound_and_pictures() {
  std::vector<Mistake> list;
  for (const std::string row : {"MEL, GAM", "CQT", "deltas"}) {
    list.push_back({"window shifted: " + row, row, "every window two of its 80 milliseconds early",
                    [](Case& c) { return on_drawn_sound(c, delay_two_milliseconds); }});
    list.push_back({"channels exchanged: " + row, row, "right before left",
                    [](Case& c) { return on_drawn_sound(c, exchange_pairs); }});
  }
  list.push_back({"another constant-Q range", "CQT", "24 bins an octave for 12, and the reverse",
                  [](Case& c) { return flip(c.spec, "range", "full", "author"); }});
  list.push_back({"one sample late", "resampling", "a filter's delay forgotten",
                  [](Case& c) { return on_drawn_sound(c, delay_one_sample); }});
  list.push_back({"the frame before", "frames", "each interval shows the picture of the one before",
                  [](Case& c) { return set(c.spec, "late_by", 1); }});
  return list;
}

std::vector<Mistake> of_fusions_and_metrics() {
  return {
      {"two backbones exchanged", "fusions",
       "the embeddings of one sound and one picture network in each other's place",
       [](Case& c) {
         std::swap(c.inputs.at("aud-mel"), c.inputs.at("vis-inc"));
         return c.spec.at("fusion").at("method") != "f1" && c.spec.at("fusion").at("method") != "f4";
       }},
      {"a ReLU too many", "fusions", "the sums pass through a ReLU",
       [](Case& c) { return set(c.spec.at("fusion"), "activation", "relu"); }},
      {"no L2 in Phase II", "fusions", "the penalty left out", [](Case& c) { return set(c.spec, "l2", 0.0); }},
      {"confusion transposed", "metrics", "predictions taken for labels",
       [](Case& c) {
         Tensor& p = c.inputs.at("probabilities");
         Tensor& labels = c.inputs.at("labels");
         const int64_t classes = p.shape()[1];
         for (int64_t i = 0; i < labels.size(); ++i) {
           float* const row = p.data<float>() + i * classes;
           const auto best = static_cast<int32_t>(std::max_element(row, row + classes) - row);
           std::swap(row[best], row[labels.data<int32_t>()[i]]);
           labels.data<int32_t>()[i] = best;
         }
         return true;
       }},
  };
}

}  // namespace

const std::vector<Mistake>& mistakes() {
  static const std::vector<Mistake> all = [] {
    std::vector<Mistake> list;
    for (const auto& part :
         {of_ops(), of_networks(), of_steps(), of_rules(), of_sound_and_pictures(), of_fusions_and_metrics()})
      list.insert(list.end(), part.begin(), part.end());
    return list;
  }();
  return all;
}

Catch catch_of(const Mistake& mistake, const std::vector<Case>& cases) {
  Catch result;
  double clearest = 0;
  for (const Case& original : cases) {
    if (original.row != mistake.row) continue;
    Case c = original;
    if (!mistake.plant(c)) continue;
    ++result.cases;
    const Difference found = worst(differences(c, answer(c)));
    if (!found.is_over()) continue;
    ++result.caught;
    const double share = found.share();
    if (result.by.empty() || share > clearest) {
      clearest = share;
      result.by = c.name + ": " + found.output;
      result.error = found.error;
      result.tolerance = found.tolerance;
    }
  }
  return result;
}

}  // namespace avs::parity
