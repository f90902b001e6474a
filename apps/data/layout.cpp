#include "apps/data/layout.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "apps/data/table.h"
#include "tensor/error.h"

namespace avs::data {
namespace {

namespace fs = std::filesystem;

constexpr const char* kExpected =
    "expected meta.csv or evaluation_setup/ (DCASE layout), train/CLASS/* and test/CLASS/*, or CLASS/*";

// ---- folders ----------------------------------------------------------------

bool is_hidden(const fs::path& path) { return path.filename().string().starts_with('.'); }

std::vector<fs::path> folders_in(const fs::path& root) {
  std::vector<fs::path> folders;
  for (const fs::directory_entry& entry : fs::directory_iterator(root))
    if (entry.is_directory() && !is_hidden(entry.path())) folders.push_back(entry.path());
  std::sort(folders.begin(), folders.end());
  return folders;
}

std::vector<fs::path> files_in(const fs::path& folder) {
  std::vector<fs::path> files;
  const auto options = fs::directory_options::follow_directory_symlink;
  for (auto it = fs::recursive_directory_iterator(folder, options); it != fs::end(it); ++it) {
    if (is_hidden(it->path())) {
      if (it->is_directory()) it.disable_recursion_pending();
    } else if (!it->is_directory()) {
      files.push_back(it->path());
    }
  }
  return files;
}

std::optional<Split> split_of_folder(const std::string& name) {
  if (name == "train") return Split::Train;
  if (name == "test") return Split::Test;
  if (name == "val" || name == "validation") return Split::Validation;
  return std::nullopt;
}

struct Unlabelled {  // a clip whose label is still a word
  Clip clip;
  std::string label;
  std::string place;  // where it was read, for messages
};

void add_class_folders(const fs::path& root, const fs::path& parent, Split split, std::vector<Unlabelled>& found) {
  const std::vector<fs::path> classes = folders_in(parent);
  if (classes.empty()) throw DataError(str(parent.string(), ": no class folders in it; ", kExpected));
  for (const fs::path& folder : classes) {
    const std::vector<fs::path> files = files_in(folder);
    if (files.empty()) throw DataError(str(folder.string(), ": the class '", folder.filename().string(), "' is empty"));
    for (const fs::path& file : files) {
      const std::string name = file.lexically_relative(root).generic_string();
      found.push_back({{name, name, name, 0, split}, folder.filename().string(), file.string()});
    }
  }
}

std::vector<Unlabelled> read_folders(Layout& layout) {
  std::vector<Unlabelled> found;
  std::set<Split> splits;
  const std::vector<fs::path> folders = folders_in(layout.root);
  // A class may be called "train", so the names decide only when there are no others.
  const bool by_split = std::all_of(folders.begin(), folders.end(), [](const fs::path& f) {
    return split_of_folder(f.filename().string()).has_value();
  });
  if (folders.empty()) throw DataError(str(layout.root.string(), ": no data set in it: ", kExpected));
  layout.kind = by_split ? "split folders" : "class folders";
  if (!by_split) {
    add_class_folders(layout.root, layout.root, Split::Train, found);
    return found;
  }
  for (const fs::path& folder : folders) {
    const Split split = *split_of_folder(folder.filename().string());
    if (!splits.insert(split).second) throw DataError(str(layout.root.string(), ": holds both val/ and validation/"));
    add_class_folders(layout.root, folder, split, found);
  }
  for (const Split needed : {Split::Train, Split::Test})
    if (!splits.contains(needed))
      throw DataError(str(layout.root.string(), ": has no folder ", name_of(needed), "/; ", kExpected));
  return found;
}

// ---- the DCASE layout -------------------------------------------------------

bool holds_tables(const fs::path& folder) {
  return fs::exists(folder / "meta.csv") || fs::is_directory(folder / "evaluation_setup");
}

// Some unpackers put the tables beside the media, some into a folder of their own.
std::optional<fs::path> find_tables(const fs::path& root) {
  if (holds_tables(root)) return root;
  for (const fs::path& folder : folders_in(root))
    if (folder.extension() == ".meta" && holds_tables(folder)) return folder;
  return std::nullopt;
}

using Labels = std::map<std::string, std::string>;  // clip name -> label

void add_rows(const Table& table, Split split, const Labels& labels, std::vector<Unlabelled>& found) {
  const std::optional<size_t> audio = table.find_column("filename_audio"), video = table.find_column("filename_video");
  if (!audio && !video) table.column("filename_video");  // says which columns there are
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
    if (item.label.empty()) throw DataError(str(item.place, ": clip '", item.clip.name, "' has no label"));
    if (label && known != labels.end() && known->second != item.label)
      throw DataError(str(item.place, ": clip '", item.clip.name, "' is '", item.label, "' here but '", known->second,
                          "' in meta.csv"));
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

// A row listed twice is told and dropped; one that contradicts itself is an error.
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
    const std::string both = str(item.place, ": clip '", item.clip.name, "' ");
    if (first.clip.audio != item.clip.audio || first.clip.video != item.clip.video)
      throw DataError(str(both, "has the name of another file: ", item.clip.video, " here, ", first.clip.video, " at ",
                          first.place, "; file names must be unique"));
    if (first.label != item.label)
      throw DataError(str(both, "is '", item.label, "' here but '", first.label, "' at ", first.place));
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
      throw DataError(str(item.place, ": unknown label '", item.label, "' of clip '", item.clip.name,
                          "': no training clip has it"));
    item.clip.label = it - layout.classes.begin();
    layout.clips.push_back(std::move(item.clip));
  }
  std::sort(layout.clips.begin(), layout.clips.end(), [](const Clip& a, const Clip& b) { return a.name < b.name; });
}

void drop_missing(Layout& layout) {
  std::vector<Clip> kept;
  for (Clip& clip : layout.clips) {
    const auto is_missing = [&](const std::string& file) { return !fs::is_regular_file(layout.root / file); };
    const bool no_audio = is_missing(clip.audio),
               no_video = clip.audio == clip.video ? no_audio : is_missing(clip.video);
    if (no_audio && no_video) {
      layout.skipped.push_back({clip.name, str((layout.root / clip.video).string(), ": no such file")});
      continue;
    }
    if (no_audio || no_video)
      layout.notes.push_back(str((layout.root / (no_audio ? clip.audio : clip.video)).string(),
                                 ": no such file; clip '", clip.name, "' is kept without ",
                                 no_audio ? "sound" : "picture"));
    if (no_audio) clip.audio.clear();
    if (no_video) clip.video.clear();
    kept.push_back(std::move(clip));
  }
  if (kept.empty())
    throw DataError(
        str(layout.skipped.front().reason, "; none of the ", layout.skipped.size(), " listed clips is there"));
  layout.clips = std::move(kept);
}

}  // namespace

std::string_view name_of(Split split) {
  constexpr std::array<std::string_view, 3> names = {"train", "validation", "test"};
  return names[static_cast<size_t>(split)];
}

Split split_from_name(std::string_view name) {
  for (const Split split : kSplits)
    if (name == name_of(split)) return split;
  if (name == "val") return Split::Validation;
  throw UsageError(str("no split '", name, "': expected train, validation or test"));
}

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
    throw DataError(str(error.path1().string(), ": ", error.code().message()));
  }
  drop_repetitions(found, layout.notes);
  for (const Unlabelled& item : found) layout.gives[static_cast<size_t>(item.clip.split)] = true;
  assign_labels(layout, found);
  if (layout.kind == "DCASE") drop_missing(layout);
  return layout;
}

}  // namespace avs::data
