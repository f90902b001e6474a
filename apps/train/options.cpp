#include "apps/train/options.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "apps/cli/config_file.h"
#include "models/backbone.h"
#include "models/fusion.h"
#include "tensor/error.h"
#include "tensor/require.h"

namespace avs {
namespace {

std::string toml_of(const std::string& text) { return toml_string(text); }
std::string toml_of(bool value) { return value ? "true" : "false"; }
template <typename T>
requires std::is_arithmetic_v<T> std::string toml_of(T value) {
  if constexpr (std::is_same_v<T, uint64_t>)  // TOML's integers are signed
    if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return fmt::format("\"{}\"", value);
  return fmt::format("{}", value);
}
std::string toml_of(const std::vector<std::string>& values) {
  std::string list;
  for (const std::string& value : values) list += (list.empty() ? "" : ",") + toml_string(value);
  return "[" + list + "]";
}

template <typename Options>
std::string toml_lines(const Options& options, const std::function<bool(Role)>& wanted) {
  std::string text;
  visit_options(options, [&](const char* name, const auto& value, Role role, const char*) {
    const std::string written = toml_of(value);
    if (wanted(role) && written != "[]") text += str(name, " = ", written, "\n");  // no line: none
  });
  return text;
}

template <typename Options>
void add_all(Flags& flags, Options& options) {
  visit_options(options, [&flags](const char* name, auto& field, Role, const char* help) {
    const std::string flag = std::string("--") + name;
    if constexpr (std::is_same_v<decltype(field), bool&>) {
      flags.add(flag, field, help);
    } else if constexpr (std::is_same_v<decltype(field), std::vector<std::string>&>) {
      flags.add(flag, field, help).joined_by_commas();
    } else {
      flags.add(flag, field, help).shows_default().last_counts();  // so that scripts can override
    }
  });
  const auto one_of = [&flags](const char* flag, std::vector<std::string> values) {
    flags.flag(flag).one_of(std::move(values));
  };
  one_of("--schedule", {"constant", "cosine", "one-cycle"});
  one_of("--mixup", {"author", "beta", "none"});
  one_of("--epsilon-placement", {"hat", "corrected"});
  flags.flag("--device").checked_by(check_device_name, "auto, cpu, cuda, cuda:N");
  flags.flag("--threads").within(0, 1024);
  flags.flag("--out").required();
}

constexpr int64_t kMaxRows = 1'000'000;

void check_learning(const LearningOptions& o) {
  require<UsageError>(o.batch >= 1 && o.batch <= kMaxRows, "--batch must lie in 1 .. ", kMaxRows, ", got ", o.batch);
  require<UsageError>(o.epochs <= kMaxRows, "--epochs must be at most ", kMaxRows, ", got ", o.epochs);
  require<UsageError>(o.learning_rate > 0, "--lr must be above 0, got ", o.learning_rate);
  require<UsageError>(o.warm_up >= 0 && o.warm_up < 1, "--warm-up must lie in [0, 1), got ", o.warm_up);
  require<UsageError>(o.mixup_alpha > 0, "--mixup-alpha must be above 0, got ", o.mixup_alpha);
  require<UsageError>(o.l2 >= 0, "--l2 must not be negative, got ", o.l2);
  require<UsageError>(o.adam_epsilon > 0, "--adam-epsilon must be above 0, got ", o.adam_epsilon);
  require<UsageError>(o.max_gradient_norm >= 0, "--max-gradient-norm must not be negative, got ", o.max_gradient_norm);
  require<UsageError>(o.ema >= 0 && o.ema < 1, "--ema must lie in [0, 1), got ", o.ema);
}

}  // namespace

void add_options(Flags& flags, BackboneTraining& options) {
  add_all(flags, options);
  flags.flag("--model").one_of(backbone_names());
  flags.flag("--dtype").one_of({"auto", "f32", "bf16", "f16"});
  flags.flag("--augment").one_of({"flip", "crop", "specaugment", "shift"});
  flags.flag("--memory-limit").takes_units();
  restrict_weight_options(flags);
}

void add_options(Flags& flags, FusionTraining& options) {
  add_all(flags, options);
  flags.flag("--embeddings").required();
  flags.flag("--method").required().one_of({"f1", "f2", "f3", "f4", "f5", "f6"});
}

std::string to_toml(const BackboneTraining& options) {
  return toml_lines(options, [](Role role) { return role != Role::Action; });
}
std::string to_toml(const FusionTraining& options) {
  return toml_lines(options, [](Role role) { return role != Role::Action; });
}
std::string identity_toml(const BackboneTraining& options) {
  return toml_lines(options, [](Role role) { return role == Role::Identity; });
}
std::string identity_toml(const FusionTraining& options) {
  return toml_lines(options, [](Role role) { return role == Role::Identity; });
}

void apply_fine_tuning_defaults(BackboneTraining& options, const Flags& flags) {
  if (options.weights.empty()) return;
  const auto set = [&](const char* flag, auto& field, const auto& value) {
    if (!flags.given(flag)) field = value;
  };
  set("--lr", options.learning.learning_rate, 1e-3);
  set("--imported-lr", options.imported_lr, 0.1);
  set("--schedule", options.learning.schedule, "cosine");
}

void check(const BackboneTraining& o) {
  check_learning(o.learning);
  require<UsageError>(o.learning.epochs >= 1, "--epochs must be at least 1, got ", o.learning.epochs);
  require<UsageError>(!o.model.empty(), "--model is required");
  require<UsageError>(o.cache.empty() != o.data.empty(), "give either --cache or --data");
  require<UsageError>(o.imported_lr > 0, "--imported-lr must be above 0, got ", o.imported_lr,
                      "; --freeze keeps layers as they are");
  require<UsageError>(!o.weights.empty() || o.imported_lr == 1,
                      "--imported-lr is the rate of what --weights filled, and there is no --weights");
  require<UsageError>(!o.weights.empty() || (o.published.pool_padding == "file" && o.published.input_scale == "file"),
                      "--pool-padding and --input-scale are about the file of --weights, and there is none");
  require<UsageError>(!o.weights.empty() || o.freeze.empty(),
                      "--freeze keeps imported layers, and there is no --weights: they would stay random");
  if (!o.freeze.empty()) make_backbone({.model = o.model, .width = 0.01})->freeze_through(o.freeze);
  require<UsageError>(o.frames_per_clip >= 0, "--frames-per-clip must not be negative, got ", o.frames_per_clip);
  require<UsageError>(o.workers >= 0 && o.workers <= 256, "--workers must lie in 0 .. 256, got ", o.workers);
  require<UsageError>(o.log_steps >= 1, "--log-steps must be at least 1, got ", o.log_steps);
  require<UsageError>(o.checkpoint_steps >= 0, "--checkpoint-steps must not be negative, got ", o.checkpoint_steps);
  require<UsageError>(o.checkpoint_minutes >= 0, "--checkpoint-minutes must not be negative, got ",
                      o.checkpoint_minutes);
  require<UsageError>(o.batch_norm_momentum >= 0 && o.batch_norm_momentum < 1,
                      "--batch-norm-momentum must lie in [0, 1), got ", o.batch_norm_momentum);
  require<UsageError>(o.dropout >= 0 && o.dropout < 1, "--dropout must lie in [0, 1), got ", o.dropout);
  for (const std::string& name : o.augment) {
    const bool for_sound = name == "specaugment" || name == "shift";
    require<UsageError>(for_sound == is_sound(modality_of(o.model)), "--augment ", name, " does not fit ", o.model,
                        ": flip and crop are for frames, specaugment and shift for spectrograms");
  }
}

void check(const FusionTraining& options) {
  check_learning(options.learning);
  require<UsageError>(options.learning.epochs >= 0, "--epochs must not be negative, got ", options.learning.epochs);
}

BackboneTraining resumed_options(const BackboneTraining& given, const Flags& flags, const std::string& config_file) {
  BackboneTraining saved;
  Flags reader("");
  add_options(reader, saved);
  reader.flag("--out").required(false);
  reader.read_toml(config_file);

  std::string conflicts;
  std::map<std::string, std::string> asked;
  visit_options(given, [&](const char* name, const auto& value, Role, const char*) { asked[name] = toml_of(value); });
  visit_options(saved, [&](const char* name, const auto& value, Role role, const char*) {
    const bool was_given = flags.given(std::string("--") + name);
    const bool may_change =
        role != Role::Identity || (std::string_view(name) == "epochs" && saved.learning.schedule == "constant");
    if (was_given && !may_change && asked[name] != toml_of(value))
      conflicts += str("\n    --", name, " ", asked[name], " (the run has ", toml_of(value), ")");
  });
  if (conflicts.find("--epochs ") != std::string::npos)
    conflicts += "\n  (epochs can be added under --schedule constant: others are planned to their end)";
  if (!conflicts.empty()) throw UsageError("--resume continues the same run; these flags differ:" + conflicts);

  // Given values win, which after the check above means: places, and the epochs of a constant schedule.
  BackboneTraining result = saved;
  visit_options(result, [&](const char* name, auto& to, Role, const char*) {
    if (!flags.given(std::string("--") + name)) return;
    visit_options(given, [&](const char* other, const auto& from, Role, const char*) {
      if constexpr (std::is_same_v<std::remove_cvref_t<decltype(to)>, std::remove_cvref_t<decltype(from)>>)
        if (std::string_view(name) == other) to = from;
    });
  });
  if (flags.given("--data")) result.cache.clear();
  if (flags.given("--cache")) result.data.clear();
  result.out = given.out;
  result.resume = given.resume;
  return result;
}

}  // namespace avs
