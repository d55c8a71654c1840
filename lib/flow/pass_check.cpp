#include "lib/flow/pass_check.h"

#include "lib/runtime/compare.h"
#include "lib/runtime/executor.h"

namespace onecard {

namespace {

class PassCheck {
 public:
  PassCheck(Device& device, std::vector<Tensor> inputs) : device_(device), inputs_(std::move(inputs)) {}

  void operator()(std::string_view pass, const Graph& before, const Graph& after) {
    if (last_.empty()) last_ = answers(before);
    std::vector<Tensor> now = answers(after);
    const bool lossy = pass.starts_with("prune_") || pass.starts_with("quantize_");
    for (size_t i = 0; i < now.size() && !lossy; ++i) {
      const Comparison c = compare(now[i], last_[i]);
      require(c.comparable && c.range_error <= kPassTolerance, ErrorKind::check_failed, "pass ", pass, " changed output '", after.outputs[i]->name,
              "' by ", c.comparable ? std::to_string(c.range_error) + " of its range" : c.why_not, "; --print-after ", pass, " shows the graph");
    }
    last_ = std::move(now);
  }

 private:
  std::vector<Tensor> answers(const Graph& graph) {
    std::vector<const Tensor*> in;
    for (const Tensor& t : inputs_) in.push_back(&t);
    return Executor(std::make_shared<const Graph>(graph.clone()), device_).run(in);
  }
  Device& device_;
  std::vector<Tensor> inputs_;
  std::vector<Tensor> last_;
};

}  // namespace

std::function<void(std::string_view, const Graph&, const Graph&)> make_pass_check(Device& device, std::vector<Tensor> inputs) {
  return [check = std::make_shared<PassCheck>(device, std::move(inputs))](std::string_view pass, const Graph& before, const Graph& after) {
    (*check)(pass, before, after);
  };
}

}  // namespace onecard
