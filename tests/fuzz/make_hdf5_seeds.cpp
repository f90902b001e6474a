// make_hdf5_seeds FOLDER: writes small HDF5 files in both of Keras' layouts, with every kind of storage that the reader
// knows. The fuzzer learns little from large files.
#include <hdf5.h>

#include <string>
#include <vector>

namespace {

void group(hid_t file, const std::string& name) {
  H5Gclose(H5Gcreate2(file, name.c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
}

void texts(hid_t file, const std::string& object, const char* name, const std::vector<const char*>& values) {
  const hid_t type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, H5T_VARIABLE);
  const hsize_t count = values.size();
  const hid_t space = H5Screate_simple(1, &count, nullptr), at = H5Oopen(file, object.c_str(), H5P_DEFAULT);
  const hid_t attribute = H5Acreate2(at, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
  H5Awrite(attribute, type, values.data());
  H5Aclose(attribute);
  H5Oclose(at);
  H5Sclose(space);
  H5Tclose(type);
}

void array(hid_t file, const std::string& name, hid_t type, hid_t creation) {
  const hsize_t shape[] = {4, 6};
  const std::vector<float> values(24, 0.5f);
  const hid_t space = H5Screate_simple(2, shape, nullptr);
  const hid_t set = H5Dcreate2(file, name.c_str(), type, space, H5P_DEFAULT, creation, H5P_DEFAULT);
  H5Dwrite(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
  H5Dclose(set);
  H5Sclose(space);
}

hid_t packed() {
  const hsize_t chunk[] = {2, 5};
  const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_chunk(creation, 2, chunk);
  H5Pset_shuffle(creation);
  H5Pset_deflate(creation, 1);
  H5Pset_fletcher32(creation);
  return creation;
}

void legacy(hid_t file) {
  texts(file, "/", "layer_names", {"conv2d", "bn"});
  for (const std::string layer : {"conv2d", "bn"}) {
    group(file, layer);
    group(file, layer + "/" + layer);
  }
  texts(file, "conv2d", "weight_names", {"conv2d/kernel:0"});
  texts(file, "bn", "weight_names", {"bn/beta:0", "bn/gamma:0"});
  array(file, "conv2d/conv2d/kernel:0", H5T_IEEE_F32LE, packed());
  array(file, "bn/bn/beta:0", H5T_IEEE_F64BE, H5P_DEFAULT);
  array(file, "bn/bn/gamma:0", H5T_IEEE_F64LE, H5P_DEFAULT);
}

void keras3(hid_t file) {
  for (const char* name : {"layers", "layers/dense", "layers/dense/vars"}) group(file, name);
  texts(file, "layers/dense/vars", "name", {"dense"});
  array(file, "layers/dense/vars/0", H5T_STD_I16LE, packed());
  array(file, "layers/dense/vars/1", H5T_IEEE_F32BE, H5P_DEFAULT);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const hid_t latest = H5Pcreate(H5P_FILE_ACCESS);
  H5Pset_libver_bounds(latest, H5F_LIBVER_V18, H5F_LIBVER_V18);
  for (const bool newer : {false, true})
    for (void (*fill)(hid_t) : {legacy, keras3}) {
      const std::string name =
          std::string(argv[1]) + "/small_" + (fill == legacy ? "legacy" : "keras3") + (newer ? "_18" : "") + ".h5";
      const hid_t file = H5Fcreate(name.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, newer ? latest : H5P_DEFAULT);
      fill(file);
      H5Fclose(file);
    }
}
