#include "models/weights/pickle.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <map>
#include <set>
#include <unordered_map>

namespace avs::weights::pickle {
namespace {

constexpr size_t kMaxStack = 1'000'000, kMaxRank = 32;
constexpr uint64_t kValueBytes = 128, kEntryBytes = 64;  // approximate memory of a value, and of a table entry

struct StorageType {
  const char* name;
  std::optional<NumberType> type;
  uint64_t width;
};
constexpr StorageType kStorageTypes[] = {
    {"torch.FloatStorage", NumberType::F32, 4},
    {"torch.HalfStorage", NumberType::F16, 2},
    {"torch.BFloat16Storage", NumberType::BF16, 2},
    {"torch.DoubleStorage", NumberType::F64, 8},
    {"torch.LongStorage", NumberType::I64, 8},
    {"torch.IntStorage", NumberType::I32, 4},
    {"torch.ShortStorage", NumberType::I16, 2},
    {"torch.CharStorage", NumberType::I8, 1},
    {"torch.ByteStorage", NumberType::U8, 1},
    {"torch.BoolStorage", NumberType::Bool, 1},
    {"torch.ComplexFloatStorage", {}, 8},
    {"torch.ComplexDoubleStorage", {}, 16},
    {"torch.QInt8Storage", {}, 1},
    {"torch.QUInt8Storage", {}, 1},
    {"torch.QInt32Storage", {}, 4},
    {"torch.storage.UntypedStorage", {}, 1},
};
const StorageType* storage_type(const std::string& name) {
  const StorageType* const found = std::ranges::find(kStorageTypes, name, &StorageType::name);
  return found == std::end(kStorageTypes) ? nullptr : found;
}

bool stands_for_tensors(const std::string& global) {
  static const std::set<std::string> names = {
      "collections.OrderedDict",      "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor_v3",
      "torch._utils._rebuild_tensor", "torch._utils._rebuild_parameter", "torch.Size",
      "torch.nn.parameter.Parameter",
  };
  return storage_type(global) != nullptr || names.contains(global);
}

// Replaces the older module names of Python 2 and NumPy, which protocol 2 uses, by today's.
std::string todays_name(std::string global) {
  static constexpr std::pair<std::string_view, std::string_view> kModules[] = {
      {"__builtin__.", "builtins."}, {"copy_reg.", "copyreg."}, {"numpy.core.", "numpy._core."}};
  for (const auto& [old, now] : kModules)
    if (global.starts_with(old)) global.replace(0, old.size(), now);
  return global;
}

// Classes that training scripts save beside the weights. Instances become empty Objects.
bool is_plain_class(const std::string& global) {
  static const std::set<std::string> names = {
      "argparse.Namespace",
      "builtins.bool",
      "builtins.dict",
      "builtins.float",
      "builtins.frozenset",
      "builtins.int",
      "builtins.list",
      "builtins.object",
      "builtins.set",
      "builtins.str",
      "builtins.tuple",
      "_codecs.encode",
      "collections.Counter",
      "collections.defaultdict",
      "copyreg._reconstructor",
      "datetime.datetime",
      "datetime.timedelta",
      "lightning.fabric.utilities.data.AttributeDict",
      "lightning_fabric.utilities.data.AttributeDict",
      "numpy._core.multiarray._reconstruct",
      "numpy._core.multiarray.scalar",
      "numpy.dtype",
      "numpy.ndarray",
      "pathlib.Path",
      "pathlib.PosixPath",
      "pathlib.PurePosixPath",
      "pathlib.PureWindowsPath",
      "pathlib.WindowsPath",
      "pytorch_lightning.utilities.parsing.AttributeDict",
      "torch.device",
      "yacs.config.CfgNode",
  };
  static const std::set<std::string> types = {
      "bfloat16", "bool", "complex128", "complex64", "float16", "float32", "float64",       "int16",      "int32",
      "int64",    "int8", "uint16",     "uint32",    "uint64",  "uint8",   "float8_e4m3fn", "float8_e5m2"};
  return names.contains(todays_name(global)) || (global.starts_with("torch.") && types.contains(global.substr(6)));
}

// Names (from Python's pickletools) of the instructions of protocols 0 to 5 that are refused.
std::string instruction_name(char code) {
  static const std::map<char, const char*> names = {{'I', "INT"},
                                                    {'L', "LONG"},
                                                    {'\x8b', "LONG4"},
                                                    {'S', "STRING"},
                                                    {'V', "UNICODE"},
                                                    {'F', "FLOAT"},
                                                    {'\x96', "BYTEARRAY8"},
                                                    {'\x97', "NEXT_BUFFER"},
                                                    {'\x98', "READONLY_BUFFER"},
                                                    {'1', "POP_MARK"},
                                                    {'2', "DUP"},
                                                    {'g', "GET"},
                                                    {'p', "PUT"},
                                                    {'P', "PERSID"},
                                                    {'i', "INST"},
                                                    {'o', "OBJ"},
                                                    {'\x92', "NEWOBJ_EX"},
                                                    {'\x82', "EXT1"},
                                                    {'\x83', "EXT2"},
                                                    {'\x84', "EXT4"}};
  const auto found = names.find(code);
  return found != names.end() ? found->second : str("number ", static_cast<int>(static_cast<uint8_t>(code)));
}

class Machine {
 public:
  explicit Machine(Cursor& cursor) : cursor_(cursor) {}

  Document run() {
    while (true) {
      const auto code = static_cast<char>(cursor_.u8());
      if (code == '.') {
        document_.root = pop();
        return std::move(document_);
      }
      if (!plain_value(code) && !container(code) && !memory(code) && !object(code))
        cursor_.fail(str("byte ", cursor_.position() - 1, ": instruction ", instruction_name(code),
                         " is not one a state dict needs; nothing was executed"));
      if (stack_.size() > kMaxStack) cursor_.fail("needs a deeper stack than any state dict");
    }
  }

 private:
  // ---- the stack ----

  template <typename T>
  ValuePtr make(T&& value) {
    pay(kValueBytes);
    document_.values.push_back(Value{std::forward<T>(value)});
    return &document_.values.back();
  }
  void pay(uint64_t bytes) { cursor_.file().spend(bytes, "the pickle has more values than any state dict"); }
  void push(ValuePtr value) { stack_.push_back(value); }
  ValuePtr pop() {
    if (stack_.empty() || stack_.back() == nullptr) cursor_.fail("takes a value that is not there");
    const ValuePtr value = stack_.back();
    stack_.pop_back();
    return value;
  }
  std::vector<ValuePtr> pop_to_mark() {  // null on the stack is a mark
    const auto mark = std::find(stack_.rbegin(), stack_.rend(), nullptr);
    if (mark == stack_.rend()) cursor_.fail("closes a list that was not opened");
    std::vector<ValuePtr> items(mark.base(), stack_.end());
    stack_.erase(mark.base() - 1, stack_.end());
    return items;
  }
  template <typename T>
  T& top_as(const char* what) {
    if (stack_.empty() || stack_.back() == nullptr) cursor_.fail("takes a value that is not there");
    return as<T>(stack_.back(), what);
  }
  template <typename T>
  T& as(ValuePtr value, const char* what) {
    T* const typed = std::get_if<T>(&value->data);
    if (typed == nullptr) cursor_.fail(str("has something else where ", what, " should be"));
    return *typed;
  }

  // ---- instructions: numbers and text ----

  bool plain_value(char code) {
    switch (code) {
      case '\x80':  // PROTO
        if (cursor_.u8() > 5) cursor_.fail("is of a newer protocol than 5");
        return true;
      case '\x95':  // FRAME
        cursor_.skip(8);
        return true;
      case 'N': return push(make(None{})), true;
      case '\x88': return push(make(true)), true;
      case '\x89': return push(make(false)), true;
      case 'J': return push(make(int64_t{static_cast<int32_t>(cursor_.u32())})), true;
      case 'K': return push(make(int64_t{cursor_.u8()})), true;
      case 'M': return push(make(int64_t{cursor_.u16()})), true;
      case '\x8a': return push(long_integer(cursor_.u8())), true;
      case 'G': return push(make(std::bit_cast<double>(__builtin_bswap64(cursor_.u64())))), true;
      case 'X': return push(make(cursor_.text(cursor_.u32()))), true;    // BINUNICODE
      case '\x8c': return push(make(cursor_.text(cursor_.u8()))), true;  // SHORT_BINUNICODE
      case '\x8d': return push(make(cursor_.text(cursor_.u64()))), true;
      case 'T': return push(make(cursor_.text(cursor_.u32()))), true;  // BINSTRING, from Python 2
      case 'U': return push(make(cursor_.text(cursor_.u8()))), true;
      case 'C': return cursor_.skip(cursor_.u8()), push(make(Object{})), true;      // SHORT_BINBYTES: a NumPy number
      case 'B': return cursor_.skip(cursor_.u32()), push(make(Object{})), true;     // BINBYTES
      case '\x8e': return cursor_.skip(cursor_.u64()), push(make(Object{})), true;  // BINBYTES8
      default: return false;
    }
  }
  ValuePtr long_integer(uint64_t bytes) {
    const auto taken = cursor_.take(bytes);
    if (bytes > 8) return make(BigInteger{{taken.begin(), taken.end()}});
    uint64_t value = 0;
    for (size_t i = 0; i < taken.size(); ++i) value |= uint64_t{taken[i]} << (8 * i);
    if (bytes > 0 && bytes < 8 && (taken.back() & 0x80) != 0) value |= ~uint64_t{0} << (8 * bytes);
    return make(static_cast<int64_t>(value));
  }

  // ---- instructions: tuples, lists, dictionaries ----

  bool container(char code) {
    switch (code) {
      case '(': return stack_.push_back(nullptr), true;
      case ')': return push(make(Tuple{})), true;
      case ']': return push(make(List{})), true;
      case '}': return push(make(Dict{})), true;
      case '\x85': return push_tuple(1), true;
      case '\x86': return push_tuple(2), true;
      case '\x87': return push_tuple(3), true;
      case 't': return push(make(Tuple{pop_to_mark()})), true;
      case 'l': return push(make(List{pop_to_mark()})), true;
      case 'a': return append({pop()}), true;
      case 'e': return append(pop_to_mark()), true;
      case 'd': {
        std::vector<ValuePtr> items = pop_to_mark();
        push(make(Dict{}));
        return set_items(std::move(items)), true;
      }
      case 's': {
        const ValuePtr value = pop(), key = pop();
        return set_items({key, value}), true;
      }
      case 'u': return set_items(pop_to_mark()), true;
      case '\x8f':  // EMPTY_SET
        return push(make(Object{})), true;
      case '\x90':  // ADDITEMS
        return append(pop_to_mark()), true;
      case '\x91':  // FROZENSET
        return pop_to_mark(), push(make(Object{})), true;
      case '0':
        if (stack_.empty()) cursor_.fail("takes a value that is not there");
        return stack_.pop_back(), true;
      default: return false;
    }
  }
  void push_tuple(size_t count) {
    Tuple tuple;
    for (size_t i = 0; i < count; ++i) tuple.items.push_back(pop());
    std::reverse(tuple.items.begin(), tuple.items.end());
    push(make(std::move(tuple)));
  }
  // Operations that fill an Object are accepted and ignored.
  bool top_is_object() const {
    return !stack_.empty() && stack_.back() != nullptr && std::holds_alternative<Object>(stack_.back()->data);
  }
  void append(std::vector<ValuePtr> items) {
    if (top_is_object()) return;
    auto& list = top_as<List>("a list").items;
    list.insert(list.end(), items.begin(), items.end());
  }
  void set_items(std::vector<ValuePtr> items) {
    if (top_is_object()) return;
    auto& dict = top_as<Dict>("a dictionary").items;
    if (items.size() % 2 != 0) cursor_.fail("has a key without a value");
    for (size_t i = 0; i < items.size(); i += 2) dict.emplace_back(items[i], items[i + 1]);
  }

  // ---- instructions: memo ----

  bool memory(char code) {
    switch (code) {
      case 'q': return put(cursor_.u8()), true;
      case 'r': return put(cursor_.u32()), true;
      case '\x94': return put(memo_.size()), true;  // MEMOIZE
      case 'h': return get(cursor_.u8()), true;
      case 'j': return get(cursor_.u32()), true;
      default: return false;
    }
  }
  void put(uint64_t slot) {
    if (stack_.empty() || stack_.back() == nullptr) cursor_.fail("remembers a value that is not there");
    pay(kEntryBytes);
    memo_[slot] = stack_.back();
  }
  void get(uint64_t slot) {
    const auto found = memo_.find(slot);
    if (found == memo_.end()) cursor_.fail(str("recalls value ", slot, ", which it never had"));
    push(found->second);
  }

  // ---- instructions that would execute something in Python ----

  bool object(char code) {
    switch (code) {
      case 'c': {
        const std::string module = cursor_.line(), name = cursor_.line();
        return global(module + "." + name), true;
      }
      case '\x93': {  // STACK_GLOBAL
        const ValuePtr name = pop(), module = pop();
        return global(as<std::string>(module, "a module's name") + "." + as<std::string>(name, "a name")), true;
      }
      case 'R': {
        const ValuePtr arguments = pop(), function = pop();
        return push(call(as<Global>(function, "a function").name, as<Tuple>(arguments, "arguments").items)), true;
      }
      case '\x81': {  // NEWOBJ
        const ValuePtr arguments = pop(), made = pop();
        as<Tuple>(arguments, "arguments");
        const std::string& name = as<Global>(made, "a class").name;
        if (!is_plain_class(name)) refuse_call(name);
        return push(make(Object{})), true;
      }
      case 'Q': return push(storage(pop())), true;
      case 'b': {  // BUILD: a state dict's _metadata, a tensor's attributes, options: no weights
        pop();
        if (stack_.empty() || stack_.back() == nullptr) cursor_.fail("takes a value that is not there");
        return true;
      }
      default: return false;
    }
  }
  void global(const std::string& name) {
    if (!stands_for_tensors(name) && !is_plain_class(name))
      cursor_.fail(
          "asks for '" + name.substr(0, 200) +
          "', which no state dict needs; it was not executed. If you trust the file, save its tensors alone in "
          "Python: m = torch.load(FILE, weights_only=False); torch.save(m.state_dict() if hasattr(m, "
          "'state_dict') else m['state_dict'], 'weights.pth')");
    push(make(Global{name}));
  }
  [[noreturn]] void refuse_call(const std::string& function) const {
    cursor_.fail("calls '" + function + "' in a way no state dict does; it was not executed");
  }
  ValuePtr call(const std::string& function, const std::vector<ValuePtr>& arguments) {
    if (function == "collections.OrderedDict") return ordered_dict(arguments);
    if (function == "torch._utils._rebuild_tensor_v2") return tensor(arguments, 6);
    if (function == "torch._utils._rebuild_tensor_v3") return tensor(arguments, 7);
    if (function == "torch._utils._rebuild_tensor") return tensor(arguments, 4);
    if ((function == "torch._utils._rebuild_parameter" || function == "torch.nn.parameter.Parameter") &&
        !arguments.empty()) {
      as<Tensor>(arguments[0], "a parameter's tensor");
      return arguments[0];
    }
    if (function == "torch.Size" && arguments.size() == 1) return arguments[0];
    if (is_plain_class(function)) return make(Object{});
    refuse_call(function);
  }
  ValuePtr ordered_dict(const std::vector<ValuePtr>& arguments) {  // arguments: none, or one list of pairs
    Dict dict;
    if (!arguments.empty())
      for (const ValuePtr pair : as<List>(arguments[0], "a list of pairs").items) {
        const auto* const tuple = std::get_if<Tuple>(&pair->data);
        const std::vector<ValuePtr>& items = tuple != nullptr ? tuple->items : as<List>(pair, "a pair").items;
        if (items.size() != 2) cursor_.fail("has a key without a value");
        pay(kEntryBytes);
        dict.items.emplace_back(items[0], items[1]);
      }
    return make(std::move(dict));
  }

  std::vector<int64_t> integers(ValuePtr value, const char* what) {
    std::vector<int64_t> numbers;
    const std::vector<ValuePtr>& items = as<Tuple>(value, what).items;
    if (items.size() > kMaxRank) cursor_.fail("has a tensor of more than 32 axes");
    for (const ValuePtr item : items) numbers.push_back(as<int64_t>(item, what));
    return numbers;
  }
  ValuePtr tensor(const std::vector<ValuePtr>& arguments, size_t least) {
    if (arguments.size() < least) cursor_.fail("describes a tensor by too few values");
    Tensor tensor;
    tensor.storage = &as<Storage>(arguments[0], "a tensor's storage");
    tensor.first = as<int64_t>(arguments[1], "a tensor's offset");
    tensor.shape = integers(arguments[2], "a tensor's shape");
    tensor.strides = integers(arguments[3], "a tensor's strides");
    if (tensor.shape.size() != tensor.strides.size()) cursor_.fail("describes a tensor with extents without strides");
    return make(std::move(tensor));
  }
  // ('storage', class, key, location, count); the legacy stream adds a view.
  ValuePtr storage(ValuePtr id) {
    const std::vector<ValuePtr>& items = as<Tuple>(id, "a storage's description").items;
    if (items.size() < 5 || as<std::string>(items[0], "the word 'storage'") != "storage")
      cursor_.fail("refers to something outside of it that is no storage");
    const std::string& name = as<Global>(items[1], "a storage's class").name;
    const StorageType* const type = storage_type(name);
    if (type == nullptr) cursor_.fail("has a storage of class '" + name + "'");
    if (items.size() > 5 && !std::holds_alternative<None>(items[5]->data))
      cursor_.fail("has a storage inside another, as torch before 0.4 wrote; save it again with a newer one");
    return make(Storage{type->name, type->type, type->width, as<std::string>(items[2], "a storage's key"),
                        as<int64_t>(items[4], "a storage's size")});
  }

  Cursor& cursor_;
  Document document_;
  std::vector<ValuePtr> stack_;
  std::unordered_map<uint64_t, ValuePtr> memo_;
};

}  // namespace

Document read(Cursor& cursor) { return Machine(cursor).run(); }

}  // namespace avs::weights::pickle
