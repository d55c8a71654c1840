#pragma once
#include <onnx/onnx_pb.h>

#include <functional>
#include <map>
#include <new>
#include <string>
#include <string_view>

#include "lib/base/file.h"
#include "lib/ir/type.h"

namespace onecard {

// Reads a whole file as one message, in pieces so that no second copy of it is in memory. Raises io when it cannot be read, model when it is no such
// message; a message that only says so of a file that is plainly something else (empty, text, a git-LFS pointer) says what it looks like.
void parse_file(google::protobuf::Message& into, const Path& path, std::string_view what);
// Writes a message; the file appears whole or not at all.
void write_file(const google::protobuf::Message& message, const Path& path);

// The text of an exception on one line, without what onnx adds as context.
std::string one_line(std::string_view text);

// Calls into onnx or protobuf; what they raise becomes a model error.
template <class F>
decltype(auto) guarded(F&& body) {
  try {
    return body();
  } catch (const Error&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& e) {
    fail(ErrorKind::model, one_line(e.what()));
  }
}

// The standard domain has two names; this one is "".
inline std::string standard_domain(const std::string& domain) { return domain == "ai.onnx" ? std::string() : domain; }

// Operator set versions by standard_domain().
using Opsets = std::map<std::string, int64_t>;
// The highest version of each domain imported.
Opsets opsets_of(const google::protobuf::RepeatedPtrField<onnx::OperatorSetIdProto>& imports);

// What an axis of a declared shape means where it is declared.
using DimOf = std::function<Dim(const onnx::TensorShapeProto::Dimension& dim, int64_t axis)>;
// Raises model for maps, sparse tensors and unknown element types. Elements of sequences have unknown extents where not given as numbers.
TensorType type_from_proto(const onnx::TypeProto& type, const DimOf& dim_of);
onnx::TypeProto type_to_proto(const TensorType& type);

}  // namespace onecard
