// A list that owns its elements; T has a member T* next. Elements never move, so pointers to them last as long as they.
#pragma once

#include <cstddef>

namespace berth::shim {

template <class T>
class List {
 public:
  List() = default;
  List(const List&) = delete;
  List& operator=(const List&) = delete;
  ~List() {
    while (head_ != nullptr) remove_if([](const T&) { return true; });
  }

  // Takes ownership and appends.
  T* add(T* element) {
    T** place = &head_;
    while (*place != nullptr) place = &(*place)->next;
    *place = element;
    return element;
  }
  void remove_if(auto&& unwanted) {
    for (T** place = &head_; *place != nullptr;) {
      T* element = *place;
      if (unwanted(*element)) {
        *place = element->next;
        delete element;
      } else {
        place = &element->next;
      }
    }
  }
  T* find_if(auto&& wanted) const {
    for (T& element : *this) {
      if (wanted(element)) return &element;
    }
    return nullptr;
  }
  bool empty() const { return head_ == nullptr; }

  struct Iterator {
    T* at;
    T& operator*() const { return *at; }
    Iterator& operator++() {
      at = at->next;
      return *this;
    }
    bool operator==(const Iterator&) const = default;
  };
  Iterator begin() const { return {head_}; }
  Iterator end() const { return {nullptr}; }

 private:
  T* head_ = nullptr;
};

}  // namespace berth::shim
