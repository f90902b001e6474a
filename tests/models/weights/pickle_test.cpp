// The pickle reader builds values and executes nothing.
#include "models/weights/pickle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "models/weights/import.h"
#include "tests/models/weights/golden.h"

namespace avs {
namespace {

using golden::error_of;
using testing::AllOf;
using testing::HasSubstr;
using namespace std::string_literals;

weights::pickle::Document read(const std::string& bytes) {
  const std::span<const uint8_t> span(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  const weights::Bytes file(nullptr, span, "test.pkl");
  weights::Cursor cursor(span, file, "the pickle");
  return weights::pickle::read(cursor);
}

std::string error(const std::string& bytes) {
  return error_of<DataError>([&] { read(bytes); });
}

TEST(Pickle, PlainValuesRead) {
  // pickle.dumps({"a": (1, -2, 70000, True, None, 1.5, [3])}, 2)
  const auto document =
      read("\x80\x02}q\x00X\x01\x00\x00\x00"s + "aq\x01(K\x01J\xfe\xff\xff\xffJp\x11\x01\x00\x88NG?\xf8"s +
           std::string(6, '\0') + "]q\x02K\x03"s + "atq\x03s."s);
  const auto& dict = std::get<weights::pickle::Dict>(document.root->data);
  ASSERT_EQ(dict.items.size(), 1u);
  EXPECT_EQ(std::get<std::string>(dict.items[0].first->data), "a");
  const auto& tuple = std::get<weights::pickle::Tuple>(dict.items[0].second->data).items;
  ASSERT_EQ(tuple.size(), 7u);
  EXPECT_EQ(std::get<int64_t>(tuple[1]->data), -2);
  EXPECT_EQ(std::get<int64_t>(tuple[2]->data), 70000);
  EXPECT_EQ(std::get<double>(tuple[5]->data), 1.5);
  EXPECT_EQ(std::get<weights::pickle::List>(tuple[6]->data).items.size(), 1u);
}

TEST(Pickle, FunctionsAreRefusedByNameAndNotExecuted) {
  const auto witness = golden::file("executed");
  const std::string command = "touch " + witness.string();
  const std::string text = "X"s + static_cast<char>(command.size()) + "\0\0\0"s + command;
  for (const std::string& call :
       {"\x80\x02"s + "cos\nsystem\n" + text + "\x85R.", "\x80\x02"s + "cposix\nsystem\n" + text + "\x85R.",
        "\x80\x04\x8c\x02os\x8c\x06system\x93"s + text + "\x85R.", "\x80\x02"s + "cbuiltins\neval\n" + text + "\x85R.",
        "\x80\x02"s + "ctorch.utils\nrun\n" + text + "\x85R."})
    EXPECT_THAT(error(call), AllOf(HasSubstr("asks for '"), HasSubstr("not executed"))) << call;
  // An allowed name in a call that is not allowed.
  EXPECT_THAT(error("\x80\x02"s + "ctorch\nSize\n)R."), HasSubstr("not executed"));
  EXPECT_THAT(error("\x80\x02"s + "ctorch\nFloatStorage\n)R."), HasSubstr("not executed"));
  EXPECT_THAT(error("\x80\x02"s + "ctorch\nFloatStorage\n)\x81."), HasSubstr("not executed"));
  EXPECT_THAT(error("\x80\x02"s + "ctimm.models.convnext\nConvNeXt\n)\x81."),
              AllOf(HasSubstr("'timm.models.convnext.ConvNeXt'"), HasSubstr("m.state_dict()")));
  const auto file = golden::written("evil.pth", "\x80\x02"s + "cos\nsystem\n" + text + "\x85R.");
  EXPECT_THAT(error_of<DataError>([&] { WeightFile(file, "vis-inc"); }), HasSubstr("os.system"));
  EXPECT_FALSE(std::filesystem::exists(witness));
}

// argparse's options, NumPy's numbers and sets (bytes of Python 3.11 and NumPy 2.4): their contents are dropped.
TEST(Pickle, ValuesThatScriptsKeepBesideTheWeightsBecomeObjects) {
  const std::string namespace2 = "cargparse\nNamespace\nq\x00)\x81q\x01}q\x02X\x02\x00\x00\x00lrq\x03K\x01sb"s,
                    scalar2 = "cnumpy._core.multiarray\nscalar\nq\x00"s + "cnumpy\ndtype\nq\x01X\x02\x00\x00\x00"s +
                              "f8q\x02\x89\x88\x87q\x03Rq\x04(K\x03X\x01\x00\x00\x00<q\x05NNNJ\xff\xff\xff\xff"s +
                              "J\xff\xff\xff\xffK\x00tq\x06"s + "bc_codecs\nencode\nq\x07X\x01\x00\x00\x00xq\x08"s +
                              "X\x06\x00\x00\x00latin1q\t\x86q\nRq\x0b\x86q\x0cR"s,
                    set4 = "\x8f\x94(K\x01K\x02\x90"s, frozen4 = "(K\x01\x91"s, bytes3 = "C\x02\x7f\x7f"s,
                    counter = "ccollections\nCounter\n}X\x01\x00\x00\x00"s + "aK\x02s\x85R"s,
                    path2 = "cpathlib\nPosixPath\nX\x01\x00\x00\x00/X\x03\x00\x00\x00tmp\x86R"s,
                    list2 = "ccollections\ndefaultdict\nc__builtin__\nlist\n\x85R"s,
                    config2 = "cyacs.config\nCfgNode\n)\x81}b(X\x02\x00\x00\x00lrK\x01u"s;
  for (const std::string& value : {namespace2, scalar2, set4, frozen4, bytes3, counter, path2, list2, config2}) {
    const auto document = read("\x80\x04"s + value + "."s);
    EXPECT_TRUE(std::holds_alternative<weights::pickle::Object>(document.root->data)) << testing::PrintToString(value);
  }
}

TEST(Pickle, InstructionsBeyondAStateDictAreRefused) {
  for (const char* code : {"i", "o", "\x82", "\x92", "P", "S'x'\n", "I1\n"})
    EXPECT_THAT(error("\x80\x02"s + code + "."), HasSubstr("instruction")) << code;
}

TEST(Pickle, BrokenProgramsEndInOneError) {
  for (const std::string& bytes :
       {""s, "\x80"s, "\x80\x02"s, "."s, "0."s, "t."s, "s."s, "N)s."s, "h\x01."s, "(."s, "q\x01."s, "]N]Nu."s,
        "X\xff\xff\xff\xff"s, "\x8d\xff\xff\xff\xff\xff\xff\xff\xff."s, "NQ."s, ")Q."s, "cno newline"s, "NNR."s})
    EXPECT_THAT(error(bytes), HasSubstr("test.pkl")) << testing::PrintToString(bytes);
}

TEST(Pickle, NestingAndCirclesNeedNoRecursion) {
  std::string nested = "\x80\x02";
  for (int i = 0; i < 100'000; ++i) nested += "]";
  for (int i = 1; i < 100'000; ++i) nested += "a";
  read(nested + ".");
  read("]q\x01h\x01"s + "a.");  // a list that contains itself
}

TEST(Pickle, RepetitionDoesNotMultiply) {
  std::string pairs = "](";  // a list of pairs, then dictionaries made from it again and again
  for (int i = 0; i < 2000; ++i) pairs += "NN\x86";
  pairs += "eq\x01"s + "0(";
  std::string copies = pairs;
  for (int i = 0; i < 2000; ++i) copies += "ccollections\nOrderedDict\nh\x01\x85R";
  EXPECT_THAT(error(copies + "t."), HasSubstr("more values than any state dict"));
}

}  // namespace
}  // namespace avs
