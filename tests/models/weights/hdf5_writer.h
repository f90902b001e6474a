// Test files written by the HDF5 library.
#pragma once

#include <hdf5.h>

#include <numeric>

#include "models/weights/hdf5.h"
#include "tests/models/weights/golden.h"

namespace avs::golden {

// The error when the arrays at the root of a file are read.
inline std::string error_of_arrays(const std::filesystem::path& path) {
  return error_of<DataError>([&] {
    const weights::hdf5::Node root = weights::hdf5::read_tree(weights::read_file(path));
    for (const weights::hdf5::Node& child : root.children)
      if (child.dataset) child.dataset->read();
  });
}

// An HDF5 file that the library is writing.
class Writer {
 public:
  explicit Writer(const std::string& name, hid_t access = H5P_DEFAULT)
      : path_(golden::file(name)), file_(H5Fcreate(path_.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access)) {}
  ~Writer() { close(); }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  hid_t file() const { return file_; }
  void group(const std::string& name) {
    H5Gclose(H5Gcreate2(file_, name.c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  }
  void array(const std::string& name, const std::vector<hsize_t>& shape, const std::vector<float>& values,
             hid_t type = H5T_IEEE_F32LE, hid_t creation = H5P_DEFAULT) {
    const hid_t space = H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr);
    const hid_t set = H5Dcreate2(file_, name.c_str(), type, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    if (!values.empty()) H5Dwrite(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
    H5Dclose(set);
    H5Sclose(space);
  }
  void texts(const std::string& object, const std::string& name, const std::vector<const char*>& values, hid_t type) {
    const hsize_t count = values.size();
    const hid_t space = H5Screate_simple(1, &count, nullptr);
    const hid_t at = H5Oopen(file_, object.c_str(), H5P_DEFAULT);
    const hid_t attribute = H5Acreate2(at, name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT);
    if (H5Tis_variable_str(type) > 0) {
      H5Awrite(attribute, type, values.data());
    } else {
      std::string flat;
      for (const char* value : values) {
        std::string cell = value;
        cell.resize(H5Tget_size(type));
        flat += cell;
      }
      H5Awrite(attribute, type, flat.data());
    }
    H5Aclose(attribute);
    H5Oclose(at);
    H5Sclose(space);
  }
  void close() {
    if (file_ >= 0) H5Fclose(file_);
    file_ = -1;
  }
  weights::hdf5::Node tree() {
    close();
    return weights::hdf5::read_tree(weights::read_file(path_));
  }
  std::string error() {
    close();
    return error_of_arrays(path_);
  }
  std::string bytes() {  // closes the file and returns its bytes
    close();
    return bytes_of(path_);
  }

 private:
  std::filesystem::path path_;
  hid_t file_;
};

inline std::vector<float> ramp(size_t count) {
  std::vector<float> values(count);
  std::iota(values.begin(), values.end(), 1.0f);
  return values;
}

inline hid_t chunked(const std::vector<hsize_t>& chunk) {
  const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_chunk(creation, static_cast<int>(chunk.size()), chunk.data());
  return creation;
}

}  // namespace avs::golden
