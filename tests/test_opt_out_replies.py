"""What subscribers write back is heard: at once, on disk, confirmed where the account wants it, and never twice."""

from collections.abc import Sequence
from typing import Any

import pytest

from gateway.account import Account
from gateway.intake import Accepted, Decision
from gateway.message import Category, Message, MessageId, Status, new_record
from gateway.opt_out_replies import OptOutReplies, ReplyRules
from gateway.opt_outs import OptOut, Source
from gateway.policy.candidate import Draft
from gateway.policy.consent import EVERYONE, Scope
from gateway.policy.verdict import Reason, Refusal
from gateway.replies import Noted, Reply
from gateway.store.api import StoreUnavailableError
from tests.test_opt_outs import NUMBER, OUT, Rig, a_rig, restarted

ADVERT = Message(
    id=MessageId(7),
    account="demo",
    to=NUMBER,
    text="【阳光物业】酬宾",
    signature="阳光物业",
    category=Category.MARKETING,
    sender="88",
    accepted_at=1,
    expires_at=2,
)
DEMO = Account(name="demo", signatures=("阳光物业", "丰收银行"))


class Sent:
    """Takes in messages, and remembers them."""

    def __init__(self) -> None:
        self.drafts: list[Draft] = []
        self.refuses = False

    async def __call__(self, account: Account, drafts: Sequence[Draft]) -> Sequence[Decision]:
        assert account is DEMO
        self.drafts += drafts
        if self.refuses:
            return [Refusal(Reason.FREQUENCY_CAP, "full")]
        return [Accepted(new_record(ADVERT, Status.QUEUED, lane="a/normal"))]


def a_reply(text: str = "Ｒ。", *, answers: Message | None = ADVERT, **fields: Any) -> Reply:
    values = {"id": MessageId(99), "account": "demo", "phone": NUMBER, "text": text, "at": 5, "answers": answers}
    return Reply(**(values | fields))


def replies_to(rig: Rig, sent: Sent | None = None, **rules: Any) -> OptOutReplies:
    return OptOutReplies(rig.register, {"demo": ReplyRules(account=DEMO, **rules)}, sent or Sent())


async def test_a_word_opts_out_of_the_marketing_of_the_sender_whose_message_it_answers() -> None:
    rig = await a_rig()

    assert await replies_to(rig).note(a_reply()) == Noted("opt_out")

    again = await restarted(rig)
    assert len(again.opt_outs) == 1
    assert await again.register.read(OUT) == OptOut(5, Source.REPLY, "demo", "Ｒ。", MessageId(7))
    assert again.opt_outs.bar(ADVERT.signature, ADVERT.account, ADVERT.to, ADVERT.category)


async def test_it_holds_before_the_disk_has_it() -> None:
    rig = await a_rig()
    noting = replies_to(rig).note(a_reply())

    noting.send(None)

    assert OUT in rig.opt_outs
    noting.close()


@pytest.mark.parametrize("text", ["不退订", "R号楼", "好的", ""])
async def test_what_asks_for_nothing_changes_nothing(text: str) -> None:
    rig = await a_rig()

    assert await replies_to(rig).note(a_reply(text)) is None
    assert len(rig.opt_outs) == 0


async def test_an_account_may_leave_words_to_its_business() -> None:
    rig = await a_rig()
    replies = replies_to(rig, opt_out_words=frozenset({"td"}))

    assert await replies.note(a_reply("R")) is None
    assert await replies.note(a_reply("TD")) == Noted("opt_out")


async def test_when_the_message_is_not_known_it_is_of_all_that_the_account_may_be() -> None:
    rig = await a_rig()

    await replies_to(rig).note(a_reply(answers=None))

    for sender in ("阳光物业", "丰收银行", "@demo"):
        assert Scope(sender, NUMBER, Category.MARKETING) in rig.opt_outs
    assert len(rig.opt_outs) == 3


async def test_a_reply_to_nobody_we_know_is_left() -> None:
    rig = await a_rig()

    assert await replies_to(rig).note(a_reply(account="gone")) is None
    assert len(rig.opt_outs) == 0


async def test_who_writes_back_in_is_in_again_but_for_what_is_from_everyone() -> None:
    rig = await a_rig()
    replies = replies_to(rig)
    await replies.note(a_reply())
    everyone = Scope(EVERYONE, NUMBER, Category.MARKETING)
    await rig.register.add({everyone: OptOut(1, Source.API, "operator")})

    assert await replies.note(a_reply("订阅")) == Noted("opt_in")

    again = await restarted(rig)
    assert OUT not in again.opt_outs
    assert everyone in again.opt_outs
    [(who, _, _, why)] = [entry for entry in await rig.audited() if entry[1] == "opt_out.remove"]
    assert who == ""
    assert "订阅" in why


async def test_the_answer_goes_once_in_the_name_and_by_the_number_of_the_message() -> None:
    rig, sent = await a_rig(), Sent()
    replies = replies_to(rig, sent, opt_out_answer="您已退订。", opt_in_answer="欢迎回来。")

    for text in ("R", "R", "退订", "订阅", "订阅"):
        await replies.note(a_reply(text))

    assert [(each.text, each.to, each.signature, each.sender) for each in sent.drafts] == [
        ("您已退订。", NUMBER, "阳光物业", "88"),
        ("欢迎回来。", NUMBER, "阳光物业", "88"),
    ]
    assert {each.category for each in sent.drafts} == {Category.NOTIFICATION}
    assert all(each.urgent and str(99) in each.client_ref for each in sent.drafts)


async def test_without_an_answer_in_the_config_none_is_sent() -> None:
    rig, sent = await a_rig(), Sent()

    await replies_to(rig, sent).note(a_reply())

    assert sent.drafts == []


async def test_an_answer_that_the_rules_refuse_leaves_the_opt_out_as_it_is() -> None:
    rig, sent = await a_rig(), Sent()
    sent.refuses = True

    assert await replies_to(rig, sent, opt_out_answer="您已退订。").note(a_reply()) == Noted("opt_out")
    assert OUT in (await restarted(rig)).opt_outs


async def test_what_is_not_on_disk_is_not_noted() -> None:
    rig = await a_rig()
    rig.store.break_down("the disk is full")

    with pytest.raises(StoreUnavailableError):
        await replies_to(rig).note(a_reply())

    rig.store.repair()
    assert await replies_to(rig).note(a_reply()) == Noted("opt_out")
    assert OUT in (await restarted(rig)).opt_outs
