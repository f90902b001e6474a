#include "models/data/cache.h"

#include <xxhash.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tensor/error.h"
#include "vision/container.h"

namespace avs::data {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kIndexVersion = 1;

uint64_t hash_of(std::string_view text) { return XXH3_64bits(text.data(), text.size()); }

// ---- options ----------------------------------------------------------------

Json to_json(const CacheOptions& options) {
  Json kinds = Json::array();
  for (const Modality kind : options.spectrograms.kinds) kinds.push_back(name_of(kind));
  return {{"frames_per_second", options.frames.frames_per_second},
          {"max_seconds", options.frames.max_seconds},
          {"image_size", options.frames.image_size},
          {"kinds", kinds},
          {"cqt", name_of(options.spectrograms.cqt)}};
}

CacheOptions options_from(const Json& json) {
  CacheOptions options;
  options.frames.frames_per_second = json.at("frames_per_second").get<double>();
  options.frames.max_seconds = json.at("max_seconds").get<double>();
  options.frames.image_size = json.at("image_size").get<int64_t>();
  options.spectrograms.kinds.clear();
  for (const Json& kind : json.at("kinds"))
    options.spectrograms.kinds.push_back(modality_from_name(kind.get<std::string>()));
  options.spectrograms.cqt = cqt_range_from_name(json.at("cqt").get<std::string>());
  return options;
}

bool begins_with(const std::filesystem::path& path, std::string_view text) {
  try {
    const InputFile file(path);
    std::string begin(std::min<uint64_t>(file.size(), text.size()), '\0');
    file.read(begin.data(), begin.size(), 0);
    return begin == text;
  } catch (const Error&) {
    return false;
  }
}

// ---- clips ------------------------------------------------------------------

Json to_json(const CachedClip& clip, const std::string& class_name) {
  Json json = {{"name", clip.name},      {"label", class_name}, {"split", name_of(clip.split)},
               {"audio", clip.audio},    {"video", clip.video}, {"frames", clip.frame_count},
               {"sound", clip.has_sound}};
  if (!clip.contents.empty()) json["contents"] = clip.contents;
  if (!clip.note.empty()) json["note"] = clip.note;
  return json;
}

CachedClip clip_from(const Json& json, const std::vector<std::string>& classes) {
  CachedClip clip;
  clip.name = json.at("name").get<std::string>();
  clip.audio = json.at("audio").get<std::string>();
  clip.video = json.at("video").get<std::string>();
  clip.split = split_from_name(json.at("split").get<std::string>());
  clip.frame_count = json.at("frames").get<int64_t>();
  clip.has_sound = json.at("sound").get<bool>();
  clip.note = json.value("note", "");
  clip.contents = json.value("contents", "");
  const auto label = std::find(classes.begin(), classes.end(), json.at("label").get<std::string>());
  if (label == classes.end()) throw DataError(str("clip '", clip.name, "' has an unknown class"));
  clip.label = label - classes.begin();
  return clip;
}

Json to_json(const Fingerprint& print) { return {{"contents", print.contents}, {"labels", print.labels}}; }

}  // namespace

std::string CacheOptions::describe() const { return str("arrays version 1: ", to_json(*this).dump()); }

uint64_t CacheOptions::recipe(const std::string& readers) const { return hash_of(describe() + readers); }

std::string entry_file_name(const std::string& clip_name) {
  std::string name;
  for (const char c : clip_name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '_' || (c == '.' && !name.empty());
    constexpr const char* digits = "0123456789ABCDEF";
    const auto byte = static_cast<uint8_t>(c);
    name += plain ? std::string(1, c) : std::string{'%', digits[byte >> 4], digits[byte & 15]};
  }
  if (name.size() > 200) name = str(name.substr(0, 180), "%", std::hex, hash_of(clip_name));
  return name + ".clip";
}

bool is_entry_file(const std::filesystem::path& path) {
  constexpr std::string_view kBegins = "AVSCLIP\n";
  const std::string name = path.filename().string();
  std::error_code error;
  if (!std::filesystem::is_regular_file(std::filesystem::symlink_status(path, error))) return false;
  if (is_unfinished(name) || name.ends_with(".clip.part")) return true;  // older versions wrote *.clip.part
  return name.ends_with(".clip") && begins_with(path, kBegins);
}

bool is_index_file(const std::filesystem::path& path) { return begins_with(path, "{\n \"format\": \"avscene cache\""); }

EntryKey entry_key(const CacheOptions& options, const std::filesystem::path& root, const Clip& clip,
                   const ReaderVersions& readers) {
  const auto stamp = [&](const std::string& file) { return file.empty() ? SourceStamp{} : stamp_of(root / file); };
  return {options.recipe(readers_of(readers, clip.audio, clip.video)), hash_of(entry_file_name(clip.name)),
          stamp(clip.audio), stamp(clip.video)};
}

Fingerprint fingerprint_of(const std::vector<std::string>& classes, const std::vector<CachedClip>& clips) {
  std::string contents, labels;
  for (const std::string& name : classes) labels += name + '\0';
  bool is_known = true;
  for (const CachedClip& clip : clips) {
    is_known = is_known && !clip.contents.empty();
    contents += str(clip.name, '\0', clip.contents, clip.frame_count, clip.has_sound ? " with" : " without", '\0');
    labels += str(clip.name, '\0', clip.label, name_of(clip.split), '\0');
  }
  return {is_known ? hex(hash_of(contents)) : "", hex(hash_of(labels))};
}

void write_index(const std::filesystem::path& folder, const IndexHeader& header, const std::vector<CachedClip>& clips) {
  Json json = {{"format", "avscene cache"},
               {"version", kIndexVersion},
               {"data", header.data_root.string()},
               {"layout", header.layout_kind},
               {"validation_cut", header.validation_cut},
               {"options", to_json(header.options)},
               {"decoders", media_versions()},
               {"readers", reader_versions()},
               {"fingerprint", to_json(fingerprint_of(header.classes, clips))},
               {"classes", header.classes},
               {"clips", Json::array()},
               {"notes", header.notes},
               {"skipped", Json::array()}};
  for (const CachedClip& clip : clips)
    json["clips"].push_back(to_json(clip, header.classes.at(static_cast<size_t>(clip.label))));
  for (const Skipped& skipped : header.skipped)
    json["skipped"].push_back(Json{{"name", skipped.name}, {"reason", skipped.reason}});
  // Clip names are UTF-8 (folder_walk.h). Invalid bytes in the data folder's path or in messages are replaced.
  const std::string text = json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
  write_text(folder / kIndexName, text);
}

Cache Cache::open(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / kIndexName;
  if (!std::filesystem::exists(path))
    throw DataError(str(path.string(), ": no finished cache there; make one with: prepare --cache ", folder.string()));
  const std::string text = read_text(path);
  Cache cache;
  cache.folder_ = folder;
  try {
    const Json json = Json::parse(text);
    if (json.at("format") != "avscene cache" || json.at("version") != kIndexVersion)
      throw DataError("it is of another version; run prepare again");
    cache.data_root_ = json.at("data").get<std::string>();
    cache.options_ = options_from(json.at("options"));
    json.at("classes").get_to(cache.classes_);
    const auto readers = json.value("readers", ReaderVersions());
    for (const Json& clip : json.at("clips")) {
      cache.clips_.push_back(clip_from(clip, cache.classes_));
      const CachedClip& known = cache.clips_.back();
      cache.recipes_.push_back(cache.options_.recipe(readers_of(readers, known.audio, known.video)));
    }
    cache.fingerprint_ = fingerprint_of(cache.classes_, cache.clips_);
    if (json.contains("fingerprint") && json["fingerprint"] != to_json(cache.fingerprint_))
      throw DataError("its clips are not those that prepare wrote; run prepare again");
  } catch (const Json::exception& error) {
    throw DataError(str(path.string(), ": damaged (", error.what(), "); run prepare again"));
  } catch (const Error& error) {
    throw DataError(str(path.string(), ": ", error.what()));
  }
  cache.verified_ = std::make_unique<std::atomic<uint8_t>[]>(cache.clips_.size());
  return cache;
}

std::vector<int64_t> Cache::select(Split split) const {
  std::vector<int64_t> ids;
  for (size_t i = 0; i < clips_.size(); ++i)
    if (clips_[i].split == split) ids.push_back(static_cast<int64_t>(i));
  return ids;
}

std::vector<int64_t> Cache::select(Split split, Modality modality) const {
  std::vector<int64_t> ids = select(split);
  std::erase_if(ids, [&](int64_t id) { return !clips_[static_cast<size_t>(id)].has(modality); });
  return ids;
}

void Cache::check_agreement(const Entry& entry, size_t index, const std::filesystem::path& file) const {
  const CachedClip& known = clips_[index];
  const bool has_sound = entry.has(Modality::Mel) || entry.has(Modality::Gammatone) || entry.has(Modality::Cqt);
  const int64_t frames = entry.has(Modality::Frames) ? entry.shape(Modality::Frames)[0] : 0;
  const char* difference = nullptr;
  if (entry.key().recipe != recipes_[index] || entry.key().clip != hash_of(file.filename().string()))
    difference = "was made with other options";
  else if (frames != known.frame_count || has_sound != known.has_sound)
    difference = "has other frames or sound";
  else if (!known.contents.empty() && known.contents != hex(entry.contents()))
    difference = "has other contents";
  if (difference != nullptr)
    throw DataError(str(file.string(), ": ", difference, " than ", (folder_ / kIndexName).string(), " says"));
}

Entry Cache::entry(int64_t clip, Modality modality) const {
  const auto index = static_cast<size_t>(clip);
  const CachedClip& known = clips_.at(index);
  const std::string file = entry_file_name(known.name);
  try {
    Entry entry(folder_ / "entries" / file);
    check_agreement(entry, index, folder_ / "entries" / file);
    const auto bit = static_cast<uint8_t>(1u << static_cast<uint32_t>(modality));
    if ((verified_[index].load(std::memory_order_relaxed) & bit) == 0) {
      entry.verify(modality);
      verified_[index].fetch_or(bit, std::memory_order_relaxed);
    }
    return entry;
  } catch (const DataError& error) {
    throw DataError(str(error.what(), "; run prepare again, it rebuilds what is damaged"));
  } catch (const SystemError& error) {
    throw SystemError(str(error.what(), "; if the rest of the disk is well, prepare rebuilds what cannot be read"));
  }
}

}  // namespace avs::data
