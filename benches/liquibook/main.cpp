// Liquibook on the flows of the benches, as a program of its own: C++ stays out of the Rust build.
//
//   liquibook FLOW
//
// FLOW is text: a line "BOOKS PRELOAD STEPS", then a line "BOOK KIND SIDE PRICE QUANTITY ORDER" for each step of the
// preload and of the flow. KIND is G(tc) I(oc) F(ok) M(arket) C(ancel) R(eplace), SIDE is B or S. The program answers
// with "FILLS QUANTITY" of a first pass; then, for each line that it reads, with the nanoseconds of another pass over
// fresh books. Orders are made before the clock runs, as Liquibook's own benchmark does.
//
// Ten levels of depth are kept where the flow adds resting orders alone. In other flows its depth throws in its own
// callbacks, which would be what is measured: there the book keeps none.

#include <book/order_book.h>
#include <simple/simple_order_book.h>

#include <chrono>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

namespace {

using liquibook::book::OrderCondition;
using liquibook::simple::SimpleOrder;
using WithDepth = liquibook::simple::SimpleOrderBook<10>;

// What `SimpleOrderBook` does for the orders' own state, on the book without depth.
class WithoutDepth : public liquibook::book::OrderBook<SimpleOrder*> {
 public:
  using SimpleCallback = liquibook::book::Callback<SimpleOrder*>;

  void perform_callback(SimpleCallback& callback) override {
    OrderBook::perform_callback(callback);
    switch (callback.type) {
      case SimpleCallback::cb_order_accept:
        callback.order->accept();
        break;
      case SimpleCallback::cb_order_fill: {
        const auto cost = callback.quantity * callback.price;
        ++fills_;
        callback.matched_order->fill(callback.quantity, cost, fills_);
        callback.order->fill(callback.quantity, cost, fills_);
        break;
      }
      case SimpleCallback::cb_order_cancel:
        callback.order->cancel();
        break;
      case SimpleCallback::cb_order_replace:
        callback.order->replace(callback.delta, callback.price);
        break;
      default:
        break;
    }
  }

 private:
  liquibook::book::FillId fills_ = 0;
};

struct Step {
  uint32_t book;
  char kind;
  bool buy;
  uint32_t price;
  uint32_t quantity;
  uint32_t order;
};

struct Flow {
  uint32_t books = 0;
  size_t preload = 0;
  uint32_t orders = 0;
  std::vector<Step> steps;
};

bool read(const char* file, Flow& flow) {
  std::ifstream in(file);
  size_t steps = 0;
  if (!(in >> flow.books >> flow.preload >> steps)) return false;
  flow.steps.reserve(flow.preload + steps);
  char side;
  for (Step step; in >> step.book >> step.kind >> side >> step.price >> step.quantity >> step.order;) {
    step.buy = side == 'B';
    if (step.book >= flow.books) return false;
    if (step.order > flow.orders) flow.orders = step.order;
    flow.steps.push_back(step);
  }
  return flow.steps.size() == flow.preload + steps;
}

template <class Book>
class Counted : public Book {
 public:
  uint64_t fills = 0;
  uint64_t quantity = 0;

  void perform_callback(typename Book::SimpleCallback& callback) override {
    Book::perform_callback(callback);
    if (callback.type == Book::SimpleCallback::cb_order_fill) {
      ++fills;
      quantity += callback.quantity;
    }
  }
};

template <class Kind>
class Run {
 public:
  explicit Run(const Flow& flow) : flow_(flow), orders_(flow.orders + 1) {
    for (uint32_t n = 0; n < flow.books; ++n) books.push_back(std::make_unique<Kind>());
    for (const Step& step : flow.steps) {
      if (step.kind == 'C' || step.kind == 'R') continue;
      auto conditions = OrderCondition::oc_no_conditions;
      // A market order that finds nobody would rest otherwise.
      if (step.kind == 'I' || step.kind == 'M') conditions = OrderCondition::oc_immediate_or_cancel;
      if (step.kind == 'F') conditions = OrderCondition::oc_fill_or_kill;
      orders_[step.order] = std::make_unique<SimpleOrder>(step.buy, step.price, step.quantity, 0, conditions);
    }
  }

  void apply(size_t from, size_t to) {
    for (size_t n = from; n < to; ++n) {
      const Step& step = flow_.steps[n];
      Kind& book = *books[step.book];
      SimpleOrder* order = orders_[step.order].get();
      switch (step.kind) {
        case 'C':
          book.cancel(order);
          break;
        case 'R':
          // It takes what is to be added to the open quantity.
          book.replace(order, int64_t(step.quantity) - int64_t(order->open_qty()), step.price);
          break;
        default:
          book.add(order, order->conditions());
      }
    }
  }

  std::vector<std::unique_ptr<Kind>> books;

 private:
  const Flow& flow_;
  std::vector<std::unique_ptr<SimpleOrder>> orders_;
};

template <class Book>
void answer(const Flow& flow) {
  const size_t end = flow.steps.size();
  {
    Run<Counted<Book>> run(flow);
    run.apply(0, flow.preload);
    uint64_t fills = 0, quantity = 0;
    for (auto& book : run.books) fills -= book->fills, quantity -= book->quantity;
    run.apply(flow.preload, end);
    for (auto& book : run.books) fills += book->fills, quantity += book->quantity;
    std::cout << fills << ' ' << quantity << std::endl;
  }
  for (std::string line; std::getline(std::cin, line);) {
    Run<Book> run(flow);
    run.apply(0, flow.preload);
    const auto started = std::chrono::steady_clock::now();
    run.apply(flow.preload, end);
    const auto taken = std::chrono::steady_clock::now() - started;
    std::cout << std::chrono::duration_cast<std::chrono::nanoseconds>(taken).count() << std::endl;
  }
}

}  // namespace

int main(int count, char** arguments) {
  Flow flow;
  if (count != 2 || !read(arguments[1], flow)) {
    std::cerr << "usage: liquibook FLOW" << std::endl;
    return 2;
  }
  bool adds_alone = true;
  for (const Step& step : flow.steps) adds_alone &= step.kind == 'G';
  if (adds_alone) {
    answer<WithDepth>(flow);
  } else {
    answer<WithoutDepth>(flow);
  }
}
