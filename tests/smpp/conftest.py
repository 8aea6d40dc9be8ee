"""Both ends of a session in memory, and strategies for every PDU."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import strategies as st

from gateway.smpp import (
    BindReceiver,
    BindReceiverResp,
    BindTransceiver,
    BindTransceiverResp,
    BindTransmitter,
    BindTransmitterResp,
    Body,
    DistributionList,
    Event,
    Pdu,
    RequestReceived,
    Role,
    Session,
    SessionSettings,
    SmeAddress,
    Tlv,
    UnsuccessSme,
)
from gateway.smpp.layouts import declared_fields
from gateway.smpp.pdus import BODY_TYPES
from gateway.smpp.wire import Counted, CString, OptionalParameters, Records, UInt

BINDS: dict[str, tuple[Body, Body]] = {
    "tx": (BindTransmitter(system_id="gateway", password="secret"), BindTransmitterResp(system_id="smsc")),
    "rx": (BindReceiver(system_id="gateway", password="secret"), BindReceiverResp(system_id="smsc")),
    "trx": (BindTransceiver(system_id="gateway", password="secret"), BindTransceiverResp(system_id="smsc")),
}


class Link:
    """An ESME and an SMSC whose bytes go straight from one to the other, when the test says so."""

    def __init__(self, *, now: float = 0.0, esme: SessionSettings, smsc: SessionSettings) -> None:
        self.esme = Session(Role.ESME, esme, now=now)
        self.smsc = Session(Role.SMSC, smsc, now=now)

    def to_smsc(self, *, now: float = 0.0) -> list[Event]:
        """Carry what the ESME has to send, and return the SMSC's events."""
        return self.smsc.receive_data(self.esme.data_to_send(), now=now)

    def to_esme(self, *, now: float = 0.0) -> list[Event]:
        """Carry what the SMSC has to send, and return the ESME's events."""
        return self.esme.receive_data(self.smsc.data_to_send(), now=now)

    def bind(self, mode: str = "trx", *, now: float = 0.0) -> None:
        """Bind, both ends agreeing."""
        request, response = BINDS[mode]
        self.esme.send(request, now=now)
        [event] = self.to_smsc(now=now)
        assert isinstance(event, RequestReceived)
        self.smsc.respond(event.pdu, response, now=now)
        assert len(self.to_esme(now=now)) == 1

    def ask(self, body: Body, *, now: float = 0.0, context: object = None) -> Pdu:
        """Send a request of the ESME and return it as the SMSC sees it."""
        self.esme.send(body, now=now, context=context)
        [event] = self.to_smsc(now=now)
        assert isinstance(event, RequestReceived)
        return event.pdu


@pytest.fixture
def make_link() -> Callable[..., Link]:
    """A link whose ESME has the given settings."""

    def make(*, smsc: dict[str, Any] | None = None, **esme: Any) -> Link:
        return Link(esme=SessionSettings(**esme), smsc=SessionSettings(**(smsc or {})))

    return make


@pytest.fixture
def link(make_link: Callable[..., Link]) -> Link:
    """A link in state OPEN."""
    return make_link()


@pytest.fixture
def bound(link: Link) -> Link:
    """A link bound as a transceiver."""
    link.bind()
    return link


def _strings(size: int) -> st.SearchStrategy[str]:
    return st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=size - 1)


_OCTET = st.integers(0, 255)
_TLVS = st.lists(st.builds(Tlv, st.integers(0, 0xFFFF), st.binary(max_size=40)), max_size=4).map(tuple)
_SME_ADDRESSES = st.builds(SmeAddress, dest_addr_ton=_OCTET, dest_addr_npi=_OCTET, destination_addr=_strings(21))
_DESTINATIONS = st.lists(_SME_ADDRESSES | st.builds(DistributionList, dl_name=_strings(21)), min_size=1, max_size=5)
_UNSUCCESS = st.builds(
    UnsuccessSme,
    dest_addr_ton=_OCTET,
    dest_addr_npi=_OCTET,
    destination_addr=_strings(21),
    error_status_code=st.integers(0, 0xFFFFFFFF),
)


def _field_strategy(name: str, kind: object) -> st.SearchStrategy[Any]:
    match kind:
        case UInt(octets=octets):
            return st.integers(0, (1 << 8 * octets) - 1)
        case CString(size=size):
            return _strings(size)
        case Counted(size=size):
            return st.binary(max_size=size)
        case OptionalParameters():
            return _TLVS
        case Records():
            return (_DESTINATIONS if name == "dest_addresses" else st.lists(_UNSUCCESS, max_size=5)).map(tuple)
    raise AssertionError(kind)


def body_strategy(body_type: type[msgspec.Struct]) -> st.SearchStrategy[Any]:
    """Any body of `body_type` that may be sent."""
    fields = declared_fields(body_type)
    return st.builds(body_type, **{name: _field_strategy(name, kind) for name, kind in fields.items()})


@pytest.fixture(scope="session")
def pdus() -> st.SearchStrategy[Pdu]:
    """Any PDU that may be sent; those that lose their body when refused are not refused."""
    return st.one_of(
        *(
            st.builds(
                Pdu,
                st.just(0) if body_type.bare_when_refused else st.integers(0, 0xFFFFFFFF),
                st.integers(0, 0xFFFFFFFF),
                body_strategy(body_type),
            )
            for body_type in BODY_TYPES
        )
    )
