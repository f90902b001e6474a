#include "models/weights/zip.h"

#include <zlib.h>

#include <algorithm>

#include "models/weights/inflate.h"

namespace avs::weights {
namespace {

constexpr std::string_view kEnd("PK\5\6", 4), kEnd64("PK\6\6", 4), kLocator64("PK\6\7", 4), kEntry("PK\1\2", 4),
    kLocal("PK\3\4", 4);
constexpr uint64_t kEndBytes = 22, kLocalBytes = 30;

// 4.3.16: the end record is followed only by a comment of at most 65535 bytes.
uint64_t find_end(const Bytes& file) {
  if (file.size() >= kEndBytes)
    for (uint64_t back = kEndBytes; back <= std::min<uint64_t>(file.size(), kEndBytes + 65535); ++back)
      if (file.begins_with(kEnd, file.size() - back)) return file.size() - back;
  throw DataError(file.name() + ": the zip archive has no directory at its end: it is truncated");
}

// 4.5.3: 64-bit values of the fields that did not fit into 32 bits, in this order.
void read_zip64(Cursor extra, ZipMember& member) {
  while (extra.left() >= 4) {
    const int id = extra.u16();
    const uint64_t size = extra.u16();
    if (id != 1) {
      extra.skip(size);
      continue;
    }
    const uint64_t before = extra.position();
    for (uint64_t* field : {&member.bytes, &member.packed_bytes, &member.header})
      if (*field == UINT32_MAX && extra.position() - before + 8 <= size) *field = extra.u64();
    return;
  }
}

}  // namespace

ZipArchive::ZipArchive(const Bytes& file) : file_(file) {
  const uint64_t end = find_end(file_);
  Cursor record(file_.at(end, kEndBytes, "the zip directory"), file_, "the zip directory");
  record.skip(4);
  if (record.u16() != 0 || record.u16() != 0) record.fail("the archive is spread over several files");
  record.skip(2);
  uint64_t count = record.u16(), size = record.u32(), first = record.u32();
  if (end >= 20 && file_.begins_with(kLocator64, end - 20)) {
    Cursor locator(file_.at(end - 20, 20, "the zip64 locator"), file_, "the zip64 locator");
    locator.skip(8);
    const uint64_t at = locator.u64();
    Cursor record64(file_.at(at, 56, "the zip64 directory"), file_, "the zip64 directory");
    if (!file_.begins_with(kEnd64, at)) record64.fail("is not where it should be");
    record64.skip(32);
    count = record64.u64();
    size = record64.u64();
    first = record64.u64();
  }
  read_directory(first, size, count);
  check_members();
}

void ZipArchive::read_directory(uint64_t first, uint64_t size, uint64_t count) {
  const std::string what = "the zip directory";
  Cursor cursor(file_.at(first, size, what), file_, what);
  if (count > size / 46) cursor.fail(str("says it has ", count, " members in ", size, " bytes"));
  for (uint64_t i = 0; i < count; ++i) {
    ZipMember member;
    if (cursor.text(4) != kEntry) cursor.fail("is damaged");
    cursor.skip(4);
    const int flags = cursor.u16(), method = cursor.u16();
    cursor.skip(4);
    member.checksum = cursor.u32();
    member.packed_bytes = cursor.u32();
    member.bytes = cursor.u32();
    const uint64_t name_bytes = cursor.u16(), extra_bytes = cursor.u16(), comment_bytes = cursor.u16();
    cursor.skip(8);
    member.header = cursor.u32();
    member.name = cursor.text(name_bytes);
    read_zip64(Cursor(cursor.take(extra_bytes), file_, what), member);
    cursor.skip(comment_bytes);
    if ((flags & 1) != 0) cursor.fail("member '" + member.name + "' is encrypted");
    if (method != 0 && method != 8) cursor.fail(str("member '", member.name, "' is packed by unknown method ", method));
    member.deflated = method == 8;
    if (!member.deflated && member.packed_bytes != member.bytes)
      cursor.fail("member '" + member.name + "' is stored in another size than it has");
    members_.push_back(std::move(member));
  }
}

void ZipArchive::check_members() {
  std::sort(members_.begin(), members_.end(), [](const auto& a, const auto& b) { return a.header < b.header; });
  uint64_t end = 0;
  for (const ZipMember& member : members_) {
    if (member.header < end) throw DataError(file_.name() + ": zip member '" + member.name + "' overlaps another");
    const uint64_t start = data_start(member);
    file_.at(start, member.packed_bytes, "zip member '" + member.name + "'");
    end = start + member.packed_bytes;
  }
  std::sort(members_.begin(), members_.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  for (size_t i = 1; i < members_.size(); ++i)
    if (members_[i].name == members_[i - 1].name)
      throw DataError(file_.name() + ": the zip archive has two members '" + members_[i].name + "'");
}

uint64_t ZipArchive::data_start(const ZipMember& member) const {
  const std::string what = "zip member '" + member.name + "'";
  Cursor local(file_.at(member.header, kLocalBytes, what), file_, what);
  if (local.text(4) != kLocal) local.fail("is not where the directory says");
  local.skip(22);
  const uint64_t name_bytes = local.u16(), extra_bytes = local.u16();
  return member.header + kLocalBytes + name_bytes + extra_bytes;
}

const ZipMember* ZipArchive::find(std::string_view name) const {
  const auto found = std::lower_bound(members_.begin(), members_.end(), name,
                                      [](const ZipMember& member, std::string_view n) { return member.name < n; });
  return found == members_.end() || found->name != name ? nullptr : &*found;
}

const ZipMember* ZipArchive::find_last_part(std::string_view end) const {
  const ZipMember* only = nullptr;
  for (const ZipMember& member : members_) {
    if (!member.name.ends_with(end)) continue;
    if (only != nullptr) return nullptr;
    only = &member;
  }
  return only;
}

Bytes ZipArchive::read(const ZipMember& member) const {
  Bytes bytes = file_.part(data_start(member), member.packed_bytes, member.name);
  if (member.deflated) {
    bytes.spend(member.bytes, str("would unpack to ", member.bytes, " bytes"));
    bytes = bytes.unpacked(inflate({bytes.data(), bytes.size()}, member.bytes, Wrapping::Raw, bytes.name()));
    if (bytes.size() != member.bytes)
      throw DataError(str(bytes.name(), ": unpacks to ", bytes.size(), " bytes instead of ", member.bytes));
  }
  if (::crc32_z(0, bytes.data(), bytes.size()) != member.checksum)
    throw DataError(bytes.name() + ": its checksum (CRC-32) is not that of its bytes: the file is damaged");
  return bytes;
}

}  // namespace avs::weights
