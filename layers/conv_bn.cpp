#include "layers/conv_bn.h"

namespace avs {

FixedFilter fold(const Tensor& weight, const BatchNorm::Affine& affine, int64_t first) {
  const int64_t filters = weight.shape()[0], filter_size = weight.size() / filters;
  std::vector<float> scaled = weight.to_vector();
  const float* const scale = affine.scale.data() + first;
  for (int64_t k = 0; k < filters; ++k)
    for (int64_t i = 0; i < filter_size; ++i) scaled[static_cast<size_t>(k * filter_size + i)] *= scale[k];
  const std::span<const float> shift(affine.shift.data() + first, static_cast<size_t>(filters));
  return FixedFilter(Tensor::from(weight.shape(), std::span<const float>(scaled), weight.device()),
                     Tensor::from({filters}, shift, weight.device()));
}

ConvBn::ConvBn(Filter filter, Conv2dSpec conv, BatchNormSpec norm, Gamma gamma)
    : conv_(child<Conv2d>("conv", filter, conv)), norm_(child<BatchNorm>("bn", filter.out, norm, gamma)) {}

bool ConvBn::folds(const Variable& x) const {
  return !training() && !recording({x, conv_.weight(), norm_.gamma(), norm_.beta()});
}

Variable ConvBn::forward(const Variable& x) {
  if (!folds(x)) return norm_(conv_(x));
  if (!folded_.defined()) folded_ = fold(conv_.weight().value(), norm_.inference_affine());
  const Tensor y = ops::conv2d(x.value(), folded_, conv_.spec(), norm_.spec().activation);
  return record("conv2d, batch_norm folded in", {}, y, nullptr);
}

}  // namespace avs
