#include "compose/words.h"

namespace berth::compose {

Result<std::vector<std::string>> split_words(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;
  char quote = '\0';
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    bool has_next = i + 1 < text.size();
    if (quote != '\0') {
      bool escapes = quote == '"' && c == '\\' && has_next && std::string_view("\"\\$`\n").contains(text[i + 1]);
      if (c == quote)
        quote = '\0';
      else if (escapes && text[++i] == '\n')
        continue;  // a continued line
      else
        word += text[i];
    } else if (c == '\'' || c == '"') {
      quote = c;
      in_word = true;
    } else if (c == '\\' && has_next) {
      if (text[++i] == '\n') continue;
      word += text[i];
      in_word = true;
    } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
      if (in_word) words.push_back(std::move(word));
      word.clear();
      in_word = false;
    } else {
      word += c;
      in_word = true;
    }
  }
  if (quote != '\0') return fail(ErrorCode::invalid, "invalid command line string: {} is not closed", quote);
  if (in_word) words.push_back(std::move(word));
  return words;
}

}  // namespace berth::compose
