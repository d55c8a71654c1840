// Mutations that leave a model a model: changed bytes alone rarely get past protobuf and onnx's checker.
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <onnx/defs/schema.h>
#include <onnx/onnx_pb.h>

#include <random>
#include <string>
#include <vector>

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr int64_t kInts[] = {0,  1,   -1,      2,         -2,           3,         4,         5,         7,        8, 16,
                             64, 255, 1 << 16, 1ll << 31, -(1ll << 31), 1ll << 32, 1ll << 50, INT64_MAX, INT64_MIN};
constexpr float kFloats[] = {0.0f, -0.0f, 1.0f, -1.0f, 0.5f, 2.0f, 1e-30f, 1e30f, 3e38f, -3e38f};
constexpr size_t kMostMutatedBytes = 256;

class ModelMutator {
 public:
  ModelMutator(onnx::ModelProto& model, unsigned seed) : model_(model), random_(seed) {}

  void mutate() {
    messages_.clear();
    names_.clear();
    collect(model_);
    const int what = below(10);
    if (what == 0) return change_operator();
    if (what == 1) return change_tensor();
    if (what == 2) return change_attribute();
    if (what <= 4) return rewire();
    change_field(*messages_[below(messages_.size())]);
  }

 private:
  size_t below(size_t n) { return n == 0 ? 0 : random_() % n; }
  template <class T, size_t N>
  T one_of(const T (&list)[N]) {
    return list[below(N)];
  }
  int64_t some_int() { return below(3) == 0 ? one_of(kInts) : static_cast<int64_t>(below(9)) - 2; }

  void collect(Message& m) {
    messages_.push_back(&m);
    const Reflection& r = *m.GetReflection();
    std::vector<const FieldDescriptor*> fields;
    r.ListFields(m, &fields);
    for (const auto* f : fields) {
      const bool text = f->type() == FieldDescriptor::TYPE_STRING && (f->name() == "name" || f->name() == "input" || f->name() == "output");
      if (text && f->is_repeated())
        for (int i = 0; i < r.FieldSize(m, f); ++i) names_.push_back(r.GetRepeatedString(m, f, i));
      else if (text) names_.push_back(r.GetString(m, f));
      if (f->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
      if (!f->is_repeated()) collect(*r.MutableMessage(&m, f));
      else
        for (int i = 0; i < r.FieldSize(m, f); ++i) collect(*r.MutableRepeatedMessage(&m, f, i));
    }
  }

  template <class M>
  M* some() {
    std::vector<M*> found;
    for (Message* m : messages_)
      if (auto* same = dynamic_cast<M*>(m)) found.push_back(same);
    return found.empty() ? nullptr : found[below(found.size())];
  }

  std::string some_name() { return names_.empty() || below(20) == 0 ? "" : names_[below(names_.size())]; }

  void change_operator() {
    auto* node = some<onnx::NodeProto>();
    if (!node) return;
    static const std::vector<onnx::OpSchema> all = onnx::OpSchemaRegistry::get_all_schemas();
    const auto& schema = all[below(all.size())];
    node->set_op_type(schema.Name());
    node->set_domain(schema.domain());
    if (below(2) == 0) node->clear_attribute();
    while (node->input_size() < schema.min_input()) node->add_input(some_name());
    while (node->input_size() > schema.max_input()) node->mutable_input()->RemoveLast();
  }

  void change_attribute() {
    auto* node = some<onnx::NodeProto>();
    if (!node) return;
    const auto* schema = onnx::OpSchemaRegistry::Schema(node->op_type(), node->domain());
    if (!schema || schema->attributes().empty()) return;
    auto entry = schema->attributes().begin();
    std::advance(entry, below(schema->attributes().size()));
    onnx::AttributeProto* a = nullptr;
    for (auto& present : *node->mutable_attribute())
      if (present.name() == entry->first) a = &present;
    if (!a) a = node->add_attribute();
    a->set_name(entry->first);
    a->set_type(entry->second.type);
    if (a->type() == onnx::AttributeProto::INT) a->set_i(some_int());
    if (a->type() == onnx::AttributeProto::FLOAT) a->set_f(one_of(kFloats));
    if (a->type() == onnx::AttributeProto::INTS) {
      if (below(2) == 0) a->clear_ints();
      for (size_t i = below(5); i > 0; --i) a->add_ints(some_int());
    }
    if (a->type() == onnx::AttributeProto::FLOATS) a->add_floats(one_of(kFloats));
  }

  // A tensor whose data is as long as its extents say, so that its values are what is looked at.
  void change_tensor() {
    auto* t = some<onnx::TensorProto>();
    if (!t) return;
    constexpr int kTypes[] = {onnx::TensorProto::FLOAT,   onnx::TensorProto::INT64,  onnx::TensorProto::INT32,
                              onnx::TensorProto::INT64,   onnx::TensorProto::UINT8,  onnx::TensorProto::BOOL,
                              onnx::TensorProto::FLOAT16, onnx::TensorProto::DOUBLE, onnx::TensorProto::INT8};
    const std::string name = t->name();
    const int type = below(2) == 0 ? t->data_type() : one_of(kTypes);
    const bool keep_dims = below(2) == 0;
    onnx::TensorProto made;
    made.set_name(name);
    made.set_data_type(type);
    int64_t count = 1;
    for (size_t i = keep_dims ? static_cast<size_t>(t->dims_size()) : below(4), k = 0; k < i; ++k) {
      const int64_t d = keep_dims ? std::max<int64_t>(0, std::min<int64_t>(t->dims(static_cast<int>(k)), 16)) : static_cast<int64_t>(below(5));
      made.add_dims(d);
      count *= d;
    }
    count = std::min<int64_t>(count, 1024);
    if (type == onnx::TensorProto::INT64)
      for (int64_t i = 0; i < count; ++i) made.add_int64_data(some_int());
    else if (type == onnx::TensorProto::INT32 || type == onnx::TensorProto::UINT8 || type == onnx::TensorProto::INT8 ||
             type == onnx::TensorProto::BOOL || type == onnx::TensorProto::FLOAT16)
      for (int64_t i = 0; i < count; ++i) made.add_int32_data(static_cast<int32_t>(some_int()));
    else if (type == onnx::TensorProto::FLOAT)
      for (int64_t i = 0; i < count; ++i) made.add_float_data(below(2) ? one_of(kFloats) : static_cast<float>(some_int()));
    else if (type == onnx::TensorProto::DOUBLE)
      for (int64_t i = 0; i < count; ++i) made.add_double_data(one_of(kFloats));
    *t = made;
  }

  void rewire() {
    auto* node = some<onnx::NodeProto>();
    if (!node) return;
    if (node->input_size() == 0 || below(4) == 0) node->add_input(some_name());
    else *node->mutable_input(static_cast<int>(below(static_cast<size_t>(node->input_size())))) = some_name();
  }

  // A value of the field, into one element or the singular field.
  void change_field(Message& m) {
    const auto& d = *m.GetDescriptor();
    if (d.field_count() == 0) return;
    const FieldDescriptor& f = *d.field(static_cast<int>(below(static_cast<size_t>(d.field_count()))));
    const Reflection& r = *m.GetReflection();
    if (!f.is_repeated()) return below(4) == 0 ? r.ClearField(&m, &f) : set(m, r, f, -1);
    const int n = r.FieldSize(m, &f);
    const size_t what = below(5);
    if (n > 0 && what == 0) {
      r.SwapElements(&m, &f, static_cast<int>(below(static_cast<size_t>(n))), n - 1);
      return r.RemoveLast(&m, &f);
    }
    if (n > 1 && what == 1)
      return r.SwapElements(&m, &f, static_cast<int>(below(static_cast<size_t>(n))), static_cast<int>(below(static_cast<size_t>(n))));
    if (n == 0 || what == 2) add(m, r, f);
    else set(m, r, f, static_cast<int>(below(static_cast<size_t>(n))));
  }

  std::string text(const FieldDescriptor& f, const std::string& old) {
    const bool name = f.name() == "name" || f.name() == "input" || f.name() == "output" || f.name() == "ref_attr_name";
    if (name && below(4) != 0) return some_name();
    std::string s = old;
    s.resize(std::max(s.size() + 4, kMostMutatedBytes));
    s.resize(LLVMFuzzerMutate(reinterpret_cast<uint8_t*>(s.data()), std::min(old.size(), kMostMutatedBytes), kMostMutatedBytes));
    return s;
  }

  const Message* twin(const FieldDescriptor& f) {
    std::vector<const Message*> found;
    for (const Message* m : messages_)
      if (m->GetDescriptor() == f.message_type()) found.push_back(m);
    return found.empty() ? nullptr : found[below(found.size())];
  }

  void add(Message& m, const Reflection& r, const FieldDescriptor& f) {
    switch (f.cpp_type()) {
      case FieldDescriptor::CPPTYPE_MESSAGE: {
        std::unique_ptr<Message> copy;
        if (const Message* same = twin(f)) copy.reset(same->New()), copy->CopyFrom(*same);
        Message& added = *r.AddMessage(&m, &f);
        if (copy) added.CopyFrom(*copy);
        break;
      }
      case FieldDescriptor::CPPTYPE_STRING: r.AddString(&m, &f, text(f, "")); break;
      case FieldDescriptor::CPPTYPE_INT64: r.AddInt64(&m, &f, some_int()); break;
      case FieldDescriptor::CPPTYPE_INT32: r.AddInt32(&m, &f, static_cast<int32_t>(some_int())); break;
      case FieldDescriptor::CPPTYPE_UINT64: r.AddUInt64(&m, &f, static_cast<uint64_t>(some_int())); break;
      case FieldDescriptor::CPPTYPE_FLOAT: r.AddFloat(&m, &f, one_of(kFloats)); break;
      case FieldDescriptor::CPPTYPE_DOUBLE: r.AddDouble(&m, &f, one_of(kFloats)); break;
      default: break;
    }
  }

  void set(Message& m, const Reflection& r, const FieldDescriptor& f, int at) {
    const bool one = at < 0;
    switch (f.cpp_type()) {
      case FieldDescriptor::CPPTYPE_MESSAGE: {
        const Message* same = twin(f);
        std::unique_ptr<Message> copy(same ? same->New() : nullptr);
        if (same) copy->CopyFrom(*same);
        Message& target = one ? *r.MutableMessage(&m, &f) : *r.MutableRepeatedMessage(&m, &f, at);
        if (copy) target.CopyFrom(*copy);
        break;
      }
      case FieldDescriptor::CPPTYPE_STRING:
        if (one) r.SetString(&m, &f, text(f, r.GetString(m, &f)));
        else r.SetRepeatedString(&m, &f, at, text(f, r.GetRepeatedString(m, &f, at)));
        break;
      case FieldDescriptor::CPPTYPE_INT64: one ? r.SetInt64(&m, &f, some_int()) : r.SetRepeatedInt64(&m, &f, at, some_int()); break;
      case FieldDescriptor::CPPTYPE_INT32: {
        const auto v = static_cast<int32_t>(some_int());
        one ? r.SetInt32(&m, &f, v) : r.SetRepeatedInt32(&m, &f, at, v);
        break;
      }
      case FieldDescriptor::CPPTYPE_UINT64: {
        const auto v = static_cast<uint64_t>(some_int());
        one ? r.SetUInt64(&m, &f, v) : r.SetRepeatedUInt64(&m, &f, at, v);
        break;
      }
      case FieldDescriptor::CPPTYPE_FLOAT: one ? r.SetFloat(&m, &f, one_of(kFloats)) : r.SetRepeatedFloat(&m, &f, at, one_of(kFloats)); break;
      case FieldDescriptor::CPPTYPE_DOUBLE: one ? r.SetDouble(&m, &f, one_of(kFloats)) : r.SetRepeatedDouble(&m, &f, at, one_of(kFloats)); break;
      case FieldDescriptor::CPPTYPE_ENUM:
        if (one) r.SetEnum(&m, &f, f.enum_type()->value(static_cast<int>(below(static_cast<size_t>(f.enum_type()->value_count())))));
        break;
      default: break;
    }
  }

  onnx::ModelProto& model_;
  std::mt19937 random_;
  std::vector<Message*> messages_;
  std::vector<std::string> names_;
};

size_t put(const onnx::ModelProto& model, uint8_t* data, size_t max_size) {
  const size_t size = model.ByteSizeLong();
  return size <= max_size && model.SerializeToArray(data, static_cast<int>(size)) ? size : 0;
}

}  // namespace

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  onnx::ModelProto model;
  if (seed % 32 == 0 || !model.ParseFromArray(data, static_cast<int>(size))) return LLVMFuzzerMutate(data, size, max_size);
  ModelMutator mutator(model, seed);
  for (unsigned i = 0; i <= seed / 32 % 4; ++i) mutator.mutate();
  const size_t made = put(model, data, max_size);
  return made > 0 ? made : LLVMFuzzerMutate(data, size, max_size);
}

// Both models in one: the second reads what the first computes.
extern "C" size_t LLVMFuzzerCustomCrossOver(const uint8_t* a, size_t a_size, const uint8_t* b, size_t b_size, uint8_t* out, size_t max_size,
                                            unsigned seed) {
  onnx::ModelProto model, other;
  if (!model.ParseFromArray(a, static_cast<int>(a_size)) || !other.ParseFromArray(b, static_cast<int>(b_size))) return 0;
  auto& graph = *model.mutable_graph();
  if (seed % 2 == 0 && graph.output_size() > 0 && other.graph().input_size() > 0) {
    const std::string from = other.graph().input(static_cast<int>(seed / 2 % static_cast<unsigned>(other.graph().input_size()))).name();
    for (auto& node : *other.mutable_graph()->mutable_node())
      for (auto& input : *node.mutable_input())
        if (input == from) input = graph.output(0).name();
  }
  graph.mutable_node()->MergeFrom(other.graph().node());
  graph.mutable_initializer()->MergeFrom(other.graph().initializer());
  graph.mutable_input()->MergeFrom(other.graph().input());
  if (seed % 3 == 0) graph.mutable_output()->Clear();
  graph.mutable_output()->MergeFrom(other.graph().output());
  return put(model, out, max_size);
}
