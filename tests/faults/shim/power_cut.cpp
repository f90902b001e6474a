// Simulates a power cut for one process: bytes written after a file's last fsync are lost. Renames are kept: other
// trials cover a lost rename.
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "tests/faults/shim/shim.h"

namespace avs::faults {
namespace {

struct Written {
  dev_t device;
  ino_t number;
  off_t on_disk;  // number of bytes that survive
  char path[2 * 4096];
};
Written files[256];
int count = 0;
pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

Written* find(const struct stat& status) {
  for (int i = 0; i < count; ++i)
    if (files[i].device == status.st_dev && files[i].number == status.st_ino) return &files[i];
  return nullptr;
}

// Tracks only files below the trial's folder.
Written* track(int descriptor, off_t on_disk) {
  struct stat status;
  char buffer[4096];
  if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) return nullptr;
  if (Written* const known = find(status)) return known;
  const char* const path = path_of(descriptor, buffer);
  if (within_folder(path) == nullptr || count == static_cast<int>(std::size(files))) return nullptr;
  Written& file = files[count++];
  file = {status.st_dev, status.st_ino, on_disk, {}};
  std::snprintf(file.path, sizeof file.path, "%s", path);
  return &file;
}

class Guard {
 public:
  Guard() { ::pthread_mutex_lock(&mutex); }
  ~Guard() { ::pthread_mutex_unlock(&mutex); }
};

}  // namespace

void note_opened(int descriptor, int flags) {
  if (plan.action != Action::PowerCut || descriptor < 0 || (flags & O_ACCMODE) == O_RDONLY) return;
  const Guard guard;
  struct stat status;
  if (::fstat(descriptor, &status) != 0) return;
  if (Written* const file = track(descriptor, status.st_size); file != nullptr && (flags & O_TRUNC) != 0)
    file->on_disk = 0;
}

void note_written(int descriptor) {
  if (plan.action != Action::PowerCut) return;
  const Guard guard;
  track(descriptor, 0);
}

void note_flushed(int descriptor) {
  if (plan.action != Action::PowerCut) return;
  const Guard guard;
  struct stat status;
  if (::fstat(descriptor, &status) != 0) return;
  if (Written* const file = track(descriptor, status.st_size)) file->on_disk = status.st_size;
}

void note_renamed(const char* from, const char* to) {
  if (plan.action != Action::PowerCut) return;
  const Guard guard;
  const char *const source = within_folder(from), *const target = within_folder(to);
  if (source == nullptr || target == nullptr) return;
  for (int i = 0; i < count; ++i) {
    const char* const path = within_folder(files[i].path);
    if (path != nullptr && std::strcmp(path, source) == 0)
      std::snprintf(files[i].path, sizeof files[i].path, "%.4000s/%.4000s", plan.folder, target);
  }
}

void lose_what_was_not_flushed() {
  ::pthread_mutex_lock(&mutex);  // never unlocked: other threads must not rename any more
  for (int i = 0; i < count; ++i) {
    struct stat status;
    if (::stat(files[i].path, &status) == 0 && status.st_ino == files[i].number && status.st_size > files[i].on_disk)
      ::syscall(SYS_truncate, files[i].path, files[i].on_disk);
  }
}

}  // namespace avs::faults
