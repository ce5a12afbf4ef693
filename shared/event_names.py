"""What people call an event, in each language, in one place: the audit trail and a person's package say the same."""

from collections.abc import Mapping

NAMES: Mapping[str, tuple[str, str]] = {
    "audit.alarm.acknowledged": ("alarm acknowledged", "确认警报"),
    "audit.alarm.raised": ("alarm of the log", "日志警报"),
    "audit.entry.viewed": ("read one entry of the log", "查看日志原文"),
    "audit.index.rebuilt": ("search index rebuilt", "重建查询索引"),
    "audit.ledger.recorded": ("shards vouched for one another", "分片相互见证"),
    "audit.tail.ended": ("stopped watching the trail", "结束实时查看"),
    "audit.trail.exported": ("exported the audit trail", "导出审计记录"),
    "audit.trail.viewed": ("searched the audit trail", "查询审计记录"),
    "backup.drill.failed": ("backup drill failed", "备份演练失败"),
    "backup.drill.passed": ("backup drill passed", "备份演练通过"),
    "backup.restore.finished": ("backup restored", "备份已恢复"),
    "backup.set.taken": ("backup taken", "已备份"),
    "customers.address.changed": ("e-mail address changed", "更改电子邮箱"),
    "customers.address.confirmed": ("changed address proven", "更改后的邮箱已确认"),
    "customers.address.objected": ("change of address refused by the person", "本人否认更改邮箱"),
    "customers.customer.created": ("customer created", "新建客户"),
    "customers.customer.updated": ("customer changed", "更改客户"),
    "customers.key.renewed": ("a customer's key was renewed", "更新客户的密钥"),
    "customers.import.completed": ("customers imported", "导入客户"),
    "customers.records.assigned": ("customer records given to their representative", "客户记录已分配给其销售代表"),
    "customers.records.exported": ("customer records exported", "导出客户记录"),
    "customers.records.viewed": ("looked at customer records", "查看客户记录"),
    "dsar.answer.refused": ("holder's answer refused", "拒收持有方的答复"),
    "dsar.certificate.issued": ("certificate of erasure issued", "签发删除证明"),
    "dsar.claim.decided": ("decided whose record it is", "认定记录归属"),
    "dsar.claim.proposed": ("proposed whose record it is", "提议记录归属"),
    "dsar.erasure.proven": ("holder proved that it erased", "持有方已证明删除"),
    "dsar.erasure.requested": ("asked to be forgotten", "请求被遗忘"),
    "dsar.key.renewed": ("a request's key was renewed", "更新请求的密钥"),
    "dsar.package.delivered": ("data handed to the person", "向本人交付数据"),
    "dsar.request.answered": ("request answered", "请求已答复"),
    "dsar.request.closed": ("request closed", "请求已关闭"),
    "dsar.request.extended": ("request extended", "请求已延期"),
    "dsar.request.received": ("request received", "收到请求"),
    "dsar.request.verified": ("person verified", "身份已验证"),
    "identity.account.viewed": ("looked at an account", "查看账户"),
    "identity.approval.given": ("agreed to an approval", "同意审批"),
    "identity.approval.granted": ("approval granted", "审批通过"),
    "identity.approval.reminded": ("approval still waits", "审批仍在等待"),
    "identity.approval.refused": ("approval refused", "审批被拒"),
    "identity.approval.requested": ("asked for an approval", "申请审批"),
    "identity.key.renewed": ("a user's key was renewed", "更新用户的密钥"),
    "identity.session.ended": ("signed out", "退出"),
    "identity.session.refused": ("sign-in refused", "登录被拒"),
    "identity.session.started": ("signed in", "登录"),
    "identity.user.created": ("account created", "新建账户"),
}

REFUSED = ("was refused access", "访问被拒")  # by any service


def event_name(type_: str, language: str) -> str:
    """Of a type as the envelope has it; one that has no name here, another team's, goes by its type."""
    name = type_.removeprefix("kept.").rpartition(".v")[0]
    known = REFUSED if name.endswith(".access.refused") else NAMES.get(name)
    return known[language == "zh"] if known else type_
