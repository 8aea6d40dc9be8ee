"""What each call of the API is for, what it takes and what it answers: the rows that /openapi.json is made of.

The parameters and members are those that the handlers read by, and the answers the types that they write. What every
call of a kind has in common (its key, a body that is too large) is added in `gateway.http.openapi`.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from gateway.http import audit, carriers, events, held, opt_outs, ported, refusals, suppressions, usage
from gateway.http.answers import AcceptedView, ListView, MessageView
from gateway.http.control import BatchView
from gateway.http.explain import MAX_EXPLAINED, ExplanationsView, ExplanationView
from gateway.http.fields import FILTERS, MESSAGE, MESSAGE_REQUIRED, Fields
from gateway.http.inbound import INBOUND_FILTERS, InboundList
from gateway.http.overview import Overview
from gateway.http.paging import PAGE, SEALED_PAGE
from gateway.http.problems import Code
from gateway.http.shapes import (
    AccountShape,
    CarrierList,
    CarrierShape,
    EventList,
    FailedList,
    Health,
    OptedIn,
    PortedChanged,
    PortedList,
    Readiness,
    Reloaded,
    Replayed,
    Results,
    SuppressionAdded,
    SuppressionRemoved,
    UsageReport,
)
from gateway.opt_out_import import Imported


class Body(msgspec.Struct, frozen=True, kw_only=True):
    """What a call takes: an object with these members; or as many of them in an array; or either."""

    name: str
    members: Fields
    required: tuple[str, ...] = ()
    single: bool = True
    most: int = 0  # elements of an array; 0: no array is taken


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One call. `answers`: by status, what the body is; several types where it is one of them; None: not ours."""

    summary: str
    answers: Mapping[int, tuple[Any, ...]]
    query: Fields = {}
    required: tuple[str, ...] = ()  # of the query
    body: Body | None = None
    media_types: tuple[str, ...] = ("text/plain",)  # of an answer that is not ours
    codes: tuple[Code, ...] = ()  # beside those that all calls of its kind have
    refuses: bool = False  # answers with the codes of one message, too
    takes_idempotency_key: bool = False


_MESSAGES: Final = Body(name="MessageIn", members=MESSAGE, required=MESSAGE_REQUIRED, most=10_000)
_EXPLAINED: Final = Body(name="MessageIn", members=MESSAGE, required=MESSAGE_REQUIRED, most=MAX_EXPLAINED)
_SEARCH: Final = Body(name="Search", members=FILTERS)
_OPT_OUT_SEARCH: Final = Body(name="OptOutSearch", members=opt_outs.FILTERS)
_REVIEW: Final = Body(name="ReviewIn", members=held.BODY)
_REPLAY: Final = Body(name="Replay", members=events.REPLAY)
_PORTED: Final = Body(
    name="PortedIn", members=ported.ROW, required=("number", "network"), single=False, most=ported.MAX_CHANGES
)

_NO_STORE: Final = (Code.STORE_UNAVAILABLE,)
_LIMITED: Final = (Code.STORE_UNAVAILABLE, Code.QUEUE_FULL)

REFERENCE: Final[Mapping[str, Entry]] = {
    "POST /v1/messages": Entry(
        summary="Submit one message, an array of them, or one text to many numbers",
        body=_MESSAGES,
        answers={200: (AcceptedView,), 202: (AcceptedView, Results)},
        codes=(Code.RATE_LIMITED, Code.QUEUE_FULL, Code.STORE_UNAVAILABLE, Code.STOPPING),
        refuses=True,
        takes_idempotency_key=True,
    ),
    "POST /v1/explain": Entry(
        summary="What would become of a message, and why; nothing is sent",
        body=_EXPLAINED,
        answers={200: (ExplanationView, ExplanationsView)},
    ),
    "GET /v1/messages": Entry(
        summary="List messages, newest first", query=FILTERS, answers={200: (ListView,)}, codes=_NO_STORE
    ),
    "POST /v1/messages/search": Entry(
        summary="The same list, with the filters in the body, so that numbers stay out of the logs of proxies",
        body=_SEARCH,
        answers={200: (ListView,)},
        codes=_NO_STORE,
    ),
    "GET /v1/messages/{id}": Entry(
        summary="One message with its parts, attempts and timeline", answers={200: (MessageView,)}, codes=_NO_STORE
    ),
    "POST /v1/messages/{id}/cancel": Entry(
        summary="Cancel a message", answers={200: (MessageView,)}, codes=(Code.NOT_CANCELLABLE, *_LIMITED)
    ),
    "POST /v1/messages/{id}/approve": Entry(
        summary="Let a held message go", body=_REVIEW, answers={200: (MessageView,)}, codes=(Code.NOT_HELD, *_NO_STORE)
    ),
    "POST /v1/messages/{id}/reject": Entry(
        summary="Cancel a held message", body=_REVIEW, answers={200: (MessageView,)}, codes=(Code.NOT_HELD, *_NO_STORE)
    ),
    "GET /v1/held": Entry(
        summary="Held messages, oldest first", query=PAGE, answers={200: (held.HeldListView,)}, codes=_NO_STORE
    ),
    "GET /v1/batches/{batch}": Entry(
        summary="A batch, counted by status", answers={200: (BatchView,)}, codes=_NO_STORE
    ),
    "POST /v1/batches/{batch}/pause": Entry(
        summary="Let nothing more of a batch go", answers={200: (BatchView,)}, codes=_LIMITED
    ),
    "POST /v1/batches/{batch}/resume": Entry(
        summary="Let a paused batch go on", answers={200: (BatchView,)}, codes=_LIMITED
    ),
    "POST /v1/batches/{batch}/cancel": Entry(
        summary="Cancel what waits of a batch", answers={200: (BatchView,)}, codes=_LIMITED
    ),
    "GET /v1/inbound": Entry(
        summary="Messages from subscribers, newest first",
        query=INBOUND_FILTERS,
        answers={200: (InboundList,)},
        codes=_NO_STORE,
    ),
    "GET /v1/events": Entry(
        summary="Events in the order they came, for applications without a public URL",
        query=PAGE,
        answers={200: (EventList,)},
        codes=(Code.NOT_FOUND, *_NO_STORE),
    ),
    "GET /v1/callbacks/failed": Entry(
        summary="Events that could not be told, oldest first",
        query=PAGE,
        answers={200: (FailedList,)},
        codes=(Code.NOT_FOUND, *_NO_STORE),
    ),
    "POST /v1/callbacks/replay": Entry(
        summary="Tell events again that could not be told",
        body=_REPLAY,
        answers={200: (Replayed,)},
        codes=(Code.NOT_FOUND, *_NO_STORE),
    ),
    "GET /v1/refusals": Entry(
        summary="Messages that were refused of late, newest first",
        query=refusals.REFUSAL_FILTERS,
        answers={200: (refusals.RefusalList,)},
        codes=_NO_STORE,
    ),
    "POST /v1/refusals/search": Entry(
        summary="The same list, with the filters in the body",
        body=Body(name="RefusalSearch", members=refusals.REFUSAL_FILTERS),
        answers={200: (refusals.RefusalList,)},
        codes=_NO_STORE,
    ),
    "GET /v1/account": Entry(summary="What this key may do, and what is left of it", answers={200: (AccountShape,)}),
    "GET /v1/usage": Entry(
        summary="Messages and segments by day, account, category, carrier and network",
        query=usage.PARAMETERS,
        answers={200: (UsageReport,)},
        codes=_NO_STORE,
    ),
    "GET /v1/carriers": Entry(summary="Every carrier with its binds", answers={200: (CarrierList,)}),
    "POST /v1/carriers/{c}/pause": Entry(
        summary="Begin no more messages by a carrier",
        query=carriers.PAUSE,
        answers={200: (CarrierShape,)},
        codes=_NO_STORE,
    ),
    "POST /v1/carriers/{c}/resume": Entry(
        summary="Go on with a carrier", answers={200: (CarrierShape,)}, codes=_NO_STORE
    ),
    "POST /v1/binds/{b}/rebind": Entry(
        summary="Unbind and bind again", answers={202: (CarrierShape,)}, codes=_NO_STORE
    ),
    "POST /v1/reload": Entry(
        summary="Take the files beside the config as they are now", answers={200: (Reloaded,)}, codes=_NO_STORE
    ),
    "GET /v1/ported": Entry(
        summary="Ported numbers that were set by hand",
        query=SEALED_PAGE,
        answers={200: (PortedList,)},
        codes=_NO_STORE,
    ),
    "POST /v1/ported": Entry(
        summary="Set or forget ported numbers, all or none",
        body=_PORTED,
        answers={200: (PortedChanged,)},
        codes=_NO_STORE,
    ),
    "GET /v1/opt-outs": Entry(
        summary="Opt-outs in the order of numbers",
        query=opt_outs.FILTERS,
        answers={200: (opt_outs.OptOutListView,)},
        codes=_NO_STORE,
    ),
    "POST /v1/opt-outs/search": Entry(
        summary="The same list, with the filters in the body",
        body=_OPT_OUT_SEARCH,
        answers={200: (opt_outs.OptOutListView,)},
        codes=_NO_STORE,
    ),
    "PUT /v1/opt-outs/{to}": Entry(
        summary="Add an opt-out", query=opt_outs.SCOPE, answers={200: (opt_outs.OptOutView,)}, codes=_LIMITED
    ),
    "DELETE /v1/opt-outs/{to}": Entry(
        summary="Remove an opt-out", query=opt_outs.SCOPE, answers={200: (OptedIn,)}, codes=_NO_STORE
    ),
    "POST /v1/opt-outs/import": Entry(
        summary="Add the opt-outs of a CSV file, all or none", answers={200: (Imported,)}, codes=_LIMITED
    ),
    "GET /v1/suppressions": Entry(
        summary="Numbers that a carrier has blacklisted",
        query=suppressions.FILTERS,
        required=("carrier",),
        answers={200: (suppressions.SuppressionListView,)},
        codes=_NO_STORE,
    ),
    "PUT /v1/suppressions/{to}": Entry(
        summary="Leave a carrier out for a number",
        query=suppressions.SCOPE,
        required=("carrier",),
        answers={200: (SuppressionAdded,)},
        codes=_LIMITED,
    ),
    "DELETE /v1/suppressions/{to}": Entry(
        summary="Let a carrier be tried again for a number",
        query=suppressions.SCOPE,
        required=("carrier",),
        answers={200: (SuppressionRemoved,)},
        codes=_NO_STORE,
    ),
    "GET /v1/audit": Entry(
        summary="Who did what, oldest first",
        query=audit.PARAMETERS,
        answers={200: (audit.AuditListView,)},
        codes=_NO_STORE,
    ),
    "GET /v1/status": Entry(summary="The gateway at a glance", answers={200: (Overview,)}),
    "GET /": Entry(summary="The operations page", answers={200: ()}, media_types=("text/html",)),
    "GET /page/{name}": Entry(
        summary="A file of the page", answers={200: ()}, media_types=("text/html", "text/css", "text/javascript")
    ),
    "GET /healthz": Entry(summary="The process is alive", answers={200: (Health,)}),
    "GET /readyz": Entry(summary="Whether messages can be taken", answers={200: (Readiness,), 503: (Readiness,)}),
    "GET /metrics": Entry(summary="Everything that is counted, for Prometheus", answers={200: ()}),
    "GET /openapi.json": Entry(summary="This description", answers={200: (dict[str, Any],)}),
}
