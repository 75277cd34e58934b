// The portal's routes: pages for people, /pod for curl and links, /api/v1 for programs. Everything goes through admit()
// first; every error is {"error": {"code", "message", "hint"}}, or a page for a browser.
//
// Thread: the loop's. Outlives the server that has its router.
#pragma once

#include <string>
#include <vector>

#include "http/router.h"
#include "portal/form.h"
#include "workspace/workspaces.h"

namespace berth::portal {

struct PortalOptions {
  std::string host;  // what addresses in answers name; empty: as the client called us
  std::uint16_t port = 8080;
  std::vector<std::string> own_hosts;  // further names that browsers may reach us by
};

class Portal {
 public:
  Portal(workspace::Workspaces& workspaces, PortalOptions options);
  http::Router router();

 private:
  using Answer = async::Task<Outcome<>> (Portal::*)(http::Exchange&);

  // Whether the client would rather see a page: Accept names text/html; ?format=html or json decides first.
  bool wants_page(const http::Exchange& exchange) const;
  http::Handler guard(Answer answer);
  async::Task<Result<void>> serve(Answer answer, http::Exchange& exchange);
  async::Task<Result<void>> answer_problem(http::Exchange& exchange, workspace::Problem problem);
  async::Task<Outcome<>> send_page(http::Exchange& exchange, int status, std::string page);
  async::Task<Outcome<>> send_json(http::Exchange& exchange, int status, json::Value value);
  async::Task<Outcome<>> redirect(http::Exchange& exchange, std::string target);
  async::Task<Outcome<Form>> read_form(http::Exchange& exchange);

  async::Task<Outcome<>> home(http::Exchange& exchange);
  async::Task<Outcome<>> style(http::Exchange& exchange);
  async::Task<Outcome<>> health(http::Exchange& exchange);
  async::Task<Outcome<>> not_found(http::Exchange& exchange);

  async::Task<Outcome<>> pod(http::Exchange& exchange);
  async::Task<Outcome<>> page_of_one(http::Exchange& exchange);
  async::Task<Outcome<>> act_on_one(http::Exchange& exchange);

  async::Task<Outcome<>> api_list(http::Exchange& exchange);
  async::Task<Outcome<>> api_create(http::Exchange& exchange);
  async::Task<Outcome<>> api_show(http::Exchange& exchange);
  async::Task<Outcome<>> api_act(http::Exchange& exchange);
  async::Task<Outcome<>> api_replace(http::Exchange& exchange);
  async::Task<Outcome<>> api_remove(http::Exchange& exchange);

  workspace::Workspaces& workspaces_;
  PortalOptions options_;
};

// What a form asks for. Unknown fields are refused by name, and so are known ones that are yet to come.
Outcome<workspace::CreateRequest> create_request_of(const Form& form);
Outcome<workspace::Change> change_of(const Form& form);

}  // namespace berth::portal
