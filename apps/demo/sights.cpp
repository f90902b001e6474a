// The four sights as colour functions of position and time: x from -aspect/2 to aspect/2, y from 0 (top) to 1 (bottom),
// t in seconds. Constructors draw the random properties of a clip.
#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>

#include "apps/demo/noise.h"
#include "apps/demo/scenes.h"

namespace avs::demo {
namespace {

struct Colour {
  float r, g, b;
};
Colour operator*(Colour c, float s) { return {c.r * s, c.g * s, c.b * s}; }
Colour operator+(Colour a, Colour b) { return {a.r + b.r, a.g + b.g, a.b + b.b}; }
Colour mix(Colour a, Colour b, float share_of_b) {
  const float s = std::clamp(share_of_b, 0.0f, 1.0f);
  return a * (1 - s) + b * s;
}

float draw(Rng& rng, double low, double high) { return static_cast<float>(rng.uniform(low, high)); }
uint32_t draw_seed(Rng& rng) { return static_cast<uint32_t>(rng.next()); }
Colour draw_near(Rng& rng, Colour c, double spread) {
  return {c.r + draw(rng, -spread, spread), c.g + draw(rng, -spread, spread), c.b + draw(rng, -spread, spread)};
}
Colour draw_any(Rng& rng) { return {draw(rng, 0.1, 0.95), draw(rng, 0.1, 0.95), draw(rng, 0.1, 0.95)}; }

class View {
 public:
  virtual ~View() = default;
  virtual Colour at(float x, float y, float t) const = 0;
};

// Day, evening or overcast, with drifting clouds.
class Sky {
 public:
  explicit Sky(Rng& rng) : seed_(draw_seed(rng)), drift_(draw(rng, -0.1, 0.1)), cover_(draw(rng, 0.35, 0.75)) {
    constexpr Colour kTops[] = {
        {0.25f, 0.5f, 0.9f}, {0.35f, 0.25f, 0.5f}, {0.55f, 0.58f, 0.62f}, {0.04f, 0.06f, 0.15f}};
    constexpr Colour kLows[] = {{0.7f, 0.85f, 1.0f}, {1.0f, 0.6f, 0.3f}, {0.8f, 0.8f, 0.8f}, {0.12f, 0.12f, 0.25f}};
    const auto kind = static_cast<size_t>(rng.below(4));
    top_ = draw_near(rng, kTops[kind], 0.08);
    low_ = draw_near(rng, kLows[kind], 0.08);
  }
  Colour at(float x, float y, float t) const {
    const float cloud = clouds(x * 2.5f + drift_ * t, y * 6, seed_, 3) - cover_;
    return mix(mix(top_, low_, y * 2), low_ * 0.6f + Colour{0.35f, 0.35f, 0.35f}, cloud * 3);
  }

 private:
  uint32_t seed_;
  float drift_, cover_;
  Colour top_, low_;
};

// A boat, car or walker that crosses the view at constant speed.
struct Mover {
  float x, y, width, height, speed;
  Colour colour;
  // (px, py) in the mover's coordinates: -1 to 1 inside.
  std::pair<float, float> local(float px, float py, float t) const {
    const float span = 2.4f;  // wider than any view: a mover leaves before it returns
    const float moved = x + speed * t + span / 2;
    const float centre = moved - span * std::floor(moved / span) - span / 2;
    return {(px - centre) / width, (py - y) / height};
  }
};

class Sea final : public View {
 public:
  explicit Sea(Rng& rng)
      : sky_(rng),
        seed_(draw_seed(rng)),
        horizon_(draw(rng, 0.22, 0.55)),
        speed_(draw(rng, 0.6, 2.0)),
        chop_(draw(rng, 0.25, 0.6)),
        foam_(draw(rng, 0.7, 0.85)) {
    constexpr Colour kWaters[] = {{0.05f, 0.25f, 0.45f}, {0.1f, 0.4f, 0.4f}, {0.25f, 0.3f, 0.35f}, {0.3f, 0.2f, 0.25f}};
    water_ = draw_near(rng, kWaters[rng.below(4)], 0.07);
    for (int64_t i = rng.below(3); i > 0; --i)
      boats_.push_back({draw(rng, -1, 1), horizon_, draw(rng, 0.03, 0.12), draw(rng, 0.03, 0.09), draw(rng, -0.1, 0.1),
                        draw_any(rng)});
  }
  Colour at(float x, float y, float t) const override {
    for (const Mover& boat : boats_) {
      const auto [u, v] = boat.local(x, y, t);
      if (std::abs(u) < 1 - std::max(v, 0.0f) * 0.6f && v > -0.25f && v < 0.6f) return boat.colour * 0.5f;  // hull
      if (v <= -0.25f && v > -1 && u > -0.1f && u < (v + 1) * 0.7f) return boat.colour;                     // sail
    }
    if (y < horizon_) return sky_.at(x, y, t);
    const float distance = 1 / (y - horizon_ + 0.06f);
    const float wave = clouds(x * distance * 1.4f + 3, distance * 2.2f + t * speed_, seed_, 3);
    const float glint = wave > foam_ ? 0.6f : 0;
    return mix(water_, sky_.at(x, 0.4f, t), 0.25f + (wave - 0.5f) * 2 * chop_) + Colour{glint, glint, glint};
  }

 private:
  Sky sky_;
  uint32_t seed_;
  float horizon_, speed_, chop_, foam_;
  Colour water_;
  std::vector<Mover> boats_;
};

class Street final : public View {
 public:
  explicit Street(Rng& rng)
      : sky_(rng),
        seed_(draw_seed(rng)),
        kerb_(draw(rng, 0.6, 0.78)),
        house_(draw(rng, 0.2, 0.45)),
        window_(draw(rng, 0.05, 0.09)),
        lit_(draw(rng, 0.35, 0.8)),
        wall_(draw_near(rng, {0.45f, 0.4f, 0.38f}, 0.14)),
        light_(draw_near(rng, {0.9f, 0.85f, 0.6f}, 0.15)) {
    for (int64_t i = 2 + rng.below(4); i > 0; --i)
      cars_.push_back({draw(rng, -1, 1), draw(rng, kerb_ + 0.06, 0.93), draw(rng, 0.1, 0.2), draw(rng, 0.04, 0.08),
                       draw(rng, -0.9, 0.9), draw_any(rng)});
  }
  Colour at(float x, float y, float t) const override {
    for (const Mover& car : cars_) {
      const auto [u, v] = car.local(x, y, t);
      if (std::abs(u) > 1 || std::abs(v) > 1) continue;
      if (v < 0 && std::abs(u) > 0.65f) continue;  // the cabin is shorter than the body
      if (v > 0.6f) return {0.05f, 0.05f, 0.05f};
      if (v > 0 && std::abs(u) > 0.9f) return {1.0f, 0.9f, 0.5f};  // lamps
      return v < -0.2f && std::abs(u) < 0.5f ? Colour{0.6f, 0.7f, 0.8f} : car.colour;
    }
    if (y > kerb_) {
      const bool dash = std::abs(y - (kerb_ + 1) / 2) < 0.008f && noise(x * 6, 0, seed_) > 0.5f;
      const float tar = 0.2f + 0.15f * noise(x * 60, y * 60, seed_);
      return dash ? Colour{0.85f, 0.85f, 0.8f} : Colour{tar, tar, tar * 1.05f};
    }
    const auto house = static_cast<int32_t>(std::floor(x / house_));
    const float roof = 0.05f + 0.4f * lattice(house, 1, seed_);
    if (y < roof) return sky_.at(x, y, t);
    const float shade = 0.5f + 0.7f * lattice(house, 2, seed_);
    const float column = x / window_, row = (y - roof) / (window_ * 1.2f);
    const float in_x = column - std::floor(column), in_y = row - std::floor(row);
    if (in_x < 0.3f || in_x > 0.8f || in_y < 0.3f || in_y > 0.85f) return wall_ * shade;
    const bool lit =
        lattice(static_cast<int32_t>(std::floor(column)), static_cast<int32_t>(std::floor(row)) + 50, seed_) < lit_;
    return lit ? light_ : Colour{0.12f, 0.14f, 0.2f};
  }

 private:
  Sky sky_;
  uint32_t seed_;
  float kerb_, house_, window_, lit_;
  Colour wall_, light_;
  std::vector<Mover> cars_;
};

class Hall final : public View {
 public:
  explicit Hall(Rng& rng)
      : seed_(draw_seed(rng)),
        floor_(draw(rng, 0.58, 0.75)),
        bay_(draw(rng, 0.3, 0.5)),
        arch_(draw(rng, 0.2, 0.33)),
        tile_(draw(rng, 1.2, 2.2)),
        glow_(draw(rng, 0.2, 0.7)),
        wall_(draw_near(rng, {0.62f, 0.5f, 0.36f}, 0.18)),
        dark_(draw_near(rng, {0.3f, 0.2f, 0.15f}, 0.1)),
        outside_(draw_near(rng, {0.75f, 0.85f, 0.95f}, 0.15)) {
    for (int64_t i = rng.below(5); i > 0; --i)
      people_.push_back({draw(rng, -1, 1), draw(rng, floor_ + 0.02, 0.88), draw(rng, 0.03, 0.05), draw(rng, 0.12, 0.2),
                         draw(rng, -0.3, 0.3), draw_any(rng) * 0.6f});
  }
  Colour at(float x, float y, float t) const override {
    for (const Mover& person : people_) {
      const auto [u, v] = person.local(x, y, t);
      if (u * u * 2 + (v + 0.8f) * (v + 0.8f) * 25 < 1) return {0.7f, 0.55f, 0.45f};
      if (std::abs(u) < 0.55f + 0.35f * v && v > -0.6f && v < 1) return person.colour;
    }
    if (y > floor_) {
      const float distance = 1 / (y - floor_ + 0.12f);
      const auto i = static_cast<int32_t>(std::floor(x * distance * tile_));
      const auto j = static_cast<int32_t>(std::floor(distance * tile_ * 1.5f));
      return mix(dark_, wall_, ((i + j) % 2 == 0 ? 0.25f : 0.85f) + 0.1f * noise(x * 30, y * 30, seed_));
    }
    const float centre = (std::floor(x / bay_) + 0.5f) * bay_, u = (x - centre) / bay_;
    const float lamp = std::hypot(x - std::round(x / (2 * bay_)) * 2 * bay_, (y - 0.12f) * 1.2f);
    const Colour light = Colour{1.0f, 0.85f, 0.55f} * (glow_ * 0.012f / (lamp * lamp + 0.01f));
    if (std::abs(u) > 0.4f)
      return mix(dark_, wall_, 0.6f + 0.8f * (std::abs(u) - 0.4f) * 5) + light;  // a column, rounded
    const float crown = 0.22f + arch_ * (1 - std::sqrt(std::max(0.0f, 1 - u * u * 12)));
    const bool window = std::abs(u) < 0.28f && y > crown && y < floor_ - 0.1f;
    const bool bar = std::abs(u) < 0.02f || std::abs(y - 0.42f) < 0.01f;
    return window && !bar ? outside_ * (0.8f + 0.2f * noise(x * 8, y * 8, seed_))
                          : wall_ * (0.8f + 0.25f * noise(x * 5, y * 5, seed_)) + light;
  }

 private:
  uint32_t seed_;
  float floor_, bay_, arch_, tile_, glow_;
  Colour wall_, dark_, outside_;
  std::vector<Mover> people_;
};

class Forest final : public View {
 public:
  explicit Forest(Rng& rng)
      : seed_(draw_seed(rng)),
        ground_(draw(rng, 0.65, 0.9)),
        sway_(draw(rng, 0.2, 1.0)),
        leaf_(draw(rng, 7, 14)),
        gap_(draw(rng, 0.62, 0.78)),
        sky_(rng),
        bark_(draw_near(rng, {0.3f, 0.22f, 0.15f}, 0.08)) {
    constexpr Colour kLeaves[] = {
        {0.15f, 0.4f, 0.12f}, {0.35f, 0.45f, 0.1f}, {0.55f, 0.35f, 0.1f}, {0.12f, 0.3f, 0.22f}};
    leaves_ = draw_near(rng, kLeaves[rng.below(4)], 0.07);
    for (int64_t i = 3 + rng.below(5); i > 0; --i)
      trunks_.push_back({draw(rng, -0.75, 0.75), draw(rng, 0.015, 0.05), draw(rng, -0.08, 0.08)});
  }
  Colour at(float x, float y, float t) const override {
    for (const Trunk& trunk : trunks_) {
      const float middle = trunk.x + trunk.slant * (1 - y) + 0.006f * sway_ * (1 - y) * std::sin(t * 2 + trunk.x * 9);
      const float u = (x - middle) / (trunk.width * (0.6f + 0.5f * y));
      if (std::abs(u) < 1 && y < ground_ + trunk.width)
        return bark_ * (1.1f - 0.6f * u * u) * (0.7f + 0.6f * noise(x * 70, y * 12, seed_));
    }
    const float wind = 0.04f * sway_ * std::sin(t * 1.7f + x * 5);
    if (y > ground_) return mix(leaves_ * 0.7f, bark_ * 1.6f, clouds(x * 9, y * 22, seed_ + 7, 3)) * 1.1f;
    const float leaf = clouds((x + wind) * leaf_, (y + wind * 0.5f) * leaf_, seed_, 4);
    if (leaf > gap_ - 0.2f * (0.5f - y)) return sky_.at(x, y, t);
    return leaves_ * (0.35f + 2.2f * (leaf - 0.2f));
  }

 private:
  struct Trunk {
    float x, width, slant;
  };
  uint32_t seed_;
  float ground_, sway_, leaf_, gap_;
  Sky sky_;
  Colour bark_, leaves_;
  std::vector<Trunk> trunks_;
};

// Camera effects: zoom, pan, shake, exposure, tint, fog, grain, vignette.
class Camera {
 public:
  explicit Camera(Rng& rng)
      : zoom_(draw(rng, 0.85, 1.1)),
        x_(draw(rng, -0.12, 0.12)),
        pan_(draw(rng, -0.06, 0.06)),
        shake_(draw(rng, 0, 0.01)),
        exposure_(draw(rng, 0.75, 1.2)),
        saturation_(draw(rng, 0.5, 1.1)),
        grain_(draw(rng, 0.01, 0.06)),
        vignette_(draw(rng, 0, 0.6)),
        fog_(draw(rng, 0, 0.12)),
        seed_(draw_seed(rng)),
        tint_(draw_near(rng, {1, 1, 1}, 0.08)),
        fog_colour_(draw_near(rng, {0.7f, 0.72f, 0.75f}, 0.15)) {
    if (rng.uniform() < 0.05) fog_ = draw(rng, 0.5, 0.7);        // thick fog
    if (rng.uniform() < 0.05) exposure_ = draw(rng, 0.2, 0.35);  // near darkness
  }
  Colour see(const View& view, float x, float y, float t, uint32_t pixel) const {
    const float sx = x * zoom_ + x_ + pan_ * t + shake_ * (noise(t * 5, 0, seed_) - 0.5f);
    const float sy = 0.5f + (y - 0.5f) * zoom_ + shake_ * (noise(t * 5, 9, seed_) - 0.5f);
    const Colour seen =
        mix(view.at(sx, sy, t), fog_colour_, fog_ * (0.7f + 0.6f * clouds(sx * 2 + t * 0.2f, sy * 2, seed_, 2)));
    const float grey = 0.3f * seen.r + 0.59f * seen.g + 0.11f * seen.b;
    const Colour tinted = mix({grey, grey, grey}, {seen.r * tint_.r, seen.g * tint_.g, seen.b * tint_.b}, saturation_);
    const float grain = grain_ * (lattice(static_cast<int32_t>(pixel), static_cast<int32_t>(t * 1000), seed_) - 0.5f);
    return tinted * (exposure_ * (1 - vignette_ * (x * x + (y - 0.5f) * (y - 0.5f)))) + Colour{grain, grain, grain};
  }

 private:
  float zoom_, x_, pan_, shake_, exposure_, saturation_, grain_, vignette_, fog_;
  uint32_t seed_;
  Colour tint_, fog_colour_;
};

std::unique_ptr<View> make_view(Sight sight, Rng& rng) {
  switch (sight) {
    case Sight::Sea: return std::make_unique<Sea>(rng);
    case Sight::Street: return std::make_unique<Street>(rng);
    case Sight::Hall: return std::make_unique<Hall>(rng);
    case Sight::Forest: return std::make_unique<Forest>(rng);
  }
  throw UsageError("render_sight: no such sight");
}

uint8_t to_byte(float value) { return static_cast<uint8_t>(std::lround(std::clamp(value, 0.0f, 1.0f) * 255)); }

}  // namespace

Tensor render_sight(Sight sight, const PictureFormat& format, double seconds, Rng rng) {
  const std::unique_ptr<View> view = make_view(sight, rng);
  const Camera camera(rng);
  const auto frames = std::max<int64_t>(1, std::llround(seconds * format.frames_per_second));
  Tensor pixels = Tensor::empty({frames, format.height, format.width, 3}, DType::U8);
  uint8_t* out = pixels.data<uint8_t>();
  for (int64_t frame = 0; frame < frames; ++frame) {
    const auto t = static_cast<float>(static_cast<double>(frame) / format.frames_per_second);
    for (int64_t row = 0; row < format.height; ++row)
      for (int64_t column = 0; column < format.width; ++column) {
        const float scale = 1.0f / static_cast<float>(format.height);
        const float x = (static_cast<float>(column) + 0.5f - static_cast<float>(format.width) / 2) * scale;
        const float y = (static_cast<float>(row) + 0.5f) * scale;
        const Colour c = camera.see(*view, x, y, t, static_cast<uint32_t>(row * format.width + column));
        *out++ = to_byte(c.r);
        *out++ = to_byte(c.g);
        *out++ = to_byte(c.b);
      }
  }
  return pixels;
}

}  // namespace avs::demo
