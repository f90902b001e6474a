#include "apps/data/cache.h"

#include <xxhash.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tensor/error.h"

namespace avs::data {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kIndexVersion = 1;
constexpr const char* kIndexName = "index.json";

uint64_t hash_of(std::string_view text) { return XXH3_64bits(text.data(), text.size()); }

// ---- options ----------------------------------------------------------------

Json to_json(const CacheOptions& options) {
  Json kinds = Json::array();
  for (const Part part : options.spectrograms.kinds) kinds.push_back(name_of(part));
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
    options.spectrograms.kinds.push_back(part_from_name(kind.get<std::string>()));
  options.spectrograms.cqt = cqt_range_from_name(json.at("cqt").get<std::string>());
  return options;
}

// ---- clips ------------------------------------------------------------------

Json to_json(const CachedClip& clip, const std::string& class_name) {
  Json json = {{"name", clip.name},      {"label", class_name}, {"split", name_of(clip.split)},
               {"audio", clip.audio},    {"video", clip.video}, {"frames", clip.frame_count},
               {"sound", clip.has_sound}};
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
  const auto label = std::find(classes.begin(), classes.end(), json.at("label").get<std::string>());
  if (label == classes.end()) throw DataError(str("clip '", clip.name, "' has an unknown class"));
  clip.label = label - classes.begin();
  return clip;
}

}  // namespace

std::string CacheOptions::describe() const { return str("arrays version 1: ", to_json(*this).dump()); }

uint64_t CacheOptions::recipe() const { return hash_of(describe()); }

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

EntryKey entry_key(const CacheOptions& options, const std::filesystem::path& root, const Clip& clip) {
  const auto stamp = [&](const std::string& file) { return file.empty() ? SourceStamp{} : stamp_of(root / file); };
  return {options.recipe(), hash_of(entry_file_name(clip.name)), stamp(clip.audio), stamp(clip.video)};
}

void write_index(const std::filesystem::path& folder, const IndexHeader& header, const std::vector<CachedClip>& clips) {
  Json json = {{"format", "avscene cache"},
               {"version", kIndexVersion},
               {"data", header.data_root.string()},
               {"layout", header.layout_kind},
               {"validation_cut", header.validation_cut},
               {"options", to_json(header.options)},
               {"decoders", media_versions()},
               {"classes", header.classes},
               {"clips", Json::array()},
               {"notes", header.notes},
               {"skipped", Json::array()}};
  for (const CachedClip& clip : clips)
    json["clips"].push_back(to_json(clip, header.classes.at(static_cast<size_t>(clip.label))));
  for (const Skipped& skipped : header.skipped)
    json["skipped"].push_back(Json{{"name", skipped.name}, {"reason", skipped.reason}});
  // A file name may hold any bytes, JSON only UTF-8: replaced in the index, intact in the entry's own name.
  const std::string text = json.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
  const std::span<const std::byte> bytes = std::as_bytes(std::span(text));
  write_atomically(folder / kIndexName, {{bytes}});
}

Cache Cache::open(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / kIndexName;
  std::ifstream in(path);
  if (!in)
    throw DataError(str(path.string(), ": no finished cache there; make one with: prepare --cache ", folder.string()));
  Cache cache;
  cache.folder_ = folder;
  try {
    const Json json = Json::parse(in);
    if (json.at("format") != "avscene cache" || json.at("version") != kIndexVersion)
      throw DataError("it is of another version; run prepare again");
    cache.data_root_ = json.at("data").get<std::string>();
    cache.options_ = options_from(json.at("options"));
    json.at("classes").get_to(cache.classes_);
    for (const Json& clip : json.at("clips")) cache.clips_.push_back(clip_from(clip, cache.classes_));
  } catch (const Json::exception& error) {
    throw DataError(str(path.string(), ": damaged (", error.what(), "); run prepare again"));
  } catch (const Error& error) {
    throw DataError(str(path.string(), ": ", error.what()));
  }
  cache.recipe_ = cache.options_.recipe();
  cache.verified_ = std::make_unique<std::atomic<uint8_t>[]>(cache.clips_.size());
  return cache;
}

std::vector<int64_t> Cache::select(Split split) const {
  std::vector<int64_t> ids;
  for (size_t i = 0; i < clips_.size(); ++i)
    if (clips_[i].split == split) ids.push_back(static_cast<int64_t>(i));
  return ids;
}

std::vector<int64_t> Cache::select(Split split, Part part) const {
  std::vector<int64_t> ids = select(split);
  std::erase_if(ids, [&](int64_t id) { return !clips_[static_cast<size_t>(id)].has(part); });
  return ids;
}

Entry Cache::map(int64_t clip, Part part) const {
  const auto index = static_cast<size_t>(clip);
  const CachedClip& known = clips_.at(index);
  const std::string file = entry_file_name(known.name);
  try {
    Entry entry(folder_ / "entries" / file);
    if (entry.key().recipe != recipe_ || entry.key().clip != hash_of(file))
      throw DataError(str((folder_ / "entries" / file).string(), ": made with other options than the index"));
    const auto bit = static_cast<uint8_t>(1u << static_cast<uint32_t>(part));
    if ((verified_[index].load(std::memory_order_relaxed) & bit) == 0) {
      entry.verify(part);
      verified_[index].fetch_or(bit, std::memory_order_relaxed);
    }
    return entry;
  } catch (const DataError& error) {
    throw DataError(str(error.what(), "; run prepare again, it rebuilds what is damaged"));
  }
}

}  // namespace avs::data
