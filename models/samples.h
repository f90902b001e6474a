// A batch on its way into a network, on any device: Backbone::run mixes, resizes and preprocesses it.
#pragma once

#include <utility>

#include "tensor/ops/load_pictures.h"

namespace avs {

struct Samples {
  Samples() = default;
  Samples(Tensor values, PictureBoxes shown = {}, MixupPlan plan = {})  // a tensor alone is a batch, too
      : x(std::move(values)), boxes(std::move(shown)), mixup(std::move(plan)) {}

  Tensor x;            // f32 spectrograms [n, 128, 704, 6], or u8 or f32 frames [n, h, w, 3], RGB 0..255
  PictureBoxes boxes;  // for u8 frames: the boxes that the network sees; undefined: whole frames as they are
  MixupPlan mixup;     // undefined: rows as they are

  Shape shape() const {  // the shape that enters the network
    const int64_t rows = mixup.defined() ? mixup.rows() : x.shape()[0];
    return boxes.defined() ? Shape{rows, boxes.height, boxes.width, x.shape()[3]} : x.shape().with(0, rows);
  }
};

}  // namespace avs
