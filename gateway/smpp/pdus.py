"""Every PDU body of SMPP 3.4 (section 4), as data: fields in wire order, sizes as the specification prints them.

A count or a length that the wire carries (sm_length, number_of_dests, no_unsuccess) is never a field: it follows from
what it counts. `tlvs` are the optional parameters. The responses to operations have them as 5.0 lets them carry
congestion_state (5.0, section 4.8.4.18).

Build them by keyword. They are not `kw_only` because the decoder builds them by position: for the 18 fields of a
submit_sm that saves half a microsecond, a quarter of its decoding.
"""

from typing import Annotated, ClassVar

import msgspec

from .constants import CommandId
from .destinations import DESTINATIONS, UNSUCCESS, DistributionList, SmeAddress, UnsuccessSme
from .statuses import CommandStatus
from .tlvs import Tlv
from .wire import TLVS, UINT8, Counted, CString

# Strings that several bodies share, each with the status that refuses a damaged one.
ServiceType = Annotated[str, CString(6, CommandStatus.ESME_RINVSERTYP)]
SourceAddress = Annotated[str, CString(21, CommandStatus.ESME_RINVSRCADR)]
LongSourceAddress = Annotated[str, CString(65, CommandStatus.ESME_RINVSRCADR)]
DestinationAddress = Annotated[str, CString(21, CommandStatus.ESME_RINVDSTADR)]
LongDestinationAddress = Annotated[str, CString(65, CommandStatus.ESME_RINVDSTADR)]
ScheduleTime = Annotated[str, CString(17, CommandStatus.ESME_RINVSCHED)]
ValidityTime = Annotated[str, CString(17, CommandStatus.ESME_RINVEXPIRY)]
MessageIdText = Annotated[str, CString(65, CommandStatus.ESME_RINVMSGID)]
SystemId = Annotated[str, CString(16, CommandStatus.ESME_RINVSYSID)]
Password = Annotated[str, CString(9, CommandStatus.ESME_RINVPASWD)]
SystemType = Annotated[str, CString(13, CommandStatus.ESME_RINVSYSTYP)]
AddressRange = Annotated[str, CString(41)]
Octet = Annotated[int, UINT8]
ShortMessage = Annotated[bytes, Counted(254)]
Tlvs = Annotated[tuple[Tlv, ...], TLVS]


class Body(msgspec.Struct, frozen=True, gc=False):
    """What follows the header of a PDU. A value: frozen, and compared whole."""

    command_id: ClassVar[CommandId]

    # "The body is not returned if the command_status field contains a non-zero value."
    bare_when_refused: ClassVar[bool] = False
    # Taken without its body also when it accepts: what it would say is known, or means nothing.
    bare_when_accepted: ClassVar[bool] = False


class BindTransmitter(Body, frozen=True):
    """Open a session that sends. SMPP 3.4, section 4.1.1."""

    command_id: ClassVar = CommandId.BIND_TRANSMITTER

    system_id: SystemId
    password: Password
    system_type: SystemType = ""
    interface_version: Octet = 0x34
    addr_ton: Octet = 0
    addr_npi: Octet = 0
    address_range: AddressRange = ""


class BindTransmitterResp(Body, frozen=True):
    """Section 4.1.2."""

    command_id: ClassVar = CommandId.BIND_TRANSMITTER_RESP
    bare_when_refused: ClassVar = True
    bare_when_accepted: ClassVar = True

    system_id: SystemId = ""
    tlvs: Tlvs = ()


class BindReceiver(Body, frozen=True):
    """Open a session that receives. Section 4.1.3."""

    command_id: ClassVar = CommandId.BIND_RECEIVER

    system_id: SystemId
    password: Password
    system_type: SystemType = ""
    interface_version: Octet = 0x34
    addr_ton: Octet = 0
    addr_npi: Octet = 0
    address_range: AddressRange = ""


class BindReceiverResp(Body, frozen=True):
    """Section 4.1.4."""

    command_id: ClassVar = CommandId.BIND_RECEIVER_RESP
    bare_when_refused: ClassVar = True
    bare_when_accepted: ClassVar = True

    system_id: SystemId = ""
    tlvs: Tlvs = ()


class BindTransceiver(Body, frozen=True):
    """Open a session that both sends and receives. Section 4.1.5."""

    command_id: ClassVar = CommandId.BIND_TRANSCEIVER

    system_id: SystemId
    password: Password
    system_type: SystemType = ""
    interface_version: Octet = 0x34
    addr_ton: Octet = 0
    addr_npi: Octet = 0
    address_range: AddressRange = ""


class BindTransceiverResp(Body, frozen=True):
    """Section 4.1.6."""

    command_id: ClassVar = CommandId.BIND_TRANSCEIVER_RESP
    bare_when_refused: ClassVar = True
    bare_when_accepted: ClassVar = True

    system_id: SystemId = ""
    tlvs: Tlvs = ()


class Outbind(Body, frozen=True):
    """The SMSC asks the ESME to bind as a receiver. No response. Section 4.1.7."""

    command_id: ClassVar = CommandId.OUTBIND

    system_id: SystemId
    password: Password


class Unbind(Body, frozen=True):
    """End the session. Section 4.2.1."""

    command_id: ClassVar = CommandId.UNBIND


class UnbindResp(Body, frozen=True):
    """Section 4.2.2."""

    command_id: ClassVar = CommandId.UNBIND_RESP


class GenericNack(Body, frozen=True):
    """Refuse what cannot be refused by a response of its own. Section 4.3.1."""

    command_id: ClassVar = CommandId.GENERIC_NACK


class SubmitSm(Body, frozen=True):
    """Send a message to one destination. Section 4.4.1."""

    command_id: ClassVar = CommandId.SUBMIT_SM

    service_type: ServiceType = ""
    source_addr_ton: Octet = 0
    source_addr_npi: Octet = 0
    source_addr: SourceAddress = ""
    dest_addr_ton: Octet = 0
    dest_addr_npi: Octet = 0
    destination_addr: DestinationAddress = ""
    esm_class: Octet = 0
    protocol_id: Octet = 0
    priority_flag: Octet = 0
    schedule_delivery_time: ScheduleTime = ""
    validity_period: ValidityTime = ""
    registered_delivery: Octet = 0
    replace_if_present_flag: Octet = 0
    data_coding: Octet = 0
    sm_default_msg_id: Octet = 0
    short_message: ShortMessage = b""
    tlvs: Tlvs = ()


class SubmitSmResp(Body, frozen=True):
    """Section 4.4.2."""

    command_id: ClassVar = CommandId.SUBMIT_SM_RESP
    bare_when_refused: ClassVar = True

    message_id: MessageIdText = ""
    tlvs: Tlvs = ()


class SubmitMulti(Body, frozen=True):
    """Send a message to up to 254 destinations. Section 4.5.1."""

    command_id: ClassVar = CommandId.SUBMIT_MULTI

    service_type: ServiceType = ""
    source_addr_ton: Octet = 0
    source_addr_npi: Octet = 0
    source_addr: SourceAddress = ""
    dest_addresses: Annotated[tuple[SmeAddress | DistributionList, ...], DESTINATIONS] = ()
    esm_class: Octet = 0
    protocol_id: Octet = 0
    priority_flag: Octet = 0
    schedule_delivery_time: ScheduleTime = ""
    validity_period: ValidityTime = ""
    registered_delivery: Octet = 0
    replace_if_present_flag: Octet = 0
    data_coding: Octet = 0
    sm_default_msg_id: Octet = 0
    short_message: ShortMessage = b""
    tlvs: Tlvs = ()


class SubmitMultiResp(Body, frozen=True):
    """Section 4.5.2."""

    command_id: ClassVar = CommandId.SUBMIT_MULTI_RESP

    message_id: MessageIdText = ""
    unsuccess_smes: Annotated[tuple[UnsuccessSme, ...], UNSUCCESS] = ()
    tlvs: Tlvs = ()


class DeliverSm(Body, frozen=True):
    """A message, or a receipt, from the SMSC. Section 4.6.1."""

    command_id: ClassVar = CommandId.DELIVER_SM

    service_type: ServiceType = ""
    source_addr_ton: Octet = 0
    source_addr_npi: Octet = 0
    source_addr: SourceAddress = ""
    dest_addr_ton: Octet = 0
    dest_addr_npi: Octet = 0
    destination_addr: DestinationAddress = ""
    esm_class: Octet = 0
    protocol_id: Octet = 0
    priority_flag: Octet = 0
    schedule_delivery_time: ScheduleTime = ""
    validity_period: ValidityTime = ""
    registered_delivery: Octet = 0
    replace_if_present_flag: Octet = 0
    data_coding: Octet = 0
    sm_default_msg_id: Octet = 0
    short_message: ShortMessage = b""
    tlvs: Tlvs = ()


class EncodedDeliverSm(Body, frozen=True):
    """A deliver_sm that is octets already, for an SMSC that fills in a template: what follows the header, unchecked.

    It is sent as any body is, and comes back as the request of its answer; what is decoded is a DeliverSm.
    """

    command_id: ClassVar = CommandId.DELIVER_SM

    octets: bytes


class DeliverSmResp(Body, frozen=True):
    """Section 4.6.2: message_id "is unused and is set to NULL", so many leave it out."""

    command_id: ClassVar = CommandId.DELIVER_SM_RESP
    bare_when_accepted: ClassVar = True

    message_id: MessageIdText = ""
    tlvs: Tlvs = ()


class DataSm(Body, frozen=True):
    """A message either way, its content in parameters. Section 4.7.1."""

    command_id: ClassVar = CommandId.DATA_SM

    service_type: ServiceType = ""
    source_addr_ton: Octet = 0
    source_addr_npi: Octet = 0
    source_addr: LongSourceAddress = ""
    dest_addr_ton: Octet = 0
    dest_addr_npi: Octet = 0
    destination_addr: LongDestinationAddress = ""
    esm_class: Octet = 0
    registered_delivery: Octet = 0
    data_coding: Octet = 0
    tlvs: Tlvs = ()


class DataSmResp(Body, frozen=True):
    """Section 4.7.2."""

    command_id: ClassVar = CommandId.DATA_SM_RESP

    message_id: MessageIdText = ""
    tlvs: Tlvs = ()


class QuerySm(Body, frozen=True):
    """Ask what became of a message. Section 4.8.1."""

    command_id: ClassVar = CommandId.QUERY_SM

    message_id: MessageIdText
    source_addr_ton: Octet = 0
    source_addr_npi: Octet = 0
    source_addr: SourceAddress = ""


class QuerySmResp(Body, frozen=True):
    """Section 4.8.2."""

    command_id: ClassVar = CommandId.QUERY_SM_RESP

    message_id: MessageIdText = ""
    final_date: Annotated[str, CString(17)] = ""
    message_state: Octet = 0
    error_code: Octet = 0
    tlvs: Tlvs = ()


class CancelSm(Body, frozen=True):
    """Cancel a message, or without message_id all from one source to one destination. Section 4.9.1."""

    command_id: ClassVar = CommandId.CANCEL_SM

    service_type: ServiceType = ""
    message_id: MessageIdText = ""
    source_addr_ton: Octet = 0
    source_addr_npi: Octet = 0
    source_addr: SourceAddress = ""
    dest_addr_ton: Octet = 0
    dest_addr_npi: Octet = 0
    destination_addr: DestinationAddress = ""


class CancelSmResp(Body, frozen=True):
    """Section 4.9.2."""

    command_id: ClassVar = CommandId.CANCEL_SM_RESP

    tlvs: Tlvs = ()


class ReplaceSm(Body, frozen=True):
    """Put another text in place of one that has not been delivered. Section 4.10.1; parameters as of 5.0."""

    command_id: ClassVar = CommandId.REPLACE_SM

    message_id: MessageIdText
    source_addr_ton: Octet = 0
    source_addr_npi: Octet = 0
    source_addr: SourceAddress = ""
    schedule_delivery_time: ScheduleTime = ""
    validity_period: ValidityTime = ""
    registered_delivery: Octet = 0
    sm_default_msg_id: Octet = 0
    short_message: ShortMessage = b""
    tlvs: Tlvs = ()


class ReplaceSmResp(Body, frozen=True):
    """Section 4.10.2."""

    command_id: ClassVar = CommandId.REPLACE_SM_RESP

    tlvs: Tlvs = ()


class EnquireLink(Body, frozen=True):
    """Ask whether the peer is there. Section 4.11.1."""

    command_id: ClassVar = CommandId.ENQUIRE_LINK


class EnquireLinkResp(Body, frozen=True):
    """Section 4.11.2."""

    command_id: ClassVar = CommandId.ENQUIRE_LINK_RESP


class AlertNotification(Body, frozen=True):
    """The SMSC tells that a mobile can be reached again. No response. Section 4.12.1."""

    command_id: ClassVar = CommandId.ALERT_NOTIFICATION

    source_addr_ton: Octet = 0
    source_addr_npi: Octet = 0
    source_addr: LongSourceAddress = ""
    esme_addr_ton: Octet = 0
    esme_addr_npi: Octet = 0
    esme_addr: LongSourceAddress = ""
    tlvs: Tlvs = ()


BODY_TYPES: tuple[type[Body], ...] = (
    BindTransmitter,
    BindTransmitterResp,
    BindReceiver,
    BindReceiverResp,
    BindTransceiver,
    BindTransceiverResp,
    Outbind,
    Unbind,
    UnbindResp,
    GenericNack,
    SubmitSm,
    SubmitSmResp,
    SubmitMulti,
    SubmitMultiResp,
    DeliverSm,
    DeliverSmResp,
    DataSm,
    DataSmResp,
    QuerySm,
    QuerySmResp,
    CancelSm,
    CancelSmResp,
    ReplaceSm,
    ReplaceSmResp,
    EnquireLink,
    EnquireLinkResp,
    AlertNotification,
)
