"""The registry: which resource types the double serves. One line per type."""

RESOURCES = {k: None for k in "aws_iam_role aws_iam_policy aws_iam_role_policy aws_iam_role_policy_attachment aws_iam_instance_profile aws_organizations_policy aws_organizations_policy_attachment".split()}
