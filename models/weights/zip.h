// Reads the zip archives that torch.save and Keras write (PKWARE APPNOTE 6.3). Members are stored or deflated;
// encryption, spanned archives and other methods are refused. The central directory must be consistent: names are
// unique, members lie inside the file and do not overlap.
//
// No library reads them, because files come from anywhere: every size is checked against the file before memory is
// allocated, and tests/fuzz tries hostile archives.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "models/weights/bytes.h"

namespace avs::weights {

struct ZipMember {
  std::string name;
  uint64_t header = 0;  // position of its local header
  uint64_t packed_bytes = 0, bytes = 0;
  uint32_t checksum = 0;  // CRC-32
  bool deflated = false;
};

class ZipArchive {
 public:
  explicit ZipArchive(const Bytes& file);  // DataError: an invalid archive

  const std::vector<ZipMember>& members() const { return members_; }
  const ZipMember* find(std::string_view name) const;           // null if absent
  const ZipMember* find_last_part(std::string_view end) const;  // the only member whose name ends in `end`, or null

  // A member's bytes: a view of the file if stored; unpacked if deflated, which counts against the file's allowance.
  // DataError: damaged (CRC-32), or unpacked data exceeds the allowance.
  Bytes read(const ZipMember& member) const;

 private:
  void read_directory(uint64_t first, uint64_t size, uint64_t count);
  void check_members();
  uint64_t data_start(const ZipMember& member) const;

  Bytes file_;
  std::vector<ZipMember> members_;
};

}  // namespace avs::weights
