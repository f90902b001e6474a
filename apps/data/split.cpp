#include "apps/data/split.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

namespace avs::data {
namespace {

using Group = std::vector<Clip*>;

std::vector<Group> groups_of(const std::vector<Clip*>& clips, CutBy by) {
  std::map<std::string, Group> groups;
  for (Clip* clip : clips) groups[by == CutBy::Recording ? recording_of(clip->name) : clip->name].push_back(clip);
  if (groups.size() == 1 && clips.size() > 1) return groups_of(clips, CutBy::Clip);
  std::vector<Group> list;
  for (auto& [name, group] : groups) list.push_back(std::move(group));
  return list;
}

}  // namespace

std::string cut_splits(Layout& layout, const SplitOptions& options) {
  const auto gives = [&](Split split) { return layout.gives[static_cast<size_t>(split)]; };
  const CutBy by = cut_for(layout.clips);
  const auto classes = static_cast<int64_t>(layout.classes.size());
  const Rng rng(options.seed);
  if (!gives(Split::Test)) cut_split(layout.clips, classes, Split::Train, Split::Test, options.test_share, by, rng);
  if (gives(Split::Validation)) return "as given";
  cut_split(layout.clips, classes, Split::Train, Split::Validation, options.validation_share, by, rng);
  return by == CutBy::Recording ? "by recording" : "by clip";
}

CutBy cut_for(const std::vector<Clip>& clips) {
  std::set<std::string> recordings;
  for (const Clip& clip : clips) {
    const std::string recording = recording_of(clip.name);
    if (recording.empty()) return CutBy::Clip;
    recordings.insert(recording);
  }
  return recordings.size() < clips.size() ? CutBy::Recording : CutBy::Clip;
}

void cut_split(std::vector<Clip>& clips, int64_t classes, Split from, Split to, double share, CutBy by,
               const Rng& rng) {
  for (int64_t label = 0; label < classes; ++label) {
    std::vector<Clip*> members;
    for (Clip& clip : clips)
      if (clip.label == label && clip.split == from) members.push_back(&clip);
    if (members.size() < 2) continue;
    std::vector<Group> groups = groups_of(members, by);
    Rng order = rng.fork(name_of(to), static_cast<uint64_t>(label));
    order.shuffle(groups);

    // Takes groups in random order; skips one if taking it would miss the target by more than leaving it.
    const double target = std::max(1.0, std::round(share * static_cast<double>(members.size())));
    double taken = 0;
    size_t left = groups.size();
    for (const Group& group : groups) {
      const double size = static_cast<double>(group.size());
      if (left == 1 || taken >= target) break;
      if (taken + size - target > target - taken) continue;
      for (Clip* clip : group) clip->split = to;
      taken += size;
      --left;
    }
    if (taken > 0) continue;  // every group is far larger than the target: take the smallest
    const auto smallest = std::min_element(groups.begin(), groups.end(),
                                           [](const Group& a, const Group& b) { return a.size() < b.size(); });
    for (Clip* clip : *smallest) clip->split = to;
  }
}

}  // namespace avs::data
