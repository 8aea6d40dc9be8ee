"""What handsets send by themselves, and what their users choose from menus: deliver_sm that nobody has written. Pure.

SMPP 3.4, sections 2.11 and 5.2.12: an SME's delivery acknowledgement says that a message was read, a manual one which
item of a menu was chosen. They are no receipts, for they say nothing of the way to the handset.
"""

from typing import Final

from gateway.smpp import DataSm, DeliverSm, EsmClass, TlvTag, find_tlv
from gateway.smpp.constants import MESSAGE_TYPE_MASK

_SAID_BY_HANDSETS: Final = frozenset({EsmClass.DELIVERY_ACKNOWLEDGEMENT, EsmClass.CONVERSATION_ABORT})


def is_without_words(body: DeliverSm | DataSm) -> bool:
    """Whether it is an acknowledgement that holds nothing of what a subscriber says."""
    message_type = body.esm_class & MESSAGE_TYPE_MASK
    if message_type in _SAID_BY_HANDSETS:
        return True
    return message_type == EsmClass.MANUAL_ACKNOWLEDGEMENT and not _has_octets(body)


def is_chosen(body: DeliverSm | DataSm) -> bool:
    """Whether its text is an item of a menu that an application offered: `N` there is no wish to hear no more."""
    return body.esm_class & MESSAGE_TYPE_MASK == EsmClass.MANUAL_ACKNOWLEDGEMENT


def _has_octets(body: DeliverSm | DataSm) -> bool:
    if isinstance(body, DeliverSm) and body.short_message:
        return True
    return bool(body.tlvs and find_tlv(body.tlvs, TlvTag.MESSAGE_PAYLOAD))
