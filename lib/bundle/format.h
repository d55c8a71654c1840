#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

// The layout of a .onecard file, version 2. All numbers little-endian. Version 1 is the same without numbered scales.
//
//   1. Header, 40 bytes
//        0   8  magic "ONECARD\n"
//        8   4  version (1 or 2)
//       12   4  number of sections (kSectionCount)
//       16   8  length of the whole file
//       24   8  XXH3-64 of the section table
//       32   8  XXH3-64 of bytes 0 to 31
//   2. Section table, 32 bytes a section, in the order of SectionKind
//        0   4  kind
//        4   4  zero
//        8   8  offset in the file, a multiple of 64
//       16   8  length in bytes
//       24   8  XXH3-64 of the section's bytes
//   3. Sections in that order, each starting at the next multiple of 64; the bytes between them are zero
//        manifest     JSON text: tool version, source hash, options, accuracy, sizes
//        graph        one zstd frame: u64 length of the text, the text (lib/ir/text.h) with constants as `constant #k`; the scales of one
//                     that is quantized in blocks, and its zero points where they differ, are constants too: `scale=f16#k, zero=u4#k`
//        index        the constants, one record each (below)
//        self_check   lib/bundle/self_check.h; empty when there is none
//        weights      the constants' chunks
//   4. A record of the index
//        dtype u8 · encoding u8 · rank u8 · zero u8 · chunk count u32 · rank × extent u64 · offset in the weights section u64 ·
//        chunk count × stored length u32
//      The offset is a multiple of 64; chunks follow each other without gaps; a constant's bytes are cut every kChunkBytes.
//      Strings are stored as u32 length and bytes each, after another, as one such sequence of bytes.
//   5. A chunk, by encoding
//        raw            its bytes
//        zstd           one zstd frame of them
//        planes         one zstd frame of: all first bytes of the elements, all second bytes …
//        bitmap         a bit per element, lowest first, set where it is not zero; then the non-zero elements
//        bitmap_zstd    the bitmap raw, then one zstd frame of the non-zero elements
//        bitmap_planes  the bitmap raw, then one zstd frame of the byte planes of the non-zero elements
namespace onecard::format {

constexpr std::array<char, 8> kMagic{'O', 'N', 'E', 'C', 'A', 'R', 'D', '\n'};
constexpr uint32_t kVersion = 2;
constexpr uint64_t kHeaderBytes = 40, kSectionBytes = 32, kSectionAlignment = 64;
constexpr uint64_t kChunkBytes = uint64_t{1} << 20;   // of decoded bytes; a multiple of every element size

enum class SectionKind : uint32_t { manifest, graph, index, self_check, weights };
constexpr uint32_t kSectionCount = 5;

enum class Encoding : uint8_t { raw, zstd, planes, bitmap, bitmap_zstd, bitmap_planes };
constexpr uint8_t kEncodingCount = 6;

// What a reader believes at most.
constexpr uint64_t kMaxManifestBytes = uint64_t{64} << 20;
constexpr uint64_t kMaxGraphBytes = uint64_t{1} << 30;
constexpr uint64_t kMaxIndexBytes = uint64_t{1} << 30;
constexpr uint64_t kMaxSelfCheckBytes = uint64_t{1} << 30;
constexpr uint8_t kMaxRank = 64;

}  // namespace onecard::format
