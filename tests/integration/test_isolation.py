"""No call tells an account of another's messages and batches, or changes them, whatever it is asked by."""

import asyncio
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp

from gateway.account import Scope
from gateway.http.routes import OPEN_SEGMENT, Route
from gateway.http.settings import HttpSettings
from tests.faults.rig import Gateway, gateway_tables, stopping
from tests.http.conftest import Api
from tests.integration.test_review import ask

OTHER = "other-account-key"
NUMBER = "13800131104"
MINE = {"to": NUMBER, "text": "六号楼明日停水。", "batch": "owner-batch", "client_ref": "owner-ref"}
REFUSED = {**MINE, "text": "★六号楼", "client_ref": "owner-refused"}
HELD = {**MINE, "text": "六号楼酬宾。", "client_ref": "owner-held", "category": "marketing"}
WORDS = ("六号楼", "owner-", NUMBER)  # whatever of the owner's an answer could show
MASKED = "138****1104"  # and this one, where it does not repeat what was asked
TAKES_OWN_MESSAGES = {"/v1/messages", "/v1/explain"}  # by POST: they answer about what is handed in


def every_route() -> list[Route]:
    """All that the server has, with the calls that its parts bring."""
    return list(Api(HttpSettings(listen="127.0.0.1:0")).server._routes)


def requests_of(route: Route, segments: list[str], cursor: str) -> Iterator[tuple[str, Any]]:
    """A call in all the ways in which it could be made to speak of the owner's: path with query, and body."""
    paths = [OPEN_SEGMENT.sub(segment, route.path) for segment in segments]
    asked = [{"batch": "owner-batch"}, {"to": NUMBER}, {"client_ref": "owner-ref"}, {"cursor": cursor}]
    if route.takes_body:
        bodies = [None, {}, *asked, {"event_ids": segments[:1]}, {"ids": segments[:1]}]
        yield from itertools.product(dict.fromkeys(paths), bodies)
    else:
        queries = ["", *("?" + "&".join(f"{name}={value}" for name, value in each.items()) for each in asked)]
        yield from ((path + query, None) for path in dict.fromkeys(paths) for query in queries)


async def test_no_call_tells_an_account_of_anothers_messages_or_changes_them(tmp_path: Path) -> None:
    tables = gateway_tables("127.0.0.1:1", tmp_path / "store", on_doubt="resend")
    tables["account"][0]["review"] = ["marketing"]
    tables["account"][0]["callback"] = {}  # events that are asked for
    tables["account"].append({"name": "other", "key": OTHER, "scopes": ["send", "read", "metrics"], "callback": {}})
    async with stopping(Gateway(tables, tmp_path)) as gateway:
        await gateway.start()
        ids = [(await ask(gateway, "POST", "/v1/messages", json=body))[1].get("id") for body in (MINE, HELD)]
        assert (await ask(gateway, "POST", "/v1/messages", json=REFUSED))[0] == 422
        page = await gateway.get("/v1/messages?limit=1")
        assert page["cursor"] is not None
        while (await gateway.get("/v1/batches/owner-batch"))["refused"] == 0:  # it is counted a moment later
            await asyncio.sleep(0.05)
        before = await _seen_by_the_owner(gateway)
        assert all(word in str(before) for word in ("六号楼", "owner-ref", "owner-batch", NUMBER, *ids))

        calls = await _ask_everything(gateway, [*ids, "owner-batch", "none"], page["cursor"], (*WORDS, *ids))

        assert calls > 100
        assert await _seen_by_the_owner(gateway) == before
        # The names of an account are its own: the same reference is another message.
        status, answer = await ask(
            gateway, "POST", "/v1/messages", key=OTHER, json={**MINE, "text": "【阳光物业】停电"}
        )
        assert (status, answer["id"] in ids) == (202, False)
        assert await _seen_by_the_owner(gateway) == before


async def _seen_by_the_owner(gateway: Gateway) -> list[Any]:
    """Everything that the owner is told of its messages."""
    paths = ("/v1/messages", "/v1/batches/owner-batch", "/v1/refusals", "/v1/events")
    return [await gateway.get(path) for path in paths]


async def _ask_everything(gateway: Gateway, segments: list[str], cursor: str, words: tuple[str, ...]) -> int:
    """Make every call as the other account; return how many were made. Raises AssertionError for one that tells."""
    calls = 0
    headers = {"Authorization": f"Bearer {OTHER}"}
    async with aiohttp.ClientSession(gateway.url, headers=headers, trust_env=False) as session:
        for route in every_route():
            if route.method == "POST" and route.path in TAKES_OWN_MESSAGES:
                continue
            answers: dict[str, set[tuple[int, str]]] = {}
            for path, body in requests_of(route, segments, cursor):
                async with session.request(route.method, path, json=body) as response:
                    text = await response.text()
                calls += 1
                assert response.status == 400 or MASKED not in text, f"{route.label} by {path} {body}: {text}"
                assert not any(word in text for word in words), f"{route.label} by {path} {body}: {text}"
                if route.scope in {Scope.OPERATE, Scope.REVIEW}:
                    assert response.status == 403, f"{route.label}: {response.status}"
                answers.setdefault(path.partition("?")[0], set()).add((response.status, text))
            # What is another's is answered as what is not there at all, so that nothing can be guessed.
            assert all(each == next(iter(answers.values())) for each in answers.values()), f"{route.label}: {answers}"
    return calls
