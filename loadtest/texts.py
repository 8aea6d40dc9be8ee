"""What a property company writes, made up by seed: notices of one part and of two, and codes."""

import random
from collections.abc import Callable
from typing import Final

SIGNATURE: Final = "【阳光物业】"  # put in front by the gateway; counts in the length

_SURNAMES: Final = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林罗梁"
_TITLES: Final = ("先生", "女士")
_ESTATES: Final = ("阳光花园", "翠湖名苑", "青枫公馆", "江畔里")
_FEES: Final = ("物业费", "水费", "停车费", "公共能耗费", "垃圾清运费")

# 50 to 68 characters with the signature: one part has room for 70.
_NOTICES: Final = (
    "{name}您好，{flat}本季{fee}{amount}元将于{month}月{day}日到期，请在到期前到服务中心或通过小程序缴纳，谢谢配合。",
    "{estate}业主您好，{month}月{day}日9:00至16:00因更换水泵停水，请提前储水，外出前检查龙头是否关闭，谢谢。",
    "{estate}{building}号楼客梯{month}月{day}日13:30至16:00维护保养，请改乘货梯，给您带来不便敬请谅解。",
    "{name}您好，您有包裹在{estate}前台，货架号{shelf}，请凭取件码{code}于20:30前领取，逾期每日退回一次，谢谢。",
    "{name}您好，{flat}的报修单已派师傅上门，预计今日{hour}点前到达，请保持电话畅通，完工后欢迎您评价。",
)
# 80 to 120 characters with the signature: two parts have room for 134.
_LONG_NOTICES: Final = (
    (
        "{name}您好，{flat}截至{month}月{day}日尚有{fee}{amount}元未缴。请于本月底前到服务中心或通过业主小程序缴纳；"
        "如已缴纳，请忽略本通知。对账单有疑问，可致电服务中心85{phone}，工作日9:00至17:30有专人为您核对。"
    ),
    (
        "{estate}各位住户：按照二次供水管理规定，我司委托专业单位于{month}月{day}日8:30至17:00清洗消毒{building}号楼水箱，"
        "其间停水。恢复供水初期水质可能发黄，放水片刻即可使用，请提前储水，并告知家中老人。"
    ),
)
# A code is short, names what it is for and how long it holds, and nothing else.
_CODES: Final = (
    "您的登录验证码是{code}，5分钟内有效，请勿告诉他人。",
    "{estate}访客验证码{code}，10分钟内有效，请出示给门岗核对。",
)

# An advertisement ends with how to be spared of it.
_INVITATIONS: Final = (
    "{estate}业主您好，{month}月{day}日在小区广场举办邻里集市，凭短信到服务中心领取纪念品一份，拒收请回复R",
    "{name}您好，{estate}会所游泳课程{month}月{day}日开课，业主报名享八折，名额有限，拒收请回复R",
)


def invitation(source: random.Random) -> str:
    """Return an advertisement that makes one part with the signature."""
    return _fill(source.choice(_INVITATIONS), source)


def notice(source: random.Random) -> str:
    """Return a notice that makes one part with the signature."""
    return _fill(source.choice(_NOTICES), source)


def long_notice(source: random.Random) -> str:
    """Return a notice that makes two parts with the signature."""
    return _fill(source.choice(_LONG_NOTICES), source)


def code(source: random.Random) -> str:
    """Return a text with a one-time password, of one part."""
    return _fill(source.choice(_CODES), source)


def _fill(template: str, source: random.Random) -> str:
    estate, building = source.choice(_ESTATES), source.randint(1, 18)
    fields: dict[str, Callable[[], object]] = {
        "name": lambda: source.choice(_SURNAMES) + source.choice(_TITLES),
        "estate": lambda: estate,
        "building": lambda: building,
        "flat": lambda: f"{building}栋{source.randint(1, 30)}{source.randint(1, 4):02}室",
        "fee": lambda: source.choice(_FEES),
        "amount": lambda: f"{source.randint(5_000, 250_000) / 100:.2f}",
        "month": lambda: source.randint(1, 12),
        "day": lambda: source.randint(1, 28),
        "hour": lambda: source.randint(10, 18),
        "shelf": lambda: f"{source.choice('ABCDEF')}{source.randint(1, 40)}",
        "code": lambda: f"{source.randrange(1_000_000):06}",
        "phone": lambda: f"{source.randrange(1_000_000):06}",
    }
    return template.format_map({name: make() for name, make in fields.items()})
