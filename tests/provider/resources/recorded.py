"""The types that this project's own infrastructure is made of, recorded only.

Schema and plan are the provider's; nothing is sent anywhere. What is created
gets an ARN of the usual form, and reads back as it was written, so that a whole
deployment can be planned, applied twice and destroyed. They are served when
`PROVIDER_DOUBLE_RECORDED` is set: other tests need not load their schemas.
"""

import json
import pathlib

from resources.base import Resource

SCHEMA_FILE = pathlib.Path(__file__).resolve().parent.parent / "recorded_schema.json"

#: Type -> service in the ARN, and what follows the account; None where it has no ARN.
FORMS = {
    "aws_cloudtrail": ("cloudtrail", "trail/{name}"),
    "aws_cloudwatch_event_bus": ("events", "event-bus/{name}"),
    "aws_cloudwatch_event_bus_policy": None,
    "aws_cloudwatch_event_rule": ("events", "rule/{name}"),
    "aws_cloudwatch_event_target": None,
    "aws_cloudwatch_log_group": ("logs", "log-group:{name}"),
    "aws_cloudwatch_metric_alarm": ("cloudwatch", "alarm:{alarm_name}"),
    "aws_ecr_lifecycle_policy": None,
    "aws_ecr_repository": ("ecr", "repository/{name}"),
    "aws_ecr_repository_policy": None,
    "aws_iam_openid_connect_provider": ("iam", "oidc-provider/{url}"),
    "aws_lambda_event_source_mapping": ("lambda", "event-source-mapping:{function_name}"),
    "aws_lambda_function": ("lambda", "function:{function_name}"),
    "aws_lambda_function_event_invoke_config": None,
    "aws_lambda_permission": None,
    "aws_s3_bucket": ("s3", "{bucket}"),
    "aws_s3_bucket_lifecycle_configuration": None,
    "aws_s3_bucket_ownership_controls": None,
    "aws_s3_bucket_policy": None,
    "aws_s3_bucket_public_access_block": None,
    "aws_s3_bucket_server_side_encryption_configuration": None,
    "aws_s3_bucket_versioning": None,
    "aws_secretsmanager_secret": ("secretsmanager", "secret:{name}-AbCdEf"),
    "aws_sns_topic": ("sns", "{name}"),
    "aws_sns_topic_policy": None,
    "aws_sns_topic_subscription": ("sns", "subscription"),
    "aws_sqs_queue": ("sqs", "{name}"),
    "aws_sqs_queue_policy": None,
    "aws_sqs_queue_redrive_allow_policy": None,
}

#: Arguments whose change makes the object anew; those that name it.
NAMES = frozenset({"name", "bucket", "function_name", "alarm_name", "url", "rule", "target_id"})
#: The first of these that there is serves as the ID.
IDENTIFIERS = (
    "name", "bucket", "function_name", "alarm_name", "repository", "queue_url", "arn", "topic_arn",
    "rule", "url", "event_bus_name",
)


class Recorded(Resource):
    """One recorded type."""

    force_new = NAMES

    def __init__(self, type_name, block):
        super().__init__(block)
        self.type_name = type_name
        self.has_tags = "tags_all" in block["attributes"]

    def read(self, provider, state):
        """Returns what AWS would have decided, where the configuration does not."""
        return {
            name: value
            for name, value in self._decided(provider, state).items()
            if name in self.attributes and not state.get(name)
        }

    def create(self, provider, planned):
        named = (planned.get(name) for name in IDENTIFIERS)
        return next(name for name in named if isinstance(name, str))

    def _decided(self, provider, state):
        account = provider.client.sts("GetCallerIdentity")["Account"]
        region = provider.client.region
        decided = {
            "region": region,
            "repository_url": f"{account}.dkr.ecr.{region}.amazonaws.com/{state.get('name')}",
            "url": f"https://sqs.{region}.amazonaws.com/{account}/{state.get('name')}",
        }
        if FORMS[self.type_name]:
            service, rest = FORMS[self.type_name]
            rest = rest.format(**state).replace("https://", "")
            place = {"iam": f":{account}", "s3": ":"}.get(service, f"{region}:{account}")
            decided["arn"] = f"arn:{partition_of(region)}:{service}:{place}:{rest}"
        return decided

    def delete(self, provider, state):
        """There is nothing to delete but the record."""


def partition_of(region):
    return {"cn": "aws-cn", "us-gov": "aws-us-gov"}.get(region.rsplit("-", 2)[0], "aws")


def schemas():
    return json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))["resource_schemas"]


def served():
    """Returns the types with their schemas."""
    return {type_name: Recorded(type_name, block) for type_name, block in schemas().items()}
