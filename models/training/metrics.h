// Metrics of a classifier on a set of clips, and the forms in which they are written.
//
// The unit is the clip: Table I's "Overall" is micro accuracy over 10-s clips (docs/paper.md#data-set-and-metric). With
// n clips, label y_i and probabilities p_i (one row per clip, rows sum to 1):
//   micro accuracy   share of all clips whose most probable class is the label (ties: the lower class id)
//   macro accuracy   mean over classes of the class's own accuracy; classes without clips are left out of the mean
//   log loss         -1/n sum log p_i[y_i], p clipped to [1e-15, 1] as the DCASE challenge's scikit-learn does
//   macro log loss   mean over classes of the class's own log loss, the challenge's ranking figure
//
// metrics.jsonl of a training run holds one JSON object a line, of two kinds:
//   {"kind":"step","epoch":1,"step":50,"loss":…,"l2":…,"accuracy":…,"learning_rate":…,"seconds":…,"peak_bytes":…}
//     (and, in f16, "loss_scale":… before "seconds")
//   {"kind":"epoch","epoch":1,"step":…,"loss":…,"l2":…,"accuracy":…,"learning_rate":…,"validation_clips":…,
//    "validation_micro_accuracy":…,"validation_macro_accuracy":…,"validation_log_loss":…,"best":true,"seconds":…,"peak_bytes":…}
// epoch and step count from 1; loss is the KL divergence without the L2 term, l2 that term; accuracy is measured on the
// training batches as they were fed (mixed rows count with their larger label); seconds is wall time since the run
// began, over all its resumptions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace avs {

struct ClipResult {
  std::string id;                    // the clip's name in the data set: its stem, "airport-london-6-257"
  int64_t label = 0;                 // index into Evaluation::classes
  std::vector<float> probabilities;  // one per class
  int64_t predicted() const;         // the most probable class
};

struct ClassScore {
  std::string name;
  int64_t clips = 0, correct = 0;
  std::optional<double> accuracy, log_loss;  // none when the class has no clips
};

struct Evaluation {
  std::vector<std::string> classes;
  int64_t clips = 0;
  double micro_accuracy = 0, macro_accuracy = 0, log_loss = 0, macro_log_loss = 0;
  std::vector<ClassScore> per_class;            // in the order of `classes`
  std::vector<std::vector<int64_t>> confusion;  // [true class][predicted class], counts
  std::vector<ClipResult> rows;                 // every clip, in the order given
};

// DataError when there are no clips, a row has another number of classes, a label is out of range, or a probability is
// not a finite number.
Evaluation evaluate(std::vector<ClipResult> rows, const std::vector<std::string>& classes);

// The same from a matrix: probabilities [n, classes] f32, ids and labels of n clips.
Evaluation evaluate(const Tensor& probabilities, const std::vector<std::string>& ids,
                    const std::vector<int64_t>& labels, const std::vector<std::string>& classes);

// Empty, or one line: the means over classes leave out the classes without clips, and which these are.
std::string absent_classes(const Evaluation& evaluation);

// JSON with the keys clips classes micro_accuracy macro_accuracy log_loss macro_log_loss per_class confusion; per_class
// is a list of {name, clips, correct, accuracy, log_loss}, the last two null for a class without clips.
std::string to_json(const Evaluation& evaluation);

// Table I's layout: classes as rows, one column of accuracies in percent per method, the overall (micro) accuracy, the
// macro accuracy and the log loss last. A class without clips has "–" instead of a figure, and a line below the table
// says that the means leave it out. All columns must have the same classes (UsageError).
struct NamedEvaluation {
  std::string method;  // the column's heading: "f4", "aud-mel"
  Evaluation evaluation;
};
std::string table_of(const std::vector<NamedEvaluation>& columns);

// The challenge's submission: tab separated, a header, then filename, scene_label, one probability per class. Names are
// written so that no reader takes them for structure or for a formula: control characters as printable() has them ("\t"
// for a tab), a name that holds a double quote in double quotes (RFC 4180), and an apostrophe before a name that begins
// with = + - or @, as spreadsheets want it.
std::string submission_of(const Evaluation& evaluation);

// Is `a` the better model? Higher micro accuracy, then lower log loss.
struct Score {
  double accuracy = -1, log_loss = 0;
};
bool better(Score a, Score b);

}  // namespace avs
