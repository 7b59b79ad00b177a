"""Collections over HTTP: who makes them, who sees which of their items, what they install."""

from __future__ import annotations

import pytest
from api_world import VISIBILITIES, Api, World, problem


@pytest.fixture(scope="module")
def filled(world: World) -> World:
    """A package of each visibility, one of another namespace, and a public collection of all of them."""
    owner, outsider = world.owner, world.people["outsider"]
    for visibility in VISIBILITIES:
        answer = owner.upload(world.organization, "a.csv", b"a,b\n1,2\n", package=f"data-{visibility}", version="1", visibility=visibility)
        assert answer.status_code == 201, answer.text
    made = outsider.upload(world.names["outsider"], "b.csv", b"a,b\n3,4\n", package="elsewhere", version="1", visibility="public")
    assert made.status_code == 201, made.text
    assert owner.post(_path(world), {"name": "all", "title": "All of it", "visibility": "public"}).status_code == 201
    for visibility in VISIBILITIES:
        assert owner.put(_path(world, "all", "items", world.organization, f"data-{visibility}"), json={}).status_code == 201
    assert owner.put(_path(world, "all", "items", world.names["outsider"], "elsewhere"), json={"note": "Theirs"}).status_code == 201
    return world


def _path(world: World, *parts: str) -> str:
    return "/".join(("namespaces", world.organization, "collections", *parts))


def test_who_looks_sees_what_they_see_anyway(filled: World) -> None:
    mine = {"private": {"owner"}, "organization": {"owner", "member"}, "unlisted": {"owner", "member"}}
    for role, person in filled.people.items():
        document = person.get(_path(filled, "all")).json()
        expected = [f"data-{v}" for v in VISIBILITIES if role in mine.get(v, {role})] + ["elsewhere"]
        assert [item["package"]["name"] for item in document["items"]] == expected, role
        assert document["count"] == len(expected)
        assert person.get(_path(filled)).json()["items"][0]["count"] == len(expected)
    assert document["items"][-1]["note"] == "Theirs"
    assert document["title"] == "All of it"


@pytest.mark.parametrize("visibility", VISIBILITIES)
def test_who_sees_and_changes_a_collection(filled: World, visibility: str) -> None:
    name = f"c-{visibility}"
    assert filled.owner.post(_path(filled), {"name": name, "visibility": visibility}).status_code == 201
    sees = {
        "private": {"owner"},
        "organization": {"owner", "member"},
        "unlisted": set(filled.people),
        "public": set(filled.people),
    }[visibility]
    lists = sees if visibility != "unlisted" else {"owner", "member"}
    item = _path(filled, name, "items", filled.organization, "data-public")
    for role, person in filled.people.items():
        assert person.get(_path(filled, name)).status_code == (200 if role in sees else 404), role
        assert (name in [each["name"] for each in person.get(_path(filled)).json()["items"]]) == (role in lists), role
        # Invisible equals absent; what is visible says which right is missing.
        refused = 401 if role == "anonymous" else 403 if role in sees else 404
        changes = role in sees and role in ("owner", "member")
        assert person.put(item, json={"note": role}).status_code in ((200, 201) if changes else (refused,)), role
        assert person.patch(_path(filled, name), {"title": role}).status_code == (200 if changes else refused), role
        widen = person.patch(_path(filled, name), {"visibility": "public" if visibility != "public" else "private"}).status_code
        assert widen == (200 if role == "owner" else refused if role != "member" else 403 if role in sees else 404), role
        if role == "owner":
            filled.owner.patch(_path(filled, name), {"visibility": visibility})
        assert person.delete(item).status_code == (204 if changes else refused), role
    for role in ("anonymous", "outsider", "member"):
        refused = 401 if role == "anonymous" else 403 if role in sees else 404
        assert filled.people[role].delete(_path(filled, name)).status_code == refused, role
    assert filled.owner.delete(_path(filled, name)).status_code == 204
    assert filled.owner.get(_path(filled, name)).status_code == 404


def test_order_keeps_the_places_of_what_one_does_not_see(filled: World) -> None:
    member, owner = filled.people["member"], filled.owner
    owner.post(_path(filled), {"name": "ordered", "visibility": "organization"})
    for name in ("data-public", "data-private", "data-organization", "data-unlisted"):
        owner.put(_path(filled, "ordered", "items", filled.organization, name), json={})

    def names(person: object) -> list[str]:
        return [item["package"]["name"].removeprefix("data-") for item in person.get(_path(filled, "ordered")).json()["items"]]  # type: ignore[attr-defined]

    answer = member.patch(_path(filled, "ordered"), {"order": [f"{filled.organization}/data-unlisted"]})
    assert answer.status_code == 200
    assert names(member) == ["unlisted", "public", "organization"]
    assert names(owner) == ["unlisted", "private", "public", "organization"]
    refused = member.patch(_path(filled, "ordered"), {"order": [f"{filled.organization}/data-private"]})
    assert (refused.status_code, problem(refused)["code"]) == (400, "not_in_collection")


def test_what_is_refused(filled: World) -> None:
    owner = filled.owner
    for name in ("Two Words", "", "-x", "a" * 65, "a/b"):
        assert owner.post(_path(filled), {"name": name}).status_code in (400, 422), name
    taken = owner.post(_path(filled), {"name": "all"})
    assert (taken.status_code, problem(taken)["code"]) == (409, "name_taken")
    assert owner.post(f"namespaces/{filled.names['owner']}/collections", {"name": "x", "visibility": "organization"}).status_code == 400
    assert owner.put(_path(filled, "all", "items", filled.organization, "absent"), json={}).status_code == 404
    assert owner.put(_path(filled, "absent", "items", filled.organization, "data-public"), json={}).status_code == 404
    assert owner.delete(_path(filled, "all", "items", filled.organization, "absent")).status_code == 404
    # A member cannot put in what they do not see, nor learn that it exists.
    hidden = filled.people["member"].put(_path(filled, "all", "items", filled.organization, "data-private"), json={})
    assert hidden.status_code == 404
    again = owner.put(_path(filled, "all", "items", filled.organization, "data-public"), json={"note": "Again"})
    assert (again.status_code, again.json()["note"]) == (200, "Again")


def test_a_token_narrowed_to_a_collection_reads_its_items_and_nothing_else(filled: World) -> None:
    base = f"{filled.owner.base}/conda"
    made = filled.owner.post("tokens", {"name": "course", "scopes": ["package:read"], "collection": f"{filled.organization}/all"})
    assert made.status_code == 201, made.text
    narrowed = Api(filled.owner.base, made.json()["token"])
    assert narrowed.get(f"packages/{filled.organization}/data-private").status_code == 200
    assert narrowed.get(_path(filled, "all")).json()["count"] == len(VISIBILITIES) + 1
    assert narrowed.get(f"{base}/{filled.organization}/collection/all/noarch/repodata.json").status_code == 200
    filled.owner.upload(filled.organization, "c.csv", b"a\n1\n", package="outside", version="1", visibility="public")
    filled.owner.post(_path(filled), {"name": "other", "visibility": "public"})
    assert narrowed.get(f"packages/{filled.organization}/outside").status_code == 404
    assert narrowed.get(_path(filled, "other")).status_code == 404
    assert [item["name"] for item in narrowed.get(_path(filled)).json()["items"]] == ["all"]
    assert narrowed.put(_path(filled, "all", "items", filled.organization, "outside"), json={}).status_code in (403, 404)
    # What is put in is seen at once, and the token ends with the collection.
    filled.owner.put(_path(filled, "all", "items", filled.organization, "outside"), json={})
    assert narrowed.get(f"packages/{filled.organization}/outside").status_code == 200
    filled.owner.delete(_path(filled, "all"))
    assert narrowed.get(f"packages/{filled.organization}/outside").status_code == 401
