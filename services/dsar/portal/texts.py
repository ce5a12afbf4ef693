"""The words of pages and mails in English and Chinese. A test holds both to the same keys."""

from collections.abc import Mapping

EN: Mapping[str, str] = {
    "title": "Your data, your rights",
    "lead": "Ask {controller} what it holds on you, or ask to be forgotten. It costs nothing and needs no account.",
    "choose": "What do you want?",
    "access": "What do you hold on me?",
    "access.hint": "You get everything as one file: what, why, for how long, who received it, and who looked at it.",
    "erasure": "Forget me.",
    "erasure.hint": "Two people check the request. Then every system is asked to destroy its key to your records, and you "
    "get a certificate that says what was erased and what was not.",
    "email": "Your e-mail address",
    "email.hint": "We send a code to it. We keep it encrypted, only for this request, and destroy it at the end.",
    "email.bad": "This is not an e-mail address.",
    "send": "Send me a code",
    "request": "Your request",
    "code.lead": "We are sending a code to the address you typed. Type it here.",
    "code": "Code (eight digits)",
    "code.send": "This is my code",
    "code.again": "Send the code again",
    "code.wrong": "That code is wrong, used or too old. Try again, or have it sent again.",
    "code.sent": "We are sending the code again: the same one while it is good, else a new one. After five in an hour, "
    "none for an hour.",
    "code.hint": "It can take some minutes; look among unwanted mail too. One address gets at most five codes an hour: if "
    "none comes, wait an hour and send it again.",
    "code.closed": "Is your request closed already? Then no code can come any more: its address is destroyed. Use the "
    "link in our last mail, or write to us and name {request}.",
    "narrow.lead": "This address leads to {n} records. All of them may be yours, since a person can stand in our records "
    "twice, or some may be of others who use the address. So that nobody gets or erases another's data, name each record "
    "that is yours by a number that stands on it alone.",
    "narrow": "A customer number, or a phone number with country code",
    "narrow.send": "Add this record",
    "narrow.wrong": "This number does not tell which record is yours. Please try another one that we know.",
    "narrow.over": "Those were too many wrong numbers, so none can be tried any more.",
    "narrow.hint": "The customer number stands on every invoice. You can add several numbers, one after the other.",
    "narrow.added": "Added. See below which records are covered now.",
    "narrow.again": "You have named this record already.",
    "narrow.shared": "This number stands on more than one of the records, so it does not tell which of them is yours. "
    "Please give the customer number, or write to us as said below.",
    "narrow.desk": "You know no number? Write to {contact}, name {request}, and say what you have: an invoice, a letter "
    "or a contract, for example. Two people there decide together. Your request waits for it until {until}; then it ends, "
    "and you can ask again.",
    "narrow.done.lead": "Not covered if you go on now: {n}. They stay as they are.",
    "narrow.done": "Go on with these records",
    "too.many": "There are too many requests just now. Please try again in a minute.",
    "state": "Where it stands",
    "state.received": "waiting for your code",
    "state.verified": "looking for records with your address in every system",
    "state.unclear": "waiting for you to name your records",
    "state.assessed": "two people are checking it",
    "state.approved": "approved",
    "state.dispatched": "every system was asked; not all have answered",
    "state.answered": "your answer is ready",
    "state.delivered": "delivered",
    "state.refused": "refused",
    "state.closed": "closed",
    "received": "Received",
    "due": "Answer at the latest",
    "place": "Where do you live?",
    "place.hint": "It decides which law's time limits hold for your request. It is kept nowhere but in that choice.",
    "place.other": "Somewhere else, or I would rather not say",
    "law": "By which law",
    "law.place": "The law of the place that you named.",
    "law.controller": "You named no place whose law we keep: it is the law of our own place.",
    "law.right": "The law of the place that you named sets no time for this: we keep that of our own place.",
    "law.sector": "A law of our line of work ends sooner than that of your place.",
    "law.strictest": "Of the laws that we keep, the one that ended first.",
    "reviewed": "law file last reviewed",
    "holders": "Systems asked",
    "holder": "System",
    "holder.answered": "answered",
    "holder.waiting": "not yet",
    "nothing": "None of these systems found a record with this address: {holders}. A record under another address or only "
    "under a name is not found this way.",
    "download": "Download my data",
    "download.lead": "One zip file with a page to read and the data to take elsewhere.",
    "passphrase": "Passphrase to encrypt it (optional)",
    "passphrase.hint": "With a passphrase you get an age file: open it with any age program. We do not keep it.",
    "recipient": "or your age recipient (optional)",
    "recipient.bad": "This is not an age recipient (age1…).",
    "certificate": "Download the certificate",
    "certificate.lead": "Every system that we asked says that it erased the records named here, or holds nothing on them. "
    "The certificate has their signed answers and can be checked offline.",
    "refused.lead": "The request was refused. The reason: {reason}. You may complain to {authority}, or go to court.",
    "refused.unsaid": "none was given; please ask us",
    "refused.anyone": "your supervisory authority",
    "late.lead": "This should have been answered by now. We are still at it. You may complain to {authority}, or go to court.",
    "refresh": "Refresh",
    "close": "Close and destroy",
    "close.lead": "Closing destroys the answer and your address. You can ask again at any time.",
    "closed.lead": "This request is closed. Its keys are destroyed: nobody can read answer or address now.",
    "closed.soon": "This request is closed and the answer is destroyed. We are sending you a last mail; then your address "
    "is destroyed too.",
    "contact": "Questions",
    "language": "中文",
    "mail.code.subject": "Your code: {code}",
    "mail.code": "Your code is {code}. It is good for 15 minutes, once.\n\n"
    "Type it here: {link}\n\n"
    "If you did not ask for it, do nothing: without the code nothing happens.\n",
    "mail.ready.subject": "Your answer is ready",
    "mail.ready": "The answer to your request is ready.\n\n"
    "{coverage}\n\n"
    "See it here: {link}\n\n"
    "The link works on any device until {until}. Whoever has it sees your data, so give it to nobody. You can end it on "
    "the page.\n",
    "mail.erased.subject": "What we erased, and what not",
    "mail.erased": "Your request {request} is done.\n\n"
    "{coverage}\n\n"
    "These systems say that they erased the covered records, or hold nothing on them: {holders}.\n\n"
    "What they keep, and why:\n{kept}\nBackups taken before hold these records encrypted; whoever restores one erases "
    "them again first. Copies that recipients outside received before are not reached.\n\n"
    "Your certificate: {link}\n\n"
    "The link works on any device until {until}; download the certificate before. If another record with this address is "
    "yours too, ask again and give its number, or write to {contact}.\n\n"
    "We now destroy this address, so no code can reach you any more; this is our last mail about it.\n",
    "mail.claimed.subject": "We found which record is yours",
    "mail.claimed": "Two of us looked at what you showed and decided that one more record is yours. What your request "
    "{request} covers now, and how you go on, stands on its page: {link}\n",
    "mail.refused.subject": "Your request was refused",
    "mail.refused": "Your request was refused. The reason: {reason}.\n\n"
    "You may complain to {authority}, or go to court.\n\n"
    "{link}\n\n"
    "The link works on any device until {until}.\n",
    "mail.extended.subject": "Your answer takes longer",
    "mail.extended": "Your request is complex or one of many. The law allows us more time; the new date stands here: {link}\n",
    "mail.closed.subject": "Your request is closed",
    "mail.closed": "Your request {request} is closed. The answer is destroyed, and this address is destroyed now; this is "
    "our last mail about it.\n",
    "mail.is.waiting": "We are sending you a mail about it.",
    "mail.is.sent": "We sent you a mail about it.",
    "mail.is.lost": "Our mail about it could not be delivered. Please use this page.",
    "link.old": "This link is not good any more: its time is over, or it was ended from the request's page.",
    "covers": "Which records this request covers",
    "covers.erased": "What was erased, and what was not",
    "covers.address": "Covered: the record that this address leads to ({subject})",
    "covers.number": "Covered: the record with the number {number} ({subject})",
    "covers.claimed": "Covered: a record whose number you gave ({subject})",
    "covers.desk": "Covered: a record that two of us decided is yours ({subject})",
    "covers.holder": "Covered: a record that only {holders} has under this address ({subject}); nobody else was asked about it",
    "covers.not": "Not covered: other records that share this address. How many: {n}. They stay as they are.",
    "covers.all": "We know of no other record with this address.",
    "covers.none": "We found no record with this address.",
    "covers.how": "Is one of the others yours? Ask again and give its number, or write to {contact} and name {request}.",
    "missing": "These systems did not answer in time, so what they hold is missing in the answer: {holders}. You can ask "
    "again.",
    "kept": "What is left of them, and why",
    "kept.backups": "Backups taken before hold these records encrypted. Whoever restores one erases them again first.",
    "kept.recipients": "Copies that recipients outside received before are not reached.",
    "withdraw": "Take my request back",
    "withdraw.lead": "Nothing was handed out or erased yet. If you take the request back, it ends here.",
    "revoke": "End them",
    "revoke.lead": "This page can be opened from another browser, or by a link in one of our mails.",
    "revoked": "Only this browser opens the page now; links in mails we sent do so no more.",
}

ZH: Mapping[str, str] = {
    "title": "您的数据，您的权利",
    "lead": "向 {controller} 查询它持有您的哪些数据，或要求被遗忘。免费，无需账户。",
    "choose": "您想做什么？",
    "access": "你们持有我的哪些数据？",
    "access.hint": "您会得到一个文件：有什么、为什么、保存多久、提供给了谁、谁看过。",
    "erasure": "忘记我。",
    "erasure.hint": "由两个人核准。之后要求每个系统销毁您记录的密钥，您会得到一份证书，说明删除了什么、没有删除什么。",
    "email": "您的电子邮箱",
    "email.hint": "我们会向它发送验证码。邮箱加密保存，仅用于本次请求，结束时销毁。",
    "email.bad": "这不是有效的电子邮箱。",
    "send": "发送验证码",
    "request": "您的请求",
    "code.lead": "我们正在向您填写的邮箱发送验证码。请在此输入。",
    "code": "验证码（八位数字）",
    "code.send": "提交验证码",
    "code.again": "再次发送验证码",
    "code.wrong": "验证码错误、已使用或已过期。请重试，或再次发送。",
    "code.sent": "我们正在再次发送验证码：仍有效时为同一个，否则为新的。一小时内发送五次后，需等待一小时。",
    "code.hint": "可能需要几分钟；也请查看垃圾邮件。同一邮箱每小时最多收到五次验证码：如果没有收到，请等待一小时后重新发送。",
    "code.closed": "您的请求已经关闭？那么邮箱已销毁，不会再有验证码。请使用我们最后一封邮件中的链接，或写信给我们并注明 "
    "{request}。",
    "narrow.lead": "此邮箱对应 {n} 条记录。它们可能都是您的（同一个人可能被登记两次），也可能属于共用此邮箱的其他人。"
    "为了不把他人的数据交给您或误删，请用只出现在该记录上的号码逐一指明属于您的记录。",
    "narrow": "客户编号，或带国家代码的电话号码",
    "narrow.send": "添加这条记录",
    "narrow.wrong": "无法通过这个号码确认哪条记录是您的。请换一个我们登记过的号码。",
    "narrow.over": "错误的号码次数过多，不能再尝试。",
    "narrow.hint": "客户编号印在每张发票上。您可以逐一添加多个号码。",
    "narrow.added": "已添加。下方列出目前涵盖的记录。",
    "narrow.again": "您已经指明过这条记录。",
    "narrow.shared": "这个号码出现在多条记录上，无法说明哪一条是您的。请填写客户编号，或按下方说明写信给我们。",
    "narrow.desk": "不知道任何号码？请写信到 {contact}，注明 {request}，并说明您持有什么，例如发票、信函或合同。"
    "由两个人共同决定。您的请求会等到 {until}；之后结束，您可以再次提出。",
    "narrow.done.lead": "如果现在继续，未涵盖的记录数：{n}。它们保持不变。",
    "narrow.done": "以这些记录继续",
    "too.many": "目前请求过多，请一分钟后再试。",
    "state": "进度",
    "state.received": "等待您的验证码",
    "state.verified": "正在每个系统中查找使用您邮箱的记录",
    "state.unclear": "等待您指明属于您的记录",
    "state.assessed": "两个人正在核准",
    "state.approved": "已核准",
    "state.dispatched": "已询问每个系统，尚未全部答复",
    "state.answered": "答复已准备好",
    "state.delivered": "已交付",
    "state.refused": "被拒绝",
    "state.closed": "已关闭",
    "received": "收到时间",
    "due": "最迟答复",
    "place": "您居住在哪里？",
    "place.hint": "它决定您的请求适用哪部法律的期限。除此选择外，我们不另行保存。",
    "place.other": "其他地方，或不愿说明",
    "law": "依据的法律",
    "law.place": "您所选地区的法律。",
    "law.controller": "您没有选择我们收录其法律的地区：适用我们所在地的法律。",
    "law.right": "您所选地区的法律没有为此规定期限：我们遵守我们所在地的法律。",
    "law.sector": "我们行业的法律比您所在地的法律期限更短。",
    "law.strictest": "在我们收录的法律中最先到期的一部。",
    "reviewed": "法律数据最近复核",
    "holders": "已询问的系统",
    "holder": "系统",
    "holder.answered": "已答复",
    "holder.waiting": "尚未答复",
    "nothing": "以下系统均未找到使用此邮箱的记录：{holders}。使用其他邮箱或仅有姓名的记录无法以此方式找到。",
    "download": "下载我的数据",
    "download.lead": "一个 zip 文件：既有可阅读的网页，也有可带走的数据。",
    "passphrase": "加密口令（可选）",
    "passphrase.hint": "填写口令后得到一个 age 文件，可用任何 age 程序打开。我们不保存口令。",
    "recipient": "或您的 age 公钥（可选）",
    "recipient.bad": "这不是有效的 age 公钥（age1…）。",
    "certificate": "下载证书",
    "certificate.lead": "我们询问的每个系统都声明已删除此处列出的记录，或不持有相关数据。证书包含它们签名的答复，可离线验证。",
    "refused.lead": "请求被拒绝。理由：{reason}。您可以向{authority}投诉，或向法院起诉。",
    "refused.unsaid": "未说明，请向我们询问",
    "refused.anyone": "监管机构",
    "late.lead": "本应已经答复，我们仍在处理。您可以向{authority}投诉，或向法院起诉。",
    "refresh": "刷新",
    "close": "关闭并销毁",
    "close.lead": "关闭会销毁答复和您的邮箱。您可以随时再次提出请求。",
    "closed.lead": "此请求已关闭，密钥已销毁：任何人都无法再读取答复或您的邮箱。",
    "closed.soon": "此请求已关闭，答复已销毁。我们正在发送最后一封邮件，之后您的邮箱也会被销毁。",
    "contact": "联系",
    "language": "English",
    "mail.code.subject": "您的验证码：{code}",
    "mail.code": "您的验证码是 {code}，15 分钟内有效，仅可使用一次。\n\n"
    "请在此输入：{link}\n\n"
    "如果不是您本人的请求，请忽略：没有验证码，什么都不会发生。\n",
    "mail.ready.subject": "您的答复已准备好",
    "mail.ready": "您的请求已有答复。\n\n"
    "{coverage}\n\n"
    "请在此查看：{link}\n\n"
    "此链接在 {until} 之前可在任何设备上打开。拥有链接的人能看到您的数据，请勿转交他人。您可以在页面上终止它。\n",
    "mail.erased.subject": "已删除的与未删除的",
    "mail.erased": "您的请求 {request} 已完成。\n\n"
    "{coverage}\n\n"
    "以下系统声明已删除所涵盖的记录，或不持有相关数据：{holders}。\n\n"
    "它们保留的内容及原因：\n{kept}\n此前的备份仍以加密形式包含这些记录；恢复备份者会先再次删除它们。"
    "外部接收方此前收到的副本不在删除范围内。\n\n"
    "您的证书：{link}\n\n"
    "此链接在 {until} 之前可在任何设备上打开；请在此之前下载证书。如果使用此邮箱的另一条记录也是您的，"
    "请再次提出请求并提供其号码，或写信到 {contact}。\n\n"
    "我们现在销毁此邮箱，因此不能再向您发送验证码；这是最后一封邮件。\n",
    "mail.claimed.subject": "我们确认了属于您的记录",
    "mail.claimed": "我们的两名工作人员查看了您出示的材料，认定又有一条记录属于您。"
    "请求 {request} 现在涵盖的内容以及如何继续，见其页面：{link}\n",
    "mail.refused.subject": "您的请求被拒绝",
    "mail.refused": "您的请求被拒绝。理由：{reason}。\n\n"
    "您可以向{authority}投诉，或向法院起诉。\n\n"
    "{link}\n\n"
    "此链接在 {until} 之前可在任何设备上打开。\n",
    "mail.extended.subject": "答复需要更长时间",
    "mail.extended": "您的请求较复杂或数量较多，法律允许延长期限；新的日期见：{link}\n",
    "mail.closed.subject": "您的请求已关闭",
    "mail.closed": "您的请求 {request} 已关闭。答复已销毁，此邮箱现在也被销毁；这是最后一封邮件。\n",
    "mail.is.waiting": "我们正在就此向您发送邮件。",
    "mail.is.sent": "我们已就此向您发送邮件。",
    "mail.is.lost": "相关邮件未能送达。请使用此页面。",
    "link.old": "此链接已失效：已过期，或已在请求页面上终止。",
    "covers": "本请求涵盖哪些记录",
    "covers.erased": "已删除的与未删除的",
    "covers.address": "涵盖：此邮箱对应的记录（{subject}）",
    "covers.number": "涵盖：号码为 {number} 的记录（{subject}）",
    "covers.claimed": "涵盖：您提供过号码的记录（{subject}）",
    "covers.desk": "涵盖：经两名工作人员认定属于您的记录（{subject}）",
    "covers.holder": "涵盖：仅 {holders} 在此邮箱下持有的记录（{subject}）；未向其他方询问",
    "covers.not": "未涵盖：共用此邮箱的其他记录，共 {n} 条。它们保持不变。",
    "covers.all": "就我们所知，没有其他使用此邮箱的记录。",
    "covers.none": "我们没有找到使用此邮箱的记录。",
    "covers.how": "其他记录中有您的吗？请再次提出请求并提供其号码，或写信到 {contact} 并注明 {request}。",
    "missing": "以下系统未能及时答复，答复中缺少它们持有的数据：{holders}。您可以再次提出请求。",
    "kept": "留下了什么，为什么",
    "kept.backups": "此前的备份仍以加密形式包含这些记录。恢复备份者会先再次删除它们。",
    "kept.recipients": "外部接收方此前收到的副本不在删除范围内。",
    "withdraw": "撤回我的请求",
    "withdraw.lead": "尚未交付或删除任何数据。如果您撤回，请求到此结束。",
    "revoke": "全部终止",
    "revoke.lead": "此页面还可以从其他浏览器或通过我们邮件中的链接打开。",
    "revoked": "现在只有此浏览器可以打开页面；已发送邮件中的链接不再有效。",
}

WORDS: Mapping[str, Mapping[str, str]] = {"en": EN, "zh": ZH}


def words(language: str, key: str, **values: str) -> str:
    """The text `key` in `language`."""
    return WORDS.get(language, EN)[key].format(**values)
