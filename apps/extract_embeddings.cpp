// extract_embeddings: computes trained backbones' embeddings of a cache, the input of Phase II.
#include <spdlog/spdlog.h>

#include <iostream>

#include "apps/cli/compute_options.h"
#include "apps/cli/interrupt.h"
#include "apps/cli/program.h"
#include "apps/train/extract.h"
#include "models/file.h"
#include "models/training/predict.h"
#include "tensor/require.h"
#include "tensor/version.h"

namespace avs {
namespace {

struct Arguments {
  std::vector<std::string> backbones;
  std::string cache, out, layer = "both";
  int64_t batch = 32;
  int workers = 1;
  ComputeOptions compute;
};

void add_flags(Flags& flags, Arguments& a) {
  flags.add("--backbone", a.backbones, "a RUN of train_backbone; repeatable").required();
  flags.add("--cache", a.cache, "the cache of the clips").required();
  flags.add("--out", a.out, "the .safetensors file to make").required();
  flags.add("--layer", a.layer, "fc1024 (for f1 to f3), fc10 (for f4 to f6) or both")
      .one_of({"fc1024", "fc10", "both"})
      .shows_default();
  flags.add("--batch", a.batch, "samples per pass").within(1, 4096).shows_default();
  flags.add("--workers", a.workers, "threads that read the cache").within(0, 256).shows_default();
  add_compute_options(flags, a.compute);
}

ExtractOptions extract_options(const Arguments& a, Placement placement) {
  ExtractOptions options{.batch = a.batch, .workers = a.workers, .shards = a.out + ".partial"};
  options.computed =
      str("batch ", a.batch, " on ", placement.device.is_cuda() ? "cuda" : "cpu", " in ", placement.dtype,
          a.compute.fast ? ", fast" : "", a.compute.tf32 ? ", tf32" : "", ", ", engine_version());
  if (a.layer == "fc1024") options.layers = {EmbeddingLayer::Fc1024};
  if (a.layer == "fc10") options.layers = {EmbeddingLayer::Fc10};
  return options;
}

// The embeddings in the existing --out file; empty if it holds something else.
EmbeddingSet made_before(const std::string& out) {
  try {
    return std::filesystem::is_regular_file(out) ? EmbeddingSet::load(out) : EmbeddingSet();
  } catch (const DataError&) {
    return {};
  }
}

void say(const BackboneEmbedding& made, const TrainedBackbone& backbone, const char* how) {
  const auto missing = std::count(made.present.begin(), made.present.end(), uint8_t{0});
  std::cout << made.source.name << ": " << static_cast<int64_t>(made.present.size()) - missing << " clips";
  if (missing > 0)
    std::cout << ", " << missing << " without " << (backbone.net->modality() == Modality::Frames ? "picture" : "sound");
  std::cout << how << '\n';
}

void run(const Arguments& a) {
  const Placement placement = use_device(a.compute);
  const data::Cache cache = data::Cache::open(a.cache);
  const ExtractOptions options = extract_options(a, placement);
  make_folders(options.shards);
  const InterruptSignals signals;
  EmbeddingSet set = empty_set(cache);
  set.computed = options.computed;
  {
    const FolderLock lock(options.shards);
    const EmbeddingSet before = made_before(a.out);
    for (const std::string& run : a.backbones) {
      TrainedBackbone backbone = load_trained_backbone(run);
      place(*backbone.net, placement);
      const BackboneSource source{distinct_name(backbone.net->options().model, set.names()),
                                  std::filesystem::absolute(run).lexically_normal().string(), backbone.hash};
      check_inputs(backbone, cache);
      if (const BackboneEmbedding* made = find_made_before(before, backbone, cache, options)) {
        set.backbones.push_back({source, made->layers, made->present});
        say(set.backbones.back(), backbone, ", as they were; labels and splits are the cache's");
        continue;
      }
      Progress progress(sample_count(backbone, cache), source.name);
      set.backbones.push_back(extract(backbone, source, cache, options, progress));
      say(set.backbones.back(), backbone, "");
    }
    set.save(a.out);
  }
  remove_shards(options.shards);
}

}  // namespace
}  // namespace avs

int main(int argc, char** argv) {
  avs::Program program(
      "extract_embeddings", "Runs trained backbones over every clip of a cache and keeps what their last layers say.",
      "extract_embeddings --backbone runs/aud-mel --backbone runs/vis-inc --cache my.cache --out all.safetensors\n"
      "extract_embeddings --backbone runs/aud-mel --cache my.cache --layer fc10 --out mel.safetensors");
  avs::Arguments arguments;
  avs::add_flags(program.flags(), arguments);
  return program.run(
      argc, argv, [&] { avs::run(arguments); }, "the same command continues");
}
