"""The resources for Security Hub, which exist only if the parameter is set."""

from stack_template import RESOURCES, TEMPLATE

IMPORT = "securityhub:BatchImportFindings"


def test_it_is_off_by_default() -> None:
    """Every resource for Security Hub has a condition on the parameter."""
    assert TEMPLATE["Parameters"]["SecurityHub"]["Default"] == "off"
    made = {name: it.get("Condition") for name, it in RESOURCES.items() if "SecurityHub" in name}
    assert made == {
        "SecurityHubPolicy": "ToSecurityHub",
        "SecurityHubEndpoint": "OwnSecurityHubEndpoint",
        "SecurityHubEndpointSecurityGroup": "OwnSecurityHubEndpoint",
        "SecurityHubEndpointIngress": "OwnSecurityHubEndpoint",
    }


def test_only_the_notify_function_imports_findings() -> None:
    """Its role and the endpoint policy allow the same action on the same product."""
    policy = RESOURCES["SecurityHubPolicy"]["Properties"]
    [allowed] = policy["PolicyDocument"]["Statement"]
    [through] = RESOURCES["SecurityHubEndpoint"]["Properties"]["PolicyDocument"]["Statement"]
    assert policy["Roles"] == [{"Ref": "NotifyRole"}]
    assert allowed["Action"] == through["Action"] == IMPORT
    assert allowed["Resource"] == through["Resource"]
    assert allowed["Resource"]["Fn::Sub"].endswith(":product/${AWS::AccountId}/default")
    assert through["Condition"]["ArnEquals"]["aws:PrincipalArn"] == {
        "Fn::GetAtt": ["NotifyRole", "Arn"]
    }
