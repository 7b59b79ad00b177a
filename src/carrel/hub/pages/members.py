"""The page of an organization's members and groups."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from carrel.core.access import Permission, Role
from carrel.core.errors import BadRequest, Conflict, NotFound, Unprocessable
from carrel.core.scopes import Scope
from carrel.database.unit_of_work import UnitOfWork
from carrel.hub.pages.base import Form
from carrel.hub.pages.managing import ManagePageHandler
from carrel.hub.web.endpoint import Reply, endpoint

_DONE = {
    "member": "The members were changed.",
    "removed": "They are no longer a member.",
    "group": "The groups were changed.",
    "created": "The group was created. Give it members and packages.",
    "deleted": "The group was removed.",
}
PERMISSIONS = [
    (Permission.READ, "Read: see and download"),
    (Permission.WRITE, "Write: also upload and change"),
    (Permission.ADMIN, "Admin: also remove and decide who sees it"),
]
ROLES = [(Role.MEMBER, "Member"), (Role.OWNER, "Owner")]


class MembersPageHandler(ManagePageHandler):
    """``/{namespace}/-/members``."""

    @endpoint(summary="Page of the members and groups of an organization", scope=Scope.NAMESPACE_READ, media_type="text/html")
    def get(self, uow: UnitOfWork, namespace: str) -> Reply:
        """Who belongs to the organization and what its groups give, to members."""
        return self._show(uow, namespace, Form())

    @endpoint(summary="Change members and groups with the browser", scope=Scope.NAMESPACE_WRITE, media_type="text/html")
    async def post(self, namespace: str) -> Reply:
        """One change of members, of a group, or of what is in it."""
        form = self.form("user", "role", "group", "permission", "package")
        change = self._changes(namespace).get(form.name.partition("-")[0])
        base = f"/{quote(namespace)}/-/members"

        def work(uow: UnitOfWork) -> str:
            if change is None:
                raise BadRequest("This form is not one of the page.")
            try:
                return change(uow, form)
            except (NotFound, Conflict) as error:
                field = "package" if form.name.startswith("addpackage") else "user"
                if field in error.fields or not form.values[field] or error.code == "name_taken":
                    raise
                raise Unprocessable(error.detail, code=error.code, field=field) from error

        return await self.act(work, form, lambda uow, form: self._show(uow, namespace, form), lambda code: f"{base}?done={code}")

    def _changes(self, namespace: str) -> dict[str, Callable[[UnitOfWork, Form], str]]:
        members, groups, principal = self.hub.namespaces, self.hub.groups, self.principal

        def role(form: Form) -> Role:
            return Role.OWNER if form.values["role"] == Role.OWNER else Role.MEMBER

        def permission(form: Form) -> Permission:
            return next((each for each in Permission if each.value == form.values["permission"]), Permission.READ)

        def add(uow: UnitOfWork, form: Form) -> str:
            members.set_member(uow, principal, namespace, form.values["user"].lower(), role(form))
            return "member"

        def remove(uow: UnitOfWork, form: Form) -> str:
            members.remove_member(uow, principal, namespace, form.values["user"])
            return "removed"

        def create(uow: UnitOfWork, form: Form) -> str:
            groups.create(uow, principal, namespace, form.values["group"], permission(form))
            return "created"

        def regrade(uow: UnitOfWork, form: Form) -> str:
            groups.update(uow, principal, namespace, form.values["group"], permission(form))
            return "group"

        def delete(uow: UnitOfWork, form: Form) -> str:
            groups.delete(uow, principal, namespace, form.values["group"])
            return "deleted"

        def join(uow: UnitOfWork, form: Form) -> str:
            groups.add_member(uow, principal, namespace, form.values["group"], form.values["user"].lower())
            return "group"

        def leave(uow: UnitOfWork, form: Form) -> str:
            groups.remove_member(uow, principal, namespace, form.values["group"], form.values["user"])
            return "group"

        def give(uow: UnitOfWork, form: Form) -> str:
            groups.add_package(uow, principal, namespace, form.values["group"], form.values["package"].rpartition("/")[2])
            return "group"

        def take(uow: UnitOfWork, form: Form) -> str:
            groups.remove_package(uow, principal, namespace, form.values["group"], form.values["package"])
            return "group"

        return {
            "add": add,
            "role": add,
            "remove": remove,
            "creategroup": create,
            "permission": regrade,
            "deletegroup": delete,
            "addmember": join,
            "takemember": leave,
            "addpackage": give,
            "takepackage": take,
        }

    def _show(self, uow: UnitOfWork, namespace: str, form: Form) -> Reply:
        view = self.hub.namespaces.get(uow, self.principal, namespace)
        if view.kind != "organization":
            raise NotFound(f"{namespace[:64]!r} is a user's namespace, which has no members.")
        groups = self.hub.groups.list(uow, self.principal, namespace)
        return self.namespace_page(
            uow,
            view,
            "members",
            "members.html",
            form=form,
            members=self.hub.namespaces.members(uow, self.principal, namespace),
            groups=[
                (
                    group,
                    self.hub.groups.members(uow, self.principal, namespace, group.name),
                    self.hub.groups.packages(uow, self.principal, namespace, group.name),
                )
                for group in groups
            ],
            owner=view.role is Role.OWNER,
            roles=ROLES,
            permissions=PERMISSIONS,
            message=self.done(_DONE),
        )
