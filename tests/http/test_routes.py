import pytest

from gateway.http.calls import Answer, Call
from gateway.http.problems import Code, Problem
from gateway.http.routes import Route, Routes


async def handler(_: Call) -> Answer:
    return Answer(200, b"", "text/plain")


LIST = Route(method="GET", path="/a", handler=handler)
ADD = Route(method="POST", path="/a", handler=handler)
FIND = Route(method="POST", path="/a/find", handler=handler)
ONE = Route(method="GET", path="/a/{id}", handler=handler)
STOP = Route(method="POST", path="/a/{id}/stop", handler=handler)
GO = Route(method="POST", path="/a/{name}/go", handler=handler)
ROUTES = Routes([LIST, ADD, FIND, ONE, STOP, GO])


@pytest.mark.parametrize(
    ("method", "path", "route", "argument"),
    [
        ("GET", "/a", LIST, ""),
        ("HEAD", "/a", LIST, ""),
        ("POST", "/a", ADD, ""),
        ("POST", "/a/find", FIND, ""),
        ("GET", "/a/7", ONE, "7"),
        ("GET", "/a/%2F", ONE, "%2F"),
        ("GET", "/a/{id}", ONE, "{id}"),
        ("POST", "/a/7/stop", STOP, "7"),
        ("POST", "/a/7/go", GO, "7"),
        ("POST", "/a/stop/stop", STOP, "stop"),
    ],
)
def test_a_route_is_found_by_method_and_path(method: str, path: str, route: Route, argument: str) -> None:
    assert ROUTES.find(method, path) == (route, argument)


@pytest.mark.parametrize(
    "path", ["", "/", "a", "/b", "/a/", "/a/7/8", "/a/7/8/stop", "/a//stop", "/stop", "/{id}", "/a//", "/A"]
)
def test_other_paths_lead_nowhere(path: str) -> None:
    with pytest.raises(Problem) as caught:
        ROUTES.find("GET", path)

    assert caught.value.code is Code.NOT_FOUND


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", "/a", "GET, HEAD, POST"),
        ("GET", "/a/find", "POST"),
        ("POST", "/a/7", "GET, HEAD"),
        ("GET", "/a/7/stop", "POST"),
        ("get", "/a", "GET, HEAD, POST"),
    ],
)
def test_other_methods_are_told_what_is_allowed(method: str, path: str, allow: str) -> None:
    with pytest.raises(Problem) as caught:
        ROUTES.find(method, path)

    assert caught.value.code is Code.METHOD_NOT_ALLOWED
    assert caught.value.headers == {"Allow": allow}


def test_all_routes_can_be_told() -> None:
    assert list(ROUTES) == [LIST, ADD, FIND, ONE, STOP, GO]
