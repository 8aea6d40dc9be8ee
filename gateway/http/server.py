"""The HTTP server: from a request to its handler, from the answer back to the socket.

It sits on aiohttp's low-level server, a third faster than its application framework, with a dispatch of its own.
There is no access log: requests are counted, not written down, and a query may hold somebody's number.
"""

import logging
import secrets
import time
from collections.abc import Callable, Sequence
from itertools import count
from typing import Final

from aiohttp import web

from gateway.account import Account, Scope
from gateway.http.addresses import is_within
from gateway.http.calls import Answer, Call, problem_answer
from gateway.http.events import CallbackDesk, Events
from gateway.http.explain import Explain
from gateway.http.formats import Format, answer_format, body_format, check_media_type
from gateway.http.inbound import InboundCalls
from gateway.http.keys import Keys
from gateway.http.languages import wants_chinese
from gateway.http.messages import Messages
from gateway.http.openapi import OpenApi
from gateway.http.operations import Metrics, Operations
from gateway.http.problems import Code, Fault, Problem, invalid
from gateway.http.protocol import ApiServer
from gateway.http.receiving import BodyReader
from gateway.http.routes import Calls, Route, Routes
from gateway.http.settings import HttpSettings
from gateway.http.status import StatusPages
from gateway.http.submit import Submit
from gateway.intake import Intake
from gateway.log_values import places_of
from gateway.message import Milliseconds
from gateway.store.api import Store
from gateway.version import VERSION

_logger: Final = logging.getLogger("gateway.http")

_NOBODY: Final = Account(name="", scopes=frozenset())
_UNKNOWN: Final = "unknown"  # the route of requests that have none
_BACKLOG: Final = 1024
_LINGERING_SECONDS: Final = 5.0  # how long the rest of a refused body is read, so that its answer is


class HttpServer:
    """The submit and status API of one gateway."""

    def __init__(
        self,
        settings: HttpSettings,
        *,
        keys: Keys,
        intake: Intake,
        store: Store,
        operations: Operations,
        callbacks: CallbackDesk,
        metrics: Metrics,
        clock: Callable[[], Milliseconds],
        calls: Sequence[Calls] = (),
    ) -> None:
        """`clock`: the wall clock, in milliseconds since 1970. `calls`: of parts that have calls of their own."""
        self._settings = settings
        self._keys = keys
        self._metrics = metrics
        self._bodies = BodyReader(settings)
        self._submit = Submit(settings, intake, store, clock)
        self._status = StatusPages(operations, store, metrics)
        explain = Explain(intake, clock)
        events = Events(store, callbacks, clock)
        own = _routes(settings, self._submit, explain, Messages(store, clock), self._status)
        more = [route for each in calls for route in each.routes()]
        inbound = InboundCalls(store, clock).routes()
        described = OpenApi(VERSION)
        self._routes = Routes([*own, *_event_routes(events), *inbound, *more, described.route])
        described.describe(self._routes)
        self._request_ids = map(f"{secrets.token_hex(4)}-{{:x}}".format, count(1))
        self._retry_after = {"Retry-After": str(settings.retry_after_seconds)}
        self._runner: web.ServerRunner | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens, once it does: host and port."""
        assert self._runner is not None
        host, port = self._runner.addresses[0][:2]
        return host, port

    async def start(self) -> None:
        """Listen. Raises OSError, which names the address, when that is taken."""
        server = ApiServer(
            self._handle,
            refuse=self._refuse,
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=self._settings.keep_alive_seconds,
            lingering_time=_LINGERING_SECONDS,
            logger=_logger,
        )
        runner = web.ServerRunner(server, shutdown_timeout=self._settings.stop_timeout_seconds)
        await runner.setup()
        try:
            await web.TCPSite(runner, self._settings.host, self._settings.port, backlog=_BACKLOG).start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner

    def stop_accepting(self) -> None:
        """Answer submits with 503 from now on, and /readyz too; finish what is under way; go on telling of messages."""
        self._submit.stop_accepting()
        self._status.stop_accepting()

    async def stop(self) -> None:
        """Finish the requests under way, for `stop_timeout_seconds` at most, and close every connection."""
        self.stop_accepting()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _handle(self, request: web.BaseRequest) -> web.Response:
        """One request. The one place where errors become answers."""
        started = time.perf_counter()
        request_id = next(self._request_ids)
        label = _UNKNOWN
        form = Format.JSON
        try:
            path, _, query = request.raw_path.partition("?")
            route, argument = self._routes.find(request.method, path)
            label = route.label
            form = answer_format(request.headers.get("Accept"), Format.JSON)
            call = await self._call(request, route, argument, query)
            form = call.answer_format
            answer = await route.handler(call)
        except Problem as problem:
            answer = self._problem_answer(problem, form)
        except Exception as error:  # noqa: BLE001  the supervisor of every handler: a bug costs one request
            _log_bug(request_id, label, error)
            detail = "Something went wrong in the gateway. Its log says what, under this X-Request-Id."
            answer = self._problem_answer(Problem(Code.INTERNAL, detail), form)
        self._metrics.observe_request(label, answer.status, time.perf_counter() - started)
        return _respond(answer, request_id)

    async def _call(self, request: web.BaseRequest, route: Route, argument: str, query: str) -> Call:
        """What the handler needs of a request. Raises Problem."""
        headers = request.headers
        account = _NOBODY
        if route.scope is not None:
            account = self._keys.account_of(headers.get("Authorization"))
            if account.addresses and not is_within(request.remote, account.addresses):
                raise Problem(Code.FORBIDDEN, "This key is not for requests from this address.")
            if route.scope not in account.scopes:
                raise Problem(Code.FORBIDDEN, f"This key has not the scope {route.scope}.")
        accept = headers.get("Accept")
        if not route.takes_body:
            return Call(
                account=account, argument=argument, query=query, answer_format=answer_format(accept, Format.JSON)
            )
        if query:
            raise invalid(Fault(parameter="?", rule="must not be in the path of this call: everything is in its body"))
        form = Format.JSON
        if route.body_is_optional and not request.body_exists:
            pass  # whatever a client says of what is not there
        elif route.media_type:
            check_media_type(route.media_type, headers.get("Content-Type"), headers.get("Content-Encoding"))
        else:
            form = body_format(headers.get("Content-Type"), headers.get("Content-Encoding"))
        return Call(
            account=account,
            argument=argument,
            body=await self._bodies.read(request),
            body_format=form,
            answer_format=answer_format(accept, form),
            idempotency_key=headers.get("Idempotency-Key"),
            chinese=wants_chinese(headers.get("Accept-Language")),
        )

    def _problem_answer(self, problem: Problem, form: Format) -> Answer:
        headers = {**self._retry_after, **problem.headers} if problem.may_pass else problem.headers
        return problem_answer(form, problem.document(), problem.status, headers)

    def _refuse(self) -> web.Response:
        """The answer to what is not HTTP, or more of it than a header may have."""
        problem = Problem(Code.INVALID_REQUEST, "This is not well-formed HTTP/1.1 with lines of at most 8190 octets.")
        self._metrics.observe_request(_UNKNOWN, problem.status, 0.0)
        return _respond(self._problem_answer(problem, Format.JSON), next(self._request_ids))


def _routes(
    settings: HttpSettings, submit: Submit, explain: Explain, messages: Messages, status: StatusPages
) -> list[Route]:
    """The API but for what parts have of their own."""
    metrics_scope = Scope.METRICS if settings.metrics_need_key else None
    return [
        Route(method="POST", path="/v1/messages", handler=submit.submit, scope=Scope.SEND, takes_body=True),
        Route(method="POST", path="/v1/explain", handler=explain.explain, scope=Scope.SEND, takes_body=True),
        Route(method="GET", path="/v1/messages", handler=messages.list, scope=Scope.READ),
        Route(method="POST", path="/v1/messages/search", handler=messages.search, scope=Scope.READ, takes_body=True),
        Route(method="GET", path="/v1/messages/{id}", handler=messages.get, scope=Scope.READ),
        Route(method="GET", path="/v1/carriers", handler=status.carriers, scope=Scope.OPERATE),
        Route(method="GET", path="/healthz", handler=status.healthz),
        Route(method="GET", path="/readyz", handler=status.readyz),
        Route(method="GET", path="/metrics", handler=status.metrics, scope=metrics_scope),
    ]


def _event_routes(events: Events) -> list[Route]:
    """What is told to applications."""
    return [
        Route(method="GET", path="/v1/events", handler=events.list, scope=Scope.READ),
        Route(method="GET", path="/v1/callbacks/failed", handler=events.failed, scope=Scope.SEND),
        Route(method="POST", path="/v1/callbacks/replay", handler=events.replay, scope=Scope.SEND, takes_body=True),
    ]


def _respond(answer: Answer, request_id: str) -> web.Response:
    headers = {
        "Content-Type": answer.content_type,
        "X-Request-Id": request_id,
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
        "Server": "yizhan",  # instead of the library's name and version
        **answer.headers,
    }
    response = web.Response(body=answer.body, status=answer.status, headers=headers)
    if answer.headers.get("Connection") == "close":
        response.force_close()
    return response


def _log_bug(request_id: str, label: str, error: Exception) -> None:
    """What went wrong and where; not the error's own words, which may quote a number or a text."""
    _logger.error("request %s (%s) failed: %s at %s", request_id, label, type(error).__name__, places_of(error))
