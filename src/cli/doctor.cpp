// doctor: what the host has and lacks for the engine, and how to mend it.
#include "cli/output.h"
#include "cli/verbs.h"

namespace berth::cli {

namespace {

struct DoctorOptions {
  std::string output;
};

void declare(Flags& flags, DoctorOptions& options) { flags.add("output,o", options.output, "'json' prints JSON"); }

// An engine that does not answer is the first thing to mend.
json::Value ask(const Context& context) {
  auto engine = context.engine();
  auto answer = engine ? engine->get("/berth/v1/doctor") : Result<json::Value>(std::unexpected(engine.error()));
  if (answer) {
    if (const json::Value* checks = json::find(*answer, "checks"); checks != nullptr && checks->is_array())
      return *answer;
    answer = fail(ErrorCode::unsupported, "{} is another engine than Berth's", engine->host());
  }
  return json::Object{{"checks", json::Array{json::Object{
                                     {"name", "engine"},
                                     {"status", "fail"},
                                     {"detail", answer.error().text()},
                                     {"fix", "systemctl start berth-engine, or as root: berth engine"},
                                 }}}};
}

Result<int> doctor(Context& context, const DoctorOptions& options, const Words&) {
  if (!options.output.empty() && options.output != "json")
    return fail(ErrorCode::invalid, "unknown output \"{}\": use -o json, or leave it out", options.output);
  json::Value report = ask(context);
  std::string text;
  bool failed = false;
  for (const json::Value& check : report.at("checks").get_array()) {
    std::string status = json::string_or(check, "status"), fix = json::string_or(check, "fix");
    failed = failed || status == "fail";
    text += fmt::format("{:<5} {:<22} {}\n", status, json::string_or(check, "name"), json::string_or(check, "detail"));
    if (!fix.empty()) text += fmt::format("{:<28} mend it: {}\n", "", fix);
  }
  TRY_OK(print_out(options.output == "json" ? pretty_json(report) + "\n" : text));
  return failed ? 1 : 0;
}

}  // namespace

constexpr Command kDoctor = command<declare, doctor>({
    .usage = "[OPTIONS]",
    .summary = "Tell what this machine has and lacks, and how to mend it",
    .arity = kNoWords,
    .details =
        "Each line is a check: ok, warn (something works less well) or fail (something does not work). The exit code\n"
        "is 1 when a check fails.",
    .examples = "doctor\ndoctor -o json",
});

}  // namespace berth::cli
