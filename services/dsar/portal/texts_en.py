"""The words of pages and mails in English."""

from collections.abc import Mapping

EN: Mapping[str, str] = {
    "title": "Your data, your rights",
    "lead": "Ask {controller} what it holds on you, or ask to be forgotten. It costs nothing and needs no account.",
    "choose": "What do you want?",
    "access": "What do you hold on me?",
    "access.hint": "You get everything as one file: what, why, for how long, who received it, and who looked at it.",
    "erasure": "Forget me.",
    "erasure.hint": "Two people decide on the request. Then every system is asked to destroy its key to your records, and you "
    "get a certificate that says what was erased and what was not.",
    "email": "Your e-mail address",
    "email.hint": "We send a code to it. We keep it encrypted, only for this request, and destroy it at the end.",
    "email.bad": "This is not an e-mail address.",
    "send": "Send me a code",
    "request": "Your request",
    "code.lead": "A code goes by mail to the address you typed, if it can get one. Type it here.",
    "code": "Code (eight digits)",
    "code.send": "This is my code",
    "code.again": "Send the code again",
    "code.wrong": "That code is wrong, used or too old. Try again, or have it sent again.",
    "code.sent": "We are sending the code again: the same one while it is good, else a new one; unless this mailbox has "
    "had too many within an hour.",
    "code.hint": "It can take some minutes; look among unwanted mail too. A mailbox gets few codes an hour, whoever asks. If "
    "none comes: the newest mail with a code opens the request that it names, and from then on this browser gets codes whoever "
    "else asks. Or wait an hour and send it again, or write to us (below).",
    "code.closed": "Is your request closed already? Then no code can come any more: its address is destroyed. Use the "
    "link in our last mail, or write to us and name {request}.",
    "narrow.lead": "This address leads to {n} records. All of them may be yours, since a person can stand in our records "
    "twice, or some may be of others who use the address. So that nobody gets or erases another's data, name each record "
    "that is yours by a number that stands on it alone.",
    "narrow": "A customer number, or a phone number with country code",
    "narrow.send": "Add this record",
    "narrow.wrong": "This number does not tell which record is yours. Please try another one that we know.",
    "narrow.over": "Too many wrong numbers were typed for this address, here or elsewhere, so none can be tried for some days.",
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
    "too.many": "There are too many requests just now, or from where you are. Please try again in some minutes, or write to "
    "us (below).",
    "package.busy": "Your package is being made just now, or many others are. Please try again in half a minute.",
    "state": "Where it stands",
    "state.received": "waiting for your code",
    "state.verified": "looking for records with your address in every system",
    "state.unclear": "waiting for you to name your records",
    "state.assessed": "it waits for two people to decide",
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
    "close.lead": "Closing destroys the address that you typed. You can ask again at any time.",
    "close.lead.held": "Closing destroys the answer and the address that you typed. You can ask again at any time.",
    "closed.lead": "This request is closed. Its key is destroyed: nobody can read the address that you typed now.",
    "closed.soon": "This request is closed. We are sending you a last mail; then the address that you typed is destroyed.",
    "ended.erased": "It ended because a record that it covers was erased at another request.",
    "reached.received": "No code came back, so we looked nothing up. For this request nothing was handed out or erased.",
    "reached.proven": "We looked for records with your address. For this request nothing was handed out or erased.",
    "reached.asked": "Our systems were asked what they hold on you; what they had answered is destroyed. For this request "
    "nothing was handed out or erased.",
    "reached.held": "The answer was ready; our copy of it is destroyed. For this request nothing was erased.",
    "reached.nothing": "We found no record with your address, so for this request nothing was handed out or erased.",
    "reached.refused": "It was refused, so nothing was erased for it.",
    "reached.erasing": "Our systems were asked to erase the records, and not all had said that they did. Write to us if you "
    "want to know what each did.",
    "reached.erased": "The records that the certificate names were erased.",
    "contact": "Questions",
    "language": "中文",
    "mail.code.subject": "Your code: {code}",
    "mail.code": "Your code is {code}. It is good for 15 minutes, once.\n\n"
    "What it was asked for: {asked}\n\n"
    "Type it here: {link}\n\n"
    "If you did not ask for it, do nothing: without the code nothing happens.\n",
    "mail.ready.subject": "Your answer is ready",
    "mail.ready": "The answer to your request is ready.\n\n"
    "{coverage}\n\n{missing}"
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
    "mail.closed": "Your request {request} is closed. {reached}\n\n"
    "We now destroy this address; this is our last mail about it.\n",
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
