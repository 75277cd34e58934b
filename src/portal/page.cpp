#include "portal/page.h"

#include "base/text.h"

namespace berth::portal {

namespace {

std::string frame(std::string_view title, std::string_view content) {
  return fmt::format(R"(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{} · Berth</title>
<link rel="stylesheet" href="/style.css">
<link rel="icon" href="data:,">
</head>
<body>
<header><a class="brand" href="/">Berth</a></header>
<main>
{}
</main>
</body>
</html>
)",
                     escape_html(title), content);
}

std::string state_badge(std::string_view state) {
  std::string text = escape_html(state);
  return fmt::format(R"(<span class="state {}">{}</span>)", text, text);
}

std::string card(const PageEntry& entry) {
  const workspace::Spec& spec = entry.status.spec;
  std::string name = escape_html(spec.name);
  return fmt::format(R"(<li class="card">
<div class="row"><a class="name" href="/workspaces/{}">{}</a>{}</div>
<code class="command">{}</code>
<p class="quiet">{}</p>
</li>
)",
                     name, name, state_badge(entry.status.state), escape_html(entry.ssh_command),
                     escape_html(spec.image));
}

constexpr std::string_view kEmptyList = R"(<p class="empty">There is none yet. Make one above: it takes a second.</p>
)";

std::string action_button(std::string_view name, std::string_view action, std::string_view label) {
  return fmt::format(R"(<form method="post" action="/workspaces/{}/{}"><button class="plain">{}</button></form>)",
                     escape_html(name), action, label);
}

std::string key_list(const std::vector<workspace::PublicKey>& keys) {
  std::string list;
  for (const workspace::PublicKey& key : keys)
    list += fmt::format("<li><code>{}</code> {}</li>", escape_html(key.fingerprint()), escape_html(key.comment));
  return "<ul class=\"keys\">" + list + "</ul>";
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string escaped;
  escaped.reserve(text.size());
  for (char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string home_page(const std::vector<PageEntry>& entries, std::string_view default_image) {
  std::string cards;
  for (const PageEntry& entry : entries) cards += card(entry);
  std::string list = entries.empty() ? std::string(kEmptyList) : "<ul class=\"cards\">\n" + cards + "</ul>\n";
  return frame("Workspaces", fmt::format(R"(<h1>A shell of your own</h1>
<p class="lead">A workspace keeps your files, sleeps when you leave, and wakes when you connect.</p>
<form class="panel" method="post" action="/pod">
<label>Name
<input name="user" required maxlength="48" pattern="[a-z0-9]([a-z0-9._\-]*[a-z0-9])?" autocomplete="off" autocapitalize="none" spellcheck="false" placeholder="joe">
</label>
<label>Public ssh key
<textarea name="key" required rows="3" spellcheck="false" placeholder="ssh-ed25519 AAAA… joe@laptop"></textarea>
<small>The one line of <code>~/.ssh/id_ed25519.pub</code>. Without one: <code>ssh-keygen -t ed25519</code></small>
</label>
<label>Image
<input name="image" value="{}" autocomplete="off" autocapitalize="none" spellcheck="false">
</label>
<button>Create workspace</button>
</form>
<h2>Workspaces</h2>
{})",
                                         escape_html(default_image), list));
}

std::string workspace_page(const PageEntry& entry) {
  const workspace::Status& status = entry.status;
  std::string name = escape_html(status.spec.name);
  std::string power = status.state == "stopped" ? action_button(status.spec.name, "start", "Start now")
                                                : action_button(status.spec.name, "stop", "Stop");
  return frame(
      status.spec.name,
      fmt::format(R"(<p><a href="/">← All workspaces</a></p>
<div class="row"><h1>{}</h1>{}</div>
<p class="lead">Connect, and it wakes:</p>
<code class="command">{}</code>
<dl>
<dt>Image</dt><dd>{}</dd>
<dt>Memory</dt><dd>{}</dd>
<dt>Connections</dt><dd>{}</dd>
<dt>Created</dt><dd>{}</dd>
<dt>Keys</dt><dd>{}</dd>
</dl>
<div class="actions">{}</div>
<details><summary>Remove this workspace</summary>
<form class="panel" method="post" action="/workspaces/{}/remove">
<label class="check"><input type="checkbox" name="data" value="1"> Its files too: they cannot be brought back</label>
<button class="danger">Remove {}</button>
</form>
</details>)",
                  name, state_badge(status.state), escape_html(entry.ssh_command), escape_html(status.spec.image),
                  human_size_binary(static_cast<double>(status.spec.memory)), status.connections.value_or(0),
                  human_duration(std::chrono::nanoseconds(now().nanoseconds - status.created.nanoseconds)) + " ago",
                  key_list(status.spec.keys), power, name, name));
}

std::string problem_page(const workspace::Problem& problem) {
  return frame("Not done", fmt::format(R"(<h1>That did not work</h1>
<p class="lead">{}</p>
<p>{}</p>
<p><a href="/">← Back</a></p>)",
                                       escape_html(problem.error().text()), escape_html(problem.hint())));
}

std::string removed_page(std::string_view name, bool with_data) {
  return frame("Removed",
               fmt::format(R"(<h1>{} is gone</h1>
<p class="lead">{}</p>
<p><a href="/">← All workspaces</a></p>)",
                           escape_html(name),
                           with_data ? "Its files are gone too."
                                     : "Its files are kept: create it again with the same key to find them."));
}

std::string_view style_sheet() {
  return R"(:root {
  color-scheme: light dark;
  --paper: #fbfaf7; --card: #ffffff; --ink: #1c2430; --quiet: #5d6876; --line: #dfe1e0;
  --accent: #0b5f78; --on-accent: #ffffff; --good: #1f7a4a; --danger: #a8322a; --code: #eef1f0;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #12171d; --card: #1a2129; --ink: #e7eaed; --quiet: #9aa6b2; --line: #2d3742;
    --accent: #6cc5de; --on-accent: #0d1a20; --good: #6bcf98; --danger: #f0877d; --code: #222b35;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, Cantarell, sans-serif;
}
header { border-bottom: 1px solid var(--line); padding: .9rem 1.25rem; }
.brand { font-weight: 700; letter-spacing: .02em; color: var(--ink); text-decoration: none; }
main { max-width: 44rem; margin: 0 auto; padding: 1.5rem 1.25rem 4rem; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: .5rem 0; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2.5rem 0 .75rem; }
a { color: var(--accent); }
.lead { color: var(--quiet); margin: .25rem 0 1.25rem; overflow-wrap: anywhere; }
.quiet, small, .empty { color: var(--quiet); font-size: .875rem; margin: .35rem 0 0; overflow-wrap: anywhere; }
.panel { display: grid; gap: 1rem; background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: 1.1rem; }
label { display: grid; gap: .3rem; font-weight: 600; font-size: .925rem; }
label.check { display: flex; gap: .6rem; align-items: baseline; font-weight: 400; }
small { font-weight: 400; }
input:not([type=checkbox]), textarea {
  width: 100%; font: .95rem ui-monospace, "DejaVu Sans Mono", monospace; color: var(--ink); background: var(--paper);
  border: 1px solid var(--line); border-radius: .4rem; padding: .55rem .65rem; resize: vertical;
}
button {
  font: 600 1rem system-ui, sans-serif; padding: .6rem 1.1rem; border: 1px solid transparent; border-radius: .4rem; cursor: pointer;
  background: var(--accent); color: var(--on-accent); justify-self: start;
}
button.plain { background: transparent; color: var(--ink); border-color: var(--line); }
button.danger { background: var(--danger); color: var(--paper); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.cards, .keys { list-style: none; margin: 0; padding: 0; display: grid; gap: .75rem; }
.keys { gap: .25rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; padding: .9rem 1.1rem; }
.row { display: flex; gap: .75rem; align-items: baseline; justify-content: space-between; }
.name { font-weight: 650; font-size: 1.05rem; overflow-wrap: anywhere; }
.state { font-size: .8rem; color: var(--quiet); white-space: nowrap; }
.state::before { content: ""; display: inline-block; width: .55em; height: .55em; margin-right: .4em; border-radius: 50%; background: var(--quiet); }
.state.running { color: var(--good); }
.state.running::before { background: var(--good); }
code { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: .875rem; overflow-wrap: anywhere; }
.command { display: block; background: var(--code); border-radius: .4rem; padding: .55rem .7rem; margin-top: .5rem; user-select: all; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .4rem 1.25rem; margin: 1.5rem 0; }
dt { color: var(--quiet); }
dd { margin: 0; min-width: 0; overflow-wrap: anywhere; }
.actions { display: flex; gap: .75rem; margin-bottom: 1.5rem; }
summary { cursor: pointer; color: var(--quiet); margin-bottom: .75rem; }
)";
}

}  // namespace berth::portal
