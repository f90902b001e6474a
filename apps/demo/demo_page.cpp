#include "apps/demo/demo_page.h"

#include <fmt/format.h>

#include <map>

#include "apps/report/page.h"
#include "apps/report/parts.h"
#include "apps/report/picture.h"
#include "models/data/cache.h"
#include "models/file.h"

namespace avs::demo {
namespace {

using namespace report;
namespace fs = std::filesystem;

constexpr size_t kMaxMistakes = 24;

// Data of the page's cards: the cache and the three classifiers' results per clip.
struct Album {
  const data::Cache& cache;
  std::map<std::string, int64_t> id_of_clip;
  std::map<std::string, const ClipResult*> audio, visual, both;
};

std::map<std::string, const ClipResult*> by_name(const Evaluation& evaluation) {
  std::map<std::string, const ClipResult*> rows;
  for (const ClipResult& row : evaluation.rows) rows[row.id] = &row;
  return rows;
}

Album album_of(const data::Cache& cache, const DemoResults& results) {
  Album album{cache, {}, by_name(results.audio), by_name(results.visual), by_name(results.both())};
  for (size_t i = 0; i < cache.clips().size(); ++i) album.id_of_clip[cache.clips()[i].name] = static_cast<int64_t>(i);
  return album;
}

std::string frame_of(const Album& album, int64_t clip) {
  const data::CachedClip& entry = album.cache.clips()[static_cast<size_t>(clip)];
  if (!entry.has(Modality::Frames)) return "<p class=\"note\">no picture</p>";
  const Tensor frames = album.cache.entry(clip, Modality::Frames).read(Modality::Frames);
  const Shape& shape = frames.shape();
  const Tensor middle = frames.rows(shape[0] / 2, 1).reshape({shape[1], shape[2], 3});
  return picture(middle, "frame", str("a frame of ", entry.name));
}

std::string sound_of(const Album& album, int64_t clip, Modality kind) {
  const data::CachedClip& entry = album.cache.clips()[static_cast<size_t>(clip)];
  if (!entry.has(kind)) return "<p class=\"note\">no sound</p>";
  const Tensor features = album.cache.entry(clip, kind).read(kind);
  const Tensor pixels = spectrogram_picture(features, {.channels = 1, .pixels_per_band = 1});
  return picture(pixels, "sound", str(name_of(kind), " spectrogram of ", entry.name));
}

std::string answer_line(const Album& album, std::string_view who, const std::map<std::string, const ClipResult*>& rows,
                        const std::string& name) {
  const auto found = rows.find(name);
  if (found == rows.end()) return str("<p>", who, ": not asked</p>\n");
  const int64_t answer = found->second->predicted();
  const std::string& text = album.cache.classes()[static_cast<size_t>(answer)];
  const double share = static_cast<double>(found->second->probabilities[static_cast<size_t>(answer)]);
  return str("<p>", who, ": ", answer == found->second->label ? "✓ " : "✗ ", escape(text), ", ", percent(share, 0),
             "</p>\n");
}

std::string card(const Album& album, const std::string& name, const std::vector<Modality>& kinds) {
  const int64_t clip = album.id_of_clip.at(name);
  const data::CachedClip& entry = album.cache.clips()[static_cast<size_t>(clip)];
  std::string sounds;
  for (const Modality kind : kinds) sounds += sound_of(album, clip, kind);
  return str("<div class=\"clip\">\n", frame_of(album, clip), "<div>\n<h3>",
             escape(album.cache.classes()[static_cast<size_t>(entry.label)]), "</h3>\n", sounds,
             answer_line(album, "sound", album.audio, name), answer_line(album, "picture", album.visual, name),
             answer_line(album, "both", album.both, name), "<p class=\"note\">", escape(name), "</p></div></div>\n");
}

// The first test clip of each class in cache order: not selected by result.
std::string examples(const Album& album, const DemoResults& results) {
  std::string cards;
  std::vector<bool> seen(album.cache.classes().size());
  for (const ClipResult& row : results.both().rows) {
    const auto label = static_cast<size_t>(row.label);
    if (seen[label]) continue;
    seen[label] = true;
    cards += card(album, row.id, {Modality::Mel, Modality::Gammatone, Modality::Cqt});
  }
  return note(
             "The first test clip of each class: its middle frame and what the sound networks see, MEL, GAM and CQT "
             "from top "
             "to bottom (left channel, time to the right; a short clip is repeated to ten seconds). Below them, the "
             "answers.") +
         "<div class=\"sheet\">\n" + cards + "</div>\n";
}

std::string mistakes(const Album& album, const DemoResults& results) {
  std::string cards;
  size_t wrong = 0;
  for (const ClipResult& row : results.both().rows)
    if (row.predicted() != row.label && ++wrong <= kMaxMistakes) cards += card(album, row.id, {Modality::Mel});
  if (wrong == 0) return paragraph("None: every test clip was recognised.");
  const std::string shown = wrong > kMaxMistakes ? str("; the first ", kMaxMistakes, " are shown") : "";
  return note(str(wrong, " of ", results.both().clips, " test clips were not recognised by ", results.method, shown,
                  ".")) +
         "<div class=\"sheet\">\n" + cards + "</div>\n";
}

struct NamedHistory {
  std::string name;
  RunHistory history;
};

std::vector<NamedHistory> histories_of(const DemoResults& results, const fs::path& out) {
  std::vector<NamedHistory> histories;
  for (const NamedEvaluation& backbone : results.backbones)
    histories.push_back({backbone.method, read_history(read_text(out / "runs" / backbone.method / "metrics.jsonl"))});
  return histories;
}

std::string training_section(const std::vector<NamedHistory>& histories) {
  LineChart loss{.title = "Training loss, without L2", .x_label = "epoch", .series = {}, .y_min = 0.0};
  LineChart accuracy{.title = "Accuracy on the validation split",
                     .x_label = "epoch",
                     .series = {},
                     .y_min = 0.0,
                     .y_max = 1.0,
                     .y_numbers = LineChart::Numbers::Percent};
  std::vector<std::vector<std::string>> rows;
  for (const auto& [name, history] : histories) {
    loss.series.push_back({name, history.loss.points});
    accuracy.series.push_back({name, history.validation_accuracy.points});
    rows.push_back({escape(name), str(history.epochs), str(history.steps), str(history.best_epoch),
                    fixed(history.seconds, 0), fixed(static_cast<double>(history.peak_bytes) / 1e6, 0)});
  }
  return str(
      "<div class=\"charts\">\n", line_chart(loss), line_chart(accuracy), "</div>\n",
      table("",
            {{"network", TableColumn::Align::Text}, {"epochs"}, {"steps"}, {"best epoch"}, {"seconds"}, {"peak MB"}},
            rows));
}

std::string each_run(const std::vector<NamedHistory>& histories) {
  std::string out;
  for (const auto& [name, history] : histories)
    out += str("<details><summary>", escape(name), "</summary>\n", run_charts(history), "</details>\n");
  return out;
}

}  // namespace

std::string demo_page(const DemoResults& results, const fs::path& out, double seconds) {
  const data::Cache cache = data::Cache::open(out / "cache");
  const Album album = album_of(cache, results);
  const std::vector<NamedHistory> histories = histories_of(results, out);
  const Evaluation& both = results.both();

  Page page("Scenes by sight and sound", str(both.classes.size(), " classes, ", cache.clips().size(), " clips, ",
                                             both.clips, " of them for testing; five networks, six fusions"));
  page.section("Result", key_figures({{percent(results.audio.micro_accuracy), "by sound alone"},
                                      {percent(results.visual.micro_accuracy), "by picture alone"},
                                      {percent(both.micro_accuracy), str("by both (", results.method, ")")},
                                      {fmt::format("{:.1f} min", seconds / 60), "from videos to this page"}}) +
                             class_bars({{"sound", results.audio}, {"picture", results.visual}, {"both", both}}) +
                             note(str("Test clips. Sound: three networks fused by ", results.method,
                                      ", picture: two, both: all five; ", results.method,
                                      " did best of the six on the validation split.")));
  page.section("Six ways to fuse", accuracy_table(results.fusions));
  page.section("Each network alone", accuracy_table(results.backbones));
  page.section("Training", training_section(histories) + each_run(histories));
  page.section("Confusion", side_by_side({confusion_matrix(results.audio, "Sound alone"),
                                          confusion_matrix(results.visual, "Picture alone"),
                                          confusion_matrix(both, str("Both (", results.method, ")"))}));
  page.section("Examples", examples(album, results));
  page.section("Mistakes", mistakes(album, results));
  return page.html();
}

}  // namespace avs::demo
