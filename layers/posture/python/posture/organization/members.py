"""The clients of the watched accounts: the monitor's own and its members, each by its role."""

from __future__ import annotations

from functools import partial

from posture.model.scope import Region
from posture.organization.clients import ServiceClients
from posture.organization.survey import ClientsOf
from posture.runtime import clients
from posture.runtime.settings import MemberAccess


def open_members(home: Region, access: MemberAccess, partition: str) -> ClientsOf:
    """Return what opens the clients of an account; a member's role is assumed at the first request.

    Args:
        home: The monitor's account and Region.
        access: The member accounts.
        partition: The AWS partition.
    """

    def open_account(account: str) -> ServiceClients:
        session = clients.session()
        if account != home.account:
            role = f"arn:{partition}:iam::{account}:role/{access.role_name}"
            session = clients.open_member_session(role, access.external_id)
        return ServiceClients(partial(clients.create_client, session, region=home.name))

    return open_account
