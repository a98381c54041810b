"""Calls of the AWS API, spoken directly to an emulator.

No SDK: a provider is started several times per Terraform command, and importing
one takes longer than all the rest. Requests are not signed, only labelled with
the access key, so this client cannot do anything to a real account; an endpoint
of Amazon's is refused all the same.
"""

import http.client
import json
import os
import threading
import urllib.parse
import xml.etree.ElementTree as ElementTree


class ApiError(Exception):
    """An answer other than success: the error code AWS gives, and its message."""

    def __init__(self, operation, code, message):
        super().__init__(f"{operation}: {code}: {message}")
        self.code, self.message = code, message


class Client:
    """One per provider; keeps a connection per thread."""

    def __init__(self, endpoint, access_key=None, region=None):
        parts = urllib.parse.urlsplit(endpoint or "")
        if parts.scheme != "http" or "amazonaws" in (parts.hostname or ""):
            raise ValueError(
                f"AWS_ENDPOINT_URL must be the http:// address of an emulator, not {endpoint!r}"
            )
        self.host, self.port = parts.hostname, parts.port or 80
        self.access_key = access_key or os.environ.get("AWS_ACCESS_KEY_ID") or "test"
        self.region = region or "us-east-1"
        self.connections = threading.local()

    def iam(self, operation, **parameters):
        return self._query("iam", "2010-05-08", operation, parameters)

    def sts(self, operation, **parameters):
        return self._query("sts", "2011-06-15", operation, parameters)

    def iam_pages(self, operation, member, **parameters):
        """Yields the members of all pages of a listing."""
        while True:
            page = self.iam(operation, **parameters)
            yield from page.get(member) or []
            if page.get("IsTruncated") != "true":
                return
            parameters["Marker"] = page["Marker"]

    def organizations(self, operation, **parameters):
        return self._json("organizations", "AWSOrganizationsV20161128", operation, parameters)

    def ssoadmin(self, operation, region=None, **parameters):
        return self._json("sso", "SWBExternalService", operation, parameters, region)

    def ssoadmin_pages(self, operation, member, region=None, **parameters):
        while True:
            page = self.ssoadmin(operation, region, **parameters)
            yield from page.get(member) or []
            if not page.get("NextToken"):
                return
            parameters["NextToken"] = page["NextToken"]

    def account(self, operation, **parameters):
        path = f"/{operation[0].lower()}{operation[1:]}"
        headers = {"Content-Type": "application/json"}
        answer = self._send("account", json.dumps(parameters), headers, path=path)
        return json_answer(operation, *answer)

    def organizations_pages(self, operation, member, **parameters):
        while True:
            page = self.organizations(operation, **parameters)
            yield from page.get(member) or []
            if not page.get("NextToken"):
                return
            parameters["NextToken"] = page["NextToken"]

    def _json(self, service, target, operation, parameters, region=None):
        headers = {
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": f"{target}.{operation}",
        }
        given = {name: value for name, value in parameters.items() if value is not None}
        return json_answer(operation, *self._send(service, json.dumps(given), headers, region))

    def _query(self, service, version, operation, parameters):
        form = {"Action": operation, "Version": version}
        for name, value in parameters.items():
            flatten(name, value, form)
        status, body = self._send(
            service,
            urllib.parse.urlencode(form),
            {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"},
        )
        try:
            # AWS writes a carriage return as a reference, the emulator as it is;
            # an XML parser would make a line feed of the latter.
            answer = ElementTree.fromstring(body.replace(b"\r", b"&#13;"))
        except ElementTree.ParseError as error:
            raise ApiError(operation, str(status), f"the answer is no XML: {error}") from error
        if status != 200:
            texts = {local_name(node): node.text or "" for node in answer.iter()}
            raise ApiError(operation, texts.get("Code", str(status)), texts.get("Message", ""))
        for node in answer:
            if local_name(node).endswith("Result"):
                return parsed(node) or {}
        return {}

    def _send(self, service, body, headers, region=None, path="/"):
        scope = f"{self.access_key}/20200101/{region or self.region}/{service}/aws4_request"
        headers["Authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=none"
        )
        for attempt in (1, 2):
            connection = getattr(self.connections, "open", None)
            fresh = connection is None
            if fresh:
                connection = http.client.HTTPConnection(self.host, self.port, timeout=120)
                self.connections.open = connection
            try:
                connection.request("POST", path, body.encode("utf-8"), headers)
                answer = connection.getresponse()
                content = answer.read()
                if answer.will_close:
                    self.connections.open = None
                return answer.status, content
            except (http.client.RemoteDisconnected, ConnectionError):
                # A kept connection may have been closed between two requests.
                connection.close()
                self.connections.open = None
                if fresh or attempt == 2:
                    raise


def json_answer(operation, status, body):
    """Returns an answer in JSON, or raises the error that it tells."""
    answer = json.loads(body) if body else {}
    if status != 200:
        code = answer.get("__type", str(status)).rpartition("#")[2]
        raise ApiError(operation, code, answer.get("Message") or answer.get("message") or "")
    return answer


def flatten(name, value, form):
    """Adds a parameter in the notation of the query protocol; None is left out."""
    if isinstance(value, list):
        for index, item in enumerate(value, start=1):
            flatten(f"{name}.member.{index}", item, form)
    elif isinstance(value, dict):
        for key, item in value.items():
            flatten(f"{name}.{key}", item, form)
    elif value is not None:
        form[name] = str(value).lower() if isinstance(value, bool) else str(value)


def local_name(node):
    return node.tag.rpartition("}")[2]


def parsed(node):
    """Returns an element as text, as a dict, or as a list if it holds `member`s."""
    children = list(node)
    if not children:
        return node.text or ""
    if local_name(children[0]) == "member":
        return [parsed(child) for child in children]
    return {local_name(child): parsed(child) for child in children}
