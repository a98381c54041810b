"""The registry: which resource types the double serves. One line per type."""

from resources.iam_role import IamRole

RESOURCES = {
    resource.type_name: resource
    for resource in (
        IamRole,
    )
}
