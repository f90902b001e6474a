#include "apps/data/prepare.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <map>
#include <mutex>
#include <new>
#include <set>
#include <system_error>
#include <thread>

#include "autograd/interrupt.h"
#include "models/file.h"
#include "models/printable.h"
#include "tensor/error.h"

namespace avs::data {
namespace {

namespace fs = std::filesystem;

struct Outcome {
  CachedClip clip;
  std::string skip_reason;  // not empty: no entry was made
  bool was_made = false, was_read_otherwise = false;
};

// ---- one clip ---------------------------------------------------------------

std::optional<Entry> whole_entry(const fs::path& path, const EntryKey& key) {
  if (!fs::exists(path)) return std::nullopt;
  try {
    Entry entry(path);
    if (entry.key() != key) return std::nullopt;
    entry.verify();
    return entry;
  } catch (const DataError&) {
    return std::nullopt;  // damaged or of another version: made again
  } catch (const SystemError&) {
    return std::nullopt;  // unreadable part of the disk: made again elsewhere
  }
}

void describe_entry(const Entry& entry, CachedClip& clip) {
  clip.frame_count = entry.has(Modality::Frames) ? entry.shape(Modality::Frames)[0] : 0;
  clip.has_sound = entry.has(Modality::Mel) || entry.has(Modality::Gammatone) || entry.has(Modality::Cqt);
  clip.note = entry.note();
  clip.contents = hex(entry.contents());
}

// Does the entry differ from the wanted one only in its reader versions?
bool was_read_otherwise(const fs::path& path, const PrepareOptions& options, const fs::path& root, const Clip& clip) {
  try {
    const EntryKey key = Entry(path).key();
    ReaderVersions older = reader_versions();
    for (bool is_older = true; is_older;) {
      is_older = false;
      for (auto& [kind, version] : older)
        if (version > 1) --version, is_older = true;
      if (is_older && key == entry_key(options.arrays, root, clip, older)) return true;
    }
  } catch (const Error&) {
  }  // damaged
  return false;
}

// Removes the old index before the first of its entries is replaced.
class OldIndex {
 public:
  explicit OldIndex(const fs::path& cache) : file_(cache / kIndexName) {}
  void remove() {
    std::call_once(once_, [this] { remove_file(file_); });
  }

 private:
  fs::path file_;
  std::once_flag once_;
};

Outcome prepare_clip(const PrepareOptions& options, const fs::path& root, const Clip& clip, ClipDecoder& decode,
                     OldIndex& old_index) {
  Outcome outcome;
  outcome.clip = {clip.name, clip.audio, clip.video, clip.label, clip.split, 0, false, {}, {}};
  const fs::path path = options.cache / "entries" / entry_file_name(clip.name);
  const EntryKey key = entry_key(options.arrays, root, clip);
  if (const auto entry = whole_entry(path, key)) {
    describe_entry(*entry, outcome.clip);
    return outcome;
  }
  outcome.was_read_otherwise = was_read_otherwise(path, options, root, clip);
  ClipArrays arrays;
  try {
    const auto place = [&](const std::string& file) { return file.empty() ? fs::path() : root / file; };
    arrays = decode(place(clip.audio), place(clip.video));
  } catch (const DataError& error) {
    outcome.skip_reason = error.what();
  } catch (const std::bad_alloc&) {
    outcome.skip_reason = str((root / clip.video).string(), ": its pictures or sound need more memory than there is");
  }
  if (!outcome.skip_reason.empty()) return outcome;
  write_entry(path, key, arrays.note, arrays.parts, [&] {
    if (fs::exists(path)) old_index.remove();
  });
  describe_entry(Entry(path), outcome.clip);
  outcome.was_made = true;
  return outcome;
}

// ---- all clips --------------------------------------------------------------

std::vector<Outcome> prepare_clips(const PrepareOptions& options, const Layout& layout) {
  std::vector<Outcome> outcomes(layout.clips.size());
  Progress progress(static_cast<int64_t>(outcomes.size()), "preparing");
  std::atomic<size_t> next = 0;
  OldIndex old_index(options.cache);
  std::exception_ptr failure;
  std::mutex failure_mutex;
  const auto work = [&] {
    try {
      ClipDecoder decode(options.arrays.frames, options.arrays.spectrograms);
      for (size_t i = next++; i < outcomes.size(); i = next++) {
        stop_if_interrupted();
        outcomes[i] = prepare_clip(options, layout.root, layout.clips[i], decode, old_index);
        progress.advance();
      }
    } catch (...) {  // system errors (disk, memory, GPU): stop all workers
      const std::lock_guard lock(failure_mutex);
      if (!failure) failure = std::current_exception();
      next = outcomes.size();
    }
  };
  std::vector<std::jthread> workers;
  try {
    for (int i = 1; i < options.workers; ++i) workers.emplace_back(work);
  } catch (const std::system_error&) {
  }  // no more threads available: continue with fewer
  work();
  workers.clear();
  if (failure) std::rethrow_exception(failure);
  return outcomes;
}

void remove_strays(const fs::path& entries, const std::vector<CachedClip>& clips) {
  std::set<std::string> wanted;
  for (const CachedClip& clip : clips) wanted.insert(entry_file_name(clip.name));
  remove_files(entries,
               [&](const std::string& name) { return !wanted.contains(name) && is_entry_file(entries / name); });
}

// Refuses a folder that contains files of other programs.
void refuse_foreign_folder(const fs::path& cache) {
  if (fs::exists(cache / ".lock")) return;  // written by an earlier prepare, which may have been killed
  std::error_code error;
  if (fs::exists(cache / kIndexName) && !is_index_file(cache / kIndexName))
    throw UsageError(
        str((cache / kIndexName).string(), ": is there already and no index of a cache; choose another --cache"));
  if (fs::exists(cache / kIndexName)) return;
  for (fs::directory_iterator it(cache / "entries", error); !error && it != fs::directory_iterator();
       it.increment(error))
    if (!is_entry_file(it->path()))
      throw UsageError(str(it->path().string(), ": is there already and no entry of a cache; choose another --cache"));
}

void refuse_nested_cache(const PrepareOptions& options, const Layout& layout) {
  if (layout.kind == "DCASE") return;
  const fs::path cache = fs::weakly_canonical(options.cache);
  const auto [in_root, rest] = std::mismatch(layout.root.begin(), layout.root.end(), cache.begin(), cache.end());
  if (in_root == layout.root.end())
    throw UsageError(str("the cache ", cache.string(), " lies inside the data folder ", layout.root.string(),
                         ", where every folder is a class; choose a folder outside"));
}

std::string find_failure(const PrepareReport& report) {
  if (report.clips.empty()) return str("all ", report.header.skipped.size(), " clips were skipped");
  for (size_t label = 0; label < report.header.classes.size(); ++label) {
    const bool is_there = std::any_of(report.clips.begin(), report.clips.end(), [=](const CachedClip& clip) {
      return clip.split == Split::Train && clip.label == static_cast<int64_t>(label);
    });
    if (!is_there) return str("the class '", report.header.classes[label], "' has no usable training clip");
  }
  return {};
}

}  // namespace

PrepareReport prepare(const PrepareOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  max_frame_count(options.arrays.frames);  // reports invalid options before anything is written
  Layout layout = read_layout(options.data);
  refuse_nested_cache(options, layout);
  refuse_foreign_folder(options.cache);
  make_folders(options.cache / "entries");
  const FolderLock lock(options.cache);
  remove_unfinished(options.cache / kIndexName);

  std::vector<Outcome> outcomes = prepare_clips(options, layout);
  PrepareReport report;
  report.header = {layout.root, layout.kind, {}, layout.classes, options.arrays, layout.notes, layout.skipped};
  layout.clips.clear();
  for (Outcome& outcome : outcomes) {
    CachedClip& clip = outcome.clip;
    if (!outcome.skip_reason.empty()) {
      report.header.skipped.push_back({clip.name, outcome.skip_reason});
      continue;
    }
    ++(outcome.was_made ? report.made : report.kept);
    report.read_anew += static_cast<int64_t>(outcome.was_read_otherwise);
    layout.clips.push_back({clip.name, clip.audio, clip.video, clip.label, clip.split});
    report.clips.push_back(std::move(clip));
  }
  report.header.validation_cut = cut_splits(layout, options.split);
  for (size_t i = 0; i < report.clips.size(); ++i) report.clips[i].split = layout.clips[i].split;
  report.failure = find_failure(report);
  if (report.failure.empty()) {
    write_index(options.cache, report.header, report.clips);
    remove_strays(options.cache / "entries", report.clips);
  }
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return report;
}

// ---- summary for the user ----------------------------------------------------

namespace {

constexpr size_t kMaxLines = 20, kMaxAlike = 3;

void add_lines(std::string& out, const std::string& title, int64_t count, const std::vector<std::string>& lines) {
  if (lines.empty()) return;
  out += fmt::format("{}: {}\n", title, count);
  for (size_t i = 0; i < std::min(lines.size(), kMaxLines); ++i)
    out += "  " + shortened(printable(lines[i]), kMaxLine) + "\n";
  if (lines.size() > kMaxLines) out += fmt::format("  … and {} more, see index.json\n", lines.size() - kMaxLines);
}

// Files with an extension that no clip has (subtitles beside videos) share one line, so that a broken video is not lost
// among them.
std::vector<std::string> skipped_lines(const PrepareReport& report) {
  const auto ending = [](const std::string& name) { return fs::path(name).extension().string(); };
  std::set<std::string> of_clips;
  for (const CachedClip& clip : report.clips)
    for (const std::string& file : {clip.audio, clip.video}) of_clips.insert(ending(file));
  std::map<std::string, std::vector<const Skipped*>> alike;
  std::vector<std::string> lines, together;
  for (const Skipped& skipped : report.header.skipped)
    if (of_clips.contains(ending(skipped.name)))
      lines.push_back(skipped.reason);
    else
      alike[ending(skipped.name)].push_back(&skipped);
  for (const auto& [end, files] : alike) {
    if (files.size() > kMaxAlike && !of_clips.empty())
      together.push_back(fmt::format("{} {}, no clip among them; the first: {}", files.size(),
                                     end.empty() ? "files without an ending" : "*" + end + " files",
                                     files.front()->reason));
    else
      for (const Skipped* skipped : files) lines.push_back(skipped->reason);
  }
  lines.insert(lines.end(), together.begin(), together.end());
  return lines;
}

// Notes shared by many clips ("no picture" in a set of sounds) take one line.
std::vector<std::string> unusual_lines(const PrepareReport& report) {
  std::map<std::string, std::vector<const CachedClip*>> alike;
  for (const CachedClip& clip : report.clips)
    if (!clip.note.empty()) alike[clip.note].push_back(&clip);
  std::vector<std::string> lines = report.header.notes;
  for (const auto& [note, clips] : alike) {
    if (clips.size() > kMaxAlike)
      lines.push_back(fmt::format("{}: {} clips, the first: {}", note, clips.size(), clips.front()->name));
    else
      for (const CachedClip* clip : clips) lines.push_back(clip->name + ": " + note);
  }
  return lines;
}

// For each split without clips of some classes: "no test clip of 2 of 10 classes: bus, tram". Their figures will be
// missing.
std::string absent_classes(const PrepareReport& report) {
  std::string out;
  for (const Split split : {Split::Validation, Split::Test}) {
    std::set<int64_t> present;
    for (const CachedClip& clip : report.clips)
      if (clip.split == split) present.insert(clip.label);
    std::string absent;
    for (size_t label = 0; label < report.header.classes.size(); ++label)
      if (!present.contains(static_cast<int64_t>(label)))
        absent += (absent.empty() ? "" : ", ") + shortened(printable(report.header.classes[label]), 60);
    const size_t classes = report.header.classes.size();
    if (present.size() < classes)
      out += fmt::format("no {} clip of {} of {} classes: {}\n", name_of(split), classes - present.size(), classes,
                         shortened(absent, kMaxLine));
  }
  return out;
}

std::string class_table(const PrepareReport& report) {
  const std::vector<std::string>& classes = report.header.classes;
  std::vector<std::array<int64_t, 3>> counts(classes.size() + 1, {0, 0, 0});
  for (const CachedClip& clip : report.clips) {
    ++counts[static_cast<size_t>(clip.label)][static_cast<size_t>(clip.split)];
    ++counts.back()[static_cast<size_t>(clip.split)];
  }
  const auto name = [&](size_t i) { return i < classes.size() ? shortened(printable(classes[i]), 80) : "total"; };
  int64_t width = 5;
  for (size_t i = 0; i < classes.size(); ++i) width = std::max(width, columns_of(name(i)));
  std::string out = fmt::format("{:<{}}  {:>7}  {:>10}  {:>7}\n", "class", width, "train", "validation", "test");
  for (size_t i = 0; i <= classes.size(); ++i)
    out += fmt::format("{:<{}}  {:>7}  {:>10}  {:>7}\n", name(i), width, counts[i][0], counts[i][1], counts[i][2]);
  return out;
}

}  // namespace

std::string describe(const PrepareReport& report) {
  const IndexHeader& header = report.header;
  std::string out =
      fmt::format("{}: {} clips, {} classes ({} layout; validation split {})\n", printable(header.data_root.string()),
                  report.clips.size(), header.classes.size(), header.layout_kind,
                  header.validation_cut == "as given" ? "as given" : "cut " + header.validation_cut);
  out += class_table(report) + absent_classes(report);
  const std::vector<std::string> unusual = unusual_lines(report);
  add_lines(out, "kept, but worth knowing", static_cast<int64_t>(unusual.size()), unusual);
  add_lines(out, "skipped", static_cast<int64_t>(header.skipped.size()), skipped_lines(report));
  if (report.read_anew > 0)
    out += fmt::format("{} of the clips were there and are decoded anew: files of their kind are read better now\n",
                       report.read_anew);
  out += fmt::format("{} decoded, {} already there, {} skipped; {:.1f} s", report.made, report.kept,
                     header.skipped.size(), report.seconds);
  if (report.made > 0) out += fmt::format(", {:.1f} clips/s", static_cast<double>(report.made) / report.seconds);
  return out + "\n";
}

}  // namespace avs::data
