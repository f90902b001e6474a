#include <algorithm>
#include <limits>

#include "models/weights/source.h"
#include "tensor/dtype.h"

namespace avs::weights {
namespace {

template <typename Stored>
std::vector<float> convert(const uint8_t* data, uint64_t count) {
  std::vector<float> out(count);
  for (uint64_t i = 0; i < count; ++i) {
    Stored value;
    std::memcpy(&value, data + i * sizeof(Stored), sizeof(Stored));  // data in the file is not aligned
    out[i] = static_cast<float>(value);
  }
  return out;
}

}  // namespace

uint64_t size_of(NumberType type) {
  switch (type) {
    case NumberType::I8:
    case NumberType::U8:
    case NumberType::Bool: return 1;
    case NumberType::F16:
    case NumberType::BF16:
    case NumberType::I16: return 2;
    case NumberType::F32:
    case NumberType::I32: return 4;
    case NumberType::F64:
    case NumberType::I64: return 8;
  }
  return 1;
}

std::vector<float> to_floats(const uint8_t* data, uint64_t count, NumberType type) {
  switch (type) {
    case NumberType::F16: return convert<f16>(data, count);
    case NumberType::BF16: return convert<bf16>(data, count);
    case NumberType::F32: {
      std::vector<float> out(count);
      if (count > 0) std::memcpy(out.data(), data, count * sizeof(float));
      return out;
    }
    case NumberType::F64: return convert<double>(data, count);
    case NumberType::I8: return convert<int8_t>(data, count);
    case NumberType::U8:
    case NumberType::Bool: return convert<uint8_t>(data, count);
    case NumberType::I16: return convert<int16_t>(data, count);
    case NumberType::I32: return convert<int32_t>(data, count);
    case NumberType::I64: return convert<int64_t>(data, count);
  }
  return {};
}

uint64_t element_count(const std::vector<int64_t>& shape, const std::string& what) {
  uint64_t count = 1;
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) count = 0;
  for (const int64_t extent : shape) {
    if (extent < 0) throw DataError(str(what, " has an extent of ", extent));
    if (count > 0 && static_cast<uint64_t>(extent) > static_cast<uint64_t>(INT64_MAX) / count)
      throw DataError(what + " has more elements than can be counted");
    count *= static_cast<uint64_t>(extent);
  }
  return count;
}

}  // namespace avs::weights
