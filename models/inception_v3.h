// InceptionV3 (Szegedy et al. 2015, "Rethinking the Inception architecture"), as Keras builds it: 94 convolutions
// without bias, each with a BatchNorm without gamma (epsilon 1e-3) and a ReLU; 21,768,352 trainable parameters before
// the head and 34,432 running statistics, 21,802,784 as Keras counts. Frames 0..255 become x / 127.5 - 1 inside. 2048
// features.
//
//   stem 3x3/2 32, 3x3 32, 3x3 same 64, max/2, 1x1 80, 3x3 192, max/2
//   mixed0..2    35x35 (at 299)  [ 1x1 | 1x1 5x5 | 1x1 3x3 3x3 | pool 1x1 ]
//   mixed3       to 17x17        [ 3x3/2 | 1x1 3x3 3x3/2 | max/2 ]
//   mixed4..7                    [ 1x1 | 1x1 1x7 7x1 | 1x1 7x1 1x7 7x1 1x7 | pool 1x1 ]
//   mixed8       to 8x8          [ 1x1 3x3/2 | 1x1 1x7 7x1 3x3/2 | max/2 ]
//   mixed9..10                   [ 1x1 | 1x1 (1x3 + 3x1) | 1x1 3x3 (1x3 + 3x1) | pool 1x1 ]
//
// `pool` is a 3x3 average at stride 1. Keras leaves padding out of the average, torchvision counts it, and torchvision's
// BatchNorm has a gamma: BackboneOptions has both choices.
//
// Names here → torchvision; each is followed by `.conv.weight` and `.bn.{beta,running_mean,running_variance}`, there by
// `.conv.weight` and `.bn.{weight,bias,running_mean,running_var}`. Keras numbers its layers in the order of
// construction, which is the order of parameters() here.
//   stem.0 .1 .2 .4 .5                  Conv2d_1a_3x3 Conv2d_2a_3x3 Conv2d_2b_3x3 Conv2d_3b_1x1 Conv2d_4a_3x3
//   mixed0 1 2 | 3 | 4 5 6 7 | 8 | 9 10  Mixed_5b 5c 5d | 6a | 6b 6c 6d 6e | 7a | 7b 7c
//   mixedK.BRANCH.0 .1 …                Mixed_X.BRANCH_1 _2 …   BRANCH = branch5x5 branch3x3dbl branch7x7 branch7x7dbl
//   mixedK.branch1x1.0, .branch_pool.0  Mixed_X.branch1x1, .branch_pool
//   mixed3.branch3x3.0                  Mixed_6a.branch3x3
//   mixed9.branch3x3.1x3, .3x1          Mixed_7b.branch3x3_2a, _2b
//   mixed9.branch3x3dbl.1x3, .3x1       Mixed_7b.branch3x3dbl_3a, _3b
#pragma once

#include "layers/module.h"
#include "models/backbone.h"

namespace avs {

class InceptionV3 final : public Backbone {
 public:
  explicit InceptionV3(BackboneOptions options);
  int64_t features() const override { return features_; }
  std::vector<std::string> stages() const override;

 private:
  void check_input(const Shape& x) const override;
  Variable body(const Variable& x) override;

  std::vector<Layer*> stages_;  // the stem, mixed0 .. mixed10
  int64_t features_ = 0;
};

}  // namespace avs
