"""How people read what holders say: a system by a name of ours instead of its id, and our own holders' words in Chinese too.

A holder says why it holds something in English; that is signed, and stays in package and certificate as it was said. Pages,
mails and the page in a package show the reader's language where the words are our own (a test holds that every one is here).
Another team's words stay as given, in quotation marks: they are that holder's, and never read as ours.
"""

import re
from collections.abc import Iterable, Mapping

NAMES: Mapping[str, Mapping[str, str]] = {
    "en": {
        "identity": "staff accounts",
        "customers": "customer records",
        "audit": "audit log",
        "dsar": "requests about personal data",
    },
    "zh": {
        "identity": "员工账户",
        "customers": "客户记录",
        "audit": "审计日志",
        "dsar": "个人数据请求",
    },
}
OTHERS: Mapping[str, str] = {"en": "{name} (another system)", "zh": "{name}（其他系统）"}
QUOTED = "“{text}”"
AS_GIVEN = "{text}（原文）"
ARTICLE = re.compile(r"GDPR( Art\.)? [0-9(),a-f ]+")  # the same in every language

ZH: Mapping[str, str] = {
    # what stays after an erasure, and why
    "that events happened, under a pseudonym that leads to nobody any more": "事件发生过的事实，以不再指向任何人的假名记录",
    "keyed hashes of address and number in those events, until the key rotates": "这些事件中邮箱和号码的带密钥散列，"
    "直至密钥轮换",
    "the pseudonym, and when it was made and erased": "假名，以及其创建和删除的时间",
    "GDPR 5(2), 17(3)(e): to show the erasure": "GDPR 5(2), 17(3)(e)：用于证明已删除",
    "keyed hashes of the customer number and of the e-mail address, under a key that is in no backup": "客户编号和"
    "电子邮箱的带密钥散列，其密钥不在任何备份中",
    "GDPR 5(2), 17(1): so that a file, also one with a new number, does not bring the record back": "GDPR 5(2), 17(1)：以免"
    "导入的文件（包括使用新编号的文件）使记录重新出现",
    "that you asked, when, and the outcome, without your address": "您提出过请求、时间和结果，不含您的邮箱",
    "keyed hashes of the address in those events, until the key rotates": "这些事件中邮箱的带密钥散列，直至密钥轮换",
    "how often a wrong number was typed, under a keyed hash, for 30 days": "输入错误编号的次数，以带密钥散列保存，最多 30 天",
    "the address of each request that you made, until its last mail has left": "您每个请求的邮箱，直至该请求的最后一封邮件发出",
    "pseudonym, reporting line, decisions on approvals": "假名、汇报关系、审批决定",
    "GDPR Art. 17(3)(e), accountability": "GDPR Art. 17(3)(e)，问责",
    "who decided on your erasure and when, under your pseudonym": "谁在何时就删除您的数据作出决定，以您的假名记录",
    "backups taken before": "此前的备份",
    "encrypted; a restore erases these records again before anything else": "已加密；恢复时首先再次删除这些记录",
    "copies that recipients outside received before": "外部接收方此前收到的副本",
    "an answer to an access request names who received data": "对查询请求的答复会列出数据的接收方",
    # categories: names
    "who looked at your data": "谁查看过您的数据",
    "requests": "请求",
    "staff account": "员工账户",
    "sign-ins": "登录",
    "Record": "记录",
    "Name": "姓名",
    "Contact data": "联系方式",
    "Place": "地址",
    "Changes of the e-mail address": "电子邮箱的更改",
    # what for
    "show that data is used as promised, and find misuse": "证明数据按承诺使用，并发现滥用",
    "answer your requests and show that they were answered": "答复您的请求，并证明已答复",
    "access to the company's systems": "访问公司系统",
    "security of processing": "处理的安全",
    "keep the record": "保存记录",
    "know whom a contract is with": "明确合同对方是谁",
    "tell customers about their orders and answer them": "告知订单情况并答复客户",
    "delivery, and the tax of the place of supply": "配送，以及供货地税务",
    "nobody takes a person's place by writing another address over theirs": "以免有人通过更改邮箱冒充他人",
    # how long
    "as long as the log: entries hold a pseudonym and no readable data": "与日志同期：条目只含假名，不含可读数据",
    "address: until the request closes; the rest: as long as needed to show compliance": "邮箱：至请求关闭；"
    "其余：证明合规所需期间",
    "until employment ends, or on request": "至雇佣结束，或应要求",
    "30 days": "30 天",
    "as the fields above": "同以上各项",
    "until 3 years after the last contract": "至最后一份合同结束后三年",
    "as the record; the addresses until the change is settled": "与记录相同；邮箱至更改处理完毕",
    # who received it
    "sales agents of Chinook Corporation, and their managers: what the purpose needs, each look recorded": "Chinook "
    "Corporation 的销售人员及其主管：仅目的所需，每次查看均有记录",
}


def called(holder: str, language: str) -> str:
    """A system's name for people."""
    mine = NAMES.get(language, NAMES["en"]).get(holder)
    return mine or OTHERS.get(language, OTHERS["en"]).format(name=holder)


def all_called(holders: Iterable[str], language: str) -> str:
    """Several, in one line."""
    return ("、" if language == "zh" else ", ").join(called(one, language) for one in holders)


def told(text: str, language: str) -> str:
    """What a holder said, in the reader's language where it is one of ours; else as given, and marked so."""
    if language != "zh" or not text or ARTICLE.fullmatch(text):
        return text
    return ZH.get(text) or AS_GIVEN.format(text=text)


def quoted(text: str, holder: str, language: str) -> str:
    """What `holder` said: of one of ours, in the reader's language; of another team's, always a quotation, whatever it says."""
    if holder in NAMES["en"] or not text:
        return told(text, language)
    words = QUOTED.format(text=text.replace("“", '"').replace("”", '"'))
    return AS_GIVEN.format(text=words) if language == "zh" else words
