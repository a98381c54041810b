"""The provider process: what Terraform starts, talks to over gRPC, and ends.

Owns the plugin handshake, the translation between messages and values, and the
configuration of the provider. What a resource does is in `resources/`.
"""

import base64
import functools
import json
import os
import pathlib
import re
import sys
import tempfile
import threading
import time
import traceback
from concurrent import futures

import grpc

import data_sources
import protocol
import resources
from api import ApiError, Client
from policy_documents import DocumentError
from resources import recorded
from resources.base import Provider, Refused
from values import UNKNOWN, Schema, from_msgpack, to_msgpack

SERVICE = "tfplugin6.Provider"
ERROR, WARNING = 1, 2
THREADS = 16


def diagnostic(summary, detail="", attribute=None, severity=ERROR):
    message = {"severity": severity, "summary": summary, "detail": detail}
    if attribute:
        message["attribute"] = path_to(attribute)
    return message


def path_to(attribute):
    return {"steps": [{"attribute_name": attribute}]}


class Plugin:
    """One method per RPC, from request dict to response dict."""

    def __init__(self):
        self.schema = Schema()
        self.provider = None
        self.resources = {
            type_name: resource(self.schema.resources[type_name])
            for type_name, resource in resources.RESOURCES.items()
        }
        if os.environ.get("PROVIDER_DOUBLE_RECORDED"):
            self.schema.resources.update(recorded.schemas())
            self.resources.update(recorded.served())

    # --- what there is -----------------------------------------------------

    def GetMetadata(self, request):
        return {
            "resources": [{"type_name": type_name} for type_name in self.resources],
            "data_sources": [{"type_name": type_name} for type_name in data_sources.SCHEMAS],
        }

    def GetProviderSchema(self, request):
        return {
            "provider": {"block": schema_block(self.schema.provider)},
            "resource_schemas": [
                {
                    "key": type_name,
                    "value": {"block": schema_block(self.schema.resources[type_name])},
                }
                for type_name in self.resources
            ],
            "data_source_schemas": [
                {"key": type_name, "value": {"block": schema_block(block)}}
                for type_name, block in data_sources.SCHEMAS.items()
            ],
            "server_capabilities": {"get_provider_schema_optional": True},
        }

    def GetFunctions(self, request):
        return {}

    # --- provider ----------------------------------------------------------

    def ValidateProviderConfig(self, request):
        return {}

    def ConfigureProvider(self, request):
        config = from_msgpack(request["config"]["msgpack"])
        try:
            self.provider = configured_provider(config)
        except Refused as refused:
            return {"diagnostics": [diagnostic(refused.summary, refused.detail)]}
        return {}

    def StopProvider(self, request):
        return {}

    # --- data sources ------------------------------------------------------

    def ValidateDataResourceConfig(self, request):
        return {}

    def ReadDataSource(self, request):
        config = from_msgpack(request["config"]["msgpack"])
        try:
            state = data_sources.read(self.provider, request["type_name"], config)
        except (ApiError, Refused) as error:
            return {"diagnostics": [as_diagnostic(error)]}
        return {"state": dynamic(state)}

    # --- resources ---------------------------------------------------------

    def ValidateResourceConfig(self, request):
        config = from_msgpack(request["config"]["msgpack"])
        resource = self.resources[request["type_name"]]
        return {
            "diagnostics": [
                diagnostic(summary, detail, name)
                for name, summary, detail in resource.validate(config)
            ]
        }

    def UpgradeResourceState(self, request):
        state = self.schema.from_state_file(request["type_name"], request["raw_state"]["json"])
        return {"upgraded_state": dynamic(state)}

    def ImportResourceState(self, request):
        type_name = request["type_name"]
        resource = self.resources[type_name]
        state = self.schema.empty(type_name)
        state.update(resource.import_state(self.provider, request.get("id", "")))
        return {"imported_resources": [{"type_name": type_name, "state": dynamic(state)}]}

    def ReadResource(self, request):
        resource = self.resources[request["type_name"]]
        state = from_msgpack(request["current_state"]["msgpack"])
        return {"new_state": dynamic(resource.refreshed(self.provider, state))}

    def PlanResourceChange(self, request):
        proposed = from_msgpack(request["proposed_new_state"]["msgpack"])
        if proposed is None:
            return {"planned_state": dynamic(None)}
        prior = from_msgpack(request["prior_state"]["msgpack"])
        config = from_msgpack(request["config"]["msgpack"])
        resource = self.resources[request["type_name"]]
        planned, replaced_by = resource.plan(self.provider, prior, config)
        return {
            "planned_state": dynamic(planned),
            "requires_replace": [path_to(name) for name in replaced_by],
            "legacy_type_system": resource.of_the_old_sdk,
        }

    def ApplyResourceChange(self, request):
        resource = self.resources[request["type_name"]]
        prior = from_msgpack(request["prior_state"]["msgpack"])
        planned = from_msgpack(request["planned_state"]["msgpack"])
        try:
            state = self._apply(resource, prior, planned)
        except (ApiError, Refused, DocumentError) as error:
            return {"new_state": dynamic(prior), "diagnostics": [as_diagnostic(error)]}
        return {"new_state": dynamic(state), "legacy_type_system": resource.of_the_old_sdk}

    def _apply(self, resource, prior, planned):
        if planned is None:
            resource.delete(self.provider, prior)
            return None
        state = {name: None if value is UNKNOWN else value for name, value in planned.items()}
        if prior is None:
            identifier = resource.create(self.provider, planned)
        else:
            identifier = resource.update(self.provider, prior, planned)
        if identifier is not None:
            state["id"] = identifier
        written = resource.refreshed(self.provider, state)
        if written is None:
            raise Refused(f"{resource.type_name} ({state.get('id')}) was written, but is not there")
        return written


def configured_provider(config):
    """Returns a provider for a configuration, after the checks the real one makes."""
    region = (
        config.get("region")
        or os.environ.get("AWS_REGION")
        or os.environ.get("AWS_DEFAULT_REGION")
        or ""
    )
    if not config.get("skip_region_validation"):
        if region is not UNKNOWN and not re.fullmatch(r"[a-z]{2}(-[a-z]+)+-\d+", region):
            raise Refused(f"invalid AWS Region: {region}")
    try:
        client = Client(
            os.environ.get("AWS_ENDPOINT_URL"), config.get("access_key"), region or None
        )
    except ValueError as error:
        raise Refused(str(error)) from error
    if not config.get("skip_requesting_account_id"):
        check_account(config, client)
    default_tags = (config.get("default_tags") or [{}])[0].get("tags") or {}
    retry_seconds = float(os.environ.get("PROVIDER_DOUBLE_RETRY_SECONDS", "20"))
    return Provider(client, default_tags, retry_seconds)


def check_account(config, client):
    try:
        account = client.sts("GetCallerIdentity")["Account"]
    except (ApiError, OSError) as error:
        raise Refused("Retrieving AWS account details", str(error)) from error
    allowed, forbidden = config.get("allowed_account_ids"), config.get("forbidden_account_ids")
    if allowed and account not in allowed or forbidden and account in forbidden:
        raise Refused(f"AWS account ID not allowed: {account}")


def schema_block(block):
    message = {
        "attributes": [
            {
                "name": name,
                "type": json.dumps(attribute["type"]).encode(),
                **{flag: attribute.get(flag, False) for flag in ("required", "optional", "computed")},
            }
            for name, attribute in block["attributes"].items()
        ],
        "block_types": [
            {
                "type_name": name,
                "block": schema_block(nested["block"]),
                "nesting": protocol.NESTING_MODES[nested["nesting_mode"]],
                "min_items": nested.get("min_items", 0),
                "max_items": nested.get("max_items", 0),
            }
            for name, nested in block["block_types"].items()
        ],
    }
    return message


def dynamic(value):
    return {"msgpack": to_msgpack(value)}


def as_diagnostic(error):
    if isinstance(error, Refused):
        return diagnostic(error.summary, error.detail)
    if isinstance(error, (ApiError, DocumentError)):
        return diagnostic(str(error))
    return diagnostic(
        f"the test provider failed: {type(error).__name__}: {error}", traceback.format_exc()
    )


class Handler(grpc.GenericRpcHandler):
    """Hands each call to the plugin; an exception becomes a diagnostic."""

    def __init__(self, plugin, shut_down):
        self.plugin, self.shut_down = plugin, shut_down

    def service(self, call):
        service, _, method = call.method.lstrip("/").partition("/")
        if (service, method) == ("plugin.GRPCController", "Shutdown"):
            return grpc.unary_unary_rpc_method_handler(lambda request, context: self.shut_down())
        if service != SERVICE or method not in protocol.METHODS:
            return None
        return grpc.unary_unary_rpc_method_handler(functools.partial(self.answer, method))

    def answer(self, method, request, context):
        request_fields, response_fields = protocol.METHODS[method]
        try:
            response = getattr(self.plugin, method)(protocol.decode(request, request_fields))
        except Exception as error:
            field = "Error" if "Error" in response_fields else "diagnostics"
            found = as_diagnostic(error)
            response = {field: found["summary"] if field == "Error" else [found]}
        return protocol.encode(response, response_fields)


def server_credentials(folder):
    """Returns this server's certificate if Terraform wants TLS, and its text for the handshake.

    Terraform trusts exactly the certificate of the handshake. Its own is not
    asked for: whoever reaches the socket may talk to a test provider.
    """
    if "PLUGIN_CLIENT_CERT" not in os.environ:
        return None, ""
    certificate = (folder / "certificate.pem").read_bytes()
    key = (folder / "key.pem").read_bytes()
    body = b"".join(line for line in certificate.splitlines() if b"-----" not in line)
    text = base64.b64encode(base64.b64decode(body)).decode().rstrip("=")
    return grpc.ssl_server_credentials([(key, certificate)]), text


def exit_with_parent():
    """Ends this process when Terraform is gone without saying so."""
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(2)
    os._exit(1)


def main():
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else None
    socket = pathlib.Path(tempfile.mkdtemp(prefix="provider-")) / "socket"

    def end():
        socket.unlink(missing_ok=True)
        socket.parent.rmdir()
        os._exit(0)

    def shut_down():
        threading.Timer(0.01, end).start()
        return b""

    server = grpc.server(
        futures.ThreadPoolExecutor(THREADS),
        handlers=[Handler(Plugin(), shut_down)],
        options=[("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)],
    )
    credentials, certificate = server_credentials(folder)
    if credentials:
        server.add_secure_port(f"unix:{socket}", credentials)
    else:
        server.add_insecure_port(f"unix:{socket}")
    server.start()
    print(f"1|6|unix|{socket}|grpc|{certificate}", flush=True)
    threading.Thread(target=exit_with_parent, daemon=True).start()
    server.wait_for_termination()


if __name__ == "__main__":
    main()
