"""Requests to an engine whose every answer is held against the documents."""
import http.client
import json
import pathlib
import re
import socket
import urllib.parse

KNOWN = pathlib.Path(__file__).with_name("known")


def known_deviations():
    """{"METHOD /path field": reason} of the file `known`."""
    found = {}
    for line in KNOWN.read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            what, reason = line.split(":", 1)
            found[what.strip()] = reason.strip()
    return found


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def lines(self):
        """The values of a stream of JSON, or the one value of an answer."""
        return [json.loads(line) for line in self.body.decode().split("\n") if line.strip()]

    @property
    def value(self):
        return json.loads(self.body) if self.body.strip() else None


class Tour:
    """Calls operations of one version of the API by their documented names, and notes which were called.

    tour("GET /containers/{id}/json", id=name, size=1)   # what the path does not hold becomes the query
    """

    def __init__(self, engine, document, called):
        self.engine = engine
        self.document = document
        self.called = called
        self.known = known_deviations()

    def speaks(self, version):
        return tuple(map(int, self.document.version.split("."))) >= tuple(map(int, version.split(".")))

    def documents(self, operation, status):
        responses = self.document.operations[operation]["responses"]
        return status in responses or str(status) in responses

    def __call__(self, operation, body=None, status=None, headers=None, **parameters):
        """One request. `status` is the one that is wanted (default: any below 300); the answer must fit the document."""
        method, path = operation.split(" ", 1)
        for name in re.findall(r"{(\w+)}", path):
            path = path.replace("{%s}" % name, urllib.parse.quote(str(parameters.pop(name)), safe="/:@"))
        query = "?" + urllib.parse.urlencode(parameters, doseq=True) if parameters else ""
        answer = self._send(method, f"/v{self.document.version}{path}{query}", body, headers)
        self.called.add(operation)
        wanted = answer.status == status if status else answer.status < 300
        assert wanted, f"{method} {path}{query} answers {answer.status} {answer.body[:500]}, not {status or 'success'}"
        self._check(operation, answer)
        return answer

    def _send(self, method, target, body, headers):
        connection = http.client.HTTPConnection("engine", timeout=60)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(60)
        connection.sock.connect(str(self.engine.socket))
        headers = dict(headers or {})
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        try:
            connection.request(method, target, body, headers)
            response = connection.getresponse()
            return Answer(response.status, response.headers, b"" if response.status == 101 else response.read())
        finally:
            connection.close()

    def _check(self, operation, answer):
        if self._is_known(operation, f"answers {answer.status}"):
            return
        schema = self.document.answer_schema(operation, answer.status)
        kind = answer.headers.get("Content-Type", "")
        if schema is None or not kind.startswith("application/json"):
            return
        values = answer.lines if operation in ("GET /events", "GET /containers/{id}/stats") else [answer.value]
        for value in values:
            wrong = [error for error in self.document.errors(value, schema) if not self._is_known(operation, error)]
            assert not wrong, f"{operation} (API {self.document.version}):\n  " + "\n  ".join(wrong)

    def _is_known(self, operation, error):
        return any(key.startswith(operation + " ") and error.startswith(key[len(operation) + 1 :]) for key in self.known)
