// The certificates of an engine that is reached over TCP: an authority of its own, a certificate for the server, and
// one for its clients. The names of the files are Docker's, so that the directory serves as a DOCKER_CERT_PATH.
//
//   ca.pem, ca-key.pem            the authority; its key is needed only to issue further certificates
//   server-cert.pem, server-key.pem
//   cert.pem, key.pem             a client's; whoever has the key is root on the server
//
// Keys are ECDSA on P-256, their files readable by the owner alone. Blocks on the disk.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"

namespace berth::tls {

struct CertificateRequest {
  std::string directory;           // made when missing
  std::vector<std::string> hosts;  // names and addresses by which clients reach the server
  int days = 365;                  // how long the certificates hold; the authority ten times as long
  bool new_authority = false;      // makes another one, so that no certificate of before holds any longer
};

struct Issued {
  bool made_authority = false;
};

// Makes what is missing of the authority, and the two certificates anew: calling it again renews them. `invalid` for a
// host that is no name or address.
Result<Issued> issue_certificates(const CertificateRequest& request);

}  // namespace berth::tls
