// Zip archives (PKWARE APPNOTE 6.3): what torch.save and Keras write, and no more. Members are stored or deflated;
// encryption, spanned archives and other methods are refused. The central directory is believed only where it agrees
// with itself: names are unique, members lie inside the file and do not overlap.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "models/weights/bytes.h"

namespace avs::weights {

struct ZipMember {
  std::string name;
  uint64_t header = 0;  // where its local header stands
  uint64_t packed_bytes = 0, bytes = 0;
  uint32_t checksum = 0;  // CRC-32
  bool deflated = false;
};

class ZipArchive {
 public:
  explicit ZipArchive(const Bytes& file);  // DataError naming what is wrong with it

  const std::vector<ZipMember>& members() const { return members_; }
  const ZipMember* find(std::string_view name) const;           // null: none
  const ZipMember* find_last_part(std::string_view end) const;  // the only one whose name ends so; null: none

  // A member's bytes: a view of the file where stored, unpacked where deflated, which the file's allowance pays.
  // DataError when they are damaged (their checksum tells) or unpack to more than that (a bomb).
  Bytes read(const ZipMember& member) const;

 private:
  void read_directory(uint64_t first, uint64_t size, uint64_t count);
  void check_members();
  uint64_t data_start(const ZipMember& member) const;

  Bytes file_;
  std::vector<ZipMember> members_;
};

}  // namespace avs::weights
