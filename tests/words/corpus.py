"""What the detection of words is measured with: every shipped word in every disguise, and messages that have none.

The disguises are written by hand here, and not taken from the gateway's own tables, but for sounds and pieces.
"""

import random
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from gateway.config import shipped
from gateway.word_files import WordFile, read_list, read_tables
from gateway.words.lists import Level, Rule, read_rules
from gateway.words.sounds import sound_of

SEED: Final = 20_261_125
HELD_BACK: Final = 10  # one word in so many is never looked at while the search is tuned
VARIANTS: Final = 7  # messages made of each innocent line

SENTENCES: Final = (
    "您好，{}请联系我们。",
    "长期{}，价格优惠，欢迎来电咨询",
    "本公司专业{}十年",
    "【阳光物业】最新消息：{}！详情见公告。",
    "好消息!{}，仅限本周",
    "需要{}的朋友可以看看",
    "各位业主，楼下有人{}，请注意。",
    "{}",
    "hi {} ok",
    "周末，我们在3号楼，{}；名额有限。",
)
TRADITIONAL: Final = dict(
    zip(
        "发开证办专东业丢严丰临为丽举义乐习乡书买乱争于云亚产亲亿仅从仓仪们价众优会伞传伤伦伪体佣侠侣侦侧债倾假偿"
        "储儿党关兴兹养兽册写军农冯冲决况冻净准凉减凑凤凭凯击凿刘则刚创删别剂剑剧劝务动励劲劳势勋匀区医华协单卖卢"
        "卫却厂厅历压厌厕县参双变叙叶号叹吓吕吗听启吴员呜响哑唤啰嘱团园围国图圆圣场坏块坚坛坝坟坠垄垒垦垫执扩扫"
        "枪药资贩赌贷钱银户头实视频订货网络险车转账运过还进远连迟适选递逻遗邮邻郑酱释里鉴钟钢钥铁铃铅销锁错键锋"
        "门闪闭问间闲阳阴阵阶际陆陈陕隐难雾静韩页顶项顺须顾顿预领颈频题颜额风飞饭饮饰饱馆马驾驶验骗骤鱼鲁鲜鸟鸡"
        "鸣鸭麦黄齐齿龙龟闹诈认讨让训议记讲许论设访评识诉词试话诱语误说请诸课谁调谈谊谋谢谣负财责败账质贪贫购贯贱",
        "發開證辦專東業丟嚴豐臨為麗舉義樂習鄉書買亂爭於雲亞產親億僅從倉儀們價眾優會傘傳傷倫偽體傭俠侶偵側債傾假償"
        "儲兒黨關興茲養獸冊寫軍農馮衝決況凍淨準涼減湊鳳憑凱擊鑿劉則剛創刪別劑劍劇勸務動勵勁勞勢勳勻區醫華協單賣盧"
        "衛卻廠廳歷壓厭廁縣參雙變敘葉號嘆嚇呂嗎聽啟吳員嗚響啞喚囉囑團園圍國圖圓聖場壞塊堅壇壩墳墜壟壘墾墊執擴掃"
        "槍藥資販賭貸錢銀戶頭實視頻訂貨網絡險車轉賬運過還進遠連遲適選遞邏遺郵鄰鄭醬釋裡鑑鐘鋼鑰鐵鈴鉛銷鎖錯鍵鋒"
        "門閃閉問間閒陽陰陣階際陸陳陝隱難霧靜韓頁頂項順須顧頓預領頸頻題顏額風飛飯飲飾飽館馬駕駛驗騙驟魚魯鮮鳥雞"
        "鳴鴨麥黃齊齒龍龜鬧詐認討讓訓議記講許論設訪評識訴詞試話誘語誤說請諸課誰調談誼謀謝謠負財責敗賬質貪貧購貫賤",
        strict=True,
    )
)
LOOKALIKES: Final = dict(zip("aceopxyiskbtmnhuv", "асеорхуіѕкЬтмпнυν", strict=True))
ZERO_WIDTH: Final = "\u200b\u200c\u200d\u2060\ufeff\u00ad\u200e"
SIGNS: Final = "*.-_·~|/+#^'`•※=&@、，。!"
EMOJI: Final = "😀🔥💰👉⭐❤"

Disguise = Callable[[str, random.Random], str]


class Sample(msgspec.Struct, frozen=True):
    """One message: what is hidden in it, and how."""

    text: str
    word: str
    level: Level
    disguise: str
    held_back: bool


def _each(table: dict[str, str]) -> Disguise:
    return lambda word, _: "".join(table.get(each, each) for each in word)


def _letters(first_letter: int, first_digit: int | None = None) -> Disguise:
    def disguise(word: str, _: random.Random) -> str:
        shaped = (
            chr(first_letter + ord(each) - ord("a"))
            if "a" <= each <= "z"
            else chr(first_digit + int(each))
            if first_digit is not None and each.isdigit() and each.isascii()
            else each
            for each in word.lower()
        )
        return "".join(shaped)

    return disguise


def _between(signs: str, *, everywhere: bool = True) -> Disguise:
    def disguise(word: str, chance: random.Random) -> str:
        gap = chance.randrange(1, len(word))
        return "".join(
            (chance.choice(signs) if n and (everywhere or n == gap) else "") + each for n, each in enumerate(word)
        )

    return disguise


def _after(marks: str) -> Disguise:
    return lambda word, chance: "".join(each + chance.choice(marks) for each in word)


def _both(first: Disguise, second: Disguise) -> Disguise:
    return lambda word, chance: second(first(word, chance), chance)


# What the search claims to see through: of what is hidden so, at least 97 % must be refused or held.
DISGUISES: Final[dict[str, Disguise]] = {
    "none": lambda word, _: word,
    "full width": lambda word, _: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in word),
    "upper case": lambda word, _: word.upper(),
    "traditional": _each(TRADITIONAL),
    "zero width": _between(ZERO_WIDTH),
    "signs": _between(SIGNS),
    "one sign": _between("*.-_·~|/+#", everywhere=False),
    "spaces": _between(" \u3000\u00a0"),
    "one space": _between(" \u3000", everywhere=False),
    "two signs": _both(_between("·*_"), _between(" ")),
    "emoji": _between(EMOJI),
    "combining marks": _after("\u0336\u0332\u20dd"),
    "hangul fillers": _between("\u115f\u1160\u3164\uffa0"),
    "circled": _letters(0x24D0),
    "negative squared": _letters(0x1F170),
    "mathematical": _letters(0x1D41A, 0x1D7CE),
    "double struck": _letters(0x1D552, 0x1D7D8),
    "look-alikes": _each(LOOKALIKES),
    "traditional, signs": _both(_each(TRADITIONAL), _between(SIGNS)),
    "traditional, zero width, upper case": _both(
        _each(TRADITIONAL), _both(_between(ZERO_WIDTH), lambda word, _: word.upper())
    ),
    "mathematical, spaces": _both(_letters(0x1D41A, 0x1D7CE), _between(" ")),
}


class Sounds:
    """Homophones, pinyin and pieces. They are at most held, by default only counted, and so measured apart."""

    def __init__(self) -> None:
        tables = read_tables(shipped("words"))
        self._syllables = tables.syllables()
        self._syllable_of = {each: key for key, value in self._syllables.items() for each in value}
        self._alike: dict[str, str] = {}
        for syllable, characters in self._syllables.items():
            sound = sound_of(syllable)
            self._alike[sound] = self._alike.get(sound, "") + characters[:12]
        self._pieces = tables.pieces()
        self.disguises: dict[str, Disguise] = {
            "one homophone": self._homophones(1),
            "all homophones": self._homophones(40),
            "one pinyin": self._pinyin(1),
            "all pinyin": self._pinyin(40),
            "pieces": self._in_pieces,
        }

    def _homophones(self, most: int) -> Disguise:
        def disguise(word: str, chance: random.Random) -> str:
            return self._replace(word, chance, most, lambda each: chance.choice(self._alike[sound_of(each[1])]))

        return disguise

    def _pinyin(self, most: int) -> Disguise:
        return lambda word, chance: self._replace(word, chance, most, lambda each: each[1])

    def _replace(self, word: str, chance: random.Random, most: int, other: Callable[[tuple[str, str]], str]) -> str:
        spoken = [n for n, each in enumerate(word) if each in self._syllable_of]
        chosen = set(chance.sample(spoken, min(most, len(spoken))))
        return "".join(other((c, self._syllable_of[c])) if n in chosen else c for n, c in enumerate(word))

    def _in_pieces(self, word: str, chance: random.Random) -> str:
        apart = [n for n, each in enumerate(word) if each in self._pieces]
        if not apart:
            return word
        n = chance.choice(apart)
        return word[:n] + chance.choice(self._pieces[word[n]]) + word[n + 1 :]


def shipped_rules() -> list[Rule]:
    """What the gateway looks for when its config says nothing else."""
    return read_rules([read_list(WordFile(str(shipped("words/shipped.txt")), Level.BLOCK, Level.TAG))])


def disguised(disguises: dict[str, Disguise], seed: int = SEED) -> Iterator[Sample]:
    """Every shipped word in every disguise that changes it, each in a sentence."""
    for rule in shipped_rules():
        if rule.level not in {Level.BLOCK, Level.REVIEW}:
            continue
        chance = random.Random(f"{seed} {rule.word}")
        for name, disguise in disguises.items():
            hidden = disguise(rule.word, chance)
            if hidden == rule.word and name != "none":
                continue
            text = chance.choice(SENTENCES).format(hidden)
            yield Sample(text, rule.word, rule.level, name, zlib.crc32(rule.word.encode()) % HELD_BACK == 0)


def innocent(seed: int = SEED) -> list[tuple[str, str]]:
    """At least 500 messages, all different, with their trade."""
    chance = random.Random(seed)
    messages: dict[str, str] = {}
    trade = ""
    for line in (Path(__file__).parent / "innocent.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            trade = line.strip("[]")
        elif line and not line.startswith("#"):
            for _ in range(VARIANTS):
                messages[re.sub(r"\{([^}]*)\}", lambda found: chance.choice(found[1].split("|")), line)] = trade
    return list(messages.items())
