// Our reader reads what the HDF5 library writes; features that weight files never use are refused by name.
#include "models/weights/hdf5.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/models/weights/hdf5_writer.h"

namespace avs {
namespace {

using golden::chunked;
using golden::ramp;
using golden::Writer;
using testing::ElementsAre;
using testing::HasSubstr;
using weights::hdf5::Node;

TEST(Hdf5, ArraysOfEveryStorageAndTypeReadAsWritten) {
  Writer file("arrays.h5");
  const std::vector<hsize_t> shape = {3, 5, 7};
  const std::vector<float> values = ramp(105);
  file.array("contiguous", shape, values);
  file.array("double", shape, values, H5T_IEEE_F64LE);
  file.array("big_endian", shape, values, H5T_IEEE_F32BE);
  file.array("integers", shape, values, H5T_STD_I64LE);
  file.array("short_integers", shape, values, H5T_STD_I16BE);
  file.array("chunks", shape, values, H5T_IEEE_F32LE, chunked({2, 2, 3}));
  const hid_t packed = chunked({2, 5, 2});
  H5Pset_shuffle(packed);
  H5Pset_deflate(packed, 4);
  H5Pset_fletcher32(packed);
  file.array("packed", shape, values, H5T_IEEE_F32LE, packed);
  const hid_t compact = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_layout(compact, H5D_COMPACT);
  file.array("compact", shape, values, H5T_IEEE_F32LE, compact);
  const Node root = file.tree();
  ASSERT_EQ(root.children.size(), 8u);
  for (const Node& child : root.children) {
    ASSERT_TRUE(child.dataset) << child.name;
    EXPECT_THAT(child.dataset->shape, ElementsAre(3, 5, 7)) << child.name;
    EXPECT_EQ(child.dataset->read(), values) << child.name;
  }
}

// bfloat16 as h5py stores NumPy's: two opaque bytes.
TEST(Hdf5, OpaqueElementsOfTwoBytesAreBfloat16) {
  Writer file("bfloat16.h5");
  const hid_t opaque = H5Tcreate(H5T_OPAQUE, 2);
  const hsize_t count = 3;
  const hid_t space = H5Screate_simple(1, &count, nullptr);
  const hid_t set = H5Dcreate2(file.file(), "x", opaque, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  const uint16_t bits[] = {0x3f80, 0xc040, 0x3e00};
  H5Dwrite(set, opaque, H5S_ALL, H5S_ALL, H5P_DEFAULT, bits);
  H5Dclose(set);
  H5Sclose(space);
  EXPECT_THAT(file.tree().child("x")->dataset->read(), ElementsAre(1.0f, -3.0f, 0.125f));
}

TEST(Hdf5, ManyChunksNeedADeepIndexAndReadAsWritten) {
  Writer file("many_chunks.h5");
  file.array("x", {1000, 3}, ramp(3000), H5T_IEEE_F32LE, chunked({1, 2}));
  EXPECT_EQ(file.tree().child("x")->dataset->read(), ramp(3000));
}

TEST(Hdf5, ScalarsAndEmptyArraysHaveTheirShapes) {
  Writer file("scalars.h5");
  file.array("scalar", {}, {42.0f});
  file.array("empty", {0, 3}, {});
  const Node root = file.tree();
  EXPECT_THAT(root.child("scalar")->dataset->read(), ElementsAre(42.0f));
  EXPECT_TRUE(root.child("empty")->dataset->read().empty());
}

TEST(Hdf5, TextAttributesOfFixedAndVariableLengthRead) {
  Writer file("texts.h5");
  const hid_t fixed = H5Tcopy(H5T_C_S1), variable = H5Tcopy(H5T_C_S1);
  H5Tset_size(fixed, 12);
  H5Tset_strpad(fixed, H5T_STR_NULLPAD);
  H5Tset_size(variable, H5T_VARIABLE);
  file.group("a");
  file.texts("/", "layer_names", {"conv2d_1", "twelve_bytes", ""}, fixed);
  file.texts("a", "weight_names", {"conv2d_1/kernel:0", "", "x"}, variable);
  const Node root = file.tree();
  EXPECT_THAT(root.texts.at("layer_names"), ElementsAre("conv2d_1", "twelve_bytes", ""));
  EXPECT_THAT(root.child("a")->texts.at("weight_names"), ElementsAre("conv2d_1/kernel:0", "", "x"));
}

TEST(Hdf5, GroupsOfThousandsOfMembersAreListedWhole) {
  Writer file("members.h5");
  for (int i = 0; i < 3000; ++i) file.group(str("layer_", i));
  const Node root = file.tree();
  EXPECT_EQ(root.children.size(), 3000u);
  EXPECT_NE(root.child("layer_2999"), nullptr);
  EXPECT_EQ(root.child("layer_3000"), nullptr);
}

TEST(Hdf5, NewerObjectHeadersWithFewMembersReadToo) {
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  H5Pset_libver_bounds(access, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
  Writer file("latest.h5", access);
  file.group("g");
  file.array("g/x", {2, 2}, ramp(4));
  EXPECT_EQ(file.tree().child("g")->child("x")->dataset->read(), ramp(4));
}

TEST(Hdf5, NewerDenseGroupsAndChunkIndicesAreRefusedWithTheWayOut) {
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  H5Pset_libver_bounds(access, H5F_LIBVER_LATEST, H5F_LIBVER_LATEST);
  Writer dense("dense.h5", access);
  for (int i = 0; i < 100; ++i) dense.group(str("g", i));
  EXPECT_THAT(dense.error(), HasSubstr("h5repack"));
  Writer chunks("latest_chunks.h5", access);
  chunks.array("x", {8, 8}, ramp(64), H5T_IEEE_F32LE, chunked({2, 2}));
  EXPECT_THAT(chunks.error(), HasSubstr("h5repack"));
}

// ---- refused features ----

TEST(Hdf5, LinksOutOfTheFileAndSoftLinksAreRefused) {
  Writer external("external.h5");
  H5Lcreate_external("/etc/passwd", "/x", external.file(), "outside", H5P_DEFAULT, H5P_DEFAULT);
  EXPECT_THAT(external.error(), HasSubstr("'outside' leads to another file"));
  Writer soft("soft.h5");
  H5Lcreate_soft("/loop", soft.file(), "loop", H5P_DEFAULT, H5P_DEFAULT);
  EXPECT_THAT(soft.error(), HasSubstr("soft link"));
  Writer elsewhere("elsewhere.h5");
  const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_external(creation, "/etc/passwd", 0, 16);
  elsewhere.array("x", {4}, {}, H5T_IEEE_F32LE, creation);
  EXPECT_THAT(elsewhere.error(), HasSubstr("lies in another file"));
}

TEST(Hdf5, AGroupInsideItselfIsRefused) {
  Writer file("loop.h5");
  file.group("a");
  H5Lcreate_hard(file.file(), "/", file.file(), "/a/again", H5P_DEFAULT, H5P_DEFAULT);
  EXPECT_THAT(file.error(), HasSubstr("under two names, or in itself"));
}

TEST(Hdf5, ArraysWithoutTheirValuesAreRefused) {
  Writer never("never.h5");
  never.array("x", {1000, 1000, 1000}, {});
  EXPECT_THAT(never.error(), HasSubstr("never written"));
  Writer chunks("no_chunks.h5");
  chunks.array("x", {100, 100}, {}, H5T_IEEE_F32LE, chunked({10, 10}));
  EXPECT_THAT(chunks.error(), HasSubstr("never written"));
}

TEST(Hdf5, OtherElementsAreRefusedOnlyWhenAsked) {
  Writer file("text_array.h5");
  const hid_t text = H5Tcopy(H5T_C_S1);
  H5Tset_size(text, 8);
  const hid_t space = H5Screate(H5S_SCALAR);
  const hid_t set = H5Dcreate2(file.file(), "x", text, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  H5Dwrite(set, text, H5S_ALL, H5S_ALL, H5P_DEFAULT, "abcdefg");
  H5Dclose(set);
  EXPECT_THAT(file.error(), HasSubstr("text instead of numbers"));
}

}  // namespace
}  // namespace avs
