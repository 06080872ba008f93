"""Write the ARNs of the resources that features need, as they are in a Region."""

from __future__ import annotations

from posture.policy.features.table import NeededRequest, read_values

UNPUBLISHED = ("{suffix}", "{service_account}")  # AWS states no values of these placeholders


def fill_resource(request: NeededRequest, region: str, partition: str, account: str) -> str | None:
    """Return the ARN of a needed request in a Region; None if AWS publishes no name for it.

    Args:
        request: The request, whose resource is an ARN.
        region: The Region.
        partition: The partition.
        account: The workload's account; "" for any.
    """
    value = read_values(request.values).get(region) if request.values else ""
    if value is None or any(each in request.resource for each in UNPUBLISHED):
        return None
    arn = request.resource
    if bucket := request.names.get(region):
        arn = f"arn:{{partition}}:s3:::{bucket}{'/*' if arn.endswith('/*') else ''}"
    for name, text in {
        "partition": partition,
        "region": region,
        "region_without_dashes": region.replace("-", ""),
        "account": account or "*",
        "value": value,
        "name": "*",
    }.items():
        arn = arn.replace(f"{{{name}}}", text)
    return arn
