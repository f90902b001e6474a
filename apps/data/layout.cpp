#include "apps/data/layout.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "apps/data/table.h"
#include "models/file.h"
#include "models/printable.h"
#include "tensor/error.h"

namespace avs::data {
namespace {

namespace fs = std::filesystem;

constexpr const char* kExpected =
    "expected meta.csv or evaluation_setup/ (DCASE layout), or train/CLASS/*, test/CLASS/* and, where there is one, "
    "validation/CLASS/*, or CLASS/*";

std::string shown(const std::string& name) { return shortened(printable(name), 120); }

// ---- folders ----------------------------------------------------------------

// Folder names of splits. The split of an evaluation folder depends on its siblings.
enum class SplitWord : uint8_t { Train, Validation, Test, Evaluation };

std::optional<SplitWord> split_word(const fs::path& folder) {
  static const std::map<std::string, SplitWord> words = {
      {"train", SplitWord::Train},     {"training", SplitWord::Train},        {"test", SplitWord::Test},
      {"testing", SplitWord::Test},    {"val", SplitWord::Validation},        {"valid", SplitWord::Validation},
      {"dev", SplitWord::Validation},  {"validation", SplitWord::Validation}, {"development", SplitWord::Validation},
      {"eval", SplitWord::Evaluation}, {"evaluation", SplitWord::Evaluation}};
  std::string name = folder.filename().string();
  for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  for (const std::string_view end : {"set", "split", "data"})  // "train_set", "testset", "Validation Data"
    if (name.ends_with(end) && name.size() > end.size()) {
      name.resize(name.size() - end.size());
      if (name.find_last_of("_- ") == name.size() - 1) name.pop_back();
      break;
    }
  const auto it = words.find(name);
  if (it == words.end()) return std::nullopt;
  return it->second;
}

struct SplitFolders {
  std::map<SplitWord, fs::path> named;
  std::vector<fs::path> others;
};

std::string listed(const std::vector<fs::path>& folders) {
  std::string text;
  for (size_t i = 0; i < folders.size() && i < 5; ++i)
    text += str(i == 0 ? "" : ", ", shown(folders[i].filename().string()), "/");
  return folders.size() > 5 ? str(text, " and ", folders.size() - 5, " more") : text;
}

SplitFolders split_folders_among(const std::vector<fs::path>& folders) {
  SplitFolders split;
  std::vector<fs::path> all;
  for (const fs::path& folder : folders) {
    const auto word = split_word(folder);
    if (!word) {
      split.others.push_back(folder);
      continue;
    }
    all.push_back(folder);
    const auto [it, is_new] = split.named.emplace(*word, folder);
    if (!is_new)
      throw DataError(str(folder.parent_path().string(), ": holds both ", listed({it->second, folder}),
                          ", two names of one split; ", kExpected));
  }
  // A class may be called "train": one split name among other folders is a class, two are splits.
  if (split.named.size() > 1 && !split.others.empty())
    throw DataError(str(folders.front().parent_path().string(), ": holds ", listed(all), " as for splits beside ",
                        listed(split.others), "; ", kExpected));
  return split;
}

// Assigns a split to each split folder; siblings decide about evaluation folders.
std::vector<std::pair<Split, fs::path>> assigned(const SplitFolders& folders, const fs::path& root) {
  const bool has_test = folders.named.contains(SplitWord::Test);
  if (has_test && folders.named.contains(SplitWord::Validation) && folders.named.contains(SplitWord::Evaluation))
    throw DataError(str(root.string(), ": holds ", listed({folders.named.at(SplitWord::Evaluation)}),
                        " beside a test and a validation split; ", kExpected));
  std::vector<std::pair<Split, fs::path>> splits;
  for (const auto& [word, folder] : folders.named) {
    const bool is_test = word == SplitWord::Test || (word == SplitWord::Evaluation && !has_test);
    splits.emplace_back(word == SplitWord::Train ? Split::Train : is_test ? Split::Test : Split::Validation, folder);
  }
  for (const Split needed : {Split::Train, Split::Test})
    if (std::none_of(splits.begin(), splits.end(), [=](const auto& split) { return split.first == needed; }))
      throw DataError(str(root.string(), ": has no folder ", name_of(needed), "/; ", kExpected));
  return splits;
}

struct Unlabelled {  // a clip with a label that has no index yet
  Clip clip;
  std::string label;
  std::string place;  // position in the file, for messages
};

void add_classes(FolderWalk& walk, const fs::path& root, const std::vector<fs::path>& folders, Split split,
                 std::vector<Unlabelled>& found) {
  for (const fs::path& folder : folders) {
    const std::string label = folder.filename().string();
    if (!is_utf8(label)) throw DataError(str(shown(folder.string()), ": the class's name is not UTF-8; rename it"));
    if (split_folders_among(FolderWalk(root).folders_in(folder)).named.size() > 1)
      throw DataError(str(shown(folder.string()), ": holds the splits of one class; ", kExpected));
    const std::vector<fs::path> files = walk.files_below(folder);
    if (files.empty()) throw DataError(str(shown(folder.string()), ": the class '", shown(label), "' is empty"));
    for (const fs::path& file : files) {
      const std::string name = file.lexically_relative(root).generic_string();
      found.push_back({{name, name, name, 0, split}, label, printable(file.string())});
    }
  }
}

std::vector<Unlabelled> read_folders(Layout& layout) {
  std::vector<Unlabelled> found;
  FolderWalk walk(layout.root);
  const std::vector<fs::path> folders = walk.folders_in(layout.root);
  if (folders.empty()) throw DataError(str(layout.root.string(), ": no data set in it: ", kExpected));
  const SplitFolders split = split_folders_among(folders);
  layout.kind = split.others.empty() ? "split folders" : "class folders";
  if (!split.others.empty()) {
    add_classes(walk, layout.root, folders, Split::Train, found);
  } else {
    for (const auto& [which, folder] : assigned(split, layout.root)) {
      const std::vector<fs::path> classes = walk.folders_in(folder);
      if (classes.empty()) throw DataError(str(folder.string(), ": no class folders in it; ", kExpected));
      add_classes(walk, layout.root, classes, which, found);
    }
  }
  layout.skipped = walk.skipped();
  return found;
}

// ---- the DCASE layout -------------------------------------------------------

bool holds_tables(const fs::path& folder) {
  return fs::exists(folder / "meta.csv") || fs::is_directory(folder / "evaluation_setup");
}

// Unpackers put the tables beside the media or into their own folder.
std::optional<fs::path> find_tables(const fs::path& root) {
  if (holds_tables(root)) return root;
  for (const fs::path& folder : FolderWalk(root).folders_in(root))
    if (folder.extension() == ".meta" && holds_tables(folder)) return folder;
  return std::nullopt;
}

using Labels = std::map<std::string, std::string>;  // clip name -> label

void add_rows(const Table& table, Split split, const Labels& labels, std::vector<Unlabelled>& found) {
  std::optional<size_t> audio = table.find_column("filename_audio"), video = table.find_column("filename_video");
  if (!audio && !video) audio = table.find_column("filename");  // data sets of sound alone
  if (!audio && !video) table.column("filename_video");         // throws an error that lists the columns
  const std::optional<size_t> label = table.find_column("scene_label");
  if (!label && labels.empty()) table.column("scene_label");
  for (const Table::Row& row : table.rows()) {
    Unlabelled item{{}, {}, table.place(row)};
    item.clip.audio = row.fields[audio.value_or(*(video ? video : audio))];
    item.clip.video = row.fields[video.value_or(*(audio ? audio : video))];
    item.clip.split = split;
    item.clip.name = fs::path(item.clip.video).stem().string();
    if (item.clip.name.empty()) throw DataError(str(item.place, ": no file name"));
    const auto known = labels.find(item.clip.name);
    if (label)
      item.label = row.fields[*label];
    else if (known != labels.end())
      item.label = known->second;
    if (!is_utf8(item.label))
      throw DataError(str(item.place, ": the label '", shown(item.label), "' is not UTF-8; save the table as UTF-8"));
    if (item.label.empty()) throw DataError(str(item.place, ": clip '", shown(item.clip.name), "' has no label"));
    if (label && known != labels.end() && known->second != item.label)
      throw DataError(str(item.place, ": clip '", shown(item.clip.name), "' is '", shown(item.label), "' here but '",
                          shown(known->second), "' in meta.csv"));
    found.push_back(std::move(item));
  }
}

std::vector<Unlabelled> read_tables(const fs::path& folder) {
  std::vector<Unlabelled> found, all;
  Labels labels;
  if (fs::exists(folder / "meta.csv")) {
    add_rows(Table::read(folder / "meta.csv"), Split::Train, {}, all);
    for (const Unlabelled& item : all) labels.emplace(item.clip.name, item.label);
  }
  const fs::path setup = folder / "evaluation_setup";
  if (!fs::exists(setup / "fold1_train.csv")) {
    if (all.empty())
      throw DataError(str((setup / "fold1_train.csv").string(), ": no such file, and no meta.csv either"));
    return all;
  }
  add_rows(Table::read(setup / "fold1_train.csv"), Split::Train, labels, found);
  // fold1_test.csv lists the same clips without labels.
  const fs::path evaluate = setup / "fold1_evaluate.csv", test = setup / "fold1_test.csv";
  if (!fs::exists(evaluate) && !fs::exists(test))
    throw DataError(str(setup.string(), ": has fold1_train.csv but neither fold1_evaluate.csv nor fold1_test.csv"));
  add_rows(Table::read(fs::exists(evaluate) ? evaluate : test), Split::Test, labels, found);
  return found;
}

// ---- common to all layouts --------------------------------------------------

// Notes and drops duplicate rows; DataError if two rows contradict each other.
void drop_repetitions(std::vector<Unlabelled>& found, std::vector<std::string>& notes) {
  std::map<std::string, const Unlabelled*> seen;
  std::vector<Unlabelled> kept;
  kept.reserve(found.size());
  for (Unlabelled& item : found) {
    const auto [it, is_new] = seen.emplace(item.clip.name, nullptr);
    if (is_new) {
      kept.push_back(std::move(item));
      it->second = &kept.back();
      continue;
    }
    const Unlabelled& first = *it->second;
    const std::string both = str(item.place, ": clip '", shown(item.clip.name), "' ");
    if (first.clip.audio != item.clip.audio || first.clip.video != item.clip.video)
      throw DataError(str(both, "has the name of another file: ", shown(item.clip.video), " here, ",
                          shown(first.clip.video), " at ", first.place, "; file names must be unique"));
    if (first.label != item.label)
      throw DataError(str(both, "is '", shown(item.label), "' here but '", shown(first.label), "' at ", first.place));
    if (first.clip.split != item.clip.split)
      throw DataError(str(both, "is in the ", name_of(item.clip.split), " split here but in ",
                          name_of(first.clip.split), " at ", first.place));
    notes.push_back(str(both, "is listed twice (first at ", first.place, "); used once"));
  }
  found = std::move(kept);
}

void assign_labels(Layout& layout, std::vector<Unlabelled>& found) {
  std::set<std::string> classes;
  for (const Unlabelled& item : found)
    if (item.clip.split == Split::Train) classes.insert(item.label);
  layout.classes.assign(classes.begin(), classes.end());
  if (classes.size() < 2)
    throw DataError(str(layout.root.string(), ": holds ",
                        classes.empty() ? "no class" : "one class only ('" + *classes.begin() + "')",
                        "; at least two are needed"));
  for (Unlabelled& item : found) {
    const auto it = std::lower_bound(layout.classes.begin(), layout.classes.end(), item.label);
    if (it == layout.classes.end() || *it != item.label)
      throw DataError(str(item.place, ": unknown label '", shown(item.label), "' of clip '", shown(item.clip.name),
                          "': no training clip has it"));
    item.clip.label = it - layout.classes.begin();
    layout.clips.push_back(std::move(item.clip));
  }
  std::sort(layout.clips.begin(), layout.clips.end(), [](const Clip& a, const Clip& b) { return a.name < b.name; });
}

// A table's file name as a path relative to the data set; nullopt: it lies outside.
std::optional<std::string> inside(const fs::path& root, const std::string& file) {
  const fs::path path(file);
  const fs::path relative = path.is_absolute() ? path.lexically_relative(root) : path;
  const fs::path normal = relative.lexically_normal();
  if (!normal.empty() && *normal.begin() == "..") return std::nullopt;
  return relative.string();
}

void drop_unusable(Layout& layout) {
  std::vector<Clip> kept;
  const auto place_of = [&](const std::string& file) {
    return shortened(printable((layout.root / file).string()), 400);
  };
  const auto skip = [&](const Clip& clip, const std::string& file, const std::string& problem) {
    layout.skipped.push_back({shown(clip.name), str(place_of(file), ": ", problem)});
  };
  for (Clip& clip : layout.clips) {
    const auto audio = inside(layout.root, clip.audio), video = inside(layout.root, clip.video);
    if (!audio || !video) {
      skip(clip, audio ? clip.video : clip.audio, "lies outside the data set");
      continue;
    }
    if (!is_utf8(*audio) || !is_utf8(*video)) {
      skip(clip, clip.video, "its name is not UTF-8; rename it, or save the table as UTF-8");
      continue;
    }
    const std::string no_audio = why_no_file(layout.root / *audio), no_video = why_no_file(layout.root / *video);
    if (!no_audio.empty() && !no_video.empty()) {
      skip(clip, *video, no_video);
      continue;
    }
    if (!no_audio.empty() || !no_video.empty())
      layout.notes.push_back(str(place_of(no_video.empty() ? *audio : *video), ": ", no_audio, no_video, "; clip '",
                                 shown(clip.name), "' is kept without ", no_video.empty() ? "sound" : "picture"));
    clip.audio = no_audio.empty() ? *audio : "";
    clip.video = no_video.empty() ? *video : "";
    kept.push_back(std::move(clip));
  }
  if (kept.empty())
    throw DataError(
        str(layout.skipped.front().reason, "; none of the ", layout.skipped.size(), " listed clips can be used"));
  layout.clips = std::move(kept);
}

}  // namespace

std::string recording_of(std::string_view file_name) {
  const std::string stem = fs::path(file_name).stem().string();
  if (std::count(stem.begin(), stem.end(), '-') < 2) return {};
  return stem.substr(0, stem.rfind('-'));
}

Layout read_layout(const fs::path& root) {
  if (!fs::is_directory(root)) throw UsageError(str(root.string(), ": no such folder"));
  Layout layout;
  layout.root = fs::canonical(root);
  std::vector<Unlabelled> found;
  try {
    if (const auto tables = find_tables(layout.root)) {
      layout.kind = "DCASE";
      found = read_tables(*tables);
    } else {
      found = read_folders(layout);
    }
  } catch (const fs::filesystem_error& error) {
    throw DataError(str(printable(error.path1().string()), ": ", error.code().message()));
  }
  drop_repetitions(found, layout.notes);
  for (const Unlabelled& item : found) layout.gives[static_cast<size_t>(item.clip.split)] = true;
  assign_labels(layout, found);
  if (layout.kind == "DCASE") drop_unusable(layout);
  return layout;
}

}  // namespace avs::data
