#include "models/weights/hdf5.h"

#include <algorithm>
#include <set>

#include "models/weights/hdf5_object.h"

namespace avs::weights::hdf5 {
namespace {

constexpr int kMaxDepth = 32;
constexpr size_t kMaxObjects = 200'000;

struct Link {
  std::string name;
  uint64_t address;
};

class TreeReader {
 public:
  explicit TreeReader(const Bytes& bytes) { file_.bytes = bytes; }

  Node read() {
    Node root = object({"/", superblock()}, "", 0);
    check_overlaps();
    return root;
  }

 private:
  // II. Disk Format: Level 0. Returns the address of the root group's header.
  uint64_t superblock() {
    const std::string what = "the HDF5 superblock";
    Cursor cursor = file_.at(0, std::min<uint64_t>(file_.bytes.size(), 128), what);
    cursor.skip(8);
    const int version = cursor.u8();
    if (version > 3) cursor.fail(str("version ", version, " is not one this reader knows"));
    if (version < 2) cursor.skip(4);
    file_.offset_size = cursor.u8();
    file_.length_size = cursor.u8();
    for (const int size : {file_.offset_size, file_.length_size})
      if (size != 4 && size != 8) cursor.fail(str("addresses of ", size, " bytes are not supported"));
    cursor.skip(version == 0 ? 9 : version == 1 ? 13 : 1);
    file_.base = cursor.number(file_.offset_size);
    cursor.skip(static_cast<uint64_t>(file_.offset_size));  // address of free space or of the superblock extension
    const uint64_t end = cursor.number(file_.offset_size);
    if (end > file_.bytes.size())
      throw DataError(
          str(file_.bytes.name(), ": truncated: the file should have ", end, " bytes and has ", file_.bytes.size()));
    if (version < 2) cursor.skip(2 * static_cast<uint64_t>(file_.offset_size));  // driver information, link name
    return cursor.number(file_.offset_size);
  }

  Node object(const Link& link, const std::string& parent, int depth) {
    const std::string path = parent.empty() ? link.name : parent == "/" ? link.name : parent + "/" + link.name;
    if (depth > kMaxDepth) file_.fail("'" + path + "' is nested too deeply");
    if (!visited_.insert(link.address).second) file_.fail("'" + path + "' is one object under two names, or in itself");
    if (visited_.size() > kMaxObjects) file_.fail("there are more objects than a weight file has");
    const std::vector<Message> messages = read_messages(file_, link.address, path);
    Node node{link.name, attributes(messages, path), {}, dataset(messages, path)};
    if (node.dataset) return node;
    std::vector<Link> links = links_of(messages, path);
    std::sort(links.begin(), links.end(), [](const Link& a, const Link& b) { return a.name < b.name; });
    for (size_t i = 0; i < links.size(); ++i) {
      if (i > 0 && links[i].name == links[i - 1].name)
        file_.fail("'" + path + "' has two members '" + links[i].name + "'");
      node.children.push_back(object(links[i], path, depth + 1));
    }
    return node;
  }

  std::map<std::string, std::vector<std::string>> attributes(const std::vector<Message>& messages,
                                                             const std::string& path) {
    std::map<std::string, std::vector<std::string>> texts;
    for (const Message& message : messages) {
      if (message.type == MessageType::AttributeInfo) refuse_dense(message, path, "attributes");
      if (message.type != MessageType::Attribute || message.shared) continue;
      Attribute attribute = read_attribute(file_, message, path);
      if (!attribute.texts.empty()) texts[attribute.name] = std::move(attribute.texts);
    }
    return texts;
  }

  std::optional<Dataset> dataset(const std::vector<Message>& messages, const std::string& path) {
    const auto find = [&](MessageType type) -> const Message* {
      for (const Message& message : messages)
        if (message.type == type) return &message;
      return nullptr;
    };
    const Message* const layout_message = find(MessageType::Layout);
    const Message* const type_message = find(MessageType::Datatype);
    const Message* const space_message = find(MessageType::Dataspace);
    if (layout_message == nullptr || type_message == nullptr || space_message == nullptr) return std::nullopt;
    if (find(MessageType::ExternalFiles) != nullptr)
      file_.fail("array '" + path + "' lies in another file; weights must be in this one");
    if (type_message->shared || space_message->shared)
      file_.fail("array '" + path + "' has a committed type, which no weight file needs");

    const std::string what = "array '" + path + "'";
    Cursor type_cursor(type_message->body, file_.bytes, what), space_cursor(space_message->body, file_.bytes, what);
    const Datatype type = read_datatype(type_cursor);
    const std::vector<int64_t> shape = read_dataspace(file_, space_cursor);
    element_count(shape, file_.bytes.name() + ": " + what);
    const Layout layout = read_layout(file_, *layout_message, path);
    if (layout.kind == Layout::Kind::Contiguous && layout.size > 0 && !file_.undefined(layout.address))
      ranges_.push_back({layout.address, layout.size, path});
    const Message* const filter_message = find(MessageType::Filters);
    const std::vector<Filter> filters =
        filter_message == nullptr ? std::vector<Filter>{} : read_filters(file_, *filter_message, path);
    return Dataset{shape, type.description, [file = file_, path, type, shape, layout, filters] {
                     if (type.kind != Datatype::Kind::Number)
                       file.fail("array '" + path + "' holds " + type.description + " instead of numbers");
                     return read_array(file, path, type, shape, layout, filters);
                   }};
  }

  // Contiguous arrays must not overlap.
  void check_overlaps() {
    std::ranges::sort(ranges_, {}, &Range::address);
    for (size_t i = 1; i < ranges_.size(); ++i)
      if (ranges_[i].address - ranges_[i - 1].address < ranges_[i - 1].size)
        file_.fail("array '" + ranges_[i].path + "' overlaps array '" + ranges_[i - 1].path + "'");
  }

  // ---- members of a group ----

  std::vector<Link> links_of(const std::vector<Message>& messages, const std::string& path) {
    std::vector<Link> links;
    for (const Message& message : messages) {
      if (message.type == MessageType::SymbolTable) {
        Cursor cursor(message.body, file_.bytes, path);
        const uint64_t tree = cursor.number(file_.offset_size), heap = cursor.number(file_.offset_size);
        symbol_tree(tree, local_heap(heap, path), path, 0, links);
      } else if (message.type == MessageType::Link) {
        links.push_back(link_message(message, path));
      } else if (message.type == MessageType::LinkInfo) {
        refuse_dense(message, path, "members");
      }
    }
    return links;
  }

  // IV.A.2.g The Link Message
  Link link_message(const Message& message, const std::string& path) {
    const std::string what = "a link of '" + path + "'";
    Cursor cursor(message.body, file_.bytes, what);
    if (cursor.u8() != 1) cursor.fail("is of an unknown version");
    const int flags = cursor.u8();
    const int type = (flags & 8) != 0 ? cursor.u8() : 0;
    cursor.skip(((flags & 4) != 0 ? 8u : 0u) + ((flags & 16) != 0 ? 1u : 0u));
    const uint64_t name_bytes = cursor.number(1 << (flags & 3));
    const std::string name = cursor.text(name_bytes);
    if (type == 64) cursor.fail("'" + name + "' leads to another file; weights must be in this one");
    if (type != 0) cursor.fail("'" + name + "' is a soft link, which no weight file needs");
    return {name, cursor.number(file_.offset_size)};
  }

  // IV.A.2.c The Link Info Message, IV.A.2.v The Attribute Info Message: refused if they point to a fractal heap.
  void refuse_dense(const Message& message, const std::string& path, const char* kind) {
    Cursor cursor(message.body, file_.bytes, path);
    cursor.skip(1);
    const int flags = cursor.u8();
    cursor.skip((flags & 1) == 0 ? 0 : message.type == MessageType::LinkInfo ? 8 : 2);
    if (!file_.undefined(cursor.number(file_.offset_size)))
      file_.fail(str("the ", kind, " of '", path,
                     "' are stored as libver=\"latest\" does; rewrite the file with: h5repack --high=0 IN OUT"));
  }

  // III.D Disk Format: Level 1D - Local Heaps. Returns the bytes of the member names.
  std::span<const uint8_t> local_heap(uint64_t address, const std::string& path) {
    const auto length_bytes = static_cast<uint64_t>(file_.length_size);
    Cursor head = file_.at(address, 8 + 2 * length_bytes + static_cast<uint64_t>(file_.offset_size), path);
    if (head.text(4) != "HEAP") head.fail("its names are not where they should be");
    head.skip(4);
    const uint64_t size = head.number(file_.length_size);
    head.skip(length_bytes);
    const uint64_t data = head.number(file_.offset_size);
    return file_.at(data, size, path).take(size);
  }

  // III.A.1 Version 1 B-trees, III.B Symbol Table Nodes
  void symbol_tree(uint64_t address, std::span<const uint8_t> names, const std::string& path, int depth,
                   std::vector<Link>& links) {
    if (depth > kMaxDepth || !tree_nodes_.insert(address).second)
      file_.fail("the members of '" + path + "' are listed in a circle");
    const auto offset_bytes = static_cast<uint64_t>(file_.offset_size);
    const auto length_bytes = static_cast<uint64_t>(file_.length_size);
    Cursor head = file_.at(address, 8, path);
    const std::string signature = head.text(4);
    if (signature == "SNOD") {
      head.skip(2);
      return symbols(file_.at(address + 8, uint64_t{head.u16()} * (2 * offset_bytes + 24), path), names, path, links);
    }
    if (signature != "TREE" || head.u8() != 0) head.fail("the list of its members is damaged");
    head.skip(1);
    const uint64_t entries = head.u16();
    Cursor body = file_.at(address + 8 + 2 * offset_bytes, entries * (length_bytes + offset_bytes), path);
    for (uint64_t i = 0; i < entries; ++i) {
      body.skip(length_bytes);  // a name between the children: not needed to list all members
      symbol_tree(body.number(file_.offset_size), names, path, depth + 1, links);
    }
  }
  void symbols(Cursor body, std::span<const uint8_t> names, const std::string& path, std::vector<Link>& links) {
    while (body.left() > 0) {
      const uint64_t name_at = body.number(file_.offset_size), address = body.number(file_.offset_size);
      const uint32_t cache_type = body.u32();
      body.skip(20);
      if (name_at >= names.size()) file_.fail("a name in '" + path + "' lies outside of its heap");
      const auto* const start = names.data() + name_at;
      const std::string name(start, std::find(start, names.data() + names.size(), 0));
      if (cache_type == 2) file_.fail("'" + name + "' in '" + path + "' is a soft link, which no weight file needs");
      links.push_back({name, address});
      if (links.size() > kMaxObjects) file_.fail("'" + path + "' has more members than a weight file has");
    }
  }

  struct Range {
    uint64_t address, size;
    std::string path;
  };
  File file_;
  std::set<uint64_t> visited_, tree_nodes_;
  std::vector<Range> ranges_;
};

}  // namespace

const Node* Node::child(std::string_view child_name) const {
  const auto found = std::lower_bound(children.begin(), children.end(), child_name,
                                      [](const Node& node, std::string_view wanted) { return node.name < wanted; });
  return found == children.end() || found->name != child_name ? nullptr : &*found;
}

Node read_tree(const Bytes& file) { return TreeReader(file).read(); }

}  // namespace avs::weights::hdf5
