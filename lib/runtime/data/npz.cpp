#include <zlib.h>

#include <cstring>

#include "lib/runtime/data/npy.h"

// The ZIP records that numpy.savez writes and reads: local headers, a central directory, and its end record (APPNOTE 4.3), with ZIP64
// sizes where an array needs them.
namespace onecard {

namespace {

constexpr uint64_t kMaxInflated = uint64_t{1} << 31;  // of one deflated entry

class Reader {
 public:
  explicit Reader(std::span<const std::byte> b) : bytes_(b) {}
  template <class T>
  T at(uint64_t offset) const {
    require(offset <= bytes_.size() && sizeof(T) <= bytes_.size() - offset, ErrorKind::io, "an .npz file cut short");
    T v;
    std::memcpy(&v, bytes_.data() + offset, sizeof v);
    return v;
  }
  std::span<const std::byte> part(uint64_t offset, uint64_t n) const {
    require(offset <= bytes_.size() && n <= bytes_.size() - offset, ErrorKind::io, "an .npz file cut short");
    return bytes_.subspan(offset, n);
  }
  uint64_t size() const { return bytes_.size(); }

 private:
  std::span<const std::byte> bytes_;
};

struct Entry {
  std::string name;
  uint16_t method = 0;
  uint64_t stored = 0, size = 0, header = 0;
};

// Sizes and place of a central record whose 32-bit fields are full stand in its ZIP64 extra field.
void read_zip64(const Reader& zip, uint64_t at, uint64_t length, Entry& e) {
  const uint64_t end = at + length;
  while (at + 4 <= end) {
    const auto id = zip.at<uint16_t>(at), size = zip.at<uint16_t>(at + 2);
    uint64_t field = at + 4;
    if (id == 1)
      for (uint64_t* v : {&e.size, &e.stored, &e.header})
        if (*v == 0xffffffffu && field + 8 <= at + 4 + size) {
          *v = zip.at<uint64_t>(field);
          field += 8;
        }
    at += 4 + uint64_t{size};
  }
}

std::vector<Entry> read_directory(const Reader& zip) {
  require(zip.size() >= 22, ErrorKind::io, "not an .npz file");
  uint64_t end = zip.size() - 22;
  while (zip.at<uint32_t>(end) != 0x06054b50u) {
    require(end > 0 && zip.size() - end < 65600, ErrorKind::io, "not an .npz file: it has no directory");
    --end;
  }
  uint64_t count = zip.at<uint16_t>(end + 10), at = zip.at<uint32_t>(end + 16);
  if ((count == 0xffff || at == 0xffffffffu) && end >= 20 && zip.at<uint32_t>(end - 20) == 0x07064b50u) {
    const auto wide = zip.at<uint64_t>(end - 12);
    count = zip.at<uint64_t>(wide + 32);
    at = zip.at<uint64_t>(wide + 48);
  }
  std::vector<Entry> entries;
  for (uint64_t i = 0; i < count; ++i) {
    require(zip.at<uint32_t>(at) == 0x02014b50u, ErrorKind::io, "the directory of an .npz file is damaged");
    const auto name = zip.at<uint16_t>(at + 28), extra = zip.at<uint16_t>(at + 30), comment = zip.at<uint16_t>(at + 32);
    Entry e;
    e.method = zip.at<uint16_t>(at + 10);
    e.stored = zip.at<uint32_t>(at + 20), e.size = zip.at<uint32_t>(at + 24), e.header = zip.at<uint32_t>(at + 42);
    const auto text = zip.part(at + 46, name);
    e.name.assign(reinterpret_cast<const char*>(text.data()), text.size());
    read_zip64(zip, at + 46 + name, extra, e);
    entries.push_back(std::move(e));
    at += 46 + uint64_t{name} + extra + comment;
  }
  return entries;
}

Tensor read_entry(const Reader& zip, const Entry& e) {
  require(zip.at<uint32_t>(e.header) == 0x04034b50u, ErrorKind::io, "an entry of an .npz file is damaged");
  const uint64_t start = e.header + 30 + zip.at<uint16_t>(e.header + 26) + zip.at<uint16_t>(e.header + 28);
  const auto stored = zip.part(start, e.stored);
  if (e.method == 0) return read_npy(stored);
  require(e.method == 8, ErrorKind::io, "an entry of an .npz file is compressed by method ", e.method, "; numpy.savez and savez_compressed are read");
  require(e.size < kMaxInflated && e.stored < kMaxInflated && e.size / 1100 <= e.stored, ErrorKind::io, "an entry of an .npz file claims ", e.size, " bytes");
  std::vector<std::byte> plain(e.size);
  z_stream z{};
  require(inflateInit2(&z, -MAX_WBITS) == Z_OK, ErrorKind::does_not_fit, "out of memory");  // negative: no zlib header
  z.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(stored.data()));
  z.avail_in = static_cast<uInt>(stored.size());
  z.next_out = reinterpret_cast<Bytef*>(plain.data());
  z.avail_out = static_cast<uInt>(plain.size());
  const int code = inflate(&z, Z_FINISH);
  inflateEnd(&z);
  require(code == Z_STREAM_END && z.avail_out == 0, ErrorKind::io, "an entry of an .npz file is damaged");
  return read_npy(plain);
}

// The array's name: numpy adds ".npy".
std::string array_name(const Entry& e) { return e.name.ends_with(".npy") ? e.name.substr(0, e.name.size() - 4) : e.name; }

uint32_t crc_of(std::span<const std::byte> bytes) { return static_cast<uint32_t>(::crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size())); }

template <class T>
void put(std::string& out, T v) { out.append(reinterpret_cast<const char*>(&v), sizeof v); }

}  // namespace

std::vector<std::pair<std::string, Tensor>> read_npz(const Path& path) {
  ErrorScope scope("reading " + path.string());
  const auto file = MappedFile::open(path);
  const Reader zip(file->bytes());
  std::vector<std::pair<std::string, Tensor>> arrays;
  uint64_t claimed = 0;                               // several entries may name the same deflated bytes
  for (const auto& e : read_directory(zip)) {
    claimed += e.size;
    require(claimed / 1100 <= zip.size(), ErrorKind::io, "its arrays claim ", claimed, " bytes");
    std::string name = array_name(e);
    ErrorScope inner("array '" + name + "'");
    arrays.emplace_back(std::move(name), read_entry(zip, e));
  }
  return arrays;
}

std::vector<std::string> names_in_npz(const Path& path) {
  ErrorScope scope("reading " + path.string());
  const auto file = MappedFile::open(path);
  std::vector<std::string> names;
  for (const auto& e : read_directory(Reader(file->bytes()))) names.push_back(array_name(e));
  return names;
}

void write_npz(const Path& path, const std::vector<std::pair<std::string, const Tensor*>>& arrays) {
  AtomicFile file(path);
  std::string directory;
  for (const auto& [name, tensor] : arrays) {
    const auto bytes = write_npy(*tensor);
    require(bytes.size() < 0xffffffffu && file.written() < 0xffffffffu, ErrorKind::io, "an output above 4 GiB cannot be put in an .npz file");
    const std::string entry = name + ".npy";
    std::string common;                               // the fields that both headers share
    put(common, uint16_t{20}), put(common, uint16_t{0x800}), put(common, uint16_t{0}), put(common, uint16_t{0}), put(common, uint16_t{0x21});
    put(common, crc_of(bytes)), put(common, static_cast<uint32_t>(bytes.size())), put(common, static_cast<uint32_t>(bytes.size()));
    put(common, static_cast<uint16_t>(entry.size())), put(common, uint16_t{0});
    put(directory, uint32_t{0x02014b50}), put(directory, uint16_t{20});
    directory += common;
    put(directory, uint16_t{0}), put(directory, uint16_t{0}), put(directory, uint16_t{0}), put(directory, uint32_t{0}), put(directory, static_cast<uint32_t>(file.written()));
    directory += entry;
    std::string local;
    put(local, uint32_t{0x04034b50});
    file.write(local + common + entry);
    file.write(bytes);
  }
  std::string end;
  put(end, uint32_t{0x06054b50}), put(end, uint32_t{0}), put(end, static_cast<uint16_t>(arrays.size())), put(end, static_cast<uint16_t>(arrays.size()));
  put(end, static_cast<uint32_t>(directory.size())), put(end, static_cast<uint32_t>(file.written())), put(end, uint16_t{0});
  file.write(directory + end);
  file.commit();
}

}  // namespace onecard
