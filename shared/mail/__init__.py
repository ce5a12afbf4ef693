"""The mail room: the one place of every service from which mail leaves, by SMTP, to exactly one mailbox each.

A mail is a kind and what it is about (an id), queued in the transaction of the change that it tells of: it leaves if and only
if that commits. Text and address are made when it is sent, by the service that queued it, and are kept nowhere. One that cannot
be sent never holds up the next. docs/mail.md says what happens to it.
"""
